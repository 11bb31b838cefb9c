// SPDX-License-Identifier: Apache-2.0
#include "simulation/run.h"

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/logging.h"
#include "runtime/real_clock.h"
#include "simulation/scenario.h"
#include "support/status_matchers.h"

namespace cirein::simulation {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// A machine that ticks, and does what a test wants at each tick.
class TickingScenario : public Scenario {
 public:
  RunSize DrawSize(Random& /*random*/) override {
    return {.clients = 8, .operations = 100, .faults = 10, .length = 1s};
  }
  void Build(World& world, const RunSize& size, Random /*random*/) override {
    world_ = &world;
    size_ = size;
    for (const char* name : {"node", "other"}) {
      world.AddMachine({.name = name,
                        .start = [this](Process& process) -> Result<std::unique_ptr<Program>> {
                          return std::unique_ptr<Program>(std::make_unique<Ticker>(process, *this));
                        },
                        .allowed = {.may_stop = true}});
    }
  }
  bool Done() const override { return ticks_ >= 400; }
  void Conclude() override {}
  bool Concluded() const override { return true; }
  void Judge(Ended /*ended*/) override {}

 protected:
  virtual void Tick(Process& /*process*/) {}

  World* world_ = nullptr;
  RunSize size_;
  int ticks_ = 0;

 private:
  class Ticker final : public Program {
   public:
    Ticker(Process& process, TickingScenario& scenario) : process_(process), scenario_(scenario) {
      Wait();
    }

   private:
    void Wait() {
      const Environment environment = process_.host.environment();
      environment.timers.RunAt(environment.clock.Now() + 10ms, [this] {
        ++scenario_.ticks_;
        scenario_.Tick(process_);
        Wait();
      });
    }
    Process& process_;
    TickingScenario& scenario_;
  };
};

class RealTimeScenario final : public TickingScenario {
  void Tick(Process& process) override {
    // What must not be: a wait that depends on the real clock.
    const auto real = RealClock::Instance().Now() % 1000;
    process.host.Post(world_->now() + real, "late", [] {});
  }
};
class LookingScenario final : public TickingScenario {
  void Tick(Process& process) override {
    if (ticks_ == 50) {
      while (process.host.environment().clock.Now() < kEndOfTime) {
      }
    }
  }
};
class SpinningScenario final : public TickingScenario {
  void Tick(Process& /*process*/) override {
    volatile bool forever = true;
    // A call that fails at once: the thread sanitizer looks for signals only in calls.
    while (forever) static_cast<void>(::read(-1, nullptr, 0));
  }
};
class AbortingScenario final : public TickingScenario {
  void Tick(Process& /*process*/) override { std::abort(); }
};
class EndlessScenario final : public TickingScenario {
  bool Done() const override { return false; }
};
class StuckScenario final : public TickingScenario {
  bool Concluded() const override { return false; }
  std::string Pending() const override { return "a miracle"; }
};
/// Fails only when the node was killed and there are at least three clients of five operations.
class PickyScenario final : public TickingScenario {
  void Judge(Ended /*ended*/) override {
    if (world_->FindMachine("node")->starts() > 1 && size_.clients >= 3 && size_.operations >= 5) {
      world_->Violate("three is a crowd");
    }
  }
};

template <typename T>
std::unique_ptr<Scenario> Make() {
  return std::make_unique<T>();
}

class RunTest : public testing::Test {
 protected:
  void SetUp() override {
    SetLogLevel(LogLevel::kOff);
    for (const auto& [name, make] :
         std::vector<std::pair<const char*, std::unique_ptr<Scenario> (*)()>>{
             {"ticking", Make<TickingScenario>},
             {"real-time", Make<RealTimeScenario>},
             {"looking", Make<LookingScenario>},
             {"spinning", Make<SpinningScenario>},
             {"aborting", Make<AbortingScenario>},
             {"endless", Make<EndlessScenario>},
             {"stuck", Make<StuckScenario>},
             {"picky", Make<PickyScenario>}}) {
      ASSERT_OK(table_.Add({name, "of a test", make}));
    }
  }
  void TearDown() override { SetLogLevel(LogLevel::kWarn); }

