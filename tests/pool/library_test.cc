// SPDX-License-Identifier: Apache-2.0
#include "cirein/library.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "base/logging.h"
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
using test::TestConfig;

class LibraryStartTest : public testing::Test {
 protected:
  ~LibraryStartTest() override { EXPECT_EQ(UserCount(), 0); }
};

TEST_F(LibraryStartTest, IsCounted) {
  EXPECT_EQ(UserCount(), 0);
  ASSERT_OK(Start());
  ASSERT_OK(Start());
  EXPECT_EQ(UserCount(), 2);
  Pool pool = Connect("local:").value();
  Finish();
  EXPECT_EQ(UserCount(), 1);
  EXPECT_OK(pool.Publish(Key("row"), MakeObject("x"))) << "another user is left";
  Finish();
  EXPECT_EQ(UserCount(), 0);
  EXPECT_CODE(pool.Publish(Key("row"), MakeObject("x")), kUnavailable);
  Finish();
  EXPECT_EQ(UserCount(), 0) << "one Finish too many does nothing";
}

TEST_F(LibraryStartTest, ThePoolIsEmptyAfterAnotherStart) {
  Pool old;
  {
    const Library library;
    ASSERT_OK(library.status());
    old = Connect("local:").value();
    ASSERT_OK(old.Publish(Key("row"), MakeObject("x")));
  }
  const Library library;
  Pool pool = Connect("local:").value();
  EXPECT_CODE(pool.Info(Key("row")), kNotFound);
  EXPECT_CODE(old.Info(Key("row")), kUnavailable) << "an old handle stays dead";
  EXPECT_FALSE(old == pool);
}

TEST_F(LibraryStartTest, TheFirstConfigurationCounts) {
  const Library first(TestConfig({{"default.deadline", "7ms"}}));
  ASSERT_OK(first.status());
  {
    LogCapture log(LogLevel::kWarn);
    const Library same(TestConfig({{"default.deadline", "7ms"}}));
    EXPECT_TRUE(log.records().empty());
    const Library other(TestConfig({{"default.deadline", "9ms"}}));
    EXPECT_OK(other.status());
    EXPECT_TRUE(log.Contains("another configuration"));
  }
  EXPECT_EQ(CurrentConfig().GetDuration("default.deadline"), 7ms);
}

TEST_F(LibraryStartTest, RefusesSettingsThatContradictEachOther) {
  EXPECT_CODE(Start(TestConfig({{"compute.threads", "9"}, {"compute.threads_max", "8"}})),
              kInvalidArgument);
  EXPECT_CODE(Start(TestConfig({{"runtime.callback_threads", "17"}})), kInvalidArgument);
  EXPECT_EQ(UserCount(), 0);
}

TEST_F(LibraryStartTest, NothingWorksBeforeIt) {
  EXPECT_CODE(Connect("local:"), kFailedPrecondition);
  EXPECT_EQ(CurrentConfig().GetDuration("default.deadline"),
            Config().GetDuration("default.deadline"));
}

TEST_F(LibraryStartTest, GivesBackEverything) {
  { const Library warm_up; }
  const std::size_t threads = test::ThreadCount();
  const std::size_t files = test::FileDescriptorCount();
  for (int i = 0; i < 20; ++i) {
    const Library library;
    Pool pool = Connect("local:").value();
    ASSERT_OK(pool.Publish(Key("row"), MakeObject("x")));
    ASSERT_OK(pool.Compute(Key("row"), "count"));
  }
  EXPECT_TRUE(test::Eventually([&] { return test::ThreadCount() <= threads; }));
  EXPECT_LE(test::FileDescriptorCount(), files);
}

TEST_F(LibraryStartTest, LetsGoOfObjects) {
  std::string bytes = "mine";
  std::atomic<int> released{0};
  {
    const Library library;
    Pool pool = Connect("local:").value();
    ASSERT_OK(pool.Publish(
        Key("row"),
        DataObject::Wrap(std::as_writable_bytes(std::span(bytes)), [&] { ++released; }).value()));
    EXPECT_EQ(released, 0);
  }
  EXPECT_EQ(released, 1);
}

class LibraryFinishTest : public test::LibraryTest {};

TEST_F(LibraryFinishTest, EveryCallIsUnavailableAfterwards) {
  Pool pool = Open();
  FinishNow();
  EXPECT_CODE(pool.Publish(Key("row"), MakeObject("x")), kUnavailable);
  EXPECT_CODE(pool.Need(Key("row"), {.deadline = kNoDeadline}), kUnavailable);
  EXPECT_CODE(pool.Drop(Key("row")), kUnavailable);
  EXPECT_CODE(pool.Info(Key("row")), kUnavailable);
  EXPECT_CODE(pool.RowInfo(Key("row")), kUnavailable);
  EXPECT_CODE(pool.List(Pattern::RowPrefix("")), kUnavailable);
  EXPECT_CODE(pool.Compute(Key("row"), "count"), kUnavailable);
  EXPECT_CODE(pool.NeedAll(std::vector{Key("row")})[0], kUnavailable);
  int answers = 0;
  EXPECT_TRUE(pool.Want(Key("row"),
                        [&](const Result<NamedObject>& found) {
                          EXPECT_CODE(found, kUnavailable);
                          ++answers;
                        })
                  .done());
  EXPECT_EQ(answers, 1);
  ResultCollector collector;
  pool.Want(Key("row"), collector);
  ASSERT_OK(collector.Wait());
  EXPECT_CODE(collector.results()[0].status, kUnavailable);
  EXPECT_CODE(Connect("local:"), kFailedPrecondition);
  EXPECT_EQ(pool.type(), "local") << "the handle still tells what it was";
  pool = Pool();
}

