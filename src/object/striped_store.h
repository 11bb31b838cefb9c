// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cirein/compute.h"
#include "cirein/operations.h"

#include "object/memory_budget.h"
#include "object/store.h"
#include "object/stripe_lock.h"
#include "object/transaction.h"
#include "runtime/environment.h"

namespace cirein {

class BackedBucket;

/// Partitions in one process, shared by its pools and threads, each a Store behind a lock: of DRAM,
/// by the row's hash, it is Kelpie's LocalKV; of an elastic pool, by slots, an embedded node. An
/// operation runs on the caller's thread, because handing it to another core costs a hundred times
/// what it takes; two meet only on one stripe.
///
/// Behind a bucket there may be a store (Back): then its operations are those of a BackedBucket,
/// over what is in memory here.
///
/// What must be kept by its engine before anybody hears of it is waited for after the lock is left:
/// by the thread that called, or where there is a `done`, by nobody.
///
/// Patterns carry their bucket; keys in answers have none.
/// Thread-safe. Answers to waiters are given on the thread that publishes, after the lock is left:
/// the `done` functions given here are the pool's, not the user's.
class StripedStore : public std::enable_shared_from_this<StripedStore> {
 public:
  struct Partition {
    std::unique_ptr<Engine> engine;
    std::shared_ptr<Keeper> keeper;  ///< Null for an engine without.
  };
  struct Options {
    std::uint32_t stripes = 64;            ///< A power of two, 1 to 1024.
    std::uint64_t memory_limit_bytes = 0;  ///< Of all stripes together; 0: none.
  };

  /// Of MemoryEngines. `environment` outlives the store.
  static std::shared_ptr<StripedStore> Create(const Environment& environment,
                                              const Options& options);
  /// Of any partitions: as many as a power of two, the i-th with all rows whose place has i in its
  /// top bits.
  static std::shared_ptr<StripedStore> Create(const Environment& environment,
                                              Engine::PlaceOf place_of,
                                              std::vector<Partition> partitions);
  ~StripedStore();
  StripedStore(const StripedStore&) = delete;
  StripedStore& operator=(const StripedStore&) = delete;

  /// From now on there is a store behind the objects of this bucket, unless there is one already:
  /// what counts. Only for MemoryEngines.
  std::shared_ptr<BackedBucket> Back(Bucket bucket, std::shared_ptr<BackedBucket> backed);
  /// Null: none. Where there is one, all calls below that return a result may block for it.
  std::shared_ptr<BackedBucket> BackedBy(Bucket bucket) const {
    return any_backed_.load(std::memory_order_acquire) ? FindBacked(bucket) : nullptr;
  }

  /// Waits for copies elsewhere, if need be: those with `done` do not.
  Result<ObjectInfo> Publish(const KeyView& key, PutRequest&& request);
  void Publish(const KeyView& key, PutRequest&& request, PublishCallback done);
  /// nullopt, and nothing was done, when it would have to wait: copies elsewhere must be called
  /// back first, or there is a store behind the bucket.
  std::optional<Result<ObjectInfo>> TryPublish(const KeyView& key, PutRequest& request);
  /// Objects of one row, no key twice: all or none, as one.
  void PublishGroup(std::vector<PutItem> items, GroupCallback done);
  /// The object if it is there: a null object if not. Does not wait.
  Result<DataObject> Get(const KeyView& key);
  using LendCallback = std::function<void(Result<LentObject>)>;
  /// The same, and lends what is there for `longest` at most: until then, or until it has come
  /// back, nobody changes it. Of a bucket with a store nothing is lent, and a null object given.
  void Lend(const KeyView& key, const std::shared_ptr<CopyHolder>& holder,
            std::chrono::nanoseconds longest, LendCallback done);
  /// A copy of this key, which has its bucket, is gone.
  void Returned(const Key& key, std::uint64_t lease);
  /// Answers at once when something that matches is there; else parks. The Operation cancels.
  /// A row prefix is looked for until `end`; parked it stays until it is cancelled.
  Operation Want(const Pattern& pattern, TimePoint end, WantCallback done);
  /// Stops at `end` between two rows.
  Result<std::uint64_t> Drop(const Pattern& pattern, TimePoint end);
  void Drop(const Pattern& pattern, TimePoint end, DropCallback done);
  Result<ObjectInfo> Info(const KeyView& key);
  Result<RowInfo> GetRowInfo(const KeyView& row);
  Result<ListPage> List(const Pattern& pattern, const ListOptions& options);
  /// Runs a registered function over a row on the compute threads; `done` runs there too. A
  /// function that is cancelled before its turn does not run.
  Operation Compute(const Pattern& pattern, std::string_view function, std::string_view args,
                    const ComputeCallback& done);

