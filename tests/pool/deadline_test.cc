// SPDX-License-Identifier: Apache-2.0

// Waits that end by themselves, and everything that can end one at the same moment.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "base/random.h"
#include "runtime/real_clock.h"
#include "runtime/thread_group.h"
#include "support/forwarding_pool.h"
#include "support/library_test.h"
#include "support/objects.h"
#include "support/seed.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::MakeObject;

class DeadlineTest : public test::LibraryTest {
 protected:
  DeadlineTest() : LibraryTest({{"default.deadline", "5ms"}}) {}
};

/// Counts how one wait was answered.
struct Answers {
  std::atomic<int> ok{0};
  std::atomic<int> late{0};
  std::atomic<int> cancelled{0};
  std::atomic<int> other{0};

  int total() const { return ok + late + cancelled + other; }
  void Add(StatusCode code) {
    auto& count = code == StatusCode::kOk                 ? ok
                  : code == StatusCode::kDeadlineExceeded ? late
                  : code == StatusCode::kCancelled        ? cancelled
                                                          : other;
    ++count;
  }
  WantCallback Callback() {
    return [this](const Result<NamedObject>& found) { Add(found.code()); };
  }
};

TEST_F(DeadlineTest, NoTimeMeansNoWaiting) {
  Pool pool = Open();
  for (const auto deadline : {0ns, -1ns, std::chrono::nanoseconds::min(), 1ns, 100ns}) {
    EXPECT_CODE(pool.Need(Key("none"), {.deadline = deadline}), kDeadlineExceeded);
    Answers answers;
    pool.Want(Key("none"), answers.Callback(), {.deadline = deadline});
    EXPECT_TRUE(test::Eventually([&] { return answers.total() == 1; }));
    EXPECT_EQ(answers.late, 1);
  }
  ASSERT_OK(pool.Publish(Key("row"), MakeObject("x")));
  EXPECT_OK(pool.Need(Key("row"), {.deadline = 0ns})) << "what is there needs no time";
}

TEST_F(DeadlineTest, SaysWhatWasWaitedFor) {
  Pool pool = Open();
  const Status late = pool.Need(Key("run", "42"), {.deadline = 1ms}).status();
  EXPECT_CODE(late, kDeadlineExceeded);
  EXPECT_NE(late.message().find("need \"run|42\""), std::string::npos) << late.ToString();
}

TEST_F(DeadlineTest, TheDefaultIsTheConfiguredOne) {
  Pool pool = Open();
  const TimePoint start = RealClock::Instance().Now();
  EXPECT_CODE(pool.Need(Key("none")), kDeadlineExceeded);
  const auto took = RealClock::Instance().Now() - start;
  EXPECT_GE(took, 5ms);
  EXPECT_LT(took, test::kPatience);
  Answers answers;
  pool.Want(Key("none"), answers.Callback());
  EXPECT_TRUE(test::Eventually([&] { return answers.late == 1; }));
}

TEST_F(DeadlineTest, WithoutDeadlineWaitsUntilItIsThere) {
  Pool pool = Open();
  ASSERT_OK(RunThreads(2, "need", [&](std::size_t index) -> Status {
    if (index == 0) {
      const Result<DataObject> object = pool.Need(Key("row"), {.deadline = kNoDeadline});
      return object.status();
    }
    // Ten default deadlines later.
    for (int i = 0; i < 10; ++i) EXPECT_CODE(pool.Need(Key("none")), kDeadlineExceeded);
    return pool.Publish(Key("row"), MakeObject("x")).status();
  }));
}

TEST_F(DeadlineTest, AForgottenWaitLeavesNothingBehind) {
  Pool pool = Open();
  for (int i = 0; i < 100; ++i) {
    EXPECT_CODE(pool.Need(Key("row"), {.deadline = 0ns}), kDeadlineExceeded);
  }
  const Status missing = pool.Info(Key("row")).status();
  EXPECT_EQ(missing.message().find("wait"), std::string::npos) << missing.ToString();
}

TEST_F(DeadlineTest, HundredThreadsWaitForOneKey) {
  Pool pool = Open();
  std::atomic<int> waiting{0};
  std::atomic<int> got{0};
  ASSERT_OK(RunThreads(101, "need", [&](std::size_t index) -> Status {
    if (index == 0) {
      test::Eventually([&] {
        return waiting == 100 &&
               MetricsText().find("cirein_store_waiters 100\n") != std::string::npos;
      });
      return pool.Publish(Key("row"), MakeObject("for all")).status();
    }
    ++waiting;
    CIREIN_ASSIGN_OR_RETURN(const DataObject object,
                            pool.Need(Key("row"), {.deadline = test::kPatience}));
    got += object.text() == "for all" ? 1 : 0;
    return OkStatus();
  }));
  EXPECT_EQ(got, 100);
}

