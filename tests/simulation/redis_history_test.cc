// SPDX-License-Identifier: Apache-2.0
#include "simulation/redis_history.h"

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cirein::simulation {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

// Calls on the keys of group 0; times in milliseconds.
class RedisHistoryTest : public testing::Test {
 protected:
  using Answers = std::vector<std::string>;
  struct From {
    int begin_ms;
    int end_ms;
    const char* connection = "k1";
  };

  void SetUp() override {
    for (const char* name : {"k1", "k2", "k3"}) EXPECT_EQ(history_.NewConnection(), name);
  }

  static TimePoint At(int ms) { return 1h + std::chrono::milliseconds(ms); }
  OperationId Begin(From from, RedisCall call) {
    return history_.Begin({{0}, from.connection, 0}, std::move(call), At(from.begin_ms));
  }
  OperationId Call(From from, RedisWords words, std::string answer) {
    const OperationId id = Begin(from, {.commands = {std::move(words)}});
    history_.End(id, {std::move(answer)}, At(from.end_ms));
    return id;
  }
  OperationId Exec(From from, std::vector<RedisWords> commands, Answers answers,
                   std::optional<OperationId> watch = std::nullopt) {
    const OperationId id =
        Begin(from, {.commands = std::move(commands), .is_exec = true, .watch = watch});
    history_.End(id, std::move(answers), At(from.end_ms));
    return id;
  }
  OperationId Unknown(int begin_ms, RedisWords words, const char* connection = "k3") {
    return Begin({begin_ms, 0, connection}, {.commands = {std::move(words)}});
  }
  std::string Judged() const { return JudgeRedis(history_, {.expiry_margin = 10ms}); }

  RedisHistory history_;
};

TEST_F(RedisHistoryTest, OneAfterTheOther) {
  Call({0, 1}, {"SET", "s", "a"}, "+OK");
  Call({2, 3}, {"APPEND", "s", "b"}, ":2");
  Call({4, 5}, {"GET", "s"}, "\"ab\"");
  Call({6, 7}, {"HSET", "h", "f", "1", "g", "2"}, ":2");
  Call({8, 9}, {"HGETALL", "h"}, "[\"f\" \"1\", \"g\" \"2\"]");
  Call({10, 11}, {"DEL", "s", "h"}, ":2");
  Call({12, 13}, {"KEYS", "*"}, "[]");
  EXPECT_THAT(Judged(), IsEmpty());
}

TEST_F(RedisHistoryTest, WhatWasAnsweredIsNotLost) {
  Call({0, 1}, {"INCRBY", "n", "5"}, ":5");
  Call({2, 3}, {"GET", "n"}, "nil");
  EXPECT_THAT(Judged(), HasSubstr("not linearizable"));
}

TEST_F(RedisHistoryTest, ACounterCountsWhatIsUnknownOnceOrNever) {
  Call({0, 1}, {"INCRBY", "n", "5"}, ":5");
  Unknown(2, {"INCRBY", "n", "2"});
  Call({4, 5}, {"GET", "n"}, "\"5\"");
  Call({6, 7}, {"GET", "n"}, "\"7\"");
  EXPECT_THAT(Judged(), IsEmpty());
  Call({8, 9}, {"GET", "n"}, "\"9\"");
  EXPECT_THAT(Judged(), HasSubstr("GET n would be answered"));
}

TEST_F(RedisHistoryTest, WhatIsUnknownMayHaveWaitedUntilItMattered) {
  Unknown(0, {"DEL", "s"});
  Call({2, 3}, {"GET", "s"}, "nil");
  Call({4, 5}, {"SET", "s", "a"}, "+OK");
  Call({6, 7}, {"GET", "s"}, "nil");
  EXPECT_THAT(Judged(), IsEmpty());
}

TEST_F(RedisHistoryTest, WhatIsUnknownEndsWithItsConnection) {
  Unknown(0, {"SET", "s", "late"});
  history_.ConnectionEnded("k3", At(1));
  Call({2, 3}, {"GET", "s"}, "nil");
  EXPECT_THAT(Judged(), IsEmpty());
  Call({4, 5}, {"GET", "s"}, "\"late\"");
  EXPECT_THAT(Judged(), HasSubstr("not linearizable"));
}

TEST_F(RedisHistoryTest, WhatIsUnknownEndsWithTheServer) {
  Unknown(0, {"SET", "s", "late"});
  history_.ServerStarted(At(1));
  ASSERT_EQ(history_.NewConnection(), "k4");
  Call({2, 3, "k4"}, {"GET", "s"}, "nil");
  Call({4, 5, "k4"}, {"GET", "s"}, "\"late\"");
  EXPECT_THAT(Judged(), HasSubstr("not linearizable"));
}

TEST_F(RedisHistoryTest, WhatIsAskedOfOneThatIsGoneIsNeverDone) {
  history_.ServerStarted(At(1));
  Unknown(2, {"SET", "s", "late"});
  ASSERT_EQ(history_.NewConnection(), "k4");
  Call({4, 5, "k4"}, {"GET", "s"}, "\"late\"");
  EXPECT_THAT(Judged(), HasSubstr("not linearizable"));
}

TEST_F(RedisHistoryTest, AConnectionKeepsItsOrder) {
  Unknown(0, {"SET", "a", "1"});
  Unknown(0, {"SET", "b", "1"});
  Call({2, 3}, {"MGET", "a", "b"}, "[nil, \"1\"]");
  EXPECT_THAT(Judged(), HasSubstr("not linearizable"));
}

TEST_F(RedisHistoryTest, TransactionsAreWhole) {
  Exec({0, 10}, {{"SET", "a", "1"}, {"SET", "b", "1"}}, {"+OK", "+OK"});
  Call({2, 3, "k2"}, {"MGET", "a", "b"}, "[nil, nil]");
  Call({4, 5, "k2"}, {"MGET", "a", "b"}, "[\"1\", \"1\"]");
  EXPECT_THAT(Judged(), IsEmpty());
  Exec({20, 30}, {{"SET", "a", "2"}, {"SET", "b", "2"}}, {"+OK", "+OK"});
  Call({22, 23, "k2"}, {"MGET", "a", "b"}, "[\"2\", \"1\"]");
  EXPECT_THAT(Judged(), HasSubstr("not linearizable"));
}

TEST_F(RedisHistoryTest, AWatchIsKept) {
  const OperationId good = Call({0, 1}, {"WATCH", "s"}, "+OK");
  Call({2, 3, "k2"}, {"SET", "s", "other"}, "+OK");
  Exec({4, 5}, {{"SET", "s", "mine"}, {"GET", "s"}}, {"nil"}, good);
  Call({6, 7}, {"GET", "s"}, "\"other\"");
  EXPECT_THAT(Judged(), IsEmpty());
  const OperationId bad = Call({10, 11}, {"WATCH", "s"}, "+OK");
  Call({12, 13, "k2"}, {"SET", "s", "another"}, "+OK");
  Exec({14, 15}, {{"SET", "s", "mine"}, {"GET", "s"}}, {"+OK", "\"mine\""}, bad);
  EXPECT_THAT(Judged(), HasSubstr("it must be given up"));
}

TEST_F(RedisHistoryTest, AnExecIsNotGivenUpForNothing) {
  const OperationId watch = Call({0, 1}, {"WATCH", "s"}, "+OK");
  Call({2, 3, "k2"}, {"SET", "t", "other"}, "+OK");
  Exec({4, 5}, {{"SET", "s", "mine"}, {"GET", "s"}}, {"nil"}, watch);
  EXPECT_THAT(Judged(), HasSubstr("it must not be given up"));
}

TEST_F(RedisHistoryTest, AKeyExpiresOnceAndInTime) {
  Call({0, 1}, {"SET", "s", "a", "PX", "100"}, "+OK");
  Call({50, 51}, {"PTTL", "s"}, ":50");
  Call({95, 96}, {"GET", "s"}, "nil");
  EXPECT_THAT(Judged(), IsEmpty());
  Call({97, 98}, {"GET", "s"}, "\"a\"");
  EXPECT_THAT(Judged(), HasSubstr("not linearizable"));
}

TEST_F(RedisHistoryTest, AKeyThatShouldHaveExpiredIsNoticed) {
  Call({0, 1}, {"SET", "s", "a", "PX", "100"}, "+OK");
  Call({120, 121}, {"GET", "s"}, "\"a\"");
  EXPECT_THAT(Judged(), HasSubstr("not linearizable"));
}

TEST_F(RedisHistoryTest, AKeyDoesNotExpireEarly) {
  Call({0, 1}, {"SET", "s", "a"}, "+OK");
  Call({10, 11}, {"PEXPIRE", "s", "100"}, ":1");
  Call({50, 51}, {"GET", "s"}, "nil");
  EXPECT_THAT(Judged(), HasSubstr("not linearizable"));
}

TEST_F(RedisHistoryTest, ATimeToLiveThatWasTakenBackEndsNothing) {
  Call({0, 1}, {"SET", "s", "a", "PX", "100"}, "+OK");
  Call({10, 11}, {"RENAME", "s", "t"}, "+OK");
  Call({12, 13}, {"PTTL", "t"}, ":85");
  Call({20, 21}, {"PERSIST", "t"}, ":1");
  Call({500, 501}, {"GET", "t"}, "\"a\"");
  EXPECT_THAT(Judged(), IsEmpty());
  Call({510, 511}, {"PTTL", "t"}, ":20");
  EXPECT_THAT(Judged(), HasSubstr("not linearizable"));
}

TEST_F(RedisHistoryTest, WhatWasRefusedDidNothing) {
  Call({0, 1}, {"SET", "s", "a"}, "-OOM the pool is full");
  Exec({2, 3}, {{"SET", "a", "1"}, {"SET", "b", "1"}}, {"-OOM the pool is full", "+OK"});
  Call({4, 5}, {"MGET", "s", "a", "b"}, "[nil, nil, \"1\"]");
  EXPECT_THAT(Judged(), IsEmpty());
}

}  // namespace
}  // namespace cirein::simulation