  // ---- Several looks and changes as one ----

  /// Stops the partitions of these rows, in a fixed order, until the transaction ends. Blocks for
  /// as long as others are in them. Rows of several partitions need a store whose partitions share
  /// a keeper, or have none: one_keeper().
  Transaction Begin(std::span<const KeyView> rows);
  /// Of all rows.
  Transaction BeginAll();
  bool one_keeper() const noexcept { return one_keeper_; }
  /// Brings an object that is to be put under `key` to where it will stay, if it is large; then
  /// `object` is what Transaction::Offer takes, with `prepared`. Blocks. Errors as Keeper::Prepare.
  Status PrepareObject(const KeyView& key, DataObject* object, std::shared_ptr<void>* prepared);

  /// Asks memory for what transactions on these rows will read, so that it is near when they come.
  void Prefetch(std::span<const KeyView> rows);

  /// What became of a transaction. Nobody may hear of its changes, nor of what it saw, before it is
  /// kept up to the ticket (0: it is); then Tell is called.
  struct Committed {
    Status status;  ///< An error: nothing was changed.
    std::uint64_t ticket = 0;
    Keeper* keeper = nullptr;          ///< Whose ticket.
    Version version;                   ///< Of the last change, if that put an object.
    std::shared_ptr<Effects> effects;  ///< Null when there is nobody to tell.
  };
  /// Carries out its changes and lets others in.
  Committed Commit(Transaction&& transaction);
  /// Answers those who waited for what it put.
  static void Tell(Committed& committed, const Status& kept);

  /// From now on changes of the row are noticed, until Unwatch, once for each Watch. The mark grows
  /// with every write to the row, whoever makes it; not with its expiry. What it has become is what
  /// Transaction::WatchMark says.
  std::uint64_t Watch(const KeyView& row);
  void Unwatch(const KeyView& row);

  /// Everyone who waits gets Unavailable, all objects go, later calls are Unavailable.
  void Close();

  Store::Stats GetStats() const;

 private:
  // On cache lines of its own, so that two cores on two stripes do not share one.
  struct alignas(128) Stripe {
    Stripe(Partition partition, const Clock& clock)
        : prepare_bytes(partition.keeper ? partition.keeper->prepare_bytes() : UINT64_MAX),
          keeper(std::move(partition.keeper)),
          store(std::move(partition.engine), clock) {}
    const std::uint64_t prepare_bytes;
    const std::shared_ptr<Keeper> keeper;
    mutable std::mutex mutex;
    Store store;  ///< Guarded by mutex.
  };
  class ParkedWant;
  class QueuedCompute;
  struct DropState;
  friend class Transaction;
  friend class BackedBucket;

  /// A compute whose objects are yet to come.
  struct ComputeCall {
    std::string name;
    std::shared_ptr<const ComputeFunction> function;
    Pattern pattern;
    std::string args;
    ComputeCallback done;
  };

  StripedStore(const Environment& environment, Engine::PlaceOf place_of, std::size_t stripes);

