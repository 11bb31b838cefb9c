// SPDX-License-Identifier: Apache-2.0

// The first byte chooses one of a few small pools, the rest says how to damage its files: whatever
// that is, looking at it, opening, using and repairing it ends, and finds only what was written.

#include <cstddef>
#include <cstdint>
#include <span>

#include "check.h"
#include "support/pool_damage.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // More steps leave nothing to find.
  constexpr std::size_t kMaxBytes = 61;
  if (size == 0 || size > kMaxBytes) return 0;
  const auto& samples = cirein::test::SamplePools();
  const cirein::test::SamplePool& sample = samples[data[0] % samples.size()];
  cirein::SpaceImage image = sample.image;
  cirein::test::DamagePool(std::span(data + 1, size - 1), &image);
  CIREIN_FUZZ_CHECK(cirein::test::UseDamagedPool(sample, image).empty());
  return 0;
}
