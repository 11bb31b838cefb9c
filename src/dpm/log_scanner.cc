// SPDX-License-Identifier: Apache-2.0
#include "dpm/log_scanner.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"

namespace cirein::dpm {
namespace {

// The whole search beyond damage reads at most so many times the segment. Batches that were written
// do not lie in one another, so once is enough for them; bytes that somebody made might let every
// line begin a batch that is good but for its last entry.
constexpr std::uint64_t kSearchRounds = 4;

constexpr int kMarkBits = 32;
static_assert(kMaxSegmentBytes < std::uint64_t{1} << kMarkBits);

std::uint64_t HeaderChecksum(const SegmentHeader& header) {
  constexpr std::size_t kFrom = offsetof(SegmentHeader, checksum) + sizeof(header.checksum);
  return Checksum64(std::as_bytes(std::span(&header, 1)).subspan(kFrom),
                    PlaceSeed(header.pool_id, Place::kSegmentHeader, header.segment));
}

// One pass over a segment.
class Scanner {
 public:
  Scanner(const Control& control, const Region& log, std::uint64_t segment, std::uint64_t limit,
          BatchView::Payloads payloads)
      : seed_(control.seed(segment)),
        bytes_(log.data() + segment * control.segment_bytes(),
               std::min(limit, control.segment_bytes())),
        payloads_(payloads) {
    const std::uint64_t word = log.LoadWord(segment * control.segment_bytes() + kMarkOffset);
    See(DecodeMark(seed_, word));
  }

  // The unbroken run.
  void Run(const BatchVisitor& visit) {
    std::uint64_t at = kFirstBatch;
    BatchView batch;
    while (at < bytes_.size() &&
           BatchView::Parse(bytes_.subspan(at), seed_, at, payloads_, &batch)) {
      Take(batch, at, visit);
      at += batch.header().bytes;
    }
    scan_.valid_end = at;
  }

  // What lies beyond it; what begins at the run's end is bad, and its mark would tell nothing.
  void Search(const BatchVisitor& visit) {
    std::uint64_t budget_bytes = kSearchRounds * bytes_.size();
    std::uint64_t at = scan_.valid_end + kLine;
    while (at < bytes_.size()) {
      std::uint64_t step_bytes = kLine;
      BatchHeader header;
      BatchView batch;
      if (BatchView::ParseHeader(bytes_.subspan(at), seed_, at, &header)) {
        See(header.mark);
        if (ParseWithin(header, at, &budget_bytes, &batch)) {
          if (!scan_.beyond) scan_.beyond = at;
          if (visit) Take(batch, at, visit);
          step_bytes = header.bytes;
        }
      }
      at += step_bytes;
    }
  }

  const SegmentScan& scan() const { return scan_; }

 private:
  // Nothing beyond the limit was promised: it is the recorded end, or that of the segment.
  void See(std::uint64_t mark) {
    scan_.mark = std::max(scan_.mark, std::min<std::uint64_t>(mark, bytes_.size()));
  }

  bool ParseWithin(const BatchHeader& header, std::uint64_t at, std::uint64_t* budget_bytes,
                   BatchView* batch) const {
    if (header.bytes > *budget_bytes) return false;
    *budget_bytes -= header.bytes;
    return BatchView::Parse(bytes_.subspan(at), seed_, at, payloads_, batch);
  }

  void Take(const BatchView& batch, std::uint64_t at, const BatchVisitor& visit) {
    See(batch.header().mark);
    ++scan_.batches;
    scan_.entries += batch.header().count;
    if (visit) visit(batch, at);
  }

  const std::uint64_t seed_;
  const ByteSpan bytes_;
  const BatchView::Payloads payloads_;
  SegmentScan scan_;
};

}  // namespace

std::uint64_t EncodeMark(std::uint64_t segment_seed, std::uint64_t mark) {
  const std::uint64_t check = MixSeed(LogSeed(segment_seed, Place::kMark, kMarkOffset), mark);
  return (check >> kMarkBits << kMarkBits) | mark;
}

std::uint64_t DecodeMark(std::uint64_t segment_seed, std::uint64_t word) {
  const std::uint64_t mark = word & ((std::uint64_t{1} << kMarkBits) - 1);
  return EncodeMark(segment_seed, mark) == word ? mark : 0;
}

void FillSegmentHeader(const Control& control, std::uint64_t segment, SegmentHeader* header) {
  const SegmentRecord record = control.record(segment);
  *header = SegmentHeader();
  header->magic = kSegmentMagic;
  header->pool_id = control.pool_id();
  header->segment = segment;
  header->generation = record.generation;
  header->incarnation = record.incarnation;
  header->sequence = record.sequence;
  header->shard = record.shard;
  header->checksum = HeaderChecksum(*header);
}

bool ReadSegmentHeader(const Region& log, std::uint64_t pool_id, std::uint64_t segment_bytes,
                       std::uint64_t segment, SegmentHeader* header) {
  if (segment_bytes < kMinSegmentBytes || segment >= log.size() / segment_bytes) return false;
  SegmentHeader found;
  std::memcpy(&found, log.data() + segment * segment_bytes, sizeof found);
  if (found.magic != kSegmentMagic || found.pool_id != pool_id || found.segment != segment ||
      found.generation == 0 || found.reserved != 0 || found.checksum != HeaderChecksum(found)) {
    return false;
  }
  *header = found;
  return true;
}

SegmentScan ScanSegment(const Control& control, const Region& log, std::uint64_t segment,
                        std::uint64_t limit, BatchView::Payloads payloads,
                        const BatchVisitor& visit) {
  Scanner scanner(control, log, segment, limit, payloads);
  scanner.Run(visit);
  scanner.Search(nullptr);
  return scanner.scan();
}

SegmentScan SalvageSegment(const Control& control, const Region& log, std::uint64_t segment,
                           std::uint64_t limit, const BatchVisitor& visit) {
  Scanner scanner(control, log, segment, limit, BatchView::Payloads::kCheck);
  scanner.Run(visit);
  scanner.Search(visit);
  return scanner.scan();
}

}  // namespace cirein::dpm
