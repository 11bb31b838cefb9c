// SPDX-License-Identifier: Apache-2.0
#include "object/striped_store.h"

#include <bit>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "object/backed_bucket.h"
#include "object/compute_registry.h"
#include "object/finished.h"
#include "object/list_cursor.h"
#include "object/memory_engine.h"
#include "object/stripe_lock.h"

namespace cirein {
namespace {

// How many rows a walk looks at before it lets others into the stripe.
constexpr std::size_t kRowsPerVisit = 1024;
// How many rows one List call looks at: a page may come back short rather than late.
constexpr std::size_t kRowsPerPage = 200'000;
// Names in one page; with the longest names a page of 10,000 would be a gigabyte.
constexpr std::size_t kMaxPageNameBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxComputeObjects = 1'000'000;
// And of small objects that must be copied out of a pool for it; large ones are viewed.
constexpr std::uint64_t kMaxComputeCopyBytes = std::uint64_t{1} << 30;

constexpr std::chrono::seconds kSweepPeriod{1};
constexpr std::size_t kRowsPerSweep = 16'384;

Status ForeignCursor() {
  return InvalidArgument("the cursor belongs to another listing",
                         "give the `next` of a page of this listing");
}

Status TooManyForCompute(const Pattern& pattern, std::size_t objects, std::uint64_t copied_bytes) {
  return ResourceExhausted(fmt::format("more than {} objects of {} bytes copied match \"{}\"",
                                       objects, copied_bytes, pattern.ToString()),
                           "compute over a column prefix at a time");
}

}  // namespace

/// A waiter of this store, and the handle that cancels it.
class StripedStore::ParkedWant : public Waiter,
                                 public Operation::Impl,
                                 public std::enable_shared_from_this<ParkedWant> {
 public:
  ParkedWant(std::weak_ptr<StripedStore> home, std::size_t first_stripe, WantCallback done)
      : Waiter(std::move(done)), home_(std::move(home)), first_stripe_(first_stripe) {}

  /// Before it is parked: a seat in each of `count` stripes instead of one.
  void MakeSeats(std::size_t count) {
    seat_count_ = count;
    many_seats_ = std::make_unique<Seat[]>(count);
  }
  Seat& seat(std::size_t i) { return many_seats_ ? many_seats_[i] : seat_; }

  bool Cancel() override {
    if (!Claim()) return false;
    Withdraw();
    Answer(Cancelled("the wait was given up"));
    return true;
  }
  bool done() const override { return claimed(); }

  void Withdraw() override {
    const std::shared_ptr<StripedStore> home = home_.lock();
    if (home == nullptr) return;
    const auto self = shared_from_this();  // A seat may hold the last other reference.
    for (std::size_t i = 0; i < seat_count_; ++i) {
      Stripe& stripe = *home->stripes_[first_stripe_ + i];
      const std::lock_guard lock(stripe.mutex);
      // Never the last reference: self is alive.
      stripe.store.Unpark(seat(i)).reset();
    }
  }

 private:
  const std::weak_ptr<StripedStore> home_;
  const std::size_t first_stripe_;
  std::size_t seat_count_ = 1;
  Seat seat_;  ///< Each seat is guarded by its stripe's lock.
  std::unique_ptr<Seat[]> many_seats_;
};

/// A compute that waits for its turn.
class StripedStore::QueuedCompute : public Operation::Impl {
 public:
  bool Cancel() override { return !over_.exchange(true); }
  bool done() const override { return over_.load(); }
  /// Its turn has come; false when it was cancelled before.
  bool Begin() { return !over_.exchange(true); }

