// SPDX-License-Identifier: Apache-2.0
#include "dpm/index_reader.h"

namespace cirein::dpm {

std::optional<Index::Found> IndexReader::Find(const KeyView& key, std::uint16_t slot) const {
  const Probe row = parts_.FindRow(parts_.Home(slot), key.row_hash, RowName::Of(key));
  if (!row) return std::nullopt;
  if (row.cell.kind() == CellKind::kRowNode) return FindInNode(parts_.Row(row.cell), key);
  if (key.has_column) return std::nullopt;
  const Location location = row.cell.location();
  return Found{parts_.log.At(location), location, {}, true};
}

EntryView IndexReader::FindRowEntry(const KeyView& row, std::uint16_t slot) const {
  const Probe found = parts_.FindRow(parts_.Home(slot), row.row_hash, RowName::Of(row));
  if (!found || found.cell.kind() != CellKind::kRowNode) return {};
  return parts_.RowEntry(parts_.Row(found.cell));
}

// The row entry is read before and after: only if it is the same did both belong together at some
// moment. Each time that it is not, the writer has finished another row entry.
std::optional<Index::Found> IndexReader::FindInNode(const RowRef& node, const KeyView& key) const {
  const RowName name = RowName::Of(key);
  const std::uint64_t column_hash = key.has_column ? ColumnHash(key.column) : 0;
  for (;;) {
    const Location row_location = node.row_entry();
    Location location = node.object();
    if (key.has_column) {
      const Probe column = parts_.FindColumn(node, name, key.column, column_hash);
      location = column ? column.cell.location() : Location{};
    }
    if (node.row_entry() != row_location) continue;
    if (!location) return std::nullopt;
    Found found{parts_.log.At(location), location, {}};
    if (row_location) found.row_entry = parts_.log.RowEntryAt(row_location);
    if (!key.has_column && !IsObjectOf(found.entry, name)) return std::nullopt;
    if (Hides(found.row_entry, found.entry)) return std::nullopt;
    return found;
  }
}

bool IndexReader::WalkRow(const KeyView& key, std::uint16_t slot, const Visitor& visit) const {
  const Probe row = parts_.FindRow(parts_.Home(slot), key.row_hash, RowName::Of(key));
  if (!row) return true;
  if (row.cell.kind() == CellKind::kRowNode) return WalkNode(parts_.Row(row.cell), visit);
  const Location location = row.cell.location();
  return visit(Found{parts_.log.At(location), location, {}});
}

// What leads to `location` was read before the row entry is: so if that hides it, it is gone by
// now.
bool IndexReader::VisitInRow(const RowRef& node, Location location, const Visitor& visit) const {
  const EntryView entry = parts_.log.At(location);
  const EntryView row_entry = parts_.RowEntry(node);
  if (!entry || Hides(row_entry, entry)) return true;
  return visit(Found{entry, location, row_entry});
}

bool IndexReader::WalkNode(const RowRef& node, const Visitor& visit) const {
  const Location object = node.object();
  if (object && !VisitInRow(node, object, visit)) return false;
  return parts_.tables.ForEachGroup(node.table(), [&](std::span<const IndexTables::Place> places) {
    for (const auto& place : places) parts_.log.Prefetch(place.cell.location());
    for (const auto& place : places) {
      if (!VisitInRow(node, place.cell.location(), visit)) return false;
    }
    return true;
  });
}

bool IndexReader::WalkSlot(std::uint16_t slot, const Visitor& visit) const {
  const auto visit_cell = [&](Cell cell) {
    if (cell.kind() == CellKind::kEntry) {
      const EntryView entry = parts_.log.At(cell.location());
      return !entry || visit(Found{entry, cell.location(), {}});
    }
    const RowRef node = parts_.Row(cell);
    const Location location = node.row_entry();
    const EntryView row_entry = location ? parts_.log.RowEntryAt(location) : EntryView();
    if (row_entry && !visit(Found{row_entry, location, row_entry})) return false;
    return WalkNode(node, visit);
  };
  const TableWord table = parts_.tables.At(parts_.Home(slot));
  return parts_.tables.ForEachGroup(table, [&](std::span<const IndexTables::Place> places) {
    for (const auto& place : places) parts_.Prefetch(place.cell);
    for (const auto& place : places) {
      if (!visit_cell(place.cell)) return false;
    }
    return true;
  });
}

bool IndexReader::LeadsTo(const EntryView& entry, Location location) const {
  const KeyView key = entry.key();
  const RowName name = RowName::Of(entry);
  const Probe row = parts_.FindRow(parts_.Home(entry.slot()), key.row_hash, name);
  if (!row) return false;
  if (row.cell.kind() == CellKind::kEntry) return row.cell.location() == location;
  const RowRef node = parts_.Row(row.cell);
  if (entry.kind() == EntryKind::kRow) return node.row_entry() == location;
  if (!entry.has_column()) return node.object() == location;
  const Probe column = parts_.FindColumn(node, name, key.column, ColumnHash(key.column));
  return column && column.cell.location() == location;
}

}  // namespace cirein::dpm
