// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include <fmt/format.h>

#include "object/store.h"

namespace cirein {

Result<RowState> Store::GetRowState(const KeyView& row) {
  CIREIN_RETURN_IF_ERROR(RefuseIfClosed());
  return engine_->GetRowState(row);
}

Result<bool> Store::Look(const KeyView& key, Load load, StoredObject& found) {
  CIREIN_RETURN_IF_ERROR(RefuseIfClosed());
  CIREIN_ASSIGN_OR_RETURN(const bool hit, engine_->Get(key, load, found));
  if (load == Load::kObject) ++(hit ? stats_.hits : stats_.misses);
  return hit;
}

// It could not be waited for inside of all these partitions.
Status Store::RefuseIfLent(std::span<Change* const> changes) const {
  if (leases_.empty()) return OkStatus();
  for (const Change* change : changes) {
    if (!leases_.IsLent(
            change->key, [](const auto&) { return true; }, clock_.Now()))
      continue;
    return FailedPrecondition(
        fmt::format("other processes hold copies of \"{}\"", change->key.ToKey().ToString()),
        "let no pool with ReadToLocal read what transactions change");
  }
  return OkStatus();
}

Status Store::Apply(std::span<Part> parts, Effects& effects) {
  absl::InlinedVector<Engine::Part, 2> engines;
  for (Part& part : parts) {
    CIREIN_RETURN_IF_ERROR(part.store->RefuseIfClosed());
    CIREIN_RETURN_IF_ERROR(part.store->RefuseIfLent(part.changes));
    engines.push_back({part.store->engine_.get(), part.changes});
  }
  if (engines.empty()) return OkStatus();
  // Those who wait, and they are rare, need a handle of their own; and the engine takes its own.
  struct Published {
    Store* store;
    KeyView key;
    DataObject object;
    std::uint64_t expiry_ms;
  };
  absl::InlinedVector<Published, 2> published;
  for (Part& part : parts) {
    if (part.store->waiters_.empty()) continue;
    for (const Change* change : part.changes) {
      if (change->kind != Change::Kind::kPut) continue;
      published.push_back({part.store, change->key, change->object, change->expiry_ms});
    }
  }
  Status applied =
      engines[0].engine->Apply(std::span(engines.data(), engines.size()), effects.garbage);
  if (applied.ok()) {
    for (Part& part : parts) {
      part.store->stats_.changes += part.changes.size();
      for (const Change* change : part.changes) part.store->watches_.Changed(change->key);
    }
    // Of several objects of one key those who wait get the last.
    for (auto each = published.rbegin(); each != published.rend(); ++each) {
      each->store->CollectApplied(each->key, each->object, effects);
    }
  }
  // The handles here must not be the last ones inside the partition.
  for (Published& each : published) effects.garbage.push_back(std::move(each.object));
  return applied;
}

// What a later change of the same transaction has taken away again was never there.
void Store::CollectApplied(const KeyView& key, const DataObject& object, Effects& effects) {
  StoredObject stored;
  const Result<bool> there = engine_->Get(key, Load::kSizes, stored);
  if (there.ok() && *there) Collect(key, object, InfoOf(stored), effects);
}

}  // namespace cirein