  static RunRequest Request(std::string scenario, std::uint64_t seed = 1) {
    RunRequest request;
    request.scenario = std::move(scenario);
    request.seed = seed;
    request.costs = fabric::CostModel::Tcp();
    return request;
  }
  std::string ViolationOf(const RunRequest& request) {
    const Result<RunReport> report = RunApart(table_, request);
    EXPECT_OK(report);
    return report.ok() && !report->ok() ? report->violations.front() : "none";
  }

  ScenarioTable table_;
};

TEST_F(RunTest, ScenariosHaveNamesOfTheirOwn) {
  EXPECT_CODE(table_.Add({"picky", "again", Make<PickyScenario>}), kAlreadyExists);
  EXPECT_CODE(table_.Add({"", "no name", Make<PickyScenario>}), kInvalidArgument);
  EXPECT_CODE(table_.Add({"Two Words", "", Make<PickyScenario>}), kInvalidArgument);
  EXPECT_CODE(table_.Find("pciky"), kNotFound);
  EXPECT_THAT(table_.Find("pciky").status().ToString(), HasSubstr("did you mean \"picky\"?"));
  EXPECT_CODE(simulation::Run(table_, Request("nothing")), kNotFound);
  EXPECT_CODE(RunApart(table_, Request("nothing")), kNotFound);
}

TEST_F(RunTest, APlanThatIsImpossibleIsRefused) {
  RunRequest request = Request("ticking");
  request.plan = *FaultPlan::Parse("at 1s kill nobody for 1s");
  EXPECT_CODE(simulation::Run(table_, request), kFailedPrecondition);
  EXPECT_CODE(RunApart(table_, request), kFailedPrecondition);
  EXPECT_CODE(RunSeeds(table_, request, {1, 10}, 1, [](const RunReport&) { return true; }),
              kFailedPrecondition);
}

TEST_F(RunTest, TheSameSeedGivesTheSameRun) {
  for (const char* scenario : {"echo", "store", "redis", "pools"}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      const auto difference = FindDifference(ScenarioTable::Builtin(), Request(scenario, seed));
      ASSERT_OK(difference);
      EXPECT_EQ(difference->value_or(""), "") << scenario << " " << seed;
      // In a child too.
      const auto here = simulation::Run(ScenarioTable::Builtin(), Request(scenario, seed));
      const auto apart = RunApart(ScenarioTable::Builtin(), Request(scenario, seed));
      ASSERT_OK(here);
      ASSERT_OK(apart);
      EXPECT_EQ(here->digest, apart->digest);
      EXPECT_EQ(here->events, apart->events);
    }
    EXPECT_NE(simulation::Run(ScenarioTable::Builtin(), Request(scenario, 1))->digest,
              simulation::Run(ScenarioTable::Builtin(), Request(scenario, 2))->digest);
  }
}

TEST_F(RunTest, RealTimeIsCaught) {
  const auto difference = FindDifference(table_, Request("real-time"));
  ASSERT_OK(difference);
  ASSERT_TRUE(difference->has_value());
  EXPECT_THAT(**difference, HasSubstr("of the journal was"));
  EXPECT_EQ(FindDifference(table_, Request("ticking"))->value_or(""), "");
}

TEST_F(RunTest, ANodeThatLooksAtTheClockForEverIsEndedWithItsStack) {
  const std::string violation = ViolationOf(Request("looking"));
  EXPECT_THAT(violation, HasSubstr("spins: 10000000 steps in one piece of work, here:"));
}

TEST_F(RunTest, ANodeThatSpinsIsEndedWithItsStack) {
  RunRequest request = Request("spinning");
  request.cpu_max = 1s;
  const std::string violation = ViolationOf(request);
  EXPECT_THAT(violation, HasSubstr("took more processor time than it may"));
  EXPECT_THAT(violation, HasSubstr("here:"));
}

TEST_F(RunTest, ARunThatCrashesIsAReport) {
  const Result<RunReport> report = RunApart(table_, Request("aborting"));
  ASSERT_OK(report);
  EXPECT_TRUE(report->crashed);
  EXPECT_THAT(report->violations.front(), HasSubstr("signal 6"));
}

TEST_F(RunTest, ARunThatDoesNotEndIsAReport) {
  RunRequest request = Request("endless");
  EXPECT_THAT(ViolationOf(request), HasSubstr("the clients' work did not come to an end"));
  request.steps_max = 1000;
  EXPECT_THAT(ViolationOf(request), HasSubstr("1000 events were not enough"));
  EXPECT_THAT(ViolationOf(Request("stuck")), HasSubstr("a miracle"));
}

