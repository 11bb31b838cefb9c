// SPDX-License-Identifier: Apache-2.0
#include "resp/reply_writer.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "resp/command_harness.h"

namespace cirein::resp {
namespace {

using Write = std::function<void(ReplyWriter&)>;

std::string Reply(Protocol protocol, const Write& write) {
  OutputBuffer output;
  ReplyWriter writer(output, protocol);
  write(writer);
  return CommandHarness::TakeAll(output);
}

void ExpectReplies(const std::string& resp2, const std::string& resp3, const Write& write) {
  EXPECT_EQ(Reply(Protocol::kResp2, write), resp2);
  EXPECT_EQ(Reply(Protocol::kResp3, write), resp3);
}
void ExpectReply(const std::string& both, const Write& write) { ExpectReplies(both, both, write); }

TEST(ReplyWriterTest, WhatBothProtocolsHave) {
  ExpectReply("+OK\r\n", [](ReplyWriter& reply) { reply.Ok(); });
  ExpectReply("+PONG\r\n", [](ReplyWriter& reply) { reply.Simple("PONG"); });
  ExpectReply("-ERR no\r\n", [](ReplyWriter& reply) { reply.Error("ERR no"); });
  ExpectReply(":0\r\n", [](ReplyWriter& reply) { reply.Integer(0); });
  ExpectReply(":-9223372036854775808\r\n",
              [](ReplyWriter& reply) { reply.Integer(std::numeric_limits<std::int64_t>::min()); });
  ExpectReply(":9223372036854775807\r\n",
              [](ReplyWriter& reply) { reply.Integer(std::numeric_limits<std::int64_t>::max()); });
  ExpectReply("$2\r\nab\r\n", [](ReplyWriter& reply) { reply.Bulk("ab"); });
  ExpectReply("$0\r\n\r\n", [](ReplyWriter& reply) { reply.Bulk(std::string_view()); });
  ExpectReply("$3\r\n-12\r\n", [](ReplyWriter& reply) { reply.BulkInteger(-12); });
  ExpectReply("*0\r\n", [](ReplyWriter& reply) { reply.Array(0); });
  ExpectReply("*12\r\n", [](ReplyWriter& reply) { reply.Array(12); });
}

TEST(ReplyWriterTest, WhatResp2DoesNotHave) {
  ExpectReplies("$-1\r\n", "_\r\n", [](ReplyWriter& reply) { reply.Null(); });
  ExpectReplies("*-1\r\n", "_\r\n", [](ReplyWriter& reply) { reply.NullArray(); });
  ExpectReplies("*6\r\n", "%3\r\n", [](ReplyWriter& reply) { reply.Map(3); });
  ExpectReplies("*3\r\n", "~3\r\n", [](ReplyWriter& reply) { reply.Set(3); });
  ExpectReplies("*3\r\n", ">3\r\n", [](ReplyWriter& reply) { reply.Push(3); });
  ExpectReplies(":1\r\n", "#t\r\n", [](ReplyWriter& reply) { reply.Boolean(true); });
  ExpectReplies(":0\r\n", "#f\r\n", [](ReplyWriter& reply) { reply.Boolean(false); });
  ExpectReplies("$3\r\nabc\r\n", "=7\r\ntxt:abc\r\n",
                [](ReplyWriter& reply) { reply.Verbatim("txt", "abc"); });
}

TEST(ReplyWriterTest, Doubles) {
  const auto expect = [](const std::string& text, double value) {
    ExpectReplies("$" + std::to_string(text.size()) + "\r\n" + text + "\r\n", "," + text + "\r\n",
                  [=](ReplyWriter& reply) { reply.Double(value); });
  };
  expect("0", 0);
  expect("1.5", 1.5);
  expect("0.10000000000000001", 0.1);
  expect("1e+100", 1e100);
  expect("-123456789", -123456789);
  expect("inf", std::numeric_limits<double>::infinity());
  expect("-inf", -std::numeric_limits<double>::infinity());
  expect("nan", std::numeric_limits<double>::quiet_NaN());
}

TEST(ReplyWriterTest, AnErrorIsOneLine) {
  ExpectReply("-ERR a  b c\r\n", [](ReplyWriter& reply) { reply.Error("ERR a\r\nb\nc\r\n"); });
}

TEST(ReplyWriterTest, BulksOfAnySize) {
  for (const std::size_t bytes :
       {std::size_t{1}, std::size_t{4095}, std::size_t{4096}, std::size_t{4097},
        OutputBuffer::kHeldBytes, OutputBuffer::kHeldBytes + 1, std::size_t{1} << 20}) {
    const std::string text(bytes, 'v');
    const std::string expected = "$" + std::to_string(bytes) + "\r\n" + text + "\r\n:1\r\n";
    ExpectReply(expected, [&](ReplyWriter& reply) {
      reply.Bulk(std::string_view(text));
      reply.Integer(1);
    });
    ExpectReply(expected, [&](ReplyWriter& reply) {
      reply.Bulk(test::MakeObject(text));
      reply.Integer(1);
    });
  }
}

TEST(ReplyWriterTest, TheProtocolMayChange) {
  OutputBuffer output;
  ReplyWriter writer(output, Protocol::kResp2);
  writer.Null();
  writer.set_protocol(Protocol::kResp3);
  EXPECT_EQ(writer.protocol(), Protocol::kResp3);
  writer.Null();
  EXPECT_EQ(CommandHarness::TakeAll(output), "$-1\r\n_\r\n");
}

}  // namespace
}  // namespace cirein::resp
