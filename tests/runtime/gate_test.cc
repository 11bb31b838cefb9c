// SPDX-License-Identifier: Apache-2.0
#include "runtime/gate.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/real_clock.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;

TEST(Gate, LetsInUntilClosed) {
  Gate gate;
  {
    const Gate::Holder inside = gate.TryEnter();
    EXPECT_TRUE(inside);
    EXPECT_EQ(gate.count(), 1U);
  }
  EXPECT_EQ(gate.count(), 0U);
  EXPECT_TRUE(gate.CloseAndWait());
  EXPECT_TRUE(gate.is_closed());
  EXPECT_FALSE(gate.TryEnter());
}

TEST(Gate, TellsEachWhoClosesWhenTheLastHasLeft) {
  Gate gate;
  int told = 0;
  Gate::Holder first = gate.TryEnter();
  Gate::Holder second = gate.TryEnter();
  gate.Close([&told] { ++told; });
  gate.Close([&told] { ++told; });
  first.Leave();
  first.Leave();  // Leaving twice is leaving once.
  EXPECT_EQ(told, 0);
  second.Leave();
  EXPECT_EQ(told, 2);
  gate.Close([&told] { ++told; });
  EXPECT_EQ(told, 3);
}

TEST(Gate, HoldersMove) {
  Gate gate;
  Gate::Holder a = gate.TryEnter();
  Gate::Holder b = std::move(a);
  EXPECT_FALSE(a);  // NOLINT(bugprone-use-after-move): that is the promise.
  EXPECT_TRUE(b);
  b = gate.TryEnter();
  EXPECT_EQ(gate.count(), 1U);
}

TEST(Gate, WaitingEndsWhenTimeIsUp) {
  Gate gate;
  Gate::Holder inside = gate.TryEnter();
  EXPECT_FALSE(gate.CloseAndWait(RealClock::MonotonicNow() + 1ms));
  inside.Leave();
  EXPECT_TRUE(gate.CloseAndWait());
}

// Visitors come and go while somebody closes, and destroys the gate as soon as it may.
TEST(Gate, MayBeDestroyedOnceAllHaveLeft) {
  for (int round = 0; round < 200; ++round) {
    auto gate = std::make_unique<Gate>();
    std::atomic<int> inside{0};
    std::atomic<int> running{0};
    std::vector<std::thread> visitors;
    for (int i = 0; i < 3; ++i) {
      // Each visitor holds the door open for itself, so that the gate is there to be asked.
      visitors.emplace_back([&, held = gate->TryEnter()]() mutable {
        ++running;
        for (;;) {
          Gate::Holder next = gate->TryEnter();
          if (!next) break;
          ++inside;
          std::this_thread::yield();
          --inside;
        }
        held.Leave();
      });
    }
    while (running < 3) std::this_thread::yield();
    EXPECT_TRUE(gate->CloseAndWait(RealClock::MonotonicNow() + 60s));
    EXPECT_EQ(inside, 0);
    gate.reset();
    for (auto& visitor : visitors) visitor.join();
  }
}

}  // namespace
}  // namespace cirein
