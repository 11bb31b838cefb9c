// SPDX-License-Identifier: Apache-2.0
#include "cli/blast_objects.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "base/random.h"

namespace cirein {
namespace {

constexpr std::string_view kRowPrefix = "key";
constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
constexpr std::size_t kScannedDigits = 2;

std::size_t DigitCount(std::uint64_t number) { return fmt::formatted_size("{}", number); }

// Calls use(word, bytes) for the words a value is made of; the last may be cut off.
template <typename Use>
void ForEachWord(std::uint64_t index, std::uint64_t stamp, std::size_t bytes, Use use) {
  std::uint64_t state = index * 0x9E3779B97F4A7C15U ^ stamp;
  for (std::size_t at = 0; at < bytes; at += kWordBytes) {
    const std::uint64_t word = at == 0 ? index : at == kWordBytes ? stamp : SplitMix64(&state);
    if (!use(at, word, std::min(kWordBytes, bytes - at))) return;
  }
}

}  // namespace

BlastObjects::BlastObjects(const BlastPlan& plan)
    : columns_(plan.columns),
      // Inserts may double the keys before the names grow by a digit.
      row_digits_(
          std::max(plan.key_bytes < kRowPrefix.size() ? 0 : plan.key_bytes - kRowPrefix.size(),
                   DigitCount(2 * plan.keys / plan.columns))),
      column_digits_(DigitCount(plan.columns - 1)),
      value_bytes_least_(plan.value_bytes_least),
      value_bytes_most_(plan.value_bytes_most) {}

std::string BlastObjects::RowOf(std::uint64_t row) const {
  return fmt::format("{}{:0{}}", kRowPrefix, row, row_digits_);
}

Key BlastObjects::KeyOf(std::uint64_t index) const {
  if (columns_ == 1) return Key(RowOf(index));
  return Key(RowOf(index / columns_), fmt::format("{:0{}}", index % columns_, column_digits_));
}

Pattern BlastObjects::ScanOf(std::uint64_t index) const {
  std::string row = RowOf(index / columns_);
  if (columns_ > 1) return Pattern::ColumnPrefix(std::move(row), "");
  row.resize(row.size() - std::min(kScannedDigits, row_digits_));
  return Pattern::RowPrefix(std::move(row));
}

std::uint64_t BlastObjects::SizeOf(std::uint64_t index, std::uint64_t stamp) const {
  if (value_bytes_least_ == value_bytes_most_) return value_bytes_least_;
  std::uint64_t state = index ^ (stamp << 20);
  return value_bytes_least_ + SplitMix64(&state) % (value_bytes_most_ - value_bytes_least_ + 1);
}

Result<DataObject> BlastObjects::MakeValue(std::uint64_t index, std::uint64_t stamp) const {
  CIREIN_ASSIGN_OR_RETURN(DataObject object,
                          DataObject::Allocate({.data_bytes = SizeOf(index, stamp)}));
  const std::span<std::byte> data = object.mutable_data();
  ForEachWord(index, stamp, data.size(),
              [&](std::size_t at, std::uint64_t word, std::size_t bytes) {
                std::memcpy(data.data() + at, &word, bytes);
                return true;
              });
  return object;
}

Status BlastObjects::CheckValue(std::uint64_t index, const DataObject& object) const {
  const std::span<const std::byte> data = object.data();
  if (data.size() < BlastPlan::kMinCheckedValueBytes) {
    return DataLoss(
        fmt::format("the value of \"{}\" has only {} bytes", KeyOf(index).ToString(), data.size()));
  }
  std::array<std::uint64_t, 2> head{};
  std::memcpy(head.data(), data.data(), sizeof head);
  const auto& [owner, stamp] = head;
  if (owner != index) {
    return DataLoss(
        fmt::format("\"{}\" holds a value of key number {}", KeyOf(index).ToString(), owner));
  }
  if (data.size() != SizeOf(index, stamp)) {
    return DataLoss(fmt::format("the value of \"{}\" has {} bytes instead of {}",
                                KeyOf(index).ToString(), data.size(), SizeOf(index, stamp)));
  }
  bool good = true;
  std::size_t place = 0;
  ForEachWord(index, stamp, data.size(),
              [&](std::size_t at, std::uint64_t word, std::size_t bytes) {
                place = at;
                good = std::memcmp(data.data() + at, &word, bytes) == 0;
                return good;
              });
  if (good) return OkStatus();
  return DataLoss(
      fmt::format("the value of \"{}\" is damaged at byte {}", KeyOf(index).ToString(), place));
}

Status BlastObjects::CheckListed(const Pattern& scan, const ListedObject& listed) const {
  const std::optional<std::string_view> column =
      listed.key.has_column() ? std::optional<std::string_view>(listed.key.column()) : std::nullopt;
  if (!scan.MatchesRow(listed.key.row()) || !scan.MatchesColumn(column)) {
    return DataLoss(
        fmt::format("a scan of \"{}\" lists \"{}\"", scan.ToString(), listed.key.ToString()));
  }
  if (listed.data_bytes >= value_bytes_least_ && listed.data_bytes <= value_bytes_most_) {
    return OkStatus();
  }
  return DataLoss(
      fmt::format("a scan lists \"{}\" with {} bytes", listed.key.ToString(), listed.data_bytes));
}

}  // namespace cirein
