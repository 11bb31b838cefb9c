// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "cli/doctor.h"
#include "cli/verb_table.h"

namespace cirein {
namespace {

class DoctorVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    options->AddFlag({"--strict", "", "end with 5 when there is a WARN"}, &strict_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    Report report("checks", {{"check", "check"},
                             {"verdict", "verdict", Report::Type::kVerdict},
                             {"found", "found"},
                             {"next", "next step"}});
    bool warned = false;
    for (Finding& finding : Diagnose(Machine(), context.LoadConfig())) {
      const bool warn = finding.verdict == Finding::Verdict::kWarn;
      warned = warned || warn;
      Report::Cell next;
      if (!finding.next.empty()) next = std::move(finding.next);
      report.AddRow({std::move(finding.check), std::string(warn ? "WARN" : "PASS"),
                     std::move(finding.found), std::move(next)});
    }
    context.Print({&report, 1});
    return warned && strict_ ? ExitCode::kPartial : ExitCode::kOk;
  }

 private:
  bool strict_ = false;
};

}  // namespace

std::unique_ptr<Verb> MakeDoctorVerb() { return std::make_unique<DoctorVerb>(); }

}  // namespace cirein
