// SPDX-License-Identifier: Apache-2.0
#include "simulation/node_disk.h"

#include <memory>
#include <utility>

#include "dpm/verify.h"

namespace cirein::simulation {

namespace {

constexpr std::uint64_t kSegmentBytes = 32 * 1024;
constexpr std::uint64_t kIndexBytes = 1 << 20;
constexpr std::uint64_t kExtentLimitBytes = 256 * 1024;

}  // namespace

SpaceImage MakeNodeDisk(World& world, const NodeDisk& disk) {
  ShadowSpace space(disk.medium);
  dpm::CreateOptions options;
  options.segment_bytes = kSegmentBytes;
  options.log_bytes = disk.log_segments * kSegmentBytes;
  options.index_bytes = kIndexBytes;
  options.extent_limit_bytes = kExtentLimitBytes;
  options.large_bytes = NodeDisk::kLargeBytes;
  options.durability = disk.durability;
  options.pool_id = 0x5107'5107'5107'5107;
  options.created_ms = 1;
  const Status created = dpm::Dpm::Create(space, options);
  if (!created.ok()) world.Violate("no pool can be made: " + created.ToString());
  return space.ProcessCrash(space.events());
}

void CheckNodeDisk(World& world, const NodeDisk& disk, const SpaceImage& image) {
  auto opening = std::make_unique<ShadowSpace>(disk.medium, "last boot", image);
  ShadowSpace* const shadow = opening.get();
  dpm::Findings findings;
  auto opened = dpm::Dpm::Open(std::move(opening), {}, &findings);
  if (!opened.ok()) return world.Violate("the pool does not open: " + opened.status().ToString());
  if (Status closed = (*opened)->Close(); !closed.ok()) {
    return world.Violate("the pool does not close: " + closed.ToString());
  }
  ShadowSpace space(disk.medium, "last boot", shadow->ProcessCrash(shadow->events()));
  opened->reset();
  const Result<dpm::VerifyReport> report = dpm::VerifyPool(space);
  if (!report.ok()) return world.Violate("verify: " + report.status().ToString());
  for (const dpm::Finding& finding : report->findings) {
    world.Violate("verify finds: " + finding.what);
  }
}

}  // namespace cirein::simulation
