// SPDX-License-Identifier: Apache-2.0
#include "simulation/run.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "runtime/child_process.h"
#include "runtime/guarded.h"

namespace cirein::simulation {

namespace {

using namespace std::chrono_literals;

/// After the time that a run is meant to take it has so long to come to an end, in virtual time:
/// more than any deadline that clients give.
constexpr std::chrono::nanoseconds kPatience = 300s;

// Each part of a run draws from a sequence of its own, so that a run with one fault less is the
// same run but for that.
struct RunStreams {
  explicit RunStreams(std::uint64_t seed)
      : all(seed), size(all.Fork()), plan(all.Fork()), scenario(all.Fork()), world(all()) {}
  Random all;
  Random size;
  Random plan;
  Random scenario;
  std::uint64_t world;
};

RunSize SizeOf(const RunRequest& request, Scenario& scenario, Random& random) {
  RunSize size = scenario.DrawSize(random);
  if (request.clients) size.clients = *request.clients;
  if (request.operations) size.operations = *request.operations;
  return size;
}

class Runner {
 public:
  Runner(const RunRequest& request, std::unique_ptr<Scenario> scenario)
      : request_(request), scenario_(std::move(scenario)) {}

  Result<RunReport> Run(const JournalListener& listener) {
    RunStreams streams(request_.seed);
    World world(streams.world, request_.costs);
    world_ = &world;
    world.scheduler().SetListener(listener);

    report_.seed = request_.seed;
    report_.size = SizeOf(request_, *scenario_, streams.size);
    scenario_->Build(world, report_.size, streams.scenario);
    report_.plan = request_.plan ? *request_.plan
                                 : FaultPlan::Draw(streams.plan, world.Targets(),
                                                   report_.size.length, report_.size.faults);
    CIREIN_RETURN_IF_ERROR(report_.plan.Check(world.Targets()));

    VirtualHost::SetOnSpin(
        [&world](const std::string& what) { world.Violate("a step budget ended it: " + what); });
    const std::uint64_t caught = CaughtExceptionCount();
    world.Start();
    world.Plan(report_.plan);
    Go();
    VirtualHost::SetOnSpin(nullptr);
    if (CaughtExceptionCount() != caught) world.Violate("an exception left the code of a node");
    Finish();
    // What the clients have of the world goes before it.
    scenario_.reset();
    return std::move(report_);
  }

 private:
  void Go() {
    const TimePoint end = world_->now() + 2 * report_.size.length + kPatience;
    if (!RunUntil([this] { return scenario_->Done(); }, end, "the clients' work")) return;
    world_->HealAll();
    scenario_->Conclude();
    if (!RunUntil([this] { return scenario_->Concluded(); }, world_->now() + kPatience,
                  "the last questions")) {
      return;
    }
    concluded_ = true;
  }

  /// False when the run is over before.
  bool RunUntil(const std::function<bool()>& done, TimePoint end, std::string_view what) {
    while (!done()) {
      if (request_.steps && world_->scheduler().events() >= *request_.steps) return false;
      if (world_->scheduler().events() >= request_.steps_max) {
        world_->Violate(fmt::format("{} events were not enough for {}", request_.steps_max, what));
      } else if (!world_->scheduler().RunOne(end)) {
        world_->Violate(fmt::format(
            "{} did not come to an end: at {} ms {}; {}", what, world_->now() / 1ms,
            world_->now() < end ? "nothing was left to happen" : "it was waited for long enough",
            scenario_->Pending()));
      }
      scenario_->CheckStep();
      if (!world_->violations().empty()) return false;
    }
    return true;
  }

  void Finish() {
    if (world_->violations().empty()) {
      scenario_->Judge(concluded_ ? Scenario::Ended::kFully : Scenario::Ended::kEarly);
    }
    report_.violations = world_->violations();
    report_.digest = world_->scheduler().digest();
    report_.events = world_->scheduler().events();
    report_.virtual_time = world_->now() - VirtualScheduler::kStart;
    if (!report_.ok()) report_.history = scenario_->HistoryText();
  }

