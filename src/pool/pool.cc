// SPDX-License-Identifier: Apache-2.0
#include "cirein/pool.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "object/finished.h"
#include "pool/collector_state.h"
#include "pool/pool_state.h"
#include "runtime/notification.h"

namespace cirein {
namespace {

Status NoPool() {
  return FailedPrecondition("this pool handle is connected to nothing",
                            "assign it what cirein::Connect gives");
}

Status CheckBucket(Bucket given, const Pool::State& pool) {
  if (!given.specified() || given == pool.url().bucket()) return OkStatus();
  return InvalidArgument(fmt::format("the key is of bucket {}, the pool of {}", given.ToString(),
                                     pool.url().bucket().ToString()),
                         "leave the key's bucket out, or connect to a pool with that bucket");
}

Status CheckReady(const Pool::State& pool) {
  return pool.process().stopped() ? LibraryFinished() : OkStatus();
}

Status CheckKey(const Key& key, const Pool::State& pool) {
  CIREIN_RETURN_IF_ERROR(CheckReady(pool));
  CIREIN_RETURN_IF_ERROR(key.Validate());
  return CheckBucket(key.bucket(), pool);
}

Status CheckPattern(const Pattern& pattern, const Pool::State& pool) {
  CIREIN_RETURN_IF_ERROR(CheckReady(pool));
  CIREIN_RETURN_IF_ERROR(pattern.Validate());
  return CheckBucket(pattern.bucket(), pool);
}

Status CheckPublish(const Key& key, const DataObject& object, const PublishOptions& options,
                    const Pool::State& pool) {
  CIREIN_RETURN_IF_ERROR(CheckKey(key, pool));
  if (object.is_null()) {
    return InvalidArgument(
        fmt::format("\"{}\" cannot be published: the object is null", key.ToString()),
        "make one with DataObject::Allocate, Copy, Wrap or View");
  }
  if (object.data_bytes() > pool.process().object_limit_bytes()) {
    return InvalidArgument(
        fmt::format("\"{}\" has {} bytes of data, more than the {} allowed", key.ToString(),
                    object.data_bytes(), pool.process().object_limit_bytes()),
        "split it into columns of a row, or raise memory.object_limit");
  }
  if (options.ttl && *options.ttl <= options.ttl->zero()) {
    return InvalidArgument(
        fmt::format("\"{}\" cannot be published with a ttl of nothing", key.ToString()),
        "give a positive ttl, or none");
  }
  return OkStatus();
}

// Keys are compared without their bucket, which CheckKey has looked at: it may be named or not.
Status CheckNoKeyTwice(const std::vector<PublishItem>& items) {
  std::vector<const Key*> keys;
  keys.reserve(items.size());
  for (const PublishItem& item : items) keys.push_back(&item.key);
  const auto place = [](const Key* key) {
    return std::pair(key->has_column(), std::string_view(key->column()));
  };
  std::sort(keys.begin(), keys.end(),
            [&](const Key* a, const Key* b) { return place(a) < place(b); });
  const auto twice = std::adjacent_find(
      keys.begin(), keys.end(), [&](const Key* a, const Key* b) { return place(a) == place(b); });
  if (twice == keys.end()) return OkStatus();
  return InvalidArgument(fmt::format("\"{}\" stands twice in the group", (*twice)->ToString()),
                         "leave out all but the last object of a key");
}

Status CheckGroup(const std::vector<PublishItem>& items, const PublishOptions& options,
                  const Pool::State& pool) {
  CIREIN_RETURN_IF_ERROR(CheckReady(pool));
  if (items.empty() || items.size() > kMaxGroupItems) {
    return InvalidArgument(fmt::format("a group cannot have {} objects", items.size()),
                           fmt::format("give 1 to {}", kMaxGroupItems));
  }
  if (options.if_version) {
    return InvalidArgument("a group cannot be bound to a version: if_version is of one object",
                           "leave it out, or publish that object alone");
  }
  for (const PublishItem& item : items) {
    CIREIN_RETURN_IF_ERROR(CheckPublish(item.key, item.object, options, pool));
    if (item.key.row() != items[0].key.row()) {
      return InvalidArgument(fmt::format("\"{}\" and \"{}\" of one group are of two rows",
                                         items[0].key.ToString(), item.key.ToString()),
                             "publish a group for each row");
    }
  }
  return CheckNoKeyTwice(items);
}

// Nearly every publish and need passes these few tests and may take a backend's short cut. What
// does not goes the long way, where it is refused with words if it must be.
bool IsOrdinary(const Key& key, const Pool::State& pool) {
  return key.valid() && !key.bucket().specified() && !pool.process().stopped();
}
bool IsOrdinary(const DataObject& object, const PublishOptions& options, const Pool::State& pool) {
  return !object.is_null() && object.data_bytes() <= pool.process().object_limit_bytes() &&
         (!options.ttl || *options.ttl > options.ttl->zero());
}

Status CheckCompute(const ComputeRequest& request, const Pool::State& pool) {
  CIREIN_RETURN_IF_ERROR(CheckPattern(request.pattern, pool));
  if (request.args.size() > kMaxComputeArgsBytes) {
    return InvalidArgument(fmt::format("compute takes at most {} bytes of arguments, not {}",
                                       kMaxComputeArgsBytes, request.args.size()),
                           "publish them as an object of the row instead");
  }
  if (!request.pattern.row_is_prefix()) return OkStatus();
  return InvalidArgument(
      fmt::format("compute works on one row, not on \"{}\"", request.pattern.ToString()),
      "give the row exactly; its columns may have a prefix");
}

Status CheckList(const Pattern& pattern, const ListOptions& options, const Pool::State& pool) {
  CIREIN_RETURN_IF_ERROR(CheckPattern(pattern, pool));
  if (options.page_size >= 1 && options.page_size <= ListOptions::kMaxPageSize) return OkStatus();
  return InvalidArgument(fmt::format("a page cannot have {} objects", options.page_size),
                         fmt::format("give 1 to {}", ListOptions::kMaxPageSize));
}

// What backends are given and give back has no bucket: see PoolBackend. Hardly any user names one,
// so the copy is rare.
Key WithoutBucket(Key key) {
  key.set_bucket(Bucket());
  return key;
}
Pattern WithoutBucket(Pattern pattern) {
  pattern.set_bucket(Bucket());
  return pattern;
}

Deadline Resolve(Deadline deadline, const Pool::State& pool) {
  return deadline.Or(pool.process().default_deadline());
}

// A backend may be the user's own and throw: inside a catch block, what that means to the caller.
Status Threw(const Pool::State& pool) {
  std::string what = "something that is no std::exception";
  try {
    throw;
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
  }
  return Aborted(fmt::format("the pool type \"{}\" threw: {}", pool.backend().type(), what),
                 "make it answer with an error instead of throwing");
}

// A backend's short cut. What it costs not to be thrown at is nothing until it happens.
template <typename ShortCut>
auto Try(const Pool::State& pool, ShortCut&& short_cut) -> decltype(short_cut()) {
  try {
    return short_cut();
  } catch (...) {
    return Threw(pool);
  }
}

// One operation, however its answer is wanted: what it is called in errors, why it cannot be, how
// long it may take, and how the backend is asked.
template <typename T>
struct Call {
  using Done = std::function<void(Result<T>)>;

