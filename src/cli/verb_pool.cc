// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/suggest.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/pool_report.h"
#include "cli/verb_table.h"
#include "dpm/dpm.h"
#include "region/directory_space.h"
#include "runtime/entropy.h"
#include "runtime/real_clock.h"

namespace cirein {
namespace {

class PoolVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    DeclareArguments(options);
    const auto add_size = [&](const char* name, const char* help, const char* fallback,
                              std::uint64_t* target) {
      AddOf("create", options, {name, "SIZE", help}, fallback, [target](std::string_view text) {
        CIREIN_ASSIGN_OR_RETURN(*target, ParseBytes(text));
        return OkStatus();
      });
    };
    add_size("--size", "create: of the log, which holds all but large objects", "",
             &create_.log_bytes);
    add_size("--segment-size", "create: of a segment, 16KiB to 1GiB", "8MiB, less in a small pool",
             &create_.segment_bytes);
    add_size("--index-size", "create: of the index", "a quarter of --size", &create_.index_bytes);
    add_size("--extent-limit", "create: of all large objects together", "as --size",
             &create_.extent_limit_bytes);
    add_size("--large-object", "create: data beyond it has a file of its own",
             "256KiB, less in a small pool", &create_.large_bytes);
    DeclareDurability(options);
    DeclareRepair(options);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    for (const auto& [action, option] : given_) {
      if (action == action_) continue;
      return InvalidArgument(fmt::format("pool {} takes no {}", action_, option),
                             "see cirein help pool");
    }
    if (action_ == "create") return Create(context);
    if (action_ == "inspect") return Inspect(context);
    return repair_ ? Repair(context) : Verify(context);
  }

 private:
  void DeclareArguments(OptionSet* options) {
    Option action;
    action.kind = Option::Kind::kArgument;
    action.names = "ACTION";
    action.help = "what to do";
    action.required = true;
    action.choices = {"create", "inspect", "verify"};
    action.set = [this, choices = action.choices](std::string_view word) -> Status {
      action_ = word;
      if (std::ranges::find(choices, word) != choices.end()) return OkStatus();
      const std::vector<std::string_view> known(choices.begin(), choices.end());
      return InvalidArgument(fmt::format("there is no pool {}", QuoteForPeople(word)),
                             DidYouMean(word, known, "give create, inspect or verify"));
    };
    options->Add(std::move(action));
    options->AddArgument({"DIR", "", "the pool's directory"}, OptionSet::Presence::kRequired,
                         &path_);
  }

  // An option that only one action takes.
  void AddOf(std::string_view action, OptionSet* options, OptionText text, std::string fallback,
             std::function<Status(std::string_view)> set, std::vector<std::string> choices = {}) {
    Option option;
    option.kind = text.value.empty() ? Option::Kind::kFlag : Option::Kind::kValue;
    option.names = text.names;
    option.value = std::move(text.value);
    option.help = std::move(text.help);
    option.fallback = std::move(fallback);
    option.choices = std::move(choices);
    option.set = [this, action, name = std::move(text.names),
                  set = std::move(set)](std::string_view value) {
      given_.emplace_back(action, name);
      return set(value);
    };
    options->Add(std::move(option));
  }

  void DeclareDurability(OptionSet* options) {
    AddOf("create", options, {"--durability", "LEVEL", "create: what an answered write survives"},
          "process",
          [this](std::string_view word) -> Status {
            if (word != "process" && word != "power") {
              return InvalidArgument(fmt::format("{} is no durability", QuoteForPeople(word)),
                                     "give process (the end of the process; a power cut costs up "
                                     "to a second) or power (a power cut as well)");
            }
            create_.durability =
                word == "power" ? dpm::Durability::kPower : dpm::Durability::kProcess;
            return OkStatus();
          },
          {"process", "power"});
  }

  void DeclareRepair(OptionSet* options) {
    AddOf("verify", options,
          {"--repair", "", "verify: save what is valid of a damaged pool; what is not is lost"}, "",
          [this](std::string_view) {
            repair_ = true;
            return OkStatus();
          });
  }

  static void WarnOfMedium(const VerbContext& context, const RegionSpace& space) {
    if (space.traits().survives_power_cut) return;
    context.console.Tell(
        fmt::format("cirein: {} is in memory ({}): nothing there survives a power cut or a restart "
                    "of the machine\n",
                    space.path(), space.traits().description));
  }

  Result<std::unique_ptr<RegionSpace>> OpenSpace() const { return OpenDirectorySpace(path_); }

