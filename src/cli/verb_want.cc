// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cirein/library.h"

#include "cli/connect_pool.h"
#include "cli/object_text.h"
#include "cli/verb_table.h"
#include "runtime/notification.h"
#include "runtime/shell_command.h"

namespace cirein {
namespace {

// Waits for the answer, which comes on another thread.
Result<NamedObject> WaitFor(const Pool& pool, const Pattern& what, const WantOptions& options) {
  struct Answer {
    Notification arrived;
    std::optional<Result<NamedObject>> object;
  };
  const auto answer = std::make_shared<Answer>();
  pool.Want(
      what,
      [answer](Result<NamedObject> object) {
        answer->object = std::move(object);
        answer->arrived.Notify();
      },
      options);
  answer->arrived.WaitUntil(kEndOfTime);
  return std::move(*answer->object);
}

class WantVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    using Presence = OptionSet::Presence;
    AddPoolArgument(options, &pool_);
    options->AddArgument({"PATTERN", "", "which objects: row, row|column, row|a*, row|*, run*|*"},
                         Presence::kRequired, &pattern_);
    options->AddDuration({"--timeout", "TIME", "wait so long at most [default.deadline]"},
                         &timeout_);
    options->AddText({"--exec", "COMMAND",
                      "then become this command of the shell, with the data as standard input and "
                      "the key as $OBJECT_KEY"},
                     &command_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    CIREIN_ASSIGN_OR_RETURN(std::optional<ShellCommand> command, WaitAndTell(context));
    if (!command) return ExitCode::kOk;
    CIREIN_RETURN_IF_ERROR(context.console.Flush());
    return command->TakeOver();
  }

 private:
  // The library has ended, in order, when this has: a command that takes over would cut it off.
  Result<std::optional<ShellCommand>> WaitAndTell(const VerbContext& context) const {
    CIREIN_ASSIGN_OR_RETURN(const Pattern what, Pattern::ParseText(pattern_));
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    const Library library(config);
    CIREIN_RETURN_IF_ERROR(library.status());
    CIREIN_ASSIGN_OR_RETURN(const Pool pool, ConnectNamedPool(pool_, MissingPool::kRefuse));
    WantOptions options;
    if (timeout_) options.deadline = *timeout_;
    CIREIN_ASSIGN_OR_RETURN(const NamedObject object, WaitFor(pool, what, options));
    if (command_) return CommandFor(object);
    const Report report = WantReport(object);
    context.Print({&report, 1});
    return std::optional<ShellCommand>();
  }

  Result<std::optional<ShellCommand>> CommandFor(const NamedObject& object) const {
    std::vector<std::string> variables = {
        "OBJECT_KEY=" + KeyText(object.key),
        "OBJECT_VERSION=" + object.info.version.ToString(),
        fmt::format("OBJECT_TYPE={}", object.object.type()),
    };
    CIREIN_ASSIGN_OR_RETURN(
        ShellCommand command,
        ShellCommand::Make(*command_, object.object.data(), std::move(variables)));
    return std::optional<ShellCommand>(std::move(command));
  }

  static Report WantReport(const NamedObject& object) {
    using Type = Report::Type;
    Report report("object", {{"key", "key"},
                             {"meta_bytes", "meta", Type::kBytes},
                             {"data_bytes", "data", Type::kBytes},
                             {"version", "version"}});
    report.AddRow({KeyText(object.key), object.info.meta_bytes, object.info.data_bytes,
                   object.info.version.ToString()});
    return report;
  }

  std::string pool_;
  std::string pattern_;
  std::optional<std::chrono::nanoseconds> timeout_;
  std::optional<std::string> command_;
};

}  // namespace

std::unique_ptr<Verb> MakeWantVerb() { return std::make_unique<WantVerb>(); }

}  // namespace cirein
