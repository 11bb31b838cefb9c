// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#ifdef CIREIN_SABOTAGE
#include <atomic>
#endif

namespace cirein {

/// The rules that keep data safe, as ways to break them: one for each. Tests build the sources that
/// include this a second time, with CIREIN_SABOTAGE, break one rule at a time, and must see it
/// caught; in the product Sabotaged() is the constant false. Not for headers that other folders
/// include: those are seen by both builds.
enum class Sabotage : std::uint8_t {
  kNone,
  kUnseededChecksums,     ///< Entries do not know where they are.
  kEndsNotRecorded,       ///< A recovery merges a segment's tail without recording its end.
  kMergePastMark,         ///< The merger reads what is not persistent yet.
  kTornIsAlwaysFine,      ///< A bad entry below the mark counts as a torn tail.
  kHalfGroups,            ///< Entries of a torn batch count, one by one.
  kTrustUnsyncedIndex,    ///< After a power cut the index file is believed.
  kReuseEpoch,            ///< An open takes the last epoch again.
  kForgetGoneEarly,       ///< The cleaner drops gone keys while older entries are there.
  kIgnoreClockFloor,      ///< Expiry is judged by the new owner's clock alone.
  kRowEntryHidesNothing,  ///< Deleting a row does not hide its columns.
  kFreeBeforeSync,        ///< Segments are freed before what replaced them is on the medium.
  kDropBatchPersist,      ///< A batch of the log is not brought to the medium.
  kReuseVersion,          ///< Now and then a write gets the version of the one before.
  kAnswerBeforeKept,      ///< Answers do not wait until what they saw is kept.
  kServeStaleValue,       ///< A value in the cache stays when its key is written.
  kAnswerTwice,           ///< Who waits is answered twice.
  kIgnoreWatches,         ///< EXEC does not look at what WATCH has seen.
  kRepeatUnknown,         ///< A change whose outcome is unknown is sent again.
  kForgetLostWants,       ///< A want is not parked anew when its owner has gone away.
  kKeepGivenUpWants,      ///< The owner is not told of a want that was given up.
};

#ifdef CIREIN_SABOTAGE
inline std::atomic<Sabotage> sabotage{Sabotage::kNone};
inline bool Sabotaged(Sabotage kind) { return sabotage.load(std::memory_order_relaxed) == kind; }
#else
constexpr bool Sabotaged(Sabotage) { return false; }
#endif

}  // namespace cirein
