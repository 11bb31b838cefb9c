// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "cirein/operations.h"
#include "cirein/pattern.h"

#include "runtime/clock.h"

/// What the clients of a simulated store have asked and what they were answered.
namespace cirein::simulation {

/// Who issued an operation: its number, for reports alone. A client may have several under way.
struct ClientId {
  std::uint32_t number = 0;
  friend auto operator<=>(ClientId, ClientId) = default;
};

/// The number of an operation in its history, from 0 in the order of beginning.
using OperationId = std::size_t;

/// Stands for the bytes that one write stores. No two writes of a history have the same.
using ValueId = std::uint32_t;
inline constexpr ValueId kNoValue = 0;  ///< Nothing is there.

/// nullopt: the object without column, which is another one than that of the empty column.
using Column = std::optional<std::string>;

enum class WriteMode : std::uint8_t { kOnce, kOverwrite, kIfVersion };

struct PublishCall {
  Column column = {};
  ValueId value = kNoValue;
  WriteMode mode = WriteMode::kOnce;
  Version if_version = {};  ///< For kIfVersion; the zero version: only if nothing is there.
  std::optional<std::chrono::nanoseconds> ttl = std::nullopt;
};

struct GroupItem {
  Column column = {};
  ValueId value = kNoValue;
};

/// All items or none. No column twice; not with kIfVersion.
struct GroupCall {
  std::vector<GroupItem> items = {};
  WriteMode mode = WriteMode::kOnce;
  std::optional<std::chrono::nanoseconds> ttl = std::nullopt;
};

struct GetCall {
  Column column = {};
};

/// `column` is the exact one or the prefix; unused for kNone and kAll.
struct DropCall {
  Pattern::ColumnMatch match = Pattern::ColumnMatch::kAll;
  std::string column = {};
};

struct InfoCall {
  Column column = {};
};

struct RowInfoCall {};

/// An operation on one row.
using Call = std::variant<PublishCall, GroupCall, GetCall, DropCall, InfoCall, RowInfoCall>;

/// A publish, or a group, was done; one version for each item, or none when they were not told.
struct Published {
  std::vector<Version> versions = {};
};
/// Write-once, and something was there.
struct Existed {};
/// If-version, and another version (or nothing) was there.
struct VersionDiffered {};
struct Got {
  ValueId value = kNoValue;
  std::optional<Version> version = std::nullopt;  ///< When it was told.
};
struct DroppedObjects {
  std::uint64_t count = 0;
};
/// A drop was done; nobody counted what it found.
struct DroppedUncounted {};
/// The zero version: nothing is there.
struct InfoSeen {
  Version version = {};
};
struct RowSeen {
  std::uint64_t columns = 0;
  bool has_object = false;
};
/// It certainly had no effect, and its answer says nothing about the row: no memory, never sent.
struct Refused {};

using Outcome = std::variant<Published, Existed, VersionDiffered, Got, DroppedObjects,
                             DroppedUncounted, InfoSeen, RowSeen, Refused>;

/// An instant of a history. Events of one time count in the order in which they were recorded.
struct Moment {
  TimePoint time{};
  std::uint64_t event = 0;
  friend auto operator<=>(const Moment&, const Moment&) = default;
};
inline constexpr Moment kNever{kEndOfTime, ~std::uint64_t{0}};
/// Before, and after, all that was recorded for this time.
inline constexpr Moment FirstOf(TimePoint time) { return {time, 0}; }
inline constexpr Moment LastOf(TimePoint time) { return {time, kNever.event}; }

/// One operation. Without an outcome it is unknown: it took effect at any time since `invoked`
/// and not after `completed`, or never.
struct Record {
  OperationId id = 0;
  ClientId client = {};
  std::string row;
  Call call;
  Moment invoked = {};
  std::optional<Outcome> outcome = std::nullopt;
  Moment completed = kNever;

  /// One line: who, what, when, and what came of it.
  std::string ToString() const;
};

/// Records operations. What is recorded wrongly (an end without a beginning or before it, a second
/// end, a value used twice) is an error in the program that records, and ends it. Not thread-safe.
class History {
 public:
  OperationId Begin(ClientId client, std::string row, Call call, TimePoint invoked);
  void End(OperationId id, Outcome outcome, TimePoint completed);
  /// The client never learnt the outcome, and will not. `latest`: it took effect by then or never.
  void Unknown(OperationId id, std::optional<TimePoint> latest = std::nullopt);

  /// Unknown operations took effect before the first of these instants that is after they were
  /// asked, or never: e.g. the starts of a process that they can only have reached before.
  /// Ascending.
  void LimitUnknown(const std::vector<TimePoint>& ends);

  /// When something was true at some moment, both ends included whatever else they saw.
  struct Interval {
    TimePoint from{};
    TimePoint to{};
  };
  /// A value that was seen in a way that is no operation of its own, as by one who waited for it.
  OperationId Observed(ClientId client, std::string row, const Column& column, Got seen,
                       Interval interval);

  /// In the order of their ids. What has not ended is unknown.
  const std::vector<Record>& records() const noexcept { return records_; }
  /// The records of each row, in the order of beginning.
  std::map<std::string, std::vector<Record>> ByRow() const;
  /// One line for each operation, by when they began.
  std::string ToString() const;

 private:
  Record& Open(OperationId id);
  void ClaimValues(const Call& call);

  std::vector<Record> records_;
  std::vector<bool> closed_;
  std::set<ValueId> values_;
  std::uint64_t next_event_ = 1;
};

/// The lines of these records, by when they began.
std::string LinesOf(std::vector<Record> records);

/// For people: "(none)" or the column's name in quotes.
std::string ColumnText(const Column& column);
/// Milliseconds with all digits down to the nanosecond.
std::string TimeText(TimePoint time);

/// Puts alternatives of a std::visit together.
template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

}  // namespace cirein::simulation
