// SPDX-License-Identifier: Apache-2.0
#include "dpm/control.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"
#include "dpm/log_scanner.h"

namespace cirein::dpm {
namespace {

// How far beyond every generation seen a segment begins whose own generation is lost: nothing that
// its bytes still hold may be taken for new (SAFETY 1).
constexpr std::uint64_t kGenerationLeap = std::uint64_t{1} << 24;

constexpr char kRestoreHint[] =
    "restore the pool from a copy, or let `cirein pool verify --repair` save what is valid";

template <typename Record>
std::span<const std::byte> BytesOf(const Record& record) {
  return std::as_bytes(std::span(&record, 1));
}

template <typename Record>
std::uint64_t ChecksumOf(const Record& record, std::uint64_t seed) {
  constexpr std::size_t kFrom = offsetof(Record, checksum) + sizeof(record.checksum);
  return Checksum64(BytesOf(record).subspan(kFrom), seed);
}

const std::uint64_t kSuperblockSeed = PlaceSeed(0, Place::kSuperblock, 0);

// ---- Superblock ----

std::string RangeProblem(std::string_view what, std::uint64_t value, std::string_view range) {
  return fmt::format("{} is {}, not {}", what, value, range);
}

// Empty, or which number no pool may have.
std::string SuperblockProblem(const Superblock& s) {
  if (s.segment_bytes < kMinSegmentBytes || s.segment_bytes > kMaxSegmentBytes ||
      s.segment_bytes % kPage != 0) {
    return RangeProblem(
        "the size of a segment", s.segment_bytes,
        fmt::format("a multiple of {} from {} to {}", kPage, kMinSegmentBytes, kMaxSegmentBytes));
  }
  if (s.segments < kMinSegments || s.segments > kMaxSegments) {
    return RangeProblem("the number of segments", s.segments,
                        fmt::format("from {} to {}", kMinSegments, kMaxSegments));
  }
  static_assert(kMaxSegments <= UINT64_MAX / kMaxSegmentBytes, "the product fits");
  if (s.segments * s.segment_bytes > kMaxLogBytes) {
    return RangeProblem("the size of the log", s.segments * s.segment_bytes,
                        fmt::format("at most {}", kMaxLogBytes));
  }
  if (s.index_bytes > kMaxIndexBytes) {
    return RangeProblem("the size of the index", s.index_bytes,
                        fmt::format("at most {}", kMaxIndexBytes));
  }
  if (s.slots != kSlotCount) {
    return RangeProblem("the number of slots", s.slots, std::to_string(kSlotCount));
  }
  if (s.durability != static_cast<std::uint32_t>(Durability::kProcess) &&
      s.durability != static_cast<std::uint32_t>(Durability::kPower)) {
    return RangeProblem("the durability", s.durability, "1 (process) or 2 (power)");
  }
  if (s.state != static_cast<std::uint32_t>(PoolState::kClean) &&
      s.state != static_cast<std::uint32_t>(PoolState::kOpen)) {
    return RangeProblem("the state", s.state, "1 (clean) or 2 (open)");
  }
  if (s.highest_epoch > kMaxEpoch) {
    return RangeProblem("the highest epoch", s.highest_epoch, fmt::format("at most {}", kMaxEpoch));
  }
  return {};
}

Superblock CopyOfSuperblock(const Region& region, int copy) {
  Superblock found;
  std::memcpy(&found, region.data() + ControlLayout::superblock(copy), sizeof found);
  return found;
}

bool Whole(const Superblock& s) {
  return s.magic == kSuperblockMagic && s.checksum == ChecksumOf(s, kSuperblockSeed);
}

bool AllZero(const Superblock& s) {
  const auto bytes = BytesOf(s);
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

Status OtherFormat(const Region& region, const Superblock& s) {
  const bool newer = s.format_major > kFormatMajor;
  return FailedPrecondition(
      fmt::format("{} holds a pool of format {}.{}, and this program reads format {}.{}",
                  region.name(), s.format_major, s.format_minor, kFormatMajor, kFormatMinor),
      newer ? "open it with the version of Cirein that made it, or a later one"
            : "copy its objects to a new pool with the version of Cirein that made it");
}

// Why neither copy of the superblock is one.
Status NoSuperblock(const Region& region, const Superblock& a, const Superblock& b) {
  if (AllZero(a) && AllZero(b)) {
    return FailedPrecondition(
        fmt::format("{} holds no pool: it begins with zeros, so its creation never finished",
                    region.name()),
        "nothing was ever stored in it: remove it and create the pool again");
  }
  constexpr std::uint64_t kSwappedMagic = __builtin_bswap64(kSuperblockMagic);
  if (a.magic == kSwappedMagic || b.magic == kSwappedMagic) {
    return FailedPrecondition(
        fmt::format("{} holds a pool of a machine with the other byte order", region.name()),
        "open it on such a machine, and copy its objects over the network");
  }
  if (a.magic != kSuperblockMagic && b.magic != kSuperblockMagic) {
    return FailedPrecondition(
        fmt::format("{} is not the control file of a pool: it does not begin as one does",
                    region.name()),
        "check the path; a pool is a directory that `cirein pool create` made");
  }
  // Another format may compute its checksum in another way; two copies hardly get one damage.
  if (a.magic == b.magic && a.format_major == b.format_major && a.format_major != kFormatMajor) {
    return OtherFormat(region, a);
  }
  return DataLoss(fmt::format("both copies of the superblock in {} are damaged", region.name()),
                  "restore the pool from a copy");
}

Status Truncated(const Region& region, std::uint64_t expected_bytes) {
  return DataLoss(fmt::format("{} has {} bytes, and the pool's superblock says {}: it was {}",
                              region.name(), region.size(), expected_bytes,
                              region.size() < expected_bytes ? "cut off" : "made longer"),
                  kRestoreHint);
}

// ---- Records ----

std::uint64_t RecordSeed(std::uint64_t pool_id, std::uint64_t segment) {
  return PlaceSeed(pool_id, Place::kSegmentRecord, segment);
}
std::uint64_t RootSeed(std::uint64_t pool_id, std::uint64_t slot) {
  return PlaceSeed(pool_id, Place::kSlotRoot, slot);
}

bool Sensible(const SegmentRecord& record, std::uint64_t segment_bytes) {
  return record.generation != 0 &&
         record.state <= static_cast<std::uint32_t>(SegmentState::kSealed) &&
         record.end <= segment_bytes;
}
bool Sensible(const SlotRoot& root) { return root.epoch <= kMaxEpoch; }

// What became of the two copies of a record.
enum class Twins : std::uint8_t { kEqual, kOlderB, kBadA, kBadB, kBothBad };

template <typename Record, typename Valid>
Twins ReadTwins(const std::byte* a, const std::byte* b, const Valid& valid, Record* record) {
  Record second;
  std::memcpy(record, a, sizeof second);
  std::memcpy(&second, b, sizeof second);
  const bool a_valid = valid(*record);
  if (a_valid && std::memcmp(record, &second, sizeof second) == 0) return Twins::kEqual;
  const bool b_valid = valid(second);
  if (a_valid) return b_valid ? Twins::kOlderB : Twins::kBadB;
  *record = second;
  return b_valid ? Twins::kBadA : Twins::kBothBad;
}

std::string TwinsText(std::string_view what, Twins twins) {
  if (twins == Twins::kBadA) {
    return fmt::format("copy A of {} is torn or damaged; copy B was taken", what);
  }
  if (twins == Twins::kBadB) {
    return fmt::format("copy B of {} is torn or damaged; copy A was taken", what);
  }
  return fmt::format("copy B of {} is older than copy A: a change was cut short", what);
}

}  // namespace

// ---- Opening ----

// Reads a control region record by record, and gathers what is to be said and mended.
class Control::Reader {
 public:
  Reader(Control* control, const Region& log, Damage damage, Findings* findings)
      : control_(control), log_(log), damage_(damage), findings_(findings) {}

