// SPDX-License-Identifier: Apache-2.0
#include "resp/request_parser.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/seed.h"

namespace cirein::resp {
namespace {

using Outcome = RequestParser::Outcome;
using Words = std::vector<std::string>;

constexpr std::string_view kErrorMark = "!";

// Feeds bytes as a connection does, and notes the commands that come out; an error ends it, as a
// command of one word.
class Feeder {
 public:
  explicit Feeder(RequestParser::Limits limits = {}) : limits_(limits) {}

  void Feed(std::string_view bytes) {
    // What belongs to a body may come past the input, as from a socket.
    const std::span<std::byte> window = parser_.body_window();
    const std::size_t direct = uses_window_ ? std::min(window.size(), bytes.size()) : 0;
    if (direct != 0) {
      std::memcpy(window.data(), bytes.data(), direct);
      parser_.BodyReceived(direct);
      bytes.remove_prefix(direct);
    }
    // Somewhere else each time, so that a view of the old place is noticed.
    std::string moved;
    moved.reserve(input_.size() + bytes.size() + 1);
    moved.append(input_).append(bytes);
    std::fill(input_.begin(), input_.end(), '#');
    input_.swap(moved);
    Drain();
  }

  void set_uses_window(bool uses) { uses_window_ = uses; }
  const std::vector<Words>& commands() const { return commands_; }
  bool failed() const { return failed_; }
  std::size_t waiting_bytes() const { return input_.size(); }
  RequestParser& parser() { return parser_; }

 private:
  void Drain() {
    while (!failed_) {
      switch (parser_.Parse(input_, limits_)) {
        case Outcome::kCommand: {
          Words words;
          for (const Arg& arg : parser_.args()) words.emplace_back(arg.text());
          commands_.push_back(words);
          input_.erase(0, parser_.consumed());
          break;
        }
        case Outcome::kMore:
          input_.resize(parser_.keep());
          return;
        case Outcome::kError:
          failed_ = true;
          commands_.push_back({std::string(kErrorMark), std::string(parser_.error())});
          return;
      }
    }
  }

