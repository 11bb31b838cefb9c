// SPDX-License-Identifier: Apache-2.0
#include "cli/standard_console.h"

#include <csignal>
#include <fcntl.h>
#include <functional>
#include <string>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "cli/command.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct ProcessRun {
  int code = -1;
  std::string out;
  std::string err;
};

std::string ReadAll(int file) {
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; (n = read(file, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  close(file);
  return text;
}

// Runs the command in a process of its own, with real standard files. `out` replaces its standard
// output, or is -1 for a pipe that is read.
ProcessRun RunProcess(std::vector<std::string> arguments, int out = -1) {
  int out_pipe[2];
  int err_pipe[2];
  if (pipe(out_pipe) != 0 || pipe(err_pipe) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    dup2(out < 0 ? out_pipe[1] : out, STDOUT_FILENO);
    dup2(err_pipe[1], STDERR_FILENO);
    for (const int file : {out_pipe[0], out_pipe[1], err_pipe[0], err_pipe[1]}) close(file);
    std::signal(SIGPIPE, SIG_IGN);
    StandardConsole console(StandardConsole::Colors::kOnTerminals);
    const std::vector<std::string> environment = {"TERM=xterm"};
    _exit(static_cast<int>(RunCommand(arguments, environment, console)));
  }
  close(out_pipe[1]);
  close(err_pipe[1]);
  ProcessRun run;
  run.out = ReadAll(out_pipe[0]);
  run.err = ReadAll(err_pipe[0]);
  int status = 0;
  waitpid(child, &status, 0);
  run.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return run;
}

TEST(StandardConsoleTest, DataAndMessagesGoTheirWays) {
  const ProcessRun run = RunProcess({"blast", "null:", "-n", "100", "-k", "10"});
  EXPECT_EQ(run.code, 0);
  EXPECT_THAT(run.out, HasSubstr("request"));
  EXPECT_THAT(run.out, Not(HasSubstr("cirein: ")));
  EXPECT_THAT(run.err, HasSubstr("cirein: seed "));
}

TEST(StandardConsoleTest, NoEscapesOffATerminal) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"doctor"}, {"blast", "-n", "2000", "-k", "2000"}, {"nonsense"}}) {
    const ProcessRun run = RunProcess(arguments);
    EXPECT_EQ(run.out.find('\x1b'), std::string::npos) << run.out;
    EXPECT_EQ(run.err.find_first_of("\x1b\r"), std::string::npos) << run.err;
  }
}

TEST(StandardConsoleTest, AClosedReaderIsNoError) {
  int reader[2];
  ASSERT_EQ(pipe(reader), 0);
  close(reader[0]);
  const ProcessRun run = RunProcess({"help", "--markdown"}, reader[1]);
  close(reader[1]);
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.err, "");
}

TEST(StandardConsoleTest, AFullDiskIsAnError) {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (full < 0) GTEST_SKIP() << "there is no /dev/full";
  const ProcessRun run = RunProcess({"help"}, full);
  close(full);
  EXPECT_EQ(run.code, 4);
  EXPECT_THAT(run.err, HasSubstr("standard output"));
}

TEST(StandardConsoleTest, ExitCodesReachTheShell) {
  EXPECT_EQ(RunProcess({"version"}).code, 0);
  EXPECT_EQ(RunProcess({"nonsense"}).code, 1);
  EXPECT_EQ(RunProcess({"play", "/no/such/trace"}).code, 2);
}

}  // namespace
}  // namespace cirein
