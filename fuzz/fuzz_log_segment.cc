// SPDX-License-Identifier: Apache-2.0

// Any bytes as a segment of the log, scanned and salvaged as a recovery does it. Bytes rarely have
// right checksums, so the first one says whether headers of batches and entries get them here: then
// lengths, kinds and counts are believed as far as an attacker could make them be.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "check.h"
#include "dpm/control.h"
#include "dpm/entry.h"
#include "dpm/log_scanner.h"

namespace {

using cirein::Hash64;
using cirein::dpm::BatchHeader;
using cirein::dpm::BatchView;
using cirein::dpm::ByteSpan;
using cirein::dpm::Control;
using cirein::dpm::EntryHeader;
using cirein::dpm::EntryView;
using cirein::dpm::SegmentScan;

constexpr std::uint64_t kSegmentBytes = cirein::dpm::kMinSegmentBytes;

class MemoryRegion final : public cirein::Region {
 public:
  explicit MemoryRegion(std::uint64_t bytes) : Region("memory", bytes), words_(bytes / 8) {
    stores_ = std::as_writable_bytes(std::span(words_)).data();
    data_ = stores_;
  }
  std::byte* bytes() { return stores_; }
  cirein::Status Write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    CIREIN_RETURN_IF_ERROR(CheckRange(offset, bytes.size()));
    std::memcpy(stores_ + offset, bytes.data(), bytes.size());
    return cirein::OkStatus();
  }
  cirein::Status Persist(std::uint64_t /*offset*/, std::uint64_t /*bytes*/,
                         cirein::PersistSite /*site*/) override {
    return cirein::OkStatus();
  }

 private:
  std::vector<std::uint64_t> words_;  // So that the bytes are aligned.
};

const Control& TheControl() {
  static const std::unique_ptr<Control> control = [] {
    cirein::dpm::Superblock superblock{};
    superblock.durability = static_cast<std::uint32_t>(cirein::dpm::Durability::kPower);
    superblock.pool_id = 1;
    superblock.segment_bytes = kSegmentBytes;
    superblock.segments = cirein::dpm::kMinSegments;
    superblock.state = static_cast<std::uint32_t>(cirein::dpm::PoolState::kOpen);
    const cirein::dpm::ControlLayout layout{superblock.segments};
    auto made = Control::Format(std::make_unique<MemoryRegion>(layout.bytes()), superblock);
    CIREIN_FUZZ_CHECK(made.ok());
    return std::move(*made);
  }();
  return *control;
}

std::uint64_t Sum(const std::byte* from, const std::byte* to, std::uint64_t seed) {
  const std::string bytes(reinterpret_cast<const char*>(from), static_cast<std::size_t>(to - from));
  return Hash64(bytes, seed);
}

// Gives what might be an entry the checksum it needs; where the next one would begin, or 0.
std::uint64_t SignEntry(std::byte* segment, std::uint64_t at, std::uint64_t seed) {
  EntryHeader header;
  if (at + sizeof header > kSegmentBytes) return 0;
  std::memcpy(&header, segment + at, sizeof header);
  const std::uint64_t data_begin = sizeof header + cirein::dpm::OptionalFieldBytes(header.flags) +
                                   header.row_bytes + header.column_bytes + header.meta_bytes;
  const bool in_place = (header.flags & cirein::dpm::kHasExtent) == 0;
  const bool skips_data = in_place && (header.flags & cirein::dpm::kHasPayloadChecksum) != 0;
  const std::uint64_t data_bytes = in_place ? header.data_bytes : 0;
  if (data_begin > kSegmentBytes || data_bytes > kSegmentBytes) return 0;
  const std::uint64_t size = cirein::dpm::AlignUp(data_begin + data_bytes, 8);
  if (at + size > kSegmentBytes) return 0;
  header.checksum =
      Sum(segment + at + sizeof header.checksum, segment + at + (skips_data ? data_begin : size),
          cirein::dpm::LogSeed(seed, cirein::dpm::Place::kEntry, at));
  std::memcpy(segment + at, &header.checksum, sizeof header.checksum);
  return at + size;
}