  const Pool::State& pool;
  std::string what;
  Status refusal;
  Deadline deadline;  // Resolved.
  std::function<Operation(Done)> start;

  TimePoint End() const { return pool.process().environment().clock.EndOf(deadline); }

  // Hands the answer to `done`.
  Operation Begin(Delivery delivery, Done done) {
    if (!refusal.ok()) {
      CallInPlace<T>(done, refusal);
      return Operation();
    }
    const TimePoint end = End();
    const auto pending = MakePending(delivery, std::move(done));
    if (!pending->Begin()) return Operation();
    return pending->Started(Ask(*pending), end);
  }

  // Hands the answer to `done`, code of ours; whoever asked keeps the deadline. Null when it was
  // answered at once.
  std::shared_ptr<PendingBase> BeginInPlace(Done done) {
    if (!refusal.ok()) {
      done(refusal);
      return nullptr;
    }
    const auto pending = MakePending(Delivery::kInPlace, std::move(done));
    if (!pending->Begin()) return nullptr;
    pending->Started(Ask(*pending), kEndOfTime);
    return pending->done() ? nullptr : pending;
  }

  // Waits for the answer; this thread keeps the deadline itself.
  Result<T> Wait() {
    if (!refusal.ok()) return refusal;
    struct Answer {
      Notification arrived;
      std::optional<Result<T>> result;
    };
    // Shared with the callback: who answers may be in it still when this frame has ended.
    const auto answer = std::make_shared<Answer>();
    const TimePoint end = End();
    const auto pending = MakePending(Delivery::kInPlace, [answer](Result<T> result) {
      answer->result.emplace(std::move(result));
      answer->arrived.Notify();
    });
    if (pending->Begin()) {
      pending->Started(Ask(*pending), kEndOfTime);
      if (!answer->arrived.WaitUntil(end)) pending->Expire();
    }
    // Whoever claimed the answer has given it or is about to.
    answer->arrived.WaitUntil(kEndOfTime);
    return std::move(*answer->result);
  }

