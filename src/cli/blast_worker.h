// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include "cirein/pool.h"

#include "base/histogram.h"
#include "base/random.h"
#include "cli/blast_objects.h"
#include "cli/blast_plan.h"
#include "cli/insert_counter.h"
#include "cli/key_chooser.h"
#include "cli/progress.h"
#include "runtime/clock.h"
#include "runtime/interrupt_flag.h"

namespace cirein {

/// What became of the requests of one kind.
struct BlastCounts {
  Histogram latency_ns;       ///< Of those that succeeded.
  std::uint64_t errors = 0;   ///< Requests the pool refused or did not answer in time.
  std::uint64_t retries = 0;  ///< Of a read-modify-write: somebody else was faster.
  std::uint64_t wrong = 0;    ///< Answers that a check found wrong.

  void Merge(const BlastCounts& other);
};

/// What the threads of a load share.
struct BlastShared {
  const BlastPlan& plan;
  const BlastObjects& objects;
  Pool& pool;
  InsertCounter& inserts;
  Progress& progress;
  InterruptFlag& interrupt;
};

/// One thread of a load. Memory: the histograms, whatever the number of requests.
class BlastWorker {
 public:
  BlastWorker(const BlastShared& shared, std::uint64_t thread);

  /// Asks until the plan's end, counted from `start`, or an interrupt. Blocks. A request that fails
  /// is counted, and does not end the run.
  void Run(TimePoint start);

  const std::array<BlastCounts, kBlastVerbCount>& counts() const noexcept { return counts_; }
  /// How far requests began behind their intended start, at most; open loop only.
  std::chrono::nanoseconds lateness_max() const noexcept { return lateness_max_; }
  /// The first error or wrong answer; OK when there was none.
  const Status& first_error() const noexcept { return first_error_; }
  TimePoint end() const noexcept { return end_; }

 private:
  // Waits for the intended start of the request, in an open loop; when that is, or nothing when the
  // run is over.
  std::optional<TimePoint> NextStart(std::uint64_t number);
  BlastVerb ChooseVerb();
  std::uint64_t NextStamp();
  std::uint64_t ChooseKey() { return chooser_.Choose(shared_.inserts.present(), &random_); }

  // One request each. The intended start is nothing in a closed loop: there a request begins when
  // all it needs has been made ready.
  using Intended = std::optional<TimePoint>;
  void Ask(BlastVerb verb, Intended intended);
  void Read(Intended intended);
  void Write(BlastVerb verb, std::uint64_t index, Intended intended);
  void Insert(Intended intended);
  void Scan(Intended intended);
  void ReadModifyWrite(Intended intended);
  Status TryReadModifyWrite(const Key& key, const DataObject& value, DataObject* before);

  void Succeeded(BlastVerb verb, TimePoint begin);
  void Failed(BlastVerb verb, const Status& status);
  void Check(BlastVerb verb, const Status& status);

  const BlastShared& shared_;
  const BlastPlan& plan_;
  const std::uint64_t thread_;
  Random random_;
  KeyChooser chooser_;
  std::array<double, kBlastVerbCount> thresholds_{};
  std::uint64_t stamp_ = 0;
  TimePoint start_{};
  TimePoint end_{};
  TimePoint stop_at_ = kEndOfTime;
  std::array<BlastCounts, kBlastVerbCount> counts_;
  std::chrono::nanoseconds lateness_max_{0};
  Status first_error_;
};

}  // namespace cirein
