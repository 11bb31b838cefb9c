// SPDX-License-Identifier: Apache-2.0
#include "dpm/index_row.h"

#include <algorithm>
#include <cstring>

namespace cirein::dpm {

std::uint64_t MakeRow(IndexMemory& memory, const RowFields& fields) {
  const std::uint64_t lines = RowNodeLines(fields.name.name.size());
  const std::uint64_t offset = memory.Allocate(lines);
  if (offset == 0) return 0;
  memory.Clear(offset, lines * kLine);

  RowNode node{};
  node.row_entry = fields.row_entry.offset;
  node.object = fields.object.offset;
  node.table = fields.table.word();
  node.row_hash = fields.row_hash;
  node.bucket = fields.name.bucket;
  node.row_bytes = static_cast<std::uint16_t>(fields.name.name.size());
  const auto fill = [&](std::uint64_t at, const void* from, std::size_t bytes) {
    for (std::size_t done = 0; done < bytes; done += sizeof(std::uint64_t)) {
      std::uint64_t word = 0;
      std::memcpy(&word, static_cast<const char*>(from) + done,
                  std::min(sizeof word, bytes - done));
      memory.Fill(at + done, word);
    }
  };
  fill(offset, &node, sizeof node);
  fill(offset + sizeof node, fields.name.name.data(), fields.name.name.size());
  memory.PersistBody(offset, lines * kLine);
  return offset;
}

std::optional<std::uint64_t> RowHasher::HashOf(Cell cell) const {
  if (cell.kind() == CellKind::kRowNode) return parts_.Row(cell).row_hash();
  const EntryView entry = parts_.log.At(cell.location());
  if (!entry) return std::nullopt;
  return Hash64(entry.row(), entry.header().bucket);
}

std::optional<std::uint64_t> ColumnHasher::HashOf(Cell cell) const {
  const EntryView entry = log_.At(cell.location());
  if (!entry) return std::nullopt;
  return ColumnHash(entry.column());
}

}  // namespace cirein::dpm
