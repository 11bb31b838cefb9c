// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dpm/dpm.h"
#include "region/shadow_space.h"
#include "simulation/world.h"

/// The disk of a node in a simulated world: a pool, small so that it is full and cleaned now and
/// then.
namespace cirein::simulation {

struct NodeDisk {
  ShadowSpace::Medium medium = ShadowSpace::Medium::kFile;
  dpm::Durability durability = dpm::Durability::kPower;
  std::uint64_t log_segments = 0;

  /// An object of more data has a file of its own.
  static constexpr std::uint64_t kLargeBytes = 4096;
};

/// With a new pool on it.
SpaceImage MakeNodeDisk(World& world, const NodeDisk& disk);
/// Looks at it as an operator would after a last crash: opens it, closes it and verifies. What is
/// wrong is a violation.
void CheckNodeDisk(World& world, const NodeDisk& disk, const SpaceImage& image);

}  // namespace cirein::simulation
