// SPDX-License-Identifier: Apache-2.0
#include "crash/script.h"

#include <array>
#include <string>

#include <fmt/format.h>

namespace cirein::crash {

namespace {

constexpr std::uint64_t kFloorStepMs = 100;
constexpr std::uint64_t kLongestExpiryMs = 300;

}  // namespace

std::vector<Scenario> AllScenarios() {
  std::vector<Scenario> all;
  all.push_back({.name = "log"});
  all.push_back({.name = "groups", .most_group = 8, .most_staged = 4, .most_data = 300});
  // Rows of one slot, and many columns: tables that grow, and shrink again.
  all.push_back({.name = "rows",
                 .steps = 140,
                 .rows = kRowsPerShard,
                 .columns = 24,
                 .drop = 4,
                 .drop_row = 2,
                 .column_percent = 85,
                 .most_group = 6,
                 .most_data = 60,
                 .work = 12});
  all.push_back({.name = "cleaner",
                 .steps = 160,
                 .segments = 10,
                 .rows = 6,
                 .columns = 2,
                 .least_data = 200,
                 .most_data = 1500,
                 .work = 10,
                 .urgent_work = 4});
  all.push_back({.name = "extents",
                 .rows = 5,
                 .columns = 2,
                 .drop = 3,
                 .most_group = 2,
                 .large_percent = 40,
                 .work = 10,
                 .urgent_work = 2});
  all.push_back({.name = "expiry",
                 .rows = 8,
                 .drop_row = 1,
                 .expire_row = 2,
                 .expiry_percent = 50,
                 .work = 10,
                 .urgent_work = 2,
                 .raise_floor = 1});
  // Many gone keys and little else: they have to be forgotten.
  all.push_back({.name = "gone",
                 .steps = 220,
                 .segments = 8,
                 .rows = kRowsPerShard,
                 .columns = 10,
                 .put = 10,
                 .drop = 9,
                 .drop_row = 3,
                 .most_group = 10,
                 .most_data = 200,
                 .work = 10,
                 .urgent_work = 6});
  all.push_back({.name = "reopen",
                 .rows = 8,
                 .drop_row = 1,
                 .expiry_percent = 10,
                 .large_percent = 5,
                 .urgent_work = 1,
                 .close = 1,
                 .kill = 1,
                 .kill_in_commit = 1});
  return all;
}

template <typename Options>
std::size_t Script::Weighted(const Options& weights) {
  std::uint64_t sum = 0;
  for (const std::uint32_t weight : weights) sum += weight;
  std::uint64_t drawn = random_.Below(sum);
  for (std::size_t i = 0;; ++i) {
    if (drawn < weights[i]) return i;
    drawn -= weights[i];
  }
}

Write Script::DrawWrite(std::size_t shard) {
  const Scenario& s = scenario_;
  constexpr std::array kKinds{Write::Kind::kPut, Write::Kind::kDrop, Write::Kind::kDropRow,
                              Write::Kind::kExpireRow};
  Write write;
  write.kind = kKinds[Weighted(std::array{s.put, s.drop, s.drop_row, s.expire_row})];
  write.row = RowName(shard, random_.Below(s.rows));
  const bool of_row = write.kind == Write::Kind::kDropRow || write.kind == Write::Kind::kExpireRow;
  if (!of_row && random_.Below(100) < s.column_percent) {
    const std::uint64_t column = random_.Below(s.columns);
    // The empty column is one too.
    write.column = column == 0 ? "" : fmt::format("c{}", column);
  }
  if (write.kind == Write::Kind::kPut) {
    write.data_seed = random_();
    write.data_bytes =
        s.least_data + static_cast<std::uint32_t>(random_.Below(s.most_data - s.least_data));
    if (random_.Below(100) < s.large_percent) write.data_bytes = 2100 + write.data_bytes * 4;
  }
  const bool expires = write.kind == Write::Kind::kExpireRow ||
                       (write.kind == Write::Kind::kPut && random_.Below(100) < s.expiry_percent);
  if (expires) {
    // An open with anything that expires raises the floor to 1 by itself.
    write.expiry_ms = floor_ms_ + 2 + random_.Below(kLongestExpiryMs);
    if (random_.OneIn(4)) *write.expiry_ms += kLateMs;
  }
  return write;
}

Group Script::DrawGroup(const PoolRun& run, std::size_t shard) {
  Group group;
  const std::uint64_t count = 1 + random_.Below(scenario_.most_group);
  for (std::uint64_t i = 0; i < count; ++i) {
    Write write = DrawWrite(shard);
    // What is written to a row that expires begins a new one.
    bool expires = run.model(shard).RowExpires(write.row);
    for (const Write& before : group) {
      if (before.row != write.row) continue;
      if (before.kind == Write::Kind::kExpireRow) expires = true;
      if (before.kind == Write::Kind::kDropRow) expires = false;
    }
    if (expires && write.kind != Write::Kind::kDropRow) {
      group.emplace_back();
      group.back().kind = Write::Kind::kDropRow;
      group.back().row = write.row;
    }
    group.push_back(std::move(write));
  }
  return group;
}

Status Script::WriteSome(PoolRun& run) {
  const std::size_t shard = random_.Below(kShards);
  const std::uint64_t count = 1 + random_.Below(scenario_.most_staged);
  for (std::uint64_t i = 0; i < count; ++i) {
    const Status status = run.Stage(shard, DrawGroup(run, shard));
    if (status.ok()) continue;
    if (status.code() != StatusCode::kResourceExhausted) return status;
    break;
  }
  return run.Commit(shard);
}

Status Script::Step(PoolRun& run) {
  const Scenario& s = scenario_;
  const std::uint32_t kill_in_commit = run.setting().power() ? s.kill_in_commit : 0;
  switch (Weighted(std::array{s.write, s.sync, s.work, s.urgent_work, s.raise_floor, s.close,
                              s.kill, kill_in_commit})) {
    case 0:
      return WriteSome(run);
    case 1:
      return run.Sync();
    case 2:
      return run.Work(dpm::Dpm::Urgency::kNormal);
    case 3:
      return run.Work(dpm::Dpm::Urgency::kUrgent);
    case 4:
      floor_ms_ += kFloorStepMs;
      return run.RaiseClockFloor(floor_ms_);
    case 5:
      return run.CloseAndOpen();
    case 6:
      return run.KillAndOpen();
    default: {
      const std::size_t shard = random_.Below(kShards);
      const Status status = run.Stage(shard, DrawGroup(run, shard));
      if (status.code() == StatusCode::kResourceExhausted) return OkStatus();
      if (!status.ok()) return status;
      return run.KillInCommitAndOpen(shard);
    }
  }
}

Status Script::Steps(PoolRun& run, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    if (Status status = Step(run); !status.ok()) {
      return status.WithContext(fmt::format("{}, step {}", scenario_.name, i));
    }
  }
  return OkStatus();
}

}  // namespace cirein::crash
