// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "bench/fabric_carrier.h"

namespace cirein::bench {

/// Where the two processes run.
enum class Cores : std::uint8_t { kOwn, kOne };

/// Two copies of this process, each held to a core; both have ended when it returns. False, with a
/// word on standard error, when one of them did not end well, or not within a generous time.
/// `client` leaves what it found in the meeting.
using Part = std::function<void(Meeting&)>;
bool RunPair(Meeting& meeting, Cores cores, const Part& server, const Part& client);

/// A meeting in memory that copies of this process share.
class SharedMeeting {
 public:
  SharedMeeting();
  ~SharedMeeting();
  SharedMeeting(const SharedMeeting&) = delete;
  SharedMeeting& operator=(const SharedMeeting&) = delete;
  Meeting& operator*() { return *meeting_; }
  Meeting* operator->() { return meeting_; }

 private:
  Meeting* meeting_;
};

/// One turn of a carrier: seconds of one operation for each measure; not a number for what the
/// carrier does not offer, and where it failed.
std::vector<double> RunTurn(Carrier& carrier, std::span<const Measure> measures, Cores cores,
                            Seconds length);

/// Turns of all carriers, `rounds` times: what each took of each measure in each round.
using Rounds = std::vector<double>;
std::vector<std::vector<Rounds>> RunRounds(std::span<const std::unique_ptr<Carrier>> carriers,
                                           std::span<const Measure> measures, Cores cores,
                                           Seconds length, std::size_t rounds);

/// Of those that are numbers; not a number when there are none.
double MedianOfRounds(const Rounds& rounds);
/// The median of the ratios of turns that stood side by side: how near to each other two cores are
/// changes on a shared machine from second to second.
double MedianRatio(const Rounds& ours, const Rounds& theirs);

}  // namespace cirein::bench
