// SPDX-License-Identifier: Apache-2.0
#include "support/pool_damage.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "base/random.h"
#include "dpm/dpm.h"
#include "dpm/verify.h"
#include "support/dpm_user.h"

namespace cirein::test {
namespace {

using dpm::ControlLayout;
using dpm::Dpm;
using dpm::Place;
using Medium = ShadowSpace::Medium;
using Write = DpmUser::Write;

constexpr std::uint64_t kSegmentBytes = dpm::kMinSegmentBytes;
constexpr std::uint64_t kSegments = dpm::kMinSegments;
constexpr std::uint64_t kPoolId = 0xF022'ED00'0000'0001;
/// More than any honest pool needs here: what lies about its size finds no room.
constexpr std::uint64_t kRoomBytes = 8 << 20;

// ---- Samples ----

dpm::CreateOptions SmallestPool(dpm::Durability durability) {
  dpm::CreateOptions options;
  options.segment_bytes = kSegmentBytes;
  options.log_bytes = kSegments * kSegmentBytes;
  options.index_bytes = 1;  // The least there can be.
  options.extent_limit_bytes = 64 * 1024;
  options.large_bytes = 6000;
  options.durability = durability;
  options.pool_id = kPoolId;
  return options;
}

void Fill(Dpm& pool, SamplePool* sample) {
  DpmUser user(pool, 0);
  Random random(7);
  const auto put = [&](const std::string& row, std::optional<std::string> column,
                       std::uint64_t bytes) {
    std::string data(bytes, static_cast<char>('a' + random.Below(26)));
    data += std::to_string(random());
    sample->written[DpmUser::Name(row, column)].insert(data);
    if (!user.Apply({{Write::Kind::kPut, row, std::move(column), std::move(data), {}}}).ok())
      return;
  };
  for (int i = 0; i < 120; ++i) {
    put("row" + std::to_string(random.Below(12)), {}, random.Below(600));
    put("hash" + std::to_string(random.Below(3)), "column" + std::to_string(random.Below(5)),
        random.Below(200));
    if (i % 20 == 9) static_cast<void>(pool.Work(Dpm::Urgency::kUrgent).ok());
    if (i % 30 == 7) static_cast<void>(user.Drop("row3").ok());
    if (i % 40 == 8) {
      static_cast<void>(user.Apply({{Write::Kind::kDropRow, "hash1", {}, {}, {}}}).ok());
    }
    if (i % 50 == 3) static_cast<void>(pool.Sync().ok());
  }
  put("payload", {}, 4500);
  put("large", {}, 9000);
  static_cast<void>(user.Seal().ok());
}

SamplePool MakeSample(Medium medium, dpm::Durability durability, dpm::PoolState left) {
  SamplePool sample{medium, {}, {}};
  {
    ShadowSpace empty(medium);
    if (!Dpm::Create(empty, SmallestPool(durability)).ok()) return sample;
    sample.image = empty.ProcessCrash(empty.events());
  }
  auto space = std::make_unique<ShadowSpace>(medium, "boot-1", sample.image);
  const ShadowSpace& shadow = *space;
  dpm::Findings findings;
  const auto pool = Dpm::Open(std::move(space), {}, &findings);
  if (!pool.ok()) return sample;
  Fill(**pool, &sample);
  if (left == dpm::PoolState::kClean && !(*pool)->Close().ok()) return sample;
  sample.image = shadow.ProcessCrash(shadow.events());
  return sample;
}

// ---- Damage ----

template <typename Record>
void Sign(std::vector<std::byte>& file, std::uint64_t offset, std::uint64_t seed) {
  constexpr std::size_t kFrom = offsetof(Record, checksum) + sizeof(std::uint64_t);
  if (file.size() < offset + sizeof(Record)) return;
  const std::span<const std::byte> covered(file.data() + offset + kFrom, sizeof(Record) - kFrom);
  const std::uint64_t checksum = Checksum64(covered, seed);
  std::memcpy(file.data() + offset + offsetof(Record, checksum), &checksum, sizeof checksum);
}

// Makes copy B equal to copy A, and both believed.
void SignRecord(std::vector<std::byte>& file, std::uint8_t which) {
  const ControlLayout layout{kSegments};
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::uint64_t bytes = 0;
  if (which % 4 == 0) {
    Sign<dpm::Superblock>(file, 0, dpm::PlaceSeed(0, Place::kSuperblock, 0));
    b = ControlLayout::superblock(1);
    bytes = sizeof(dpm::Superblock);
  } else if (which % 4 == 1) {
    const std::uint32_t slot = which * 61;
    a = layout.slot_root(0, slot);
    b = layout.slot_root(1, slot);
    bytes = sizeof(dpm::SlotRoot);
    Sign<dpm::SlotRoot>(file, a, dpm::PlaceSeed(kPoolId, Place::kSlotRoot, slot));
  } else {
    const std::uint64_t segment = which / 4 % kSegments;
    a = layout.segment_record(0, segment);
    b = layout.segment_record(1, segment);
    bytes = sizeof(dpm::SegmentRecord);
    Sign<dpm::SegmentRecord>(file, a, dpm::PlaceSeed(kPoolId, Place::kSegmentRecord, segment));
  }
  if (file.size() >= b + bytes) std::memcpy(file.data() + b, file.data() + a, bytes);
}

// Where something interesting begins: most bytes of a pool are zeros.
std::uint64_t Interesting(const std::string& name, std::uint8_t which) {
  const ControlLayout control{kSegments};
  const dpm::IndexLayout index{kSegments};
  if (name == dpm::kControlName) {
    const std::array<std::uint64_t, 6> places = {0,
                                                 dpm::kPage,
                                                 control.segment_record(0, 0),
                                                 control.segment_record(1, 0),
                                                 control.slot_root(0, 0),
                                                 control.slot_root(1, 0)};
    return places[which % places.size()];
  }
  if (name == dpm::kIndexName) {
    const std::array<std::uint64_t, 4> places = {0, dpm::kPage, index.slot_word(0), index.heap()};
    return places[which % places.size()];
  }
  if (name == dpm::kLogName) {
    const std::array<std::uint64_t, 3> places = {0, dpm::kMarkOffset, dpm::kFirstBatch};
    return which / 3 % kSegments * kSegmentBytes + places[which % places.size()];
  }
  return 0;
}

struct Step {
  std::uint8_t what = 0;
  std::uint8_t file = 0;
  std::uint8_t which = 0;
  std::uint8_t where = 0;
  std::uint8_t much = 0;
};

void ChangeBytes(const Step& step, std::span<std::byte> bytes) {
  Random random(step.much * 256U + step.where);
  switch (step.what % 8) {
    case 0:
      std::ranges::fill(bytes, std::byte{0});
      break;
    case 1:
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
      break;
    case 2:
      std::ranges::fill(bytes, std::byte{0xFF});
      break;
    case 3:
      std::rotate(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2),
                  bytes.end());
      break;
    default:
      bytes.front() ^= static_cast<std::byte>(1U << (step.much % 8));
  }
}

void Apply(const Step& step, SpaceImage* image) {
  if (image->empty()) return;
  const auto file = std::next(image->begin(), step.file % static_cast<int>(image->size()));
  const std::string& name = file->first;
  std::vector<std::byte>& bytes = file->second;
  const std::uint64_t offset = Interesting(name, step.which) + std::uint64_t{step.where} * 8;
  if (step.what >= 240 && name == dpm::kControlName) return SignRecord(bytes, step.which);
  if (step.what >= 230 && step.what < 233) return static_cast<void>(image->erase(file));
  if (step.what >= 233 && step.what < 240) {
    bytes.resize(step.much % 2 == 0 ? std::min<std::uint64_t>(offset, bytes.size())
                                    : bytes.size() + offset % 9000);
    return;
  }
  if (offset >= bytes.size()) return;
  const std::uint64_t count =
      std::min<std::uint64_t>(bytes.size() - offset, std::uint64_t{1} << (step.much % 14));
  ChangeBytes(step, std::span(bytes).subspan(offset, count));
}

// ---- Use ----

class Checker {
 public:
  Checker(const SamplePool& sample, Dpm& pool) : sample_(sample), pool_(pool) {}

