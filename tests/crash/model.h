// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/operations.h"

#include "dpm/layout.h"
#include "object/key_view.h"

namespace cirein::crash {

inline constexpr Bucket kBucket{7};
/// Later than every clock floor and every expiry that is meant to come: what is visible then does
/// not depend on clocks.
inline constexpr std::uint64_t kLateMs = 1'000'000;

struct Write {
  enum class Kind : std::uint8_t { kPut, kDrop, kDropRow, kExpireRow } kind = Kind::kPut;
  std::string row;
  std::optional<std::string> column;
  std::uint64_t data_seed = 0;
  std::uint32_t data_bytes = 0;
  std::optional<std::uint64_t> expiry_ms;
};
/// Writes that a crash leaves all or none of.
using Group = std::vector<Write>;

KeyView KeyOf(const Write& write);
/// The bytes that a put writes: its seed makes them.
std::string DataFor(const Write& write);
std::uint64_t DataHash(std::string_view data);

/// What there is under one key.
struct Cell {
  Version version;
  std::uint64_t data_hash = 0;
  std::optional<std::uint64_t> expiry_ms;
  friend bool operator==(const Cell&, const Cell&) = default;
};
/// By "row" or "row\0column".
using Cells = std::map<std::string, Cell>;
std::string CellName(std::string_view row, const std::optional<std::string>& column);
std::uint64_t DigestOf(const Cells& cells);
/// For people: what the first has and the second has not, or has otherwise, and the other way.
std::string Difference(const Cells& expected, const Cells& found);

/// What a pool must hold: objects of rows, as the rules of dpm/layout.h say, without a log.
class Model {
 public:
  /// The writes got one version each, from `first` on.
  void Apply(const Group& group, Version first);
  Cells VisibleAt(std::uint64_t now_ms) const;
  /// Below which the row's entries are gone.
  Version HideBelow(const std::string& row) const;
  bool RowExpires(const std::string& row) const;

 private:
  struct Row {
    Version hide_below;
    std::optional<std::uint64_t> expiry_ms;
    std::map<std::optional<std::string>, Cell> cells;
  };
  std::map<std::string, Row> rows_;
};

}  // namespace cirein::crash
