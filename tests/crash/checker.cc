// SPDX-License-Identifier: Apache-2.0
#include "crash/checker.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/hash.h"
#include "crash/shared_space.h"
#include "dpm/verify.h"

namespace cirein::crash {

namespace {

constexpr std::uint64_t kFewUnits = 3;
constexpr std::uint64_t kMostImages = 24;

std::string NextBoot(const std::string& boot_id, Crash crash) {
  return crash == Crash::kProcess ? boot_id : boot_id + "+";
}

}  // namespace

std::uint64_t HashOf(const SpaceImage& image) {
  std::uint64_t hash = 1;
  for (const auto& [name, contents] : image) {
    hash = Hash64(name, hash);
    hash = Hash64({reinterpret_cast<const char*>(contents.data()), contents.size()},  // NOLINT
                  hash);
  }
  return hash;
}

SpaceImage TornPowerCut(const ShadowSpace& space, std::uint64_t point, std::uint64_t bytes,
                        const ChooseState& choose) {
  SpaceImage image = space.PowerCut(point, choose);
  const SpaceImage before = space.ProcessCrash(point);
  const SpaceImage after = space.ProcessCrash(point, bytes);
  for (auto& [name, contents] : image) {
    const auto old = before.find(name);
    const auto torn = after.find(name);
    if (old == before.end() || torn == after.end() || old->second == torn->second) continue;
    for (std::size_t i = 0; i < std::min(contents.size(), torn->second.size()); ++i) {
      if (old->second[i] != torn->second[i]) contents[i] = torn->second[i];
    }
  }
  return image;
}

Checker::Checker(const Setting& setting, Random random, const Thoroughness& thoroughness)
    : setting_(setting), random_(random), thoroughness_(thoroughness) {}

void Checker::Fail(const std::string& where, const std::string& what) {
  failures_.push_back(fmt::format("{} {}{}: {}", NameOf(setting_), prefix_, where, what));
}

void Checker::Sweep(PoolRun& run) {
  const auto& rare = run.rare();
  const std::uint64_t events = run.events() + 1;
  std::vector<std::uint64_t> points;
  for (std::uint64_t i = 0; i < thoroughness_.points; ++i) {
    if (i % 2 == 0 || rare.empty()) {
      points.push_back(random_.Below(events));
    } else {
      const PoolRun::Span& span = rare[random_.Below(rare.size())];
      points.push_back(span.from + random_.Below(span.to - span.from + 1));
    }
  }
  Sweep(run, std::move(points));
}

void Checker::Sweep(PoolRun& run, const PoolRun::Span& span, std::uint64_t points) {
  const std::uint64_t events = span.to - span.from + 1;
  std::vector<std::uint64_t> chosen;
  if (events <= points) {
    for (std::uint64_t p = span.from; p <= span.to; ++p) chosen.push_back(p);
  } else {
    for (std::uint64_t i = 0; i < points; ++i) chosen.push_back(span.from + random_.Below(events));
  }
  Sweep(run, std::move(chosen));
}

void Checker::Sweep(PoolRun& run, std::vector<std::uint64_t> points) {
  // In order: the history goes to a point by way of all between.
  std::sort(points.begin(), points.end());
  for (const std::uint64_t point : points) {
    if (done()) return;
    At(run, point);
  }
}

void Checker::At(PoolRun& run, std::uint64_t point) {
  ShadowSpace& space = run.space();
  const std::string boot = space.boot_id();
  const Expectation killed = run.At(point, Crash::kProcess);
  const Expectation cut = run.At(point, Crash::kPower);
  const auto where = [&](const char* how) { return fmt::format("{} at event {}", how, point); };
  const std::uint64_t of_next = random_.OneIn(3) ? 8 * random_.Below(100) : 0;
  Check(space.ProcessCrash(point, of_next), Crash::kProcess, boot, killed, where("killed"));
  Check(space.PowerCut(point, random_, 0), Crash::kPower, boot, cut, where("cut, nothing kept,"));
  if (random_.OneIn(4)) {
    Check(space.PowerCut(point, random_, 1), Crash::kPower, boot, cut, where("cut, all kept,"));
  }
  if (depth_ < thoroughness_.depth && random_.OneIn(thoroughness_.nest_killed_one_in)) {
    NestKilled(run, point);
  }
  if (done() || space.UnpersistedUnits(point) <= 1) return;
  const std::uint32_t keep_one_in = random_.OneIn(2) ? 2 : 5;
  Check(space.PowerCut(point, random_, keep_one_in), Crash::kPower, boot, cut,
        where("cut, some kept,"));
  Check(space.PowerCut(point, InRuns()), Crash::kPower, boot, cut, where("cut, runs kept,"));
  if (random_.OneIn(4) && space.UnpersistedUnits(point) <= kFewUnits) Enumerate(run, point);
  if (setting_.flushable() && random_.OneIn(3)) {
    Check(TornPowerCut(space, point, 8 * random_.Below(100), InRuns()), Crash::kPower, boot, cut,
          where("cut in the middle of the next event,"));
  }
}

ChooseState Checker::InRuns() {
  return [this, kept = random_.OneIn(2),
          length = 2 + random_.Below(60)](std::uint64_t states) mutable {
    if (random_.OneIn(length)) kept = !kept;
    return kept ? states - 1 : std::uint64_t{0};
  };
}

void Checker::Enumerate(PoolRun& run, std::uint64_t point) {
  const Expectation cut = run.At(point, Crash::kPower);
  ImageOdometer odometer;
  std::uint64_t images = 0;
  do {
    Check(run.space().PowerCut(point, odometer.Choices()), Crash::kPower, run.space().boot_id(),
          cut, fmt::format("cut, combination {} at event {}", images, point));
  } while (!done() && ++images < kMostImages && odometer.Next());
}

void Checker::Check(const SpaceImage& image, Crash crash, const std::string& boot_id,
                    const Expectation& expected, const std::string& where) {
  if (done()) return;
  ++looked_at_;
  const std::uint64_t hash = HashOf(image);
  images_.insert(hash);
  const std::string boot = NextBoot(boot_id, crash);
  const std::uint64_t key = Hash64(boot, hash);
  std::array<std::size_t, kShards> groups{};
  if (const auto known = known_.find(key); known != known_.end()) {
    // The same bytes, but perhaps more is expected of them by now.
    const std::string problem = expected.Judge(known->second, &groups);
    if (!problem.empty()) Fail(where, problem);
    return;
  }
  ++opened_;
  PoolRun run(setting_, image, boot, expected);
  run.space().DropPersists(dropped_);
  if (const Status status = run.Open(); !status.ok()) {
    Fail(where, status.ToString());
    return;
  }
  known_.emplace(key, run.seen());
  if (random_.OneIn(thoroughness_.follow_one_in)) Follow(run, where);
  if (depth_ < thoroughness_.depth && random_.OneIn(thoroughness_.nest_one_in)) {
    PoolRun nested(setting_, image, boot, expected);
    Nest(nested, where);
  }
}

// The pool is used on, closed, verified and opened again.
void Checker::Follow(PoolRun& run, const std::string& where) {
  Script script({.name = "after the crash",
                 .rows = kRowsPerShard,
                 .drop_row = 1,
                 .most_group = 2,
                 .most_staged = 1,
                 .most_data = 100},
                random_.Fork());
  Status status = script.Steps(run, 6);
  if (status.ok()) status = run.CheckNow();
  if (status.ok()) status = run.Close();
  if (!status.ok()) return Fail(where + ", using it", status.ToString());
  ShadowSpace& space = run.space();
  const auto report = dpm::VerifyPool(space);
  if (!report.ok()) return Fail(where + ", verifying it", report.status().ToString());
  for (const dpm::Finding& finding : report->findings) {
    if (finding.severity != dpm::Finding::Severity::kCorruption) continue;
    return Fail(where + ", verifying it", finding.what);
  }
  status = run.KillAndOpen();
  if (!status.ok()) Fail(where + ", opening it again", status.ToString());
}

void Checker::NestKilled(PoolRun& run, std::uint64_t point) {
  ShadowSpace& space = run.space();
  PoolRun::Left left{space.PowerCut(point, random_, 0), space.ProcessCrash(point),
                     run.At(point, Crash::kProcess), run.At(point, Crash::kPower)};
  PoolRun nested(setting_, std::move(left), space.boot_id());
  Nest(nested, fmt::format("killed at event {}, the machine goes on", point));
}

void Checker::Nest(PoolRun& run, const std::string& where) {
  run.space().DropPersists(dropped_);
  const std::string before = prefix_;
  prefix_ += where + " -> ";
  ++depth_;
  const std::uint64_t begin = run.events();
  Status status = run.Open();
  if (status.ok()) {
    Sweep(run, {begin, run.events()}, thoroughness_.nested_points);
    const std::uint64_t from = run.events();
    Script script({.name = "after the crash", .most_data = 200}, random_.Fork());
    status = script.Steps(run, 8);
    if (status.ok()) Sweep(run, {from, run.events()}, thoroughness_.nested_points / 2);
  }
  if (!status.ok()) Fail("going on", status.ToString());
  --depth_;
  prefix_ = before;
}

}  // namespace cirein::crash
