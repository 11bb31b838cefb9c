// SPDX-License-Identifier: Apache-2.0
#include "runtime/thread.h"

#include <array>
#include <pthread.h>
#include <signal.h>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "base/logging.h"

namespace cirein {
namespace {

TEST(Thread, HasItsNameAndNoSignals) {
  std::string name;
  bool interrupt_blocked = false;
  bool fault_blocked = true;
  auto thread = StartThread("a-name-that-is-too-long", [&] {
    std::array<char, 16> buffer{};
    pthread_getname_np(pthread_self(), buffer.data(), buffer.size());
    name = buffer.data();
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    interrupt_blocked = sigismember(&mask, SIGINT) == 1;
    fault_blocked = sigismember(&mask, SIGSEGV) == 1;
  });
  ASSERT_TRUE(thread.ok());
  thread->join();
  EXPECT_EQ(name, "a-name-that-is-");
  EXPECT_TRUE(interrupt_blocked);
  EXPECT_FALSE(fault_blocked);
  sigset_t own;
  pthread_sigmask(SIG_SETMASK, nullptr, &own);
  EXPECT_EQ(sigismember(&own, SIGINT), 0);
}

TEST(Thread, SurvivesAnException) {
  const LogCapture log;
  auto thread = StartThread("thrower", [] { throw std::runtime_error("bang"); });
  ASSERT_TRUE(thread.ok());
  thread->join();
  EXPECT_TRUE(log.Contains("thrower: work threw"));
}

TEST(Thread, PinsToAProcessorThatExists) {
  EXPECT_GE(AvailableCpuCount(), 1);
  Status pinned;
  Status refused;
  auto thread = StartThread("pinned", [&] {
    refused = PinCurrentThread(1 << 20);
    for (int cpu = 0; cpu < 1024; ++cpu) {
      pinned = PinCurrentThread(cpu);
      if (pinned.ok()) break;
    }
    EXPECT_EQ(AvailableCpuCount(), 1);
  });
  ASSERT_TRUE(thread.ok());
  thread->join();
  EXPECT_TRUE(pinned.ok()) << pinned.ToString();
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(PinCurrentThread(-1).code(), StatusCode::kInvalidArgument);
}

TEST(Thread, CountsProcessorTime) {
  const auto before = CurrentThreadCpuTime();
  while (CurrentThreadCpuTime() - before < std::chrono::milliseconds(1)) {
  }
  EXPECT_GT(CurrentThreadCpuTime(), before);
}

}  // namespace
}  // namespace cirein