// From the last line on, because an entry's checksum covers what lies in it.
void SignBatches(std::byte* segment, std::uint64_t seed) {
  constexpr std::uint32_t kMostEntries = 64;
  for (std::uint64_t line = kSegmentBytes - cirein::dpm::kLine; line >= cirein::dpm::kFirstBatch;
       line -= cirein::dpm::kLine) {
    BatchHeader header;
    std::memcpy(&header, segment + line, sizeof header);
    if (header.magic != cirein::dpm::kBatchMagic) continue;
    header.checksum = Sum(segment + line + sizeof header.checksum, segment + line + sizeof header,
                          cirein::dpm::LogSeed(seed, cirein::dpm::Place::kBatch, line));
    std::memcpy(segment + line, &header.checksum, sizeof header.checksum);
    std::uint64_t at = line + sizeof header;
    for (std::uint32_t i = 0; i < std::min(header.count, kMostEntries) && at != 0; ++i) {
      at = SignEntry(segment, at, seed);
    }
  }
}

// Reads all that an entry's accessors give, as those who use entries do.
void ReadEntry(const EntryView& entry, const BatchView& batch, std::uint64_t offset) {
  CIREIN_FUZZ_CHECK(entry.size() % 8 == 0);
  CIREIN_FUZZ_CHECK(offset + entry.size() <= batch.header().bytes);
  CIREIN_FUZZ_CHECK(entry.slot() < cirein::kSlotCount);
  CIREIN_FUZZ_CHECK(!entry.row().empty());
  CIREIN_FUZZ_CHECK(entry.key().row == entry.row() && entry.key().column == entry.column());
  CIREIN_FUZZ_CHECK(entry.PayloadIntact());
  const std::byte* const end = entry.bytes() + entry.size();
  CIREIN_FUZZ_CHECK(entry.meta().data() + entry.meta().size() <= end);
  CIREIN_FUZZ_CHECK(entry.data().data() + entry.data().size() <= end);
  if (entry.kind() == cirein::dpm::EntryKind::kRow) (void)entry.hide_below();
  (void)entry.expiry_ms();
  (void)entry.request_id();
  (void)entry.payload_checksum();
  (void)entry.extent();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static MemoryRegion log(kSegmentBytes * cirein::dpm::kMinSegments);
  if (size == 0) return 0;
  const Control& control = TheControl();
  std::byte* const segment = log.bytes();
  std::memset(segment, 0, kSegmentBytes);
  // The input is the mark word and then batches: what lies between is not looked at.
  const ByteSpan input = std::as_bytes(std::span(data, size)).subspan(1);
  const std::size_t mark_bytes = std::min<std::size_t>(input.size(), 8);
  if (mark_bytes != 0) {
    std::memcpy(segment + cirein::dpm::kMarkOffset, input.data(), mark_bytes);
  }
  const ByteSpan batches = input.subspan(mark_bytes);
  const std::size_t bytes =
      std::min<std::size_t>(batches.size(), kSegmentBytes - cirein::dpm::kFirstBatch);
  if (bytes != 0) std::memcpy(segment + cirein::dpm::kFirstBatch, batches.data(), bytes);
  if ((data[0] & 1) != 0) SignBatches(segment, control.seed(0));

  std::uint64_t entries = 0;
  const auto visit = [&](const BatchView& batch, std::uint64_t at) {
    CIREIN_FUZZ_CHECK(at % cirein::dpm::kLine == 0 && batch.header().mark <= at);
    CIREIN_FUZZ_CHECK(at + batch.header().bytes <= kSegmentBytes);
    batch.ForEach([&](const EntryView& entry, std::uint64_t offset) {
      ReadEntry(entry, batch, offset);
      ++entries;
    });
  };
  const SegmentScan scan =
      ScanSegment(control, log, 0, kSegmentBytes, BatchView::Payloads::kCheck, visit);
  CIREIN_FUZZ_CHECK(entries == scan.entries);
  CIREIN_FUZZ_CHECK(scan.valid_end <= kSegmentBytes && scan.mark <= kSegmentBytes);
  entries = 0;
  const SegmentScan salvage = SalvageSegment(control, log, 0, kSegmentBytes, visit);
  CIREIN_FUZZ_CHECK(entries == salvage.entries);
  CIREIN_FUZZ_CHECK(salvage.valid_end == scan.valid_end && salvage.mark == scan.mark);
  CIREIN_FUZZ_CHECK(salvage.beyond == scan.beyond && salvage.batches >= scan.batches);
  // The same to its recorded end: nothing more, nothing less, and no corruption if it was whole.
  const SegmentScan again =
      ScanSegment(control, log, 0, scan.valid_end, BatchView::Payloads::kCheck, nullptr);
  CIREIN_FUZZ_CHECK(again.valid_end == scan.valid_end && again.batches == scan.batches);
  CIREIN_FUZZ_CHECK(!again.beyond && !again.corrupt());
  return 0;
}
