// SPDX-License-Identifier: Apache-2.0
#include "region/memory_region.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace cirein {
namespace {

std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(MemoryRegionTest, IsARegionWithStores) {
  const auto region = MakeMemoryRegion("words", 10000).value();
  EXPECT_EQ(region->name(), "words");
  EXPECT_EQ(region->size(), 10000U);
  EXPECT_TRUE(std::all_of(region->data(), region->data() + 10000,
                          [](std::byte byte) { return byte == std::byte{0}; }));
  EXPECT_TRUE(region->Write(9994, Bytes("cirein")).ok());
  EXPECT_EQ(std::memcmp(region->data() + 9994, "cirein", 6), 0);
  EXPECT_EQ(region->Write(9995, Bytes("cirein")).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(region->Write(~std::uint64_t{0}, Bytes("c")).code(), StatusCode::kInvalidArgument);
  ASSERT_TRUE(region->has_stores());
  region->StoreWord(8, 5);
  EXPECT_EQ(region->AddToWord(8, 2), 5U);
  EXPECT_EQ(region->SwapWord(8, {.expected = 7, .desired = 9}), 7U);
  EXPECT_EQ(region->LoadWord(8), 9U);
  EXPECT_TRUE(region->Persist(0, 10000, PersistSite::kRemote).ok());
  EXPECT_EQ(region->Persist(1, 10000, PersistSite::kRemote).code(), StatusCode::kInvalidArgument);
}

TEST(MemoryRegionTest, ItsDescriptorHoldsItAndNeverGetsShorter) {
  const auto region = MakeMemoryRegion("words", 8192).value();
  const int file = region->descriptor();
  ASSERT_GE(file, 0);
  struct stat facts {};
  ASSERT_EQ(fstat(file, &facts), 0);
  EXPECT_EQ(facts.st_size, 8192);
  EXPECT_GE(facts.st_blocks * 512, 8192) << "some of it is not there yet";
  EXPECT_EQ(facts.st_mode & 0777U, 0600U) << "others could open it for more";
  EXPECT_NE(ftruncate(file, 4096), 0);
  EXPECT_NE(ftruncate(file, 16384), 0);
  EXPECT_NE(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), 0);
  void* const there = mmap(nullptr, 8192, PROT_READ, MAP_SHARED, file, 0);
  ASSERT_NE(there, MAP_FAILED);
  EXPECT_TRUE(region->Write(4096, Bytes("seen")).ok());
  EXPECT_EQ(std::memcmp(static_cast<const char*>(there) + 4096, "seen", 4), 0);
  munmap(there, 8192);
}

TEST(MemoryRegionTest, WhatCannotBeIsRefused) {
  EXPECT_EQ(MakeMemoryRegion("r", ~std::uint64_t{0}).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(MakeMemoryRegion("r", std::uint64_t{1} << 62).code(), StatusCode::kResourceExhausted);
  const auto empty = MakeMemoryRegion("r", 0);
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE((*empty)->Write(0, {}).ok());
}

}  // namespace
}  // namespace cirein
