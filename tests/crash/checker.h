// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "base/random.h"
#include "crash/pool_run.h"
#include "crash/script.h"

namespace cirein::crash {

/// How thoroughly a run is looked at.
struct Thoroughness {
  std::uint64_t points = 24;        ///< Of a run; half of them where something rare was done.
  std::uint32_t follow_one_in = 8;  ///< Of the pools opened, which are used and closed as well.
  std::uint32_t nest_one_in = 60;   ///< Of the images, at whose opening crashes are looked at.
  std::uint32_t nest_killed_one_in = 12;  ///< Of the points.
  std::uint64_t nested_points = 8;
  int depth = 2;                    ///< Of crashes in openings after crashes.
  std::uint64_t most_failures = 3;  ///< Then no more is looked at.
};

/// Makes crash images of runs, opens the pools in them, and sees whether each holds what it must.
class Checker {
 public:
  Checker(const Setting& setting, Random random, const Thoroughness& thoroughness);

  /// Crashes of all kinds all over the run, or in a part of it.
  void Sweep(PoolRun& run);
  void Sweep(PoolRun& run, const PoolRun::Span& span, std::uint64_t points);
  void Sweep(PoolRun& run, std::vector<std::uint64_t> points);
  /// All images at one point, if they are few enough.
  void Enumerate(PoolRun& run, std::uint64_t point);
  /// One image, left by a crash in this boot.
  void Check(const SpaceImage& image, Crash crash, const std::string& boot_id,
             const Expectation& expected, const std::string& where);

  /// Persists of this kind do nothing in openings after crashes either.
  void DropPersists(std::optional<PersistSite> site) { dropped_ = site; }

  std::uint64_t distinct() const { return images_.size(); }
  std::uint64_t opened() const { return opened_; }
  std::uint64_t looked_at() const { return looked_at_; }
  const std::vector<std::string>& failures() const { return failures_; }
  bool done() const { return failures_.size() >= thoroughness_.most_failures; }

 private:
  void At(PoolRun& run, std::uint64_t point);
  /// Keeps neighbours or loses them: whole batches, or segments, and others not at all.
  ChooseState InRuns();
  void Fail(const std::string& where, const std::string& what);
  void Follow(PoolRun& run, const std::string& where);
  void Nest(PoolRun& run, const std::string& where);
  /// As when a process ends and the machine goes on: what was not persisted still is not.
  void NestKilled(PoolRun& run, std::uint64_t point);

  const Setting setting_;
  Random random_;
  const Thoroughness thoroughness_;
  int depth_ = 0;
  std::string prefix_;
  std::optional<PersistSite> dropped_;
  absl::flat_hash_set<std::uint64_t> images_;
  // By the image and the boot in which it was opened.
  absl::flat_hash_map<std::uint64_t, Observation> known_;
  std::uint64_t opened_ = 0;
  std::uint64_t looked_at_ = 0;
  std::vector<std::string> failures_;
};

std::uint64_t HashOf(const SpaceImage& image);

/// An image of a power cut in the middle of the event after `point`: so many bytes of it are there,
/// besides what `choose` keeps. For flushable media, where a line may be written back at any time.
SpaceImage TornPowerCut(const ShadowSpace& space, std::uint64_t point, std::uint64_t bytes,
                        const ChooseState& choose);

}  // namespace cirein::crash
