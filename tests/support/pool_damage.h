// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "region/shadow_space.h"

namespace cirein::test {

/// A small pool's files, and all that was ever put into it. For tests and fuzzers that damage the
/// files and see what becomes of the pool.
struct SamplePool {
  ShadowSpace::Medium medium = ShadowSpace::Medium::kFile;
  SpaceImage image;
  std::map<std::string, std::set<std::string>> written;  ///< By DpmUser::Name; every version.
};

/// Pools of both media and durabilities, closed in order and left by a crash: a bit of everything
/// (columns, rows that were dropped, large objects, cleaned segments). Made once for the process.
const std::vector<SamplePool>& SamplePools();

/// Changes files as the program says, five bytes for each step: what, where (two choices), how
/// much. Any bytes are a program: cuts, longer files, removed files, zeros, noise, flipped bits,
/// bytes of another place, and records that lie under a right checksum.
void DamagePool(std::span<const std::uint8_t> program, SpaceImage* image);

/// Inspects, verifies, opens, reads, uses, closes and repairs the damaged pool: none of which may
/// crash or hang, and what is found must be what was written. Empty, or what was wrong.
std::string UseDamagedPool(const SamplePool& sample, const SpaceImage& image);

}  // namespace cirein::test
