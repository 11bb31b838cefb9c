// SPDX-License-Identifier: Apache-2.0
#include "object/backed_bucket.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "object/finished.h"
#include "object/list_cursor.h"
#include "object/stripe_lock.h"

namespace cirein {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// Names that are taken from the store at once, to drop them.
constexpr std::size_t kNamesAtOnce = 1000;
constexpr std::size_t kMaxListedNameBytes = std::size_t{4} << 20;
// What a function gets to see of what had to be read for it.
constexpr std::uint64_t kMaxCollectedBytes = std::uint64_t{1} << 30;

bool IsMissing(const Status& status) { return status.code() == StatusCode::kNotFound; }

/// What of `pattern` there is in one of its rows.
Pattern InRow(const Pattern& pattern, std::string_view name) {
  const std::string row(name);
  Pattern in_row;
  switch (pattern.column_match()) {
    case Pattern::ColumnMatch::kNone:
      in_row = Key(row);
      break;
    case Pattern::ColumnMatch::kExact:
      in_row = Key(row, pattern.column());
      break;
    case Pattern::ColumnMatch::kPrefix:
      in_row = Pattern::ColumnPrefix(row, pattern.column());
      break;
    case Pattern::ColumnMatch::kAll:
      in_row = Pattern::Row(row);
      break;
  }
  return in_row.set_bucket(pattern.bucket());
}

std::string CursorAfter(const Key& key) {
  ListCursor cursor{.row = key.row(), .inside = true, .column = {}, .place = {}};
  if (key.has_column()) cursor.column = key.column();
  return cursor.ToString();
}

}  // namespace

/// A want that is parked in memory while the store is looked into, which may fail.
class BackedBucket::StoreWant {
 public:
  explicit StoreWant(WantCallback done) : done_(std::move(done)) {}

  /// By memory, once.
  void Answer(Result<NamedObject> named) {
    if (named.code() == StatusCode::kCancelled) {
      const std::lock_guard lock(mutex_);
      if (!failed_.ok()) named = failed_;
    }
    done_(std::move(named));
  }

  /// Unless it has been answered.
  void Fail(const Status& why, Operation parked) {
    {
      const std::lock_guard lock(mutex_);
      failed_ = why;
    }
    parked.Cancel();
  }

 private:
  const WantCallback done_;
  std::mutex mutex_;
  Status failed_;  // Guarded by mutex_.
};

template <typename Operate>
auto BackedBucket::InMemory(const KeyView& key, const Operate& operate) {
  StripedStore::Stripe& stripe = memory_.StripeFor(key);
  const std::unique_lock lock = LockSoon(stripe.mutex);
  return operate(stripe.store);
}

template <typename Operate>
auto BackedBucket::ChangeInMemory(const KeyView& key, Effects& effects, const Operate& operate) {
  for (;;) {
    auto result = InMemory(key, operate);
    if (effects.recall == nullptr) return result;
    memory_.AwaitRecall(effects);
  }
}

// Time.

std::uint64_t BackedBucket::ToWall(TimePoint expires) const {
  if (expires == kEndOfTime) return 0;
  const auto wall = clock_.WallNow() + (expires - clock_.Now());
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(std::chrono::duration_cast<milliseconds>(wall).count(), 1));
}

TimePoint BackedBucket::FromWall(std::uint64_t expiry_ms) const {
  constexpr std::uint64_t kLastMs = INT64_MAX / 1'000'000;
  if (expiry_ms == 0 || expiry_ms >= kLastMs) return kEndOfTime;
  return clock_.Now() + (nanoseconds(milliseconds(expiry_ms)) - nanoseconds(clock_.WallNow()));
}

bool BackedBucket::Expired(std::uint64_t expiry_ms) const {
  return expiry_ms != 0 && FromWall(expiry_ms) <= clock_.Now();
}

ObjectInfo BackedBucket::InfoOf(const BackedFacts& facts) const {
  ObjectInfo info{.meta_bytes = facts.meta_bytes,
                  .data_bytes = facts.data_bytes,
                  .version = facts.version,
                  .availability = Availability::kDisk,
                  .ttl = std::nullopt};
  if (facts.expiry_ms != 0) info.ttl = FromWall(facts.expiry_ms) - clock_.Now();
  return info;
}

// The store.

Status BackedBucket::Submit(std::function<void()> work) {
  // What is behind the bucket stays until the work is done: memory keeps this.
  return executor_.Submit(
      [memory = memory_.shared_from_this(), work = std::move(work)] { work(); });
}

