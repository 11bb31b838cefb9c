// SPDX-License-Identifier: Apache-2.0
#include "region/shadow_space.h"

#include <array>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "region/region_name.h"

namespace cirein {
namespace {

constexpr std::uint32_t kLineBytes = 64;
constexpr std::uint32_t kSectorBytes = 512;
constexpr std::uint32_t kPageBytes = 4096;

// What the process sees of a file: bytes that begin at a page.
class PageBuffer {
 public:
  explicit PageBuffer(std::uint64_t bytes)
      : bytes_(static_cast<std::byte*>(
            ::operator new (bytes > 0 ? bytes : 1, std::align_val_t{kPageBytes}))) {}
  ~PageBuffer() { ::operator delete (bytes_, std::align_val_t{kPageBytes}); }
  PageBuffer(const PageBuffer&) = delete;
  PageBuffer& operator=(const PageBuffer&) = delete;

  std::byte* get() const noexcept { return bytes_; }

 private:
  std::byte* const bytes_;
};

struct ShadowFile {
  explicit ShadowFile(std::uint64_t bytes) : size(bytes), live(bytes) {}
  CrashHistory::File number = 0;  // Set once, before anybody else sees the file.
  const std::uint64_t size;
  const PageBuffer live;
};

MediumTraits TraitsOf(ShadowSpace::Medium medium) {
  MediumTraits traits;
  traits.flushable = medium == ShadowSpace::Medium::kFlushable;
  traits.granularity = traits.flushable ? kLineBytes : kSectorBytes;
  traits.description = traits.flushable ? "shadow, cache-line flushes" : "shadow, fdatasync";
  return traits;
}

}  // namespace

class ShadowSpace::Impl {
 public:
  Impl(Medium of_medium, std::string of_boot, SpaceImage&& image)
      : medium(of_medium), traits(TraitsOf(of_medium)), boot_id(std::move(of_boot)) {
    for (auto& [name, contents] : image) {
      const std::uint64_t bytes = contents.size();
      // Copied before the history takes the contents for its own.
      auto file = std::make_shared<ShadowFile>(bytes);
      if (bytes > 0) std::memcpy(file->live.get(), contents.data(), bytes);
      file->number = history.AddInitial(name, std::move(contents));
      files.emplace(name, std::move(file));
    }
  }

  std::uint32_t UnitBytes(RegionUse use) const {
    if (medium == Medium::kFlushable) return kLineBytes;
    return use == RegionUse::kWords ? kPageBytes : kSectorBytes;
  }

  std::uint64_t NamedBytes() const {
    std::uint64_t bytes = 0;
    for (const auto& [name, file] : files) bytes += file->size;
    return bytes;
  }

  std::shared_ptr<ShadowFile> MakeFile(const std::string& name, std::uint64_t bytes,
                                       RegionUse use) {
    auto file = std::make_shared<ShadowFile>(bytes);
    if (bytes > 0) std::memset(file->live.get(), 0, bytes);
    file->number = history.Created(name, bytes);
    history.SetUnit(file->number, UnitBytes(use));
    files.emplace(name, file);
    return file;
  }

  // True when the persist shall happen.
  bool CountPersist(PersistSite site) {
    ++persists.at(static_cast<std::size_t>(site));
    if (dropped != site) return true;
    history.Dropped();
    return false;
  }

  const std::string path = "shadow";
  const Medium medium;
  const MediumTraits traits;
  const std::string boot_id;

  mutable std::mutex mutex;  // Guards all that follows, and the order of events with it.
  CrashHistory history;
  std::map<std::string, std::shared_ptr<ShadowFile>> files;  // By the names that are there now.
  std::optional<PersistSite> dropped;
  std::array<std::uint64_t, kPersistSites> persists{};
  Status write_failure;
  Status persist_failure;
  std::uint64_t limit_bytes = UINT64_MAX;
};

class ShadowSpace::ShadowRegion final : public Region, private StoreWatcher {
 public:
  ShadowRegion(std::string name, std::shared_ptr<Impl> space, std::shared_ptr<ShadowFile> file,
               RegionUse use, Access access)
      : Region(std::move(name), file->size),
        space_(std::move(space)),
        file_(std::move(file)),
        access_(access) {
    data_ = file_->live.get();
    if (access == Access::kReadWrite && (space_->traits.flushable || use == RegionUse::kWords)) {
      stores_ = file_->live.get();
      watcher_ = this;
    }
  }

  Status Write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    CIREIN_RETURN_IF_ERROR(CheckRange(offset, bytes.size()));
    if (access_ == Access::kReadOnly) return ReadOnlyRegion(name_);
    if (bytes.empty()) return OkStatus();
    const std::lock_guard lock(space_->mutex);
    const bool fails = !space_->write_failure.ok();
    const std::span<const std::byte> part = fails ? bytes.first(bytes.size() / 2) : bytes;
    if (!part.empty()) {
      std::memcpy(file_->live.get() + offset, part.data(), part.size());
      space_->history.Stored(file_->number, offset, part);
    }
    return fails ? space_->write_failure.WithContext(name_) : OkStatus();
  }

  Status Persist(std::uint64_t offset, std::uint64_t bytes, PersistSite site) override {
    CIREIN_RETURN_IF_ERROR(CheckRange(offset, bytes));
    const std::lock_guard lock(space_->mutex);
    if (failure_.ok() && !space_->persist_failure.ok()) {
      failure_ = space_->persist_failure.WithContext(name_);
    }
    CIREIN_RETURN_IF_ERROR(failure_);
    if (!space_->CountPersist(site)) return OkStatus();
    const bool whole = space_->medium == Medium::kFile;
    space_->history.Persisted(file_->number, whole ? 0 : offset, whole ? size_ : bytes);
    return OkStatus();
  }

