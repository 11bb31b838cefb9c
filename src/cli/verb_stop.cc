// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "base/units.h"
#include "cli/server_file.h"
#include "cli/verb_table.h"
#include "runtime/other_process.h"
#include "runtime/real_clock.h"

namespace cirein {
namespace {

class StopVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    options->AddText({"--dir", "DIR", "the directory of the server's pool"}, &directory_);
    options->AddDuration({"--deadline", "TIME", "wait so long for its end"}, &deadline_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    CIREIN_ASSIGN_OR_RETURN(const ServerFile file, FindServer(directory_));
    CIREIN_ASSIGN_OR_RETURN(const std::unique_ptr<OtherProcess> process,
                            OtherProcess::Find(file.process));
    const TimePoint end = RealClock::Instance().EndOf(deadline_);
    CIREIN_RETURN_IF_ERROR(process->Terminate());
    if (!process->AwaitEnd(end)) {
      return DeadlineExceeded(
          fmt::format("the server in '{}' (process {}) was told to end, and has not in {}",
                      directory_, file.process.pid, FormatDuration(deadline_)),
          "it may be closing a large pool: look at its log, or wait longer with --deadline");
    }
    context.console.Tell(fmt::format("stopped the server in '{}'\n", directory_));
    return ExitCode::kOk;
  }

 private:
  std::string directory_ = "cirein-data";
  std::chrono::nanoseconds deadline_ = std::chrono::seconds(60);
};

}  // namespace

std::unique_ptr<Verb> MakeStopVerb() { return std::make_unique<StopVerb>(); }

}  // namespace cirein
