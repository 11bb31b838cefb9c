// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cirein/operations.h"

#include "simulation/history.h"

/// What one row does when its operations come one after the other.
namespace cirein::simulation {

/// One column's part of a row's state. Plain words without gaps, for it is hashed as bytes.
struct RowCell {
  ValueId value = kNoValue;
  std::uint32_t version_known = 0;  ///< 1: `version` is that of the value.
  Version version = {};
  /// The highest version that is known of those the key has had. The next one must be higher,
  /// also when the object has been dropped.
  Version highest = {};
  friend bool operator==(const RowCell&, const RowCell&) = default;
};

/// A value of which it does not matter which it is: nobody has seen it. No history has it.
inline constexpr ValueId kUnseenValue = ~ValueId{0};

/// The cells in the order of RowModel::columns().
using RowState = std::vector<RowCell>;

/// What is known of the versions of values from somewhere in the history.
using KnownVersions = std::map<ValueId, Version>;

/// An operation together with its outcome, with columns by their numbers.
struct RowStep {
  enum class Kind : std::uint8_t {
    kImpossible,  ///< No state allows this outcome of this call.
    kNothing,     ///< Says nothing and does nothing.
    kWrite,       ///< Stores all items.
    kExists,      ///< One of the items was there.
    kDiffers,     ///< The version of the item was another than `version`.
    kGet,         ///< The item's value was there.
    kInfo,        ///< `version` was there.
    kDrop,
    kRowInfo,  ///< `count` columns and, if `has_object`, the object without one.
    kExpire,   ///< The item's value, if it is there, is gone.
  };
  struct Item {
    std::uint32_t column = 0;
    ValueId value = kNoValue;
    std::optional<Version> version = std::nullopt;
    friend bool operator==(const Item&, const Item&) = default;
  };

  Kind kind = Kind::kNothing;
  WriteMode mode = WriteMode::kOverwrite;
  Version version = {};                ///< What a write by version or an info compares with.
  std::vector<Item> items;             ///< For writes, gets, infos and expiry.
  std::vector<std::uint32_t> columns;  ///< All that it looks at or changes, ascending.
  std::optional<std::uint64_t> count = std::nullopt;  ///< Of a drop; nullopt: unknown.
  bool has_object = false;
  friend bool operator==(const RowStep&, const RowStep&) = default;
};

/// What a step would do to a state.
enum class Effect : std::uint8_t { kImpossible, kUnchanged, kChanges };

/// The sequential meaning of the operations of one row. A version that nobody learnt is unknown
/// until an answer shows it, and then is that one. Immutable; thread-safe.
class RowModel {
 public:
  /// Takes columns and versions from the operations of one row.
  explicit RowModel(const std::vector<Record>& records);

  /// Ascending, the object without column first.
  const std::vector<Column>& columns() const noexcept { return columns_; }
  RowState Empty() const { return RowState(columns_.size()); }

  /// The step for an operation of this row. Without an outcome: that it took effect (where it does
  /// nothing it needs no place in any order). Calls of other rows' columns are impossible.
  RowStep Compile(const Call& call, const std::optional<Outcome>& outcome) const;
  /// The end of a value's time to live.
  RowStep Expiry(const Column& column, ValueId value) const;

  static Effect Check(const RowState& state, const RowStep& step);
  /// Does what Check has said is possible.
  static void Apply(RowState& state, const RowStep& step);

  /// For people: each object that is there with its version, "@?" where it is not known.
  std::string ToString(const RowState& state) const;

 private:
  std::optional<std::uint32_t> NumberOf(const Column& column) const;
  std::vector<std::uint32_t> Matching(const DropCall& drop) const;
  std::optional<Version> VersionOf(ValueId value) const;
  RowStep CompileCall(const Call& call) const;
  bool AddItem(RowStep& step, const Column& column, ValueId value) const;

  std::vector<Column> columns_;
  KnownVersions versions_;
};

}  // namespace cirein::simulation
