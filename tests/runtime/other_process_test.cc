// SPDX-License-Identifier: Apache-2.0
#include "runtime/other_process.h"

#include <csignal>
#include <memory>
#include <unistd.h>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "runtime/real_clock.h"

namespace cirein {
namespace {

TEST(OtherProcessTest, KnowsItself) {
  const auto own = OwnProcessIdentity();
  ASSERT_TRUE(own.ok());
  EXPECT_EQ(own->pid, static_cast<std::uint64_t>(getpid()));
  EXPECT_EQ(OwnProcessIdentity().value(), *own);
  const auto found = OtherProcess::Find(*own);
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  EXPECT_FALSE((*found)->AwaitEnd(TimePoint{}));
}

TEST(OtherProcessTest, TakesNoOtherProcessForTheOneThatHadItsNumber) {
  ProcessIdentity identity = OwnProcessIdentity().value();
  ++identity.start_ticks;
  EXPECT_EQ(OtherProcess::Find(identity).code(), StatusCode::kNotFound);
  EXPECT_EQ(OtherProcess::Find({.pid = 0, .start_ticks = 0}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(OtherProcess::Find({.pid = UINT64_MAX, .start_ticks = 0}).code(),
            StatusCode::kInvalidArgument);
}

TEST(OtherProcessTest, EndsAProcessAndNoticesTheEnd) {
  int told[2];
  ASSERT_EQ(pipe(told), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    const ProcessIdentity identity = OwnProcessIdentity().value();
    if (write(told[1], &identity, sizeof identity) != sizeof identity) _exit(1);
    for (;;) pause();
  }
  ASSERT_GT(pid, 0);
  ProcessIdentity identity;
  ASSERT_EQ(read(told[0], &identity, sizeof identity), ssize_t{sizeof identity});
  const auto found = OtherProcess::Find(identity);
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  EXPECT_TRUE((*found)->Terminate().ok());
  EXPECT_TRUE((*found)->AwaitEnd(RealClock::MonotonicNow() + std::chrono::seconds(60)));
  // Nobody has asked for its end yet, so the system still knows its number.
  EXPECT_EQ(OtherProcess::Find(identity).code(), StatusCode::kNotFound);
  int ended = 0;
  EXPECT_EQ(waitpid(pid, &ended, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(ended));
  EXPECT_EQ((*found)->Terminate().code(), StatusCode::kNotFound);
  close(told[0]);
  close(told[1]);
}

}  // namespace
}  // namespace cirein
