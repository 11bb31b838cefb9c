// SPDX-License-Identifier: Apache-2.0
#include "cli/build_info.h"

#include <fmt/format.h>

// The build defines these for this file alone, so that a new commit recompiles nothing else.
#ifndef CIREIN_VERSION
#define CIREIN_VERSION "0.1.0"  // As CMakeLists.txt has it; a test compares them.
#endif
#ifndef CIREIN_COMMIT
#define CIREIN_COMMIT ""
#endif

namespace cirein {
namespace {

std::string Compiler() {
#if defined(__clang__)
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return fmt::format("gcc {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

std::string BuildType() {
#if !defined(__OPTIMIZE__)
  return "debug";
#elif defined(NDEBUG)
  return "release";
#else
  return "optimised, with checks";
#endif
}

// gcc tells by macros of its own, clang by a question.
#if defined(__has_feature)
#define CIREIN_HAS_SANITIZER(name) __has_feature(name)
#else
#define CIREIN_HAS_SANITIZER(name) 0
#endif

std::string Sanitizers() {
#if defined(__SANITIZE_ADDRESS__) || CIREIN_HAS_SANITIZER(address_sanitizer)
  return "address";
#elif defined(__SANITIZE_THREAD__) || CIREIN_HAS_SANITIZER(thread_sanitizer)
  return "thread";
#else
  return "";
#endif
}

}  // namespace

BuildInfo CurrentBuild() {
  return {CIREIN_VERSION, CIREIN_COMMIT, Compiler(), BuildType(), Sanitizers()};
}

}  // namespace cirein
