// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "resp/command_harness.h"
#include "resp/keyspace.h"
#include "resp/scan_reply.h"
#include "support/seed.h"

namespace cirein::resp {
namespace {

class HashCommandsTest : public CommandTest {
 protected:
  HashCommandsTest() : CommandTest({HashCommands(), KeyCommands(), StringCommands()}) {}

  // All that HSCAN answers, page by page.
  std::multimap<std::string, std::string> ScanAll(const std::string& key,
                                                  const std::string& options) {
    std::multimap<std::string, std::string> fields;
    std::string cursor = "0";
    do {
      const ScanReply page = ScanReply::Read(Do("HSCAN " + key + " " + cursor + options));
      for (std::size_t i = 0; i + 1 < page.elements.size(); i += 2) {
        fields.emplace(page.elements[i], page.elements[i + 1]);
      }
      cursor = page.cursor;
    } while (cursor != "0");
    return fields;
  }
  void Fill(const std::string& key, int fields) {
    std::vector<std::string> command = {"HSET", key};
    for (int i = 0; i < fields; ++i) {
      command.push_back("field:" + std::to_string(i));
      command.push_back(std::to_string(i));
    }
    EXPECT_EQ(Run(command), Number(fields));
  }
};

TEST_P(HashCommandsTest, FieldsAreSetAndFound) {
  EXPECT_EQ(Do("HGET h f"), kNil);
  EXPECT_EQ(Do("HSET h f 1 g 2"), Number(2));
  EXPECT_EQ(Do("HSET h f 3 new 4"), Number(1));
  EXPECT_EQ(Do("HSET h twice 5 twice 6"), Number(1));
  EXPECT_EQ(Do("HGET h f"), BulkOf("3"));
  EXPECT_EQ(Do("HGET h none"), kNil);
  EXPECT_EQ(Do("HMGET h g none twice g"), ArrayOf({BulkOf("2"), kNil, BulkOf("6"), BulkOf("2")}));
  EXPECT_EQ(Do("HMGET none a b"), ArrayOf({kNil, kNil}));
  EXPECT_EQ(Do("HMSET h g 9 more 10"), kOkReply);
  EXPECT_EQ(Do("HLEN h"), Number(5));
  EXPECT_EQ(Do("HLEN none"), Number(0));
  EXPECT_EQ(Do("HSETNX h f 7"), Number(0));
  EXPECT_EQ(Do("HSETNX h nx 7"), Number(1));
  EXPECT_EQ(Do("HSETNX made f 7"), Number(1));
  EXPECT_EQ(Do("HGET made f"), BulkOf("7"));
  EXPECT_EQ(Do("HEXISTS h nx"), Number(1));
  EXPECT_EQ(Do("HEXISTS h none"), Number(0));
  EXPECT_EQ(Do("HEXISTS none f"), Number(0));
  EXPECT_EQ(Do("HSTRLEN h more"), Number(2));
  EXPECT_EQ(Do("HSTRLEN h none"), Number(0));
  EXPECT_EQ(Do("HSTRLEN none none"), Number(0));
}

TEST_P(HashCommandsTest, TheEmptyFieldIsAField) {
  EXPECT_EQ(Do("HSET h '' empty"), Number(1));
  EXPECT_EQ(Do("HGET h ''"), BulkOf("empty"));
  EXPECT_EQ(Do("HEXISTS h ''"), Number(1));
  EXPECT_EQ(Do("HSET h f ''"), Number(1));
  EXPECT_EQ(Do("HGETALL h"), BulksOf({"", "empty", "f", ""}));
  EXPECT_EQ(Do("HKEYS h"), BulksOf({"", "f"}));
  EXPECT_EQ(Do("HVALS h"), BulksOf({"empty", ""}));
  EXPECT_EQ(Do("HDEL h ''"), Number(1));
  EXPECT_EQ(Do("HGETALL h"), BulksOf({"f", ""}));
}

TEST_P(HashCommandsTest, TheLastFieldTakesTheKeyWithIt) {
  Do("HSET h f 1 g 2 i 3");
  EXPECT_EQ(Do("HDEL h f none f"), Number(1));
  EXPECT_EQ(Do("HDEL none f"), Number(0));
  EXPECT_EQ(Do("EXPIRE h 100"), Number(1));
  EXPECT_EQ(Do("HDEL h i g g"), Number(2));
  EXPECT_EQ(Do("EXISTS h"), Number(0));
  EXPECT_EQ(Do("TTL h"), Number(-2));
  EXPECT_EQ(Do("SET h string"), kOkReply);
  EXPECT_EQ(Do("TTL h"), Number(-1));
}

TEST_P(HashCommandsTest, LastFieldTakesAnObjectBesideTheColumnsToo) {
  Do("HSET h f 1");
  redis_.InTransaction("h", [](Transaction& transaction) {
    transaction.Put(KeyView(kBucket, "h"), test::MakeObject("native"));
  });
  EXPECT_EQ(Do("TYPE h"), "+hash\r\n");
  EXPECT_EQ(Do("HGETALL h"), BulksOf({"f", "1"}));
  EXPECT_EQ(Do("HLEN h"), Number(1));
  EXPECT_EQ(Do("GET h"), kWrongTypeReply);
  EXPECT_EQ(Do("HRANDFIELD h"), BulkOf("f"));
  EXPECT_EQ(Do("HDEL h f"), Number(1));
  EXPECT_EQ(Do("EXISTS h"), Number(0));
  EXPECT_EQ(Do("GET h"), kNil);
}

TEST_P(HashCommandsTest, AStringIsNoHash) {
  Do("SET s v");
  for (const std::string command :
       {"HSET s f v", "HMSET s f v", "HSETNX s f v", "HGET s f", "HMGET s f g", "HGETALL s",
        "HKEYS s", "HVALS s", "HDEL s f", "HEXISTS s f", "HLEN s", "HSTRLEN s f", "HINCRBY s f 1",
        "HINCRBYFLOAT s f 1", "HRANDFIELD s", "HRANDFIELD s 0", "HRANDFIELD s -2", "HSCAN s 0"}) {
    EXPECT_EQ(Do(command), kWrongTypeReply) << command;
  }
  EXPECT_EQ(Do("GET s"), BulkOf("v"));
}

TEST_P(HashCommandsTest, WhatRedisComplainsOfComesFirst) {
  Do("SET s v");
  EXPECT_EQ(Do("HSET s a 1 b"), ErrorOf("ERR wrong number of arguments for 'hset' command"));
  EXPECT_EQ(Do("HMSET h a 1 b"), ErrorOf("ERR wrong number of arguments for 'hmset' command"));
  EXPECT_EQ(Do("HINCRBY s f x"), ErrorOf(kNotAnInteger));
  EXPECT_EQ(Do("HINCRBYFLOAT s f x"), ErrorOf(kNotAFloat));
  EXPECT_EQ(Do("HINCRBYFLOAT s f inf"), ErrorOf("ERR value is NaN or Infinity"));
  EXPECT_EQ(Do("HSCAN s x"), ErrorOf("ERR invalid cursor"));
  EXPECT_EQ(Do("HSCAN s 0 foo"), kWrongTypeReply);
  EXPECT_EQ(Do("HSCAN none 0 foo"), "*2\r\n" + BulkOf("0") + "*0\r\n");
  EXPECT_EQ(Do("HRANDFIELD s x"), ErrorOf(kNotAnInteger));
  EXPECT_EQ(Do("HRANDFIELD s 1 foo"), ErrorOf(kSyntaxError));
  EXPECT_EQ(Do("HRANDFIELD s 1 WITHVALUES 2"), ErrorOf(kSyntaxError));
  EXPECT_EQ(Do("HRANDFIELD s 9223372036854775807 WITHVALUES"),
            ErrorOf("ERR value is out of range"));
  EXPECT_EQ(Do("HRANDFIELD s -9223372036854775808"),
            ErrorOf("ERR value is out of range, value must between -9223372036854775807 and "
                    "9223372036854775807"));
}

TEST_P(HashCommandsTest, WhatCannotBeStoredIsRefusedWhole) {
  const std::string long_field(65'536, 'f');
  const std::string longest_field(65'535, 'f');
  EXPECT_EQ(Run({"HSET", "h", "a", "1", long_field, "2"}), ErrorOf(kLongField));
  EXPECT_EQ(Run({"HSETNX", "h", long_field, "2"}), ErrorOf(kLongField));
  EXPECT_EQ(Run({"HINCRBY", "h", long_field, "2"}), ErrorOf(kLongField));
  EXPECT_EQ(Do("EXISTS h"), Number(0));
  EXPECT_EQ(Run({"HSET", "", "a", "1"}), ErrorOf(kEmptyKey));
  EXPECT_EQ(Run({"HSET", std::string(65'536, 'k'), "a", "1"}), ErrorOf(kLongKey));
  Do("HSET h a 1");
  EXPECT_EQ(Run({"HGET", "h", long_field}), kNil);
  EXPECT_EQ(Run({"HMGET", "h", long_field, "a"}), ArrayOf({kNil, BulkOf("1")}));
  EXPECT_EQ(Run({"HEXISTS", "h", long_field}), Number(0));
  EXPECT_EQ(Run({"HDEL", "h", long_field}), Number(0));
}

TEST_P(HashCommandsTest, NumbersGrow) {
  EXPECT_EQ(Do("HINCRBY h n 5"), Number(5));
  EXPECT_EQ(Do("HINCRBY h n -8"), Number(-3));
  EXPECT_EQ(Do("HGET h n"), BulkOf("-3"));
  Do("HSET h max 9223372036854775807 min -9223372036854775808 text abc zero 007");
  const std::string overflow = ErrorOf("ERR increment or decrement would overflow");
  EXPECT_EQ(Do("HINCRBY h max 1"), overflow);
  EXPECT_EQ(Do("HINCRBY h min -1"), overflow);
  EXPECT_EQ(Do("HINCRBY h max -9223372036854775807"), Number(0));
  EXPECT_EQ(Do("HINCRBY h text 1"), ErrorOf("ERR hash value is not an integer"));
  EXPECT_EQ(Do("HINCRBY h zero 1"), ErrorOf("ERR hash value is not an integer"));
  EXPECT_EQ(Do("HINCRBYFLOAT h x 10.5"), BulkOf("10.5"));
  EXPECT_EQ(Do("HINCRBYFLOAT h x 0.1"), BulkOf("10.6"));
  EXPECT_EQ(Do("HINCRBYFLOAT h x -10.6"), BulkOf("0"));
  EXPECT_EQ(Do("HINCRBYFLOAT h n 5.0e3"), BulkOf("4997"));
  EXPECT_EQ(Do("HGET h n"), BulkOf("4997"));
  EXPECT_EQ(Do("HINCRBYFLOAT h text 1"), ErrorOf("ERR hash value is not a float"));
  Do("HSET h inf inf");
  EXPECT_EQ(Do("HINCRBYFLOAT h inf 1"), ErrorOf("ERR increment would produce NaN or Infinity"));
  EXPECT_EQ(Do("HINCRBYFLOAT none f x"), ErrorOf(kNotAFloat));
  EXPECT_EQ(Do("EXISTS none"), Number(0));
}

TEST_P(HashCommandsTest, AllFieldsInBothProtocols) {
  EXPECT_EQ(Do("HGETALL none"), "*0\r\n");
  EXPECT_EQ(Do("HKEYS none"), "*0\r\n");
  Do("HSET h b 2 a 1");
  EXPECT_EQ(Do("HGETALL h"), BulksOf({"a", "1", "b", "2"}));
  redis_.set_protocol(Protocol::kResp3);
  EXPECT_EQ(Do("HGETALL h"), "%2\r\n" + BulkOf("a") + BulkOf("1") + BulkOf("b") + BulkOf("2"));
  EXPECT_EQ(Do("HGETALL none"), "%0\r\n");
  EXPECT_EQ(Do("HKEYS h"), BulksOf({"a", "b"}));
  EXPECT_EQ(Do("HVALS h"), BulksOf({"1", "2"}));
  EXPECT_EQ(Do("HGET h none"), kNil3);
  EXPECT_EQ(Do("HMGET h none"), ArrayOf({kNil3}));
  EXPECT_EQ(Do("HRANDFIELD none"), kNil3);
  EXPECT_EQ(Do("HRANDFIELD h 2 WITHVALUES"), ArrayOf({BulksOf({"a", "1"}), BulksOf({"b", "2"})}));
}

TEST_P(HashCommandsTest, LargeValuesComeBack) {
  const std::string large(100'000, 'x');
  redis_.set_body_bytes(1000);
  EXPECT_EQ(Run({"HSET", "h", "large", large, "small", "s"}), Number(2));
  EXPECT_EQ(Do("HGET h large"), BulkOf(large));
  EXPECT_EQ(Do("HSTRLEN h large"), Number(100'000));
  EXPECT_EQ(Do("HGETALL h"), BulksOf({"large", large, "small", "s"}));
  EXPECT_EQ(Do("RENAME h i"), kOkReply);
  EXPECT_EQ(Do("HGET i large"), BulkOf(large));
}

TEST_P(HashCommandsTest, FieldsThatExpireAreNotCounted) {
  Do("HSET h f 1");
  redis_.InTransaction("h", [this](Transaction& transaction) {
    KeyView column(kBucket, "h");
    column.has_column = true;
    column.column = "soon";
    transaction.Put(column, test::MakeObject("7"), redis_.now_ms() + 1000);
  });
  EXPECT_EQ(Do("HINCRBY h soon 1"), Number(8));  // And it expires when it would have.
  EXPECT_EQ(Do("HGETALL h"), BulksOf({"f", "1", "soon", "8"}));
  redis_.Pass(std::chrono::seconds(1));
  EXPECT_EQ(Do("HGETALL h"), BulksOf({"f", "1"}));
  EXPECT_EQ(Do("HLEN h"), Number(1));
  EXPECT_EQ(Do("HDEL h soon f"), Number(1));
  EXPECT_EQ(Do("EXISTS h"), Number(0));
}

TEST_P(HashCommandsTest, RandomFieldsAreOfTheHash) {
  EXPECT_EQ(Do("HRANDFIELD none"), kNil);
  EXPECT_EQ(Do("HRANDFIELD none 5"), "*0\r\n");
  Do("HSET h a 1 b 2 c 3");
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) seen.insert(Do("HRANDFIELD h"));
  EXPECT_EQ(seen, (std::set<std::string>{BulkOf("a"), BulkOf("b"), BulkOf("c")}));
  EXPECT_EQ(Do("HRANDFIELD h 0"), "*0\r\n");
  EXPECT_EQ(Do("HRANDFIELD h 5"), BulksOf({"a", "b", "c"}));
  EXPECT_EQ(Do("HRANDFIELD h 3 withvalues"), BulksOf({"a", "1", "b", "2", "c", "3"}));
  std::set<std::string> pairs;
  for (int i = 0; i < 200; ++i) pairs.insert(Do("HRANDFIELD h 2"));
  EXPECT_EQ(pairs,
            (std::set<std::string>{BulksOf({"a", "b"}), BulksOf({"a", "c"}), BulksOf({"b", "c"})}));
  EXPECT_TRUE(Do("HRANDFIELD h -7").starts_with("*7\r\n"));
  EXPECT_TRUE(Do("HRANDFIELD h -7 WITHVALUES").starts_with("*14\r\n"));
  EXPECT_EQ(Do("HRANDFIELD h -9223372036854775807"), ErrorOf("ERR value is out of range"));
}

TEST_P(HashCommandsTest, ASmallHashIsScannedAtOnce) {
  Fill("h", 512);
  const ScanReply page = ScanReply::Read(Do("HSCAN h 0 COUNT 1"));
  EXPECT_EQ(page.cursor, "0");
  EXPECT_EQ(page.elements.size(), 1024u);
  EXPECT_EQ(ScanReply::Read(Do("HSCAN h 12345")).elements.size(), 1024u);
  EXPECT_EQ(ScanAll("h", " MATCH field:1?").size(), 10u);
  EXPECT_EQ(Do("HSCAN h 0 COUNT 0"), ErrorOf(kSyntaxError));
  EXPECT_EQ(Do("HSCAN h 0 TYPE hash"), ErrorOf(kSyntaxError));
}

TEST_P(HashCommandsTest, ALargeHashIsScannedInPages) {
  Fill("h", 700);
  const ScanReply page = ScanReply::Read(Do("HSCAN h 0 COUNT 20"));
  EXPECT_NE(page.cursor, "0");
  EXPECT_EQ(page.elements.size(), 40u);
  for (const std::string options : {"", " COUNT 1", " COUNT 333", " COUNT 9223372036854775807"}) {
    const auto fields = ScanAll("h", options);
    EXPECT_EQ(fields.size(), 700u) << options;
    for (int i = 0; i < 700; ++i) {
      const auto field = fields.find("field:" + std::to_string(i));
      ASSERT_NE(field, fields.end()) << i << options;
      EXPECT_EQ(field->second, std::to_string(i));
    }
  }
  EXPECT_EQ(ScanAll("h", " MATCH field:7 COUNT 50").size(), 1u);
}

TEST_P(HashCommandsTest, AScanFindsWhatStaysWhileOthersComeAndGo) {
  Random random(test::Seed());
  Fill("h", 600);
  std::string cursor = "0";
  std::map<std::string, int> seen;
  do {
    const ScanReply page = ScanReply::Read(Do("HSCAN h " + cursor + " COUNT 15"));
    for (std::size_t i = 0; i < page.elements.size(); i += 2) ++seen[page.elements[i]];
    cursor = page.cursor;
    for (int i = 0; i < 5; ++i) {
      Do("HDEL h field:" + std::to_string(300 + random.Below(300)));
      Do("HSET h come:" + std::to_string(random.Below(10'000)) + " v");
    }
  } while (cursor != "0");
  for (int i = 0; i < 300; ++i) EXPECT_GE(seen["field:" + std::to_string(i)], 1) << i;
}

INSTANTIATE_TEST_SUITE_P(Stores, HashCommandsTest, testing::ValuesIn(kStores), StoreKindName);

}  // namespace
}  // namespace cirein::resp