  Status ReadAll() {
    ReadSuperblockTwins();
    CIREIN_RETURN_IF_ERROR(ReadRecords());
    return ReadRoots();
  }

 private:
  // Neighbours in one state, which make one note and one repair.
  struct Run {
    Twins twins = Twins::kEqual;
    std::uint64_t first = 0;
    std::uint64_t count = 0;
  };

  const std::byte* at(std::uint64_t offset) const { return control_->region_->data() + offset; }

  void ReadSuperblockTwins();
  Status ReadRecords();
  Status ReadRoots();
  Status LostRecord(std::uint64_t segment);
  Status LostRoot(std::uint32_t slot);
  Status Lost(std::string what, std::optional<std::uint64_t> segment);
  void PlaceLostGenerations();
  void PlaceLostClockFloors();
  template <typename Close>
  void Extend(std::uint64_t number, Twins twins, const Close& close);
  void CloseRecordRun();
  void CloseRootRun();
  void NoteAndRepair(std::string_view what, TwinPlace place, std::uint64_t bytes, PersistSite site);

  Control* const control_;
  const Region& log_;
  const Damage damage_;
  Findings* const findings_;
  Run run_;
  std::vector<std::uint64_t> lost_generations_;  // Segments of which nothing is known.
  std::vector<std::uint32_t> lost_roots_;
};

void Control::Reader::ReadSuperblockTwins() {
  Superblock ignored;
  run_.twins = ReadTwins<Superblock>(at(ControlLayout::superblock(0)),
                                     at(ControlLayout::superblock(1)), Whole, &ignored);
  NoteAndRepair("the superblock", {ControlLayout::superblock(0), ControlLayout::superblock(1)},
                sizeof(Superblock), PersistSite::kSuperblock);
  run_ = Run();
}

Status Control::Reader::ReadRecords() {
  const std::uint64_t pool_id = control_->pool_id();
  const ControlLayout& layout = control_->layout_;
  for (std::uint64_t segment = 0; segment < control_->segments(); ++segment) {
    const auto valid = [&](const SegmentRecord& record) {
      return record.checksum == ChecksumOf(record, RecordSeed(pool_id, segment)) &&
             Sensible(record, control_->segment_bytes());
    };
    const Twins twins = ReadTwins<SegmentRecord>(at(layout.segment_record(0, segment)),
                                                 at(layout.segment_record(1, segment)), valid,
                                                 &control_->records_[segment]);
    if (twins == Twins::kBothBad) CIREIN_RETURN_IF_ERROR(LostRecord(segment));
    Extend(segment, twins, [this] { CloseRecordRun(); });
  }
  CloseRecordRun();
  PlaceLostGenerations();
  return OkStatus();
}

Status Control::Reader::ReadRoots() {
  const std::uint64_t pool_id = control_->pool_id();
  const ControlLayout& layout = control_->layout_;
  for (std::uint32_t slot = 0; slot < kSlotCount; ++slot) {
    const auto valid = [&](const SlotRoot& root) {
      return root.checksum == ChecksumOf(root, RootSeed(pool_id, slot)) && Sensible(root);
    };
    const Twins twins =
        ReadTwins<SlotRoot>(at(layout.slot_root(0, slot)), at(layout.slot_root(1, slot)), valid,
                            &control_->roots_[slot]);
    if (twins == Twins::kBothBad) CIREIN_RETURN_IF_ERROR(LostRoot(slot));
    Extend(slot, twins, [this] { CloseRootRun(); });
  }
  CloseRootRun();
  PlaceLostClockFloors();
  return OkStatus();
}

Status Control::Reader::LostRecord(std::uint64_t segment) {
  CIREIN_RETURN_IF_ERROR(Lost(fmt::format("the record of segment {}", segment), segment));
  SegmentRecord record{};
  record.used_before = 1;
  SegmentHeader header;
  if (ReadSegmentHeader(log_, control_->pool_id(), control_->segment_bytes(), segment, &header)) {
    record.generation = header.generation;
    record.incarnation = header.incarnation;
    record.sequence = header.sequence;
    record.shard = header.shard;
    record.state = static_cast<std::uint32_t>(SegmentState::kOpen);
  } else {
    lost_generations_.push_back(segment);
  }
  control_->records_[segment] = record;
  return OkStatus();
}

void Control::Reader::PlaceLostGenerations() {
  std::uint64_t highest = 0;
  for (const SegmentRecord& record : control_->records_) {
    highest = std::max(highest, record.generation);
  }
  for (const std::uint64_t segment : lost_generations_) {
    control_->records_[segment].generation = highest + kGenerationLeap;
  }
}

Status Control::Reader::LostRoot(std::uint32_t slot) {
  CIREIN_RETURN_IF_ERROR(Lost(fmt::format("the root of slot {}", slot), std::nullopt));
  SlotRoot root{};
  root.epoch = control_->superblock_.highest_epoch;
  control_->roots_[slot] = root;
  lost_roots_.push_back(slot);
  return OkStatus();
}

void Control::Reader::PlaceLostClockFloors() {
  std::uint64_t latest_ms = 0;
  for (const SlotRoot& root : control_->roots_) {
    latest_ms = std::max(latest_ms, root.clock_floor_ms);
  }
  for (const std::uint32_t slot : lost_roots_) control_->roots_[slot].clock_floor_ms = latest_ms;
}

Status Control::Reader::Lost(std::string what, std::optional<std::uint64_t> segment) {
  what = fmt::format("both copies of {} in {} are damaged", what, control_->region_->name());
  if (damage_ == Damage::kFail) return DataLoss(std::move(what), kRestoreHint);
  findings_->push_back({Finding::Severity::kCorruption, std::move(what), segment, std::nullopt});
  return OkStatus();
}

template <typename Close>
void Control::Reader::Extend(std::uint64_t number, Twins twins, const Close& close) {
  if (twins != run_.twins) {
    close();
    run_ = {twins, number, 0};
  }
  ++run_.count;
}

void Control::Reader::CloseRecordRun() {
  const std::uint64_t last = run_.first + run_.count - 1;
  const std::string what = run_.count == 1
                               ? fmt::format("the record of segment {}", run_.first)
                               : fmt::format("the records of segments {} to {}", run_.first, last);
  const std::size_t before = findings_->size();
  NoteAndRepair(what,
                {control_->layout_.segment_record(0, run_.first),
                 control_->layout_.segment_record(1, run_.first)},
                run_.count * sizeof(SegmentRecord), PersistSite::kSegmentRecord);
  if (findings_->size() != before) findings_->back().segment = run_.first;
  run_ = Run();
}

void Control::Reader::CloseRootRun() {
  const std::uint64_t last = run_.first + run_.count - 1;
  const std::string what = run_.count == 1
                               ? fmt::format("the root of slot {}", run_.first)
                               : fmt::format("the roots of slots {} to {}", run_.first, last);
  const auto first = static_cast<std::uint32_t>(run_.first);
  NoteAndRepair(what,
                {control_->layout_.slot_root(0, first), control_->layout_.slot_root(1, first)},
                run_.count * sizeof(SlotRoot), PersistSite::kSlotRoots);
  run_ = Run();
}

void Control::Reader::NoteAndRepair(std::string_view what, TwinPlace place, std::uint64_t bytes,
                                    PersistSite site) {
  if (run_.twins == Twins::kEqual || run_.twins == Twins::kBothBad) return;
  findings_->push_back(
      {Finding::Severity::kNote, TwinsText(what, run_.twins), std::nullopt, std::nullopt});
  const bool bad_a = run_.twins == Twins::kBadA;
  const std::byte* const good = at(bad_a ? place.b : place.a);
  control_->repairs_.push_back(
      {bad_a ? place.a : place.b, std::vector<std::byte>(good, good + bytes), site});
}

Result<Superblock> Control::ReadSuperblock(const Region& region) {
  if (region.size() < 2 * kPage) {
    return FailedPrecondition(
        fmt::format("{} is not the control file of a pool: it has only {} bytes", region.name(),
                    region.size()),
        "check the path; if there was a pool, the file was cut off: restore it from a copy");
  }
  const Superblock a = CopyOfSuperblock(region, 0);
  const Superblock b = CopyOfSuperblock(region, 1);
  if (!Whole(a) && !Whole(b)) return NoSuperblock(region, a, b);
  const Superblock& found = Whole(a) ? a : b;
  if (found.format_major != kFormatMajor) return OtherFormat(region, found);
  if (const std::string problem = SuperblockProblem(found); !problem.empty()) {
    return DataLoss(fmt::format("the superblock in {} is whole, but {}", region.name(), problem),
                    "no version of Cirein writes that: restore the pool from a copy");
  }
  return found;
}

Control::Control(std::unique_ptr<Region> region, const Superblock& superblock)
    : region_(std::move(region)),
      fixed_(superblock),
      layout_{superblock.segments},
      superblock_(superblock),
      records_(superblock.segments),
      roots_(kSlotCount) {}

Result<std::unique_ptr<Control>> Control::Open(std::unique_ptr<Region> region, const Region& log,
                                               Mend mend, Damage damage, Findings* findings) {
  CIREIN_ASSIGN_OR_RETURN(const Superblock superblock, ReadSuperblock(*region));
  const ControlLayout layout{superblock.segments};
  if (region->size() != layout.bytes()) return Truncated(*region, layout.bytes());
  const std::uint64_t log_bytes = superblock.segments * superblock.segment_bytes;
  if (log.size() != log_bytes) return Truncated(log, log_bytes);

  std::unique_ptr<Control> control(new Control(std::move(region), superblock));
  CIREIN_RETURN_IF_ERROR(Reader(control.get(), log, damage, findings).ReadAll());
  if (mend == Mend::kYes) CIREIN_RETURN_IF_ERROR(control->MakeGood());
  return control;
}

Result<std::unique_ptr<Control>> Control::Format(std::unique_ptr<Region> region,
                                                 const Superblock& superblock) {
  Superblock filled = superblock;
  filled.magic = kSuperblockMagic;
  filled.format_major = kFormatMajor;
  filled.format_minor = kFormatMinor;
  filled.slots = kSlotCount;
  if (const std::string problem = SuperblockProblem(filled); !problem.empty()) {
    return InvalidArgument(fmt::format("cannot make a pool in which {}", problem));
  }
  const ControlLayout layout{filled.segments};
  if (region->size() != layout.bytes()) {
    return InvalidArgument(fmt::format("{} has {} bytes instead of the {} of a pool of {} segments",
                                       region->name(), region->size(), layout.bytes(),
                                       filled.segments));
  }
  std::unique_ptr<Control> control(new Control(std::move(region), filled));
  for (std::uint64_t segment = 0; segment < filled.segments; ++segment) {
    SegmentRecord& record = control->records_[segment];
    record.generation = 1;
    record.checksum = ChecksumOf(record, RecordSeed(filled.pool_id, segment));
  }
  for (std::uint32_t slot = 0; slot < kSlotCount; ++slot) {
    SlotRoot& root = control->roots_[slot];
    root.checksum = ChecksumOf(root, RootSeed(filled.pool_id, slot));
  }
  // Without a superblock nothing of it counts, so one persist is enough for both copies.
  const auto records = std::as_bytes(std::span(control->records_));
  const auto roots = std::as_bytes(std::span(control->roots_));
  for (const int copy : {0, 1}) {
    CIREIN_RETURN_IF_ERROR(control->region_->Write(layout.segment_record(copy, 0), records));
    CIREIN_RETURN_IF_ERROR(control->region_->Write(layout.slot_root(copy, 0), roots));
  }
  CIREIN_RETURN_IF_ERROR(control->region_->Persist(0, layout.bytes(), PersistSite::kFormat));
  return control;
}

// ---- Changing ----

Status Control::WriteAndPersist(std::uint64_t offset, std::span<const std::byte> bytes,
                                PersistSite site) {
  CIREIN_RETURN_IF_ERROR(region_->Write(offset, bytes));
  return region_->Persist(offset, bytes.size(), site);
}

Status Control::MakeGood() {
  while (!repairs_.empty()) {
    const Repair& repair = repairs_.back();
    CIREIN_RETURN_IF_ERROR(WriteAndPersist(repair.offset, repair.bytes, repair.site));
    repairs_.pop_back();
  }
  return OkStatus();
}

Status Control::WriteTwice(TwinPlace place, std::span<const std::byte> bytes, PersistSite site) {
  CIREIN_RETURN_IF_ERROR(MakeGood());
  // When this fails, copy B is still what was promised.
  CIREIN_RETURN_IF_ERROR(WriteAndPersist(place.a, bytes, site));
  Status status = WriteAndPersist(place.b, bytes, site);
  if (!status.ok()) repairs_.push_back({place.b, {bytes.begin(), bytes.end()}, site});
  return status;
}

Superblock Control::superblock() const {
  const std::lock_guard lock(state_mutex_);
  return superblock_;
}

SegmentRecord Control::record(std::uint64_t segment) const {
  const std::lock_guard lock(state_mutex_);
  return records_[segment];
}

SlotRoot Control::slot_root(std::uint32_t slot) const {
  const std::lock_guard lock(state_mutex_);
  return roots_[slot];
}

Status Control::UpdateSuperblock(const std::function<void(Superblock&)>& change) {
  const std::lock_guard change_lock(change_mutex_);
  const Superblock now = this->superblock();
  Superblock superblock = now;
  change(superblock);
  superblock.magic = now.magic;
  superblock.format_major = now.format_major;
  superblock.format_minor = now.format_minor;
  superblock.slots = now.slots;
  if (superblock.pool_id != now.pool_id || superblock.segments != now.segments ||
      superblock.segment_bytes != now.segment_bytes) {
    return InvalidArgument("a pool's id, and the number and size of its segments, never change");
  }
  if (const std::string problem = SuperblockProblem(superblock); !problem.empty()) {
    return InvalidArgument(fmt::format("cannot write a superblock in which {}", problem));
  }
  superblock.writes = now.writes + 1;
  superblock.checksum = ChecksumOf(superblock, kSuperblockSeed);
  CIREIN_RETURN_IF_ERROR(WriteTwice({ControlLayout::superblock(0), ControlLayout::superblock(1)},
                                    BytesOf(superblock), PersistSite::kSuperblock));
  const std::lock_guard lock(state_mutex_);
  superblock_ = superblock;
  return OkStatus();
}

Status Control::WriteRecord(std::uint64_t segment, SegmentRecord record) {
  if (segment >= segments() || !Sensible(record, segment_bytes())) {
    return InvalidArgument(
        fmt::format("no segment {} in a pool of {} may be in generation {}, state {}, with end {}",
                    segment, segments(), record.generation, record.state, record.end));
  }
  record.checksum = ChecksumOf(record, RecordSeed(pool_id(), segment));
  const std::lock_guard change_lock(change_mutex_);
  CIREIN_RETURN_IF_ERROR(
      WriteTwice({layout_.segment_record(0, segment), layout_.segment_record(1, segment)},
                 BytesOf(record), PersistSite::kSegmentRecord));
  const std::lock_guard lock(state_mutex_);
  records_[segment] = record;
  return OkStatus();
}

Status Control::WriteSlotRoots(std::uint32_t first, std::vector<SlotRoot> roots) {
  if (first > kSlotCount || roots.size() > kSlotCount - first) {
    return InvalidArgument(fmt::format("{} slots from {} on are more than a pool's {}",
                                       roots.size(), first, kSlotCount));
  }
  if (roots.empty()) return OkStatus();
  for (std::size_t i = 0; i < roots.size(); ++i) {
    if (!Sensible(roots[i])) {
      return InvalidArgument(fmt::format("epoch {} of slot {} is beyond the last one, {}",
                                         roots[i].epoch, first + i, kMaxEpoch));
    }
    roots[i].checksum = ChecksumOf(roots[i], RootSeed(pool_id(), first + i));
  }
  const std::lock_guard change_lock(change_mutex_);
  CIREIN_RETURN_IF_ERROR(WriteTwice({layout_.slot_root(0, first), layout_.slot_root(1, first)},
                                    std::as_bytes(std::span(roots)), PersistSite::kSlotRoots));
  const std::lock_guard lock(state_mutex_);
  std::copy(roots.begin(), roots.end(), roots_.begin() + first);
  return OkStatus();
}

}  // namespace cirein::dpm
