// SPDX-License-Identifier: Apache-2.0
#include "http/http_message.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "support/seed.h"

namespace cirein::http {
namespace {

using testing::HasSubstr;

TEST(HttpMessageTest, TakesPathAndParametersOfAnyBytesApart) {
  const ParsedRequest parsed = ParseRequest(
      "GET /row?name=a%00b%2F%ff&after=&x=1+2 HTTP/1.1\r\nHost: localhost:80\r\n"
      "AUTHORIZATION:\tBasic eDp5OnogeA==\r\nContent-Length: 0\r\n\r\n");
  ASSERT_EQ(parsed.error, 0) << parsed.why;
  EXPECT_EQ(parsed.request.path, "/row");
  EXPECT_EQ(parsed.request.Parameter("name"), std::string_view("a\0b/\xff", 5));
  EXPECT_EQ(parsed.request.Parameter("after"), "");
  EXPECT_EQ(parsed.request.Parameter("x"), "1 2");
  EXPECT_EQ(parsed.request.Parameter("y"), std::nullopt);
  EXPECT_EQ(parsed.request.host, "localhost:80");
  EXPECT_EQ(BasicPassword(parsed.request.authorization), "y:z x");
}

TEST(HttpMessageTest, RefusesWhatItDoesNotAnswer) {
  const auto error = [](const std::string& head) { return ParseRequest(head).error; };
  const std::string end = "\r\n\r\n";
  EXPECT_EQ(error("GET / HTTP/1.1" + end), 0);
  EXPECT_EQ(error("GET / HTTP/1.0" + end), 0);
  EXPECT_EQ(error("POST / HTTP/1.1" + end), 405);
  EXPECT_EQ(error("get / HTTP/1.1" + end), 405);
  EXPECT_EQ(error("GET / HTTP/2.0" + end), 505);
  EXPECT_EQ(error("GET /" + end), 400);
  EXPECT_EQ(error("GET  / HTTP/1.1" + end), 400);
  EXPECT_EQ(error("GET http://other/ HTTP/1.1" + end), 400);
  EXPECT_EQ(error("GET /%4 HTTP/1.1" + end), 400);
  EXPECT_EQ(error("GET /a\x01 HTTP/1.1" + end), 400);
  EXPECT_EQ(error("GET /?a=%zz HTTP/1.1" + end), 400);
  EXPECT_EQ(error("\x16\x03\x01" + end), 400);
  EXPECT_EQ(error("GET / HTTP/1.1\r\nNo header" + end), 400);
  EXPECT_EQ(error("GET / HTTP/1.1\r\nA: b\r\n folded: c" + end), 400);
  EXPECT_EQ(error("GET / HTTP/1.1\r\nA: b\x01" + end), 400);
  EXPECT_EQ(error("GET / HTTP/1.1\r\nHost: a\r\nHost: b" + end), 400);
  EXPECT_EQ(error("GET / HTTP/1.1\r\nContent-Length: 5" + end), 413);
  EXPECT_EQ(error("GET / HTTP/1.1\r\nTransfer-Encoding: chunked" + end), 413);
  std::string many = "GET / HTTP/1.1\r\n";
  for (std::size_t i = 0; i < kMaxHeaders; ++i) many += "A: b\r\n";
  EXPECT_EQ(error(many + "\r\n"), 0);
  EXPECT_EQ(error(many + "A: b\r\n\r\n"), 431);
}

TEST(HttpMessageTest, FindsTheEndOfAHeadHoweverItIsCut) {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n\r\nmore";
  const std::size_t end = text.size() - 4;
  for (std::size_t seen = 0; seen < text.size(); ++seen) {
    for (std::size_t now = seen; now <= text.size(); ++now) {
      const auto found = EndOfHead(std::string_view(text).substr(0, now), seen);
      if (now < end) {
        EXPECT_EQ(found, std::nullopt) << seen << " " << now;
      } else if (seen < end) {
        EXPECT_EQ(found, end) << seen << " " << now;
      }
    }
  }
}

TEST(HttpMessageTest, TakesAnyBytesWithoutHarm) {
  Random random(test::Seed());
  const std::string whole =
      "GET /rows?prefix=a%20b&cursor=ff HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic "
      "YTpi\r\n\r\n";
  for (int round = 0; round < 3000; ++round) {
    std::string text = whole;
    for (std::uint64_t changes = random.Below(6); changes > 0; --changes) {
      text[random.Below(text.size())] = static_cast<char>(random.Below(256));
    }
    text.resize(random.Below(text.size() + 1));
    const ParsedRequest parsed = ParseRequest(text);
    if (parsed.error == 0) {
      EXPECT_EQ(parsed.request.path.front(), '/');
    }
    static_cast<void>(BasicPassword(text));
    static_cast<void>(IsHostOfThisMachine(text));
  }
}

TEST(HttpMessageTest, GivesPasswordsAndTakesThem) {
  for (const std::string password : {"", "a", "ab", "abc", "a:b", "p\xc3\xa4ss word\xff"}) {
    EXPECT_EQ(BasicPassword(BasicAuthorization(password)), password);
  }
  EXPECT_EQ(BasicPassword("Bearer abc"), std::nullopt);
  EXPECT_EQ(BasicPassword("Basic !"), std::nullopt);
  EXPECT_EQ(BasicPassword("Basic YQ=="), std::nullopt);  // No colon.
  EXPECT_EQ(BasicPassword(""), std::nullopt);
}

TEST(HttpMessageTest, KnowsWhichHostsNobodyElseCanName) {
  for (const char* host :
       {"", "localhost", "LocalHost:80", "127.0.0.1", "10.1.2.3:8080", "[::1]:80"}) {
    EXPECT_TRUE(IsHostOfThisMachine(host)) << host;
  }
  for (const char* host : {"evil.example", "evil.example:80", "localhost.evil.example", "a"}) {
    EXPECT_FALSE(IsHostOfThisMachine(host)) << host;
  }
}

TEST(HttpMessageTest, AnswersWithItsLength) {
  const std::string text = RenderResponse(HttpResponse::Text(401, "who?"));
  EXPECT_TRUE(text.starts_with("HTTP/1.1 401 Unauthorized\r\n")) << text;
  EXPECT_THAT(text, HasSubstr("Content-Length: 5\r\n"));
  EXPECT_THAT(text, HasSubstr("WWW-Authenticate: Basic"));
  EXPECT_TRUE(text.ends_with("\r\n\r\nwho?\n")) << text;
}

}  // namespace
}  // namespace cirein::http
