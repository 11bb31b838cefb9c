// SPDX-License-Identifier: Apache-2.0
#include "runtime/reactor.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/logging.h"
#include "runtime/file_descriptor.h"
#include "runtime/notification.h"
#include "runtime/real_clock.h"
#include "runtime/thread.h"
#include "runtime/virtual_clock.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<Reactor> Make(Clock& clock, ReactorOptions options = {}) {
  auto reactor = Reactor::Create(clock, std::move(options));
  EXPECT_TRUE(reactor.ok()) << reactor.status().ToString();
  return std::move(*reactor);
}

struct SocketPair {
  SocketPair() {
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours = FileDescriptor(ends[0]);
    theirs = FileDescriptor(ends[1]);
  }
  FileDescriptor ours;
  FileDescriptor theirs;
};

TEST(Reactor, RunsPostsInOrder) {
  VirtualClock clock;
  const auto reactor = Make(clock);
  std::vector<int> ran;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(reactor->Post([&ran, i] { ran.push_back(i); }).ok());
  EXPECT_GT(reactor->RunUntilIdle(), 0U);
  ASSERT_EQ(ran.size(), 1000U);
  EXPECT_TRUE(std::is_sorted(ran.begin(), ran.end()));
  EXPECT_EQ(reactor->Stats().posts_run, 1000U);
  EXPECT_FALSE(reactor->RunOnce());
}

