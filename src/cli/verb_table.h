// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "cli/verb.h"

namespace cirein {

struct VerbExample {
  std::string_view command;
  std::string_view meaning;
};

/// A verb that exists. The table of these makes dispatch, help, completion and the docs.
struct VerbEntry {
  std::string_view name;
  std::string_view group;    ///< Verbs of one group stand together in help.
  std::string_view summary;  ///< One line, a phrase.
  std::string_view details;  ///< What else there is to know; may be empty.
  std::span<const VerbExample> examples;
  std::unique_ptr<Verb> (*make)();
};

/// Every verb, in the order of help. To add one: verb_NAME.cc beside its twins, and its row here.
std::span<const VerbEntry> Verbs();

/// The verb of that name. Errors: InvalidArgument with the name that was probably meant.
Result<const VerbEntry*> FindVerb(std::string_view name);

// Each is defined in its own verb_NAME.cc.
std::unique_ptr<Verb> MakeBlastVerb();
std::unique_ptr<Verb> MakeCompletionVerb();
std::unique_ptr<Verb> MakeComputeVerb();
std::unique_ptr<Verb> MakeConfigVerb();
std::unique_ptr<Verb> MakeDemoVerb();
std::unique_ptr<Verb> MakeDoctorVerb();
std::unique_ptr<Verb> MakeDropVerb();
std::unique_ptr<Verb> MakeGetVerb();
std::unique_ptr<Verb> MakeHelpVerb();
std::unique_ptr<Verb> MakeInfoVerb();
std::unique_ptr<Verb> MakeListVerb();
std::unique_ptr<Verb> MakeLoadVerb();
std::unique_ptr<Verb> MakeNeedVerb();
std::unique_ptr<Verb> MakePlayVerb();
std::unique_ptr<Verb> MakePoolVerb();
std::unique_ptr<Verb> MakePutVerb();
std::unique_ptr<Verb> MakeSaveVerb();
std::unique_ptr<Verb> MakeSimulateVerb();
std::unique_ptr<Verb> MakeStatusVerb();
std::unique_ptr<Verb> MakeStopVerb();
std::unique_ptr<Verb> MakeServeVerb();
std::unique_ptr<Verb> MakeResourceVerb();
std::unique_ptr<Verb> MakeUpVerb();
std::unique_ptr<Verb> MakeVersionVerb();
std::unique_ptr<Verb> MakeWantVerb();

}  // namespace cirein