  // Writes the answer into an entry of the collector with `fill`.
  template <typename Fill>
  Operation Collect(ResultCollector::State& collector, ResultCollector::Kind kind,
                    const Pattern& pattern, Fill fill) {
    const auto ticket = collector.Add(kind, pattern);
    return Begin(Delivery::kInPlace,
                 [keep = collector.shared_from_this(), ticket, fill](Result<T> result) {
                   keep->Fill(ticket, [&](ResultCollector::Entry& entry) {
                     entry.status = result.status();
                     if (result.ok()) fill(entry, std::move(*result));
                   });
                 });
  }

 private:
  Operation Ask(Pending<T>& pending) {
    const Done done = pending.Sink();
    try {
      return start(done);
    } catch (...) {
      done(Threw(pool));  // Unless it answered before.
    }
    return Operation();
  }

  std::shared_ptr<Pending<T>> MakePending(Delivery delivery, Done done) {
    return std::make_shared<Pending<T>>(pool.shared_from_this(), pool.process().pending(),
                                        pool.process().environment(), std::move(what),
                                        std::move(done), delivery);
  }
};

std::string Name(std::string_view verb, const std::string& subject) {
  return fmt::format("{} \"{}\"", verb, subject);
}

// One function for each verb: everything its forms have in common.

Call<ObjectInfo> PublishCall(const Pool::State& pool, const Key& key, DataObject object,
                             PublishOptions options) {
  options.deadline = Resolve(options.deadline, pool);
  Status refusal = CheckPublish(key, object, options, pool);
  return {
      pool, Name("publish", key.ToString()), std::move(refusal), options.deadline,
      [&pool, key = WithoutBucket(key), object = std::move(object), options](PublishCallback done) {
        return pool.backend().Publish(key, object, options, std::move(done));
      }};
}

Call<std::vector<ObjectInfo>> PublishGroupCall(const Pool::State& pool,
                                               std::vector<PublishItem> items,
                                               PublishOptions options) {
  options.deadline = Resolve(options.deadline, pool);
  Status refusal = CheckGroup(items, options, pool);
  std::string what = Name("publish a group in",
                          items.empty() ? std::string() : Key(items[0].key.row()).ToString());
  for (PublishItem& item : items) item.key.set_bucket(Bucket());
  return {pool, std::move(what), std::move(refusal), options.deadline,
          [&pool, items = std::move(items), options](GroupCallback done) mutable {
            return pool.backend().PublishGroup(std::move(items), options, std::move(done));
          }};
}

Call<NamedObject> WantCall(const Pool::State& pool, std::string_view verb, const Pattern& pattern,
                           WantOptions options) {
  options.deadline = Resolve(options.deadline, pool);
  return {pool, Name(verb, pattern.ToString()), CheckPattern(pattern, pool), options.deadline,
          [&pool, pattern = WithoutBucket(pattern), options](WantCallback done) {
            return pool.backend().Want(pattern, options, std::move(done));
          }};
}

Call<NamedObject> FetchAheadCall(const Pool::State& pool, const Pattern& pattern,
                                 WantOptions options) {
  options.deadline = Resolve(options.deadline, pool);
  return {pool, Name("fetch", pattern.ToString()), CheckPattern(pattern, pool), options.deadline,
          [&pool, pattern = WithoutBucket(pattern), options](WantCallback done) {
            return pool.backend().FetchAhead(pattern, options, std::move(done));
          }};
}

Call<std::uint64_t> DropCall(const Pool::State& pool, const Pattern& pattern, Deadline deadline) {
  deadline = Resolve(deadline, pool);
  return {pool, Name("drop", pattern.ToString()), CheckPattern(pattern, pool), deadline,
          [&pool, pattern = WithoutBucket(pattern), deadline](DropCallback done) {
            return pool.backend().Drop(pattern, deadline, std::move(done));
          }};
}

Call<ObjectInfo> InfoCall(const Pool::State& pool, const Key& key, Deadline deadline) {
  deadline = Resolve(deadline, pool);
  return {pool, Name("info", key.ToString()), CheckKey(key, pool), deadline,
          [&pool, key = WithoutBucket(key), deadline](InfoCallback done) {
            return pool.backend().Info(key, deadline, std::move(done));
          }};
}

Call<RowInfo> RowInfoCall(const Pool::State& pool, const Key& key, Deadline deadline) {
  deadline = Resolve(deadline, pool);
  return {pool, Name("row info", key.ToString()), CheckKey(key, pool), deadline,
          [&pool, row = WithoutBucket(key), deadline](RowInfoCallback done) {
            return pool.backend().GetRowInfo(row, deadline, std::move(done));
          }};
}

Call<ListPage> ListCall(const Pool::State& pool, const Pattern& pattern, ListOptions options) {
  options.deadline = Resolve(options.deadline, pool);
  Status refusal = CheckList(pattern, options, pool);
  return {pool, Name("list", pattern.ToString()), std::move(refusal), options.deadline,
          [&pool, pattern = WithoutBucket(pattern), options](ListCallback done) {
            return pool.backend().List(pattern, options, std::move(done));
          }};
}

Call<DataObject> ComputeCall(const Pool::State& pool, ComputeRequest request, Deadline deadline) {
  deadline = Resolve(deadline, pool);
  Status refusal = CheckCompute(request, pool);
  request.pattern = WithoutBucket(std::move(request.pattern));
  std::string what = fmt::format("compute {} over \"{}\"", EscapeForPeople(request.function),
                                 request.pattern.ToString());
  return {pool, std::move(what), std::move(refusal), deadline,
          [&pool, request = std::move(request), deadline](ComputeCallback done) {
            return pool.backend().Compute(request, deadline, std::move(done));
          }};
}

// Results of many calls that share one deadline, which the waiting thread keeps.
template <typename T>
class Batch {
 public:
  Batch(const Pool::State& pool, Deadline deadline, std::size_t size)
      : end_(pool.process().environment().clock.EndOf(Resolve(deadline, pool))),
        shared_(std::make_shared<Shared>(size)) {
    begun_.reserve(size);
  }