TEST(Reactor, RefusesPostsBeyondItsBound) {
  VirtualClock clock;
  const auto reactor = Make(clock, {.name = "tiny", .queue_max = 4});
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(reactor->Post([] {}).ok());
  const Status full = reactor->Post([] { FAIL(); });
  EXPECT_EQ(full.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(full.message().find("'tiny'"), std::string_view::npos);
  reactor->RunUntilIdle();
  EXPECT_TRUE(reactor->Post([] {}).ok());
}

TEST(Reactor, RunsTimersInVirtualTime) {
  VirtualClock clock;
  const auto reactor = Make(clock);
  std::vector<int> ran;
  reactor->RunAt(clock.Now() + 2h, [&] { ran.push_back(2); });
  reactor->RunAt(clock.Now() + 1h, [&] {
    ran.push_back(1);
    // Due at once, but never inside the call.
    reactor->RunAt(TimePoint::zero(), [&] { ran.push_back(11); });
    ran.push_back(10);
  });
  EXPECT_EQ(reactor->RunUntilIdle(), 0U);
  while (reactor->NextTimer() != kEndOfTime) {
    clock.AdvanceTo(reactor->NextTimer());
    reactor->RunUntilIdle();
  }
  EXPECT_EQ(ran, (std::vector{1, 10, 11, 2}));
  EXPECT_EQ(clock.Now(), VirtualClock::kStart + 2h);
}

TEST(Reactor, CancelledTimersDoNotRunAndFreeTheirWork) {
  VirtualClock clock;
  const auto reactor = Make(clock);
  auto held = std::make_shared<int>(1);
  const auto id = reactor->RunAt(clock.Now(), [held] { FAIL(); });
  EXPECT_TRUE(reactor->CancelTimer(id));
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_FALSE(reactor->CancelTimer(id));
  TimerService::TimerId self = 0;
  bool cancelled_itself = true;
  self = reactor->RunAt(clock.Now(), [&] { cancelled_itself = reactor->CancelTimer(self); });
  reactor->RunUntilIdle();
  EXPECT_FALSE(cancelled_itself);
}

TEST(Reactor, TimersThatStartEachOtherDoNotStarvePosts) {
  VirtualClock clock;
  const auto reactor = Make(clock);
  bool posted = false;
  std::function<void()> again = [&] {
    if (!posted) reactor->RunAt(TimePoint::zero(), again);
  };
  again();
  ASSERT_TRUE(reactor->RunOnce());
  ASSERT_TRUE(reactor->Post([&] { posted = true; }).ok());
  reactor->RunUntilIdle();
  EXPECT_TRUE(posted);
}

TEST(Reactor, SurvivesExceptionsFromAllKindsOfWork) {
  const LogCapture log;
  VirtualClock clock;
  const auto reactor = Make(clock);
  SocketPair pair;
  const auto bang = [] { throw std::runtime_error("bang"); };
  ASSERT_TRUE(reactor->Post(bang).ok());
  reactor->RunAt(clock.Now(), bang);
  const auto poller = reactor->AddPoller([&]() -> bool {
    bang();
    return true;
  });
  ASSERT_TRUE(reactor
                  ->Watch(pair.ours.get(), FdInterest::kWritable,
                          [&](FdReadiness) {
                            EXPECT_TRUE(reactor->Unwatch(pair.ours.get()).ok());
                            bang();
                          })
                  .ok());
  reactor->RunOnce();
  reactor->RunOnce();
  reactor->RemovePoller(poller);
  reactor->RunUntilIdle();
  EXPECT_EQ(reactor->Stats().failed, 5U);  // The poller was asked twice.
  EXPECT_TRUE(log.Contains("bang"));
}

TEST(Reactor, PollersMayAddAndRemovePollers) {
  VirtualClock clock;
  const auto reactor = Make(clock);
  int asked = 0;
  Reactor::PollerId second = 0;
  Reactor::PollerId first = 0;
  first = reactor->AddPoller([&] {
    reactor->RemovePoller(first);
    second = reactor->AddPoller([&] { return ++asked < 3; });
    return true;
  });
  reactor->RunUntilIdle();
  EXPECT_EQ(asked, 3);
  reactor->RemovePoller(second);
  reactor->RunUntilIdle();
  EXPECT_EQ(asked, 3);
}

TEST(Reactor, WatchesDescriptors) {
  VirtualClock clock;
  const auto reactor = Make(clock);
  SocketPair pair;
  std::string received;
  bool hung_up = false;
  ASSERT_TRUE(reactor
                  ->Watch(pair.ours.get(), FdInterest::kReadable,
                          [&](FdReadiness ready) {
                            std::array<char, 16> buffer{};
                            EXPECT_TRUE(ready.readable);
                            const ssize_t n = read(pair.ours.get(), buffer.data(), buffer.size());
                            if (n > 0) received.append(buffer.data(), static_cast<std::size_t>(n));
                            if (n == 0) {
                              hung_up = true;
                              EXPECT_TRUE(reactor->Unwatch(pair.ours.get()).ok());
                            }
                          })
                  .ok());
  EXPECT_EQ(reactor->Watch(pair.ours.get(), FdInterest::kReadable, [](FdReadiness) {}).code(),
            StatusCode::kAlreadyExists);
  ASSERT_EQ(write(pair.theirs.get(), "hello", 5), 5);
  reactor->RunUntilIdle();
  EXPECT_EQ(received, "hello");
  pair.theirs.Close();
  reactor->RunUntilIdle();
  EXPECT_TRUE(hung_up);
  EXPECT_EQ(reactor->Unwatch(pair.ours.get()).code(), StatusCode::kNotFound);
  EXPECT_EQ(reactor->Watch(-1, FdInterest::kReadable, [](FdReadiness) {}).code(),
            StatusCode::kIoError);
}

TEST(Reactor, ForgetsReadinessOfADescriptorThatWasUnwatched) {
  VirtualClock clock;
  const auto reactor = Make(clock);
  SocketPair a;
  SocketPair b;
  int calls = 0;
  // Both are ready in one batch; the first to be called ends both watches.
  const auto end_both = [&](FdReadiness) {
    ++calls;
    EXPECT_TRUE(reactor->Unwatch(a.ours.get()).ok());
    EXPECT_TRUE(reactor->Unwatch(b.ours.get()).ok());
  };
  ASSERT_TRUE(reactor->Watch(a.ours.get(), FdInterest::kWritable, end_both).ok());
  ASSERT_TRUE(reactor->Watch(b.ours.get(), FdInterest::kReadableOrWritable, end_both).ok());
  reactor->RunUntilIdle();
  EXPECT_EQ(calls, 1);
}

// Is told of readiness, and may throw.
class CountingHandler final : public FdHandler {
 public:
  void OnReady(FdReadiness readiness) override {
    last = readiness;
    ++calls;
    if (then) then();
  }
  FdReadiness last;
  int calls = 0;
  std::function<void()> then;
};

TEST(Reactor, TellsHandlersWhatTheyWaitFor) {
  VirtualClock clock;
  const auto reactor = Make(clock);
  SocketPair pair;
  CountingHandler handler;
  EXPECT_EQ(reactor->SetInterest(pair.ours.get(), FdInterest::kReadable).code(),
            StatusCode::kNotFound);
  ASSERT_TRUE(reactor->Watch(pair.ours.get(), FdInterest::kNothing, handler).ok());
  ASSERT_EQ(write(pair.theirs.get(), "x", 1), 1);
  EXPECT_FALSE(reactor->RunOnce());
  ASSERT_TRUE(reactor->SetInterest(pair.ours.get(), FdInterest::kWritable).ok());
  EXPECT_TRUE(reactor->RunOnce());
  EXPECT_TRUE(handler.last.writable);
  EXPECT_FALSE(handler.last.readable);
  ASSERT_TRUE(reactor->SetInterest(pair.ours.get(), FdInterest::kReadable).ok());
  handler.then = [] { throw std::runtime_error("as a bug would"); };
  EXPECT_TRUE(reactor->RunOnce());
  EXPECT_TRUE(handler.last.readable);
  EXPECT_EQ(reactor->Stats().failed, 1U);
  handler.then = [&] { EXPECT_TRUE(reactor->Unwatch(pair.ours.get()).ok()); };
  EXPECT_TRUE(reactor->RunOnce());
  EXPECT_FALSE(reactor->RunOnce());
  EXPECT_EQ(handler.calls, 3);
  // The place of the watch is used again, and events of the one before are not its.
  CountingHandler other;
  ASSERT_TRUE(reactor->Watch(pair.ours.get(), FdInterest::kReadable, other).ok());
  EXPECT_TRUE(reactor->RunOnce());
  EXPECT_EQ(handler.calls, 3);
  EXPECT_EQ(other.calls, 1);
}

TEST(Reactor, UsesNoProcessorTimeWhileIdle) {
  const auto reactor = Make(RealClock::Instance());
  const TimePoint end = RealClock::MonotonicNow() + 200ms;
  TimePoint ran{};
  const std::function<void()> ring = [&] {
    ran = RealClock::MonotonicNow();
    // Where many want the core it may not have come to sleeping yet.
    const bool waits_more = reactor->Stats().sleeps == 0 && ran < end + 60s;
    if (!waits_more) return reactor->Stop();
    reactor->RunAt(ran + 200ms, ring);
  };
  reactor->RunAt(end, ring);
  const auto used_before = CurrentThreadCpuTime();
  reactor->Run();
  EXPECT_GE(ran, end);
  EXPECT_LT(CurrentThreadCpuTime() - used_before, 20ms);
  EXPECT_GE(reactor->Stats().sleeps, 1U);
}

TEST(Reactor, IsWokenByPostsTimersAndStop) {
  const auto reactor = Make(RealClock::Instance());
  std::thread loop([&] { reactor->Run(); });
  const TimePoint limit = RealClock::MonotonicNow() + 60s;
  for (int i = 0; i < 200; ++i) {
    Notification posted;
    Notification rang;
    const std::uint64_t sleeps = reactor->Stats().sleeps;
    ASSERT_TRUE(reactor->Post([&] { posted.Notify(); }).ok());
    ASSERT_TRUE(posted.WaitUntil(limit));
    reactor->RunAt(RealClock::MonotonicNow() + 10us, [&] { rang.Notify(); });
    ASSERT_TRUE(rang.WaitUntil(limit));
    // Every other time the loop is given the time to fall asleep: it was awake since.
    while (i % 2 == 0 && reactor->Stats().sleeps == sleeps) std::this_thread::yield();
  }
  reactor->Stop();
  loop.join();
}

TEST(Reactor, DoesNotBlockWhileAPollerHasSomething) {
  const auto reactor = Make(RealClock::Instance());
  int asked = 0;
  int left = 3;
  const auto id = reactor->AddPoller([] { return false; },
                                     [&] {
                                       ++asked;
                                       if (--left > 0) return false;
                                       reactor->Stop();
                                       return true;
                                     });
  EXPECT_EQ(reactor->Stats().sleeps, 0U);
  reactor->Run();
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(reactor->Stats().sleeps, 1U) << "twice it was told of work";
  reactor->RemovePoller(id);
  reactor->RunAt(RealClock::MonotonicNow() + 1ms, [&] { reactor->Stop(); });
  reactor->Run();
  EXPECT_EQ(asked, 3) << "it was removed";
}

// Whether pollers always have work or never: a descriptor and a timer that become ready at any of
// some consecutive rounds are served within a bounded number of rounds.
TEST(Reactor, ServesDescriptorsAndTimersWithinARoundsBoundWhilePollersLook) {
  constexpr int kRoundsMax = 16;
  for (const bool finds_work : {true, false}) {
    int longest = 0;
    for (int ready_at = 1; ready_at <= 2 * kRoundsMax; ++ready_at) {
      SCOPED_TRACE(ready_at);
      VirtualClock clock;
      const auto reactor = Make(clock);
      SocketPair pair;
      int rounds = 0;
      int served_after = -1;
      int rang_after = -1;
      reactor->AddPoller([&] {
        ++rounds;
        if (rounds == ready_at) {
          EXPECT_EQ(write(pair.theirs.get(), "x", 1), 1);
          reactor->RunAt(clock.Now(), [&] { rang_after = rounds - ready_at; });
        }
        if (rounds > ready_at + 2 * kRoundsMax) reactor->Stop();
        return finds_work;
      });
      ASSERT_TRUE(reactor
                      ->Watch(pair.ours.get(), FdInterest::kReadable,
                              [&](FdReadiness) {
                                served_after = rounds - ready_at;
                                EXPECT_TRUE(reactor->Unwatch(pair.ours.get()).ok());
                              })
                      .ok());
      reactor->Run();
      EXPECT_GE(served_after, 0);
      EXPECT_LE(served_after, kRoundsMax);
      EXPECT_GE(rang_after, 0);
      EXPECT_LE(rang_after, kRoundsMax);
      EXPECT_EQ(reactor->Stats().sleeps, 0U);
      longest = std::max(longest, served_after);
    }
    EXPECT_GT(longest, 1) << "descriptors were asked in each round: that is a system call";
  }
}

TEST(Reactor, DoesNotBlockOnADescriptorThatIsReady) {
  const auto reactor = Make(RealClock::Instance());
  SocketPair pair;
  // It is ready only when the pollers have been asked for the last time.
  reactor->AddPoller([] { return false; },
                     [&] {
                       EXPECT_EQ(write(pair.theirs.get(), "x", 1), 1);
                       return true;
                     });
  ASSERT_TRUE(
      reactor->Watch(pair.ours.get(), FdInterest::kReadable, [&](FdReadiness) { reactor->Stop(); })
          .ok());
  reactor->Run();
  EXPECT_EQ(reactor->Stats().sleeps, 1U);
}

TEST(Reactor, AnEarlierTimerWakesALoopThatSleepsForALaterOne) {
  const auto reactor = Make(RealClock::Instance());
  reactor->RunAt(RealClock::MonotonicNow() + 1h, [] { FAIL(); });
  std::thread loop([&] { reactor->Run(); });
  while (reactor->Stats().sleeps == 0) std::this_thread::yield();
  Notification rang;
  reactor->RunAt(RealClock::MonotonicNow() + 1ms, [&] { rang.Notify(); });
  EXPECT_TRUE(rang.WaitUntil(RealClock::MonotonicNow() + 60s));
  reactor->Stop();
  loop.join();
}

TEST(Reactor, StopBeforeRunCountsAndRunMayFollow) {
  VirtualClock clock;
  const auto reactor = Make(clock);
  bool ran = false;
  ASSERT_TRUE(reactor->Post([&] { ran = true; }).ok());
  reactor->Stop();
  reactor->Run();
  EXPECT_TRUE(ran);
  ASSERT_TRUE(reactor->Post([&] { reactor->Stop(); }).ok());
  reactor->Run();
}

TEST(Reactor, CloseDestroysWhatWaitsAndRefusesWhatComes) {
  VirtualClock clock;
  const auto reactor = Make(clock);
  SocketPair pair;
  auto held = std::make_shared<int>(1);
  ASSERT_TRUE(reactor->Post([held] { FAIL(); }).ok());
  reactor->RunAt(clock.Now(), [held] { FAIL(); });
  reactor->AddPoller([held] { return false; });
  ASSERT_TRUE(reactor->Watch(pair.ours.get(), FdInterest::kWritable, [held](FdReadiness) {}).ok());
  EXPECT_EQ(held.use_count(), 5);
  reactor->Close();
  reactor->Close();
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(reactor->Post([] { FAIL(); }).code(), StatusCode::kUnavailable);
  EXPECT_EQ(reactor->RunAt(clock.Now(), [] { FAIL(); }), 0U);
  EXPECT_FALSE(reactor->RunOnce());
}

// Producers post, set timers and cancel them while the loop comes to its end.
TEST(Reactor, ShutsDownAmidTraffic) {
  for (int round = 0; round < 20; ++round) {
    const auto reactor = Make(RealClock::Instance(), {.name = "busy", .queue_max = 64});
    std::thread loop([&] { reactor->Run(); });
    std::atomic<bool> over{false};
    std::atomic<int> accepted{0};
    std::atomic<int> ran{0};
    std::vector<std::thread> producers;
    for (int i = 0; i < 2; ++i) {
      producers.emplace_back([&] {
        while (!over) {
          if (reactor->Post([&ran] { ++ran; }).ok()) ++accepted;
          const auto id = reactor->RunAt(RealClock::MonotonicNow() + 50us, [&ran] { ++ran; });
          if (id != 0 && !reactor->CancelTimer(id)) ++accepted;
        }
      });
    }
    while (ran < round * 10) std::this_thread::yield();
    reactor->Stop();
    loop.join();
    reactor->Close();
    over = true;
    for (auto& producer : producers) producer.join();
    EXPECT_GE(ran, round * 10);
    EXPECT_GE(accepted, 0);
  }
}

}  // namespace
}  // namespace cirein
