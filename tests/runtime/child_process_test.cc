// SPDX-License-Identifier: Apache-2.0
#include "runtime/child_process.h"

#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cirein {
namespace {

using testing::HasSubstr;

// A call that fails at once: the thread sanitizer looks for signals only in calls.
void Spin() { static_cast<void>(::read(-1, nullptr, 0)); }

ChildEnd RunChild(const std::function<std::string()>& body,
                  std::chrono::seconds cpu_max = std::chrono::seconds(60)) {
  auto child = ChildProcess::Start(body, {.cpu_max = cpu_max});
  EXPECT_TRUE(child.ok());
  return (*child)->Wait();
}

TEST(ChildProcessTest, TellsWhatItWasAskedFor) {
  int changed_there = 1;
  const ChildEnd end = RunChild([&] {
    changed_there = 2;
    return std::string(1'000'000, 'x') + std::to_string(changed_there);
  });
  EXPECT_TRUE(end.returned) << end.how;
  EXPECT_EQ(end.output, std::string(1'000'000, 'x') + "2");
  EXPECT_EQ(changed_there, 1);
}

TEST(ChildProcessTest, TellsOfACrash) {
  const ChildEnd end = RunChild([]() -> std::string { std::abort(); });
  EXPECT_FALSE(end.returned);
  EXPECT_THAT(end.how, HasSubstr("signal 6"));
}

TEST(ChildProcessTest, EndsOneThatSpinsWithItsStack) {
  volatile bool forever = true;
  const ChildEnd end = RunChild(
      [&] {
        while (forever) Spin();
        return std::string();
      },
      std::chrono::seconds(1));
  EXPECT_FALSE(end.returned);
  EXPECT_THAT(end.how, HasSubstr("processor time"));
  EXPECT_THAT(end.output, HasSubstr("here:\n"));
}

TEST(ChildProcessTest, OneOfSeveralIsWaitedFor) {
  std::vector<std::unique_ptr<ChildProcess>> children;
  volatile bool forever = true;
  children.push_back(*ChildProcess::Start(
      [&] {
        while (forever) Spin();
        return std::string();
      },
      {}));
  children.push_back(*ChildProcess::Start([] { return std::string("second"); }, {}));
  EXPECT_EQ(ChildProcess::WaitAny(children), 1U);
  EXPECT_EQ(children[1]->Wait().output, "second");
}

}  // namespace
}  // namespace cirein