  std::string Run() {
    dpm::ReadEpochs::Reader reader = pool_.read_epochs().NewReader();
    const dpm::ReadEpochs::Guard guard(reader);
    for (std::uint32_t slot = 0; slot < kSlotCount && wrong_.empty(); ++slot) {
      const auto number = static_cast<std::uint16_t>(slot);
      pool_.index().WalkSlot(number, [&](const dpm::Index::Found& found) {
        if (found.entry.kind() == dpm::EntryKind::kObject) Check(found);
        return wrong_.empty();
      });
    }
    return wrong_;
  }

 private:
  // As a careful reader does: an entry validates itself.
  void Check(const dpm::Index::Found& found) {
    const std::uint64_t segment = pool_.segments().segment_of(found.location.offset);
    const std::uint64_t place = found.location.offset % kSegmentBytes;
    dpm::EntryView entry;
    if (segment >= pool_.segments().count() ||
        !dpm::EntryView::Parse({pool_.log() + found.location.offset, kSegmentBytes - place},
                               pool_.segments().seed(segment), place, &entry) ||
        !entry.PayloadIntact()) {
      return;
    }
    dpm::ByteSpan data = entry.data();
    Result<dpm::ExtentStore::Data> extent = NotFound("none");
    if (entry.extent()) {
      extent = pool_.extents().Open(*entry.extent(), entry.data_bytes());
      if (!extent.ok()) return;
      data = extent->bytes;
      if (dpm::PayloadChecksum(data) != entry.payload_checksum()) return;
    }
    std::optional<std::string> column;
    if (entry.has_column()) column = std::string(entry.column());
    const auto written = sample_.written.find(DpmUser::Name(entry.row(), column));
    const std::string text(reinterpret_cast<const char*>(data.data()), data.size());  // NOLINT
    if (written == sample_.written.end() || !written->second.contains(text)) {
      wrong_ = "'" + std::string(entry.row()) + "' was never written like that";
    }
  }

