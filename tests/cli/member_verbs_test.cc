// SPDX-License-Identifier: Apache-2.0

// Pools of several processes, as the shell uses them: each member is one, and each user.

#include <csignal>
#include <memory>
#include <string>
#include <string_view>
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

class MemberVerbsTest : public ::testing::Test {
 protected:
  static constexpr std::string_view kPool = "dht:/test/pool";

  std::string AddressFile() const { return directory_.File("directory"); }
  std::vector<std::string> Settings() const { return {"--set", "directory.file=" + AddressFile()}; }

  /// A member that is ready, or has said why not.
  std::unique_ptr<CommandProcess> StartMember(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "serve");
    auto member = std::make_unique<CommandProcess>(arguments);
    std::string line;
    do {
      line = member->ReadLine();
    } while (!line.empty() && line != "cirein is ready");
    EXPECT_EQ(line, "cirein is ready");
    return member;
  }
  std::unique_ptr<CommandProcess> StartFirst() const {
    return StartMember({"--directory-file", AddressFile(), "--name", "first", "--join",
                        std::string(kPool) + "&min_members=2"});
  }
  std::unique_ptr<CommandProcess> StartSecond() const {
    std::vector<std::string> arguments = Settings();
    for (const char* more : {"--name", "second", "--join"}) arguments.emplace_back(more);
    arguments.emplace_back(kPool);
    return StartMember(std::move(arguments));
  }

  CommandRun Run(std::vector<std::string> arguments) const {
    for (std::string& setting : Settings()) arguments.push_back(std::move(setting));
    return RunForTest(std::move(arguments));
  }
  std::unique_ptr<CommandProcess> Begin(std::vector<std::string> arguments) const {
    for (std::string& setting : Settings()) arguments.push_back(std::move(setting));
    return std::make_unique<CommandProcess>(arguments);
  }
  CommandRun OnPool(const std::string& verb, std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {verb, std::string(kPool)});
    return Run(std::move(arguments));
  }

  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
};

TEST_F(MemberVerbsTest, ProcessesExchangeObjectsThroughAPoolOfOthers) {
  const auto first = StartFirst();
  // It waits for the pool to be whole, and then for the object.
  const auto early = Begin({"need", std::string(kPool), "run|mesh", "--timeout", "60s"});
  const auto second = StartSecond();
  EXPECT_THAT(Run({"resource", "list", "-o", "csv"}).out, HasSubstr("/test/pool"));
  const CommandRun members = Run({"resource", "info", std::string(kPool), "-o", "csv"});
  EXPECT_THAT(members.out, HasSubstr(",first,"));
  EXPECT_THAT(members.out, HasSubstr(",second,"));

  EXPECT_EQ(OnPool("put", {"run|mesh", "--data", "triangles"}).code, 0);
  const CommandRun needed = early->Wait();
  EXPECT_EQ(needed.code, 0);
  EXPECT_EQ(needed.out, "triangles");
  EXPECT_EQ(OnPool("put", {"run|mesh", "--data", "again"}).code, 6);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(OnPool("put", {"row" + std::to_string(i), "--data", "x"}).code, 0);
  }
  EXPECT_THAT(OnPool("list", {"row*", "-o", "csv"}).out, HasSubstr("row7"));
  EXPECT_EQ(Run({"get", "ref:/test/pool", "run|mesh"}).out, "triangles") << "by name alone";
  EXPECT_EQ(OnPool("drop", {"row*"}).code, 0);
  EXPECT_EQ(OnPool("get", {"row7"}).code, 2);

  EXPECT_EQ(Run({"resource", "drop", std::string(kPool)}).code, 0);
  EXPECT_EQ(Run({"resource", "info", std::string(kPool)}).code, 2);
}

TEST_F(MemberVerbsTest, ALoadRunsOverMembersInOtherProcesses) {
  std::vector<std::unique_ptr<CommandProcess>> members;
  for (const std::string name : {"first", "second"}) {
    std::vector<std::string> arguments = {"--name", name};
    if (members.empty()) {
      arguments.insert(arguments.end(), {"--directory-file", AddressFile()});
    } else {
      for (std::string& setting : Settings()) arguments.push_back(std::move(setting));
    }
    for (const std::string type : {"dht", "rft", "tft"}) {
      arguments.insert(arguments.end(), {"--join", type + ":/load/" + type + "&min_members=2"});
    }
    members.push_back(StartMember(std::move(arguments)));
  }
  for (const std::string url : {"dht:/load/dht", "rft:/load/rft&rank=1", "tft:/load/tft"}) {
    const CommandRun load =
        Run({"blast", url, "--keys", "100", "--ops", "400", "--threads", "2", "--read", "2",
             "--update", "1", "--scan", "1", "--columns", "10", "--verify", "-o", "csv"});
    EXPECT_EQ(load.code, 0) << url << load.err;
  }
}

