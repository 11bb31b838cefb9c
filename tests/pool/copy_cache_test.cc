// SPDX-License-Identifier: Apache-2.0
#include "pool/copy_cache.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "fabric/sim/sim_network.h"
#include "node/object_service.h"
#include "object/object_messages.h"
#include "object/object_transfers.h"
#include "pool/member_link.h"
#include "pool/remote_pool.h"
#include "runtime/virtual_host.h"
#include "support/objects.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using fabric::CostModel;
using fabric::SimNetwork;

constexpr std::chrono::nanoseconds kLeaseTime = 500ms;
const Bucket kCopiesBucket{7};

/// What came of an operation, and when it began and ended by the world's clock.
template <typename T>
struct Outcome {
  int count = 0;
  Result<T> result = Internal("not answered");
  TimePoint begun{};
  TimePoint ended{};
};

std::shared_ptr<ObjectTransfers> TransfersOf(fabric::Transport& transport, VirtualHost& host) {
  return std::make_shared<ObjectTransfers>(transport, host.environment().clock,
                                           ObjectTransfers::Options{.inline_bytes_max = 64 << 10});
}

/// A requester: a host with a pool over the owner, through which copies are kept.
class Requester final : public Network {
 public:
  Requester(VirtualScheduler& world, SimNetwork& network, const VirtualHost::Options& host,
            std::uint64_t limit_bytes)
      : world_(world),
        host_(world, host),
        copies_(host_.environment().clock, {.limit_bytes = limit_bytes}),
        transport_(network.Join(host_)),
        transfers_(TransfersOf(*transport_, host_)) {
    StorePoolOptions options;
    options.bucket = kCopiesBucket;
    options.behavior = Behavior(Behavior::kDefaultRemote).with(Behavior::kEnableOverwrites);
    pool_ = MakeRemotePool("dht", std::make_shared<MemberLink>(*this, "sim://owner"),
                           host_.environment().clock, host_.environment().timers, options);
  }

  Status Connect(const fabric::Address& address, Deadline deadline,
                 ObjectClient::ConnectCallback done) override {
    return ObjectClient::Connect(*transport_, address, deadline, std::move(done), transfers_,
                                 &copies_);
  }

  /// Begins an operation in a piece of work of this host.
  template <typename T>
  std::shared_ptr<Outcome<T>> Begin(
      const std::function<void(PoolBackend&, std::function<void(Result<T>)>)>& call) {
    auto outcome = std::make_shared<Outcome<T>>();
    host_.Post(world_.now(), "call", [this, outcome, call] {
      outcome->begun = world_.now();
      call(*pool_, [this, outcome](Result<T> result) {
        ++outcome->count;
        outcome->result = std::move(result);
        outcome->ended = world_.now();
      });
    });
    return outcome;
  }
  std::shared_ptr<Outcome<NamedObject>> Need(const Key& key, Deadline deadline = 10s) {
    return Begin<NamedObject>([key, deadline](PoolBackend& pool, WantCallback done) {
      pool.Want(key, {.deadline = deadline}, std::move(done));
    });
  }
  std::shared_ptr<Outcome<ObjectInfo>> Publish(const Key& key, const std::string& data) {
    return Begin<ObjectInfo>([key, data](PoolBackend& pool, PublishCallback done) {
      pool.Publish(key, test::MakeObject(data), {.deadline = 10s}, std::move(done));
    });
  }
  std::shared_ptr<Outcome<std::uint64_t>> Drop(const Pattern& pattern) {
    return Begin<std::uint64_t>([pattern](PoolBackend& pool, DropCallback done) {
      pool.Drop(pattern, 10s, std::move(done));
    });
  }

  VirtualHost& host() { return host_; }
  CopyCache::Stats stats() const { return copies_.GetStats(); }
  void Leave() {
    transfers_->Stop();
    pool_.reset();
  }

 private:
  VirtualScheduler& world_;
  VirtualHost host_;
  CopyCache copies_;
  std::unique_ptr<fabric::Transport> transport_;
  const std::shared_ptr<ObjectTransfers> transfers_;
  std::shared_ptr<PoolBackend> pool_;
};

class CopyCacheTest : public testing::Test {
 protected:
  ~CopyCacheTest() override {
    for (auto& [name, requester] : requesters_) requester->Leave();
    EndOwner();
    requesters_.clear();
  }

