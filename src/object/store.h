// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "cirein/operations.h"

#include "object/engine.h"
#include "object/lease_table.h"
#include "object/row_watches.h"
#include "object/waiters.h"
#include "runtime/clock.h"

namespace cirein {

/// What an operation leaves to be done once its partition has been left.
struct Effects {
  /// Waiters to be claimed and answered with an object that was published.
  struct Answer {
    NamedObject object;
    std::vector<std::shared_ptr<Waiter>> waiters;
  };
  Garbage garbage;  ///< Freed.
  std::vector<Answer> answers;
  /// Set by a change that was not made, whatever it said, because copies of what it changes are
  /// lent: `lent` are called back, and when the recall is over the change is asked for again, with
  /// the recall in its effects.
  std::shared_ptr<Recall> recall;
  std::vector<LeaseTable::Lent> lent;
};

/// An object that was looked for to be kept elsewhere.
struct LentObject {
  NamedObject named;  ///< A null object: it is not there.
  /// How long a copy may be kept; zero: not at all.
  std::chrono::nanoseconds lease{0};
};

/// What a publish is answered that was not taken.
Status Refusal(const KeyView& key, const PutRequest& request, const PutOutcome& outcome);

/// The object operations over one partition, whatever its engine: what write-once means, who waits,
/// who is answered, what is refused. One file for each verb.
///
/// Invariants:
///  1. A waiter is parked only while nothing that it waits for is there: Want looks and parks in
///  one
///     step, and a publish takes out everyone who waits for its key in the step that stores it.
///  2. After Close nobody is parked and nothing is stored.
///
/// Not thread-safe: the host lets in one caller at a time, and carries out the effects after the
/// caller has left. Calls do not block.
class Store {
 public:
  /// `clock` outlives the store.
  Store(std::unique_ptr<Engine> engine, const Clock& clock);

  /// publish.cc. Takes the object only if it stores it: a body that is refused must not be freed
  /// inside the partition, because its release function is the user's. Errors: AlreadyExists,
  /// FailedPrecondition (version), ResourceExhausted (full); those of the engine.
  Result<ObjectInfo> Publish(const KeyView& key, PutRequest&& request, Effects& effects);
  /// The same for several objects of one row, no key twice: all or none, as one.
  Result<std::vector<ObjectInfo>> PublishGroup(std::span<PutItem> items, Effects& effects);

  /// get.cc. NotFound is said by false, because a miss is no error to those who then wait.
  Result<bool> Get(const KeyView& key, StoredObject& found);
  /// The same, with sizes alone if need be, which are not counted.
  Result<bool> Look(const KeyView& key, Load load, StoredObject& found);
  /// lend.cc. As Get, and lends what is there for `longest` at most.
  Result<LentObject> Lend(const KeyView& key, const std::shared_ptr<CopyHolder>& holder,
                          std::chrono::nanoseconds longest);
  /// What is lent. The end of the store ends what waits for it by LeaseTable::Clear.
  LeaseTable& leases() noexcept { return leases_; }
  /// Would Publish be taken? Says why not, as Publish does, and changes nothing but statistics of
  /// what was refused.
  Status Check(const KeyView& key, const PutRequest& request);
  /// The versions that these items, of one row, may be given by a later PublishGroup of them
  /// (PutRequest::version).
  Result<std::vector<Version>> Reserve(std::span<PutItem> items);

  /// want.cc. True with the object that is there (of several any one), else parks and says false.
  /// `row` is the row of the pattern, which is not a prefix.
  Result<bool> Want(const KeyView& row, const Pattern& pattern, Seat& seat,
                    std::shared_ptr<Waiter> waiter, NamedObject& found);
  /// The same for a row prefix, of which this partition holds some rows: parks only. The host parks
  /// in all partitions and looks afterwards.
  Status ParkPrefix(const Pattern& pattern, Seat& seat, std::shared_ptr<Waiter> waiter);
  /// Said in one of these partitions: how that want ended when it looked.
  void CountPrefixHit() noexcept { ++stats_.hits; }
  void CountPrefixMiss() noexcept { ++stats_.misses; }
  std::shared_ptr<Waiter> Unpark(Seat& seat) { return waiters_.Unpark(seat); }

