// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cirein/pool.h"

#include "base/histogram.h"
#include "cli/progress.h"
#include "cli/trace_reader.h"
#include "runtime/interrupt_flag.h"

namespace cirein {

inline constexpr std::size_t kTraceVerbCount = 8;

/// What came of playing a trace.
struct TracePlayResult {
  struct Counts {
    Histogram latency_ns;      ///< Of those that succeeded.
    std::uint64_t errors = 0;  ///< Wants nobody answered in time are among them.
  };
  std::array<Counts, kTraceVerbCount> counts;  ///< By TraceRecord::Verb.
  Histogram
      lateness_ns;  ///< How far requests began behind the recorded times; original speed only.
  std::chrono::nanoseconds time{0};
  Status first_error;          ///< Of a request; OK when all went well.
  std::uint64_t given_up = 0;  ///< Wants that an interrupt ended; counted nowhere else.
  enum class End : std::uint8_t { kComplete, kInterrupted };
  End end = End::kComplete;

  /// Adds what came of another trace that was played at the same time.
  void Merge(const TracePlayResult& other);
};

/// Plays recorded requests on a pool, in their order, from one thread. Publishes get contents made
/// up in the recorded sizes; one that was bound to a version overwrites, as versions are another
/// run's. A group of publishes is published as one, with what its last line says of overwrite and
/// ttl, and counts as one publish. A list that went on goes on where the page before of the same
/// pattern ended, or begins anew. Wants and needs are begun and go on beside what follows, as they
/// may wait for a publish that stands later in the trace; other requests are waited for.
class TracePlayer {
 public:
  enum class Speed : std::uint8_t {
    kFull,      ///< One after another.
    kOriginal,  ///< At the recorded times, or as soon after as may be.
  };

  /// Each request has until `deadline`. `progress` is told of each request played; null: nobody is.
  /// Both it and `interrupt` must outlive the player.
  TracePlayer(const Pool& pool, Deadline deadline, InterruptFlag& interrupt,
              Progress* progress = nullptr);

  /// Blocks until all is answered, or the interrupt, which gives up what waits. At original speed
  /// the trace begins `start_after` from now.
  TracePlayResult Play(const TraceReader& trace, Speed speed,
                       std::chrono::nanoseconds start_after = {});

 private:
  struct Waits;
  /// Of more listings that are under way at once, some begin anew.
  static constexpr std::size_t kMaxCursors = 1024;

  Status PlayAll(const TraceReader& trace, Speed speed, std::chrono::nanoseconds start);
  Status PlayOne(const TraceRecord& record);
  Status Publish(const TraceRecord& record);
  Status PublishGroup(const TraceRecord& last);
  Status List(const TraceRecord& record);
  void BeginWant(const TraceRecord& record);
  Status WaitForWants();
  void GiveUpWants();

  Pool pool_;
  const Deadline deadline_;
  InterruptFlag& interrupt_;
  Progress* const progress_;
  TracePlayResult result_;
  std::shared_ptr<Waits> waits_;
  std::vector<TraceRecord> group_;  ///< What came of a group whose last line is still to come.
  std::vector<Operation> wants_;    ///< Those not answered, and some that are: see BeginWant.
  std::size_t wants_before_sweep_ = 1024;
  std::map<std::string, std::string, std::less<>> cursors_;  ///< By the pattern's text.
};

}  // namespace cirein
