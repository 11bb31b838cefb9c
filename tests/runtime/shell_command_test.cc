// SPDX-License-Identifier: Apache-2.0
#include "runtime/shell_command.h"

#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "runtime/file.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

// How a child that becomes the command ends.
int ExitOf(const std::string& command, std::string_view input = {},
           std::vector<std::string> variables = {}) {
  auto made = ShellCommand::Make(command, std::as_bytes(std::span(input.data(), input.size())),
                                 std::move(variables));
  EXPECT_TRUE(made.ok()) << made.status().ToString();
  const pid_t child = fork();
  if (child == 0) {
    static_cast<void>(made->TakeOver());
    _exit(99);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(ShellCommandTest, TheProcessEndsAsTheCommandDoes) {
  EXPECT_EQ(ExitOf("true"), 0);
  EXPECT_EQ(ExitOf("exit 7"), 7);
  EXPECT_EQ(ExitOf("kill -TERM $$"), 128 + SIGTERM);
}

TEST(ShellCommandTest, TheInputIsAStreamAndAFile) {
  const TemporaryDirectory directory = *TemporaryDirectory::Create();
  const std::string input(1'000'000, 'x');
  EXPECT_EQ(
      ExitOf("cat > " + directory.File("stream") + "; cp /dev/stdin " + directory.File("file"),
             input),
      0);
  EXPECT_EQ(ReadFile(directory.File("stream"), input.size()).value(), input);
  EXPECT_EQ(ReadFile(directory.File("file"), input.size()).value(), input) << "opened anew";
}

TEST(ShellCommandTest, VariablesReplaceThoseOfTheirName) {
  ASSERT_EQ(setenv("SHELL_COMMAND_TEST", "before", 1), 0);
  ASSERT_EQ(setenv("SHELL_COMMAND_TEST_2", "stays", 1), 0);
  EXPECT_EQ(ExitOf("test \"$SHELL_COMMAND_TEST $SHELL_COMMAND_TEST_2\" = 'after stays'", {},
                   {"SHELL_COMMAND_TEST=after"}),
            0);
  EXPECT_EQ(ShellCommand::Make("true", {}, {std::string("A=\0", 3)}).code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cirein
