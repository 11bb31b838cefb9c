// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "simulation/history.h"

namespace cirein::simulation {

/// The number that a client gave its want.
using WantId = std::uint64_t;

/// What a want was answered with, and under which key.
struct WantAnswer {
  std::string row;
  Column column = {};
  Got seen = {};
};

/// Keeps what became of each want: each is answered once, or fails, by its deadline. Takes all that
/// it is told, also what must not be: that is what it is for. Not thread-safe.
class WantLedger {
 public:
  struct Times {
    TimePoint parked{};
    TimePoint deadline = kEndOfTime;
  };
  /// `what`: the key or pattern, as text.
  void Parked(WantId id, ClientId client, std::string what, Times times);
  void Answered(WantId id, WantAnswer answer, TimePoint at);
  void Failed(WantId id, std::string why, TimePoint at);

  /// A line for each promise that was not kept, in the order of ids: one that was never parked or
  /// parked twice, a second answer or failure, one later than the deadline and `slack`, none at all
  /// by the end of the run.
  std::vector<std::string> Judge(std::chrono::nanoseconds slack) const;

  /// Each answer as a read that began with the parking: of a value that was there in between. One
  /// that failed says nothing.
  void AddAnswersTo(History& history) const;

 private:
  struct Parking {
    ClientId client;
    std::string what;
    Times times;
  };
  struct End {
    std::optional<WantAnswer> answer;  ///< nullopt: it failed.
    std::string why;
    TimePoint at{};
    std::string ToString() const;
  };
  struct Want {
    std::vector<Parking> parkings;
    std::vector<End> ends;
  };

  static void JudgeOne(WantId id, const Want& want, std::chrono::nanoseconds slack,
                       std::vector<std::string>& findings);

  std::map<WantId, Want> wants_;
};

}  // namespace cirein::simulation
