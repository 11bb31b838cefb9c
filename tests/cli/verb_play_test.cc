// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <set>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "cli/run_for_test.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

std::set<std::string> Contents(Pool pool) {
  std::set<std::string> contents;
  for (const ListedObject& object : pool.List(Pattern::RowPrefix("")).value().objects) {
    contents.insert(
        fmt::format("{} {} {}", object.key.ToString(), object.meta_bytes, object.data_bytes));
  }
  return contents;
}

class VerbPlayTest : public ::testing::Test {
 protected:
  // Records what a small program asks; gives the trace's name without its rank.
  std::string Record() {
    ResourceUrl url;
    url.set_type("trace").set_option("file", directory_.File("trace"));
    url.set_option("next_pool", "local:[recorded]").set_option("rank", "3");
    EXPECT_TRUE(url.PushDir("recorded").ok());
    Pool pool = Connect(url).value();
    pool.Want(Key("row", "late"), [](const auto&) {});
    for (std::size_t i = 0; i < 20; ++i) {
      const Key key("row", fmt::format("odd name\n{}|*", i));
      EXPECT_TRUE(
          pool.Publish(key, DataObject::FromString(std::string(100 * i, 'x'), "m").value()).ok());
      EXPECT_TRUE(pool.Need(key).ok());
    }
    EXPECT_TRUE(pool.Publish(Key("row", "late"), DataObject::FromString("x").value()).ok());
    EXPECT_TRUE(pool.Drop(Pattern::ColumnPrefix("row", "odd name\n1")).ok());
    EXPECT_TRUE(pool.Compute(Pattern::ColumnPrefix("row", ""), "count").ok());
    return directory_.File("trace");
  }

  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
  const Library library_;  // Keeps what is played, so that it can be looked at.
};

TEST_F(VerbPlayTest, APlayedTraceLeavesTheSameNamesAndSizes) {
  const std::string trace = Record();
  for (const std::string speed : {"full", "original"}) {
    const std::string bucket = "local:[played-" + speed + "]";
    const CommandRun run =
        RunForTest({"play", trace, "--rank", "3", "--pool", bucket, "--speed", speed, "-o", "csv"});
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_THAT(run.out, HasSubstr("publish,21,0,"));
    EXPECT_THAT(run.out, HasSubstr("want,1,0,"));
    EXPECT_THAT(run.out, HasSubstr("need,20,0,"));
    EXPECT_EQ(Contents(Connect(bucket).value()), Contents(Connect("local:[recorded]").value()));
    EXPECT_EQ(Contents(Connect(bucket).value()).size(), 10U);
  }
}

TEST_F(VerbPlayTest, FailedRequestsArePartOfTheResult) {
  const std::string path = directory_.File("trace");
  ASSERT_TRUE(WriteFileAtomically(path,
                                  "# cirein trace 1\n0 want row=never\n0 info row=never\n"
                                  "0 publish row=a data=1\n0 publish row=a data=1\n")
                  .ok());
  const CommandRun run =
      RunForTest({"play", path, "--pool", "local:[failing]", "--deadline", "20ms", "-o", "csv"});
  EXPECT_EQ(run.code, 5);
  EXPECT_THAT(run.out, HasSubstr("want,1,1,"));
  EXPECT_THAT(run.out, HasSubstr("info,1,1,"));
  EXPECT_THAT(run.out, HasSubstr("publish,2,1,"));
  EXPECT_THAT(run.err, HasSubstr("the first failure was"));
}

TEST_F(VerbPlayTest, BadFilesAreRefusedBeforeAnythingIsPlayed) {
  const std::string path = directory_.File("trace");
  ASSERT_TRUE(
      WriteFileAtomically(path, "# cirein trace 1\n0 publish row=a data=1\n0 pulbish row=b\n")
          .ok());
  const CommandRun run = RunForTest({"play", path, "--pool", "local:[untouched]"});
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr(path + ":3: "));
  EXPECT_TRUE(Contents(Connect("local:[untouched]").value()).empty());
}

TEST_F(VerbPlayTest, OriginalSpeedKeepsTheRecordedTimes) {
  const std::string path = directory_.File("trace");
  ASSERT_TRUE(
      WriteFileAtomically(path, "# cirein trace 1\n20ms info row=a\n20ms list row=a\n").ok());
  const CommandRun run =
      RunForTest({"play", path, "--pool", "null:", "--speed", "original", "-o", "json"});
  EXPECT_EQ(run.code, 0) << run.err;
  const std::size_t at = run.out.find("\"run_ns\":");
  ASSERT_NE(at, std::string::npos);
  EXPECT_GE(std::stoull(run.out.substr(at + 9)), 40'000'000U);
}

}  // namespace
}  // namespace cirein
