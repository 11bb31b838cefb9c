// SPDX-License-Identifier: Apache-2.0
#include "crash/pool_run.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "crash/shared_space.h"

namespace cirein::crash {

using dpm::Dpm;
using dpm::EntryFields;
using dpm::EntryKind;
using dpm::EntryView;
using dpm::Index;
using dpm::LogWriter;
using dpm::ReadEpochs;

namespace {

constexpr std::uint64_t kRareWorkEvents = 6;

Result<std::uint64_t> HashOfData(Dpm& pool, const EntryView& entry) {
  const auto text = [](dpm::ByteSpan bytes) {
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());  // NOLINT
  };
  if (const auto extent = entry.extent()) {
    const auto data = pool.extents().Open(*extent, entry.data_bytes());
    if (!data.ok()) return data.status();
    if (dpm::PayloadChecksum(data->bytes) != *entry.payload_checksum()) {
      return DataLoss("an extent's bytes are not those that were written");
    }
    return DataHash(text(data->bytes));
  }
  if (!entry.PayloadIntact()) return DataLoss("a payload is damaged");
  return DataHash(text(entry.data()));
}

// Puts what one entry says into the observation.
Status See(Dpm& pool, const Index::Found& found, std::uint16_t slot, Observation* seen,
           Observation::Shard* shard) {
  const auto again = pool.index().Find(found.entry.key(), slot);
  if (!again || again->location != found.location) {
    return Internal("a walk sees an entry that a search does not find");
  }
  if (found.entry.kind() != EntryKind::kObject || !pool.Visible(found, slot, 0)) return OkStatus();
  const auto hash = HashOfData(pool, found.entry);
  if (!hash.ok()) return hash.status();
  const Cell cell{found.entry.version(), *hash, found.entry.expiry_ms()};
  std::optional<std::string> column;
  if (found.entry.has_column()) column = std::string(found.entry.column());
  const std::string name = CellName(found.entry.row(), column);
  if (!shard->early.emplace(name, cell).second) return Internal("the index has a key twice");
  const std::uint64_t expiry = cell.expiry_ms.value_or(kNever);
  seen->earliest_expiry_ms = std::min(seen->earliest_expiry_ms, expiry);
  // Not by Visible: what a pool has answered by a late clock it judges by that clock for ever.
  const std::uint64_t of_row =
      found.row_entry ? found.row_entry.expiry_ms().value_or(kNever) : kNever;
  if (std::min(expiry, of_row) > kLateMs) shard->late.emplace(name, cell);
  return OkStatus();
}

RegionUse UseOf(const std::string& name) {
  if (name == dpm::kControlName) return RegionUse::kRecords;
  return name == dpm::kIndexName ? RegionUse::kWords : RegionUse::kLog;
}

// Stores what the contents have otherwise than the region, in pieces as they reach a medium.
void StoreDifference(Region& region, const std::vector<std::byte>& contents) {
  constexpr std::uint64_t kPiece = 64;
  for (std::uint64_t at = 0; at < contents.size(); at += kPiece) {
    const std::uint64_t bytes = std::min<std::uint64_t>(kPiece, contents.size() - at);
    if (std::memcmp(region.data() + at, contents.data() + at, bytes) == 0) continue;
    (void)region.Write(at, std::span(contents).subspan(at, bytes));
  }
}

// Makes the space look like this without persisting anything.
void ShowUnpersisted(ShadowSpace& space, const SpaceImage& seen) {
  const auto entries = space.List();
  for (const RegionSpace::Entry& entry : *entries) {
    if (!seen.contains(entry.name)) (void)space.Remove(entry.name);
  }
  for (const auto& [name, contents] : seen) {
    const RegionUse use = UseOf(name);
    auto region = space.Open(name, use, RegionSpace::Access::kReadWrite);
    if (!region.ok()) region = space.Create(name, contents.size(), use);
    if (region.ok()) StoreDifference(**region, contents);
  }
}

}  // namespace

