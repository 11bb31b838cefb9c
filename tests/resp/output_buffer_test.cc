// SPDX-License-Identifier: Apache-2.0
#include "resp/output_buffer.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/objects.h"
#include "support/seed.h"

namespace cirein::resp {
namespace {

using test::MakeObject;

constexpr std::size_t kHeld = OutputBuffer::kHeldBytes;

// The bytes of the next parts.
std::string Peek(const OutputBuffer& output, std::size_t max_parts, std::size_t max_bytes) {
  std::vector<std::span<const std::byte>> parts(max_parts);
  const std::size_t count = output.Parts(parts, max_bytes);
  EXPECT_LE(count, max_parts);
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_FALSE(parts[i].empty());
    bytes.append(reinterpret_cast<const char*>(parts[i].data()), parts[i].size());
  }
  EXPECT_LE(bytes.size(), max_bytes);
  return bytes;
}

TEST(OutputBufferTest, BytesComeAsTheyWereAppended) {
  OutputBuffer output;
  EXPECT_TRUE(output.empty());
  EXPECT_EQ(Peek(output, 4, 100), "");
  output.Append("one");
  output.Append("");
  output.Append("two");
  EXPECT_EQ(output.size(), 6U);
  EXPECT_EQ(Peek(output, 4, 100), "onetwo");
  EXPECT_EQ(Peek(output, 4, 2), "on");
  EXPECT_EQ(Peek(output, 0, 100), "");
  output.Consume(4);
  EXPECT_EQ(Peek(output, 4, 100), "wo");
  output.Append("three");
  output.Consume(7);
  EXPECT_TRUE(output.empty());
}

TEST(OutputBufferTest, LargeObjectsAreHeldAndSmallOnesCopied) {
  OutputBuffer output;
  const DataObject small = MakeObject(std::string(kHeld, 's'));
  const DataObject large = MakeObject(std::string(kHeld + 1, 'l'));
  output.Append("a");
  output.Append(small);
  EXPECT_EQ(small.use_count(), 1U);
  output.Append(large);
  EXPECT_EQ(large.use_count(), 2U);
  output.Append("b");
  EXPECT_EQ(output.size(), 2 * kHeld + 3);
  EXPECT_EQ(Peek(output, 8, SIZE_MAX),
            "a" + std::string(small.text()) + std::string(large.text()) + "b");

  std::vector<std::span<const std::byte>> parts(8);
  ASSERT_EQ(output.Parts(parts, SIZE_MAX), 3U);
  EXPECT_EQ(parts[1].data(), large.data().data()) << "it is the object's memory";

  output.Consume(1 + kHeld + kHeld + 1);
  EXPECT_EQ(large.use_count(), 1U) << "what was sent is let go";
  EXPECT_EQ(Peek(output, 8, SIZE_MAX), "b");
}

TEST(OutputBufferTest, TruncateTakesBackToAMark) {
  OutputBuffer output;
  const DataObject large = MakeObject(std::string(kHeld + 1, 'l'));
  output.Append("first");
  output.Consume(2);
  const std::size_t mark = output.size();
  output.Append("*2");
  output.Append(large);
  output.Append("more");
  output.Append(large);
  EXPECT_EQ(large.use_count(), 3U);
  output.Truncate(mark);
  EXPECT_EQ(large.use_count(), 1U);
  EXPECT_EQ(Peek(output, 8, SIZE_MAX), "rst");
  output.Append(" and last");
  EXPECT_EQ(Peek(output, 8, SIZE_MAX), "rst and last");
  output.Truncate(0);
  EXPECT_TRUE(output.empty());
  EXPECT_EQ(Peek(output, 8, SIZE_MAX), "");
}

TEST(OutputBufferTest, SmallRepliesTakeNoNewMemory) {
  OutputBuffer output;
  output.Append("x");
  const char* const room = output.Room(100);
  output.Clear();
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(output.Room(100), room - 1);
    output.Added(100);
    output.Consume(100);
  }
  output.Release();
  EXPECT_TRUE(output.empty());
  output.Append("again");
  EXPECT_EQ(Peek(output, 1, 100), "again");
}

TEST(OutputBufferTest, AClientThatLagsLetsNothingGrow) {
  OutputBuffer output;
  std::string waiting;
  const char* room = nullptr;
  int moves = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::string reply = "reply " + std::to_string(i);
    const char* const now = output.Room(reply.size());
    output.Append(reply);
    waiting += reply;
    if (i < 3) continue;
    const std::size_t sent = waiting.size() / 2;
    ASSERT_EQ(Peek(output, 2, sent), waiting.substr(0, sent));
    output.Consume(sent);
    waiting.erase(0, sent);
    moves += room != nullptr && now < room ? 1 : 0;
    room = now;
  }
  EXPECT_GT(moves, 100) << "the memory is used again and again";
}

// Against a plain string: random appends, takes back and steps of sending.
TEST(OutputBufferTest, RandomStepsAgreeWithAString) {
  std::mt19937_64 random(test::Seed());
  const auto below = [&](std::size_t end) { return static_cast<std::size_t>(random() % end); };
  OutputBuffer output;
  std::string model;
  std::size_t mark = 0;  // Nothing before it is consumed as long as `marked`.
  bool marked = false;
  const auto text = [&](std::size_t bytes) {
    std::string made(bytes, ' ');
    for (char& c : made) c = static_cast<char>('a' + below(26));
    return made;
  };
  for (int step = 0; step < 20'000; ++step) {
    switch (below(6)) {
      case 0:
      case 1: {
        const std::string bytes = text(below(below(20) == 0 ? 3000 : 30));
        output.Append(bytes);
        model += bytes;
        break;
      }
      case 2: {
        const std::string bytes = text(below(10) == 0 ? kHeld + below(100) : below(50));
        output.Append(MakeObject(bytes));
        model += bytes;
        break;
      }
      case 3:
        mark = model.size();
        marked = true;
        break;
      case 4:
        if (!marked) break;
        output.Truncate(mark);
        model.resize(mark);
        break;
      default: {
        const std::size_t max = below(2) == 0 ? below(100) : below(3 * kHeld);
        const std::string sent = Peek(output, 1 + below(4), max);
        ASSERT_EQ(sent, model.substr(0, sent.size()));
        ASSERT_TRUE(!sent.empty() || max == 0 || model.empty());
        output.Consume(sent.size());
        model.erase(0, sent.size());
        marked = false;
        break;
      }
    }
    ASSERT_EQ(output.size(), model.size());
  }
  EXPECT_EQ(Peek(output, 10'000, SIZE_MAX), model);
}

}  // namespace
}  // namespace cirein::resp