 private:
  void Stored(std::uint64_t offset, std::uint64_t bytes) override {
    const std::lock_guard lock(space_->mutex);
    space_->history.Stored(file_->number, offset, std::span(file_->live.get() + offset, bytes));
  }

  const std::shared_ptr<Impl> space_;
  const std::shared_ptr<ShadowFile> file_;
  const Access access_;
  Status failure_;  // Guarded by the space's mutex.
};

ShadowSpace::ShadowSpace(Medium medium, std::string boot_id, SpaceImage image)
    : impl_(std::make_shared<Impl>(medium, std::move(boot_id), std::move(image))) {}

ShadowSpace::~ShadowSpace() = default;

const std::string& ShadowSpace::path() const { return impl_->path; }
const MediumTraits& ShadowSpace::traits() const { return impl_->traits; }
const std::string& ShadowSpace::boot_id() const { return impl_->boot_id; }

Status ShadowSpace::Lock() { return OkStatus(); }

Result<std::unique_ptr<Region>> ShadowSpace::Create(const std::string& name, std::uint64_t bytes,
                                                    RegionUse use) {
  CIREIN_RETURN_IF_ERROR(CheckRegionName(name));
  const std::lock_guard lock(impl_->mutex);
  if (impl_->files.contains(name)) {
    return AlreadyExists(fmt::format("there is a region '{}' already", EscapeForPeople(name)),
                         "choose another name, or remove what is there");
  }
  const std::uint64_t used = impl_->NamedBytes();
  if (used > impl_->limit_bytes || bytes > impl_->limit_bytes - used) {
    return ResourceExhausted(
        fmt::format("cannot allocate {} bytes for region '{}': {} of {} bytes are used", bytes,
                    EscapeForPeople(name), used, impl_->limit_bytes),
        "ask for less, or free space");
  }
  return std::unique_ptr<Region>(
      new ShadowRegion(name, impl_, impl_->MakeFile(name, bytes, use), use, Access::kReadWrite));
}

Result<std::unique_ptr<Region>> ShadowSpace::Open(const std::string& name, RegionUse use,
                                                  Access access) {
  CIREIN_RETURN_IF_ERROR(CheckRegionName(name));
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->files.find(name);
  if (found == impl_->files.end()) return NoSuchRegion(name);
  if (access == Access::kReadWrite) {
    impl_->history.SetUnit(found->second->number, impl_->UnitBytes(use));
  }
  return std::unique_ptr<Region>(new ShadowRegion(name, impl_, found->second, use, access));
}

Status ShadowSpace::Remove(const std::string& name) {
  CIREIN_RETURN_IF_ERROR(CheckRegionName(name));
  const std::lock_guard lock(impl_->mutex);
  if (impl_->files.erase(name) == 0) return NoSuchRegion(name);
  impl_->history.Removed(name);
  return OkStatus();
}

Status ShadowSpace::PersistNames(PersistSite site) {
  const std::lock_guard lock(impl_->mutex);
  CIREIN_RETURN_IF_ERROR(impl_->persist_failure.WithContext("names"));
  if (impl_->CountPersist(site)) impl_->history.NamesPersisted();
  return OkStatus();
}

Result<std::vector<RegionSpace::Entry>> ShadowSpace::List() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<Entry> entries;
  for (const auto& [name, file] : impl_->files) entries.push_back({name, file->size});
  return entries;
}

std::uint64_t ShadowSpace::events() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->history.events();
}

void ShadowSpace::DropPersists(std::optional<PersistSite> site) {
  const std::lock_guard lock(impl_->mutex);
  impl_->dropped = site;
}

std::uint64_t ShadowSpace::persists(PersistSite site) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->persists.at(static_cast<std::size_t>(site));
}

void ShadowSpace::FailWrites(Status status) {
  const std::lock_guard lock(impl_->mutex);
  impl_->write_failure = std::move(status);
}

void ShadowSpace::FailPersists(Status status) {
  const std::lock_guard lock(impl_->mutex);
  impl_->persist_failure = std::move(status);
}

void ShadowSpace::LimitBytes(std::uint64_t bytes) {
  const std::lock_guard lock(impl_->mutex);
  impl_->limit_bytes = bytes;
}

SpaceImage ShadowSpace::ProcessCrash(std::uint64_t point, std::uint64_t of_next_bytes) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->history.AllStored(point, of_next_bytes);
}

SpaceImage ShadowSpace::PowerCut(std::uint64_t point, Random& random,
                                 std::uint32_t keep_one_in) const {
  return PowerCut(point, [&random, keep_one_in](std::uint64_t states) -> std::uint64_t {
    if (keep_one_in == 0) return 0;
    if (keep_one_in == 1) return states - 1;
    return random.OneIn(keep_one_in) ? 1 + random.Below(states - 1) : 0;
  });
}

SpaceImage ShadowSpace::PowerCut(std::uint64_t point, const ChooseState& choose) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->history.Chosen(point, choose);
}

std::uint64_t ShadowSpace::UnpersistedUnits(std::uint64_t point) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->history.UnpersistedUnits(point);
}

ChooseState ImageOdometer::Choices() {
  used_ = 0;
  return [this](std::uint64_t states) {
    if (used_ == figures_.size()) figures_.emplace_back();
    figures_[used_].states = states;
    return figures_[used_++].value;
  };
}

bool ImageOdometer::Next() {
  // Choices made later depend on those made earlier, so the last figure turns first, and those that
  // the last image did not come to are none.
  figures_.resize(used_);
  while (!figures_.empty()) {
    if (++figures_.back().value < figures_.back().states) return true;
    figures_.pop_back();
  }
  return false;
}

}  // namespace cirein
