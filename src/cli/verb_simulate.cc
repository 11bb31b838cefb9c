// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/logging.h"
#include "cli/progress.h"
#include "cli/verb_table.h"
#include "runtime/append_file.h"
#include "runtime/file.h"
#include "runtime/interrupt_flag.h"
#include "simulation/run.h"

namespace cirein {
namespace {

using simulation::RunReport;
using simulation::RunRequest;
using simulation::ScenarioEntry;
using simulation::ScenarioTable;

constexpr std::uint64_t kPlanBytesMax = std::uint64_t{1} << 20;
constexpr std::uint64_t kShrinkRuns = 400;

class SimulateVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    options->AddText({"--scenario", "NAME", "what is simulated; without it, the list"}, &scenario_);
    options->AddNumber({"--seed", "N", "the run, or the first of several"}, {}, &seed_);
    options->AddNumber({"--seeds", "N", "how many, one after another"}, {1, 1'000'000'000},
                       &seeds_);
    options->AddNumber({"--jobs", "N", "runs at the same time"}, {1, 64}, &jobs_);
    options->AddNumber({"--steps", "K", "stop after so many events, and judge what was seen"}, {},
                       &steps_);
    options->AddNumber({"--clients", "N", "in place of what the seed draws"}, {1, 1000}, &clients_);
    options->AddNumber({"--operations", "N", "of each client, in place of what the seed draws"},
                       {1, 1'000'000}, &operations_);
    options->AddText({"--plan", "FILE", "the faults, in place of what the seed draws"},
                     &plan_file_);
    options->AddChoice({"--fabric", "WHICH", "whose costs the network has"},
                       {"rdma", "tcp", "cxl", "shm"}, std::string(simulation::kUsualFabric),
                       [this](std::string_view word) {
                         fabric_ = word;
                         return OkStatus();
                       });
    options->AddText({"--log", "FILE", "write down every event, as a text"}, &log_file_);
    options->AddFlag({"--twice", "", "run each seed again, and compare every event"}, &twice_);
    options->AddFlag({"--shrink", "", "make a run that fails as small as it can be"}, &shrink_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    if (scenario_.empty()) return ListScenarios(context);
    CIREIN_RETURN_IF_ERROR(table_.Find(scenario_).status());
    if (log_file_ && (seeds_ > 1 || twice_ || shrink_)) {
      return InvalidArgument("--log is for one run, without --seeds, --twice and --shrink",
                             "find the seed first, then write down its events");
    }
    CIREIN_ASSIGN_OR_RETURN(const RunRequest request, MakeRequest(context));
    if (seeds_ > 1) return RunMany(context, request);
    if (log_file_) return RunHere(context, request);
    CIREIN_ASSIGN_OR_RETURN(RunReport report, simulation::RunApart(table_, request));
    CIREIN_RETURN_IF_ERROR(CheckTwice(request, &report));
    context.Print(std::array{ReportOf(report)});
    if (report.ok()) return ExitCode::kOk;
    CIREIN_RETURN_IF_ERROR(TellFailure(context, request, report));
    return ExitCode::kPartial;
  }

 private:
  static Result<ExitCode> ListScenarios(const VerbContext& context) {
    Report report("scenarios", {{"scenario", "scenario"}, {"summary", "what it is"}});
    for (const ScenarioEntry& entry : ScenarioTable::Builtin().entries()) {
      report.AddRow({entry.name, entry.summary});
    }
    context.Print(std::array{std::move(report)});
    return ExitCode::kOk;
  }

  Result<RunRequest> MakeRequest(const VerbContext& context) const {
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    RunRequest request;
    request.scenario = scenario_;
    request.seed = seed_;
    CIREIN_ASSIGN_OR_RETURN(request.costs, fabric::CostModel::FromConfig(fabric_, config));
    request.steps = steps_;
    if (clients_) request.clients = static_cast<std::uint32_t>(*clients_);
    if (operations_) request.operations = static_cast<std::uint32_t>(*operations_);
    if (plan_file_) {
      CIREIN_ASSIGN_OR_RETURN(const std::string text, ReadFile(*plan_file_, kPlanBytesMax));
      Result<simulation::FaultPlan> plan = simulation::FaultPlan::Parse(text);
      if (!plan.ok()) return plan.status().WithContext(*plan_file_);
      request.plan = *std::move(plan);
    }
    return request;
  }

  static Report ReportOf(const RunReport& run) {
    using Type = Report::Type;
    Report report("run", {{"seed", "seed"},
                          {"result", "result"},
                          {"events", "events", Type::kCount},
                          {"virtual_ns", "virtual time", Type::kDuration},
                          {"faults", "faults", Type::kCount},
                          {"digest", "digest of all events"}});
    report.AddRow({std::to_string(run.seed), std::string(run.ok() ? "ok" : "FAILED"), run.events,
                   static_cast<std::uint64_t>(run.virtual_time.count()),
                   std::uint64_t{run.plan.faults().size()}, fmt::format("{:016x}", run.digest)});
    return report;
  }

  // In this process, so that the events can be written as they happen.
  Result<ExitCode> RunHere(const VerbContext& context, const RunRequest& request) const {
    CIREIN_ASSIGN_OR_RETURN(const std::unique_ptr<AppendFile> log,
                            AppendFile::Open(*log_file_, AppendFile::Mode::kTruncate));
    std::string lines;
    const auto flush = [&] {
      static_cast<void>(log->Append(lines).ok());  // The error sticks, and is told at the end.
      lines.clear();
    };
    CIREIN_ASSIGN_OR_RETURN(const RunReport report,
                            simulation::Run(table_, request, [&](std::string_view line) {
                              constexpr std::size_t kLinesBytes = 64 * 1024;
                              lines += line;
                              if (lines.size() >= kLinesBytes) flush();
                            }));
    flush();
    CIREIN_RETURN_IF_ERROR(log->status());
    context.Print(std::array{ReportOf(report)});
    for (const std::string& violation : report.violations) context.console.Tell(violation + "\n");
    return report.ok() ? ExitCode::kOk : ExitCode::kPartial;
  }

  /// Two runs that differ are a failure of their own.
  Status CheckTwice(const RunRequest& request, RunReport* report) const {
    if (!twice_ || report->crashed) return OkStatus();
    CIREIN_ASSIGN_OR_RETURN(const RunReport again, simulation::RunApart(table_, request));
    if (again.digest == report->digest) return OkStatus();
    CIREIN_ASSIGN_OR_RETURN(const auto difference, simulation::FindDifference(table_, request));
    report->violations.push_back(
        "the same seed gave another run: " +
        difference.value_or("the digests differ only between two processes"));
    return OkStatus();
  }

  Result<ExitCode> RunMany(const VerbContext& context, const RunRequest& request) {
    Progress progress(context.console, "seeds", seeds_);
    const InterruptFlag& interrupt = InterruptFlag::Install();
    std::vector<std::uint64_t> failed;
    std::uint64_t runs = 0;
    std::uint64_t events = 0;
    Status checked;
    CIREIN_RETURN_IF_ERROR(simulation::RunSeeds(
        table_, request, {seed_, seeds_}, static_cast<std::uint32_t>(jobs_),
        [&](const RunReport& ended) {
          RunReport report = ended;
          RunRequest one = request;
          one.seed = report.seed;
          checked = CheckTwice(one, &report);
          ++runs;
          events += report.events;
          progress.Add(1);
          if (!report.ok()) {
            failed.push_back(report.seed);
            if (failed.size() == 1 && checked.ok()) checked = TellFailure(context, one, report);
          }
          return checked.ok() && failed.size() < kFailuresMax && !interrupt.IsSet();
        }));
    CIREIN_RETURN_IF_ERROR(checked);
    using Type = Report::Type;
    Report report("seeds", {{"runs", "runs", Type::kCount},
                            {"failed", "failed", Type::kCount},
                            {"events", "events", Type::kCount},
                            {"seeds", "failed seeds"}});
    std::sort(failed.begin(), failed.end());
    report.AddRow(
        {runs, std::uint64_t{failed.size()}, events,
         failed.empty() ? std::string("none") : fmt::format("{}", fmt::join(failed, " "))});
    context.Print(std::array{std::move(report)});
    return failed.empty() && runs == seeds_ ? ExitCode::kOk : ExitCode::kPartial;
  }

  Status TellFailure(const VerbContext& context, const RunRequest& request,
                     const RunReport& report) const {
    Console& console = context.console;
    simulation::Shrunk shrunk{request, report, 0};
    if (shrink_) {
      CIREIN_ASSIGN_OR_RETURN(shrunk, simulation::Shrink(table_, request, report, kShrinkRuns));
      console.Tell(fmt::format("cirein: seed {} failed; after {} more runs it is down to this\n",
                               request.seed, shrunk.runs));
    }
    for (const std::string& violation : shrunk.report.violations) console.Tell(violation + "\n");
    if (!shrunk.report.history.empty()) {
      console.Tell("what the clients saw:\n" + shrunk.report.history);
    }
    const simulation::FaultPlan& plan =
        shrunk.request.plan ? *shrunk.request.plan : shrunk.report.plan;
    if (!report.crashed || shrunk.request.plan) {
      console.Tell("the faults, as a plan:\n" + plan.ToString());
    }
    console.Tell(fmt::format("run it again: {}\n", simulation::CommandFor(shrunk.request)));
    return OkStatus();
  }

  static constexpr std::size_t kFailuresMax = 20;

  const ScenarioTable& table_ = ScenarioTable::Builtin();
  std::string scenario_;
  std::uint64_t seed_ = 1;
  std::uint64_t seeds_ = 1;
  std::uint64_t jobs_ = 1;
  std::optional<std::uint64_t> steps_;
  std::optional<std::uint64_t> clients_;
  std::optional<std::uint64_t> operations_;
  std::optional<std::string> plan_file_;
  std::string fabric_{simulation::kUsualFabric};
  std::optional<std::string> log_file_;
  bool twice_ = false;
  bool shrink_ = false;
};

}  // namespace

std::unique_ptr<Verb> MakeSimulateVerb() { return std::make_unique<SimulateVerb>(); }

}  // namespace cirein
