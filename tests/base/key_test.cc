// SPDX-License-Identifier: Apache-2.0
#include "cirein/key.h"

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/random.h"
#include "support/seed.h"

namespace cirein {
namespace {

// Bit by bit, as the definition of CRC16/XMODEM goes.
unsigned PlainCrc16(std::string_view bytes) {
  unsigned crc = 0;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned>(static_cast<unsigned char>(c)) << 8;
    for (int bit = 0; bit < 8; ++bit) {
      crc = ((crc << 1) ^ ((crc & 0x8000U) != 0 ? 0x1021U : 0U)) & 0xFFFFU;
    }
  }
  return crc;
}

TEST(BucketTest, LabelsAreHashedAndNeverUnspecified) {
  EXPECT_FALSE(Bucket().specified());
  EXPECT_TRUE(Bucket::FromLabel("").specified());
  EXPECT_EQ(Bucket::FromLabel("sensors").id(), static_cast<std::uint32_t>(Hash64("sensors")));
  EXPECT_NE(Bucket::FromLabel("a"), Bucket::FromLabel("b"));
  EXPECT_EQ(*Bucket::Parse("sensors"), Bucket::FromLabel("sensors"));
}

TEST(BucketTest, HexIsTheIdItself) {
  EXPECT_EQ(Bucket::Parse("0x2a")->id(), 0x2AU);
  EXPECT_EQ(Bucket::Parse("0XFFFFFFFF")->id(), 0xFFFFFFFFU);
  EXPECT_EQ(Bucket::Parse("0x00000001")->id(), 1U);
  EXPECT_EQ(Bucket(0x2A).ToString(), "0x2a");
}

TEST(BucketTest, RefusesWhatIsNoBucket) {
  const std::string too_long(Bucket::kMaxLabelBytes + 1, 'x');
  for (const std::string& text :
       {std::string(), std::string("0x"), std::string("0x123456789"), std::string("0xg"),
        std::string("0x0"), std::string("a]b"), std::string("a<b"), std::string("a/b"),
        std::string("a&b"), std::string("a\nb"), std::string("a\0b", 3), too_long}) {
    const Result<Bucket> bucket = Bucket::Parse(text);
    EXPECT_EQ(bucket.code(), StatusCode::kInvalidArgument) << text;
    EXPECT_FALSE(bucket.status().hint().empty());
  }
  EXPECT_TRUE(Bucket::Parse(std::string(Bucket::kMaxLabelBytes, 'x')).ok());
}

TEST(BucketTest, TextReadsBack) {
  Random random(test::Seed());
  for (int i = 0; i < 1000; ++i) {
    const Bucket bucket(static_cast<std::uint32_t>(random.Below(0xFFFFFFFF) + 1));
    EXPECT_EQ(*Bucket::Parse(bucket.ToString()), bucket);
  }
}

TEST(SlotTest, KnownVectors) {
  EXPECT_EQ(SlotOfRow("123456789"), 0x31C3 % 16384);
  EXPECT_EQ(SlotOfRow("foo"), 12182);
  EXPECT_EQ(SlotOfRow(""), 0);
}

TEST(SlotTest, HashTagDecides) {
  EXPECT_EQ(SlotOfRow("{user1000}.following"), SlotOfRow("{user1000}.followers"));
  EXPECT_EQ(SlotOfRow("{user1000}.following"), SlotOfRow("user1000"));
  EXPECT_EQ(SlotOfRow("foo{{bar}}zap"), SlotOfRow("{bar"));
  EXPECT_EQ(SlotOfRow("foo{bar}{zap}"), SlotOfRow("bar"));
  // An empty tag and one that does not end count for nothing.
  EXPECT_EQ(SlotOfRow("foo{}{bar}"), PlainCrc16("foo{}{bar}") % kSlotCount);
  EXPECT_EQ(SlotOfRow("foo{bar"), PlainCrc16("foo{bar") % kSlotCount);
  EXPECT_EQ(SlotOfRow("foo}bar{"), PlainCrc16("foo}bar{") % kSlotCount);
}

TEST(SlotTest, AgreesWithTheDefinitionForEveryLength) {
  Random random(test::Seed());
  for (std::size_t length = 0; length < 200; ++length) {
    std::string row(length, '\0');
    for (char& c : row) {
      do {
        c = static_cast<char>(random.Below(256));
      } while (c == '{');
    }
    EXPECT_EQ(SlotOfRow(row), PlainCrc16(row) % kSlotCount) << length;
  }
}

TEST(KeyTest, NoColumnAndEmptyColumnDiffer) {
  EXPECT_NE(Key("r"), Key("r", ""));
  EXPECT_LT(Key("r"), Key("r", ""));
  EXPECT_LT(Key("r", ""), Key("r", "a"));
  EXPECT_LT(Key("a", "z"), Key("b", "a"));
  EXPECT_EQ(Key("r").column(), "");
}

TEST(KeyTest, BucketIsPartOfTheName) {
  Key key("r");
  key.set_bucket(Bucket(7));
  EXPECT_NE(key, Key("r"));
  EXPECT_EQ(key.bucket(), Bucket(7));
}

TEST(KeyTest, ValidateEnforcesTheLimits) {
  EXPECT_TRUE(Key("r").Validate().ok());
  EXPECT_TRUE(Key("r", "").Validate().ok());
  EXPECT_TRUE(Key(std::string(kMaxRowBytes, 'r')).Validate().ok());
  EXPECT_TRUE(Key("r", std::string(kMaxColumnBytes, 'c')).Validate().ok());
  EXPECT_EQ(Key().Validate().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Key("", "c").Validate().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Key(std::string(kMaxRowBytes + 1, 'r')).Validate().code(),
            StatusCode::kInvalidArgument);
  const Status status = Key("r", std::string(kMaxColumnBytes + 1, 'c')).Validate();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_LT(status.message().size(), 400U) << "a long key must be shortened";
}

TEST(KeyTest, TextIsPrintable) {
  EXPECT_EQ(Key("r").ToString(), "r");
  EXPECT_EQ(Key("r", "c").ToString(), "r|c");
  EXPECT_EQ(Key("r", "").ToString(), "r|");
  EXPECT_EQ(Key(std::string("a\n\0\xFF\\", 5)).ToString(), "a\\x0a\\x00\\xff\\\\");
}

}  // namespace
}  // namespace cirein
