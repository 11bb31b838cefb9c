// SPDX-License-Identifier: Apache-2.0
#include "resp/reply_parser.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "support/seed.h"

namespace cirein::resp {
namespace {

// What was understood, as text that shows all of it.
std::string Shown(const Reply& reply) {
  std::string text;
  switch (reply.kind) {
    case Reply::Kind::kNull:
      return "null";
    case Reply::Kind::kSimple:
      return "+" + std::string(reply.text());
    case Reply::Kind::kError:
      return "-" + std::string(reply.text());
    case Reply::Kind::kInteger:
      return std::to_string(reply.integer);
    case Reply::Kind::kBulk:
      return "'" + std::string(reply.text()) + "'";
    case Reply::Kind::kArray:
      text = "[";
      break;
    case Reply::Kind::kMap:
      text = "{";
      break;
    case Reply::Kind::kPush:
      text = ">";
      break;
  }
  for (const Reply& element : reply.elements) text += Shown(element) + ",";
  return text + ";";
}

struct Understood {
  std::vector<std::string> replies;
  std::string error;
};

void Feed(ReplyParser& parser, std::string_view bytes, Understood* understood) {
  const auto take = [&] {
    Reply reply;
    for (;;) {
      const ReplyParser::Outcome outcome = parser.Next(&reply);
      if (outcome == ReplyParser::Outcome::kReply) {
        understood->replies.push_back(Shown(reply));
        continue;
      }
      if (outcome == ReplyParser::Outcome::kError) understood->error = parser.error();
      return;
    }
  };
  take();
  while (!bytes.empty() && understood->error.empty()) {
    const auto window = parser.window();
    ASSERT_FALSE(window.empty());
    const std::size_t count = std::min(window.size(), bytes.size());
    std::memcpy(window.data(), bytes.data(), count);
    parser.Received(count);
    bytes.remove_prefix(count);
    take();
  }
}

Understood Understand(std::string_view bytes, const ReplyParser::Limits& limits = {}) {
  ReplyParser parser(limits);
  Understood understood;
  Feed(parser, bytes, &understood);
  return understood;
}

std::string Bulk(const std::string& bytes) {
  return "$" + std::to_string(bytes.size()) + "\r\n" + bytes + "\r\n";
}

const std::string& AllKinds() {
  static const std::string& text =
      *new std::string("+OK\r\n-ERR no\r\n:-7\r\n#t\r\n_\r\n$-1\r\n*-1\r\n*0\r\n,1.5\r\n" +
                       Bulk("") + Bulk(std::string("a\0\r\nb", 5)) + "!5\r\nERR x\r\n" +
                       "*3\r\n:1\r\n*2\r\n$1\r\na\r\n_\r\n%1\r\n+k\r\n~1\r\n:2\r\n" +
                       ">3\r\n$11\r\ncirein.want\r\n:1\r\n%1\r\n$3\r\nrow\r\n$1\r\nr\r\n:9\r\n");
  return text;
}
const std::vector<std::string>& AllKindsShown() {
  static const std::vector<std::string>& shown =
      *new std::vector<std::string>{"+OK",
                                    "-ERR no",
                                    "-7",
                                    "1",
                                    "null",
                                    "null",
                                    "null",
                                    "[;",
                                    "+1.5",
                                    "''",
                                    std::string("'a\0\r\nb'", 7),
                                    "-ERR x",
                                    "[1,['a',null,;,{+k,[2,;,;,;",
                                    ">'cirein.want',1,{'row','r',;,;",
                                    "9"};
  return shown;
}

TEST(ReplyParserTest, UnderstandsEveryKind) {
  const Understood understood = Understand(AllKinds());
  EXPECT_EQ(understood.error, "");
  EXPECT_EQ(understood.replies, AllKindsShown());
}

TEST(ReplyParserTest, ItDoesNotMatterWhereTheBytesAreParted) {
  const std::string& bytes = AllKinds();
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    ReplyParser parser;
    Understood understood;
    Feed(parser, std::string_view(bytes).substr(0, split), &understood);
    Feed(parser, std::string_view(bytes).substr(split), &understood);
    EXPECT_EQ(understood.replies, AllKindsShown()) << split;
  }
  ReplyParser parser;
  Understood understood;
  for (const char byte : bytes) Feed(parser, {&byte, 1}, &understood);
  EXPECT_EQ(understood.replies, AllKindsShown());
}

TEST(ReplyParserTest, ALargeBulkHasABodyWhereverItIsParted) {
  std::mt19937_64 random(test::Seed());
  std::string large((std::size_t{300} << 10) + 7, '\0');
  for (char& byte : large) byte = static_cast<char>(random());
  const std::string bytes = "*2\r\n:1\r\n" + Bulk(large) + ":5\r\n";
  for (int round = 0; round < 50; ++round) {
    ReplyParser parser;
    std::vector<Reply> replies;
    for (std::string_view rest = bytes; !rest.empty();) {
      const auto window = parser.window();
      const std::size_t most = 1 + random() % (round % 2 == 0 ? 100'000 : 5'000);
      const std::size_t count = std::min({window.size(), rest.size(), most});
      std::memcpy(window.data(), rest.data(), count);
      parser.Received(count);
      rest.remove_prefix(count);
      Reply reply;
      while (parser.Next(&reply) == ReplyParser::Outcome::kReply) {
        replies.push_back(std::move(reply));
      }
    }
    ASSERT_EQ(replies.size(), 2u) << parser.error();
    EXPECT_FALSE(replies[0].elements[1].body.is_null());
    EXPECT_TRUE(replies[0].elements[1].text() == large);
    EXPECT_EQ(replies[1].integer, 5);
  }
}

TEST(ReplyParserTest, BulksAroundTheBoundAreWhole) {
  for (const std::size_t size :
       {ReplyParser::kBodyBytes - 1, ReplyParser::kBodyBytes, ReplyParser::kBodyBytes + 1}) {
    const std::string bulk(size, 'x');
    const Understood understood = Understand(Bulk(bulk) + "+OK\r\n");
    ASSERT_EQ(understood.replies.size(), 2u) << size;
    EXPECT_TRUE(understood.replies[0] == "'" + bulk + "'");
  }
}

TEST(ReplyParserTest, RefusesWhatIsNoReply) {
  for (const std::string_view bytes :
       {"x\r\n", "\r\n", ":\r\n", ":1x\r\n", "+a\rb\r\n", "#x\r\n", "_x\r\n", "$-2\r\n", "$x\r\n",
        "%-1\r\n", ">-1\r\n", "$1\r\nab\r\n", "$99999999999999999999\r\n", "*1\r\n>1\r\n:1\r\n",
        "HTTP/1.1 400 Bad Request\r\n", "$1\r\na\rx"}) {
    const Understood understood = Understand(bytes);
    EXPECT_NE(understood.error, "") << bytes;
    EXPECT_TRUE(understood.replies.empty()) << bytes;
  }
}

TEST(ReplyParserTest, AnErrorStays) {
  ReplyParser parser;
  Understood understood;
  Feed(parser, "x\r\n", &understood);
  Reply reply;
  EXPECT_EQ(parser.Next(&reply), ReplyParser::Outcome::kError);
}

TEST(ReplyParserTest, KeepsToItsLimits) {
  const ReplyParser::Limits limits{.max_bytes = 10, .max_elements = 5, .max_depth = 2};
  EXPECT_EQ(Understand("*2\r\n$5\r\n12345\r\n$5\r\n12345\r\n$10\r\n1234567890\r\n", limits).error,
            "");
  EXPECT_NE(Understand("$11\r\n", limits).error, "");
  EXPECT_NE(Understand("*2\r\n$5\r\n12345\r\n$6\r\n", limits).error, "");
  EXPECT_EQ(Understand("*5\r\n", limits).error, "");
  EXPECT_NE(Understand("*6\r\n", limits).error, "");
  EXPECT_NE(Understand("%3\r\n", limits).error, "");
  EXPECT_NE(Understand("*3\r\n*3\r\n", limits).error, "");
  EXPECT_NE(Understand("%9223372036854775807\r\n", limits).error, "");
  EXPECT_EQ(Understand("*1\r\n*1\r\n:1\r\n", limits).error, "");
  EXPECT_NE(Understand("*1\r\n*1\r\n*1\r\n", limits).error, "");
  EXPECT_NE(Understand("+" + std::string(ReplyParser::kMaxLineBytes + 1, 'x')).error, "");
}

TEST(ReplyParserTest, BelievesNoLength) {
  // Promises of far more than there is memory for are no reason to take any.
  const Understood bulk = Understand("$1099511627776\r\nabc");
  EXPECT_EQ(bulk.error, "");
  EXPECT_TRUE(bulk.replies.empty());
  EXPECT_EQ(Understand("*1048576\r\n:1\r\n").error, "");
}

}  // namespace
}  // namespace cirein::resp