TEST_F(RunTest, StopsAfterTheStepsItIsGiven) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    RunRequest request = Request("store", seed);
    request.steps = 300;
    const auto report = simulation::Run(ScenarioTable::Builtin(), request);
    ASSERT_OK(report);
    EXPECT_EQ(report->events, 300U);
    EXPECT_TRUE(report->ok()) << seed;
  }
}

TEST_F(RunTest, ShrinksToWhatMatters) {
  RunRequest request = Request("picky");
  request.plan = *FaultPlan::Parse(
      "at 10ms pause node for 1ms\nat 20ms cut node to other for 5ms\nat 100ms kill node for 5ms\n"
      "at 150ms break other\nat 200ms kill node for 5ms\nat 250ms slow node by 2 for 5ms\n");
  const Result<RunReport> failed = RunApart(table_, request);
  ASSERT_OK(failed);
  ASSERT_FALSE(failed->ok());
  const Result<Shrunk> shrunk = Shrink(table_, request, *failed, 200);
  ASSERT_OK(shrunk);
  ASSERT_EQ(shrunk->request.plan->faults().size(), 1U);
  EXPECT_EQ(shrunk->request.plan->faults().front().kind, Fault::Kind::kKill);
  EXPECT_EQ(shrunk->request.clients, 3U);
  EXPECT_EQ(shrunk->request.operations, 5U);
  EXPECT_EQ(shrunk->report.violations, failed->violations);
  // It is a run like any other.
  const Result<RunReport> again = RunApart(table_, shrunk->request);
  ASSERT_OK(again);
  EXPECT_EQ(again->digest, shrunk->report.digest);
}

TEST_F(RunTest, ACrashShrinksToo) {
  const Result<RunReport> failed = RunApart(table_, Request("aborting"));
  ASSERT_OK(failed);
  const Result<Shrunk> shrunk = Shrink(table_, Request("aborting"), *failed, 100);
  ASSERT_OK(shrunk);
  EXPECT_TRUE(shrunk->request.plan->faults().empty());
  EXPECT_EQ(shrunk->request.clients, 1U);
  EXPECT_TRUE(shrunk->report.crashed);
}

TEST_F(RunTest, ReportsSurviveTheWayBetweenProcesses) {
  RunReport report;
  report.seed = 7;
  report.violations = {"one: two", "", "three\n4:five"};
  report.digest = UINT64_MAX;
  report.size = {.clients = 1, .operations = 2, .faults = 3, .length = 4s};
  report.plan = *FaultPlan::Parse("at 1s break node");
  report.history = "12:34";
  const std::string text = report.Encode();
  const Result<RunReport> decoded = RunReport::Decode(text);
  ASSERT_OK(decoded);
  EXPECT_EQ(decoded->violations, report.violations);
  EXPECT_EQ(decoded->digest, report.digest);
  EXPECT_EQ(decoded->size, report.size);
  EXPECT_EQ(decoded->plan.faults(), report.plan.faults());
  EXPECT_EQ(decoded->history, report.history);
  for (std::size_t bytes = 0; bytes < text.size(); ++bytes) {
    EXPECT_FALSE(RunReport::Decode(text.substr(0, bytes)).ok()) << bytes;
  }
}

/// How many seeds of each scenario are run: few with sanitizers, and more when asked.
std::uint64_t Seeds() {
  const char* const asked = std::getenv("CIREIN_SIMULATE_SEEDS");
  return asked != nullptr ? std::strtoull(asked, nullptr, 10) : CIREIN_SIMULATE_SEEDS;
}

class SeedsTest : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Scenarios, SeedsTest, testing::Values("echo", "store", "redis", "pools"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(SeedsTest, AllPromisesHold) {
  SetLogLevel(LogLevel::kOff);
  RunRequest request;
  request.scenario = GetParam();
  request.costs = fabric::CostModel::Tcp();
  std::uint64_t runs = 0;
  ASSERT_OK(
      RunSeeds(ScenarioTable::Builtin(), request, {1, Seeds()}, 2, [&](const RunReport& report) {
        ++runs;
        request.seed = report.seed;
        if (report.ok()) return true;
        ADD_FAILURE() << CommandFor(request) << "\n" << report.violations.front();
        return false;
      }));
  EXPECT_EQ(runs, Seeds());
}

}  // namespace
}  // namespace cirein::simulation