TEST_F(LibraryFinishTest, AnswersAllWhoWaitOnce) {
  test::RegisterForwardingPool();
  constexpr std::size_t kNeeds = 20;
  std::atomic<int> wants{0};
  std::atomic<int> needs{0};
  std::atomic<std::size_t> started{0};
  std::atomic<int> wrong{0};
  std::vector<Pool> pools = {Open(), Open("forward:/f&next_pool=local:")};
  for (Pool& pool : pools) {
    for (int i = 0; i < 300; ++i) {
      const Pattern pattern = i % 3 == 0   ? Pattern::RowPrefix("never")
                              : i % 3 == 1 ? Pattern::Row("never")
                                           : Pattern(Key("never"));
      pool.Want(pattern,
                [&](const Result<NamedObject>& found) {
                  ++wants;
                  if (found.code() != StatusCode::kUnavailable) ++wrong;
                },
                {.deadline = kNoDeadline});
    }
  }
  ASSERT_OK(RunThreads(kNeeds + 1, "need", [&](std::size_t index) {
    if (index == kNeeds) {
      test::Eventually([&] { return started == kNeeds; });
      FinishNow();
      return OkStatus();
    }
    ++started;
    // Either it waits by now, or it comes too late; the answer is the same.
    if (pools[index % 2].Need(Key("never"), {.deadline = kNoDeadline}).code() ==
        StatusCode::kUnavailable) {
      ++needs;
    }
    return OkStatus();
  }));
  EXPECT_EQ(wants, 600);
  EXPECT_EQ(needs, static_cast<int>(kNeeds));
  EXPECT_EQ(wrong, 0);
  pools.clear();
}

// The library ends at a random moment of a random load: every call returns, every callback is
// called once, nothing is left.
TEST(LibraryShutdown, AtAnyMomentLosesNothing) {
  test::RegisterForwardingPool();
  const std::uint64_t seed = test::Seed();
  constexpr int kRounds = 200;
  constexpr std::size_t kThreads = 3;
  for (int round = 0; round < kRounds; ++round) {
    ASSERT_OK(Start(TestConfig()));
    std::atomic<std::uint64_t> asked{0};
    std::atomic<std::uint64_t> answered{0};
    std::atomic<std::uint64_t> progress{0};
    const std::string_view url = round % 3 == 0 ? "forward:/f&next_pool=local:" : "local:";
    ASSERT_OK(RunThreads(kThreads + 1, "load", [&](std::size_t index) -> Status {
      Random random(seed + static_cast<std::uint64_t>(round) * (kThreads + 1) + index);
      if (index == kThreads) {
        const std::uint64_t moment = random.Below(200);
        test::Eventually([&] { return progress >= moment; });
        Finish();
        return OkStatus();
      }
      Result<Pool> connected = Connect(url);
      progress += 1000 * (connected.ok() ? 0 : 1);
      if (!connected.ok()) return OkStatus();  // It ended before this thread began.
      Pool pool = *connected;
      const auto count = [&](const auto& /*result*/) { ++answered; };
      Status status;
      for (int i = 0; status.code() != StatusCode::kUnavailable; ++i) {
        ++progress;
        const Key key(std::to_string(random.Below(10)), std::to_string(random.Below(10)));
        switch (random.Below(7)) {
          case 0:
            ++asked;
            pool.Want(Pattern::Row(key.row()), count);
            break;
          case 1:
            ++asked;
            pool.Want(Pattern::RowPrefix(key.row()), count, {.deadline = 1ms});
            break;
          case 2:
            ++asked;
            pool.Publish(key, MakeObject("x"), count);
            break;
          case 3:
            status = pool.Need(key, {.deadline = 1ms}).status();
            break;
          case 4:
            ++asked;
            pool.Compute(Pattern::Row(key.row()), "count", "", count);
            break;
          case 5:
            status = pool.Drop(Pattern::Row(key.row())).status();
            break;
          default:
            status = pool.Publish(key, MakeObject("x")).status();
        }
      }
      return OkStatus();
    }));
    ASSERT_TRUE(test::Eventually([&] { return answered == asked; })) << "an answer was lost";
    ASSERT_EQ(UserCount(), 0);
  }
}

TEST(LibraryShutdown, StartsAndFinishesMayOverlap) {
  ASSERT_OK(RunThreads(4, "users", [&](std::size_t index) -> Status {
    for (int i = 0; i < 30; ++i) {
      const Library library;
      CIREIN_RETURN_IF_ERROR(library.status());
      CIREIN_ASSIGN_OR_RETURN(Pool pool, Connect("local:"));
      const Key key("row", std::to_string(index) + "." + std::to_string(i));
      CIREIN_RETURN_IF_ERROR(pool.Publish(key, MakeObject("x")).status());
      CIREIN_RETURN_IF_ERROR(pool.Need(key).status());
    }
    return OkStatus();
  }));
  EXPECT_EQ(UserCount(), 0);
}

}  // namespace
}  // namespace cirein
