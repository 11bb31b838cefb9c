// SPDX-License-Identifier: Apache-2.0
#include "dpm/index.h"

#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "dpm/index_check.h"
#include "dpm/index_log.h"
#include "dpm/index_memory.h"
#include "dpm/index_reader.h"
#include "dpm/index_row.h"
#include "dpm/index_table.h"
#include "dpm/index_writer.h"

namespace cirein::dpm {
namespace {

IndexHeader HeaderFor(const Region& region, const Index::Options& options) {
  IndexHeader header{};
  header.magic = kIndexMagic;
  header.pool_id = options.pool_id;
  header.index_bytes = region.size();
  header.segments = options.segments;
  constexpr std::size_t kCovered = offsetof(IndexHeader, pool_id);
  const auto* bytes =
      reinterpret_cast<const std::byte*>(&header);  // NOLINT: the struct is the bytes.
  header.checksum = Checksum64({bytes + kCovered, sizeof header - kCovered},
                               PlaceSeed(options.pool_id, Place::kIndexHeader, 0));
  return header;
}

Status CheckOptions(const Region& region, const Index::Options& options) {
  const std::uint64_t heap = IndexLayout{options.segments}.heap();
  if (options.segments > kMaxSegments || options.segment_bytes > kMaxSegmentBytes ||
      options.segments * options.segment_bytes > kMaxLogBytes || region.size() > kMaxIndexBytes) {
    return InvalidArgument("an index for a log beyond the limits of the format");
  }
  if (region.size() >= heap + kLine) return OkStatus();
  return InvalidArgument(fmt::format("index region '{}' has {} bytes: at least {} are needed",
                                     region.name(), region.size(), heap + kLine));
}

constexpr std::uint64_t kLow32 = 0xFFFF'FFFF;

}  // namespace

class Index::Impl {
 public:
  Impl(std::unique_ptr<Region> region, const Options& options)
      : layout{options.segments},
        segment_bytes(options.segment_bytes),
        memory(std::move(region), layout.heap(), options.epochs,
               options.persist ? IndexPersist::kEach : IndexPersist::kWhole),
        tables(memory, layout.slot_word(0)),
        log(options.log, options.segment_bytes, options.segments),
        parts{memory, tables, log, layout.slot_word(0)},
        writer(parts),
        reader(parts) {}

  Status Clear(const Options& options);
  Status CheckAndCount();

  const IndexLayout layout;
  const std::uint64_t segment_bytes;
  IndexMemory memory;
  IndexTables tables;
  const IndexLog log;
  const IndexParts parts;
  IndexWriter writer;
  const IndexReader reader;
};

// The header goes first and comes last: a crash in between leaves no index rather than a wrong one.
Status Index::Impl::Clear(const Options& options) {
  const auto persist = [&](std::uint64_t offset, std::uint64_t bytes) {
    if (!options.persist) return OkStatus();
    return memory.region().Persist(offset, bytes, PersistSite::kFormat);
  };
  memory.Clear(0, kPage);
  if (Status status = persist(0, kPage); !status.ok()) return status;
  memory.Clear(kPage, layout.heap() - kPage);
  if (Status status = persist(kPage, layout.heap() - kPage); !status.ok()) return status;

  const IndexHeader header = HeaderFor(memory.region(), options);
  for (std::size_t at = 0; at < sizeof header; at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, reinterpret_cast<const char*>(&header) + at, sizeof word);  // NOLINT
    memory.Fill(at, word);
  }
  memory.heap().Free(0, memory.heap().lines());
  return persist(0, kPage);
}

Status Index::Impl::CheckAndCount() {
  IndexCheck check(memory, log, layout.slot_word(0));
  if (Status status = check.Walk(); !status.ok()) return status;
  check.FreeTheRest(memory.heap());
  for (const auto& counted : check.tables()) {
    tables.SetCounts(counted.home, counted.table, counted.counts);
  }
  writer.keys.Set(check.keys());
  writer.rows.Set(check.rows());
  writer.row_entries.Set(check.row_entries());
  if (!memory.region().has_stores()) return OkStatus();
  for (const std::uint64_t home : check.empty_tables()) tables.RemoveAll(home);
  for (const auto& idle : check.idle_rows()) writer.TidyRow(idle.home, RowRef(memory, idle.node));
  return OkStatus();
}

