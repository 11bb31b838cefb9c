// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>
#include <string>

#include <fmt/format.h>

#include "cli/object_verbs.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

// The first words of all lines but the first.
std::multiset<std::string> KeysOf(const std::string& csv) {
  std::multiset<std::string> keys;
  for (std::size_t at = csv.find('\n') + 1; at < csv.size(); at = csv.find('\n', at) + 1) {
    keys.insert(csv.substr(at, csv.find(',', at) - at));
  }
  return keys;
}

// Somebody who has read enough after the first page.
class ImpatientReader final : public StringConsole {
 public:
  bool reader_gone() const override { return true; }
};

class ListVerbTest : public ObjectVerbTest {
 protected:
  void Fill(int rows) const {
    WithPool([rows](const Pool& pool) {
      for (int i = 0; i < rows; ++i) {
        ASSERT_OK(pool.Publish(Key(fmt::format("row{}", i)), *DataObject::FromString("x")));
      }
    });
  }
};

TEST_P(ListVerbTest, ListsWhatMatches) {
  Put("run1", "1");
  Put("run1|a", "22");
  Put("run2|b", "333");
  Put("other", "4444");
  using Keys = std::multiset<std::string>;
  const auto listed = [&](const std::string& pattern) {
    const CommandRun run = Run("list", {pattern, "-o", "csv"});
    EXPECT_EQ(run.code, 0) << run.err;
    return KeysOf(run.out);
  };
  EXPECT_EQ(KeysOf(Run("list", {"-o", "csv"}).out), (Keys{"run1", "run1|a", "run2|b", "other"}));
  EXPECT_EQ(listed("run*|*"), (Keys{"run1", "run1|a", "run2|b"}));
  EXPECT_EQ(listed("run*"), (Keys{"run1"}));
  EXPECT_EQ(listed("run1|*"), (Keys{"run1", "run1|a"}));
  EXPECT_EQ(listed("run1|a"), (Keys{"run1|a"}));
  EXPECT_EQ(listed("none"), (Keys{}));
  EXPECT_EQ(Run("list", {"r*n"}).code, 1);
  EXPECT_THAT(Run("list", {"run2|*", "-o", "json"}).out,
              HasSubstr("{\"key\":\"run2|b\",\"meta_bytes\":0,\"data_bytes\":3,\"version\":\""));
}

TEST_P(ListVerbTest, GoesOnOverPagesUpToTheLimit) {
  Fill(2500);
  const std::multiset<std::string> keys = KeysOf(Run("list", {"-o", "csv"}).out);
  EXPECT_EQ(keys.size(), 2500U);
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), 2500U);
  for (const std::size_t limit : {1U, 999U, 1000U, 1001U, 2500U, 9999U}) {
    const CommandRun run = Run("list", {"-o", "csv", "--limit", std::to_string(limit)});
    EXPECT_EQ(KeysOf(run.out).size(), std::min<std::size_t>(limit, 2500)) << limit;
  }
  EXPECT_EQ(Run("list", {"--limit", "0"}).code, 1);
  const std::string table = Run("list", {}).out;
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 2501);
}

TEST_P(ListVerbTest, EndsWhenNobodyReadsOn) {
  Fill(2500);
  ImpatientReader console;
  const std::vector<std::string> arguments = {"list", pool(), "-o", "csv"};
  EXPECT_EQ(RunCommand(arguments, std::vector<std::string>(), console), ExitCode::kOk);
  EXPECT_EQ(KeysOf(console.out()).size(), 1000U);
}

TEST_P(ListVerbTest, WhatItShowsIsWhatVerbsTake) {
  const std::string key = R"(\x00\xff \*|\|\\)" + std::string(200, 'k');
  Put(key, "data");
  EXPECT_EQ(KeysOf(Run("list", {"-o", "csv"}).out), (std::multiset<std::string>{key}));
  EXPECT_THAT(Run("list", {}).out, HasSubstr(key));
}

TEST_P(ListVerbTest, NothingIsAListToo) {
  EXPECT_EQ(Run("list", {"-o", "json"}).out, "{\"schema\":1,\n\"objects\":[]}\n");
  EXPECT_EQ(Run("list", {"-o", "csv"}).out, "key,meta_bytes,data_bytes,version\n");
}

INSTANTIATE_TEST_SUITE_P(Pools, ListVerbTest, PoolsToTest(), PoolToTestName);

}  // namespace
}  // namespace cirein
