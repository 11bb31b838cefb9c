// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command_process.h"
#include "cli/run_for_test.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

// The verbs of objects, each in this process or one of its own, over a server in another.
class ServerVerbsTest : public ::testing::TestWithParam<std::string_view> {
 protected:
  ServerVerbsTest() { Start({}); }

  void Start(std::vector<std::string> more) {
    std::vector<std::string> arguments = {
        "up",           "--dir",  directory_.File("pool"), "-p",      "0",
        "--unixsocket", Socket(), "--durability",          "process", "--size",
        "16MiB"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    server_ = std::make_unique<CommandProcess>(arguments);
    const std::string line = server_->ReadLine();
    const std::string before = "resp ";
    const std::size_t at = line.find(before);
    ASSERT_NE(at, std::string::npos) << line;
    const std::size_t begin = at + before.size();
    tcp_ = line.substr(begin, line.find(',', begin) - begin);
  }
  std::string Socket() const { return directory_.File("socket"); }
  std::string pool() const { return GetParam() == "unix" ? "unix:" + Socket() : tcp_; }

  CommandRun Run(const std::string& verb, std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {verb, pool()});
    return RunForTest(std::move(arguments));
  }
  std::unique_ptr<CommandProcess> Begin(const std::string& verb,
                                        std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {verb, pool()});
    return std::make_unique<CommandProcess>(arguments);
  }

  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
  std::unique_ptr<CommandProcess> server_;
  std::string tcp_;
};

TEST_P(ServerVerbsTest, ObjectsGoInAndOut) {
  EXPECT_EQ(Run("put", {"row|a", "--data", "12", "--meta", "m", "--ttl", "1h"}).code, 0);
  EXPECT_EQ(Run("put", {"row|b", "--data", "345"}).code, 0);
  EXPECT_EQ(Run("get", {"row|a"}).out, "12");
  EXPECT_EQ(Run("get", {"row|a", "--meta"}).out, "m");
  EXPECT_EQ(Run("get", {"row|none"}).code, 2);
  EXPECT_EQ(Run("put", {"row|a", "--data", "x"}).code, 6);
  EXPECT_EQ(Run("put", {"row|a", "--data", "x", "--if-version", "9.9"}).code, 6);
  EXPECT_EQ(Run("put", {"row|a", "--data", "67", "--overwrite"}).code, 0);
  EXPECT_THAT(Run("info", {"row|a"}).out, HasSubstr("persistent-memory"));
  EXPECT_THAT(Run("info", {"row|*", "-o", "csv"}).out, HasSubstr("row,2,"));
  const CommandRun list = Run("list", {"-o", "csv"});
  EXPECT_THAT(list.out, HasSubstr("row|a"));
  EXPECT_THAT(list.out, HasSubstr("row|b"));
  EXPECT_EQ(Run("compute", {"row|*", "concat", "-"}).out, "67-345");
  EXPECT_EQ(Run("drop", {"row|*"}).code, 0);
  EXPECT_EQ(Run("get", {"row|a"}).code, 2);
}

TEST_P(ServerVerbsTest, ACommandRunsWhenItsObjectIsThere) {
  const std::string command = "cat; echo \" is $OBJECT_KEY, type $OBJECT_TYPE\"; exit 9";
  const auto want = Begin("want", {"late|*", "--timeout", "60s", "--exec", command});
  EXPECT_EQ(Run("put", {"late|a b", "--data", "the mesh", "--type", "3"}).code, 0);
  const CommandRun ran = want->Wait();
  EXPECT_EQ(ran.code, 9);
  EXPECT_EQ(ran.out, "the mesh is late|a b, type 3\n");
  const auto never = Begin("want", {"never", "--timeout", "20ms", "--exec", "echo no"});
  const CommandRun ended = never->Wait();
  EXPECT_EQ(ended.code, 3);
  EXPECT_EQ(ended.out, "");
}

TEST_P(ServerVerbsTest, WantAndNeedWaitForAnotherProcess) {
  const auto need = Begin("need", {"late|c", "--timeout", "60s"});
  const auto want = Begin("want", {"la*|*", "--timeout", "60s", "-o", "csv"});
  EXPECT_EQ(Run("put", {"late|c", "--data", "it came"}).code, 0);
  const CommandRun needed = need->Wait();
  EXPECT_EQ(needed.code, 0);
  EXPECT_EQ(needed.out, "it came");
  const CommandRun wanted = want->Wait();
  EXPECT_EQ(wanted.code, 0);
  EXPECT_THAT(wanted.out, HasSubstr("late|c"));
}

TEST_P(ServerVerbsTest, WantAndNeedOfWhatIsThere) {
  EXPECT_EQ(Run("put", {"k", "--data", "1"}).code, 0);
  EXPECT_EQ(Run("need", {"k"}).out, "1");
  EXPECT_EQ(Run("need", {"k", "--to", directory_.File("out")}).code, 0);
  EXPECT_EQ(ReadFile(directory_.File("out"), 100).value(), "1");
  EXPECT_THAT(Run("want", {"k"}).out, HasSubstr("k"));
  EXPECT_EQ(Run("want", {"other", "--timeout", "20ms"}).code, 3);
  EXPECT_EQ(Run("need", {"other", "--timeout", "20ms"}).code, 3);
}

TEST_P(ServerVerbsTest, BlastTakesAnAddress) {
  const CommandRun run = RunForTest({"blast", pool(), "--keys", "20", "--ops", "50", "--verify"});
  EXPECT_EQ(run.code, 0) << run.err;
}

TEST_P(ServerVerbsTest, ANeedOutlivesTheServer) {
  const auto need = Begin("need", {"k", "--timeout", "60s"});
  server_->End(SIGKILL);
  if (GetParam() == "tcp") return;  // The next one has another port.
  Start({});
  EXPECT_EQ(Run("put", {"k", "--data", "1"}).code, 0);
  // One that came before the first server ended waits on; one that found none has said so.
  const CommandRun needed = need->Wait();
  EXPECT_TRUE(needed.code == 0 || needed.code == 4) << needed.code;
  EXPECT_EQ(needed.out, needed.code == 0 ? "1" : "");
}

TEST_P(ServerVerbsTest, SaysWhenNobodyIsThere) {
  server_->End(SIGTERM);
  for (const char* verb : {"get", "info", "drop", "want", "need"}) {
    EXPECT_EQ(Run(verb, {"k"}).code, 4) << verb;
  }
  EXPECT_EQ(Run("put", {"k", "--data", "1"}).code, 4);
}

TEST_P(ServerVerbsTest, WantsThePassword) {
  server_->End(SIGTERM);
  ASSERT_TRUE(WriteFileAtomically(directory_.File("secret"), "one two\n").ok());
  Start({"--requirepass-file", directory_.File("secret")});
  const CommandRun refused = Run("get", {"k"});
  EXPECT_NE(refused.code, 0);
  EXPECT_THAT(refused.err, HasSubstr("password-file"));
  const std::string with = pool() + "&password-file=" + directory_.File("secret");
  EXPECT_EQ(RunForTest({"put", with, "k", "--data", "1"}).code, 0);
  EXPECT_EQ(RunForTest({"need", with, "k"}).out, "1");
}

INSTANTIATE_TEST_SUITE_P(Ways, ServerVerbsTest, ::testing::Values("tcp", "unix"),
                         [](const auto& way) { return std::string(way.param); });

}  // namespace
}  // namespace cirein