std::string NameOf(const Setting& setting) {
  return std::string(setting.flushable() ? "Flushable" : "File") +
         (setting.power() ? "Power" : "Process");
}

std::string RowName(std::size_t shard, std::size_t row) {
  // Twelve rows in a slot make its table grow twice.
  return fmt::format("{{{}{}}}row{}", shard == 0 ? 'a' : 'b', row % 2, row);
}

Result<Observation> Observe(Dpm& pool, ReadEpochs::Reader& reader) {
  const ReadEpochs::Guard guard(reader);
  Observation seen;
  for (std::size_t i = 0; i < kShards; ++i) {
    Observation::Shard& shard = seen.shards[i];
    Status status;
    for (std::size_t row = 0; row < kRowsPerShard && status.ok(); ++row) {
      const std::string name = RowName(i, row);
      const std::uint16_t slot = SlotOfRow(name);
      pool.index().WalkRow(KeyView(kBucket, std::string_view(name)), slot,
                           [&](const Index::Found& found) {
                             status = See(pool, found, slot, &seen, &shard);
                             return status.ok();
                           });
    }
    if (!status.ok()) return status;
    shard.late_digest = DigestOf(shard.late);
    shard.early_digest = DigestOf(shard.early);
  }
  return seen;
}

PoolRun::PoolRun(const Setting& setting, SpaceImage image, std::string boot_id,
                 const Expectation& known)
    : PoolRun(setting, Left{std::move(image), {}, known, known}, std::move(boot_id)) {}

PoolRun::PoolRun(const Setting& setting, Left left, std::string boot_id)
    : setting_(setting),
      boot_id_(std::move(boot_id)),
      space_(std::make_shared<ShadowSpace>(setting.medium, boot_id_, std::move(left.durable))),
      now_(std::make_shared<Knowledge>(*left.killed.knowledge)) {
  for (std::size_t i = 0; i < kShards; ++i) {
    now_->shards[i].Restart(left.killed.ranges[i], left.cut.ranges[i]);
  }
  const std::uint64_t least_ms = left.killed.least_floor_ms;
  const std::uint64_t most_ms = left.killed.most_floor_ms;
  floors_.push_back({least_ms, 0, 0});
  if (most_ms != least_ms) floors_.push_back({most_ms, 0});
  phases_.push_back({0, now_});
  if (!left.seen.empty()) ShowUnpersisted(*space_, left.seen);
}

PoolRun::~PoolRun() { Drop(); }

void PoolRun::Drop() {
  for (auto& writer : writers_) writer.reset();
  pool_.reset();
}

Status PoolRun::Open() {
  const std::uint64_t from = events();
  findings_.clear();
  ++counts_.opens;
  auto pool = Dpm::Open(std::make_unique<SharedSpace>(space_), {}, &findings_);
  rare_.push_back({from, events()});
  if (!pool.ok()) return pool.status();
  pool_ = std::move(*pool);
  auto reader = pool_->read_epochs().NewReader();
  Result<Observation> seen = Observe(*pool_, reader);
  if (!seen.ok()) return seen.status();
  seen_ = std::move(*seen);
  std::array<std::size_t, kShards> groups{};
  const std::string problem = At(events(), Crash::kProcess).Judge(seen_, &groups);
  if (!problem.empty()) return DataLoss(problem);
  now_ = std::make_shared<Knowledge>(*now_);
  for (std::size_t i = 0; i < kShards; ++i) {
    now_->shards[i].Settle(groups[i], events());
    committed_[i] = groups[i];
    counters_[i] = 0;
    writers_[i] = pool_->NewWriter(static_cast<std::uint32_t>(i));
  }
  phases_.push_back({events(), now_});
  return OkStatus();
}