  std::size_t StripeOf(std::uint64_t place) const noexcept {
    return stripe_bits_ == 0 ? 0 : static_cast<std::size_t>(place >> (64 - stripe_bits_));
  }
  std::size_t StripeOf(const KeyView& key) const {
    return stripes_.size() == 1 ? 0 : StripeOf(place_of_(key));  // A slot costs a checksum.
  }
  Stripe& StripeFor(const KeyView& key) { return *stripes_[StripeOf(key)]; }
  /// Runs `operate` inside the stripe, and waits outside until what it wrote or saw is kept.
  template <typename Operate>
  auto WithStripe(const KeyView& key, Operate&& operate);
  /// Runs an operation inside a stripe; its result, and how far the stripe must be kept before
  /// anybody hears of it.
  template <typename Operate>
  static auto Inside(Stripe& stripe, Operate&& operate);
  static void WhenKept(Stripe& stripe, std::uint64_t ticket, std::function<void(Status)> done);
  std::shared_ptr<BackedBucket> FindBacked(Bucket bucket) const;
  // The same for what is in memory alone, as if nothing were behind it.
  Operation WantHere(const Pattern& pattern, TimePoint end, WantCallback done);
  Result<ObjectInfo> InfoHere(const KeyView& key);
  Result<ListPage> ListHere(const Pattern& pattern, const ListOptions& options);
  /// What a function is to be run over: in the order of its columns.
  Status Collect(const Pattern& pattern, std::vector<NamedObject>* objects);
  void RunCompute(const std::shared_ptr<QueuedCompute>& queued, ComputeCall call,
                  std::vector<NamedObject> objects);
  static Status Prepare(Stripe& stripe, const KeyView& key, PutRequest& request);
  /// One try of a publish.
  Result<ObjectInfo> PublishHere(Stripe& stripe, const KeyView& key, PutRequest& request,
                                 Effects& effects);
  void PublishAfter(const KeyView& key, PutRequest&& request, std::shared_ptr<Recall> recall,
                    PublishCallback done);
  void PublishGroupAfter(std::vector<PutItem> items, std::shared_ptr<Recall> recall,
                         GroupCallback done);
  /// Goes on with it; not at its end when a recall must be awaited first.
  Status DropSome(DropState& state);
  void DropRest(const std::shared_ptr<DropState>& state);
  /// Asks for the copies back.
  static void Tell(Effects& effects);
  enum class Length : std::uint8_t { kShort, kLong };
  /// Calls back what the effects say, and has `resume` run when that is over. That may be on a
  /// thread that must not wait: what may wait, or is long, runs elsewhere then.
  void CallBack(Effects& effects, Length length, std::function<void()> resume);
  /// The same; returns when it is over.
  void AwaitRecall(Effects& effects);

  static void Answer(std::span<const std::shared_ptr<Waiter>> waiters,
                     const Result<NamedObject>& result);
  static void Answer(Effects& effects, const Status& kept);
  void WantInRow(const Pattern& pattern, const std::shared_ptr<ParkedWant>& want);
  void WantPrefix(const Pattern& pattern, TimePoint end, const std::shared_ptr<ParkedWant>& want);
  /// Calls `visit` with each row that matches, stripe by stripe and in table order, from a place
  /// on; no lock is held while it does. After looking at `max_rows` rows it stops and says where;
  /// at `end` it fails with DeadlineExceeded.
  Result<std::optional<Engine::RowName>> EachRow(
      const Pattern& pattern, Engine::RowName from, std::size_t max_rows, TimePoint end,
      const std::function<bool(const Engine::RowName& row)>& visit);

  Result<Engine::RowPage> RowsOf(Transaction& transaction, const Engine::RowName& from,
                                 const Pattern& pattern, std::size_t max_rows);

  void ArmSweep();
  void Sweep();

  const Environment environment_;
  const Engine::PlaceOf place_of_;
  const unsigned stripe_bits_;
  std::unique_ptr<MemoryBudget> budget_;  ///< Of MemoryEngines.
  std::vector<std::unique_ptr<Stripe>> stripes_;
  std::atomic<bool> sweep_armed_{false};
  bool one_keeper_ = true;

  std::atomic<bool> any_backed_{false};
  mutable std::mutex backed_mutex_;
  std::map<Bucket, std::shared_ptr<BackedBucket>> backed_;  ///< Guarded by backed_mutex_.
};

template <typename Operate>
auto StripedStore::Inside(Stripe& stripe, Operate&& operate) {
  const std::unique_lock lock = LockSoon(stripe.mutex);
  auto result = operate(stripe.store);
  return std::pair(std::move(result), stripe.store.TakeTicket());
}

}  // namespace cirein
