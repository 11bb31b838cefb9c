// SPDX-License-Identifier: Apache-2.0
#include "support/pool_damage.h"

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "dpm/dpm.h"
#include "dpm/verify.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein::test {
namespace {

TEST(PoolDamageTest, SamplesAreGood) {
  ASSERT_EQ(SamplePools().size(), 8u);
  for (const SamplePool& sample : SamplePools()) {
    EXPECT_GT(sample.written.size(), 20u);
    ShadowSpace space(sample.medium, "boot-1", sample.image);
    const auto report = dpm::VerifyPool(space);
    ASSERT_OK(report);
    EXPECT_TRUE(report->clean());
    EXPECT_GT(report->summary.objects, 20u);
    EXPECT_EQ(report->summary.extents, 1u);
    EXPECT_EQ(UseDamagedPool(sample, sample.image), "");
  }
}

// The fuzzer's play with a seed, so that every build does some of it.
TEST(PoolDamageTest, NoDamageCrashesHangsOrLies) {
  const std::uint64_t seed = Seed();
  Random random(seed);
  for (int round = 0; round < 40; ++round) {
    const SamplePool& sample = SamplePools()[random.Below(SamplePools().size())];
    std::vector<std::uint8_t> program(5 * (1 + random.Below(4)));
    for (std::uint8_t& byte : program) byte = static_cast<std::uint8_t>(random());
    SpaceImage image = sample.image;
    DamagePool(program, &image);
    ASSERT_EQ(UseDamagedPool(sample, image), "")
        << "seed " << seed << ", round " << round << ": " << testing::PrintToString(program);
  }
}

TEST(PoolDamageTest, AFileOfZerosOrNoiseIsSurvived) {
  for (const SamplePool& sample : SamplePools()) {
    Random random(3);
    for (const auto& [name, bytes] : sample.image) {
      SpaceImage image = sample.image;
      for (std::byte& byte : image[name]) byte = std::byte{0};
      EXPECT_EQ(UseDamagedPool(sample, image), "") << name;
      for (std::byte& byte : image[name]) byte = static_cast<std::byte>(random());
      EXPECT_EQ(UseDamagedPool(sample, image), "") << name;
    }
  }
}

}  // namespace
}  // namespace cirein::test
