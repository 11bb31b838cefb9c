// SPDX-License-Identifier: Apache-2.0
#include "memory/size_class.h"

#include <gtest/gtest.h>

namespace cirein {
namespace {

TEST(SizeClass, EverySizeGetsTheSmallestClassThatHoldsIt) {
  for (std::size_t bytes = 0; bytes <= kMaxClassBytes; ++bytes) {
    const std::uint8_t size_class = SizeClassOf(bytes);
    ASSERT_LT(size_class, kSizeClasses) << bytes;
    ASSERT_GE(kClassBytes[size_class], bytes);
    if (size_class > 0) {
      ASSERT_LT(kClassBytes[size_class - 1], bytes);
    }
  }
}

TEST(SizeClass, WasteIsAtMostAnEighth) {
  for (std::size_t i = 8; i < kSizeClasses; ++i) {
    const double step = kClassBytes[i] - kClassBytes[i - 1];
    EXPECT_LE(step / kClassBytes[i - 1], 0.125) << kClassBytes[i];
  }
}

TEST(SizeClass, BlocksStayAligned) {
  for (const std::uint32_t bytes : kClassBytes) EXPECT_EQ(bytes % 16, 0u) << bytes;
}

TEST(SizeClass, ASmallObjectCostsItsHeaderAndItself) {
  EXPECT_EQ(kClassBytes[SizeClassOf(96)], 96u);
}

TEST(SizeClass, StripesHoldWholeBatches) {
  for (std::uint8_t i = 0; i < kStripedClasses; ++i) {
    EXPECT_GE(kBatchBlocks[i], 1u) << kClassBytes[i];
    EXPECT_LE(kBatchBlocks[i] * kClassBytes[i], kMaxStripedBytes);
  }
  EXPECT_EQ(kClassBytes[kStripedClasses - 1], kMaxStripedBytes);
}

}  // namespace
}  // namespace cirein