  /// drop.cc. `row` is the row to drop from.
  Result<std::uint64_t> Drop(const KeyView& row, const Pattern& pattern, Effects& effects);

  /// info.cc.
  Result<ObjectInfo> Info(const KeyView& key);
  Result<RowInfo> GetRowInfo(const KeyView& row);

  void Prefetch(const KeyView& row, Engine::PrefetchPass pass) const {
    if (engine_ != nullptr) engine_->Prefetch(row, pass);
  }
  /// What there is of a row.
  Result<RowState> GetRowState(const KeyView& row);
  /// apply.cc. Changes of a transaction in several partitions of one host: all or none.
  struct Part {
    Store* store = nullptr;
    absl::InlinedVector<Change*, 2> changes;
  };
  static Status Apply(std::span<Part> parts, Effects& effects);
  /// Marks that grow with each write to a row that is watched.
  RowWatches& watches() noexcept { return watches_; }

  /// list.cc: the walks of Engine, for listing, looking and computing.
  Status WalkRow(const KeyView& row, const Pattern& pattern,
                 const std::optional<std::optional<std::string_view>>& after, Load load,
                 const Engine::Visitor& visit);
  Result<Engine::RowPage> Rows(const Engine::RowName& from, const Pattern& pattern,
                               std::size_t max_rows);

  /// A page and a compute are the host's work; it says in one partition that there was one.
  void CountListPage() noexcept { ++stats_.list_pages; }
  void CountCompute() noexcept { ++stats_.computes; }

  /// Frees some expired objects, and leases; true while some will expire.
  bool Sweep(std::size_t max_rows, Effects& effects);

  /// Ends it: everyone who waits comes out, every call from now on is Unavailable. The engine's
  /// objects are handed out to be let go by the caller.
  std::unique_ptr<Engine> Close(std::vector<std::shared_ptr<Waiter>>& waiters);

  /// See Engine; 0 once closed.
  std::uint64_t TakeTicket() noexcept { return engine_ == nullptr ? 0 : engine_->TakeTicket(); }

  /// What has happened here since the start, and what is here now.
  struct Stats {
    std::uint64_t publishes = 0;
    std::uint64_t refused = 0;  ///< Publishes answered AlreadyExists, FailedPrecondition, full.
    std::uint64_t hits = 0;     ///< Gets and wants that found their object at once.
    std::uint64_t misses = 0;
    std::uint64_t answered = 0;  ///< Waiters that a publish took out.
    std::uint64_t dropped = 0;   ///< Objects.
    std::uint64_t infos = 0;     ///< Also of what is not there; so are those of rows.
    std::uint64_t row_infos = 0;
    std::uint64_t list_pages = 0;
    std::uint64_t changes = 0;   ///< Of transactions.
    std::uint64_t computes = 0;  ///< Rows looked at for a compute, whether it ran or not.
    std::uint64_t waiting = 0;
    std::uint64_t lent = 0;  ///< Copies elsewhere.
    Engine::Stats engine;

    Stats& operator+=(const Stats& other);
  };
  Stats GetStats() const;

  /// What callers see of a stored object.
  ObjectInfo InfoOf(const StoredObject& stored) const;

 private:
  Status RefuseIfClosed() const;
  Status RefuseIfLent(std::span<Change* const> changes) const;
  /// First of all in a change: what it waited for, if it did, is over.
  void Resume(const KeyView& row, Effects& effects);
  /// Before a change. An error and a recall in `effects`: not yet. `check` says whether the change
  /// would be refused, and is asked only if something is lent.
  Status CallBack(const KeyView& row, const LeaseTable::Meant& meant,
                  const std::function<Status()>& check, Effects& effects);
  Status CallBackFor(const KeyView& key, const PutRequest& request, Effects& effects);
  Status CallBackFor(std::span<const PutItem> items, Effects& effects);
  ObjectInfo InfoOfNew(const PutRequest& request, const DataObject& object, Version version) const;
  void CollectApplied(const KeyView& key, const DataObject& object, Effects& effects);
  void Collect(const KeyView& key, const DataObject& object, const ObjectInfo& info,
               Effects& effects);

  std::unique_ptr<Engine> engine_;  ///< Null once closed.
  const Clock& clock_;
  WaiterTable waiters_;
  RowWatches watches_;
  LeaseTable leases_;
  Stats stats_;
};

}  // namespace cirein