  const SamplePool& sample_;
  Dpm& pool_;
  std::string wrong_;
};

// What goes wrong is told by statuses; here it is enough that it ends.
void Use(Dpm& pool) {
  {
    DpmUser user(pool, 1);
    for (int i = 0; i < 20; ++i) {
      if (!user.Put("new" + std::to_string(i), std::string(300, 'n')).ok()) break;
      static_cast<void>(pool.Work(Dpm::Urgency::kUrgent).ok());
    }
    static_cast<void>(user.Drop("row1").ok());
    static_cast<void>(user.Seal().ok());
  }
  static_cast<void>(pool.Sync().ok());
  static_cast<void>(pool.Close().ok());
}

std::string OpenAndUse(const SamplePool& sample, const SpaceImage& image, const std::string& boot,
                       dpm::OpenOptions::Repair repair) {
  auto space = std::make_unique<ShadowSpace>(sample.medium, boot, image);
  space->LimitBytes(kRoomBytes);
  dpm::Findings findings;
  const auto pool = Dpm::Open(std::move(space), {.repair = repair}, &findings);
  if (!pool.ok()) return {};
  std::string wrong = Checker(sample, **pool).Run();
  Use(**pool);
  return wrong;
}

}  // namespace

const std::vector<SamplePool>& SamplePools() {
  static const std::vector<SamplePool> pools = [] {
    std::vector<SamplePool> made;
    for (const Medium medium : {Medium::kFile, Medium::kFlushable}) {
      for (const auto durability : {dpm::Durability::kProcess, dpm::Durability::kPower}) {
        for (const auto left : {dpm::PoolState::kClean, dpm::PoolState::kOpen}) {
          made.push_back(MakeSample(medium, durability, left));
        }
      }
    }
    return made;
  }();
  return pools;
}

void DamagePool(std::span<const std::uint8_t> program, SpaceImage* image) {
  constexpr std::size_t kStepBytes = 5;
  for (; program.size() >= kStepBytes; program = program.subspan(kStepBytes)) {
    Apply({program[0], program[1], program[2], program[3], program[4]}, image);
  }
}

std::string UseDamagedPool(const SamplePool& sample, const SpaceImage& image) {
  for (const std::string boot : {"boot-1", "boot-2"}) {
    {
      ShadowSpace space(sample.medium, boot, image);
      static_cast<void>(dpm::InspectPool(space).ok());
      static_cast<void>(dpm::VerifyPool(space).ok());
      if (space.events() != 0) return "looking at the pool changed it";
    }
    for (const auto repair : {dpm::OpenOptions::Repair::kNo, dpm::OpenOptions::Repair::kYes}) {
      std::string wrong = OpenAndUse(sample, image, boot, repair);
      if (!wrong.empty()) return wrong;
    }
  }
  return {};
}

}  // namespace cirein::test