void BackedBucket::Close() {
  std::shared_ptr<BackingStore> closed;
  const std::lock_guard lock(mutex_);
  closed.swap(backing_);
}

Result<std::shared_ptr<BackingStore>> BackedBucket::backing() const {
  const std::lock_guard lock(mutex_);
  if (backing_ == nullptr) return LibraryFinished();
  return backing_;
}

// Publish.

Status BackedBucket::Allow(BackingStore& backing, const KeyView& key, const PutRequest& request) {
  if (request.mode == PutMode::kOverwrite) return OkStatus();
  PutOutcome present{.code = PutOutcome::Code::kStored, .version = {}};
  StoredObject stored;
  CIREIN_ASSIGN_OR_RETURN(const bool in_memory, InMemory(key, [&](Store& store) {
                            return store.Look(key, Load::kSizes, stored);
                          }));
  bool there = in_memory;
  present.version = stored.version;
  if (!in_memory) {
    const Result<BackedFacts> facts = backing.Look(InBucket(key));
    if (!facts.ok() && !IsMissing(facts.status())) return facts.status();
    there = facts.ok() && !Expired(facts->expiry_ms);
    present.version = there ? facts->version : Version{};
  }
  if (request.mode == PutMode::kWriteOnce && there) present.code = PutOutcome::Code::kExists;
  if (request.mode == PutMode::kIfVersion && request.if_version != present.version) {
    present.code = PutOutcome::Code::kVersionDiffers;
  }
  if (present.code == PutOutcome::Code::kStored) return OkStatus();
  return Refusal(key, request, present);
}

Status BackedBucket::WriteBacked(BackingStore& backing, std::span<const PutItem> items,
                                 Effects& effects) {
  std::vector<BackedItem> written;
  written.reserve(items.size());
  for (const PutItem& item : items) {
    const PutRequest& request = item.request;
    written.push_back(
        {InBucket(item.key), {request.object, request.version, ToWall(request.expires)}});
  }
  Status status = backing.Write(written);
  // The handles here must not be the last ones under a lock.
  for (BackedItem& item : written) effects.garbage.push_back(std::move(item.value.object));
  if (status.ok()) return status;
  // The store may have the new one or the old one. If it has any, that is the object now.
  for (const PutItem& item : items) {
    if (!backing.Look(InBucket(item.key)).ok()) continue;
    (void)ChangeInMemory(item.key, effects, [&](Store& store) {
      return store.Drop(item.key, item.key.ToKey(), effects);
    });
  }
  return status.WithContext(fmt::format("store {}", name_));
}

Result<std::vector<ObjectInfo>> BackedBucket::PutInMemory(std::span<PutItem> items,
                                                          Effects& effects) {
  const auto put = [&](Store& store) -> Result<std::vector<ObjectInfo>> {
    const auto leave_out = [&]() -> Status {
      for (PutItem& item : items) {
        CIREIN_RETURN_IF_ERROR(store.Drop(item.key, item.key.ToKey(), effects).status());
        item.request.store = false;
      }
      return OkStatus();
    };
    const PutRequest& request = items[0].request;
    // An older one must not stay.
    if (request.to_backing && !request.store) CIREIN_RETURN_IF_ERROR(leave_out());
    Result<std::vector<ObjectInfo>> infos = store.PublishGroup(items, effects);
    if (infos.code() == StatusCode::kResourceExhausted && request.to_backing) {
      // In the store it is; memory has no room for it.
      CIREIN_RETURN_IF_ERROR(leave_out());
      infos = store.PublishGroup(items, effects);
    }
    if (infos.ok() && request.to_backing && !request.store) {
      for (ObjectInfo& info : *infos) info.availability = Availability::kDisk;
    }
    return infos;
  };
  return ChangeInMemory(items[0].key, effects, put);
}

Result<std::vector<ObjectInfo>> BackedBucket::Put(std::span<PutItem> items, Effects& effects) {
  CIREIN_ASSIGN_OR_RETURN(const std::shared_ptr<BackingStore> backing, this->backing());
  for (PutItem& item : items) {
    if (item.request.keep != 0) {
      return InvalidArgument("a row cannot be kept short where there is a store behind it",
                             "leave out keep= in the pool's URL, or the store");
    }
    CIREIN_RETURN_IF_ERROR(Allow(*backing, item.key, item.request));
    item.request.mode = PutMode::kOverwrite;
  }
  if (items[0].request.to_backing) {
    // The store is told the versions that memory will give.
    std::vector<PutItem> question;
    for (const PutItem& item : items) question.push_back({item.key, {}});
    CIREIN_ASSIGN_OR_RETURN(
        const std::vector<Version> versions,
        InMemory(items[0].key, [&](Store& store) { return store.Reserve(question); }));
    for (std::size_t i = 0; i < items.size(); ++i) items[i].request.version = versions[i];
    CIREIN_RETURN_IF_ERROR(WriteBacked(*backing, items, effects));
  }
  return PutInMemory(items, effects);
}

