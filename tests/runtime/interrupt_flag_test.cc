// SPDX-License-Identifier: Apache-2.0
#include "runtime/interrupt_flag.h"

#include <signal.h>
#include <string>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

#include "runtime/file.h"
#include "runtime/real_clock.h"
#include "runtime/thread.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;

// Each in a process of its own, since the flag is set for good.
TEST(InterruptFlagDeathTest, TheFirstSignalSetsTheFlag) {
  EXPECT_EXIT(
      {
        InterruptFlag& flag = InterruptFlag::Install();
        const bool before = flag.IsSet() || flag.WaitUntil(RealClock::MonotonicNow());
        raise(SIGTERM);
        const bool after = flag.IsSet() && flag.WaitUntil(kEndOfTime);
        _exit(!before && after && flag.signal_number() == SIGTERM ? 17 : 1);
      },
      testing::ExitedWithCode(17), "");
}

// True while the first thread of this process sleeps in the kernel.
bool FirstThreadSleeps() {
  const Result<std::string> stat = ReadFile("/proc/self/stat", 4096);
  const std::size_t at = stat.ok() ? stat->rfind(')') : std::string::npos;
  return at != std::string::npos && stat->compare(at, 4, ") S ") == 0;
}

TEST(InterruptFlagDeathTest, ASignalWakesTheOneThatWaits) {
  EXPECT_EXIT(
      {
        InterruptFlag& flag = InterruptFlag::Install();
        Result<std::thread> sender = StartThread("sender", [] {
          while (!FirstThreadSleeps()) std::this_thread::yield();
          kill(getpid(), SIGTERM);
        });
        if (!sender.ok()) _exit(2);
        const bool set = flag.WaitUntil(kEndOfTime);
        sender->join();
        _exit(set && flag.signal_number() == SIGTERM ? 17 : 1);
      },
      testing::ExitedWithCode(17), "");
}

TEST(InterruptFlagDeathTest, TheSecondSignalEndsTheProcess) {
  EXPECT_EXIT(
      {
        InterruptFlag::Install();
        raise(SIGTERM);
        raise(SIGINT);
        _exit(0);
      },
      testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace cirein