  std::function<void(Result<T>)> Sink(std::size_t i) {
    return [shared = shared_, i](Result<T> result) { shared->Set(i, std::move(result)); };
  }
  // Keeps what Call::BeginInPlace gave.
  void Add(std::shared_ptr<PendingBase> begun) {
    if (begun != nullptr) begun_.push_back(std::move(begun));
  }
  std::vector<Result<T>> Wait() {
    if (!shared_->results.empty() && !shared_->all.WaitUntil(end_)) {
      for (const std::shared_ptr<PendingBase>& pending : begun_) pending->Expire();
      shared_->all.WaitUntil(kEndOfTime);
    }
    std::vector<Result<T>> results;
    results.reserve(shared_->results.size());
    for (std::optional<Result<T>>& result : shared_->results) results.push_back(std::move(*result));
    return results;
  }

 private:
  struct Shared {
    explicit Shared(std::size_t size) : results(size), missing(size) {}
    void Set(std::size_t i, Result<T> result) {
      results[i].emplace(std::move(result));
      if (missing.fetch_sub(1, std::memory_order_acq_rel) == 1) all.Notify();
    }
    std::vector<std::optional<Result<T>>> results;
    std::atomic<std::size_t> missing;
    Notification all;
  };
  const TimePoint end_;
  std::shared_ptr<Shared> shared_;
  std::vector<std::shared_ptr<PendingBase>> begun_;
};

template <typename T>
Operation Refuse(const std::function<void(Result<T>)>& done) {
  CallInPlace<T>(done, NoPool());
  return Operation();
}

Operation Refuse(ResultCollector::State& collector, ResultCollector::Kind kind,
                 const Pattern& pattern) {
  collector.Fill(collector.Add(kind, pattern),
                 [](ResultCollector::Entry& entry) { entry.status = NoPool(); });
  return Operation();
}

}  // namespace

const ResourceUrl& Pool::url() const {
  static const ResourceUrl& none = *new ResourceUrl;
  return state_ ? state_->url() : none;
}

std::string_view Pool::type() const { return state_ ? state_->backend().type() : ""; }

Bucket Pool::bucket() const { return url().bucket(); }

// The state outlives each call: a backend's answer may come when the last handle is gone, but then
// the Call that refers to the state is gone too.

Result<ObjectInfo> Pool::Publish(const Key& key, DataObject object,
                                 const PublishOptions& options) const {
  if (!state_) return NoPool();
  if (IsOrdinary(key, *state_) && IsOrdinary(object, options, *state_)) {
    auto answer = Try(*state_, [&] { return state_->backend().TryPublish(key, object, options); });
    if (answer) return std::move(*answer);
  }
  return PublishCall(*state_, key, std::move(object), options).Wait();
}

Operation Pool::PublishThen(const Key& key, DataObject object, PublishCallback done,
                            const PublishOptions& options) const {
  if (!state_) return Refuse(done);
  return PublishCall(*state_, key, std::move(object), options)
      .Begin(Delivery::kOnCallbackThread, std::move(done));
}

Operation Pool::Publish(const Key& key, DataObject object, ResultCollector& collector,
                        const PublishOptions& options) const {
  if (!state_) return Refuse(*collector.state_, ResultCollector::Kind::kPublish, key);
  return PublishCall(*state_, key, std::move(object), options)
      .Collect(*collector.state_, ResultCollector::Kind::kPublish, key,
               [key](ResultCollector::Entry& entry, ObjectInfo info) {
                 entry.key = key;
                 entry.info = info;
               });
}

Result<std::vector<ObjectInfo>> Pool::PublishGroup(std::vector<PublishItem> items,
                                                   const PublishOptions& options) const {
  if (!state_) return NoPool();
  return PublishGroupCall(*state_, std::move(items), options).Wait();
}

Operation Pool::PublishGroupThen(std::vector<PublishItem> items, GroupCallback done,
                                 const PublishOptions& options) const {
  if (!state_) return Refuse(done);
  return PublishGroupCall(*state_, std::move(items), options)
      .Begin(Delivery::kOnCallbackThread, std::move(done));
}

Operation Pool::Want(const Pattern& what, WantCallback done, const WantOptions& options) const {
  if (!state_) return Refuse(done);
  auto call = done ? WantCall(*state_, "want", what, options)
                   : FetchAheadCall(*state_, what, options);
  return call.Begin(Delivery::kOnCallbackThread, std::move(done));
}

Operation Pool::Want(const Pattern& what, ResultCollector& collector,
                     const WantOptions& options) const {
  if (!state_) return Refuse(*collector.state_, ResultCollector::Kind::kWant, what);
  return WantCall(*state_, "want", what, options)
      .Collect(*collector.state_, ResultCollector::Kind::kWant, what,
               [](ResultCollector::Entry& entry, NamedObject found) {
                 entry.key = std::move(found.key);
                 entry.object = std::move(found.object);
                 entry.info = found.info;
               });
}

Result<DataObject> Pool::Need(const Key& key, const NeedOptions& options) const {
  if (!state_) return NoPool();
  if (IsOrdinary(key, *state_)) {
    auto answer = Try(*state_, [&] { return state_->backend().TryNeed(key); });
    if (answer) return std::move(*answer);
  }
  Result<NamedObject> found = WantCall(*state_, "need", key, {.deadline = options.deadline}).Wait();
  if (!found.ok()) return found.status();
  return std::move(found->object);
}

Result<std::uint64_t> Pool::Drop(const Pattern& what, Deadline deadline) const {
  if (!state_) return NoPool();
  return DropCall(*state_, what, deadline).Wait();
}

Operation Pool::Drop(const Pattern& what, DropCallback done, Deadline deadline) const {
  if (!state_) return Refuse(done);
  return DropCall(*state_, what, deadline).Begin(Delivery::kOnCallbackThread, std::move(done));
}

Operation Pool::Drop(const Pattern& what, ResultCollector& collector, Deadline deadline) const {
  if (!state_) return Refuse(*collector.state_, ResultCollector::Kind::kDrop, what);
  return DropCall(*state_, what, deadline)
      .Collect(
          *collector.state_, ResultCollector::Kind::kDrop, what,
          [](ResultCollector::Entry& entry, std::uint64_t dropped) { entry.dropped = dropped; });
}

Result<ObjectInfo> Pool::Info(const Key& key, Deadline deadline) const {
  if (!state_) return NoPool();
  return InfoCall(*state_, key, deadline).Wait();
}

Operation Pool::Info(const Key& key, InfoCallback done, Deadline deadline) const {
  if (!state_) return Refuse(done);
  return InfoCall(*state_, key, deadline).Begin(Delivery::kOnCallbackThread, std::move(done));
}

Result<cirein::RowInfo> Pool::RowInfo(const Key& key, Deadline deadline) const {
  if (!state_) return NoPool();
  return RowInfoCall(*state_, key, deadline).Wait();
}

Result<ListPage> Pool::List(const Pattern& what, const ListOptions& options) const {
  if (!state_) return NoPool();
  return ListCall(*state_, what, options).Wait();
}

Result<DataObject> Pool::Compute(const Pattern& row_pattern, std::string_view function,
                                 std::string_view args, Deadline deadline) const {
  if (!state_) return NoPool();
  return ComputeCall(*state_, {row_pattern, std::string(function), std::string(args)}, deadline)
      .Wait();
}

Operation Pool::Compute(const Pattern& row_pattern, std::string_view function,
                        std::string_view args, ComputeCallback done, Deadline deadline) const {
  if (!state_) return Refuse(done);
  return ComputeCall(*state_, {row_pattern, std::string(function), std::string(args)}, deadline)
      .Begin(Delivery::kOnCallbackThread, std::move(done));
}

Operation Pool::Compute(const Pattern& row_pattern, std::string_view function,
                        std::string_view args, ResultCollector& collector,
                        Deadline deadline) const {
  if (!state_) return Refuse(*collector.state_, ResultCollector::Kind::kCompute, row_pattern);
  return ComputeCall(*state_, {row_pattern, std::string(function), std::string(args)}, deadline)
      .Collect(*collector.state_, ResultCollector::Kind::kCompute, row_pattern,
               [](ResultCollector::Entry& entry, DataObject object) {
                 entry.object = std::move(object);
               });
}

std::vector<Result<ObjectInfo>> Pool::PublishAll(std::span<const PublishItem> items,
                                                 const PublishOptions& options) const {
  if (!state_) return std::vector<Result<ObjectInfo>>(items.size(), NoPool());
  Batch<ObjectInfo> batch(*state_, options.deadline, items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    batch.Add(
        PublishCall(*state_, items[i].key, items[i].object, options).BeginInPlace(batch.Sink(i)));
  }
  return batch.Wait();
}

std::vector<Result<DataObject>> Pool::NeedAll(std::span<const Key> keys,
                                              const NeedOptions& options) const {
  if (!state_) return std::vector<Result<DataObject>>(keys.size(), NoPool());
  Batch<DataObject> batch(*state_, options.deadline, keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto take = [sink = batch.Sink(i)](Result<NamedObject> found) {
      sink(found.ok() ? Result<DataObject>(std::move(found->object)) : found.status());
    };
    batch.Add(
        WantCall(*state_, "need", keys[i], {.deadline = options.deadline}).BeginInPlace(take));
  }
  return batch.Wait();
}

std::vector<Result<ObjectInfo>> Pool::InfoAll(std::span<const Key> keys, Deadline deadline) const {
  if (!state_) return std::vector<Result<ObjectInfo>>(keys.size(), NoPool());
  Batch<ObjectInfo> batch(*state_, deadline, keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    batch.Add(InfoCall(*state_, keys[i], deadline).BeginInPlace(batch.Sink(i)));
  }
  return batch.Wait();
}

}  // namespace cirein