  Result<ExitCode> Create(const VerbContext& context) {
    if (create_.log_bytes == 0) {
      return InvalidArgument("how large shall the pool be?", "give --size, such as --size 1GiB");
    }
    if (create_.segment_bytes == 0)
      create_.segment_bytes = dpm::DefaultSegmentBytes(create_.log_bytes);
    Entropy entropy = Entropy::FromSystem();
    while (create_.pool_id == 0) create_.pool_id = entropy.Seed();
    create_.created_ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(RealClock::Instance().WallNow())
            .count());
    CIREIN_ASSIGN_OR_RETURN(
        const std::unique_ptr<RegionSpace> space,
        OpenDirectorySpace(path_, {.missing = DirectoryOptions::Missing::kMake}));
    CIREIN_RETURN_IF_ERROR(dpm::Dpm::Create(*space, create_));
    CIREIN_ASSIGN_OR_RETURN(const dpm::PoolSummary summary, dpm::InspectPool(*space));
    context.Print(PoolReports(*space, summary));
    WarnOfMedium(context, *space);
    return ExitCode::kOk;
  }

  Result<ExitCode> Inspect(const VerbContext& context) const {
    CIREIN_ASSIGN_OR_RETURN(const std::unique_ptr<RegionSpace> space, OpenSpace());
    CIREIN_ASSIGN_OR_RETURN(const dpm::PoolSummary summary, dpm::InspectPool(*space));
    context.Print(PoolReports(*space, summary));
    WarnOfMedium(context, *space);
    return ExitCode::kOk;
  }

  Result<dpm::VerifyReport> VerifyOnce() const {
    CIREIN_ASSIGN_OR_RETURN(const std::unique_ptr<RegionSpace> space, OpenSpace());
    return dpm::VerifyPool(*space);
  }

  Result<ExitCode> Verify(const VerbContext& context) const {
    CIREIN_ASSIGN_OR_RETURN(const dpm::VerifyReport report, VerifyOnce());
    const std::array<Report, 2> reports = {FindingsReport("findings", report.findings),
                                           CountsReport(report)};
    context.Print(reports);
    return Verdict(context, report);
  }

  ExitCode Verdict(const VerbContext& context, const dpm::VerifyReport& report) const {
    if (report.clean()) {
      context.console.Tell(fmt::format("cirein: {} is in order\n", path_));
      return ExitCode::kOk;
    }
    context.console.Tell(
        fmt::format("cirein: {} is damaged\n  next: restore it from a copy, or save what is valid "
                    "with cirein pool verify {} --repair\n",
                    path_, path_));
    return ExitCode::kPartial;
  }

  Result<ExitCode> Repair(const VerbContext& context) const {
    CIREIN_ASSIGN_OR_RETURN(const dpm::VerifyReport before, VerifyOnce());
    if (before.clean()) {
      const std::array<Report, 2> reports = {FindingsReport("findings", before.findings),
                                             CountsReport(before)};
      context.Print(reports);
      context.console.Tell(
          fmt::format("cirein: {} is in order: there is nothing to repair\n", path_));
      return ExitCode::kOk;
    }
    dpm::Findings repaired;
    const Status status = OpenForRepair(&repaired);
    std::vector<Report> reports = {FindingsReport("findings", before.findings),
                                   FindingsReport("repair", repaired)};
    if (!status.ok()) {
      context.Print(reports);
      return status;
    }
    CIREIN_ASSIGN_OR_RETURN(const dpm::VerifyReport after, VerifyOnce());
    reports.push_back(FindingsReport("after", after.findings));
    reports.push_back(CountsReport(after));
    context.Print(reports);
    context.console.Tell(fmt::format("cirein: objects before: {}, after: {}\n",
                                     before.summary.objects, after.summary.objects));
    return Verdict(context, after);
  }

  Status OpenForRepair(dpm::Findings* findings) const {
    CIREIN_ASSIGN_OR_RETURN(std::unique_ptr<RegionSpace> space, OpenSpace());
    CIREIN_ASSIGN_OR_RETURN(
        const std::unique_ptr<dpm::Dpm> pool,
        dpm::Dpm::Open(std::move(space), {.repair = dpm::OpenOptions::Repair::kYes}, findings));
    return pool->Close();
  }

  std::string action_;
  std::string path_;
  std::vector<std::pair<std::string, std::string>> given_;  // Action and option.
  dpm::CreateOptions create_{.log_bytes = 0, .segment_bytes = 0};
  bool repair_ = false;
};

}  // namespace

std::unique_ptr<Verb> MakePoolVerb() { return std::make_unique<PoolVerb>(); }

}  // namespace cirein
