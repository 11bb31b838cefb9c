// SPDX-License-Identifier: Apache-2.0
#include "pool/replicated_pool.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "object/striped_store.h"
#include "pool/store_pool.h"
#include "runtime/virtual_environment.h"
#include "support/objects.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;

/// A member that can be out of reach: what it is asked then is refused, and who waits, waits.
class Reachable final : public PoolBackend {
 public:
  Reachable(std::string name, std::shared_ptr<PoolBackend> pool, std::vector<std::string>& asked)
      : name_(std::move(name)), pool_(std::move(pool)), asked_(asked) {}

  bool away = false;

  std::string_view type() const override { return "reachable"; }
  Operation Publish(const Key& key, DataObject object, const PublishOptions& options,
                    PublishCallback done) override {
    if (Refused("publish", done)) return Operation();
    return pool_->Publish(key, std::move(object), options, std::move(done));
  }
  Operation PublishGroup(std::vector<PublishItem> items, const PublishOptions& options,
                         GroupCallback done) override {
    if (Refused("group", done)) return Operation();
    return pool_->PublishGroup(std::move(items), options, std::move(done));
  }
  Operation Want(const Pattern& pattern, const WantOptions& options, WantCallback done) override {
    asked_.push_back("want at " + name_);
    // It is never looked for again, which only a deadline or the others can end.
    if (away) return Operation();
    return pool_->Want(pattern, options, std::move(done));
  }
  Operation FetchAhead(const Pattern& pattern, const WantOptions& options,
                       WantCallback done) override {
    asked_.push_back("fetch at " + name_);
    return away ? Operation() : pool_->FetchAhead(pattern, options, std::move(done));
  }
  Operation Drop(const Pattern& pattern, Deadline deadline, DropCallback done) override {
    if (Refused("drop", done)) return Operation();
    return pool_->Drop(pattern, deadline, std::move(done));
  }
  Operation Info(const Key& key, Deadline deadline, InfoCallback done) override {
    if (Refused("info", done)) return Operation();
    return pool_->Info(key, deadline, std::move(done));
  }
  Operation GetRowInfo(const Key& row, Deadline deadline, RowInfoCallback done) override {
    if (Refused("row info", done)) return Operation();
    return pool_->GetRowInfo(row, deadline, std::move(done));
  }
  Operation List(const Pattern& pattern, const ListOptions& options, ListCallback done) override {
    if (Refused("list", done)) return Operation();
    return pool_->List(pattern, options, std::move(done));
  }
  Operation Compute(const ComputeRequest& request, Deadline deadline,
                    ComputeCallback done) override {
    if (Refused("compute", done)) return Operation();
    return pool_->Compute(request, deadline, std::move(done));
  }

 private:
  template <typename Done>
  bool Refused(const std::string& what, const Done& done) {
    asked_.push_back(what + " at " + name_);
    if (away) done(Unavailable("the member " + name_ + " cannot be reached"));
    return away;
  }

  const std::string name_;
  const std::shared_ptr<PoolBackend> pool_;
  std::vector<std::string>& asked_;
};

class ReplicatedPoolTest : public testing::Test {
 protected:
  static constexpr std::size_t kReplicas = 3;

  ReplicatedPoolTest() {
    StorePoolOptions options;
    options.bucket = Bucket(7);
    std::vector<std::shared_ptr<PoolBackend>> replicas;
    for (std::size_t i = 0; i < kReplicas; ++i) {
      stores_.push_back(
          StripedStore::Create(world_.environment(), {.stripes = 2, .memory_limit_bytes = 0}));
      members_.push_back(std::make_shared<Reachable>(
          std::to_string(i), MakeStorePool("member", stores_[i], world_.clock(), options), asked_));
      replicas.push_back(members_.back());
    }
    pool_ = MakeReplicatedPool("replicated", replicas, world_.environment());
  }
  ~ReplicatedPoolTest() override {
    for (const auto& store : stores_) store->Close();
  }

