// SPDX-License-Identifier: Apache-2.0

// Pools with a store behind them from the shell: what one run of the command has put, others find.

#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command_process.h"
#include "cli/run_for_test.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

class StoreVerbsTest : public ::testing::Test {
 protected:
  std::string Store() const { return "&store=posix:" + directory_.path(); }
  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
};

TEST_F(StoreVerbsTest, WhatOneRunHasPutAnotherFinds) {
  const std::string pool = "local:/objects" + Store();
  EXPECT_EQ(RunForTest({"put", pool, "row|column", "--data", "kept"}).code, 0);
  EXPECT_EQ(RunForTest({"get", pool, "row|column"}).out, "kept");
  EXPECT_EQ(RunForTest({"put", pool, "row|column", "--data", "again"}).code, 6) << "write-once";
  EXPECT_THAT(RunForTest({"info", pool, "row|column", "-o", "csv"}).out, HasSubstr("disk"));
  EXPECT_THAT(RunForTest({"list", pool, "row|*", "-o", "csv"}).out, HasSubstr("column"));
  const std::vector<std::string> by_name = {"--set",
                                            "backing.stores=disk=posix:" + directory_.path()};
  EXPECT_EQ(
      RunForTest({"get", "local:/objects&store=disk", "row|column", by_name[0], by_name[1]}).out,
      "kept");
  EXPECT_EQ(RunForTest({"drop", pool, "row|column"}).code, 0);
  EXPECT_EQ(RunForTest({"get", pool, "row|column"}).code, 2);
  const CommandRun missing = RunForTest({"get", pool + "/missing", "row"});
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.err, HasSubstr("mkdir"));
}

TEST_F(StoreVerbsTest, AMemberThatIsKilledHasItsObjectsAgain) {
  const TemporaryDirectory other = *TemporaryDirectory::Create();
  const std::string address = other.File("directory");
  const std::string pool = "dht:/test/stored";
  const auto start = [&] {
    auto member = std::make_unique<CommandProcess>(std::vector<std::string>{
        "serve", "--directory-file", address, "--name", "only", "--join", pool + Store()});
    std::string line;
    do {
      line = member->ReadLine();
    } while (!line.empty() && line != "cirein is ready");
    EXPECT_EQ(line, "cirein is ready");
    return member;
  };
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--set", "directory.file=" + address});
    return RunForTest(std::move(arguments));
  };
  auto member = start();
  // The directory says what is behind the pool.
  EXPECT_EQ(run({"put", pool, "row", "--data", "kept"}).code, 0);
  EXPECT_EQ(run({"get", "ref:/test/stored", "row"}).out, "kept");
  member->End(SIGKILL);
  member = start();
  EXPECT_THAT(run({"info", pool, "row", "-o", "csv"}).out, HasSubstr("disk"));
  EXPECT_EQ(run({"need", pool, "row", "--timeout", "60s"}).out, "kept");
  EXPECT_EQ(run({"put", pool, "row", "--data", "again"}).code, 6);
  member->Signal(SIGTERM);
  EXPECT_EQ(member->Wait().code, 0);
}

TEST_F(StoreVerbsTest, AMemberWhoseStoreIsNotThereDoesNotJoin) {
  const TemporaryDirectory other = *TemporaryDirectory::Create();
  const CommandRun refused = RunForTest({"serve", "--directory-file", other.File("directory"),
                                         "--join", "dht:/test/stored" + Store() + "/missing"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("mkdir"));
}

}  // namespace
}  // namespace cirein
