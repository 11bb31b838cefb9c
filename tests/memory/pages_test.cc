// SPDX-License-Identifier: Apache-2.0
#include "memory/pages.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/status_matchers.h"

namespace cirein {
namespace {

TEST(Pages, AreAlignedAndZeroed) {
  std::vector<std::pair<std::byte*, std::size_t>> mapped;
  for (const std::size_t bytes : {std::size_t{4096}, kChunkBytes, 3 * kChunkBytes + 4096}) {
    for (int i = 0; i < 3; ++i) {
      const auto pages = MapPages(bytes);
      ASSERT_OK(pages);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(*pages) % kChunkBytes, 0u);
      UnpoisonMemory(*pages, bytes);
      EXPECT_TRUE(
          std::all_of(*pages, *pages + bytes, [](std::byte b) { return b == std::byte{}; }));
      std::fill(*pages, *pages + bytes, std::byte{1});
      mapped.emplace_back(*pages, bytes);
    }
  }
  for (const auto& [pages, bytes] : mapped) UnmapPages(pages, bytes);
}

TEST(Pages, AbsurdSizesAreRefused) {
  EXPECT_CODE(MapPages(std::size_t{1} << 46), kResourceExhausted);
  EXPECT_CODE(MapPages(std::size_t{1} << 62), kResourceExhausted);
}

TEST(Pages, LinksLiveInPoisonedMemory) {
  std::byte* const pages = MapPages(kChunkBytes).value();
  StoreLink(pages, pages + 64);
  EXPECT_EQ(LoadLink(pages), pages + 64);
  UnmapPages(pages, kChunkBytes);
}

#if defined(CIREIN_ADDRESS_SANITIZER) && GTEST_HAS_DEATH_TEST
TEST(PagesDeathTest, TouchingPoisonedMemoryIsFoundOut) {
  std::byte* const pages = MapPages(kChunkBytes).value();
  EXPECT_DEATH(*static_cast<volatile std::byte*>(pages) = std::byte{1}, "use-after-poison");
  UnmapPages(pages, kChunkBytes);
}
#endif

}  // namespace
}  // namespace cirein
