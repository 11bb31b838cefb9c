// SPDX-License-Identifier: Apache-2.0
#include "bench/resp_replies.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "bench/resp_encoder.h"

namespace cirein::bench::resp {
namespace {

ReplyCounter Resp() { return ReplyCounter({Protocol::kResp3, {}, 1}); }
ReplyCounter Memcached(std::size_t keys) { return ReplyCounter({Protocol::kMemcached, {}, keys}); }

struct Counts {
  std::uint64_t replies;
  std::uint64_t values;
  std::uint64_t missing;
  friend bool operator==(const Counts&, const Counts&) = default;
};
std::ostream& operator<<(std::ostream& out, const Counts& counts) {
  return out << counts.replies << ", " << counts.values << ", " << counts.missing;
}

/// Feeds the text whole, then cut in two at each place, then byte by byte: always the same.
void ExpectCounts(const ReplyCounter& fresh, std::string_view text, Counts expected) {
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    ReplyCounter counter = fresh;
    ASSERT_TRUE(counter.Feed(text.substr(0, cut))) << counter.error();
    ASSERT_TRUE(counter.Feed(text.substr(cut))) << counter.error();
    ASSERT_EQ((Counts{counter.replies(), counter.values(), counter.missing()}), expected) << cut;
  }
  ReplyCounter counter = fresh;
  for (const char& byte : text) ASSERT_TRUE(counter.Feed({&byte, 1})) << counter.error();
  EXPECT_EQ((Counts{counter.replies(), counter.values(), counter.missing()}), expected);
}

std::string ErrorOf(ReplyCounter counter, std::string_view text) {
  EXPECT_FALSE(counter.Feed(text)) << text;
  return counter.error();
}

TEST(ReplyCounterTest, CountsSimpleReplies) {
  ExpectCounts(Resp(), "+OK\r\n:12\r\n:-1\r\n,1.5\r\n#t\r\n(123\r\n_\r\n", {7, 0, 1});
}

TEST(ReplyCounterTest, StepsOverPayloadsWhateverTheyHold) {
  ExpectCounts(Resp(), "$5\r\n-E\r\n+\r\n$0\r\n\r\n$-1\r\n=7\r\ntxt:abc\r\n", {4, 3, 1});
}

TEST(ReplyCounterTest, CountsAnArrayOnce) {
  ExpectCounts(Resp(), "*3\r\n$1\r\na\r\n$-1\r\n:3\r\n*0\r\n*-1\r\n+OK\r\n", {4, 1, 2});
  ExpectCounts(Resp(), "*2\r\n*2\r\n*0\r\n*1\r\n$1\r\na\r\n+b\r\n", {1, 1, 0});
  ExpectCounts(Resp(), "%2\r\n+a\r\n:1\r\n+b\r\n~1\r\n:2\r\n", {1, 0, 0});
}

TEST(ReplyCounterTest, DoesNotCountWhatIsPushed) {
  ExpectCounts(Resp(), ">2\r\n$1\r\na\r\n_\r\n+OK\r\n", {1, 0, 0});
}

TEST(ReplyCounterTest, DoesNotCountWhatIsNotAllThere) {
  ReplyCounter counter = Resp();
  ASSERT_TRUE(counter.Feed("*2\r\n$1\r\na\r\n"));
  EXPECT_EQ(counter.replies(), 0U);
  ASSERT_TRUE(counter.Feed("$1\r\nb\r"));
  EXPECT_EQ(counter.replies(), 0U);
  ASSERT_TRUE(counter.Feed("\n"));
  EXPECT_EQ(counter.replies(), 1U);
}

TEST(ReplyCounterTest, AnErrorIsTold) {
  EXPECT_NE(ErrorOf(Resp(), "+OK\r\n-ERR no such thing\r\n").find("ERR no such thing"),
            std::string::npos);
  EXPECT_NE(ErrorOf(Resp(), "*1\r\n-WRONGTYPE of it\r\n").find("WRONGTYPE"), std::string::npos);
  for (const char* text : {"ERROR\r\n", "CLIENT_ERROR bad\r\n", "SERVER_ERROR out of memory\r\n"}) {
    EXPECT_NE(ErrorOf(Memcached(1), text).find(std::string_view(text).substr(0, 5)),
              std::string::npos);
  }
}

TEST(ReplyCounterTest, WhatIsNoReplyIsTold) {
  for (const char* text :
       {"\r\n", "\n", "OK\r\n", "+OK\n", "$\r\n", "$x\r\n", "$1x\r\n", "$-2\r\n", "*-5\r\n",
        "$99999999999\r\n", "$99999999999999999999999\r\n", "*99999999\r\n", "?\r\n"}) {
    EXPECT_NE(ErrorOf(Resp(), text), "") << text;
  }
  for (const char* text : {"VALUE k 0 x\r\n", "VALUE k 0 -1\r\n", "NOT_STORED\r\n", "+OK\r\n"}) {
    EXPECT_NE(ErrorOf(Memcached(1), text), "") << text;
  }
  EXPECT_NE(ErrorOf(Resp(), std::string(100'000, '+')), "");
}

TEST(ReplyCounterTest, NestingWithoutEndIsTold) {
  std::string nested;
  for (int i = 0; i < 100; ++i) nested += "*1048576\r\n";
  EXPECT_NE(ErrorOf(Resp(), nested), "");
}

TEST(ReplyCounterTest, AValueOfTheWrongSizeIsTold) {
  for (const Protocol protocol : {Protocol::kResp2, Protocol::kMemcached}) {
    const bool memcached = protocol == Protocol::kMemcached;
    const ReplyCounter fresh({protocol, 3, 1});
    ExpectCounts(fresh, memcached ? "VALUE k 0 3\r\nabc\r\nEND\r\n" : "$3\r\nabc\r\n", {1, 1, 0});
    EXPECT_NE(ErrorOf(fresh, memcached ? "VALUE k 0 4\r\n" : "$4\r\n"), "");
  }
}

TEST(ReplyCounterTest, CountsRepliesOfMemcached) {
  ExpectCounts(Memcached(1), "STORED\r\nEND\r\nVALUE key 0 5\r\nEND\r\n\r\nEND\r\n", {3, 1, 1});
  ExpectCounts(Memcached(3), "VALUE a 0 1\r\nx\r\nVALUE b 0 0\r\n\r\nEND\r\n", {1, 2, 1});
  EXPECT_NE(ErrorOf(Memcached(1), "VALUE a 0 1\r\nx\r\nVALUE b 0 0\r\n\r\nEND\r\n"), "");
}

TEST(ReplyCounterTest, KeepsTheBeginningOfTheNextValue) {
  const std::string_view text = "+OK\r\n$20\r\n0123456789abcdefghij\r\n$4\r\nnext\r\n";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    ReplyCounter counter = Resp();
    counter.KeepNext();
    ASSERT_TRUE(counter.Feed(text.substr(0, cut)));
    ASSERT_TRUE(counter.Feed(text.substr(cut)));
    ASSERT_EQ(counter.kept(), "0123456789abcdef");
  }
  ReplyCounter counter = Resp();
  counter.KeepNext();
  ASSERT_TRUE(counter.Feed("$2\r\nab\r\n$2\r\ncd\r\n"));
  EXPECT_EQ(counter.kept(), "ab");
  counter.KeepNext();
  ASSERT_TRUE(counter.Feed("$-1\r\n"));
  EXPECT_EQ(counter.kept(), "");
}

TEST(FixedReplyTest, IsOneRightReply) {
  for (const Protocol protocol : {Protocol::kResp2, Protocol::kMemcached}) {
    for (const Operation operation : {Operation::kGet, Operation::kSet, Operation::kMget10}) {
      Workload workload;
      workload.protocol = protocol;
      workload.operation = operation;
      workload.value_bytes = 7;
      const std::uint64_t values = operation == Operation::kSet ? 0 : KeysPerRequest(operation);
      ExpectCounts(ReplyCounter({protocol, 7, KeysPerRequest(operation)}), FixedReply(workload),
                   {1, values, 0});
    }
  }
}

}  // namespace
}  // namespace cirein::bench::resp
