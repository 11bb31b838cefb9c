// SPDX-License-Identifier: Apache-2.0

// Members on four hosts, or what stands for them: network namespaces, joined by a switch. One is
// cut off for a while.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command_process.h"
#include "cli/object_folder.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"
#include "support/network_hosts.h"

namespace cirein {
namespace {

using test::NetworkHosts;
using ::testing::HasSubstr;

class MemberHostsTest : public ::testing::Test {
 protected:
  static constexpr int kHosts = 4;
  static constexpr int kRows = 24;
  static constexpr std::string_view kPool = "dht:/hosts/pool";

  void SetUp() override {
    if (!hosts_.made()) GTEST_SKIP() << "no network namespaces, or cables, can be made here";
    ASSERT_TRUE(WriteFileAtomically(directory_.File("secret"), "of the test\n").ok());
    for (int host = 0; host < kHosts; ++host) StartMember(host);
  }

  void StartMember(int host) {
    std::vector<std::string> arguments = {
        "serve", "--name", "host" + std::to_string(host), "--join",
        std::string(kPool) + "&min_members=" + std::to_string(kHosts)};
    if (host == 0) {
      arguments.insert(arguments.end(), {"--directory-file", directory_.File("directory")});
    }
    members_.push_back(Begin(host, std::move(arguments)));
    std::string line;
    do {
      line = members_.back()->ReadLine();
    } while (!line.empty() && line != "cirein is ready");
    ASSERT_EQ(line, "cirein is ready");
  }

  /// A command on a host; what it tells comes with what it prints.
  std::unique_ptr<CommandProcess> Begin(int host, std::vector<std::string> arguments) const {
    for (const std::string& setting :
         {"fabric.listen=" + NetworkHosts::ip(host), std::string("fabric.use=ofi"),
          std::string("fabric.provider=tcp"), std::string("fabric.keepalive=1s"),
          "fabric.secret_file=" + directory_.File("secret"),
          "directory.file=" + directory_.File("directory")}) {
      arguments.insert(arguments.end(), {"--set", setting});
    }
    std::vector<std::string> before = hosts_.In(host);
    before.insert(before.end(), {"sh", "-c", "exec \"$@\" 2>&1", "sh"});
    return std::make_unique<CommandProcess>(arguments, before);
  }
  CommandRun Run(int host, std::vector<std::string> arguments) const {
    return Begin(host, std::move(arguments))->Wait();
  }
  CommandRun Get(int host, int row) const {
    return Run(host, {"get", std::string(kPool), Row(row), "--set", "default.deadline=20s"});
  }
  static std::string Row(int row) { return "row" + std::to_string(row); }
  static std::string DataOf(int row) { return "data " + std::to_string(row); }

  /// All rows, published by one process.
  void LoadRows() const {
    auto folder = ObjectFolderWriter::Open(directory_.File("rows")).value();
    for (int row = 0; row < kRows; ++row) {
      ASSERT_TRUE(folder.Add(Key(Row(row)), DataObject::FromString(DataOf(row)).value()).ok());
    }
    ASSERT_TRUE(folder.Finish().ok());
    const CommandRun load = Run(1, {"load", std::string(kPool), directory_.File("rows")});
    ASSERT_EQ(load.code, 0) << load.out;
  }

  const NetworkHosts hosts_{kHosts};
  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
  std::vector<std::unique_ptr<CommandProcess>> members_;
};

TEST_F(MemberHostsTest, OneThatIsCutOffTakesItsRowsAndNoOthersUntilItIsBack) {
  constexpr int kCut = 3;
  ASSERT_NO_FATAL_FAILURE(LoadRows());
  for (int row = 0; row < kRows; row += 5) EXPECT_EQ(Get(row % kHosts, row).out, DataOf(row));

  ASSERT_TRUE(hosts_.CutOff(kCut));
  std::vector<int> away;
  int there = 0;
  for (int row = 0; row < kRows && (away.size() < 2 || there < 3); ++row) {
    const CommandRun got = Get(0, row);
    if (got.code == 0) {
      EXPECT_EQ(got.out, DataOf(row)) << "the others go on";
      ++there;
      continue;
    }
    away.push_back(row);
    EXPECT_EQ(got.code, 4) << got.out;
    EXPECT_THAT(got.out, HasSubstr(NetworkHosts::ip(kCut)));
  }
  ASSERT_EQ(away.size(), 2U) << "each member has some rows";
  EXPECT_GE(there, 3);
  // Who waits for what comes there, waits on.
  const auto want = Begin(1, {"need", std::string(kPool), Row(away.at(0)), "--timeout", "120s"});

  ASSERT_TRUE(hosts_.Restore(kCut));
  EXPECT_EQ(want->Wait().out, DataOf(away.at(0)));
  for (const int row : away) EXPECT_EQ(Get(2, row).out, DataOf(row)) << "nothing is lost";
  EXPECT_EQ(Get(kCut, 0).out, DataOf(0)) << "and it reaches the others";
}

}  // namespace
}  // namespace cirein