  template <typename T>
  Result<T> Once(const std::function<void(std::function<void(Result<T>)>)>& call) {
    Result<T> result = Internal("not answered");
    int count = 0;
    call([&](Result<T> answer) {
      result = std::move(answer);
      ++count;
    });
    EXPECT_EQ(count, 1);
    return result;
  }
  Result<ObjectInfo> Publish(const Key& key, const std::string& data) {
    return Once<ObjectInfo>([&](PublishCallback done) {
      pool_->Publish(key, test::MakeObject(data), {}, std::move(done));
    });
  }
  Result<std::uint64_t> Drop(const Pattern& pattern) {
    return Once<std::uint64_t>(
        [&](DropCallback done) { pool_->Drop(pattern, kNoDeadline, std::move(done)); });
  }
  Result<ObjectInfo> Info(const Key& key) {
    return Once<ObjectInfo>(
        [&](InfoCallback done) { pool_->Info(key, kNoDeadline, std::move(done)); });
  }
  struct Wanted {
    int count = 0;
    Result<NamedObject> result = Internal("not answered");
    Operation operation;
  };
  std::shared_ptr<Wanted> Want(const Pattern& pattern) {
    auto wanted = std::make_shared<Wanted>();
    wanted->operation =
        pool_->Want(pattern, {.deadline = kNoDeadline}, [wanted](Result<NamedObject> named) {
          ++wanted->count;
          wanted->result = std::move(named);
        });
    return wanted;
  }
  std::uint64_t ObjectsAt(std::size_t i) const { return stores_[i]->GetStats().engine.objects; }
  std::uint64_t Waiting() const {
    std::uint64_t waiting = 0;
    for (const auto& store : stores_) waiting += store->GetStats().waiting;
    return waiting;
  }

  VirtualEnvironment world_;
  std::vector<std::string> asked_;
  std::vector<std::shared_ptr<StripedStore>> stores_;
  std::vector<std::shared_ptr<Reachable>> members_;
  std::shared_ptr<PoolBackend> pool_;
  const Key key_{"row", "a"};
};

TEST_F(ReplicatedPoolTest, TheFirstDecidesAndTheOthersGetACopy) {
  ASSERT_OK(Publish(key_, "x"));
  EXPECT_EQ(asked_, (std::vector<std::string>{"info at 1", "info at 2", "publish at 0",
                                              "publish at 1", "publish at 2"}));
  for (std::size_t i = 0; i < kReplicas; ++i) EXPECT_EQ(ObjectsAt(i), 1U);
  EXPECT_CODE(Publish(key_, "y"), kAlreadyExists);
  asked_.clear();
  EXPECT_OK(Info(key_));
  EXPECT_EQ(asked_, std::vector<std::string>{"info at 0"});
}

TEST_F(ReplicatedPoolTest, AMemberThatIsAwayIsLeftOutOfAPublish) {
  members_[1]->away = true;
  ASSERT_OK(Publish(key_, "x"));
  EXPECT_EQ(ObjectsAt(1), 0U);
  members_[0]->away = true;
  EXPECT_OK(Info(key_)) << "the last one has it";
  EXPECT_CODE(Publish(Key("other"), "x"), kUnavailable) << "none but the first decides";
  EXPECT_EQ(ObjectsAt(2), 1U);
}

TEST_F(ReplicatedPoolTest, WhatAnotherHasIsThereAndIsNotPublishedAgain) {
  ASSERT_OK(Publish(key_, "x"));
  ASSERT_OK(stores_[0]->Drop(Pattern::RowPrefix("").set_bucket(Bucket(7)), kEndOfTime));
  EXPECT_OK(Info(key_)) << "as when the first has started again";
  EXPECT_CODE(Publish(key_, "y"), kAlreadyExists);
  const auto group = Once<std::vector<ObjectInfo>>([&](GroupCallback done) {
    pool_->PublishGroup({{Key("row", "b"), test::MakeObject("y")}, {key_, test::MakeObject("y")}},
                        {}, std::move(done));
  });
  EXPECT_CODE(group, kAlreadyExists);
  EXPECT_EQ(ObjectsAt(0), 0U) << "the group is refused whole";
  members_[2]->away = true;
  EXPECT_CODE(Info(Key("no such")), kUnavailable) << "who is away may have it";
}

