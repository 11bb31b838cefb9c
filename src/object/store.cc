// SPDX-License-Identifier: Apache-2.0
#include "object/store.h"

#include <algorithm>
#include <utility>

#include "object/finished.h"

namespace cirein {

Store::Store(std::unique_ptr<Engine> engine, const Clock& clock)
    : engine_(std::move(engine)), clock_(clock) {}

Status Store::RefuseIfClosed() const {
  if (engine_ != nullptr) return OkStatus();
  return LibraryFinished();
}

ObjectInfo Store::InfoOf(const StoredObject& stored) const {
  ObjectInfo info{.meta_bytes = stored.meta_bytes,
                  .data_bytes = stored.data_bytes,
                  .version = stored.version,
                  .availability = engine_->where(),
                  .ttl = std::nullopt};
  if (stored.expires != kEndOfTime) {
    info.ttl = std::max(stored.expires - clock_.Now(), TimePoint::zero());
  }
  return info;
}

bool Store::Sweep(std::size_t max_rows, Effects& effects) {
  leases_.Purge(clock_.Now());
  const bool more = engine_ != nullptr && engine_->Sweep(max_rows, effects.garbage);
  return more || !leases_.purged();
}

std::unique_ptr<Engine> Store::Close(std::vector<std::shared_ptr<Waiter>>& waiters) {
  waiters_.CollectAll(waiters);
  return std::move(engine_);
}

Store::Stats& Store::Stats::operator+=(const Stats& other) {
  publishes += other.publishes;
  refused += other.refused;
  hits += other.hits;
  misses += other.misses;
  answered += other.answered;
  dropped += other.dropped;
  infos += other.infos;
  row_infos += other.row_infos;
  list_pages += other.list_pages;
  changes += other.changes;
  computes += other.computes;
  waiting += other.waiting;
  lent += other.lent;
  engine.rows += other.engine.rows;
  engine.objects += other.engine.objects;
  engine.used_bytes += other.engine.used_bytes;
  engine.value_hits += other.engine.value_hits;
  engine.own_writes += other.engine.own_writes;
  engine.shortcut_hits += other.engine.shortcut_hits;
  engine.misses += other.engine.misses;
  return *this;
}

Store::Stats Store::GetStats() const {
  Stats stats = stats_;
  stats.waiting = waiters_.size();
  stats.lent = leases_.size();
  if (engine_ != nullptr) stats.engine = engine_->GetStats();
  return stats;
}

}  // namespace cirein
