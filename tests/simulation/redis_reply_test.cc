// SPDX-License-Identifier: Apache-2.0
#include "simulation/redis_reply.h"

#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace cirein::simulation {
namespace {

Result<std::optional<RedisReply>> Parse(std::string_view bytes) {
  RedisReplyParser parser;
  parser.Append(bytes);
  return parser.Next();
}

TEST(RedisReplyTest, AnIntegerMayBeTheLeastOrTheGreatest) {
  for (const std::string_view digits : {"-9223372036854775808", "9223372036854775807", "0"}) {
    const auto reply = Parse(":" + std::string(digits) + "\r\n");
    ASSERT_TRUE(reply.ok() && *reply) << digits;
    EXPECT_EQ((*reply)->kind, RedisReply::Kind::kInteger);
    EXPECT_EQ((*reply)->text, digits);
  }
}

TEST(RedisReplyTest, WhatIsNoIntegerIsNoReply) {
  for (const std::string_view digits :
       {"9223372036854775808", "-9223372036854775809", "-", "", "1a"}) {
    EXPECT_EQ(Parse(":" + std::string(digits) + "\r\n").status().code(), StatusCode::kDataLoss)
        << digits;
  }
}

TEST(RedisReplyTest, ALengthIsNeverTrusted) {
  for (const std::string_view digits : {"-9223372036854775808", "-2", "9223372036854775807"}) {
    EXPECT_EQ(Parse("$" + std::string(digits) + "\r\n").status().code(), StatusCode::kDataLoss)
        << digits;
    EXPECT_EQ(Parse("*" + std::string(digits) + "\r\n").status().code(), StatusCode::kDataLoss)
        << digits;
  }
}

}  // namespace
}  // namespace cirein::simulation
