// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cirein/status.h"

#include "cli/key_chooser.h"

namespace cirein {

/// What a load generator asks of a pool.
enum class BlastVerb : std::uint8_t { kRead, kUpdate, kInsert, kScan, kReadModifyWrite };
inline constexpr std::size_t kBlastVerbCount = 5;
std::string_view BlastVerbName(BlastVerb verb);

/// A workload in numbers: everything that decides what is asked, and how fast.
struct BlastPlan {
  static constexpr std::uint64_t kMaxKeys = 1'000'000'000;
  static constexpr std::uint64_t kMaxThreads = 1024;
  static constexpr std::uint64_t kMaxColumns = 10'000;
  static constexpr std::uint64_t kMaxKeyBytes = 1024;
  static constexpr std::uint64_t kMaxValueBytes = std::uint64_t{1} << 32;
  static constexpr std::uint64_t kMaxScan = 1'000;
  /// A value that is checked begins with its key and its stamp.
  static constexpr std::uint64_t kMinCheckedValueBytes = 16;

  enum class Checks : std::uint8_t { kNone, kEveryValue };

  /// Shares of the requests; only their proportions count.
  std::array<double, kBlastVerbCount> mix{};
  Distribution distribution = Distribution::kZipf;
  double theta = 0.99;
  std::uint64_t keys = 100'000;
  std::uint64_t key_bytes = 16;  ///< Of a row's name; longer when the number needs it.
  std::uint64_t columns = 1;     ///< Keys in one row; with 1 a key is a row without column.
  std::uint64_t value_bytes_least = 100;
  std::uint64_t value_bytes_most = 100;
  std::uint64_t scan_most = 100;  ///< Objects in a scan: 1 to this.
  std::uint64_t threads = 1;
  std::optional<std::uint64_t> ops;                  ///< Requests of all threads together.
  std::optional<std::chrono::nanoseconds> duration;  ///< Whichever ends first.
  std::optional<double> rate_per_s;                  ///< Open loop: of all threads together.
  std::chrono::nanoseconds deadline = std::chrono::seconds(10);  ///< Of each request.
  std::uint64_t seed = 0;
  Checks checks = Checks::kNone;

  double share(BlastVerb verb) const { return mix[static_cast<std::size_t>(verb)]; }
  double& share(BlastVerb verb) { return mix[static_cast<std::size_t>(verb)]; }

  /// Can it be run? InvalidArgument says what cannot be.
  Status Validate() const;
};

/// Sets mix, distribution and columns to those of a YCSB core workload, as far as the verbs of a
/// pool go: ycsb-a (reads and updates, half each), b (95 % reads), c (reads), d (reads of the
/// latest, 5 % inserts), e (short scans, 5 % inserts), f (reads and read-modify-writes, half each).
/// A scan is a page of a row's columns. Errors: InvalidArgument for another name.
Status ApplyWorkload(std::string_view name, BlastPlan* plan);

/// "100" or "64-4KiB": the sizes of values. Errors: InvalidArgument.
Status ParseValueSize(std::string_view text, BlastPlan* plan);

}  // namespace cirein
