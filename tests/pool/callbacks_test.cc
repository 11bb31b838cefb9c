// SPDX-License-Identifier: Apache-2.0

// What user callbacks may do, and where they run.

#include <atomic>
#include <chrono>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "base/logging.h"
#include "support/library_test.h"
#include "support/objects.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::MakeObject;

class CallbacksTest : public test::LibraryTest {
 protected:
  explicit CallbacksTest(const Settings& settings = {{"runtime.callback_threads", "1"},
                                                     {"runtime.callback_threads_max", "8"}})
      : LibraryTest(settings) {}
};

std::string ThreadName() {
  char name[32] = {};
  pthread_getname_np(pthread_self(), name, sizeof(name));
  return name;
}

TEST_F(CallbacksTest, RunOnCallbackThreads) {
  Pool pool = Open();
  test::Countdown all(5);
  std::atomic<int> elsewhere{0};
  const auto here = [&](const auto& /*result*/) {
    if (!ThreadName().starts_with("callback")) ++elsewhere;
    all.CountDown();
  };
  pool.Want(Key("row"), here);
  pool.Publish(Key("row"), MakeObject("x"), here);
  pool.Info(Key("row"), here);
  pool.Compute(Pattern::Row("row"), "count", "", here);
  EXPECT_TRUE(test::Eventually([&] { return all.left() == 1; }));
  pool.Drop(Key("row"), here);
  EXPECT_TRUE(all.Wait());
  EXPECT_EQ(elsewhere, 0);
}

TEST_F(CallbacksTest, OneThatThrowsHarmsNobody) {
  LogCapture log(LogLevel::kWarn);
  Pool pool = Open();
  pool.Want(Key("row"), [](const Result<NamedObject>&) { throw std::runtime_error("user bug 1"); });
  pool.Want(Key("row"), [](const Result<NamedObject>&) { throw 7; });
  Notification done;
  pool.Want(Key("row"), [&](const Result<NamedObject>&) { done.Notify(); });
  EXPECT_OK(pool.Publish(Key("row"), MakeObject("x")));
  EXPECT_TRUE(test::Await(done));
  EXPECT_TRUE(test::Eventually([&] { return log.Contains("user bug 1"); }));
}

TEST_F(CallbacksTest, OneThatBlocksDelaysOthersOnlyAWhile) {
  Pool pool = Open();
  Notification release;
  test::Countdown blocked(3);
  test::Countdown ended(3);
  for (int i = 0; i < 3; ++i) {
    pool.Want(Key("block"), [&](const Result<NamedObject>&) {
      blocked.CountDown();
      EXPECT_TRUE(test::Await(release));
      ended.CountDown();
    });
  }
  ASSERT_OK(pool.Publish(Key("block"), MakeObject("x")));
  EXPECT_TRUE(blocked.Wait()) << "all three run at once, although one thread is the rule";
  Notification done;
  pool.Want(Key("block"), [&](const Result<NamedObject>&) { done.Notify(); });
  EXPECT_TRUE(test::Await(done));
  release.Notify();
  EXPECT_TRUE(ended.Wait());
}

TEST_F(CallbacksTest, MayUseTheirOwnPool) {
  Pool pool = Open();
  Notification done;
  pool.Want(Key("row"), [&](const Result<NamedObject>& found) {
    ASSERT_OK(found);
    EXPECT_OK(pool.Info(Key("row")));
    EXPECT_EQ(pool.Drop(Key("row")).value(), 1U);
    EXPECT_OK(pool.Publish(Key("row"), MakeObject("again")));
    EXPECT_EQ(pool.Need(Key("row"))->text(), "again");
    EXPECT_EQ(pool.List(Pattern::Row("row"))->objects.size(), 1U);
    EXPECT_EQ(pool.Compute(Pattern::Row("row"), "count")->text(), "1");
    EXPECT_CODE(pool.Need(Key("none"), {.deadline = 1ms}), kDeadlineExceeded);
    EXPECT_OK(Connect("local:/from-callback"));
    done.Notify();
  });
  ASSERT_OK(pool.Publish(Key("row"), MakeObject("x")));
  EXPECT_TRUE(test::Await(done));
}

