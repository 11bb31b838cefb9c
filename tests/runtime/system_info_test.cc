// SPDX-License-Identifier: Apache-2.0
#include "runtime/system_info.h"

#include <gtest/gtest.h>

namespace cirein {
namespace {

TEST(SystemInfo, KnowsThisMachine) {
  const SystemInfo info = ReadSystemInfo();
  EXPECT_TRUE(info.kernel.starts_with("Linux ")) << info.kernel;
  EXPECT_GE(info.page_bytes, 4096U);
  EXPECT_GE(info.cpus_online, 1);
  EXPECT_GE(info.cpus_usable, 1);
  ASSERT_TRUE(info.memory_bytes);
  ASSERT_TRUE(info.memory_available_bytes);
  EXPECT_LE(*info.memory_available_bytes, *info.memory_bytes);
  ASSERT_TRUE(info.open_files);
  EXPECT_LE(info.open_files->soft, info.open_files->hard);
  ASSERT_TRUE(info.clock_resolution);
  EXPECT_GT(info.clock_read_cost.count(), 0);
  EXPECT_TRUE(info.standard_output.is_terminal || !info.standard_output.columns);
}

TEST(SystemInfo, ReadsTheChosenWord) {
  EXPECT_EQ(internal::ChosenWord("always [madvise] never"), "madvise");
  EXPECT_EQ(internal::ChosenWord("always"), std::nullopt);
  EXPECT_EQ(internal::ChosenWord("]["), std::nullopt);
}

TEST(SystemInfo, ReadsMemoryInfo) {
  constexpr std::string_view kText = "MemTotal:       24 kB\nMemFree: x kB\nHugePages_Total:  2";
  EXPECT_EQ(internal::MemoryInfoBytes(kText, "MemTotal"), 24U * 1024);
  EXPECT_EQ(internal::MemoryInfoBytes(kText, "MemFree"), std::nullopt);
  EXPECT_EQ(internal::MemoryInfoBytes(kText, "Mem"), std::nullopt);
}

TEST(SystemInfo, ReadsProcessorInfo) {
  constexpr std::string_view kText = "processor\t: 0\nmodel name\t: Fast: 2\nflags\t\t: a b\n";
  EXPECT_EQ(internal::CpuInfoValue(kText, "model name"), "Fast: 2");
  EXPECT_EQ(internal::CpuInfoValue(kText, "flags"), "a b");
  EXPECT_EQ(internal::CpuInfoValue(kText, "flag"), std::nullopt);
}

TEST(SystemInfo, FindsDaxMounts) {
  constexpr std::string_view kText =
      "/dev/pmem0 /mnt/pmem ext4 rw,relatime,dax=always 0 0\n"
      "/dev/pmem1 /mnt/old xfs rw,dax 0 0\n"
      "/dev/sda1 / ext4 rw,dax=never 0 0\n"
      "tmpfs /dax tmpfs rw 0 0\n";
  EXPECT_EQ(internal::DaxMounts(kText), (std::vector<std::string>{"/mnt/pmem", "/mnt/old"}));
}

}  // namespace
}  // namespace cirein
