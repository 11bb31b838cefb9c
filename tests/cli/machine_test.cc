// SPDX-License-Identifier: Apache-2.0
#include "cli/machine.h"

#include <gtest/gtest.h>

#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

class MachineTest : public ::testing::Test {
 protected:
  void Put(const std::string& path, std::string_view text) {
    const std::string whole = root_.path() + path;
    ASSERT_TRUE(MakeDirectories(whole.substr(0, whole.rfind('/'))).ok());
    ASSERT_TRUE(WriteFileAtomically(whole, text).ok());
  }
  const TemporaryDirectory root_ = *TemporaryDirectory::Create();
  const Machine machine_{root_.path()};
};

TEST_F(MachineTest, ReadsFieldsLimitsAndFeatures) {
  Put("/proc/meminfo", "MemTotal:       16 kB\nMemAvailable:    8 kB\nHugePages_Total:   3\n");
  Put("/proc/self/limits",
      "Limit                     Soft Limit           Hard Limit           Units     \n"
      "Max open files            1024                 4096                 files     \n"
      "Max locked memory         unlimited            unlimited            bytes     \n");
  Put("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu clflushopt clwb\n");
  EXPECT_EQ(machine_.Field("/proc/meminfo", "MemAvailable"), 8192U);
  EXPECT_EQ(machine_.Field("/proc/meminfo", "HugePages_Total"), 3U);
  EXPECT_EQ(machine_.Field("/proc/meminfo", "Mem"), std::nullopt);
  EXPECT_EQ(machine_.Limit("Max open files"), 1024U);
  EXPECT_EQ(machine_.Limit("Max locked memory"), UINT64_MAX);
  EXPECT_EQ(machine_.Limit("Max flowers"), std::nullopt);
  EXPECT_TRUE(machine_.HasCpuFeature("clwb"));
  EXPECT_FALSE(machine_.HasCpuFeature("clflush"));
}

TEST_F(MachineTest, WhatIsNotThereIsNothing) {
  EXPECT_EQ(machine_.Text("/proc/nothing"), std::nullopt);
  EXPECT_TRUE(machine_.Names("/sys/class/infiniband").empty());
  EXPECT_EQ(machine_.Limit("Max open files"), std::nullopt);
  EXPECT_FALSE(machine_.HasCpuFeature("clwb"));
  Put("/sys/kernel/mode", "on \n");
  EXPECT_EQ(machine_.Text("/sys/kernel/mode"), "on");
}

}  // namespace
}  // namespace cirein