Result<std::vector<ObjectInfo>> BackedBucket::PutItems(std::span<PutItem> items) {
  Effects effects;  // Freed on return, with no lock held.
  Result<std::vector<ObjectInfo>> infos = [&] {
    const std::lock_guard lock(RowLock(items[0].key));
    return Put(items, effects);
  }();
  StripedStore::Answer(effects, OkStatus());
  const bool expires = std::any_of(items.begin(), items.end(), [](const PutItem& item) {
    return item.request.expires != kEndOfTime;
  });
  if (expires && infos.ok()) memory_.ArmSweep();
  return infos;
}

Result<ObjectInfo> BackedBucket::Publish(const KeyView& key, PutRequest&& request) {
  PutItem item{key, std::move(request)};
  CIREIN_ASSIGN_OR_RETURN(std::vector<ObjectInfo> infos, PutItems(std::span(&item, 1)));
  return infos.front();
}

void BackedBucket::Publish(const KeyView& key, PutRequest&& request, const PublishCallback& done) {
  const auto held = std::make_shared<PutRequest>(std::move(request));
  const Status submitted = Submit([this, key = InBucket(key), held, done] {
    done(Publish(KeyView(bucket_, key), std::move(*held)));
  });
  if (!submitted.ok()) done(submitted);
}

void BackedBucket::PublishGroup(std::vector<PutItem> items, const GroupCallback& done) {
  struct Group {
    std::vector<Key> keys;  // What the items see.
    std::vector<PutItem> items;
  };
  const auto group = std::make_shared<Group>();
  group->keys.reserve(items.size());
  for (PutItem& item : items) {
    group->keys.push_back(InBucket(item.key));
    group->items.push_back({KeyView(bucket_, group->keys.back()), std::move(item.request)});
  }
  const Status submitted = Submit([this, group, done] { done(PutItems(group->items)); });
  if (!submitted.ok()) done(submitted);
}

// Reading.

Result<std::optional<NamedObject>> BackedBucket::ReadIn(const KeyView& key) {
  Effects effects;  // Freed on return, with no lock held.
  Result<std::optional<NamedObject>> read = [&]() -> Result<std::optional<NamedObject>> {
    const std::lock_guard lock(RowLock(key));
    StoredObject stored;
    NamedObject named{key.ToKey(), {}, {}};
    CIREIN_ASSIGN_OR_RETURN(const bool in_memory, InMemory(key, [&](Store& store) {
                              Result<bool> hit = store.Look(key, Load::kObject, stored);
                              if (hit.ok() && *hit) named.info = store.InfoOf(stored);
                              return hit;
                            }));
    if (in_memory) {
      named.object = std::move(stored.object);
      return std::optional(std::move(named));
    }
    CIREIN_ASSIGN_OR_RETURN(const std::shared_ptr<BackingStore> backing, this->backing());
    Result<BackedObject> found = backing->Read(InBucket(key));
    if (IsMissing(found.status())) return std::optional<NamedObject>();
    if (!found.ok()) return found.status().WithContext(fmt::format("store {}", name_));
    if (Expired(found->expiry_ms)) {
      const Status removed = backing->Remove(InBucket(key));
      if (!removed.ok() && !IsMissing(removed)) return removed;
      return std::optional<NamedObject>();
    }
    const BackedFacts facts{found->object.meta_bytes(), found->object.data_bytes(), found->version,
                            found->expiry_ms};
    named.object = found->object;
    PutItem item{key, {}};
    item.request.object = std::move(found->object);
    item.request.mode = PutMode::kOverwrite;
    item.request.version = found->version;
    item.request.expires = FromWall(found->expiry_ms);
    item.request.store = read_stays_;
    item.request.to_backing = true;  // It is.
    CIREIN_ASSIGN_OR_RETURN(const auto infos, PutInMemory(std::span(&item, 1), effects));
    named.info = item.request.store ? infos.front() : InfoOf(facts);
    return std::optional(std::move(named));
  }();
  StripedStore::Answer(effects, OkStatus());
  if (read.ok() && *read && (*read)->info.ttl) memory_.ArmSweep();
  return read;
}