  void StartOwner() {
    owner_ = std::make_unique<VirtualHost>(world_, VirtualHost::Options{.name = "owner"});
    transport_ = network_.Join(*owner_);
    transfers_ = TransfersOf(*transport_, *owner_);
    store_ = StripedStore::Create(owner_->environment(), {.stripes = 4, .memory_limit_bytes = 0});
    service_ = std::make_unique<node::ObjectService>(store_, owner_->environment(),
                                                     owner_->executor(), transfers_, kLeaseTime);
    ASSERT_OK(transport_->Listen(*service_));
  }
  void EndOwner() {
    if (transfers_ != nullptr) transfers_->Stop();
    transport_.reset();
    service_.reset();
    if (store_ != nullptr) store_->Close();
    store_.reset();
    // What it left in the time line may still refer to it.
    ended_.push_back(std::move(owner_));
  }
  Requester& Add(const std::string& name, double drift_ppm = 0,
                 std::uint64_t limit_bytes = 1 << 20) {
    const VirtualHost::Options host{.name = name, .drift_ppm = drift_ppm};
    return *(requesters_[name] = std::make_unique<Requester>(world_, network_, host, limit_bytes));
  }

  bool RunUntil(const std::function<bool()>& holds, std::chrono::nanoseconds limit = 60s) {
    const TimePoint end = world_.now() + limit;
    while (!holds()) {
      if (!world_.RunOne(end)) return holds();
    }
    return true;
  }
  void RunFor(std::chrono::nanoseconds time) {
    RunUntil([] { return false; }, time);
  }
  template <typename T>
  Result<T> Await(const std::shared_ptr<Outcome<T>>& outcome) {
    EXPECT_TRUE(RunUntil([&] { return outcome->count > 0; }));
    EXPECT_EQ(outcome->count, 1);
    return outcome->result;
  }
  std::string NeedText(Requester& from, const Key& key) {
    const Result<NamedObject> named = Await(from.Need(key));
    return named.ok() ? std::string(named->object.text()) : named.status().ToString();
  }
  std::uint64_t Lent() const { return store_->GetStats().lent; }

  const std::uint64_t seed_ = test::Seed();
  VirtualScheduler world_{seed_};
  SimNetwork network_{world_, CostModel::Tcp()};
  std::vector<std::unique_ptr<VirtualHost>> ended_;
  std::unique_ptr<VirtualHost> owner_;
  std::unique_ptr<fabric::Transport> transport_;
  std::shared_ptr<ObjectTransfers> transfers_;
  std::shared_ptr<StripedStore> store_;
  std::unique_ptr<node::ObjectService> service_;
  std::map<std::string, std::unique_ptr<Requester>> requesters_;
  const Key key_{"row", "a"};
  Operation parked_;
};

TEST_F(CopyCacheTest, ASecondReadAsksNobody) {
  StartOwner();
  Requester& one = Add("one");
  ASSERT_OK(Await(one.Publish(key_, "data")));
  EXPECT_EQ(NeedText(one, key_), "data");
  EXPECT_EQ(one.stats().copies, 1U);
  const std::uint64_t hits = store_->GetStats().hits;
  const Result<NamedObject> again = Await(one.Need(key_));
  ASSERT_OK(again);
  EXPECT_EQ(again->object.text(), "data");
  EXPECT_EQ(again->key, key_);
  EXPECT_EQ(again->info.availability, Availability::kLocalMemory);
  EXPECT_EQ(store_->GetStats().hits, hits) << "the owner did not hear of it";
  EXPECT_EQ(one.stats().hits, 1U);
  RunFor(kLeaseTime);
  EXPECT_EQ(NeedText(one, key_), "data");
  EXPECT_EQ(store_->GetStats().hits, hits + 1) << "the lease was over";
  RunFor(5s);
  EXPECT_EQ(Lent(), 0U);
}