  RequestParser parser_;
  const RequestParser::Limits limits_;
  std::string input_;
  std::vector<Words> commands_;
  bool failed_ = false;
  bool uses_window_ = false;
};

std::vector<Words> Parse(std::string_view bytes, RequestParser::Limits limits = {}) {
  Feeder feeder(limits);
  feeder.Feed(bytes);
  return feeder.commands();
}

std::string Request(const Words& words) {
  std::string request = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    request += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return request;
}

Words Error(const std::string& text) {
  return {std::string(kErrorMark), "ERR Protocol error: " + text};
}

TEST(RequestParser, TakesArraysAndLines) {
  EXPECT_EQ(Parse("*1\r\n$4\r\nPING\r\n"), std::vector<Words>({{"PING"}}));
  EXPECT_EQ(Parse("*2\r\n$3\r\nGET\r\n$0\r\n\r\nPING a\r\n"),
            std::vector<Words>({{"GET", ""}, {"PING", "a"}}));
  EXPECT_EQ(Parse("*0\r\n*-1\r\n\r\nPING\n"), std::vector<Words>({{}, {}, {}, {"PING"}}));
  EXPECT_EQ(Parse(""), std::vector<Words>());
}

TEST(RequestParser, SplitsLinesAsRedis) {
  EXPECT_EQ(Parse("set \"a b\" 'c \\' d' e\\n\r\n"),
            std::vector<Words>({{"set", "a b", "c ' d", "e\\n"}}));
  EXPECT_EQ(Parse("\"\\x41\\n\\r\\t\\b\\a\\\\\\\"\\q\" ''\n"),
            std::vector<Words>({{"A\n\r\t\b\a\\\"q", ""}}));
  EXPECT_EQ(Parse("  a\t\tb  \r\n"), std::vector<Words>({{"a", "b"}}));
  EXPECT_EQ(Parse("a\"b\" c\n"), std::vector<Words>({{"ab", "c"}}));
  for (const std::string_view line : {"\"a\n", "'a\n", "\"a\"b\n", "'a'b\n", "\"a\\\n"}) {
    EXPECT_EQ(Parse(line), std::vector<Words>({Error("unbalanced quotes in request")})) << line;
  }
}

TEST(RequestParser, RefusesAsRedis) {
  const std::string count = "invalid multibulk length";
  for (const std::string_view text : {"*a\r\n", "*\r\n", "*01\r\n", "* 1\r\n", "*1048577\r\n",
                                      "*99999999999999999999\r\n", "*+1\r\n", "*-0\r\n"}) {
    EXPECT_EQ(Parse(text), std::vector<Words>({Error(count)})) << text;
  }
  const std::string length = "invalid bulk length";
  for (const std::string_view text : {"*1\r\n$a\r\n", "*1\r\n$-1\r\n", "*1\r\n$536870913\r\n",
                                      "*1\r\n$99999999999999999999\r\n", "*1\r\n$\r\n"}) {
    EXPECT_EQ(Parse(text), std::vector<Words>({Error(length)})) << text;
  }
  EXPECT_EQ(Parse("*1\r\nx3\r\n"), std::vector<Words>({Error("expected '$', got 'x'")}));
  EXPECT_EQ(Parse("*" + std::string(70'000, '1')),
            std::vector<Words>({Error("too big mbulk count string")}));
  EXPECT_EQ(Parse("*1\r\n$" + std::string(70'000, '1')),
            std::vector<Words>({Error("too big bulk count string")}));
  EXPECT_EQ(Parse(std::string(70'000, 'a')), std::vector<Words>({Error("too big inline request")}));
}

TEST(RequestParser, TrustsStrangersWithLittle) {
  const RequestParser::Limits stranger = {.max_bulk_bytes = 1 << 20,
                                          .trust = RequestParser::Trust::kUnknown};
  EXPECT_EQ(Parse("*11\r\n", stranger),
            std::vector<Words>({Error("unauthenticated multibulk length")}));
  EXPECT_EQ(Parse("*1\r\n$16385\r\n", stranger),
            std::vector<Words>({Error("unauthenticated bulk length")}));
  EXPECT_EQ(Parse(Request(Words(10, std::string(16'384, 'x'))), stranger).size(), 1U);
}

TEST(RequestParser, BelievesNoLength) {
  Feeder feeder;
  feeder.Feed("*1048576\r\n$536870912\r\n");
  EXPECT_LE(feeder.parser().held_bytes(), 1024U);
  EXPECT_LE(feeder.parser().body_window().size(), std::size_t{64} << 20);
}

TEST(RequestParser, BelievesALengthOfWhichMuchHasCome) {
  constexpr std::size_t kBytes = std::size_t{200} << 20;
  Feeder feeder;
  feeder.Feed("*1\r\n$" + std::to_string(kBytes) + "\r\n");
  const std::size_t believed = feeder.parser().body_window().size();
  ASSERT_LE(believed, std::size_t{64} << 20);
  feeder.parser().BodyReceived(believed);  // Whatever it is.
  feeder.Feed("x");
  // Not twice as much again and again, with a copy each time.
  EXPECT_EQ(feeder.parser().body_window().size(), kBytes - believed - 1);
}

TEST(RequestParser, LargeArgumentsAreBodies) {
  const std::string large(RequestParser::kBodyBytes + 1, 'x');
  RequestParser parser;
  const std::string request = Request({"SET", "k", large, std::string(100, 'y')});
  ASSERT_EQ(parser.Parse(request, {}), Outcome::kCommand);
  EXPECT_TRUE(parser.has_bodies());
  EXPECT_TRUE(parser.args()[1].body.is_null());
  ASSERT_FALSE(parser.args()[2].body.is_null());
  EXPECT_EQ(parser.args()[2].body.text(), large);
  EXPECT_EQ(parser.args()[2].text().data(), parser.args()[2].body.text().data());
  EXPECT_TRUE(parser.args()[3].body.is_null());
}

// Every request in two parts, wherever it is cut, gives the same as in one.
TEST(RequestParser, GoesOnAtEverySplit) {
  const std::string bytes = Request({"SET", "key", "value"}) + "PING \"a b\"\r\n" +
                            Request({"GET", ""}) + "*0\r\n" + Request({"DEL", "a", "b", "c"});
  const std::vector<Words> whole = Parse(bytes);
  ASSERT_EQ(whole.size(), 5U);
  for (std::size_t first = 0; first <= bytes.size(); ++first) {
    for (std::size_t second = first; second <= bytes.size(); second += 7) {
      Feeder feeder;
      feeder.Feed(std::string_view(bytes).substr(0, first));
      feeder.Feed(std::string_view(bytes).substr(first, second - first));
      feeder.Feed(std::string_view(bytes).substr(second));
      ASSERT_EQ(feeder.commands(), whole) << first << " " << second;
      ASSERT_EQ(feeder.waiting_bytes(), 0U);
    }
  }
}

TEST(RequestParser, GoesOnByteByByte) {
  const std::string bytes = Request({"SET", "key", "value"}) + "PING\n" + Request({"GET", "key"});
  Feeder feeder;
  for (const char byte : bytes) feeder.Feed(std::string_view(&byte, 1));
  EXPECT_EQ(feeder.commands(), Parse(bytes));
}

TEST(RequestParser, TakesLargeBodiesInAnyParts) {
  const std::uint64_t seed = test::Seed();
  Random random(seed);
  std::string large(3 * RequestParser::kBodyBytes + 17, '\0');
  for (char& byte : large) byte = static_cast<char>(random.Below(256));
  const std::string bytes = Request({"SET", "k", large, "PX", "100"}) +
                            Request({"MSET", large, large, "x", large}) + Request({"PING"});
  const std::vector<Words> expected = {
      {"SET", "k", large, "PX", "100"}, {"MSET", large, large, "x", large}, {"PING"}};
  for (int round = 0; round < 60; ++round) {
    Feeder feeder;
    feeder.set_uses_window(round % 2 == 0);
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t most = random.Below(4) == 0 ? 3 : 40'000;
      const std::size_t part = std::min<std::size_t>(1 + random.Below(most), bytes.size() - at);
      feeder.Feed(std::string_view(bytes).substr(at, part));
      at += part;
      // What was taken into a body is not kept a second time.
      ASSERT_LE(feeder.waiting_bytes(), 2 * std::size_t{40'100});
    }
    ASSERT_EQ(feeder.commands(), expected) << "round " << round;
  }
}

TEST(RequestParser, AnyBytesInAnyPartsGiveTheSame) {
  const std::uint64_t seed = test::Seed();
  Random random(seed);
  constexpr std::string_view kPieces[] = {"*",  "1",  "2", "3",      "$",  "\r\n",
                                          "\n", "\"", "'", "\\",     "x",  "PING",
                                          " ",  "-",  "0", "*1\r\n", "$1", "$3\r\nGET\r\n"};
  for (int round = 0; round < 3000; ++round) {
    std::string bytes;
    for (std::uint64_t i = random.Below(30); i > 0; --i) {
      bytes += kPieces[random.Below(std::size(kPieces))];
    }
    const std::vector<Words> whole = Parse(bytes);
    Feeder feeder;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t part = std::min<std::size_t>(1 + random.Below(5), bytes.size() - at);
      feeder.Feed(std::string_view(bytes).substr(at, part));
      at += part;
    }
    ASSERT_EQ(feeder.commands(), whole) << "seed " << seed << " round " << round;
  }
}

}  // namespace
}  // namespace cirein::resp