Result<DataObject> BackedBucket::Get(const KeyView& key) {
  CIREIN_ASSIGN_OR_RETURN(std::optional<NamedObject> read, ReadIn(key));
  return read ? std::move(read->object) : DataObject();
}

Operation BackedBucket::Want(const Pattern& pattern, TimePoint end, WantCallback done) {
  const auto want = std::make_shared<StoreWant>(std::move(done));
  Operation parked = memory_.WantHere(
      pattern, end, [want](Result<NamedObject> named) { want->Answer(std::move(named)); });
  if (parked.done()) return parked;
  const Status submitted = Submit([this, pattern, want, parked] {
    const Status looked = LookFor(pattern, parked);
    if (!looked.ok()) want->Fail(looked, parked);
  });
  if (!submitted.ok()) want->Fail(submitted, parked);
  return parked;
}

Status BackedBucket::LookFor(const Pattern& pattern, const Operation& parked) {
  if (pattern.is_exact()) {
    const Key key = pattern.key();
    return ReadIn(KeyView(bucket_, key)).status();
  }
  CIREIN_ASSIGN_OR_RETURN(const std::shared_ptr<BackingStore> backing, this->backing());
  std::optional<Key> after;
  while (!parked.done()) {
    std::optional<Key> found;
    CIREIN_RETURN_IF_ERROR(
        backing->List(pattern, after, [&](const Key& key, const BackedFacts& facts) {
          if (Expired(facts.expiry_ms)) return true;
          found = key;
          return false;
        }));
    if (!found) return OkStatus();
    CIREIN_RETURN_IF_ERROR(ReadIn(KeyView(bucket_, *found)).status());
    after = std::move(found);  // If it was dropped meanwhile.
  }
  return OkStatus();
}

Result<ObjectInfo> BackedBucket::Info(const KeyView& key) {
  Result<ObjectInfo> in_memory = memory_.InfoHere(key);
  if (in_memory.ok() || !IsMissing(in_memory.status())) return in_memory;
  CIREIN_ASSIGN_OR_RETURN(const std::shared_ptr<BackingStore> backing, this->backing());
  const Result<BackedFacts> facts = backing->Look(InBucket(key));
  if (!facts.ok()) return IsMissing(facts.status()) ? in_memory.status() : facts.status();
  if (Expired(facts->expiry_ms)) return in_memory;
  return InfoOf(*facts);
}

Result<RowInfo> BackedBucket::GetRowInfo(const KeyView& row) {
  struct Size {
    std::uint64_t bytes = 0;
    bool in_memory = false;
  };
  CIREIN_ASSIGN_OR_RETURN(const std::shared_ptr<BackingStore> backing, this->backing());
  const Pattern pattern = Pattern::Row(std::string(row.row)).set_bucket(bucket_);
  std::map<std::optional<std::string>, Size> sizes;
  const std::lock_guard lock(RowLock(row));
  const auto column_of = [](const Key& key) {
    return key.has_column() ? std::optional(key.column()) : std::nullopt;
  };
  CIREIN_RETURN_IF_ERROR(
      backing->List(pattern, std::nullopt, [&](const Key& key, const BackedFacts& facts) {
        if (!Expired(facts.expiry_ms)) {
          sizes[column_of(key)] = {facts.meta_bytes + facts.data_bytes, false};
        }
        return true;
      }));
  CIREIN_RETURN_IF_ERROR(InMemory(row, [&](Store& store) {
    return store.WalkRow(
        row, pattern, std::nullopt, Load::kSizes,
        [&](const KeyView& key, const StoredObject& stored) {
          sizes[column_of(key.ToKey())] = {stored.meta_bytes + stored.data_bytes, true};
          return true;
        });
  }));
  if (sizes.empty()) {
    return NotFound(fmt::format("there is nothing in row \"{}\"", row.ToKey().ToString()));
  }
  RowInfo info;
  std::size_t in_memory = 0;
  for (const auto& [column, size] : sizes) {
    if (column) ++info.columns;
    if (!column) info.has_object = true;
    info.user_bytes += size.bytes;
    if (size.in_memory) ++in_memory;
  }
  info.availability = in_memory == sizes.size() ? Availability::kLocalMemory
                      : in_memory == 0          ? Availability::kDisk
                                                : Availability::kMixed;
  return info;
}

