// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "resp/command_harness.h"

namespace cirein::resp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Each rule for a string and for a hash.
class ExpireCommandsTest : public CommandTest {
 protected:
  ExpireCommandsTest() : CommandTest({KeyCommands(), HashCommands(), StringCommands()}) {
    Do("SET s v");
    Do("HSET h f 1 g 2");
  }
};

TEST_P(ExpireCommandsTest, AKeyIsGoneWhenItsTimeHasCome) {
  for (const std::string key : {"s", "h"}) {
    EXPECT_EQ(Do("TTL " + key), Number(-1));
    EXPECT_EQ(Do("EXPIRE " + key + " 10"), Number(1));
    EXPECT_EQ(Do("TTL " + key), Number(10));
    EXPECT_EQ(Do("PTTL " + key), Number(10'000));
  }
  redis_.Pass(milliseconds(9'400));
  for (const std::string key : {"s", "h"}) {
    EXPECT_EQ(Do("TTL " + key), Number(1));
    EXPECT_EQ(Do("PTTL " + key), Number(600));
    EXPECT_EQ(Do("EXISTS " + key), Number(1));
  }
  EXPECT_EQ(Do("HGET h g"), BulkOf("2"));
  redis_.Pass(milliseconds(600));
  for (const std::string key : {"s", "h"}) {
    EXPECT_EQ(Do("EXISTS " + key), Number(0));
    EXPECT_EQ(Do("TTL " + key), Number(-2));
    EXPECT_EQ(Do("PTTL " + key), Number(-2));
    EXPECT_EQ(Do("EXPIRETIME " + key), Number(-2));
    EXPECT_EQ(Do("PERSIST " + key), Number(0));
  }
  EXPECT_EQ(Do("HGET h g"), kNil);
  EXPECT_EQ(Do("HLEN h"), Number(0));
  EXPECT_EQ(Do("GET s"), kNil);
  EXPECT_EQ(Do("DBSIZE"), Number(0));
}

TEST_P(ExpireCommandsTest, AHashThatIsMadeAnewDoesNotExpire) {
  Do("EXPIRE h 1");
  redis_.Pass(seconds(2));
  EXPECT_EQ(Do("HSET h f 1"), Number(1));
  EXPECT_EQ(Do("TTL h"), Number(-1));
  Do("EXPIRE h 1");
  EXPECT_EQ(Do("HDEL h f"), Number(1));
  EXPECT_EQ(Do("HSET h f 2"), Number(1));
  EXPECT_EQ(Do("TTL h"), Number(-1));
  redis_.Pass(seconds(2));
  EXPECT_EQ(Do("HGET h f"), BulkOf("2"));
}

TEST_P(ExpireCommandsTest, ChangesOfFieldsKeepTheExpiry) {
  Do("EXPIRE h 100");
  Do("HSET h f 7 new 8");
  Do("HINCRBY h f 1");
  Do("HDEL h g");
  EXPECT_EQ(Do("TTL h"), Number(100));
  redis_.Pass(seconds(100));
  EXPECT_EQ(Do("HGETALL h"), "*0\r\n");
}

TEST_P(ExpireCommandsTest, WallTimesAreToldAsTheyWereSet) {
  const std::int64_t now_s = static_cast<std::int64_t>(redis_.now_ms() / 1000);
  const std::string later = std::to_string(now_s + 50);
  const std::string later_ms = std::to_string((now_s + 50) * 1000 + 499);
  for (const std::string key : {"s", "h"}) {
    EXPECT_EQ(Do("EXPIREAT " + key + " " + later), Number(1));
    EXPECT_EQ(Do("EXPIRETIME " + key), Number(now_s + 50));
    EXPECT_EQ(Do("PEXPIRETIME " + key), Number((now_s + 50) * 1000));
    EXPECT_EQ(Do("PEXPIREAT " + key + " " + later_ms), Number(1));
    EXPECT_EQ(Do("PEXPIRETIME " + key), Number((now_s + 50) * 1000 + 499));
    EXPECT_EQ(Do("EXPIRETIME " + key), Number(now_s + 50));
    EXPECT_EQ(Do("PERSIST " + key), Number(1));
    EXPECT_EQ(Do("PERSIST " + key), Number(0));
    EXPECT_EQ(Do("EXPIRETIME " + key), Number(-1));
    EXPECT_EQ(Do("TYPE " + key), key == "s" ? "+string\r\n" : "+hash\r\n");
  }
  EXPECT_EQ(Do("GET s"), BulkOf("v"));
}

TEST_P(ExpireCommandsTest, ATimeThatHasComeDeletes) {
  for (const std::string command : {"EXPIRE k 0", "EXPIRE k -5", "PEXPIRE k -1", "EXPIREAT k 1",
                                    "PEXPIREAT k 0", "PEXPIREAT k -9223372036854775808"}) {
    Do("SET k v");
    EXPECT_EQ(Do(command), Number(1)) << command;
    EXPECT_EQ(Do("EXISTS k"), Number(0)) << command;
    Do("HSET k f v");
    EXPECT_EQ(Do(command), Number(1)) << command;
    EXPECT_EQ(Do("EXISTS k"), Number(0)) << command;
  }
  EXPECT_EQ(Do("EXPIRE nosuch 10"), Number(0));
}

TEST_P(ExpireCommandsTest, FarTimesAreKept) {
  std::vector<std::int64_t> times_ms = {7'258'118'400'499};
  // In DRAM what is further away than 292 years is never.
  if (GetParam().name == std::string("Node")) times_ms.push_back(9'223'372'036'854'775'807);
  for (const std::int64_t time_ms : times_ms) {
    for (const std::string key : {"s", "h"}) {
      EXPECT_EQ(Do("PEXPIREAT " + key + " " + std::to_string(time_ms)), Number(1));
      EXPECT_EQ(Do("PEXPIRETIME " + key), Number(time_ms));
      EXPECT_EQ(Do("EXPIRETIME " + key), Number(time_ms / 1000 + (time_ms % 1000 >= 500 ? 1 : 0)));
      redis_.Pass(seconds(1));
      EXPECT_EQ(Do("EXISTS " + key), Number(1));
    }
  }
}

TEST_P(ExpireCommandsTest, ConditionsHoldBackAChange) {
  for (const std::string key : {"s", "h"}) {
    EXPECT_EQ(Do("EXPIRE " + key + " 10 XX"), Number(0));
    EXPECT_EQ(Do("EXPIRE " + key + " 10 GT"), Number(0));  // Never is later than all.
    EXPECT_EQ(Do("EXPIRE " + key + " 100 nx"), Number(1));
    EXPECT_EQ(Do("EXPIRE " + key + " 10 NX"), Number(0));
    EXPECT_EQ(Do("EXPIRE " + key + " 100 GT"), Number(0));
    EXPECT_EQ(Do("EXPIRE " + key + " 100 LT"), Number(0));
    EXPECT_EQ(Do("EXPIRE " + key + " 200 XX GT"), Number(1));
    EXPECT_EQ(Do("EXPIRE " + key + " 50 LT XX LT"), Number(1));
    EXPECT_EQ(Do("TTL " + key), Number(50));
    EXPECT_EQ(Do("EXPIRE " + key + " -1 GT"), Number(0));
    EXPECT_EQ(Do("EXPIRE " + key + " -1 LT"), Number(1));
    EXPECT_EQ(Do("EXISTS " + key), Number(0));
    Do("HSET " + key + " f v");
    EXPECT_EQ(Do("EXPIRE " + key + " 10 LT"), Number(1));
  }
}

TEST_P(ExpireCommandsTest, ErrorsAreRediss) {
  const std::string incompatible =
      ErrorOf("ERR NX and XX, GT or LT options at the same time are not compatible");
  EXPECT_EQ(Do("EXPIRE s x foo\r\n"), ErrorOf("ERR Unsupported option foo"));
  EXPECT_EQ(Do("EXPIRE s x NX GT"), incompatible);
  EXPECT_EQ(Do("EXPIRE s x NX XX"), incompatible);
  EXPECT_EQ(Do("EXPIRE s x LT GT"),
            ErrorOf("ERR GT and LT options at the same time are not compatible"));
  EXPECT_EQ(Do("EXPIRE nosuch x"), ErrorOf(kNotAnInteger));
  EXPECT_EQ(Do("EXPIRE s 9223372036854776"),
            ErrorOf("ERR invalid expire time in 'expire' command"));
  EXPECT_EQ(Do("EXPIRE s -9223372036854776"),
            ErrorOf("ERR invalid expire time in 'expire' command"));
  EXPECT_EQ(Do("PEXPIRE s 9223372036854775807"),
            ErrorOf("ERR invalid expire time in 'pexpire' command"));
  EXPECT_EQ(Do("EXPIREAT s 9223372036854776"),
            ErrorOf("ERR invalid expire time in 'expireat' command"));
  EXPECT_EQ(Do("TTL s"), Number(-1));
}

TEST_P(ExpireCommandsTest, WhatIsLeftOfAHashExpiresAsItDid) {
  redis_.InTransaction("h", [](Transaction& transaction) {
    transaction.Put(KeyView(kBucket, "h"), test::MakeObject("native"));
  });
  EXPECT_EQ(Do("TYPE h"), "+hash\r\n");
  Do("EXPIRE h 10");
  EXPECT_EQ(Do("TTL h"), Number(10));
  redis_.Pass(seconds(10));
  EXPECT_EQ(Do("EXISTS h"), Number(0));
  EXPECT_EQ(Do("GET h"), kNil);
}

INSTANTIATE_TEST_SUITE_P(Stores, ExpireCommandsTest, testing::ValuesIn(kStores), StoreKindName);

}  // namespace
}  // namespace cirein::resp
