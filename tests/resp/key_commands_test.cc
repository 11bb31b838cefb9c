// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "resp/command_harness.h"
#include "resp/key_handlers.h"
#include "resp/keyspace.h"
#include "resp/scan_reply.h"
#include "support/seed.h"

namespace cirein::resp {
namespace {

// OBJECT's subcommands by names that the harness finds.
std::span<const CommandSpec> ObjectByName() {
  static const std::vector<CommandSpec> commands = [] {
    std::vector<CommandSpec> specs(ObjectSubcommands().begin(), ObjectSubcommands().end());
    static constexpr std::string_view kNames[] = {"encoding", "freq", "help", "idletime",
                                                  "refcount"};
    static constexpr std::string_view kFullNames[] = {
        "object|encoding", "object|freq", "object|help", "object|idletime", "object|refcount"};
    for (std::size_t i = 0; i < specs.size(); ++i) {
      EXPECT_EQ(specs[i].name, kNames[i]);
      specs[i].name = kFullNames[i];
    }
    return specs;
  }();
  return commands;
}

class KeyCommandsTest : public CommandTest {
 protected:
  KeyCommandsTest()
      : CommandTest({KeyCommands(), HashCommands(), StringCommands(), ObjectByName()}) {}

  std::string Object(const std::string& subcommand, const std::string& key) {
    return Run({"object|" + subcommand, subcommand, key});
  }
  // All that SCAN answers, page by page; sorted.
  std::vector<std::string> ScanAll(const std::string& options) {
    std::vector<std::string> names;
    std::string cursor = "0";
    do {
      const ScanReply page = ScanReply::Read(Do("SCAN " + cursor + options));
      names.insert(names.end(), page.elements.begin(), page.elements.end());
      cursor = page.cursor;
    } while (cursor != "0");
    std::sort(names.begin(), names.end());
    return names;
  }
};

TEST_P(KeyCommandsTest, CountsWhatIsThere) {
  EXPECT_EQ(Do("DBSIZE"), Number(0));
  Do("SET s v");
  Do("HSET h f v");
  EXPECT_EQ(Do("EXISTS s h none s"), Number(3));
  EXPECT_EQ(Do("TOUCH s h none"), Number(2));
  EXPECT_EQ(Do("DBSIZE"), Number(2));
  EXPECT_EQ(Do("TYPE s"), "+string\r\n");
  EXPECT_EQ(Do("TYPE h"), "+hash\r\n");
  EXPECT_EQ(Do("TYPE none"), "+none\r\n");
  EXPECT_EQ(Do("DEL s none s"), Number(1));
  EXPECT_EQ(Do("UNLINK h s"), Number(1));
  EXPECT_EQ(Do("EXISTS s h"), Number(0));
  EXPECT_EQ(Do("DBSIZE"), Number(0));
}

TEST_P(KeyCommandsTest, KeysThatCannotBeStoredAreNotThere) {
  const std::string long_key(65'536, 'k');
  for (const std::string& key : {std::string(), long_key}) {
    EXPECT_EQ(Run({"EXISTS", key}), Number(0));
    EXPECT_EQ(Run({"DEL", key}), Number(0));
    EXPECT_EQ(Run({"TTL", key}), Number(-2));
    EXPECT_EQ(Run({"HGET", key, "f"}), kNil);
    EXPECT_EQ(Run({"EXPIRE", key, "1"}), Number(0));
    EXPECT_EQ(Run({"RENAME", key, "k"}), ErrorOf(kNoSuchKey));
  }
  Do("SET s v");
  EXPECT_EQ(Run({"RENAME", "s", ""}), ErrorOf(kEmptyKey));
  EXPECT_EQ(Run({"COPY", "s", long_key}), ErrorOf(kLongKey));
  EXPECT_EQ(Do("GET s"), BulkOf("v"));
}

TEST_P(KeyCommandsTest, RenameMovesAllThereIs) {
  Do("SET s v");
  Do("EXPIRE s 100");
  EXPECT_EQ(Do("RENAME s t"), kOkReply);
  EXPECT_EQ(Do("GET t"), BulkOf("v"));
  EXPECT_EQ(Do("TTL t"), Number(100));
  EXPECT_EQ(Do("EXISTS s"), Number(0));
  Do("HSET h f 1 g 2 '' 3");
  Do("EXPIRE h 50");
  EXPECT_EQ(Do("RENAME h t"), kOkReply);
  EXPECT_EQ(Do("HGETALL t"), BulksOf({"", "3", "f", "1", "g", "2"}));
  EXPECT_EQ(Do("TTL t"), Number(50));
  EXPECT_EQ(Do("EXISTS h"), Number(0));
  Do("SET u w");
  EXPECT_EQ(Do("RENAME u t"), kOkReply);
  EXPECT_EQ(Do("GET t"), BulkOf("w"));
  EXPECT_EQ(Do("TTL t"), Number(-1));
  EXPECT_EQ(Do("DBSIZE"), Number(1));
}

TEST_P(KeyCommandsTest, RenameRefusesAsRedis) {
  EXPECT_EQ(Do("RENAME a a"), ErrorOf(kNoSuchKey));
  EXPECT_EQ(Do("RENAMENX a b"), ErrorOf(kNoSuchKey));
  Do("SET a 1");
  Do("HSET b f 2");
  EXPECT_EQ(Do("RENAME a a"), kOkReply);
  EXPECT_EQ(Do("RENAMENX a a"), Number(0));
  EXPECT_EQ(Do("RENAMENX a b"), Number(0));
  EXPECT_EQ(Do("GET a"), BulkOf("1"));
  EXPECT_EQ(Do("RENAMENX a c"), Number(1));
  EXPECT_EQ(Do("GET c"), BulkOf("1"));
  EXPECT_EQ(Do("EXISTS a"), Number(0));
}

TEST_P(KeyCommandsTest, CopyLeavesTheSource) {
  EXPECT_EQ(Do("COPY a b"), Number(0));
  Do("HSET a f 1 g 2");
  Do("EXPIRE a 100");
  EXPECT_EQ(Do("COPY a b"), Number(1));
  EXPECT_EQ(Do("HGETALL b"), BulksOf({"f", "1", "g", "2"}));
  EXPECT_EQ(Do("TTL b"), Number(100));
  EXPECT_EQ(Do("HGETALL a"), BulksOf({"f", "1", "g", "2"}));
  Do("SET s v");
  EXPECT_EQ(Do("COPY s b"), Number(0));
  EXPECT_EQ(Do("COPY s b DB 0 replace"), Number(1));
  EXPECT_EQ(Do("GET b"), BulkOf("v"));
  EXPECT_EQ(Do("TTL b"), Number(-1));
  EXPECT_EQ(Do("COPY a b REPLACE"), Number(1));
  EXPECT_EQ(Do("HSET b f 3"), Number(0));
  EXPECT_EQ(Do("HGET a f"), BulkOf("1"));
}

TEST_P(KeyCommandsTest, CopyRefusesAsRedis) {
  Do("SET a 1");
  EXPECT_EQ(Do("COPY a a"), ErrorOf("ERR source and destination objects are the same"));
  EXPECT_EQ(Do("COPY none b foo"), ErrorOf(kSyntaxError));
  EXPECT_EQ(Do("COPY a b DB"), ErrorOf(kSyntaxError));
  EXPECT_EQ(Do("COPY a b DB x"), ErrorOf(kNotAnInteger));
  EXPECT_EQ(Do("COPY a b DB 1"), ErrorOf("ERR DB index is out of range"));
  EXPECT_EQ(Do("COPY a b DB 99999999999"),
            ErrorOf("ERR value is out of range, value must between -2147483648 and 2147483647"));
  EXPECT_EQ(Do("EXISTS b"), Number(0));
}

// What only the native API makes: an object beside columns, types, meta, expiries of their own.
TEST_P(KeyCommandsTest, MovesWhatRedisDoesNotSee) {
  redis_.InTransaction("a", [this](Transaction& transaction) {
    DataObject typed = test::MakeObject("native", "meta");
    typed.set_type(77);
    transaction.Put(KeyView(kBucket, "a"), std::move(typed));
    KeyView column(kBucket, "a");
    column.has_column = true;
    column.column = "soon";
    transaction.Put(column, test::MakeObject("x"), redis_.now_ms() + 1000);
  });
  Do("HSET a f 1");
  EXPECT_EQ(Do("RENAME a b"), kOkReply);
  EXPECT_EQ(Do("HGETALL b"), BulksOf({"f", "1", "soon", "x"}));
  redis_.InTransaction("b", [](Transaction& transaction) {
    StoredObject found;
    const Result<bool> there = transaction.Get(KeyView(kBucket, "b"), Load::kObject, found);
    ASSERT_OK(there);
    ASSERT_TRUE(*there);
    EXPECT_EQ(found.object.text(), "native");
    EXPECT_EQ(found.object.meta_text(), "meta");
    EXPECT_EQ(found.object.type(), 77);
  });
  redis_.Pass(std::chrono::seconds(1));
  EXPECT_EQ(Do("HGETALL b"), BulksOf({"f", "1"}));
  EXPECT_EQ(Do("HDEL b f"), Number(1));
  EXPECT_EQ(Do("EXISTS b"), Number(0));
}

TEST_P(KeyCommandsTest, KeysFindsWhatMatches) {
  for (const std::string key : {"user:1", "user:2", "item:1"}) Do("SET " + key + " v");
  Do("HSET user:3 f v");
  EXPECT_EQ(Do("KEYS item*"), BulksOf({"item:1"}));
  EXPECT_EQ(Do("KEYS user:2"), BulksOf({"user:2"}));
  EXPECT_EQ(Do("KEYS none*"), "*0\r\n");
  EXPECT_TRUE(Do("KEYS *").starts_with("*4\r\n"));
  EXPECT_TRUE(Do("KEYS user:?").starts_with("*3\r\n"));
  EXPECT_TRUE(Do("KEYS *:1").starts_with("*2\r\n"));
}

TEST_P(KeyCommandsTest, ScanFindsEachKeyOnce) {
  EXPECT_EQ(Do("SCAN 0"), "*2\r\n" + BulkOf("0") + "*0\r\n");
  std::vector<std::string> all;
  std::vector<std::string> hashes;
  for (int i = 0; i < 300; ++i) {
    const std::string key = "key:" + std::to_string(i);
    if (i % 3 == 0) {
      Do("HSET " + key + " f v");
      hashes.push_back(key);
    } else {
      Do("SET " + key + " v");
    }
    all.push_back(key);
  }
  std::sort(all.begin(), all.end());
  std::sort(hashes.begin(), hashes.end());
  EXPECT_EQ(ScanAll(""), all);
  EXPECT_EQ(ScanAll(" COUNT 1"), all);
  EXPECT_EQ(ScanAll(" COUNT 9223372036854775807"), all);
  EXPECT_EQ(ScanAll(" TYPE hash COUNT 100"), hashes);
  EXPECT_EQ(ScanAll(" TYPE zset"), std::vector<std::string>());
  EXPECT_EQ(ScanAll(" MATCH key:1? COUNT 7").size(), 10u);
  EXPECT_EQ(ScanAll(" MATCH key:7"), std::vector<std::string>{"key:7"});
}

TEST_P(KeyCommandsTest, ScanFindsWhatStaysWhileOthersComeAndGo) {
  Random random(test::Seed());
  std::set<std::string> stay;
  for (int i = 0; i < 200; ++i) {
    Do("SET stay:" + std::to_string(i) + " v");
    stay.insert("stay:" + std::to_string(i));
    Do("SET go:" + std::to_string(i) + " v");
  }
  std::string cursor = "0";
  std::map<std::string, int> seen;
  do {
    const ScanReply page = ScanReply::Read(Do("SCAN " + cursor + " COUNT 5"));
    for (const std::string& name : page.elements) ++seen[name];
    cursor = page.cursor;
    Do("DEL go:" + std::to_string(random.Below(200)));
    Do("SET come:" + std::to_string(random.Below(1000)) + " v");
  } while (cursor != "0");
  for (const std::string& name : stay) EXPECT_EQ(seen[name], 1) << name;
}

TEST_P(KeyCommandsTest, ScanRefusesAsRedis) {
  EXPECT_EQ(Do("SCAN x"), ErrorOf("ERR invalid cursor"));
  EXPECT_EQ(Run({"SCAN", " 0"}), ErrorOf("ERR invalid cursor"));
  EXPECT_EQ(Do("SCAN 18446744073709551616"), ErrorOf("ERR invalid cursor"));
  EXPECT_TRUE(Do("SCAN 18446744073709551615").starts_with("*2\r\n$1\r\n0\r\n"));
  EXPECT_TRUE(Do("SCAN -1").starts_with("*2\r\n$1\r\n0\r\n"));
  EXPECT_TRUE(Do("SCAN ''").starts_with("*2\r\n$1\r\n0\r\n"));
  EXPECT_EQ(Do("SCAN 0 COUNT 0"), ErrorOf(kSyntaxError));
  EXPECT_EQ(Do("SCAN 0 COUNT x"), ErrorOf(kNotAnInteger));
  EXPECT_EQ(Do("SCAN 0 COUNT"), ErrorOf(kSyntaxError));
  EXPECT_EQ(Do("SCAN 0 foo bar"), ErrorOf(kSyntaxError));
}

TEST_P(KeyCommandsTest, RandomKeyIsOneThatIsThere) {
  EXPECT_EQ(Do("RANDOMKEY"), kNil);
  Do("SET a 1");
  EXPECT_EQ(Do("RANDOMKEY"), BulkOf("a"));
  Do("HSET b f 1");
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) seen.insert(Do("RANDOMKEY"));
  EXPECT_EQ(seen, (std::set<std::string>{BulkOf("a"), BulkOf("b")}));
  Do("PEXPIRE a 1");
  redis_.Pass(std::chrono::milliseconds(1));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Do("RANDOMKEY"), BulkOf("b"));
}

TEST_P(KeyCommandsTest, FlushLeavesNothing) {
  for (int i = 0; i < 100; ++i) {
    Do("SET s" + std::to_string(i) + " v");
    Do("HSET h" + std::to_string(i) + " f v");
  }
  EXPECT_EQ(Do("FLUSHALL foo"), ErrorOf(kSyntaxError));
  EXPECT_EQ(Do("FLUSHALL ASYNC SYNC"), ErrorOf(kSyntaxError));
  EXPECT_EQ(Do("DBSIZE"), Number(200));
  EXPECT_EQ(Do("FLUSHALL"), kOkReply);
  EXPECT_EQ(Do("DBSIZE"), Number(0));
  EXPECT_EQ(Do("GET s7"), kNil);
  EXPECT_EQ(Do("SCAN 0"), "*2\r\n" + BulkOf("0") + "*0\r\n");
  Do("SET s7 v");
  EXPECT_EQ(Do("FLUSHDB async"), kOkReply);
  EXPECT_EQ(Do("FLUSHDB SYNC"), kOkReply);
  EXPECT_EQ(Do("KEYS *"), "*0\r\n");
}

TEST_P(KeyCommandsTest, FlushAndItsLikeLeaveOtherBucketsAlone) {
  const Bucket other{8};
  const KeyView row(other, "mine");
  Transaction transaction = redis_.store().Begin(std::span(&row, 1));
  transaction.Put(row, test::MakeObject("v"));
  ASSERT_OK(redis_.store().Commit(std::move(transaction)).status);
  Do("SET yours v");
  EXPECT_EQ(Do("DBSIZE"), Number(1));
  EXPECT_EQ(Do("KEYS *"), BulksOf({"yours"}));
  EXPECT_EQ(Do("FLUSHALL"), kOkReply);
  Transaction look = redis_.store().Begin(std::span(&row, 1));
  const Result<RowState> state = look.GetRow(row);
  ASSERT_OK(state);
  EXPECT_TRUE(state->exists());
}

TEST_P(KeyCommandsTest, SomeRowsAreDroppedAtATime) {
  for (int i = 0; i < 500; ++i) Do("SET s" + std::to_string(i) + " v");
  std::optional<Engine::RowName> from = Engine::RowName{};
  int transactions = 0;
  for (; from; ++transactions) {
    Transaction transaction = redis_.store().BeginAll();
    const auto next = DropSomeRows(transaction, kBucket, *from, 1000);
    ASSERT_OK(next);
    from = *next;
    EXPECT_LE(transaction.change_count(), 1000u / 80);
    ASSERT_OK(redis_.store().Commit(std::move(transaction)).status);
  }
  EXPECT_GE(transactions, 500 * 80 / 1000);
  EXPECT_EQ(Do("DBSIZE"), Number(0));
}

TEST_P(KeyCommandsTest, ObjectTellsWhatRedisWould) {
  EXPECT_EQ(Object("encoding", "none"), kNil);
  Do("SET i -9223372036854775808");
  Do("SET s 007");
  Run({"SET", "e", std::string(44, 'e')});
  Run({"SET", "r", std::string(45, 'r')});
  EXPECT_EQ(Object("encoding", "i"), BulkOf("int"));
  EXPECT_EQ(Object("encoding", "s"), BulkOf("embstr"));
  EXPECT_EQ(Object("encoding", "e"), BulkOf("embstr"));
  EXPECT_EQ(Object("encoding", "r"), BulkOf("raw"));
  std::vector<std::string> hset = {"HSET", "h"};
  for (int i = 0; i < 512; ++i) {
    hset.push_back("f" + std::to_string(i));
    hset.push_back("v");
  }
  Run(hset);
  EXPECT_EQ(Object("encoding", "h"), BulkOf("listpack"));
  Do("HSET h one more");
  EXPECT_EQ(Object("encoding", "h"), BulkOf("hashtable"));
  Run({"HSET", "g", "f", std::string(64, 'v')});
  EXPECT_EQ(Object("encoding", "g"), BulkOf("listpack"));
  Run({"HSET", "g", "f", std::string(65, 'v')});
  EXPECT_EQ(Object("encoding", "g"), BulkOf("hashtable"));
  Do("SET small 9999");
  Do("SET large 10000");
  EXPECT_EQ(Object("refcount", "small"), Number(2'147'483'647));
  EXPECT_EQ(Object("refcount", "large"), Number(1));
  EXPECT_EQ(Object("refcount", "h"), Number(1));
  EXPECT_EQ(Object("idletime", "h"), Number(0));
  EXPECT_EQ(Object("idletime", "none"), kNil);
  EXPECT_TRUE(Object("freq", "h").starts_with("-ERR An LFU maxmemory policy is not selected"));
  EXPECT_TRUE(Run({"object|help", "help"}).starts_with("*15\r\n+OBJECT <subcommand>"));
}

INSTANTIATE_TEST_SUITE_P(Stores, KeyCommandsTest, testing::ValuesIn(kStores), StoreKindName);

}  // namespace
}  // namespace cirein::resp
