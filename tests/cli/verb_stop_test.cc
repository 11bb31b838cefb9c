// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <string>
#include <unistd.h>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "cli/run_for_test.h"
#include "cli/server_file.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using testing::HasSubstr;

// A process that stands for a server: it has left its file, and waits to be stopped.
class VerbStopTest : public testing::Test {
 protected:
  ~VerbStopTest() override {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  void StartServer(void (*on_sigterm)(int)) {
    pid_ = fork();
    if (pid_ == 0) {
      signal(SIGTERM, on_sigterm);
      auto holder = ServerFileHolder::Write(directory_.path(), {});
      if (!holder.ok()) _exit(1);
      for (;;) pause();
    }
    ASSERT_GT(pid_, 0);
    ASSERT_TRUE(test::Eventually([this] { return FindServer(directory_.path()).ok(); }));
  }

  TemporaryDirectory directory_ = std::move(*TemporaryDirectory::Create("verb-stop"));
  pid_t pid_ = -1;
};

TEST_F(VerbStopTest, EndsTheServerAndWaits) {
  StartServer(SIG_DFL);
  const CommandRun run = RunForTest({"stop", "--dir", directory_.path()});
  EXPECT_EQ(run.code, 0) << run.err;
  int ended = 0;
  ASSERT_EQ(waitpid(pid_, &ended, 0), std::exchange(pid_, -1));
  EXPECT_TRUE(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGTERM);
  // Its file is still there, and misleads nobody.
  EXPECT_EQ(RunForTest({"stop", "--dir", directory_.path()}).code, 2);
}

TEST_F(VerbStopTest, SaysWhenItDoesNotEnd) {
  StartServer(SIG_IGN);
  const CommandRun run = RunForTest({"stop", "--dir", directory_.path(), "--deadline", "20ms"});
  EXPECT_EQ(run.code, 3);
  EXPECT_THAT(run.err, HasSubstr("--deadline"));
}

TEST_F(VerbStopTest, StopsNobodyElse) {
  EXPECT_EQ(RunForTest({"stop", "--dir", directory_.path()}).code, 2);
  StartServer(SIG_DFL);
  auto file = FindServer(directory_.path());
  ASSERT_OK(file);
  ++file->process.start_ticks;
  ASSERT_OK(WriteFileAtomically(ServerFilePath(directory_.path()), file->ToString()));
  const CommandRun run = RunForTest({"stop", "--dir", directory_.path()});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("no server is up"));
  EXPECT_EQ(waitpid(pid_, nullptr, WNOHANG), 0);
}

}  // namespace
}  // namespace cirein