Result<std::vector<EntryFields>> PoolRun::FieldsOf(const Group& group, std::size_t shard) {
  data_.assign(group.size(), {});
  records_.assign(group.size(), {});
  // What an earlier row entry hid stays hidden: the newest one speaks for all, of this group too.
  std::map<std::string, Version> hidden;
  std::vector<EntryFields> fields;
  for (std::size_t i = 0; i < group.size(); ++i) {
    const Write& write = group[i];
    EntryFields entry{.kind = EntryKind::kObject,
                      .key = KeyOf(write),
                      .slot = SlotOfRow(write.row),
                      .version = {pool_->epoch(), counters_[shard] + 1 + i},
                      .expiry_ms = write.expiry_ms};
    if (write.kind == Write::Kind::kPut) {
      data_[i] = DataFor(write);
      entry.data = std::as_bytes(std::span(data_[i]));
      if (data_[i].size() > pool_->superblock().large_bytes) {
        auto extent = pool_->extents().Create(entry.key, data_[i].size());
        if (!extent.ok()) return extent.status();
        std::uint64_t checksum = 0;
        Status status = (*extent)->Append(entry.data);
        if (status.ok()) status = (*extent)->Finish(&checksum);
        if (!status.ok()) return status;
        entry.data = {};
        entry.extent = (*extent)->number();
        entry.extent_bytes = data_[i].size();
        entry.payload_checksum = checksum;
      }
    } else if (write.kind == Write::Kind::kDrop) {
      entry.kind = EntryKind::kGone;
    } else {
      entry.kind = EntryKind::kRow;
      Version& hide =
          hidden.try_emplace(write.row, model(shard).HideBelow(write.row)).first->second;
      if (write.kind == Write::Kind::kDropRow) hide = entry.version;
      records_[i] = {hide.counter, static_cast<std::uint32_t>(hide.epoch), 0};
      entry.data = std::as_bytes(std::span(&records_[i], 1));
    }
    fields.push_back(entry);
  }
  return fields;
}

Status PoolRun::Stage(std::size_t shard, const Group& group) {
  const auto fields = FieldsOf(group, shard);
  if (!fields.ok()) return fields.status();
  std::vector<dpm::Location> locations(fields->size());
  auto staged = writers_[shard]->Stage(*fields, locations);
  if (staged.ok() && *staged == LogWriter::Staged::kFull) {
    if (Status status = Commit(shard); !status.ok()) return status;
    const std::uint64_t from = events();
    staged = writers_[shard]->Stage(*fields, locations);
    rare_.push_back({from, events()});
  }
  if (!staged.ok()) {
    if (staged.status().code() == StatusCode::kResourceExhausted) ++counts_.full;
    return staged.status();
  }
  now_->shards[shard].Add(group, fields->front().version, events());
  counters_[shard] += group.size();
  ++counts_.groups;
  return OkStatus();
}

Status PoolRun::Commit(std::size_t shard) {
  if (Status status = writers_[shard]->Commit(); !status.ok()) return status;
  committed_[shard] = now_->shards[shard].groups();
  now_->shards[shard].Acknowledge(committed_[shard], events());
  if (setting_.power()) now_->shards[shard].Sync(committed_[shard], events());
  return OkStatus();
}

Status PoolRun::Apply(std::size_t shard, const Group& group) {
  if (Status status = Stage(shard, group); !status.ok()) return status;
  return Commit(shard);
}

Status PoolRun::Sync() {
  if (Status status = pool_->Sync(); !status.ok()) return status;
  for (std::size_t i = 0; i < kShards; ++i) now_->shards[i].Sync(committed_[i], events());
  return OkStatus();
}

void PoolRun::NoteWork(std::uint64_t from, const Dpm::WorkDone& done) {
  counts_.cleaned += done.cleaned_segments;
  counts_.freed += done.freed_segments;
  counts_.forgotten += done.forgotten;
  const bool rare = done.cleaned_segments + done.freed_segments + done.forgotten != 0;
  if (rare || events() - from > kRareWorkEvents) rare_.push_back({from, events()});
}

Status PoolRun::Work(Dpm::Urgency urgency) {
  const std::uint64_t from = events();
  const auto done = pool_->Work(urgency);
  if (!done.ok()) return done.status();
  NoteWork(from, *done);
  return OkStatus();
}

