// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "dpm/control.h"

namespace cirein::dpm {

/// How a pool was left, as far as it decides what its logs still promise.
struct LeftAs {
  bool clean = false;      ///< Closed in order.
  bool power_cut = false;  ///< Left open, and the machine was started anew since.
  bool power = false;      ///< Durability::kPower.
};
/// `boot_id` is the present one.
LeftAs HowLeft(const Superblock& superblock, std::string_view boot_id);

/// Where the log in one segment ends.
struct LogEnd {
  enum class State : std::uint8_t {
    kRecorded,  ///< As the segment's record says.
    kFound,     ///< By looking: it is to be recorded.
    kDamaged,   ///< Something promised is missing; `end` is where the valid run ends.
  };
  std::uint64_t segment = 0;
  std::uint64_t end = 0;
  State state = State::kRecorded;
};

struct LogEnds {
  std::vector<LogEnd> ends;  ///< Of all segments that are not free, by log and sequence.
  Findings findings;         ///< Corruption, and notes of what was cut.
};

/// Whether a sealed segment whose end is a promise is read, or taken as its record says. Who goes
/// on to trust the batches of a segment must have it read.
enum class SealedLogs : std::uint8_t { kTrust, kScan };
using HowToSee = std::function<SealedLogs(std::uint64_t segment)>;

/// The rule of torn and corrupt (SAFETY 4), for an open and for a verify: what was promised must be
/// there, and beyond it each log ends at its first bad batch. Believes nothing, changes nothing;
/// everything below an end that was looked for is valid, payloads too. Reads each segment once.
LogEnds FindLogEnds(const Control& control, const Region& log, const LeftAs& left,
                    const HowToSee& how_to_see);
LogEnds FindLogEnds(const Control& control, const Region& log, const LeftAs& left,
                    SealedLogs sealed_logs);

}  // namespace cirein::dpm
