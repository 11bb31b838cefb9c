// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/random_bytes.h"
#include "support/seed.h"

namespace cirein {
namespace {

TEST(HashTest, ValuesAreThoseOfXxh3AndStay) {
  EXPECT_EQ(Hash64(""), 0x2D06800538D394C2U);
  EXPECT_NE(Hash64("a"), Hash64("b"));
  EXPECT_NE(Hash64("a"), Hash64("a", 1));
}

TEST(HashTest, ChecksumIsTheHashOfTheBytes) {
  const std::string text(1000, 'x');
  EXPECT_EQ(Checksum64(std::as_bytes(std::span(text)), 7), Hash64(text, 7));
}

TEST(ChecksummerTest, PartsDoNotMatter) {
  Random random(test::Seed());
  for (int i = 0; i < 100; ++i) {
    const std::string text = RandomBytes(&random, 5000, "");
    const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
    const std::uint64_t seed = random.Below(3);
    Checksummer checksummer(seed);
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t part = std::min<std::size_t>(bytes.size() - at, random.Below(700));
      checksummer.Update(bytes.subspan(at, part));
      at += part;
    }
    ASSERT_EQ(checksummer.Digest(), Checksum64(bytes, seed));
  }
}

TEST(ChecksummerTest, NothingIsTheEmptyChecksum) {
  Checksummer checksummer;
  checksummer.Update({});
  EXPECT_EQ(checksummer.Digest(), Checksum64({}));
}

}  // namespace
}  // namespace cirein