TEST_F(ReplicatedPoolTest, AWantAsksTheOthersWhenTheFirstIsSilent) {
  ASSERT_OK(Publish(key_, "x"));
  members_[0]->away = true;
  asked_.clear();
  const auto wanted = Want(key_);
  world_.RunFor(19ms);
  EXPECT_EQ(wanted->count, 0);
  world_.RunFor(2ms);
  EXPECT_EQ(wanted->count, 1);
  ASSERT_OK(wanted->result);
  EXPECT_EQ(wanted->result->object.text(), "x");
  EXPECT_TRUE(wanted->operation.done());
  EXPECT_EQ(asked_, (std::vector<std::string>{"want at 0", "want at 1"}));
  members_[0]->away = false;
  asked_.clear();
  const auto again = Want(key_);
  EXPECT_EQ(again->count, 1);
  world_.RunFor(1s);
  EXPECT_EQ(asked_, std::vector<std::string>{"want at 0"});
}

TEST_F(ReplicatedPoolTest, TheFirstAnswerToAWantEndsTheOthers) {
  const auto wanted = Want(Pattern::RowPrefix("r"));
  const auto given_up = Want(key_);
  world_.RunFor(1s);
  EXPECT_EQ(Waiting(), 3 * kReplicas) << "at each: the key in one of two stripes, the rows in both";
  EXPECT_TRUE(given_up->operation.Cancel());
  EXPECT_EQ(given_up->count, 1);
  EXPECT_CODE(given_up->result, kCancelled);
  ASSERT_OK(Publish(key_, "x"));
  EXPECT_EQ(wanted->count, 1);
  EXPECT_OK(wanted->result);
  EXPECT_EQ(Waiting(), 0U);
}

TEST_F(ReplicatedPoolTest, WhatIsFetchedAheadIsKeptByTheOneThatAnswers) {
  ASSERT_OK(Publish(key_, "x"));
  members_[0]->away = true;
  asked_.clear();
  int answers = 0;
  const Operation fetch =
      pool_->FetchAhead(key_, {.deadline = 10s}, [&](const Result<NamedObject>& named) {
        EXPECT_OK(named);
        ++answers;
      });
  world_.RunFor(1s);
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(asked_, (std::vector<std::string>{"fetch at 0", "fetch at 1"}));
}

TEST_F(ReplicatedPoolTest, ADropIsDoneWhenAllHaveDropped) {
  ASSERT_OK(Publish(key_, "x"));
  ASSERT_OK(Publish(Key("row", "b"), "x"));
  members_[1]->away = true;
  EXPECT_CODE(Drop(Pattern::Row("row")), kUnavailable);
  EXPECT_EQ(ObjectsAt(0), 2U) << "it is the last one";
  members_[1]->away = false;
  asked_.clear();
  EXPECT_EQ(Drop(Pattern::Row("row")).value(), 2U);
  EXPECT_EQ(asked_, (std::vector<std::string>{"drop at 1", "drop at 2", "drop at 0"}));
  for (std::size_t i = 0; i < kReplicas; ++i) EXPECT_EQ(ObjectsAt(i), 0U);
}

