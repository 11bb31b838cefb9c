// SPDX-License-Identifier: Apache-2.0
#include "memory/span_heap.h"

#include <algorithm>
#include <map>
#include <new>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "support/seed.h"

namespace cirein {
namespace {

// A heap and the slabs it was given.
class SpanHeapTest : public testing::Test {
 protected:
  ~SpanHeapTest() override {
    for (std::byte* slab : slabs_) UnmapPages(slab, kChunkBytes);
  }

  void AddSlab() {
    std::byte* const pages = MapPages(kChunkBytes).value();
    UnpoisonMemory(pages, kChunkBytes);
    slabs_.push_back(pages);
    heap_.AddSlab(new (pages) Chunk{nullptr, kChunkBytes, 0, nullptr, nullptr, nullptr, nullptr});
  }

  std::vector<std::byte*> Take(std::uint8_t size_class, std::uint32_t blocks) {
    const SpanHeap::Chain chain = heap_.Take(size_class, blocks);
    std::vector<std::byte*> result;
    void* block = chain.head;
    for (std::uint32_t i = 0; i < chain.blocks; ++i) {
      result.push_back(static_cast<std::byte*>(block));
      block = LoadLink(block);
    }
    EXPECT_EQ(block, nullptr);
    return result;
  }

  SpanHeap heap_;
  std::vector<std::byte*> slabs_;
};

TEST_F(SpanHeapTest, WithoutSlabsThereIsNothing) {
  EXPECT_TRUE(Take(0, 1).empty());
  EXPECT_EQ(heap_.TakeEmptySlab(), nullptr);
}

TEST_F(SpanHeapTest, EveryClassFillsMostOfASlab) {
  for (std::uint8_t size_class = 0; size_class < kSizeClasses; ++size_class) {
    if (slabs_.empty()) AddSlab();
    const std::size_t bytes = kClassBytes[size_class];
    const auto blocks = Take(size_class, 1'000'000);
    EXPECT_GE(static_cast<double>(blocks.size() * bytes), 0.70 * kChunkBytes) << bytes;
    for (std::byte* block : blocks) {
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block) % 16, 0u);
      ASSERT_GE(block, slabs_[0] + kSlabHeaderBytes);
      ASSERT_LE(block + bytes, slabs_[0] + kChunkBytes);
    }
    for (std::byte* block : blocks) heap_.Return(block);
    // The slab serves the next class only if all of it came back.
    ASSERT_EQ(heap_.empty_slab_bytes(), kChunkBytes) << bytes;
  }
}

TEST_F(SpanHeapTest, AnEmptySlabCanBeTakenAway) {
  AddSlab();
  const auto blocks = Take(3, 1);
  ASSERT_EQ(blocks.size(), 1u);
  EXPECT_EQ(heap_.TakeEmptySlab(), nullptr);
  heap_.Return(blocks[0]);
  EXPECT_EQ(heap_.TakeEmptySlab(), Chunk::Of(slabs_[0]));
  EXPECT_EQ(heap_.empty_slab_bytes(), 0u);
  EXPECT_TRUE(Take(3, 1).empty());
}

TEST_F(SpanHeapTest, RandomUseNeverHandsOutOverlappingBlocks) {
  std::mt19937_64 random(test::Seed());
  for (int i = 0; i < 4; ++i) AddSlab();
  std::map<std::byte*, std::size_t> live;  // Begin to size.
  std::vector<std::byte*> order;
  for (int step = 0; step < 40'000; ++step) {
    if (order.empty() || random() % 100 < 52) {
      const auto size_class = static_cast<std::uint8_t>(random() % kSizeClasses);
      for (std::byte* block : Take(size_class, static_cast<std::uint32_t>(random() % 4))) {
        const auto [place, fresh] = live.emplace(block, kClassBytes[size_class]);
        ASSERT_TRUE(fresh);
        const auto next = std::next(place);
        if (next != live.end()) {
          ASSERT_LE(block + place->second, next->first);
        }
        if (place != live.begin()) {
          const auto previous = std::prev(place);
          ASSERT_LE(previous->first + previous->second, block);
        }
        order.push_back(block);
      }
    } else {
      std::swap(order[random() % order.size()], order.back());
      live.erase(order.back());
      heap_.Return(order.back());
      order.pop_back();
    }
  }
  for (std::byte* block : order) heap_.Return(block);
  EXPECT_EQ(heap_.empty_slab_bytes(), 4 * kChunkBytes);
}

}  // namespace
}  // namespace cirein