Status BackedBucket::Collect(const Pattern& pattern, std::vector<NamedObject>* objects) {
  CIREIN_ASSIGN_OR_RETURN(const std::shared_ptr<BackingStore> backing, this->backing());
  std::vector<Key> names;
  CIREIN_RETURN_IF_ERROR(
      backing->List(pattern, std::nullopt, [&](const Key& key, const BackedFacts& facts) {
        if (!Expired(facts.expiry_ms)) names.push_back(key);
        return true;
      }));
  std::vector<NamedObject> in_memory;
  CIREIN_RETURN_IF_ERROR(memory_.Collect(pattern, &in_memory));
  std::map<Key, NamedObject> all;
  for (NamedObject& named : in_memory) all.emplace(named.key, named);
  std::uint64_t read_bytes = 0;
  for (const Key& name : names) {
    const KeyView key(bucket_, name);
    if (all.contains(key.ToKey())) continue;
    CIREIN_ASSIGN_OR_RETURN(std::optional<NamedObject> read, ReadIn(key));
    if (!read) continue;  // Dropped meanwhile.
    read_bytes += read->object.memory_bytes();
    if (read_bytes > kMaxCollectedBytes) {
      return ResourceExhausted(fmt::format("more than {} bytes must be read for \"{}\"",
                                           kMaxCollectedBytes, pattern.ToString()),
                               "compute over a column prefix at a time");
    }
    all.emplace(read->key, std::move(*read));
  }
  for (auto& [key, named] : all) objects->push_back(std::move(named));
  return OkStatus();
}

// Drop.

Result<std::uint64_t> BackedBucket::DropRow(BackingStore& backing, const KeyView& row,
                                            const Pattern& pattern, Effects& effects) {
  std::vector<Key> names;
  if (pattern.is_exact()) {
    names.push_back(pattern.key().set_bucket(bucket_));  // Also one that is damaged.
  } else {
    CIREIN_RETURN_IF_ERROR(
        backing.List(pattern, std::nullopt, [&](const Key& key, const BackedFacts& /*facts*/) {
          names.push_back(key);
          return true;
        }));
  }
  std::uint64_t dropped = 0;
  for (const Key& name : names) {
    const Result<BackedFacts> facts = backing.Look(name);
    const Status removed = backing.Remove(name);
    const bool was_there = facts.ok() ? !Expired(facts->expiry_ms) : !IsMissing(facts.status());
    const bool counts = removed.ok() && was_there;
    if (!removed.ok() && !IsMissing(removed)) {
      return removed.WithContext(fmt::format("{} objects were dropped", dropped));
    }
    CIREIN_ASSIGN_OR_RETURN(const std::uint64_t in_memory,
                            ChangeInMemory(row, effects, [&](Store& store) {
                              return store.Drop(row, InRow(Pattern(name), name.row()), effects);
                            }));
    if (counts || in_memory != 0) ++dropped;
  }
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t alone,
                          ChangeInMemory(row, effects, [&](Store& store) {
                            return store.Drop(row, pattern, effects);
                          }));
  return dropped + alone;
}

Result<std::uint64_t> BackedBucket::DropWholeRow(const KeyView& row, const Pattern& pattern) {
  CIREIN_ASSIGN_OR_RETURN(const std::shared_ptr<BackingStore> backing, this->backing());
  Effects effects;  // Freed on return, with no lock held.
  const std::lock_guard lock(RowLock(row));
  return DropRow(*backing, row, InRow(pattern, row.row), effects);
}