Status PoolRun::RaiseClockFloor(std::uint64_t now_ms) {
  floors_.push_back({now_ms, events()});
  const std::uint64_t from = events();
  if (Status status = pool_->RaiseClockFloor(now_ms); !status.ok()) return status;
  floors_.back().done_at = events();
  rare_.push_back({from, events()});
  return OkStatus();
}

Status PoolRun::KillAndOpen() {
  // What was staged and never written is forgotten by Open's judgement: it is not there.
  Drop();
  return Open();
}

Status PoolRun::KillInCommitAndOpen(std::size_t shard) {
  space_->FailPersists(IoError("the process is about to be killed", "next: open the pool again"));
  const Status status = writers_[shard]->Commit();
  space_->FailPersists(OkStatus());
  if (status.ok()) return Internal("a commit did not persist");
  return KillAndOpen();
}

Status PoolRun::Close() {
  for (std::size_t i = 0; i < kShards; ++i) {
    if (Status status = Commit(i); !status.ok()) return status;
    if (Status status = writers_[i]->Seal(); !status.ok()) return status;
    writers_[i].reset();
  }
  const std::uint64_t from = events();
  if (Status status = pool_->Close(); !status.ok()) return status;
  rare_.push_back({from, events()});
  for (std::size_t i = 0; i < kShards; ++i) now_->shards[i].Sync(committed_[i], events());
  return OkStatus();
}

Status PoolRun::CloseAndOpen() {
  if (Status status = Close(); !status.ok()) return status;
  return KillAndOpen();
}

Status PoolRun::CheckNow() {
  if (Status status = pool_->MergeAll(); !status.ok()) return status;
  auto reader = pool_->read_epochs().NewReader();
  const Result<Observation> seen = Observe(*pool_, reader);
  if (!seen.ok()) return seen.status();
  Expectation expected = At(events(), Crash::kProcess);
  std::array<std::size_t, kShards> groups{};
  const std::string problem = expected.Judge(*seen, &groups);
  return problem.empty() ? OkStatus() : DataLoss(problem);
}

Expectation PoolRun::At(std::uint64_t point, Crash crash) const {
  Expectation expected;
  for (const Phase& phase : phases_) {
    if (phase.from <= point) expected.knowledge = phase.knowledge;
  }
  const bool synced = crash == Crash::kPower && !setting_.power();
  for (std::size_t i = 0; i < kShards; ++i) {
    expected.ranges[i] = expected.knowledge->shards[i].At(
        point, synced ? ShardLog::Promise::kSynced : ShardLog::Promise::kAnswered);
  }
  for (const Floor& floor : floors_) {
    if (floor.begun_at <= point) {
      expected.most_floor_ms = std::max(expected.most_floor_ms, floor.value_ms);
    }
    if (floor.done_at <= point) {
      expected.least_floor_ms = std::max(expected.least_floor_ms, floor.value_ms);
    }
  }
  return expected;
}

dpm::CreateOptions TinyPool(const Setting& setting, std::uint64_t pool_id, std::uint64_t segments) {
  dpm::CreateOptions options;
  options.segment_bytes = 16 * 1024;
  options.log_bytes = segments * options.segment_bytes;
  options.index_bytes = 192 * 1024;
  options.extent_limit_bytes = 256 * 1024;
  options.durability = setting.durability;
  options.pool_id = pool_id;
  options.created_ms = 1;
  return options;
}

SpaceImage NewPool(const Setting& setting, std::uint64_t pool_id, std::uint64_t segments) {
  ShadowSpace space(setting.medium);
  const Status status = Dpm::Create(space, TinyPool(setting, pool_id, segments));
  if (!status.ok()) return {};
  return space.ProcessCrash(space.events());
}

Expectation Nothing() {
  Expectation expected;
  expected.knowledge = std::make_shared<Knowledge>();
  return expected;
}

}  // namespace cirein::crash