TEST_F(CopyCacheTest, AnOverwriteIsSeenByAllOnceItIsAcknowledged) {
  StartOwner();
  Requester& one = Add("one");
  Requester& two = Add("two");
  ASSERT_OK(Await(one.Publish(key_, "old")));
  EXPECT_EQ(NeedText(one, key_), "old");
  EXPECT_EQ(NeedText(two, key_), "old");
  EXPECT_EQ(Lent(), 2U);
  const auto overwrite = two.Publish(key_, "new");
  ASSERT_OK(Await(overwrite));
  EXPECT_LT(overwrite->ended - overwrite->begun, kLeaseTime / 2) << "it had the copies back";
  EXPECT_EQ(one.stats().copies, 0U);
  EXPECT_EQ(one.stats().recalls, 1U);
  EXPECT_EQ(NeedText(one, key_), "new");
  EXPECT_EQ(Await(two.Drop(Pattern::RowPrefix(""))).value(), 1U);
  EXPECT_CODE(Await(one.Need(key_, 10ms)), kDeadlineExceeded);
}

TEST_F(CopyCacheTest, ASilentHolderDelaysAWriterByItsLeaseAtMost) {
  StartOwner();
  Requester& one = Add("one");
  Requester& two = Add("two");
  ASSERT_OK(Await(two.Publish(key_, "old")));
  EXPECT_EQ(NeedText(one, key_), "old");
  network_.Cut({"owner", "one"});
  network_.Cut({"one", "owner"});
  RunFor(100ms);
  const auto overwrite = two.Publish(key_, "new");
  while (overwrite->count == 0) {
    // For as long as it is not acknowledged the old one may be seen.
    const auto read = one.Need(key_, 10ms);
    RunFor(20ms);
    if (read->count == 1 && read->result.ok() && overwrite->count == 0) {
      EXPECT_EQ(read->result->object.text(), "old");
    }
    ASSERT_LT(world_.now() - overwrite->begun, 2 * kLeaseTime);
  }
  ASSERT_OK(overwrite->result);
  EXPECT_GT(overwrite->ended - overwrite->begun, kLeaseTime / 2) << "it waited";
  EXPECT_LE(overwrite->ended - overwrite->begun, kLeaseTime);
  EXPECT_CODE(Await(one.Need(key_, 10ms)), kDeadlineExceeded) << "not the old one";
  network_.HealAll();
  EXPECT_EQ(NeedText(one, key_), "new");
}

