// SPDX-License-Identifier: Apache-2.0
#include "dpm/extent_store.h"

#include <charconv>
#include <cstring>
#include <functional>
#include <utility>

#include <fmt/format.h>

namespace cirein::dpm {

namespace {

/// Numbers are given below the ceiling; so many are lost when a process ends.
constexpr std::uint64_t kCeilingStep = 1024;

std::uint64_t KeyBytes(const KeyView& key) {
  return AlignUp(key.row.size() + key.column.size(), 8);
}

std::uint64_t RegionBytes(std::uint64_t data_bytes, std::uint64_t key_bytes) {
  return AlignUp(data_bytes, 8) + AlignUp(key_bytes, 8) + sizeof(ExtentTrailer);
}

std::uint64_t TrailerChecksum(const ExtentTrailer& trailer, std::string_view row,
                              std::string_view column) {
  Checksummer sum(PlaceSeed(trailer.pool_id, Place::kExtentTrailer, trailer.number));
  sum.Update(std::as_bytes(std::span(row)));
  sum.Update(std::as_bytes(std::span(column)));
  sum.Update(std::as_bytes(std::span(&trailer, 1)).subspan(offsetof(ExtentTrailer, pool_id)));
  return sum.Digest();
}

std::vector<std::byte> MakeTail(const KeyView& key, ExtentTrailer trailer) {
  std::vector<std::byte> tail(KeyBytes(key) + sizeof trailer);
  trailer.checksum = TrailerChecksum(trailer, key.row, key.column);
  std::memcpy(tail.data(), key.row.data(), key.row.size());
  if (!key.column.empty()) {
    std::memcpy(tail.data() + key.row.size(), key.column.data(), key.column.size());
  }
  std::memcpy(tail.data() + tail.size() - sizeof trailer, &trailer, sizeof trailer);
  return tail;
}

}  // namespace

/// Who holds which extent. Shared with every view, which may outlive the store.
class ExtentStore::Views {
 public:
  /// Held until the result goes.
  static std::shared_ptr<void> Hold(const std::shared_ptr<Views>& views, std::uint64_t number) {
    {
      const std::lock_guard lock(views->mutex_);
      ++views->views_[number].count;
    }
    return {nullptr, [views, number](void*) { views->LetGo(number); }};
  }
  /// The extent of so many bytes is removed: whoever holds it keeps them.
  void Removed(std::uint64_t number, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto view = views_.find(number);
    if (view == views_.end()) return;
    view->second.pinned_bytes = bytes;
    pinned_bytes_ += bytes;
  }
  std::uint64_t pinned_bytes() const {
    const std::lock_guard lock(mutex_);
    return pinned_bytes_;
  }