 private:
  std::atomic<bool> over_{false};
};

std::shared_ptr<StripedStore> StripedStore::Create(const Environment& environment,
                                                   const Options& options) {
  const auto place_of = [](const KeyView& row) { return row.row_hash; };
  std::shared_ptr<StripedStore> store(new StripedStore(environment, place_of, options.stripes));
  store->budget_ = std::make_unique<MemoryBudget>(options.memory_limit_bytes, options.stripes);
  for (std::uint32_t i = 0; i < options.stripes; ++i) {
    auto engine =
        std::make_unique<MemoryEngine>(store->stripe_bits_, environment.clock, *store->budget_);
    store->stripes_.push_back(
        std::make_unique<Stripe>(Partition{std::move(engine), nullptr}, environment.clock));
  }
  return store;
}

std::shared_ptr<StripedStore> StripedStore::Create(const Environment& environment,
                                                   Engine::PlaceOf place_of,
                                                   std::vector<Partition> partitions) {
  std::shared_ptr<StripedStore> store(new StripedStore(environment, place_of, partitions.size()));
  const Keeper* const keeper = partitions.empty() ? nullptr : partitions[0].keeper.get();
  for (Partition& partition : partitions) {
    store->one_keeper_ = store->one_keeper_ && partition.keeper.get() == keeper;
    store->stripes_.push_back(std::make_unique<Stripe>(std::move(partition), environment.clock));
  }
  // Of what the partitions hold already something may expire.
  store->ArmSweep();
  return store;
}

StripedStore::StripedStore(const Environment& environment, Engine::PlaceOf place_of,
                           std::size_t stripes)
    : environment_(environment),
      place_of_(place_of),
      stripe_bits_(static_cast<unsigned>(std::bit_width(stripes) - 1)) {
  stripes_.reserve(stripes);
}

StripedStore::~StripedStore() { Close(); }

template <typename Operate>
auto StripedStore::WithStripe(const KeyView& key, Operate&& operate) {
  Stripe& stripe = StripeFor(key);
  auto [result, ticket] = Inside(stripe, std::forward<Operate>(operate));
  if (ticket != 0) {
    const Status kept = stripe.keeper->Await(ticket);
    if (!kept.ok()) result = kept;
  }
  return std::move(result);
}

void StripedStore::WhenKept(Stripe& stripe, std::uint64_t ticket,
                            std::function<void(Status)> done) {
  if (ticket == 0) return done(OkStatus());
  stripe.keeper->WhenKept(ticket, std::move(done));
}

void StripedStore::Answer(std::span<const std::shared_ptr<Waiter>> waiters,
                          const Result<NamedObject>& result) {
  for (const std::shared_ptr<Waiter>& waiter : waiters) {
    if (!waiter->Claim()) continue;
    waiter->Withdraw();
    waiter->Answer(result);
  }
}

void StripedStore::Answer(Effects& effects, const Status& kept) {
  for (Effects::Answer& answer : effects.answers) {
    Answer(answer.waiters, kept.ok() ? Result<NamedObject>(std::move(answer.object)) : kept);
  }
}

Result<DataObject> StripedStore::Get(const KeyView& key) {
  if (const auto backed = BackedBy(key.bucket)) return backed->Get(key);
  StoredObject found;
  const Result<bool> hit = WithStripe(key, [&](Store& store) { return store.Get(key, found); });
  if (!hit.ok()) return hit.status();
  return std::move(found.object);
}

Operation StripedStore::Want(const Pattern& pattern, TimePoint end, WantCallback done) {
  if (const auto backed = BackedBy(pattern.bucket())) {
    return backed->Want(pattern, end, std::move(done));
  }
  return WantHere(pattern, end, std::move(done));
}

Operation StripedStore::WantHere(const Pattern& pattern, TimePoint end, WantCallback done) {
  const std::size_t stripe =
      pattern.row_is_prefix() ? 0 : StripeOf(place_of_(KeyView(pattern.bucket(), pattern.row())));
  auto want = std::make_shared<ParkedWant>(weak_from_this(), stripe, std::move(done));
  if (pattern.row_is_prefix()) {
    WantPrefix(pattern, end, want);
  } else {
    WantInRow(pattern, want);
  }
  if (want->claimed()) return Operation();
  return Operation(std::move(want));
}

void StripedStore::WantInRow(const Pattern& pattern, const std::shared_ptr<ParkedWant>& want) {
  const KeyView row(pattern.bucket(), pattern.row());
  NamedObject found;
  Stripe& stripe = StripeFor(row);
  auto [hit, ticket] = Inside(
      stripe, [&](Store& store) { return store.Want(row, pattern, want->seat(0), want, found); });
  if (hit.ok() && !*hit) return;  // Parked.
  if (!hit.ok()) {
    if (want->Claim()) want->Answer(hit.status());
    return;
  }
  WhenKept(stripe, ticket, [want, found = std::move(found)](const Status& kept) {
    if (want->Claim()) want->Answer(kept.ok() ? Result<NamedObject>(found) : kept);
  });
}

// Parks everywhere first and looks afterwards, so that whatever is published meanwhile is seen by
// the one or the other; the claim sees to it that only one of them answers.
void StripedStore::WantPrefix(const Pattern& pattern, TimePoint end,
                              const std::shared_ptr<ParkedWant>& want) {
  want->MakeSeats(stripes_.size());
  Status status;
  for (std::size_t i = 0; i < stripes_.size() && status.ok(); ++i) {
    const std::lock_guard lock(stripes_[i]->mutex);
    status = stripes_[i]->store.ParkPrefix(pattern, want->seat(i), want);
  }
  NamedObject found;
  bool hit = false;
  if (status.ok()) {
    const auto look = [&](const Engine::RowName& name) {
      const KeyView row(name.bucket, name.name);
      status = WithStripe(row, [&](Store& store) {
        return store.WalkRow(row, pattern, std::nullopt, Load::kObject,
                             [&](const KeyView& key, const StoredObject& stored) {
                               found = {key.ToKey(), stored.object, store.InfoOf(stored)};
                               hit = true;
                               return false;
                             });
      });
      return status.ok() && !hit && !want->claimed();
    };
    const auto walked = EachRow(pattern, {}, SIZE_MAX, end, look);
    if (!walked.ok()) status = walked.status();
  }
  {
    Stripe& counts = *stripes_.front();
    const std::lock_guard lock(counts.mutex);
    if (hit) {
      counts.store.CountPrefixHit();
    } else if (status.ok()) {
      counts.store.CountPrefixMiss();
    }
  }
  if (want->claimed()) return want->Withdraw();  // From seats taken after it was answered.
  if ((!hit && status.ok()) || !want->Claim()) return;
  want->Withdraw();
  want->Answer(hit ? Result<NamedObject>(std::move(found)) : status);
}

Result<std::optional<Engine::RowName>> StripedStore::EachRow(
    const Pattern& pattern, Engine::RowName from, std::size_t max_rows, TimePoint end,
    const std::function<bool(const Engine::RowName& row)>& visit) {
  std::size_t looked_at = 0;
  for (std::size_t i = StripeOf(from.place); i < stripes_.size(); ++i, from = {}) {
    for (std::optional<Engine::RowName> next = std::move(from); next;) {
      auto [page, ticket] = Inside(
          *stripes_[i], [&](Store& store) { return store.Rows(*next, pattern, kRowsPerVisit); });
      if (!page.ok()) return page.status();
      // That a row is not there may be what nobody may hear of yet.
      if (ticket != 0) CIREIN_RETURN_IF_ERROR(stripes_[i]->keeper->Await(ticket));
      for (const Engine::RowName& row : page->rows) {
        if (!visit(row)) return std::optional<Engine::RowName>(row);
      }
      next = std::move(page->next);
      looked_at += kRowsPerVisit;
      if (next && looked_at >= max_rows) return next;
      if (end != kEndOfTime && environment_.clock.Now() >= end) {
        return DeadlineExceeded(
            fmt::format("the deadline passed while looking for \"{}\"", pattern.ToString()));
      }
    }
  }
  return std::optional<Engine::RowName>();
}

/// How far a drop has come.
struct StripedStore::DropState {
  Pattern pattern;
  TimePoint end = kEndOfTime;
  std::uint64_t dropped = 0;
  Engine::RowName from = {};
  Effects effects = {};  ///< Of the row where it is.
  DropCallback done = nullptr;
};

Status StripedStore::DropSome(DropState& state) {
  Status status;
  const auto drop_row = [&](const KeyView& row) {
    Effects effects;
    effects.recall = std::move(state.effects.recall);
    const Result<std::uint64_t> count =
        WithStripe(row, [&](Store& store) { return store.Drop(row, state.pattern, effects); });
    if (effects.recall != nullptr) {
      state.effects = std::move(effects);
      return false;
    }
    status = count.status();
    if (count.ok()) state.dropped += *count;
    return count.ok();
  };
  if (!state.pattern.row_is_prefix()) {
    drop_row(KeyView(state.pattern.bucket(), state.pattern.row()));
    return status;
  }
  // Where it waited first, though there may be no such row any more.
  if (state.effects.recall != nullptr && !drop_row(KeyView(state.from.bucket, state.from.name))) {
    return status;
  }
  const auto stopped =
      EachRow(state.pattern, state.from, SIZE_MAX, state.end,
              [&](const Engine::RowName& row) { return drop_row(KeyView(row.bucket, row.name)); });
  if (stopped.status().code() == StatusCode::kDeadlineExceeded) {
    return DeadlineExceeded(
        fmt::format("dropping \"{}\" took too long: {} objects are gone, others may not be",
                    state.pattern.ToString(), state.dropped),
        "drop again to go on, or give a later deadline");
  }
  if (!stopped.ok()) return stopped.status();
  if (*stopped) state.from = **stopped;
  return status;
}

Result<std::uint64_t> StripedStore::Drop(const Pattern& pattern, TimePoint end) {
  if (const auto backed = BackedBy(pattern.bucket())) return backed->Drop(pattern, end);
  DropState state{.pattern = pattern, .end = end};
  for (;;) {
    CIREIN_RETURN_IF_ERROR(DropSome(state));
    if (state.effects.recall == nullptr) return state.dropped;
    AwaitRecall(state.effects);
  }
}

void StripedStore::Drop(const Pattern& pattern, TimePoint end, DropCallback done) {
  if (const auto backed = BackedBy(pattern.bucket())) return backed->Drop(pattern, end, done);
  DropRest(std::make_shared<DropState>(
      DropState{.pattern = pattern, .end = end, .done = std::move(done)}));
}

void StripedStore::DropRest(const std::shared_ptr<DropState>& state) {
  const Status status = DropSome(*state);
  if (!status.ok()) return state->done(status);
  if (state->effects.recall == nullptr) return state->done(state->dropped);
  CallBack(state->effects, Length::kLong,
           [self = shared_from_this(), state] { self->DropRest(state); });
}

Result<ObjectInfo> StripedStore::Info(const KeyView& key) {
  if (const auto backed = BackedBy(key.bucket)) return backed->Info(key);
  return InfoHere(key);
}

Result<ObjectInfo> StripedStore::InfoHere(const KeyView& key) {
  return WithStripe(key, [&](Store& store) { return store.Info(key); });
}

Result<RowInfo> StripedStore::GetRowInfo(const KeyView& row) {
  if (const auto backed = BackedBy(row.bucket)) return backed->GetRowInfo(row);
  return WithStripe(row, [&](Store& store) { return store.GetRowInfo(row); });
}

namespace {

// Where a listing of one bucket goes on before this row, which may be another bucket's: the place
// of a name is not the same in every bucket. nullopt when only other buckets' rows are left.
std::optional<ListCursor> PlaceBefore(const Engine::RowName& row, Bucket bucket) {
  ListCursor cursor;
  if (row.bucket == bucket) {
    cursor.row = row.name;
    return cursor;
  }
  // Rows of one place come by bucket: those of a lower one are listed already.
  if (row.bucket > bucket && row.place == UINT64_MAX) return std::nullopt;
  cursor.place = row.bucket > bucket ? row.place + 1 : row.place;
  return cursor;
}

}  // namespace

Result<ListPage> StripedStore::List(const Pattern& pattern, const ListOptions& options) {
  if (const auto backed = BackedBy(pattern.bucket())) return backed->List(pattern, options);
  return ListHere(pattern, options);
}

Result<ListPage> StripedStore::ListHere(const Pattern& pattern, const ListOptions& options) {
  ListCursor cursor;
  if (!options.cursor.empty()) {
    CIREIN_ASSIGN_OR_RETURN(cursor, ListCursor::Parse(options.cursor));
  }
  {
    Stripe& counts = *stripes_.front();
    const std::lock_guard lock(counts.mutex);
    counts.store.CountListPage();
  }
  ListPage page;
  std::size_t name_bytes = 0;
  Status status;
  // Adds a row's objects; false when the page is full, with the cursor after its last object.
  const auto add_row = [&](const KeyView& row) {
    std::optional<std::optional<std::string_view>> after;
    if (cursor.inside && cursor.row == row.row) after = cursor.column;
    bool full = false;
    status = WithStripe(row, [&](Store& store) {
      return store.WalkRow(
          row, pattern, after, Load::kSizes, [&](const KeyView& key, const StoredObject& stored) {
            full = page.objects.size() >= options.page_size || name_bytes >= kMaxPageNameBytes;
            if (full) return false;
            page.objects.push_back(
                {key.ToKey(), stored.meta_bytes, stored.data_bytes, stored.version});
            name_bytes += key.row.size() + key.column.size();
            return true;
          });
    });
    return status.ok() && !full;
  };
  const auto after_last = [&] {
    const Key& last = page.objects.back().key;
    ListCursor next{.row = last.row(), .inside = true, .column = {}, .place = {}};
    if (last.has_column()) next.column = last.column();
    return next.ToString();
  };

  if (!pattern.row_is_prefix()) {
    if (!options.cursor.empty() && (cursor.place || cursor.row != pattern.row())) {
      return ForeignCursor();
    }
    if (!add_row(KeyView(pattern.bucket(), pattern.row())) && status.ok()) page.next = after_last();
  } else {
    Engine::RowName from;
    if (cursor.place) {
      from.place = *cursor.place;
    } else if (!options.cursor.empty()) {
      const KeyView row(pattern.bucket(), cursor.row);
      from = {place_of_(row), row.bucket, cursor.row};
    }
    if (cursor.inside && !pattern.MatchesRow(cursor.row)) return ForeignCursor();
    bool full = false;
    const auto stopped = EachRow(pattern, std::move(from), kRowsPerPage, kEndOfTime,
                                 [&](const Engine::RowName& row) {
                                   full = !add_row(KeyView(row.bucket, row.name));
                                   return !full;
                                 });
    if (!stopped.ok()) return stopped.status();
    if (full && status.ok()) {
      page.next = after_last();
    } else if (*stopped) {
      if (const auto place = PlaceBefore(**stopped, pattern.bucket())) {
        page.next = place->ToString();
      }
    }
  }
  if (!status.ok()) return status;
  return page;
}

Status StripedStore::Collect(const Pattern& pattern, std::vector<NamedObject>* objects) {
  const KeyView row(pattern.bucket(), pattern.row());
  bool too_many = false;
  // Of copies that were made for this; objects that are in memory anyway cost nothing.
  const bool copied = StripeFor(row).keeper != nullptr;
  std::uint64_t copied_bytes = 0;
  const Status walked = WithStripe(row, [&](Store& store) {
    store.CountCompute();
    return store.WalkRow(row, pattern, std::nullopt, Load::kObject,
                         [&](const KeyView& key, const StoredObject& stored) {
                           if (copied && stored.object.kind() == DataObject::Kind::kOwned) {
                             copied_bytes += stored.object.memory_bytes();
                           }
                           too_many = objects->size() >= kMaxComputeObjects ||
                                      copied_bytes > kMaxComputeCopyBytes;
                           if (too_many) return false;
                           objects->push_back({key.ToKey(), stored.object, store.InfoOf(stored)});
                           return true;
                         });
  });
  CIREIN_RETURN_IF_ERROR(walked);
  if (!too_many) return OkStatus();
  return TooManyForCompute(pattern, objects->size(), copied_bytes);
}

Operation StripedStore::Compute(const Pattern& pattern, std::string_view function,
                                std::string_view args, const ComputeCallback& done) {
  const auto refuse = [&done](const Status& status) {
    done(status);
    return Operation();
  };
  Result<std::shared_ptr<const ComputeFunction>> found = FindComputeFunction(function);
  if (!found.ok()) return refuse(found.status());
  ComputeCall call{std::string(function), std::move(*found), pattern, std::string(args), done};
  auto queued = std::make_shared<QueuedCompute>();
  if (const auto backed = BackedBy(pattern.bucket())) {
    const Status submitted = backed->Submit([self = shared_from_this(), backed, queued, call] {
      std::vector<NamedObject> objects;
      const Status collected = backed->Collect(call.pattern, &objects);
      if (!collected.ok()) return call.done(collected);
      self->RunCompute(queued, call, std::move(objects));
    });
    return submitted.ok() ? Operation(std::move(queued)) : refuse(submitted);
  }
  std::vector<NamedObject> objects;
  const Status collected = Collect(pattern, &objects);
  if (!collected.ok()) return refuse(collected);
  RunCompute(queued, std::move(call), std::move(objects));
  return queued->done() ? Operation() : Operation(std::move(queued));
}

void StripedStore::RunCompute(const std::shared_ptr<QueuedCompute>& queued, ComputeCall call,
                              std::vector<NamedObject> objects) {
  const ComputeCallback done = call.done;
  if (objects.empty()) {
    (void)queued->Begin();
    return done(NotFound(fmt::format("no object matches \"{}\"", call.pattern.ToString()),
                         "compute does not wait: publish first, or need the objects"));
  }
  const Status submitted =
      environment_.compute.Submit([queued, call = std::move(call), objects = std::move(objects)] {
        call.done(queued->Begin() ? RunComputeFunction(call.name, *call.function,
                                                       {call.pattern, call.args, objects})
                                  : Result<DataObject>(Cancelled("the compute was given up")));
      });
  if (submitted.ok()) return;
  (void)queued->Begin();
  done(submitted);
}

std::shared_ptr<BackedBucket> StripedStore::Back(Bucket bucket,
                                                 std::shared_ptr<BackedBucket> backed) {
  const std::lock_guard lock(backed_mutex_);
  any_backed_.store(true, std::memory_order_release);
  return backed_.emplace(bucket, std::move(backed)).first->second;
}

std::shared_ptr<BackedBucket> StripedStore::FindBacked(Bucket bucket) const {
  const std::lock_guard lock(backed_mutex_);
  const auto found = backed_.find(bucket);
  return found == backed_.end() ? nullptr : found->second;
}

void StripedStore::Close() {
  std::map<Bucket, std::shared_ptr<BackedBucket>> backed;
  {
    const std::lock_guard lock(backed_mutex_);
    backed = backed_;
  }
  for (const auto& [bucket, each] : backed) each->Close();
  for (const std::unique_ptr<Stripe>& stripe : stripes_) {
    std::vector<std::shared_ptr<Waiter>> waiters;
    std::vector<std::shared_ptr<Recall>> recalls;
    std::unique_ptr<Engine> engine;
    {
      const std::lock_guard lock(stripe->mutex);
      engine = stripe->store.Close(waiters);
      stripe->store.leases().Clear(recalls);
    }
    Answer(waiters, LibraryFinished());
    for (const auto& recall : recalls) recall->Finish();
  }
}

Store::Stats StripedStore::GetStats() const {
  Store::Stats total;
  for (const std::unique_ptr<Stripe>& stripe : stripes_) {
    const std::lock_guard lock(stripe->mutex);
    total += stripe->store.GetStats();
  }
  return total;
}

// At most one sweep is ever planned: the flag is taken down before looking, so that an expiry that
// is stored while a sweep looks plans the next one.
void StripedStore::ArmSweep() {
  if (sweep_armed_.load(std::memory_order_relaxed) || sweep_armed_.exchange(true)) return;
  environment_.timers.RunAt(environment_.clock.Now() + kSweepPeriod, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    // Where a partition may be kept waiting for room, the thread that keeps all deadlines must not.
    const bool may_wait = self->stripes_.front()->keeper != nullptr;
    if (!may_wait || !self->environment_.callbacks.Submit([self] { self->Sweep(); }).ok()) {
      self->Sweep();
    }
  });
}

void StripedStore::Sweep() {
  sweep_armed_.store(false);
  bool more = false;
  auto effects = std::make_shared<Effects>();
  for (const std::unique_ptr<Stripe>& stripe : stripes_) {
    const std::lock_guard lock(stripe->mutex);
    more = stripe->store.Sweep(kRowsPerSweep, *effects) || more;
  }
  if (more) ArmSweep();
  // Release functions are the user's and may block: not on the thread that keeps all deadlines.
  if (!effects->garbage.empty()) {
    (void)environment_.callbacks.Submit([effects] { effects->garbage.clear(); });
  }
}

}  // namespace cirein