  const RunRequest& request_;
  std::unique_ptr<Scenario> scenario_;
  World* world_ = nullptr;
  RunReport report_;
  bool concluded_ = false;
};

// Texts one after another, each with its length: the report on its way between processes.
void Put(std::string& text, std::string_view part) {
  text += fmt::format("{}:", part.size());
  text += part;
}
Result<std::string> Take(std::string_view& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return DataLoss("a report of a run ends early");
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t bytes, ParseUint64(text.substr(0, colon)));
  text.remove_prefix(colon + 1);
  if (bytes > text.size()) return DataLoss("a report of a run ends early");
  std::string part(text.substr(0, bytes));
  text.remove_prefix(bytes);
  return part;
}

// In the child: whatever becomes of the request is told as a report.
std::string RunAndEncode(const ScenarioTable& table, const RunRequest& request) {
  const Result<RunReport> report = Run(table, request);
  if (report.ok()) return report->Encode();
  RunReport refused;
  refused.seed = request.seed;
  refused.violations.push_back(report.status().ToString());
  return refused.Encode();
}

Result<std::unique_ptr<ChildProcess>> StartApart(const ScenarioTable& table,
                                                 const RunRequest& request) {
  return ChildProcess::Start([&table, request] { return RunAndEncode(table, request); },
                             {.cpu_max = request.cpu_max});
}

RunReport ReportOf(const ChildEnd& end, std::uint64_t seed) {
  if (end.returned) {
    if (Result<RunReport> report = RunReport::Decode(end.output); report.ok()) return *report;
  }
  RunReport crashed;
  crashed.seed = seed;
  crashed.crashed = true;
  crashed.violations.push_back(fmt::format("the run {}; {}", end.how, end.output));
  return crashed;
}

/// Could this run be made at all? Otherwise a child would say so for every seed.
Status CheckRequest(const ScenarioTable& table, const RunRequest& request) {
  CIREIN_ASSIGN_OR_RETURN(const ScenarioEntry* entry, table.Find(request.scenario));
  if (!request.plan) return OkStatus();
  const std::unique_ptr<Scenario> scenario = entry->make();
  RunStreams streams(request.seed);
  World world(streams.world, request.costs);
  scenario->Build(world, SizeOf(request, *scenario, streams.size), streams.scenario);
  return request.plan->Check(world.Targets());
}

}  // namespace

std::string RunReport::Encode() const {
  std::string text;
  for (const std::uint64_t number :
       {seed, digest, events, static_cast<std::uint64_t>(virtual_time.count()),
        std::uint64_t{size.clients}, std::uint64_t{size.operations}, std::uint64_t{size.faults},
        static_cast<std::uint64_t>(size.length.count()), std::uint64_t{violations.size()}}) {
    Put(text, std::to_string(number));
  }
  for (const std::string& violation : violations) Put(text, violation);
  Put(text, plan.ToString());
  Put(text, history);
  return text;
}

Result<RunReport> RunReport::Decode(std::string_view text) {
  RunReport report;
  const auto number = [&text]() -> Result<std::uint64_t> {
    CIREIN_ASSIGN_OR_RETURN(const std::string digits, Take(text));
    return ParseUint64(digits);
  };
  CIREIN_ASSIGN_OR_RETURN(report.seed, number());
  CIREIN_ASSIGN_OR_RETURN(report.digest, number());
  CIREIN_ASSIGN_OR_RETURN(report.events, number());
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t time, number());
  report.virtual_time = std::chrono::nanoseconds(time);
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t clients, number());
  report.size.clients = static_cast<std::uint32_t>(clients);
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t operations, number());
  report.size.operations = static_cast<std::uint32_t>(operations);
  CIREIN_ASSIGN_OR_RETURN(report.size.faults, number());
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t length, number());
  report.size.length = std::chrono::nanoseconds(length);
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t violations, number());
  for (std::uint64_t i = 0; i < violations; ++i) {
    CIREIN_ASSIGN_OR_RETURN(std::string violation, Take(text));
    report.violations.push_back(std::move(violation));
  }
  CIREIN_ASSIGN_OR_RETURN(const std::string plan, Take(text));
  CIREIN_ASSIGN_OR_RETURN(report.plan, FaultPlan::Parse(plan));
  CIREIN_ASSIGN_OR_RETURN(report.history, Take(text));
  return report;
}