TEST_F(CallbacksTest, MayNeedWhatOtherCallbacksPublish) {
  Pool pool = Open();
  constexpr int kDepth = 6;
  test::Countdown done(kDepth);
  // Each waits, inside its callback, for what the next one publishes.
  for (int i = 0; i < kDepth; ++i) {
    pool.Want(Key("go"), [&, i](const Result<NamedObject>&) {
      if (i + 1 < kDepth) {
        EXPECT_OK(pool.Need(Key("step", std::to_string(i + 1)), {.deadline = test::kPatience}));
      }
      EXPECT_OK(pool.Publish(Key("step", std::to_string(i)), MakeObject("x")));
      done.CountDown();
    });
  }
  ASSERT_OK(pool.Publish(Key("go"), MakeObject("x")));
  EXPECT_TRUE(done.Wait());
  EXPECT_OK(pool.Info(Key("step", "0")));
}

TEST_F(CallbacksTest, MayNest) {
  Pool pool = Open();
  constexpr int kDepth = 200;
  Notification done;
  std::function<void(int)> dive = [&](int depth) {
    if (depth == kDepth) return done.Notify();
    const Key key("depth", std::to_string(depth));
    pool.Want(key, [&, depth](const Result<NamedObject>&) { dive(depth + 1); });
    pool.Publish(key, MakeObject("x"), PublishCallback());
  };
  dive(0);
  EXPECT_TRUE(test::Await(done));
}

TEST_F(CallbacksTest, MayCancelThemselvesAndOthers) {
  Pool pool = Open();
  Notification done;
  Operation other = pool.Want(Key("never"), [&](const Result<NamedObject>& found) {
    EXPECT_CODE(found, kCancelled);
    done.Notify();
  });
  Operation self;
  Notification ready;
  self = pool.Want(Key("row"), [&](const Result<NamedObject>&) {
    EXPECT_TRUE(test::Await(ready));
    EXPECT_FALSE(self.Cancel()) << "it is answered already";
    EXPECT_TRUE(other.Cancel());
  });
  ready.Notify();
  ASSERT_OK(pool.Publish(Key("row"), MakeObject("x")));
  EXPECT_TRUE(test::Await(done));
}

TEST_F(CallbacksTest, AreLetGoOnceTheyHaveRun) {
  Pool pool = Open();
  auto token = std::make_shared<int>();
  Operation want = pool.Want(Key("row"), [token](const Result<NamedObject>&) {});
  Operation given_up = pool.Want(Key("none"), [token](const Result<NamedObject>&) {});
  ASSERT_OK(pool.Publish(Key("row"), MakeObject("x")));
  given_up.Cancel();
  EXPECT_TRUE(test::Eventually([&] { return token.use_count() == 1; }))
      << "also while the handles are still held";
}

TEST_F(CallbacksTest, RunBeforeFinishReturns) {
  std::atomic<int> ran{0};
  {
    Pool pool = Open();
    for (int i = 0; i < 1000; ++i) {
      pool.Want(Key("row"), [&](const Result<NamedObject>&) { ++ran; });
    }
    ASSERT_OK(pool.Publish(Key("row"), MakeObject("x")));
  }
  FinishNow();
  EXPECT_EQ(ran, 1000);
}

TEST_F(CallbacksTest, ThatBlockInACallComeBackWhenTheLibraryFinishes) {
  Notification inside;
  std::atomic<StatusCode> code{StatusCode::kOk};
  {
    Pool pool = Open();
    pool.Want(Key("row"), [&, pool](const Result<NamedObject>&) mutable {
      inside.Notify();
      code = pool.Need(Key("never"), {.deadline = kNoDeadline}).code();
    });
    ASSERT_OK(pool.Publish(Key("row"), MakeObject("x")));
  }
  EXPECT_TRUE(test::Await(inside));
  FinishNow();
  EXPECT_EQ(code, StatusCode::kUnavailable);
}

}  // namespace
}  // namespace cirein