Index::Index(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Index::~Index() = default;

Result<std::unique_ptr<Index>> Index::Format(std::unique_ptr<Region> region,
                                             const Options& options) {
  if (Status status = CheckOptions(*region, options); !status.ok()) return status;
  if (!region->has_stores()) {
    return InvalidArgument(fmt::format("index region '{}' cannot be written", region->name()));
  }
  auto impl = std::make_unique<Impl>(std::move(region), options);
  if (Status status = impl->Clear(options); !status.ok()) return status;
  return std::unique_ptr<Index>(new Index(std::move(impl)));
}

Result<std::unique_ptr<Index>> Index::Open(std::unique_ptr<Region> region, const Options& options) {
  if (Status status = CheckOptions(*region, options); !status.ok()) {
    return DataLoss(std::string(status.message()), "the index can be made again from the log");
  }
  const IndexHeader expected = HeaderFor(*region, options);
  if (std::memcmp(region->data(), &expected, sizeof expected) != 0) {
    return DataLoss(fmt::format("index region '{}': its header is not that of this pool's index",
                                region->name()),
                    "the index can be made again from the log");
  }
  auto impl = std::make_unique<Impl>(std::move(region), options);
  if (Status status = impl->CheckAndCount(); !status.ok()) return status;
  return std::unique_ptr<Index>(new Index(std::move(impl)));
}

std::size_t Index::Apply(std::span<Op> ops, const Superseded& superseded) {
  return impl_->writer.Apply(ops, superseded);
}

bool Index::Forget(const EntryView& entry, Location location) {
  return impl_->writer.Forget(entry, location);
}

bool Index::LeadsTo(const EntryView& entry, Location location) const {
  return impl_->reader.LeadsTo(entry, location);
}

Status Index::PersistLinks() { return impl_->memory.PersistLinks(); }
Status Index::PersistAll() { return impl_->memory.PersistAll(); }
void Index::Reclaim() { impl_->memory.Reclaim(); }

std::uint64_t Index::merged(std::uint64_t segment, std::uint64_t generation) const {
  const std::uint64_t word =
      impl_->memory.Load(impl_->layout.segment_words(segment) + offsetof(SegmentWords, merged));
  const std::uint64_t offset = word & kLow32;
  // Of another life of the segment, or not to be believed: nothing is merged.
  if (word >> 32 != (generation & kLow32) || offset > impl_->segment_bytes) return 0;
  return offset;
}

Status Index::SetMerged(std::uint64_t segment, std::uint64_t generation, std::uint64_t offset) {
  return impl_->memory.StoreAndPersist(
      impl_->layout.segment_words(segment) + offsetof(SegmentWords, merged),
      (generation << 32) | (offset & kLow32), PersistSite::kMergedMark);
}

std::uint64_t Index::RawLiveBytes(std::uint64_t segment) const {
  return impl_->memory.Load(impl_->layout.segment_words(segment) +
                            offsetof(SegmentWords, live_bytes));
}

std::uint64_t Index::live_bytes(std::uint64_t segment) const {
  const auto raw = static_cast<std::int64_t>(RawLiveBytes(segment));
  return raw < 0 ? 0 : static_cast<std::uint64_t>(raw);
}

void Index::AddLiveBytes(std::uint64_t segment, std::int64_t bytes) {
  SetLiveBytes(segment, RawLiveBytes(segment) + static_cast<std::uint64_t>(bytes));
}

void Index::SetLiveBytes(std::uint64_t segment, std::uint64_t bytes) {
  impl_->memory.Fill(impl_->layout.segment_words(segment) + offsetof(SegmentWords, live_bytes),
                     bytes);
}

std::optional<Index::Found> Index::Find(const KeyView& key, std::uint16_t slot) const {
  return impl_->reader.Find(key, slot);
}

EntryView Index::FindRowEntry(const KeyView& row, std::uint16_t slot) const {
  return impl_->reader.FindRowEntry(row, slot);
}

std::uint64_t Index::row_entries() const noexcept { return impl_->writer.row_entries.get(); }

bool Index::WalkRow(const KeyView& row, std::uint16_t slot, const Visitor& visit) const {
  return impl_->reader.WalkRow(row, slot, visit);
}

bool Index::WalkSlot(std::uint16_t slot, const Visitor& visit) const {
  return impl_->reader.WalkSlot(slot, visit);
}

Index::Stats Index::GetStats() const {
  const IndexHeap& heap = impl_->memory.heap();
  return {.keys = impl_->writer.keys.get(),
          .rows = impl_->writer.rows.get(),
          .heap_bytes = heap.lines() * kLine,
          .used_bytes = heap.used() * kLine,
          .grown_tables = impl_->tables.rebuilt(),
          .probed_buckets = impl_->writer.probed_buckets.get()};
}

}  // namespace cirein::dpm