Result<std::uint64_t> BackedBucket::Drop(const Pattern& pattern, TimePoint end) {
  std::uint64_t dropped = 0;
  const auto drop_row = [&](const KeyView& row) -> Status {
    if (end != kEndOfTime && clock_.Now() >= end) {
      return DeadlineExceeded(
          fmt::format("dropping \"{}\" took too long: {} objects are gone, others may not be",
                      pattern.ToString(), dropped),
          "drop again to go on, or give a later deadline");
    }
    CIREIN_ASSIGN_OR_RETURN(const std::uint64_t count, DropWholeRow(row, pattern));
    dropped += count;
    return OkStatus();
  };
  if (!pattern.row_is_prefix()) {
    CIREIN_RETURN_IF_ERROR(drop_row(KeyView(bucket_, pattern.row())));
    return dropped;
  }
  CIREIN_ASSIGN_OR_RETURN(const std::shared_ptr<BackingStore> backing, this->backing());
  std::optional<Key> after;
  for (bool more = true; more;) {
    std::vector<Key> names;
    CIREIN_RETURN_IF_ERROR(
        backing->List(pattern, after, [&](const Key& key, const BackedFacts& /*facts*/) {
          names.push_back(key);
          return names.size() < kNamesAtOnce;
        }));
    more = names.size() == kNamesAtOnce;
    for (const Key& name : names) {
      // The first of a row drops all of it.
      if (!after || after->row() != name.row()) {
        CIREIN_RETURN_IF_ERROR(drop_row(KeyView(bucket_, name.row())));
      }
      after = name;
    }
  }
  Status status;
  const auto walked =
      memory_.EachRow(pattern, {}, SIZE_MAX, kEndOfTime, [&](const Engine::RowName& row) {
        status = drop_row(KeyView(row.bucket, row.name));
        return status.ok();
      });
  CIREIN_RETURN_IF_ERROR(walked.status());
  CIREIN_RETURN_IF_ERROR(status);
  return dropped;
}

void BackedBucket::Drop(const Pattern& pattern, TimePoint end, const DropCallback& done) {
  const Status submitted = Submit([this, pattern, end, done] { done(Drop(pattern, end)); });
  if (!submitted.ok()) done(submitted);
}

// List. A cursor is "b:" or "m:" (of what the store has, or of what memory alone has), and where
// the listing stands there.

Result<ListPage> BackedBucket::ListBacked(const Pattern& pattern, const ListOptions& options,
                                          std::string_view cursor) {
  std::optional<Key> after;
  if (!cursor.empty()) {
    CIREIN_ASSIGN_OR_RETURN(ListCursor place, ListCursor::Parse(cursor));
    if (!place.inside) return InvalidArgument("the cursor belongs to another listing");
    after = place.column ? Key(std::move(place.row), std::move(*place.column))
                         : Key(std::move(place.row));
    after->set_bucket(bucket_);
  }
  CIREIN_ASSIGN_OR_RETURN(const std::shared_ptr<BackingStore> backing, this->backing());
  ListPage page;
  std::size_t name_bytes = 0;
  bool full = false;
  CIREIN_RETURN_IF_ERROR(
      backing->List(pattern, after, [&](const Key& key, const BackedFacts& facts) {
        full = page.objects.size() >= options.page_size || name_bytes >= kMaxListedNameBytes;
        if (full) return false;
        if (Expired(facts.expiry_ms)) return true;
        Key name = key;
        page.objects.push_back(
            {name.set_bucket({}), facts.meta_bytes, facts.data_bytes, facts.version});
        name_bytes += key.row().size() + key.column().size();
        return true;
      }));
  page.next = full ? "b:" + CursorAfter(page.objects.back().key) : "m:";
  // What memory has is what a reader gets.
  for (ListedObject& object : page.objects) {
    const Result<ObjectInfo> info = memory_.InfoHere(KeyView(bucket_, object.key));
    if (!info.ok()) continue;
    object.meta_bytes = info->meta_bytes;
    object.data_bytes = info->data_bytes;
    object.version = info->version;
  }
  return page;
}

Result<ListPage> BackedBucket::List(const Pattern& pattern, const ListOptions& options) {
  const std::string_view cursor = options.cursor;
  if (cursor.empty()) return ListBacked(pattern, options, cursor);
  if (cursor.starts_with("b:")) return ListBacked(pattern, options, cursor.substr(2));
  if (!cursor.starts_with("m:")) {
    return InvalidArgument("the cursor belongs to another listing",
                           "give the `next` of a page of this listing");
  }
  CIREIN_ASSIGN_OR_RETURN(const std::shared_ptr<BackingStore> backing, this->backing());
  ListOptions asked = options;
  asked.cursor = std::string(cursor.substr(2));
  CIREIN_ASSIGN_OR_RETURN(ListPage page, memory_.ListHere(pattern, asked));
  Status status;
  std::erase_if(page.objects, [&](const ListedObject& object) {
    const Status looked = backing->Look(InBucket(KeyView(bucket_, object.key))).status();
    if (!looked.ok() && !IsMissing(looked)) status = looked;
    return looked.ok();
  });
  CIREIN_RETURN_IF_ERROR(status);
  if (!page.next.empty()) page.next = "m:" + page.next;
  return page;
}

}  // namespace cirein