TEST_F(CopyCacheTest, ALargeObjectIsFetchedBeforeItIsKept) {
  StartOwner();
  Requester& one = Add("one");
  Requester& two = Add("two");
  const std::string large(900'000, 'x');
  ASSERT_OK(Await(one.Publish(key_, large)));
  EXPECT_EQ(NeedText(one, key_), large);
  EXPECT_EQ(one.stats().copies, 1U);
  EXPECT_GT(one.stats().bytes, large.size()) << "all of it";
  EXPECT_EQ(NeedText(one, key_), large);
  EXPECT_EQ(one.stats().hits, 1U);
  ASSERT_TRUE(RunUntil([&] { return service_->lent_objects() == 0; }));
  // Called back while it is on its way.
  const auto read = two.Need(key_);
  ASSERT_TRUE(RunUntil([&] { return service_->lent_objects() == 1; }));
  ASSERT_OK(Await(one.Publish(key_, "new")));
  EXPECT_EQ(read->count, 0) << "the change does not wait for that";
  EXPECT_EQ(Await(read)->object.text(), large) << "as it was when it was asked for";
  EXPECT_EQ(two.stats().copies, 0U);
  EXPECT_EQ(NeedText(two, key_), "new");
  EXPECT_TRUE(RunUntil([&] { return service_->lent_objects() == 0; })) << "no loan is left";
}

TEST_F(CopyCacheTest, AWantToKeepThatIsGivenUpIsGoneAtTheOwner) {
  StartOwner();
  Requester& one = Add("one");
  const auto want = one.Begin<NamedObject>([this](PoolBackend& pool, WantCallback done) {
    parked_ = pool.Want(key_, {.deadline = 10s}, std::move(done));
  });
  ASSERT_TRUE(RunUntil([&] { return service_->parked_wants() == 1; }));
  one.host().Post(world_.now(), "cancel", [this] { EXPECT_TRUE(parked_.Cancel()); });
  EXPECT_CODE(Await(want), kCancelled);
  EXPECT_TRUE(RunUntil([&] { return service_->parked_wants() == 0; }, 1s));
  EXPECT_EQ(service_->repeated_answers(), 0U);
  EXPECT_EQ(Lent(), 0U);
}

/// An owner that lends all there is to lend, and may call it back before it has even answered.
class HastyOwner final : public fabric::Service {
 public:
  void Connected(const std::shared_ptr<fabric::Connection>& /*connection*/) override {}
  void Message(const std::shared_ptr<fabric::Connection>& /*connection*/,
               std::span<const std::byte> /*message*/) override {}
  void Closed(const std::shared_ptr<fabric::Connection>& /*connection*/,
              const Status& /*why*/) override {}
  void Request(const std::shared_ptr<fabric::Connection>& connection, fabric::RequestId request,
               std::span<const std::byte> message) override {
    const Key key = std::get<wire::WantRequest>(*wire::DecodeRequest(message)).pattern.key();
    if (called_back) {
      const auto recall =
          *wire::Encode(wire::RecallRequest{Key(*called_back).set_bucket(kCopiesBucket)});
      const std::array<std::span<const std::byte>, 1> parts = {recall};
      EXPECT_OK(connection->Request(parts, 5s, [](const auto& answer) {
        ASSERT_OK(answer);
        EXPECT_EQ(std::get<std::uint64_t>(*wire::DecodeReply(*answer)), 0U) << "it had none yet";
      }));
    }
    const auto bytes = wire::Encode(
        wire::LeasedObject(NamedObject{Key(key).set_bucket({}), test::MakeObject("x"), {}}, 1s));
    const std::array<std::span<const std::byte>, 1> parts = {bytes};
    EXPECT_OK(connection->Reply(request, parts));
  }

  std::optional<Key> called_back;
};

TEST_F(CopyCacheTest, ARecallThatOvertakesTheAnswerForbidsToKeepIt) {
  HastyOwner hasty;
  VirtualHost host(world_, VirtualHost::Options{.name = "owner"});
  const std::unique_ptr<fabric::Transport> transport = network_.Join(host);
  ASSERT_OK(transport->Listen(hasty));
  Requester& one = Add("one");
  hasty.called_back = key_;
  EXPECT_EQ(NeedText(one, key_), "x");
  EXPECT_EQ(one.stats().recalls, 1U);
  EXPECT_EQ(one.stats().copies, 0U);
  hasty.called_back.reset();
  EXPECT_EQ(NeedText(one, key_), "x");
  EXPECT_EQ(one.stats().copies, 1U);
  one.Leave();
}

TEST_F(CopyCacheTest, WhatDoesNotFitGoesAndTheOldestFirst) {
  StartOwner();
  Requester& one = Add("one", 0, 4000);
  const auto column = [](int i) { return Key("row", std::to_string(i)); };
  for (int i = 0; i < 10; ++i) {
    ASSERT_OK(Await(one.Publish(column(i), std::string(700, 'x'))));
    EXPECT_EQ(NeedText(one, column(i)).size(), 700U);
    EXPECT_EQ(NeedText(one, column(0)).size(), 700U);
  }
  EXPECT_LE(one.stats().bytes, 4000U);
  EXPECT_GE(one.stats().copies, 3U);
  const std::uint64_t hits = one.stats().hits;
  NeedText(one, column(0));
  NeedText(one, column(9));
  EXPECT_EQ(one.stats().hits, hits + 2) << "those used last stayed";
  NeedText(one, column(1));
  EXPECT_EQ(one.stats().hits, hits + 2);
  ASSERT_OK(Await(one.Publish(Key("large"), std::string(5000, 'x'))));
  NeedText(one, Key("large"));
  EXPECT_GE(one.stats().copies, 3U) << "what is larger than all is not kept";
}

TEST_F(CopyCacheTest, AnOwnerThatStartsAgainWaitsForItsEarlierLife) {
  StartOwner();
  Requester& one = Add("one");
  Requester& two = Add("two");
  ASSERT_OK(Await(one.Publish(key_, "old")));
  EXPECT_EQ(NeedText(one, key_), "old");
  // It does not hear of the end: the machine is gone, and another one is there.
  network_.Cut({"owner", "one"});
  owner_->Kill();
  network_.HostLost("owner");
  owner_->Bury();
  EndOwner();
  EXPECT_EQ(NeedText(one, key_), "old") << "as long as it is lent";
  const TimePoint end = world_.now() + kLeaseTime;
  RunUntil([] { return false; }, kLeaseTime);
  EXPECT_GE(world_.now(), end);
  network_.HealAll();
  StartOwner();
  ASSERT_OK(Await(two.Publish(key_, "new")));
  EXPECT_EQ(NeedText(one, key_), "new");
}

// Random reads, overwrites and drops of few keys from hosts with clocks that drift, that pause and
// are cut off. Whatever an operation that ended before another began has seen or made, that other
// one does not go back behind.
TEST_F(CopyCacheTest, NobodySeesWhatWasReplacedBefore) {
  Random random(seed_);
  StartOwner();
  std::vector<Requester*> all = {&Add("a", 200), &Add("b", -200), &Add("c", -5000)};
  const std::vector<Key> keys = {Key("row", "a"), Key("row", "b"), Key("other")};

  struct Done {
    TimePoint ended;
    Version at_least;  // Those that begin later see this version, or a later one, or nothing.
  };
  struct Read {
    std::size_t key;
    std::shared_ptr<Outcome<NamedObject>> outcome;
  };
  struct Write {
    std::size_t key;
    std::shared_ptr<Outcome<ObjectInfo>> outcome;
  };
  struct Dropped {
    std::size_t key;
    std::shared_ptr<Outcome<std::uint64_t>> outcome;
  };
  std::vector<Read> reads;
  std::vector<Write> writes;
  std::vector<Dropped> drops;
  int value = 0;
  for (int step = 0; step < 4000; ++step) {
    Requester& from = *all[random.Below(all.size())];
    const std::size_t key = random.Below(keys.size());
    switch (random.Below(40)) {
      case 0:
        from.host().PauseUntil(world_.now() + std::chrono::milliseconds(random.Below(900)));
        break;
      case 1:
        if (random.OneIn(2)) {
          network_.Cut({"owner", from.host().name()});
        } else {
          network_.Cut({from.host().name(), "owner"});
        }
        break;
      case 2:
      case 3:
        network_.HealAll();
        break;
      case 4:
      case 5:
      case 6:
        writes.push_back({key, from.Publish(keys[key], std::to_string(++value))});
        break;
      case 7:
        drops.push_back({key, from.Drop(keys[key])});
        break;
      default:
        reads.push_back(
            {key, from.Need(keys[key], std::chrono::milliseconds(1 + random.Below(50)))});
    }
    RunFor(std::chrono::microseconds(random.Below(random.OneIn(20) ? 200'000 : 3'000)));
  }
  network_.HealAll();
  RunFor(30s);

  std::uint64_t hits = 0;
  std::uint64_t recalls = 0;
  for (const Requester* requester : all) {
    hits += requester->stats().hits;
    recalls += requester->stats().recalls;
  }
  EXPECT_GT(hits, 100U);
  EXPECT_GT(recalls, 10U);
  EXPECT_EQ(Lent(), 0U) << "nothing is left behind";
  EXPECT_EQ(store_->GetStats().waiting, 0U);

  for (std::size_t key = 0; key < keys.size(); ++key) {
    std::vector<Done> done;
    for (const Write& write : writes) {
      EXPECT_EQ(write.outcome->count, 1);
      if (write.key == key && write.outcome->result.ok()) {
        done.push_back({write.outcome->ended, write.outcome->result->version});
      }
    }
    for (const Read& read : reads) {
      EXPECT_EQ(read.outcome->count, 1);
      if (read.key == key && read.outcome->result.ok()) {
        done.push_back({read.outcome->ended, read.outcome->result->info.version});
      }
    }
    // What was known before a drop began is gone when it has ended.
    std::vector<Done> gone;
    for (const Dropped& drop : drops) {
      EXPECT_EQ(drop.outcome->count, 1);
      if (drop.key != key || !drop.outcome->result.ok()) continue;
      Version known;
      for (const Done& before : done) {
        if (before.ended < drop.outcome->begun) known = std::max(known, before.at_least);
      }
      gone.push_back({drop.outcome->ended, known});
    }
    for (const Read& read : reads) {
      if (read.key != key || !read.outcome->result.ok()) continue;
      const Version seen = read.outcome->result->info.version;
      for (const Done& before : done) {
        if (before.ended >= read.outcome->begun) continue;
        ASSERT_GE(seen, before.at_least) << "seed " << seed_;
      }
      for (const Done& before : gone) {
        if (before.ended >= read.outcome->begun) continue;
        ASSERT_GT(seen, before.at_least) << "seed " << seed_;
      }
    }
  }
}

}  // namespace
}  // namespace cirein