 private:
  void LetGo(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    const auto view = views_.find(number);
    if (--view->second.count != 0) return;
    pinned_bytes_ -= view->second.pinned_bytes;
    views_.erase(view);
  }
  struct View {
    std::uint64_t count = 0;
    std::uint64_t pinned_bytes = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::uint64_t, View> views_;
  std::uint64_t pinned_bytes_ = 0;
};

ExtentStore::ExtentStore(RegionSpace& space, Control& control, std::function<Status()> await_room)
    : space_(space),
      control_(control),
      await_room_(std::move(await_room)),
      views_(std::make_shared<Views>()),
      next_(control.superblock().extent_ceiling) {}

std::string ExtentStore::Name(std::uint64_t number) {
  return fmt::format("{}{:016x}", kExtentPrefix, number);
}

Result<std::uint64_t> ExtentStore::NextNumber() {
  if (next_ >= control_.superblock().extent_ceiling) {
    const Status status = control_.UpdateSuperblock(
        [this](Superblock& superblock) { superblock.extent_ceiling = next_ + kCeilingStep; });
    if (!status.ok()) return status;
  }
  return next_++;
}

Status ExtentStore::CheckPinned() const {
  const std::uint64_t pinned = pinned_bytes();
  if (pinned < control_.superblock().extent_limit_bytes) return OkStatus();
  return ResourceExhausted(
      fmt::format("{} bytes of large objects that were replaced or dropped are still held", pinned),
      "let go of objects that were read before, or create a pool with more room for large objects");
}

std::uint64_t ExtentStore::pinned_bytes() const { return views_->pinned_bytes(); }

Result<std::uint64_t> ExtentStore::Reserve(std::uint64_t data_bytes, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t limit = control_.superblock().extent_limit_bytes;
  if (bytes > limit || used_bytes_ > limit - bytes) {
    return ResourceExhausted(
        fmt::format("a large object of {} bytes does not fit: {} of {} bytes for large objects are "
                    "in use",
                    data_bytes, used_bytes_, limit),
        "drop large objects, or create a pool with more room for them");
  }
  Result<std::uint64_t> number = NextNumber();
  if (!number.ok()) return number.status();
  sizes_[*number] = bytes;
  used_bytes_ += bytes;
  return number;
}

Result<std::unique_ptr<ExtentStore::Writer>> ExtentStore::Create(const KeyView& key,
                                                                 std::uint64_t data_bytes) {
  if (Status status = CheckPinned(); !status.ok()) return status;
  const std::uint64_t bytes = RegionBytes(data_bytes, KeyBytes(key));
  Result<std::uint64_t> reserved = Reserve(data_bytes, bytes);
  if (!reserved.ok() && reserved.status().code() == StatusCode::kResourceExhausted) {
    if (Status status = await_room_(); !status.ok()) return status;
    reserved = Reserve(data_bytes, bytes);
  }
  if (!reserved.ok()) return reserved.status();
  const std::uint64_t number = *reserved;
  std::unique_ptr<Writer> writer(new Writer(*this, number, data_bytes));
  ExtentTrailer trailer{};
  trailer.magic = kExtentMagic;
  trailer.pool_id = control_.pool_id();
  trailer.number = number;
  trailer.data_bytes = data_bytes;
  trailer.bucket = key.bucket.id();
  trailer.row_bytes = static_cast<std::uint16_t>(key.row.size());
  trailer.column_bytes = static_cast<std::uint16_t>(key.column.size());
  trailer.has_column = key.has_column ? 1 : 0;
  writer->tail_ = MakeTail(key, trailer);
  Result<std::unique_ptr<Region>> region = space_.Create(Name(number), bytes, RegionUse::kLog);
  if (region.status().code() == StatusCode::kResourceExhausted) {
    // The medium is full: the files of those that were dropped may still be there.
    if (Status status = await_room_(); !status.ok()) return status;
    region = space_.Create(Name(number), bytes, RegionUse::kLog);
  }
  if (!region.ok()) return region.status();
  writer->region_ = std::move(*region);
  return writer;
}

ExtentStore::Writer::~Writer() {
  if (finished_) return;
  const bool made = region_ != nullptr;
  region_.reset();
  // What cannot be removed now is removed at the next open: no entry names it.
  if (made) static_cast<void>(store_.space_.Remove(Name(number_)).ok());
  store_.Forget(number_);
}

Status ExtentStore::Writer::Append(ByteSpan bytes) {
  if (bytes.size() > data_bytes_ - written_) {
    return InvalidArgument("more bytes than the extent was made for");
  }
  if (Status status = region_->Write(written_, bytes); !status.ok()) return status;
  checksum_.Update(bytes);
  written_ += bytes.size();
  return OkStatus();
}

Status ExtentStore::Writer::Finish(std::uint64_t* checksum) {
  if (written_ != data_bytes_) return InvalidArgument("fewer bytes than the extent was made for");
  Status status = region_->Write(AlignUp(data_bytes_, 8), tail_);
  if (status.ok()) status = region_->Persist(0, region_->size(), PersistSite::kExtent);
  if (status.ok()) status = store_.space_.PersistNames(PersistSite::kExtentName);
  if (!status.ok()) return status;
  *checksum = checksum_.Digest();
  finished_ = true;
  return OkStatus();
}

bool ExtentStore::ReadTrailer(const Region& region, std::uint64_t number, Known* known) const {
  if (region.size() < sizeof(ExtentTrailer) || region.size() % 8 != 0) return false;
  const std::uint64_t end = region.size() - sizeof(ExtentTrailer);
  ExtentTrailer trailer;
  std::memcpy(&trailer, region.data() + end, sizeof trailer);
  if (trailer.magic != kExtentMagic || trailer.pool_id != control_.pool_id() ||
      trailer.number != number || trailer.data_bytes > DataObject::kMaxDataBytes) {
    return false;
  }
  const std::uint64_t key_bytes =
      std::uint64_t{trailer.row_bytes} + std::uint64_t{trailer.column_bytes};
  if (RegionBytes(trailer.data_bytes, key_bytes) != region.size()) return false;
  const auto* row =
      reinterpret_cast<const char*>(region.data()) + AlignUp(trailer.data_bytes, 8);  // NOLINT
  const std::string_view row_name(row, trailer.row_bytes);
  const std::string_view column(row + trailer.row_bytes, trailer.column_bytes);
  if (trailer.checksum != TrailerChecksum(trailer, row_name, column)) return false;
  known->number = number;
  known->data_bytes = trailer.data_bytes;
  known->key = KeyView(Bucket(trailer.bucket), row_name);
  known->key.has_column = trailer.has_column != 0;
  known->key.column = column;
  return true;
}

Result<ExtentStore::Data> ExtentStore::Open(std::uint64_t number, std::uint64_t data_bytes) const {
  // Before it is opened, so that a removal from then on knows of it.
  std::shared_ptr<void> held = Views::Hold(views_, number);
  Result<std::unique_ptr<Region>> region =
      space_.Open(Name(number), RegionUse::kLog, RegionSpace::Access::kReadOnly);
  if (!region.ok()) {
    if (region.status().code() != StatusCode::kNotFound) return region.status();
    return DataLoss(fmt::format("the file '{}' with a large object's data is missing in '{}'",
                                Name(number), space_.path()));
  }
  Known known{number, 0, KeyView(Bucket(), std::string_view())};
  if (!ReadTrailer(**region, number, &known) || known.data_bytes != data_bytes) {
    return DataLoss(
        fmt::format("the file '{}' in '{}' is not the large object of {} bytes that "
                    "the pool's log names",
                    Name(number), space_.path(), data_bytes));
  }
  Data data;
  data.region = std::shared_ptr<const Region>(
      region->release(), [held = std::move(held)](const Region* gone) { delete gone; });
  data.bytes = ByteSpan(data.region->data(), data_bytes);
  return data;
}

Status ExtentStore::Remove(std::uint64_t number) {
  Status status = space_.Remove(Name(number));
  if (!status.ok() && status.code() != StatusCode::kNotFound) return status;
  views_->Removed(number, SizeOf(number));
  Forget(number);
  return OkStatus();
}

std::uint64_t ExtentStore::SizeOf(std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const auto found = sizes_.find(number);
  return found == sizes_.end() ? 0 : found->second;
}

void ExtentStore::Forget(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  const auto found = sizes_.find(number);
  if (found == sizes_.end()) return;
  used_bytes_ -= found->second;
  sizes_.erase(found);
}

Result<std::vector<std::uint64_t>> ExtentStore::Numbers() const {
  const Result<std::vector<RegionSpace::Entry>> entries = space_.List();
  if (!entries.ok()) return entries.status();
  std::vector<std::uint64_t> numbers;
  for (const RegionSpace::Entry& entry : *entries) {
    const std::string_view prefix = kExtentPrefix;
    if (!entry.name.starts_with(prefix)) continue;
    std::uint64_t number = 0;
    const char* const end = entry.name.data() + entry.name.size();
    const auto parsed = std::from_chars(entry.name.data() + prefix.size(), end, number, 16);
    if (parsed.ec == std::errc() && parsed.ptr == end && Name(number) == entry.name) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

Status ExtentStore::Recover(const std::set<std::uint64_t>& named, Orphans orphans,
                            Findings* findings) {
  const Result<std::vector<std::uint64_t>> numbers = Numbers();
  if (!numbers.ok()) return numbers.status();
  for (const std::uint64_t number : *numbers) {
    const bool lives = named.contains(number);
    if (!lives && orphans == Orphans::kRemove && number < control_.superblock().extent_ceiling) {
      findings->push_back({Finding::Severity::kNote,
                           fmt::format("removed '{}', which no object needs", Name(number)),
                           {},
                           {}});
      if (Status status = space_.Remove(Name(number)); !status.ok()) return status;
      continue;
    }
    const Result<std::unique_ptr<Region>> region =
        space_.Open(Name(number), RegionUse::kLog, RegionSpace::Access::kReadOnly);
    if (!region.ok()) return region.status();
    const std::lock_guard lock(mutex_);
    sizes_[number] = (*region)->size();
    used_bytes_ += (*region)->size();
  }
  return OkStatus();
}

std::uint64_t ExtentStore::used_bytes() const {
  const std::lock_guard lock(mutex_);
  return used_bytes_;
}

std::uint64_t ExtentStore::count() const {
  const std::lock_guard lock(mutex_);
  return sizes_.size();
}

}  // namespace cirein::dpm
