// SPDX-License-Identifier: Apache-2.0
#include "dpm/index_writer.h"

#include <array>
#include <vector>

namespace cirein::dpm {
namespace {

using Outcome = Index::Outcome;

// An op is looked ahead for in stages, so many ops apart: enough that what one stage asked for has
// come when the next one reads it, few enough that the processor can ask for all of it at once.
constexpr std::size_t kStages = 5;
constexpr std::size_t kStageOps = 6;
// A power of two that holds all ops that are looked ahead for.
constexpr std::size_t kAhead = 32;
static_assert(kAhead > kStages * kStageOps);

struct Placed {
  EntryView entry;
  Location location;
};

// The rule of versions, the only place where it stands. kApplied: the new entry takes the old one's
// place. An old entry that makes no sense is no entry.
Outcome Judge(const Placed& old, const Placed& now) {
  if (old.location == now.location) return Outcome::kRepeated;
  if (!old.entry) return Outcome::kApplied;
  const auto order = now.entry.version() <=> old.entry.version();
  if (order > 0) return Outcome::kApplied;
  if (order < 0) return Outcome::kStale;
  // One version twice: the cleaner moved it, or two writers claimed it.
  if (now.entry.has(kCopied)) return Outcome::kApplied;
  return old.entry.has(kCopied) ? Outcome::kStale : Outcome::kConflict;
}

}  // namespace

// What is known of an op before its turn.
struct IndexWriter::Ahead {
  std::uint64_t home = 0;
  std::uint64_t column_hash = 0;
  std::uint64_t bucket = 0;  // The first of the chain to look at next; 0: none.
  std::uint64_t node = 0;
};

// One entry that is applied or forgotten.
struct IndexWriter::Step {
  EntryView entry;
  Location location;
  std::uint64_t row_hash;
  std::uint64_t column_hash;
  std::uint64_t home;
  RowName name;
  const Superseded* superseded;
};

IndexWriter::IndexWriter(const IndexParts& parts)
    : parts_(parts), row_hasher_(parts), column_hasher_(parts.log) {}

std::size_t IndexWriter::Apply(std::span<Op> ops, const Superseded& superseded) {
  std::array<Ahead, kAhead> ahead;
  for (std::size_t turn = 0; turn < ops.size() + kStages * kStageOps; ++turn) {
    LookAhead(ops, ahead, turn);
    if (turn < kStages * kStageOps) continue;
    const std::size_t i = turn - kStages * kStageOps;
    Op& op = ops[i];
    const Ahead& known = ahead[i % kAhead];
    op.outcome = ApplyOne({op.entry, op.location, op.row_hash, known.column_hash, known.home,
                           RowName::Of(op.entry), &superseded});
    if (op.outcome == Outcome::kNoSpace) return i;
  }
  return ops.size();
}

// In each turn a stage is done for one op; each asks for what the next one reads. What one stage
// read may be used for something else by the time of the next: so nothing is followed out of the
// heap, and nothing but memory that is near by now is taken along to the op's own turn.
void IndexWriter::LookAhead(std::span<const Op> ops, std::span<Ahead> ahead,
                            std::size_t turn) const {
  const auto at_stage = [&](std::size_t stage, auto&& fetch) {
    const std::size_t i = turn - stage * kStageOps;
    if (turn >= stage * kStageOps && i < ops.size()) fetch(ops[i], ahead[i % kAhead]);
  };
  at_stage(0, [&](const Op& op, Ahead& known) { FetchHome(op, known); });
  at_stage(1, [&](const Op& op, Ahead& known) { FetchBucket(op, known); });
  at_stage(2, [&](const Op& op, Ahead& known) { FetchRow(op, known); });
  at_stage(3, [&](const Op& op, Ahead& known) { FetchColumns(op, known); });
  at_stage(4, [&](const Op&, Ahead& known) { FetchColumn(known); });
}

Cell IndexWriter::FirstCandidate(std::uint64_t bucket, std::uint64_t hash) const {
  const unsigned candidates = parts_.tables.Candidates(bucket, hash);
  if (candidates == 0) return {};
  const auto number = static_cast<unsigned>(std::countr_zero(candidates));
  return Cell(parts_.memory.Load(bucket + number * sizeof(std::uint64_t)));
}

void IndexWriter::FetchHome(const Op& op, Ahead& ahead) const {
  ahead = {};
  ahead.home = parts_.Home(op.entry.slot());
  if (op.entry.has_column()) ahead.column_hash = ColumnHash(op.entry.column());
  parts_.memory.Prefetch(ahead.home);
}

void IndexWriter::FetchBucket(const Op& op, Ahead& ahead) const {
  const TableWord table = parts_.tables.At(ahead.home);
  if (table.empty()) return;
  ahead.bucket = table.chain(op.row_hash);
  parts_.memory.PrefetchToWrite(ahead.bucket);
}

void IndexWriter::FetchRow(const Op& op, Ahead& ahead) const {
  if (ahead.bucket == 0) return;
  const Cell cell = FirstCandidate(ahead.bucket, op.row_hash);
  ahead.bucket = 0;
  if (cell.empty()) return;
  if (cell.kind() == CellKind::kEntry) {
    parts_.log.Prefetch(cell.location());
  } else if (parts_.memory.Holds(cell.place())) {
    parts_.memory.Prefetch(cell.place());
    ahead.node = cell.place();
  }
}

void IndexWriter::FetchColumns(const Op& op, Ahead& ahead) const {
  if (ahead.node == 0) return;
  const RowRef row(parts_.memory, ahead.node);
  if (const Location row_entry = row.row_entry()) parts_.log.Prefetch(row_entry);
  if (!op.entry.has_column()) {
    if (const Location object = row.object()) parts_.log.Prefetch(object);
    return;
  }
  const TableWord table = row.table();
  const std::uint64_t bucket = table.chain(ahead.column_hash);
  if (!parts_.memory.Holds(bucket)) return;
  ahead.bucket = bucket;
  parts_.memory.PrefetchToWrite(ahead.bucket);
}

void IndexWriter::FetchColumn(Ahead& ahead) const {
  if (ahead.bucket == 0) return;
  const Cell cell = FirstCandidate(ahead.bucket, ahead.column_hash);
  if (!cell.empty()) parts_.log.Prefetch(cell.location());
}

Outcome IndexWriter::ApplyOne(const Step& step) {
  const Probe row = parts_.FindRow(step.home, step.row_hash, step.name);
  probed_buckets.Add(row.buckets);
  if (step.entry.kind() == EntryKind::kRow) return ApplyRowEntry(step, row);
  return step.entry.has_column() ? ApplyColumn(step, row) : ApplyObject(step, row);
}

void IndexWriter::Tell(const Step& step, Location location, const EntryView& entry) const {
  if (entry && *step.superseded) (*step.superseded)(location, entry);
}

Outcome IndexWriter::ApplyObject(const Step& step, const Probe& row) {
  const Placed now{step.entry, step.location};
  if (!row) {
    const Cell cell = Cell::Of(step.row_hash, CellKind::kEntry, step.location.offset);
    if (!parts_.tables.Insert(step.home, step.row_hash, cell, row_hasher_)) {
      return Outcome::kNoSpace;
    }
    keys.Add(1);
    return Outcome::kApplied;
  }
  if (row.cell.kind() == CellKind::kEntry) {
    const Placed old{parts_.log.At(row.cell.location()), row.cell.location()};
    const Outcome outcome = Judge(old, now);
    if (outcome != Outcome::kApplied) return outcome;
    parts_.memory.Link(row.offset, row.cell.To(CellKind::kEntry, step.location.offset).word());
    Tell(step, old.location, old.entry);
    return outcome;
  }
  const RowRef node = parts_.Row(row.cell);
  if (Hides(parts_.RowEntry(node), step.entry)) return Outcome::kStale;
  const Location location = node.object();
  const Placed old{location ? parts_.log.At(location) : EntryView(), location};
  const Outcome outcome = Judge(old, now);
  if (outcome != Outcome::kApplied) return outcome;
  parts_.memory.Link(node.object_word(), step.location.offset);
  if (!location) keys.Add(1);
  Tell(step, old.location, old.entry);
  return outcome;
}

// A node for a row that has none: in place of the cell of its object, or as a new cell.
Outcome IndexWriter::NewRow(const Step& step, const Probe& row, RowFields fields) {
  fields.name = step.name;
  fields.row_hash = step.row_hash;
  const std::uint64_t node = MakeRow(parts_.memory, fields);
  if (node == 0) return Outcome::kNoSpace;
  const Cell cell = Cell::Of(step.row_hash, CellKind::kRowNode, node);
  if (row) {
    parts_.memory.Link(row.offset, cell.word());
  } else if (!parts_.tables.Insert(step.home, step.row_hash, cell, row_hasher_)) {
    parts_.memory.Free(node, RowNodeLines(step.name.name.size()));
    return Outcome::kNoSpace;
  }
  rows.Add(1);
  if (fields.row_entry) row_entries.Add(1);
  return Outcome::kApplied;
}

Outcome IndexWriter::NewColumnRow(const Step& step, const Probe& row) {
  const TableWord table =
      parts_.tables.Make(Cell::Of(step.column_hash, CellKind::kEntry, step.location.offset));
  if (table.empty()) return Outcome::kNoSpace;
  const Location object = row ? row.cell.location() : Location{};
  const Outcome outcome = NewRow(step, row, {.object = object, .table = table});
  if (outcome == Outcome::kApplied) {
    keys.Add(1);
  } else {
    parts_.tables.Unmake(table);
  }
  return outcome;
}

Outcome IndexWriter::ApplyColumn(const Step& step, const Probe& row) {
  if (!row || row.cell.kind() == CellKind::kEntry) return NewColumnRow(step, row);
  const RowRef node = parts_.Row(row.cell);
  if (Hides(parts_.RowEntry(node), step.entry)) return Outcome::kStale;
  const Probe column = parts_.FindColumn(node, step.name, step.entry.column(), step.column_hash);
  probed_buckets.Add(column.buckets);
  if (!column) {
    const Cell cell = Cell::Of(step.column_hash, CellKind::kEntry, step.location.offset);
    if (!parts_.tables.Insert(node.table_home(), step.column_hash, cell, column_hasher_)) {
      return Outcome::kNoSpace;
    }
    keys.Add(1);
    return Outcome::kApplied;
  }
  const Placed old{parts_.log.At(column.cell.location()), column.cell.location()};
  const Outcome outcome = Judge(old, {step.entry, step.location});
  if (outcome != Outcome::kApplied) return outcome;
  parts_.memory.Link(column.offset, column.cell.To(CellKind::kEntry, step.location.offset).word());
  Tell(step, old.location, old.entry);
  return outcome;
}

Outcome IndexWriter::ApplyRowEntry(const Step& step, const Probe& row) {
  if (!row) return NewRow(step, row, {.row_entry = step.location});
  if (row.cell.kind() == CellKind::kEntry) {
    const Location location = row.cell.location();
    const EntryView object = parts_.log.At(location);
    const bool hidden = Hides(step.entry, object);
    const Outcome outcome =
        NewRow(step, row, {.row_entry = step.location, .object = hidden ? Location{} : location});
    if (outcome != Outcome::kApplied || !hidden) return outcome;
    keys.Subtract(1);
    Tell(step, location, object);
    return outcome;
  }
  const RowRef node = parts_.Row(row.cell);
  const Placed old{parts_.RowEntry(node), node.row_entry()};
  const Outcome outcome = Judge(old, {step.entry, step.location});
  const bool same_version = old.entry && old.entry.version() == step.entry.version();
  if (outcome == Outcome::kApplied) {
    parts_.memory.Link(node.row_entry_word(), step.location.offset);
    if (!old.location) row_entries.Add(1);
    Tell(step, old.location, old.entry);
    if (same_version) return outcome;  // Moved by the cleaner: what it hides went when it came.
  } else if (!same_version || outcome == Outcome::kConflict) {
    return outcome;
  }
  // Also for one that was applied before: a crash may have come before its columns were removed.
  RemoveHidden(step, node);
  return outcome;
}

void IndexWriter::RemoveHidden(const Step& step, const RowRef& row) {
  if (const Location location = row.object()) {
    const EntryView object = parts_.log.At(location);
    if (!object || Hides(step.entry, object)) {
      parts_.memory.Link(row.object_word(), 0);
      keys.Subtract(1);
      Tell(step, location, object);
    }
  }
  if (!row.table().empty()) RemoveHiddenColumns(step, row);
}

void IndexWriter::RemoveHiddenColumns(const Step& step, const RowRef& row) {
  std::vector<IndexTables::Place> hidden;
  std::uint64_t kept = 0;
  parts_.tables.ForEachGroup(row.table(), [&](std::span<const IndexTables::Place> places) {
    for (const auto& place : places) parts_.log.Prefetch(place.cell.location());
    for (const auto& place : places) {
      const EntryView entry = parts_.log.At(place.cell.location());
      if (!entry || Hides(step.entry, entry)) {
        hidden.push_back(place);
      } else {
        ++kept;
      }
    }
    return true;
  });
  if (hidden.empty()) return;
  if (kept == 0) {
    parts_.tables.RemoveAll(row.table_home());
  } else {
    parts_.tables.Remove(row.table_home(), hidden, column_hasher_);
  }
  keys.Subtract(hidden.size());
  for (std::size_t i = 0; i < hidden.size(); ++i) {
    if (i + kAhead < hidden.size()) parts_.log.Prefetch(hidden[i + kAhead].cell.location());
    const Location location = hidden[i].cell.location();
    Tell(step, location, parts_.log.At(location));
  }
}

bool IndexWriter::Forget(const EntryView& entry, Location location) {
  const KeyView key = entry.key();
  const Step step{entry,
                  location,
                  key.row_hash,
                  entry.has_column() ? ColumnHash(entry.column()) : 0,
                  parts_.Home(entry.slot()),
                  RowName::Of(entry),
                  nullptr};
  const Probe row = parts_.FindRow(step.home, step.row_hash, step.name);
  if (!row) return false;
  if (row.cell.kind() == CellKind::kEntry) {
    if (row.cell.location() != location) return false;
    parts_.tables.Remove(step.home, row, row_hasher_);
    keys.Subtract(1);
    return true;
  }
  const RowRef node = parts_.Row(row.cell);
  if (entry.kind() == EntryKind::kRow) {
    if (node.row_entry() != location) return false;
    parts_.memory.Link(node.row_entry_word(), 0);
    row_entries.Subtract(1);
  } else if (!entry.has_column()) {
    if (node.object() != location) return false;
    parts_.memory.Link(node.object_word(), 0);
    keys.Subtract(1);
  } else {
    const Probe column = parts_.FindColumn(node, step.name, entry.column(), step.column_hash);
    if (!column || column.cell.location() != location) return false;
    parts_.tables.Remove(node.table_home(), column, column_hasher_);
    keys.Subtract(1);
  }
  TidyRow(step.home, row);
  return true;
}

// A node that nothing needs any more goes: its row has at most an object left.
void IndexWriter::TidyRow(std::uint64_t home, const Probe& probe) {
  const RowRef row = parts_.Row(probe.cell);
  if (row.row_entry() || !row.table().empty()) return;
  const std::uint64_t lines = row.lines();
  if (const Location object = row.object()) {
    parts_.memory.Link(probe.offset, probe.cell.To(CellKind::kEntry, object.offset).word());
  } else {
    parts_.tables.Remove(home, probe, row_hasher_);
  }
  parts_.memory.Retire(row.offset(), lines);
  rows.Subtract(1);
}

void IndexWriter::TidyRow(std::uint64_t home, const RowRef& row) {
  const Probe probe = parts_.FindRow(home, row.row_hash(), row.name());
  if (probe && probe.cell.kind() == CellKind::kRowNode && probe.cell.place() == row.offset()) {
    TidyRow(home, probe);
  }
}

}  // namespace cirein::dpm