TEST_F(DeadlineTest, ManyDeadlinesEndEachOnItsOwn) {
  Random random(test::Seed());
  Pool pool = Open();
  constexpr int kWants = 2000;
  Answers answers;
  int kept = 0;
  for (int i = 0; i < kWants; ++i) {
    const bool keep = random.OneIn(4);
    kept += keep ? 1 : 0;
    pool.Want(Key("row", std::to_string(i)), answers.Callback(),
              {.deadline =
                   keep ? kNoDeadline : Deadline(std::chrono::microseconds(random.Below(20'000)))});
  }
  EXPECT_TRUE(test::Eventually([&] { return answers.late == kWants - kept; }));
  for (int i = 0; i < kWants; ++i) {
    ASSERT_OK(pool.Publish(Key("row", std::to_string(i)), MakeObject("")));
  }
  EXPECT_TRUE(test::Eventually([&] { return answers.total() == kWants; }));
  EXPECT_EQ(answers.ok, kept);
}

// Publish, cancel and deadline of the same waits at the same moment: each is answered once, and
// what Cancel says is what the callback gets.
class WaitRaceTest : public test::LibraryTest, public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Pools, WaitRaceTest,
                         testing::Values("local:/race", "forward:/race&next_pool=local:/race"),
                         [](const auto& each) { return each.index == 0 ? "local" : "forward"; });

TEST_P(WaitRaceTest, EachWaitIsAnsweredOnce) {
  test::RegisterForwardingPool();
  const std::uint64_t seed = test::Seed();
  Pool pool = Open(GetParam());
  constexpr int kRounds = 150;
  constexpr std::size_t kWants = 12;
  for (int round = 0; round < kRounds; ++round) {
    const std::string row = "row" + std::to_string(round);
    std::vector<Answers> answers(kWants);
    std::vector<Operation> wants;
    Random random(seed + static_cast<std::uint64_t>(round));
    for (std::size_t i = 0; i < kWants; ++i) {
      const Pattern pattern = i % 3 == 0   ? Pattern(Key(row, "c"))
                              : i % 3 == 1 ? Pattern::Row(row)
                                           : Pattern::RowPrefix(row);
      wants.push_back(pool.Want(pattern, answers[i].Callback(),
                                {.deadline = std::chrono::microseconds(random.Below(300))}));
    }
    std::vector<bool> cancelled(kWants);
    ASSERT_OK(RunThreads(2, "race", [&](std::size_t index) -> Status {
      if (index == 0) return pool.Publish(Key(row, "c"), MakeObject("")).status();
      for (std::size_t i = 0; i < kWants; i += 2) cancelled[i] = wants[i].Cancel();
      return OkStatus();
    }));
    for (std::size_t i = 0; i < kWants; ++i) {
      ASSERT_TRUE(test::Eventually([&] { return answers[i].total() > 0; })) << "forgotten";
      ASSERT_TRUE(wants[i].done());
      ASSERT_EQ(answers[i].cancelled, cancelled[i] ? 1 : 0);
      ASSERT_EQ(answers[i].other, 0);
    }
    // Nothing comes later: the key is there, and one more wait goes the whole way.
    ASSERT_OK(pool.Need(Key(row, "c"), {.deadline = test::kPatience}));
    for (const Answers& each : answers) ASSERT_EQ(each.total(), 1);
  }
}

TEST_P(WaitRaceTest, NeedIsAnsweredOrLate) {
  test::RegisterForwardingPool();
  const std::uint64_t seed = test::Seed();
  Pool pool = Open(GetParam());
  constexpr int kRounds = 300;
  for (int round = 0; round < kRounds; ++round) {
    const Key key("row" + std::to_string(round));
    ASSERT_OK(RunThreads(3, "race", [&](std::size_t index) -> Status {
      Random random(seed + static_cast<std::uint64_t>(round) * 3 + index);
      if (index == 0) return pool.Publish(key, MakeObject("x")).status();
      const Result<DataObject> object =
          pool.Need(key, {.deadline = std::chrono::microseconds(random.Below(200))});
      if (object.code() == StatusCode::kDeadlineExceeded) return OkStatus();
      if (object.ok() && object->text() != "x") return Internal("wrong bytes");
      return object.status();
    }));
  }
}

TEST_F(DeadlineTest, HundredThousandWantsOnOneKeyAndOnAsMany) {
  constexpr int kWants = 100'000;
  Pool pool = Open();
  for (const bool one_key : {true, false}) {
    const auto key = [one_key](int i) {
      return one_key ? Key("one") : Key("many", std::to_string(i));
    };
    std::vector<std::atomic<std::uint8_t>> answers(kWants);
    test::Countdown countdown(kWants);
    for (int i = 0; i < kWants; ++i) {
      pool.Want(key(i),
                [&, i](const Result<NamedObject>& found) {
                  answers[static_cast<std::size_t>(i)] += found.ok() ? 1 : 100;
                  countdown.CountDown();
                },
                {.deadline = kNoDeadline});
    }
    EXPECT_EQ(countdown.left(), kWants);
    for (int i = 0; i < (one_key ? 1 : kWants); ++i) {
      ASSERT_OK(pool.Publish(key(i), MakeObject("x")));
    }
    ASSERT_TRUE(countdown.Wait());
    int once = 0;
    for (const auto& count : answers) once += count == 1 ? 1 : 0;
    EXPECT_EQ(once, kWants);
  }
}

}  // namespace
}  // namespace cirein
