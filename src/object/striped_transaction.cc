// SPDX-License-Identifier: Apache-2.0

// Transactions over the partitions of a StripedStore.

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/fatal.h"
#include "object/stripe_lock.h"
#include "object/striped_store.h"

namespace cirein {

// In ascending order, whoever begins: so no two wait for each other.
Transaction StripedStore::Begin(std::span<const KeyView> rows) {
  Transaction transaction(*this);
  auto& stripes = transaction.stripes_;
  for (const KeyView& row : rows) {
    stripes.push_back(static_cast<std::uint32_t>(StripeOf(row)));
  }
  if (stripes.size() > 1) {
    std::sort(stripes.begin(), stripes.end());
    stripes.erase(std::unique(stripes.begin(), stripes.end()), stripes.end());
    if (stripes.size() > 1 && !one_keeper_) {
      Fatal("a transaction over several partitions that are not kept together");
    }
  }
  for (const std::uint32_t stripe : stripes) {
    transaction.locks_.push_back(LockSoon(stripes_[stripe]->mutex));
  }
  return transaction;
}

void Transaction::Prefetch(std::span<const KeyView> rows) {
  using Pass = Engine::PrefetchPass;
  for (const Pass pass : {Pass::kPlaces, Pass::kKeys, Pass::kObjects}) {
    for (const KeyView& row : rows) StoreOf(row).Prefetch(row, pass);
  }
}

Status StripedStore::PrepareObject(const KeyView& key, DataObject* object,
                                   std::shared_ptr<void>* prepared) {
  Stripe& stripe = StripeFor(key);
  if (object->data_bytes() <= stripe.prepare_bytes) return OkStatus();
  PutRequest request;
  request.object = std::move(*object);
  Status status = stripe.keeper->Prepare(key, request);
  *object = std::move(request.object);
  *prepared = std::move(request.prepared);
  return status;
}

Transaction StripedStore::BeginAll() {
  Transaction transaction(*this);
  for (std::uint32_t stripe = 0; stripe < stripes_.size(); ++stripe) {
    transaction.stripes_.push_back(stripe);
    transaction.locks_.push_back(LockSoon(stripes_[stripe]->mutex));
  }
  return transaction;
}

// A pass over all rows, and then the next: while one waits for its memory the others' comes.
void StripedStore::Prefetch(std::span<const KeyView> rows) {
  using Pass = Engine::PrefetchPass;
  // With several partitions each row has a lock of its own, at which the processor waits for what
  // it has asked for: then only the first pass is worth it.
  const bool alone = stripes_.size() == 1;
  std::unique_lock<std::mutex> all;
  if (alone) all = std::unique_lock(stripes_[0]->mutex, std::try_to_lock);
  if (alone && !all.owns_lock()) return;
  for (const Pass pass : {Pass::kPlaces, Pass::kKeys, Pass::kObjects}) {
    if (pass != Pass::kPlaces && !alone) return;
    for (const KeyView& row : rows) {
      Stripe& stripe = StripeFor(row);
      std::unique_lock<std::mutex> one;
      if (!alone) one = std::unique_lock(stripe.mutex, std::try_to_lock);
      if (alone || one.owns_lock()) stripe.store.Prefetch(row, pass);
    }
  }
}

StripedStore::Committed StripedStore::Commit(Transaction&& transaction) {
  Committed committed;
  bool expires = false;
  std::shared_ptr<Effects> effects;
  if (transaction.has_changes()) {
    absl::InlinedVector<Store::Part, 1> parts(transaction.stripes_.size());
    for (std::size_t i = 0; i < parts.size(); ++i) {
      parts[i].store = &stripes_[transaction.stripes_[i]]->store;
    }
    for (Change& change : transaction.changes_) {
      const auto stripe = static_cast<std::uint32_t>(StripeOf(change.key));
      const auto at =
          std::lower_bound(transaction.stripes_.begin(), transaction.stripes_.end(), stripe);
      if (at == transaction.stripes_.end() || *at != stripe) {
        Fatal("a transaction changes a row that it was not begun for");
      }
      parts[static_cast<std::size_t>(at - transaction.stripes_.begin())].changes.push_back(&change);
      expires = expires || change.expiry_ms != 0;
    }
    parts.erase(std::remove_if(parts.begin(), parts.end(),
                               [](const Store::Part& part) { return part.changes.empty(); }),
                parts.end());
    Effects done;
    committed.status = Store::Apply(std::span(parts.data(), parts.size()), done);
    std::move(done.garbage.begin(), done.garbage.end(), std::back_inserter(transaction.given_up_));
    committed.version = transaction.changes_.back().version;
    if (!done.answers.empty()) {
      committed.effects = std::make_shared<Effects>();
      committed.effects->answers = std::move(done.answers);
    }
  }
  for (const std::uint32_t stripe : transaction.stripes_) {
    const std::uint64_t ticket = stripes_[stripe]->store.TakeTicket();
    if (ticket == 0) continue;
    committed.ticket = std::max(committed.ticket, ticket);
    committed.keeper = stripes_[stripe]->keeper.get();
  }
  transaction.locks_.clear();
  transaction.given_up_.clear();
  if (expires && committed.status.ok()) ArmSweep();
  return committed;
}

void StripedStore::Tell(Committed& committed, const Status& kept) {
  if (committed.effects == nullptr) return;
  Answer(*committed.effects, kept);
  committed.effects.reset();
}

std::uint64_t StripedStore::Watch(const KeyView& row) {
  Stripe& stripe = StripeFor(row);
  const std::unique_lock lock = LockSoon(stripe.mutex);
  return stripe.store.watches().Watch(row);
}

void StripedStore::Unwatch(const KeyView& row) {
  Stripe& stripe = StripeFor(row);
  const std::unique_lock lock = LockSoon(stripe.mutex);
  stripe.store.watches().Unwatch(row);
}

Engine::RowName Transaction::RowNameOf(const KeyView& row) const {
  return {host_->place_of_(row), row.bucket, std::string(row.row)};
}

std::uint64_t Transaction::WatchMark(const KeyView& row) {
  return StoreOf(row).watches().MarkOf(row);
}

Result<Engine::RowPage> StripedStore::RowsOf(Transaction& transaction, const Engine::RowName& from,
                                             const Pattern& pattern, std::size_t max_rows) {
  const auto order = [](const Engine::RowName& a, const Engine::RowName& b) {
    return std::tie(a.place, a.bucket, a.name) < std::tie(b.place, b.bucket, b.name);
  };
  const std::size_t stripe = StripeOf(from.place);
  CIREIN_ASSIGN_OR_RETURN(Engine::RowPage page,
                          stripes_[stripe]->store.Rows(from, pattern, max_rows));
  if (!page.next && stripe + 1 < stripes_.size()) {
    page.next = Engine::RowName{std::uint64_t{stripe + 1} << (64 - stripe_bits_), Bucket(), ""};
  }
  if (transaction.overlays_.empty()) return page;
  // What the transaction has made of rows in this part of them.
  const auto changed = [&](const Engine::RowName& row) {
    return transaction.overlays_.contains(Transaction::NameOf(KeyView(row.bucket, row.name)));
  };
  page.rows.erase(std::remove_if(page.rows.begin(), page.rows.end(), changed), page.rows.end());
  transaction.ForEachChangedRow([&](const KeyView& row) {
    Engine::RowName name{place_of_(row), row.bucket, std::string(row.row)};
    const bool here = !order(name, from) && (!page.next || order(name, *page.next));
    if (here && row.bucket == pattern.bucket() && pattern.MatchesRow(row.row)) {
      page.rows.push_back(std::move(name));
    }
  });
  std::sort(page.rows.begin(), page.rows.end(), order);
  return page;
}

}  // namespace cirein
