// SPDX-License-Identifier: Apache-2.0
#include "dpm/log_ends.h"

#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/sabotage.h"
#include "dpm/log_scanner.h"

namespace cirein::dpm {

namespace {

class EndFinder {
 public:
  EndFinder(const Control& control, const Region& log, const LeftAs& left,
            const HowToSee& how_to_see)
      : control_(control), log_(log), left_(left), how_to_see_(how_to_see) {}

  /// The segments of one log, in the order of their sequence.
  void Log(const std::vector<std::uint64_t>& segments) {
    cut_.reset();
    for (const std::uint64_t segment : segments) Segment(segment);
  }
  void Corrupt(std::uint64_t segment, std::uint64_t offset, std::string_view what) {
    found_.findings.push_back({Finding::Severity::kCorruption,
                               fmt::format("segment {}, entry at {}: {}", segment, offset, what),
                               segment, offset});
  }
  LogEnds Take() { return std::move(found_); }

 private:
  void Segment(std::uint64_t segment) {
    const SegmentRecord record = control_.record(segment);
    const bool sealed = record.state == static_cast<std::uint32_t>(SegmentState::kSealed);
    // An end that a close or a kPower writer recorded is a promise of all before it. Under kProcess
    // the record may be on the medium before the bytes are: there the mark is the promise.
    const bool end_is_promise = sealed && (left_.power || !left_.power_cut);
    if (end_is_promise && !cut_ && how_to_see_(segment) == SealedLogs::kTrust) {
      Add(segment, record.end, LogEnd::State::kRecorded);
      return;
    }
    const std::uint64_t limit = sealed ? record.end : control_.segment_bytes();
    const SegmentScan scan =
        ScanSegment(control_, log_, segment, limit, BatchView::Payloads::kCheck, nullptr);
    std::uint64_t promised = end_is_promise ? record.end : scan.mark;
    if (Sabotaged(Sabotage::kTornIsAlwaysFine)) promised = 0;
    if (scan.valid_end < promised) {
      Corrupt(segment, scan.valid_end,
              fmt::format("damaged, although all up to {} was safe", promised));
      Add(segment, scan.valid_end, LogEnd::State::kDamaged);
      return;
    }
    if (cut_ && promised > kFirstBatch) {
      Corrupt(*cut_, kFirstBatch,
              fmt::format("its end is damaged, although segment {} after it was safe", segment));
    }
    if (cut_) {
      Add(segment, kFirstBatch, LogEnd::State::kFound);
      return;
    }
    const bool shortened = sealed && scan.valid_end < limit;
    if (scan.beyond || shortened) NoteCut(record, segment, scan.valid_end);
    if (shortened) cut_ = segment;
    Add(segment, sealed && !shortened ? limit : scan.valid_end,
        sealed && !shortened ? LogEnd::State::kRecorded : LogEnd::State::kFound);
  }

  void NoteCut(const SegmentRecord& record, std::uint64_t segment, std::uint64_t offset) {
    found_.findings.push_back(
        {Finding::Severity::kNote,
         fmt::format("segment {}, offset {}: the log of shard {} was cut here by a power cut; what "
                     "followed was not yet on the medium",
                     segment, offset, record.shard),
         segment, offset});
  }

  void Add(std::uint64_t segment, std::uint64_t end, LogEnd::State state) {
    found_.ends.push_back({segment, end, state});
  }

  const Control& control_;
  const Region& log_;
  const LeftAs left_;
  const HowToSee& how_to_see_;
  std::optional<std::uint64_t> cut_;  // The segment in which a power cut ended this log.
  LogEnds found_;
};

}  // namespace

LeftAs HowLeft(const Superblock& superblock, std::string_view boot_id) {
  const std::string_view boot(superblock.boot_id,
                              strnlen(superblock.boot_id, sizeof superblock.boot_id));
  LeftAs left;
  left.clean = superblock.state == static_cast<std::uint32_t>(PoolState::kClean);
  left.power = superblock.durability == static_cast<std::uint32_t>(Durability::kPower);
  left.power_cut = !left.clean && boot != boot_id;
  return left;
}

LogEnds FindLogEnds(const Control& control, const Region& log, const LeftAs& left,
                    SealedLogs sealed_logs) {
  return FindLogEnds(control, log, left, [=](std::uint64_t) { return sealed_logs; });
}

LogEnds FindLogEnds(const Control& control, const Region& log, const LeftAs& left,
                    const HowToSee& how_to_see) {
  struct LogId {
    std::uint64_t incarnation = 0;
    std::uint32_t shard = 0;
    auto operator<=>(const LogId&) const = default;
  };
  // Two segments of one place in a log: no writer makes that, but both are read.
  std::map<LogId, std::multimap<std::uint64_t, std::uint64_t>> logs;
  for (std::uint64_t segment = 0; segment < control.segments(); ++segment) {
    const SegmentRecord record = control.record(segment);
    if (record.state == static_cast<std::uint32_t>(SegmentState::kFree)) continue;
    logs[{record.incarnation, record.shard}].emplace(record.sequence, segment);
  }
  EndFinder finder(control, log, left, how_to_see);
  for (const auto& [id, by_sequence] : logs) {
    std::vector<std::uint64_t> segments;
    std::optional<std::uint64_t> before;
    for (const auto& [sequence, segment] : by_sequence) {
      if (before == sequence) {
        finder.Corrupt(
            segment, 0,
            fmt::format("number {} of its log, as segment {} is", sequence, segments.back()));
      }
      before = sequence;
      segments.push_back(segment);
    }
    finder.Log(segments);
  }
  return finder.Take();
}

}  // namespace cirein::dpm