TEST_F(MemberVerbsTest, ObjectsGoIntoAFolderAndBack) {
  const auto first = StartFirst();
  const auto second = StartSecond();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(OnPool("put", {"row" + std::to_string(i), "--data", std::to_string(i)}).code, 0);
  }
  const std::string folder = directory_.File("saved");
  EXPECT_EQ(OnPool("save", {"--to", folder}).code, 0);
  EXPECT_EQ(OnPool("drop", {"row*"}).code, 0);
  EXPECT_EQ(OnPool("load", {folder}).code, 0);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(OnPool("get", {"row" + std::to_string(i)}).out, std::to_string(i));
  }
}

TEST_F(MemberVerbsTest, KilledClientsTakeTheirWantsAndNoOthers) {
  const auto first = StartFirst();
  const auto second = StartSecond();
  std::vector<std::unique_ptr<CommandProcess>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(Begin({"need", std::string(kPool), "run|mesh", "--timeout", "120s"}));
  }
  for (std::size_t i = 0; i < clients.size(); i += 2) clients[i]->End(SIGKILL);
  EXPECT_EQ(OnPool("put", {"run|mesh", "--data", "triangles"}).code, 0);
  for (std::size_t i = 1; i < clients.size(); i += 2) {
    EXPECT_EQ(clients[i]->Wait().out, "triangles") << i;
  }
}

TEST_F(MemberVerbsTest, AMemberThatIsKilledComesAgainAtItsPlace) {
  const auto first = StartFirst();
  auto second = StartSecond();
  const auto want = Begin({"want", std::string(kPool), "run*|*", "--timeout", "120s"});
  second->End(SIGKILL);
  second = StartSecond();
  const CommandRun members = Run({"resource", "info", std::string(kPool), "-o", "csv"});
  EXPECT_EQ(std::count(members.out.begin(), members.out.end(), '\n'), 3) << members.out;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(OnPool("put", {"run" + std::to_string(i), "--data", "x"}).code, 0) << i;
  }
  EXPECT_EQ(want->Wait().code, 0);
}

TEST_F(MemberVerbsTest, MembersSayAgainWhatADirectoryHasLost) {
  auto first = StartFirst();
  const auto second = StartSecond();
  first->End(SIGKILL);
  first = StartFirst();
  // The second one has to notice: the pool is whole when it has.
  EXPECT_EQ(OnPool("put", {"key", "--data", "x"}).code, 0);
  EXPECT_THAT(Run({"resource", "info", std::string(kPool), "-o", "csv"}).out, HasSubstr("second"));
}

TEST_F(MemberVerbsTest, AMemberLeavesInOrder) {
  const auto first = StartFirst();
  const auto second = StartSecond();
  second->Signal(SIGTERM);
  EXPECT_EQ(second->Wait().code, 0);
  const CommandRun members = Run({"resource", "info", std::string(kPool), "-o", "csv"});
  EXPECT_THAT(members.out, testing::Not(HasSubstr("second")));
  EXPECT_EQ(OnPool("info", {"key", "--set", "default.deadline=200ms"}).code, 3)
      << "fewer than it needs";
  first->Signal(SIGTERM);
  EXPECT_EQ(first->Wait().code, 0);
  EXPECT_FALSE(ReadFile(AddressFile(), 100).ok()) << "nobody hosts it any more";
}

TEST_F(MemberVerbsTest, SaysWhatIsMissing) {
  EXPECT_EQ(RunForTest({"put", std::string(kPool), "key", "--data", "x"}).code, 6);
  EXPECT_EQ(RunForTest({"serve", "--join", std::string(kPool)}).code, 6);
  EXPECT_EQ(Run({"resource", "list"}).code, 2) << "the file is not there";
  const auto first = StartFirst();
  EXPECT_EQ(Run({"resource", "info", "dht:/other"}).code, 2);
  EXPECT_EQ(Run({"resource", "define"}).code, 1);
  EXPECT_EQ(Run({"resource", "define", "dht:/"}).code, 1);
  EXPECT_EQ(Run({"resource", "define", "dht:/test/pool&min_members=3"}).code, 6);
  EXPECT_EQ(
      Run({"put", "rft:/test/pool&rank=0", "key", "--data", "x", "--set", "default.deadline=200ms"})
          .code,
      3);
}

}  // namespace
}  // namespace cirein
