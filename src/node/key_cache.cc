// SPDX-License-Identifier: Apache-2.0
#include "node/key_cache.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/hash.h"

namespace cirein::node {

namespace {

/// A place in the table, three quarters full, and what the allocator adds to a record.
constexpr std::uint64_t kRecordOverheadBytes = 23 + 16;
/// A view's bytes are the pool's, but a mapping costs the system about this much.
constexpr std::uint64_t kViewBytes = 16 * 1024;
/// Records judged in one call beyond what makes up for what was added.
constexpr std::uint64_t kJudgedAtOnce = 64;
constexpr std::uint64_t kSmallRecordBytes = 64;
/// Of a key that may be asked for so much is brought near ahead of time.
constexpr std::size_t kPrefetchedKeyBytes = 24;
constexpr std::size_t kLineBytes = 64;
/// Tells the column's part of a key from the row's.
constexpr std::uint64_t kColumnSeed = 0x9E37'79B9'7F4A'7C15;

std::uint64_t ValueBytes(const DataObject& value) {
  if (value.is_null()) return 0;
  return value.kind() == DataObject::Kind::kView ? kViewBytes : value.memory_bytes();
}

}  // namespace

KeyCache::KeyCache(std::uint64_t budget_bytes, std::uint32_t slots,
                   std::unique_ptr<CachePolicy> policy)
    : budget_bytes_(budget_bytes), slot_count_(slots), policy_(std::move(policy)) {}

KeyCache::~KeyCache() {
  for (const Place& place : records_) Free(place.record);
}

std::uint64_t KeyCache::HashOf(const KeyView& key) noexcept {
  if (!key.has_column) return key.row_hash;
  return Hash64(key.column, key.row_hash + kColumnSeed);
}

std::uint64_t KeyCache::HashOf(const CacheRecord& record) noexcept {
  KeyView key(Bucket(record.bucket), record.row());
  key.has_column = record.has_column;
  if (key.has_column) key.column = record.column();
  return HashOf(key);
}

bool KeyCache::Is(const Place& place, const Sought& sought) {
  if (place.hash != sought.hash) return false;
  if (sought.key == nullptr) return true;
  const CacheRecord& record = *place.record;
  const KeyView& key = *sought.key;
  return record.bucket == key.bucket.id() && record.has_column == key.has_column &&
         record.row() == key.row && (!key.has_column || record.column() == key.column);
}

CacheRecord* KeyCache::Find(const KeyView& key, std::uint64_t hash) const {
  const Sought sought{&key, hash};
  Place& recent = RecentOf(hash);
  if (recent.record != nullptr && Is(recent, sought)) return recent.record;
  const auto found = records_.find(sought);
  if (found == records_.end()) return nullptr;
  recent = *found;
  return recent.record;
}

void KeyCache::PrefetchRecord(std::uint64_t hash) const {
  const auto found = records_.find(Sought{nullptr, hash});
  if (found == records_.end()) return;
  const char* const record = reinterpret_cast<const char*>(found->record);
  for (std::size_t at = 0; at < sizeof(CacheRecord) + kPrefetchedKeyBytes; at += kLineBytes) {
    __builtin_prefetch(record + at);
  }
}

void KeyCache::PrefetchValue(std::uint64_t hash) const {
  const auto found = records_.find(Sought{nullptr, hash});
  if (found != records_.end() && !found->record->value.is_null()) found->record->value.Prefetch();
}

CacheRecord* KeyCache::Make(const Sought& sought, std::uint16_t slot) {
  const KeyView& key = *sought.key;
  const std::size_t column_bytes = key.has_column ? key.column.size() : 0;
  void* memory = ::operator new(sizeof(CacheRecord) + key.row.size() + column_bytes);
  auto* record = new (memory) CacheRecord;
  record->bucket = key.bucket.id();
  record->row_bytes = static_cast<std::uint16_t>(key.row.size());
  record->column_bytes = static_cast<std::uint16_t>(column_bytes);
  record->has_column = key.has_column;
  record->slot = slot;
  if (!key.row.empty()) std::memcpy(record->name(), key.row.data(), key.row.size());
  if (column_bytes != 0) {
    std::memcpy(record->name() + key.row.size(), key.column.data(), column_bytes);
  }
  return record;
}

CacheRecord* KeyCache::FindOrMake(const KeyView& key, std::uint64_t hash, std::uint16_t slot) {
  const Sought sought{&key, hash};
  Place& recent = RecentOf(hash);
  if (recent.record != nullptr && Is(recent, sought)) return recent.record;
  CacheRecord* made = nullptr;
  const auto found = records_.lazy_emplace(sought, [&](const auto& construct) {
    made = Make(sought, slot);
    construct(Place{hash, made});
  });
  recent = *found;
  if (made == nullptr) return recent.record;
  // Behind the hand: judged last in this round.
  if (hand_ == nullptr) {
    hand_ = made->round_next = made->round_previous = made;
  } else {
    made->round_next = hand_;
    made->round_previous = hand_->round_previous;
    made->round_previous->round_next = made;
    hand_->round_previous = made;
  }
  used_bytes_ += BytesOf(*made);
  added_bytes_ += BytesOf(*made);
  return made;
}

std::uint64_t KeyCache::BytesOf(const CacheRecord& record) {
  return sizeof(CacheRecord) + record.row_bytes + record.column_bytes + kRecordOverheadBytes +
         ValueBytes(record.value);
}

bool KeyCache::Admits(const DataObject& object) const {
  return policy_->Admits(ValueBytes(object));
}

void KeyCache::SetValue(CacheRecord* record, DataObject value, Garbage& garbage) {
  used_bytes_ -= ValueBytes(record->value);
  if (!record->value.is_null()) garbage.push_back(std::move(record->value));
  record->value = std::move(value);
  used_bytes_ += ValueBytes(record->value);
  added_bytes_ += ValueBytes(record->value);
}

void KeyCache::Unlink(CacheRecord* record) {
  if (record->slot_next != nullptr) record->slot_next->slot_previous = record->slot_previous;
  if (record->slot_previous != nullptr) {
    record->slot_previous->slot_next = record->slot_next;
  } else {
    WritesOf(record->slot).first = record->slot_next;
  }
  record->slot_next = record->slot_previous = nullptr;
  record->linked = false;
}

CacheRecord* KeyCache::Unmerged(CacheRecord* record) {
  while (record != nullptr && !IsUnmerged(*record)) {
    CacheRecord* const next = record->slot_next;
    Unlink(record);
    record = next;
  }
  return record;
}

CacheRecord* KeyCache::FirstUnmerged(std::uint16_t slot) {
  return slots_.empty() ? nullptr : Unmerged(WritesOf(slot).first);
}

void KeyCache::SetUnmerged(CacheRecord* record, std::uint64_t ordinal) {
  record->ordinal = ordinal;
  if (record->gone || record->passing) unmerged_writes_.push_back({record, ordinal});
  if (slots_.empty()) slots_.resize(slot_count_);
  SlotWrites& writes = WritesOf(record->slot);
  writes.last_ordinal = ordinal;
  if (record->linked) return;
  record->linked = true;
  CacheRecord*& first = writes.first;
  record->slot_next = first;
  if (first != nullptr) first->slot_previous = record;
  first = record;
}

void KeyCache::Merged(std::uint64_t ordinal, std::size_t max_writes, Garbage& garbage) {
  for (std::size_t i = 0; !unmerged_writes_.empty(); ++i) {
    const UnmergedWrite oldest = unmerged_writes_.front();
    if (oldest.ordinal > ordinal) break;
    merged_ = oldest.ordinal - 1;
    if (i == max_writes) return;
    unmerged_writes_.pop_front();
    CacheRecord* const record = oldest.record;
    if (record->ordinal != oldest.ordinal) continue;  // Overwritten: a later one counts.
    if (record->gone && !record->counts_columns()) {
      Erase(record, garbage);  // The index says so from now on.
    } else if (record->passing) {
      record->passing = false;
      SetValue(record, DataObject(), garbage);
    }
  }
  merged_ = ordinal;
}

void KeyCache::Erase(CacheRecord* record, Garbage& garbage) {
  used_bytes_ -= BytesOf(*record);
  if (!record->value.is_null()) garbage.push_back(std::move(record->value));
  if (record->linked) Unlink(record);
  const std::uint64_t hash = HashOf(*record);
  records_.erase(Place{hash, record});
  if (RecentOf(hash).record == record) RecentOf(hash) = {};
  if (record->round_next == record) {
    hand_ = sweep_ = nullptr;
  } else {
    if (hand_ == record) hand_ = record->round_next;
    if (sweep_ == record) sweep_ = record->round_next;
    record->round_next->round_previous = record->round_previous;
    record->round_previous->round_next = record->round_next;
  }
  Free(record);
}

void KeyCache::DropExpired(const std::function<bool(const CacheRecord&)>& expired,
                           std::size_t max_records, Garbage& garbage) {
  if (sweep_ == nullptr) sweep_ = hand_;
  max_records = std::min(max_records, records_.size());
  for (std::size_t i = 0; i < max_records; ++i, sweep_ = sweep_->round_next) {
    if (!sweep_->value.is_null() && expired(*sweep_)) SetValue(sweep_, DataObject(), garbage);
  }
}

void KeyCache::Free(CacheRecord* record) {
  record->~CacheRecord();
  ::operator delete(record);
}

void KeyCache::Shrink(std::uint64_t kept, Garbage& garbage) {
  const std::uint64_t before = used_bytes_;
  const std::uint64_t added = std::exchange(added_bytes_, 0);
  // As many as are worth what was added, if each were small; what must stay ends no search.
  const std::uint64_t most = kJudgedAtOnce + added / kSmallRecordBytes;
  for (std::uint64_t i = 0; i < most && used_bytes_ > budget_bytes_ && hand_ != nullptr; ++i) {
    if (i >= kJudgedAtOnce && before - used_bytes_ >= added) break;
    CacheRecord* const record = hand_;
    hand_ = record->round_next;
    const CachePolicy::Use use{record->used, !record->value.is_null(), ValueBytes(record->value)};
    record->used = false;
    const CachePolicy::Verdict verdict = policy_->Judge(use);
    if (verdict == CachePolicy::Verdict::kKeep || record->ordinal > kept) continue;
    if (verdict == CachePolicy::Verdict::kDropRecord && !IsUnmerged(*record)) {
      Erase(record, garbage);
    } else {
      SetValue(record, DataObject(), garbage);
    }
  }
}

}  // namespace cirein::node