Result<RunReport> Run(const ScenarioTable& table, const RunRequest& request,
                      const JournalListener& listener) {
  CIREIN_ASSIGN_OR_RETURN(const ScenarioEntry* entry, table.Find(request.scenario));
  return Runner(request, entry->make()).Run(listener);
}

Result<RunReport> RunApart(const ScenarioTable& table, const RunRequest& request) {
  CIREIN_RETURN_IF_ERROR(CheckRequest(table, request));
  CIREIN_ASSIGN_OR_RETURN(const auto child, StartApart(table, request));
  return ReportOf(child->Wait(), request.seed);
}

Status RunSeeds(const ScenarioTable& table, const RunRequest& request, const SeedRange& seeds,
                std::uint32_t jobs, const std::function<bool(const RunReport&)>& ended) {
  std::vector<std::unique_ptr<ChildProcess>> children;
  std::vector<std::uint64_t> running;
  std::uint64_t started = 0;
  while (started < seeds.count || !children.empty()) {
    while (started < seeds.count && children.size() < std::max(jobs, 1U)) {
      RunRequest one = request;
      one.seed = seeds.first + started++;
      CIREIN_RETURN_IF_ERROR(CheckRequest(table, one));
      CIREIN_ASSIGN_OR_RETURN(auto child, StartApart(table, one));
      children.push_back(std::move(child));
      running.push_back(one.seed);
    }
    const std::size_t first = ChildProcess::WaitAny(children);
    const RunReport report = ReportOf(children[first]->Wait(), running[first]);
    children.erase(children.begin() + static_cast<std::ptrdiff_t>(first));
    running.erase(running.begin() + static_cast<std::ptrdiff_t>(first));
    if (!ended(report)) return OkStatus();
  }
  return OkStatus();
}

Result<std::optional<std::string>> FindDifference(const ScenarioTable& table,
                                                  const RunRequest& request) {
  std::vector<std::string> first;
  const auto keep = [&first](std::string_view line) { first.emplace_back(line); };
  CIREIN_ASSIGN_OR_RETURN(const RunReport one, Run(table, request, keep));
  std::optional<std::string> difference;
  std::size_t place = 0;
  const auto compare = [&](std::string_view line) {
    const std::string_view before =
        place < first.size() ? std::string_view(first[place]) : "(nothing)\n";
    ++place;
    if (!difference && line != before) {
      difference = fmt::format("line {} of the journal was\n{}and then\n{}", place, before, line);
    }
  };
  CIREIN_ASSIGN_OR_RETURN(const RunReport two, Run(table, request, compare));
  if (!difference && (place != first.size() || one.digest != two.digest)) {
    difference = fmt::format("the journal had {} lines, and then {}", first.size(), place);
  }
  return difference;
}

std::string CommandFor(const RunRequest& request) {
  std::string command =
      fmt::format("cirein simulate --scenario {} --seed {}", request.scenario, request.seed);
  if (request.clients) command += fmt::format(" --clients {}", *request.clients);
  if (request.operations) command += fmt::format(" --operations {}", *request.operations);
  if (request.steps) command += fmt::format(" --steps {}", *request.steps);
  if (request.costs.name != kUsualFabric) command += " --fabric " + request.costs.name;
  if (request.plan) command += " --plan FILE";
  return command;
}

}  // namespace cirein::simulation
