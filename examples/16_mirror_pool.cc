// SPDX-License-Identifier: Apache-2.0

// A pool type of one's own that replicates: it publishes to several pools, and reads from whichever
// of them is there. The process that has one ends, and nothing is missing.
// Prints: published to 2 pools
// Prints: one of them is gone
// Prints: still there: replicated

#include <cstdint>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "processes.h"

using namespace cirein;
namespace {

enum class Until { kFirstGood, kAllTold };

/// The answers of all pools to one call. Told one by one, on any thread.
template <typename Answer>
class Answers {
 public:
  using Done = std::function<void(Result<Answer>)>;
  Answers(std::size_t awaited, Until until, Done done)
      : awaited_(awaited), until_(until), done_(std::move(done)) {}

  /// The first good answer counts, or else the first refusal: that a pool cannot be reached says
  /// nothing while there is another one.
  void Tell(Result<Answer> answer) {
    std::unique_lock lock(mutex_);
    const auto rank = [](const Result<Answer>& each) {
      return each.ok() ? 2 : each.code() != StatusCode::kUnavailable;
    };
    if (told_++ == 0 || rank(answer) > rank(best_)) best_ = std::move(answer);
    const bool enough = until_ == Until::kFirstGood && best_.ok();
    if (done_ == nullptr || (told_ < awaited_ && !enough)) return;
    const Done done = std::exchange(done_, nullptr);
    lock.unlock();
    done(std::move(best_));
  }

 private:
  const std::size_t awaited_;
  const Until until_;
  std::mutex mutex_;
  std::size_t told_ = 0;
  Result<Answer> best_ = Unavailable("no pool has answered");
  Done done_;
};

/// Cancelled at all pools together.
class Together : public Operation::Impl {
 public:
  explicit Together(std::vector<Operation> all) : all_(std::move(all)) {}
  bool Cancel() override {
    bool any = false;
    for (Operation& each : all_) any |= each.Cancel();
    return any;
  }
  bool done() const override {
    for (const Operation& each : all_) {
      if (!each.done()) return false;
    }
    return true;
  }

 private:
  std::vector<Operation> all_;
};

class MirrorPool : public PoolBackend {
 public:
  explicit MirrorPool(std::vector<Pool> pools) : pools_(std::move(pools)) {}
  std::string_view type() const override { return "mirror"; }

  Operation Publish(const Key& key, DataObject object, const PublishOptions& options,
                    PublishCallback done) override {
    return AtAll<ObjectInfo>(Until::kAllTold, std::move(done), [&](Pool& pool, auto tell) {
      return pool.Publish(key, object, tell, options);
    });
  }
  Operation Want(const Pattern& what, const WantOptions& options, WantCallback done) override {
    return AtAll<NamedObject>(Until::kFirstGood, std::move(done), [&](Pool& pool, auto tell) {
      return pool.Want(what, tell, options);
    });
  }
  Operation Drop(const Pattern& what, Deadline deadline, DropCallback done) override {
    return AtAll<std::uint64_t>(Until::kAllTold, std::move(done), [&](Pool& pool, auto tell) {
      return pool.Drop(what, tell, deadline);
    });
  }
  Operation Info(const Key& key, Deadline deadline, InfoCallback done) override {
    return AtAll<ObjectInfo>(Until::kFirstGood, std::move(done),
                             [&](Pool& pool, auto tell) { return pool.Info(key, tell, deadline); });
  }
  Operation Compute(const ComputeRequest& what, Deadline deadline, ComputeCallback done) override {
    return AtAll<DataObject>(Until::kFirstGood, std::move(done), [&](Pool& pool, auto tell) {
      return pool.Compute(what.pattern, what.function, what.args, tell, deadline);
    });
  }
  Operation GetRowInfo(const Key&, Deadline, RowInfoCallback done) override {
    return done(Unimplemented("mirror: pools know no rows")), Operation();
  }
  Operation List(const Pattern&, const ListOptions&, ListCallback done) override {
    return done(Unimplemented("mirror: pools do not list")), Operation();
  }

 private:
  template <typename Answer, typename Call>
  Operation AtAll(Until until, typename Answers<Answer>::Done done, const Call& call) {
    auto answers = std::make_shared<Answers<Answer>>(pools_.size(), until, std::move(done));
    std::vector<Operation> all;
    for (Pool& pool : pools_) {
      all.push_back(
          call(pool, [answers](Result<Answer> answer) { answers->Tell(std::move(answer)); }));
    }
    return Operation(std::make_shared<Together>(std::move(all)));
  }

  std::vector<Pool> pools_;
};

Result<std::shared_ptr<PoolBackend>> MakeMirrorPool(const PoolContext& context) {
  std::vector<Pool> pools;
  for (const char* option : {"one", "other"}) {
    CIREIN_ASSIGN_OR_RETURN(Pool pool, Connect(context.url.option(option).value_or("")));
    pools.push_back(std::move(pool));
  }
  return std::shared_ptr<PoolBackend>(std::make_shared<MirrorPool>(std::move(pools)));
}

Status Use(const examples::Place& place, const std::string& one, const std::string& other) {
  CIREIN_RETURN_IF_ERROR(RegisterPoolType(
      {"mirror", "publishes to two pools, reads from either", {"one", "other"}, MakeMirrorPool}));
  CIREIN_ASSIGN_OR_RETURN(ResourceUrl url, ResourceUrl::Parse("mirror:/both"));
  CIREIN_ASSIGN_OR_RETURN(const Pool mirror,
                          Connect(url.set_option("one", one).set_option("other", other)));
  const Key key("result");
  CIREIN_ASSIGN_OR_RETURN(auto object, DataObject::FromString("replicated"));
  CIREIN_RETURN_IF_ERROR(mirror.Publish(key, object).status());
  std::cout << "published to 2 pools\n";
  place.Exchange();
  CIREIN_ASSIGN_OR_RETURN(const Pool first, Connect(one));
  while (first.Info(key).ok()) continue;
  std::cout << "one of them is gone\n";
  CIREIN_ASSIGN_OR_RETURN(const DataObject found, mirror.Need(key));
  std::cout << "still there: " << found.text() << '\n';
  // Whom this lets go may be gone before it has answered.
  (void)mirror.Publish(Key("the end"), object);
  return OkStatus();
}

Status Run(const examples::Place& place) {
  const Library library;
  CIREIN_RETURN_IF_ERROR(library.status());
  CIREIN_ASSIGN_OR_RETURN(const std::string address, OwnAddress());
  const std::vector<std::string> addresses = place.Exchange(address);
  const auto pool_at = [&](std::size_t rank) {
    return "dht:/copy" + examples::Members({addresses[rank]});
  };
  if (place.rank == 2) return Use(place, pool_at(0), pool_at(1));
  CIREIN_ASSIGN_OR_RETURN(const Pool own, Connect(pool_at(static_cast<std::size_t>(place.rank))));
  place.Exchange();
  if (place.rank == 0) _exit(0);  // With all it has, and without a word.
  return own.Need(Key("the end")).status();
}
}  // namespace

int main() { return examples::RunProcesses(3, Run); }
