// SPDX-License-Identifier: Apache-2.0
#include "base/wide_hash.h"

#include <string>

#include <gtest/gtest.h>

#include "base/hash.h"

namespace cirein {
namespace {

// The values are in files: whatever vectors a processor has, they must be the same.
TEST(WideHashTest, ValuesAreThoseOfTheInlinedFunction) {
  std::string text;
  for (int i = 0; text.size() < 5000; ++i) text += static_cast<char>(i * 7 + i / 256);
  for (std::size_t size = 0; size <= text.size(); size += size < 600 ? 1 : 61) {
    for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{0x9E3779B97F4A7C15U}}) {
      const std::uint64_t expected = XXH3_64bits_withSeed(text.data(), size, seed);
      ASSERT_EQ(WideHash64(text.data(), size, seed), expected) << size;
      ASSERT_EQ(Hash64({text.data(), size}, seed), expected) << size;
    }
  }
}

TEST(WideHashTest, AValueThatWasWrittenDown) {
  const std::string text(1000, 'x');
  EXPECT_EQ(WideHash64(text.data(), text.size(), 7), 0xA6B046C257309584U);
}

TEST(WideHasherTest, ACopyGoesItsOwnWay) {
  const std::string text(3000, 'x');
  const auto bytes = std::as_bytes(std::span(text));
  WideHasher hasher(7);
  hasher.Update(bytes.first(1000));
  WideHasher copy = hasher;
  hasher.Update(bytes.subspan(1000));
  EXPECT_EQ(copy.Digest(), WideHash64(text.data(), 1000, 7));
  EXPECT_EQ(hasher.Digest(), WideHash64(text.data(), text.size(), 7));
}

}  // namespace
}  // namespace cirein