TEST_F(ReplicatedPoolTest, AListingGoesOnWhereItBegan) {
  std::set<std::string> expected;
  for (int i = 0; i < 20; ++i) {
    expected.insert("row" + std::to_string(i));
    ASSERT_OK(Publish(Key("row" + std::to_string(i)), "x"));
  }
  for (const bool first_is_away : {false, true}) {
    members_[0]->away = first_is_away;
    std::set<std::string> listed;
    ListOptions options{.page_size = 6};
    do {
      const auto page = Once<ListPage>([&](ListCallback done) {
        pool_->List(Pattern::RowPrefix("row"), options, std::move(done));
      });
      ASSERT_OK(page);
      for (const ListedObject& object : page->objects) {
        EXPECT_TRUE(listed.insert(object.key.row()).second);
      }
      options.cursor = page->next;
    } while (!options.cursor.empty());
    EXPECT_EQ(listed, expected);
  }
  members_[0]->away = false;
  EXPECT_TRUE(Once<ListPage>([&](ListCallback done) {
                pool_->List(Pattern::RowPrefix("none"), {}, std::move(done));
              })->objects.empty());
}

// Members go and come in any order, and start again empty, one at a time: what was acknowledged by
// members that are still there is read unchanged.
TEST_F(ReplicatedPoolTest, WhatWasPublishedIsReadAsLongAsOneHasIt) {
  const std::uint64_t seed = test::Seed();
  Random random(seed);
  struct Published {
    std::string data;
    std::set<std::size_t> at;
  };
  std::map<Key, Published> published;
  int reads = 0;
  for (int step = 0; step < 3000; ++step) {
    const Key key("row" + std::to_string(random.Below(20)), "c");
    switch (random.Below(8)) {
      case 0: {
        Reachable& member = *members_[random.Below(kReplicas)];
        member.away = !member.away;
        break;
      }
      case 1: {
        if (!random.OneIn(10)) break;
        const std::size_t member = random.Below(kReplicas);
        ASSERT_OK(stores_[member]->Drop(Pattern::RowPrefix("").set_bucket(Bucket(7)), kEndOfTime));
        for (auto& [name, object] : published) object.at.erase(member);
        break;
      }
      case 2: {
        const auto dropped = Drop(key);
        // Those that could be reached have dropped it, whatever was said.
        for (std::size_t i = 0; i < kReplicas; ++i) {
          const bool has = stores_[i]->Info(KeyView(Bucket(7), key)).ok();
          if (!has) published[key].at.erase(i);
          ASSERT_TRUE(!dropped.ok() || !has) << "seed " << seed;
        }
        break;
      }
      case 3: {
        const std::string data = std::to_string(step);
        const bool there = [&] {
          for (const std::size_t i : published[key].at) {
            if (!members_[i]->away) return true;
          }
          return false;
        }();
        const auto info = Publish(key, data);
        if (!info.ok()) break;
        ASSERT_FALSE(there) << "written once, seed " << seed;
        Published& object = published[key];
        // One that could not be asked may have an older one: the way to break it that is told of.
        if (!object.at.empty()) {
          for (const auto& store : stores_) {
            ASSERT_OK(store->Drop(Pattern(key).set_bucket(Bucket(7)), kEndOfTime));
          }
          object.at.clear();
          break;
        }
        object.data = data;
        for (std::size_t i = 0; i < kReplicas; ++i) {
          if (!members_[i]->away) object.at.insert(i);
        }
        break;
      }
      default: {
        const Published& object = published[key];
        bool reachable = false;
        for (const std::size_t i : object.at) reachable = reachable || !members_[i]->away;
        const auto wanted = Want(key);
        world_.RunFor(21ms);
        ASSERT_EQ(wanted->count, reachable ? 1 : 0) << "seed " << seed << ", step " << step;
        if (reachable) {
          ++reads;
          ASSERT_OK(wanted->result);
          ASSERT_EQ(wanted->result->object.text(), object.data);
        } else {
          ASSERT_TRUE(wanted->operation.Cancel());
          ASSERT_EQ(wanted->count, 1);
        }
      }
    }
  }
  EXPECT_GT(reads, 100);
  EXPECT_EQ(Waiting(), 0U);
}

}  // namespace
}  // namespace cirein
