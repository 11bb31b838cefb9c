// SPDX-License-Identifier: Apache-2.0
#include "object/transaction.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "object/striped_store.h"

namespace cirein {
namespace {

// The object without column comes first.
using Column = std::optional<std::string_view>;

Column ColumnOf(const KeyView& key) {
  if (!key.has_column) return std::nullopt;
  return key.column;
}

std::uint64_t WallMs(const Clock& clock) {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(clock.WallNow());
  return static_cast<std::uint64_t>(std::max(now.count(), std::int64_t{0}));
}

}  // namespace

struct Transaction::Overlay {
  KeyView row;
  bool dropped = false;  // What the store has of the row is gone.
  RowState state;
  // What was put, or dropped (a null object).
  struct Laid {
    DataObject object;
    std::uint64_t expiry_ms = 0;
  };
  std::map<Column, Laid> columns;
};

Transaction::Transaction(StripedStore& host) : host_(&host) {}

Transaction::Transaction(Transaction&&) noexcept = default;
Transaction::~Transaction() = default;

std::uint64_t Transaction::now_ms() const {
  if (now_ms_ == 0) now_ms_ = WallMs(host_->environment_.clock);
  return now_ms_;
}

Store& Transaction::StoreOf(const KeyView& row) { return host_->StripeFor(row).store; }

std::string Transaction::NameOf(const KeyView& row) {
  std::string name = std::to_string(row.bucket.id());
  return name.append(1, ':').append(row.row);
}

Result<const Transaction::Overlay*> Transaction::OverlayOf(const KeyView& row) {
  if (changes_.empty()) return nullptr;
  CIREIN_RETURN_IF_ERROR(CatchUp());
  const auto found = overlays_.find(NameOf(row));
  return found == overlays_.end() ? nullptr : found->second.get();
}

Status Transaction::CatchUp() {
  for (; overlaid_ < changes_.size(); ++overlaid_) {
    CIREIN_RETURN_IF_ERROR(Lay(changes_[overlaid_]));
  }
  return OkStatus();
}

Status Transaction::Lay(const Change& change) {
  std::unique_ptr<Overlay>& overlay = overlays_[NameOf(change.key)];
  if (overlay == nullptr) {
    KeyView row = change.key;
    row.has_column = false;
    row.column = {};
    CIREIN_ASSIGN_OR_RETURN(const RowState now, StoreOf(row).GetRowState(row));
    overlay = std::make_unique<Overlay>(Overlay{.row = row, .state = now, .columns = {}});
  }
  RowState& state = overlay->state;
  switch (change.kind) {
    case Change::Kind::kDropRow:
      *overlay = Overlay{.row = overlay->row, .dropped = true, .state = {}, .columns = {}};
      return OkStatus();
    case Change::Kind::kExpireRow:
      state.expiry_ms = change.expiry_ms;
      return OkStatus();
    case Change::Kind::kPut:
    case Change::Kind::kDrop:
      break;
  }
  const bool put = change.kind == Change::Kind::kPut;
  const Column column = ColumnOf(change.key);
  if (!column) {
    state.has_object = put;
  } else {
    bool there = false;
    const auto laid = overlay->columns.find(column);
    if (laid != overlay->columns.end()) {
      there = !laid->second.object.is_null();
    } else if (!overlay->dropped) {
      StoredObject stored;
      CIREIN_ASSIGN_OR_RETURN(there, StoreOf(change.key).Look(change.key, Load::kSizes, stored));
    }
    if (put && !there) ++state.columns;
    if (!put && there) --state.columns;
  }
  overlay->columns[column] = {change.object, change.expiry_ms};
  // The last object takes the row's expiry with it.
  if (!state.exists()) state.expiry_ms = 0;
  return OkStatus();
}

Result<RowState> Transaction::GetRow(const KeyView& row) {
  CIREIN_ASSIGN_OR_RETURN(const Overlay* overlay, OverlayOf(row));
  if (overlay != nullptr) return overlay->state;
  return StoreOf(row).GetRowState(row);
}

Result<bool> Transaction::Get(const KeyView& key, Load load, StoredObject& found) {
  CIREIN_ASSIGN_OR_RETURN(const Overlay* overlay, OverlayOf(key));
  if (overlay != nullptr) {
    const auto laid = overlay->columns.find(ColumnOf(key));
    if (laid != overlay->columns.end()) {
      const DataObject& object = laid->second.object;
      if (object.is_null()) return false;
      found = StoredObject();
      if (load == Load::kObject) found.object = object;
      found.meta_bytes = object.meta_bytes();
      found.data_bytes = object.data_bytes();
      found.expiry_ms = laid->second.expiry_ms;
      return true;
    }
    if (overlay->dropped) return false;
  }
  return StoreOf(key).Look(key, load, found);
}

Status Transaction::WalkRow(const KeyView& row, Load load, const Engine::Visitor& visit) {
  Pattern all = Pattern::Row(std::string(row.row));
  all.set_bucket(row.bucket);
  return WalkRow(row, all, std::nullopt, load, visit);
}

Status Transaction::WalkRow(const KeyView& row, const Pattern& pattern,
                            const std::optional<std::string_view>& after, Load load,
                            const Engine::Visitor& visit) {
  std::optional<Column> engine_after;
  if (after) engine_after = Column(*after);
  CIREIN_ASSIGN_OR_RETURN(const Overlay* overlay, OverlayOf(row));
  if (overlay == nullptr) return StoreOf(row).WalkRow(row, pattern, engine_after, load, visit);

  auto laid = after ? overlay->columns.upper_bound(Column(*after)) : overlay->columns.begin();
  bool goes_on = true;
  // What is laid over, up to a column of the store.
  const auto visit_laid = [&](const std::optional<Column>& before) {
    for (; goes_on && laid != overlay->columns.end() && (!before || laid->first < *before);
         ++laid) {
      const DataObject& object = laid->second.object;
      if (object.is_null() || !pattern.MatchesColumn(laid->first)) continue;
      KeyView key = row;
      key.has_column = laid->first.has_value();
      key.column = laid->first.value_or(std::string_view());
      StoredObject stored;
      if (load == Load::kObject) stored.object = object;
      stored.meta_bytes = object.meta_bytes();
      stored.data_bytes = object.data_bytes();
      stored.expiry_ms = laid->second.expiry_ms;
      goes_on = visit(key, stored);
    }
  };
  const auto merge = [&](const KeyView& key, const StoredObject& stored) {
    const Column column = ColumnOf(key);
    visit_laid(column);
    const bool hidden = laid != overlay->columns.end() && laid->first == column;
    if (goes_on && !hidden) goes_on = visit(key, stored);
    if (goes_on && hidden) {
      // In its own turn, before what comes after.
      const auto next = std::next(laid);
      visit_laid(next == overlay->columns.end() ? std::optional<Column>()
                                                : std::optional<Column>(next->first));
    }
    return goes_on;
  };
  if (!overlay->dropped) {
    CIREIN_RETURN_IF_ERROR(StoreOf(row).WalkRow(row, pattern, engine_after, load, merge));
  }
  visit_laid(std::nullopt);
  return OkStatus();
}

Result<Engine::RowPage> Transaction::Rows(const Engine::RowName& from, const Pattern& pattern,
                                          std::size_t max_rows) {
  CIREIN_RETURN_IF_ERROR(CatchUp());
  return host_->RowsOf(*this, from, pattern, max_rows);
}

void Transaction::ForEachChangedRow(const std::function<void(const KeyView& row)>& visit) const {
  for (const auto& [name, overlay] : overlays_) {
    if (overlay->state.exists()) visit(overlay->row);
  }
}

void Transaction::Put(const KeyView& key, DataObject object, std::uint64_t expiry_ms) {
  changes_.push_back({.kind = Change::Kind::kPut,
                      .key = key,
                      .object = std::move(object),
                      .expiry_ms = expiry_ms});
  for (Offered& offered : offered_) {
    const KeyView& there = offered.key;
    if (offered.prepared != nullptr && offered.object == changes_.back().object &&
        there.bucket == key.bucket && there.row == key.row && there.has_column == key.has_column &&
        there.column == key.column) {
      changes_.back().prepared = std::move(offered.prepared);
      return;
    }
  }
}

void Transaction::Offer(const KeyView& key, const DataObject& object,
                        std::shared_ptr<void> prepared) {
  offered_.push_back({key, object, std::move(prepared)});
}

void Transaction::Drop(const KeyView& key) {
  changes_.push_back({.kind = Change::Kind::kDrop, .key = key});
}

void Transaction::DropRow(const KeyView& row) {
  changes_.push_back({.kind = Change::Kind::kDropRow, .key = row});
}

void Transaction::ExpireRow(const KeyView& row, std::uint64_t expiry_ms) {
  changes_.push_back({.kind = Change::Kind::kExpireRow, .key = row, .expiry_ms = expiry_ms});
}

std::uint64_t Transaction::unprepared_bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (const Change& change : changes_) {
    if (!change.object.is_null() && change.prepared == nullptr) bytes += change.object.data_bytes();
  }
  return bytes;
}

void Transaction::RollBack(std::size_t count) {
  if (count >= changes_.size()) return;
  // What is dropped here may be the last handle of a body, freed once the partitions are left.
  for (std::size_t i = count; i < changes_.size(); ++i) {
    if (!changes_[i].object.is_null()) given_up_.push_back(std::move(changes_[i].object));
  }
  changes_.resize(count, Change{.key = KeyView(Bucket(), std::string_view())});
  if (overlaid_ <= count) return;
  overlays_.clear();
  overlaid_ = 0;
}

std::string_view Transaction::Keep(std::string_view text) { return kept_.emplace_front(text); }

}  // namespace cirein
