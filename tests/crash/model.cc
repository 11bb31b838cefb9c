// SPDX-License-Identifier: Apache-2.0
#include "crash/model.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "base/random.h"
#include "base/text.h"

namespace cirein::crash {

KeyView KeyOf(const Write& write) {
  KeyView key(kBucket, std::string_view(write.row));
  key.has_column = write.column.has_value();
  if (write.column) key.column = *write.column;
  return key;
}

std::string DataFor(const Write& write) {
  std::string data(write.data_bytes, '\0');
  Random random(write.data_seed);
  for (std::size_t at = 0; at < data.size(); at += 8) {
    std::uint64_t word = random();
    for (std::size_t i = at; i < std::min(at + 8, data.size()); ++i, word >>= 8) {
      data[i] = static_cast<char>(word & 0xFF);
    }
  }
  return data;
}

std::uint64_t DataHash(std::string_view data) { return Hash64(data, 11); }

std::string CellName(std::string_view row, const std::optional<std::string>& column) {
  std::string name(row);
  if (column) (name += '\0') += *column;
  return name;
}

std::uint64_t DigestOf(const Cells& cells) {
  std::uint64_t digest = cells.size();
  for (const auto& [name, cell] : cells) {
    digest = Hash64(name, digest);
    digest = dpm::MixSeed(digest, cell.version.epoch);
    digest = dpm::MixSeed(digest, cell.version.counter);
    digest = dpm::MixSeed(digest, cell.data_hash);
    digest = dpm::MixSeed(digest, cell.expiry_ms.value_or(0));
  }
  return digest;
}

std::string Difference(const Cells& expected, const Cells& found) {
  std::string text;
  const auto say = [&](std::string_view what, const std::string& name, const Cell& cell) {
    if (text.size() > 300) return;
    text += fmt::format("\n  {} '{}' version {} data {:x} expiry {}", what, EscapeForPeople(name),
                        cell.version.ToString(), cell.data_hash, cell.expiry_ms.value_or(0));
  };
  for (const auto& [name, cell] : expected) {
    const auto other = found.find(name);
    if (other == found.end() || other->second != cell) say("expected", name, cell);
  }
  for (const auto& [name, cell] : found) {
    const auto other = expected.find(name);
    if (other == expected.end() || other->second != cell) say("found   ", name, cell);
  }
  return text.empty() ? "\n  (no difference)" : text;
}

void Model::Apply(const Group& group, Version first) {
  for (const Write& write : group) {
    Row& row = rows_[write.row];
    switch (write.kind) {
      case Write::Kind::kPut:
        row.cells[write.column] = {first, DataHash(DataFor(write)), write.expiry_ms};
        break;
      case Write::Kind::kDrop:
        row.cells.erase(write.column);
        break;
      case Write::Kind::kDropRow:
        row.cells.clear();
        row.hide_below = first;
        row.expiry_ms.reset();
        break;
      case Write::Kind::kExpireRow:
        row.expiry_ms = write.expiry_ms;
        break;
    }
    ++first.counter;
  }
}

Cells Model::VisibleAt(std::uint64_t now_ms) const {
  Cells visible;
  for (const auto& [name, row] : rows_) {
    if (row.expiry_ms && *row.expiry_ms <= now_ms) continue;
    for (const auto& [column, cell] : row.cells) {
      if (cell.expiry_ms && *cell.expiry_ms <= now_ms) continue;
      visible.emplace(CellName(name, column), cell);
    }
  }
  return visible;
}

Version Model::HideBelow(const std::string& row) const {
  const auto found = rows_.find(row);
  return found == rows_.end() ? Version() : found->second.hide_below;
}

bool Model::RowExpires(const std::string& row) const {
  const auto found = rows_.find(row);
  return found != rows_.end() && found->second.expiry_ms.has_value();
}

}  // namespace cirein::crash
