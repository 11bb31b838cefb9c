// SPDX-License-Identifier: Apache-2.0

// What a store lends, and what changes wait for.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cirein/backing_store.h"

#include "object/backed_bucket.h"
#include "object/striped_store_fixture.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::InBucket;
using test::kBucket;
using test::MakeObject;

constexpr std::chrono::nanoseconds kLease = 500ms;

class FakeHolder final : public CopyHolder {
 public:
  void Recall(const Key& key, std::uint64_t lease) override { asked.push_back({key, lease}); }

  struct Asked {
    Key key;
    std::uint64_t lease;
  };
  std::vector<Asked> asked;
};

class StripedLendingTest : public test::StripedStoreTest {
 protected:
  /// How long it was lent; nullopt: it is not there.
  std::optional<std::chrono::nanoseconds> Lend(const Key& key,
                                               const std::shared_ptr<FakeHolder>& holder) {
    std::optional<std::chrono::nanoseconds> lease;
    store_->Lend(KeyView(kBucket, key), holder, kLease, [&](const Result<LentObject>& lent) {
      ASSERT_OK(lent);
      if (!lent->named.object.is_null()) lease = lent->lease;
    });
    return lease;
  }
  /// What became of a change, and how often that was told.
  struct Outcome {
    int count = 0;
    Status status;
    std::uint64_t dropped = 0;
  };
  std::shared_ptr<Outcome> Overwrite(const Key& key, std::string_view data,
                                     PutMode mode = PutMode::kOverwrite) {
    PutRequest request;
    request.object = MakeObject(data);
    request.mode = mode;
    return Change(key, std::move(request));
  }
  std::shared_ptr<Outcome> Change(const Key& key, PutRequest&& request) {
    auto outcome = std::make_shared<Outcome>();
    store_->Publish(KeyView(kBucket, key), std::move(request),
                    [outcome](const Result<ObjectInfo>& info) {
                      ++outcome->count;
                      outcome->status = info.status();
                    });
    return outcome;
  }
  std::shared_ptr<Outcome> Drop(const Pattern& pattern) {
    auto outcome = std::make_shared<Outcome>();
    store_->Drop(InBucket(pattern), kEndOfTime, [outcome](const Result<std::uint64_t>& count) {
      ++outcome->count;
      outcome->status = count.status();
      outcome->dropped = count.value_or(0);
    });
    return outcome;
  }
  std::string Text(const Key& key) {
    return std::string(store_->Get(KeyView(kBucket, key))->text());
  }
  void GiveBack(const FakeHolder::Asked& asked) {
    store_->Returned(asked.key, asked.lease);
    world_.RunReady();
  }

  const std::shared_ptr<FakeHolder> one_ = std::make_shared<FakeHolder>();
  const std::shared_ptr<FakeHolder> two_ = std::make_shared<FakeHolder>();
  const Key key_{"row", "a"};
};

TEST_F(StripedLendingTest, AnOverwriteWaitsForAllCopies) {
  ASSERT_OK(Publish(key_, "old"));
  EXPECT_EQ(Lend(key_, one_), kLease);
  EXPECT_EQ(Lend(key_, two_), kLease);
  const auto outcome = Overwrite(key_, "new");
  world_.RunReady();
  ASSERT_EQ(one_->asked.size(), 1U);
  EXPECT_EQ(one_->asked[0].key, Key("row", "a").set_bucket(kBucket));
  GiveBack(one_->asked[0]);
  EXPECT_EQ(outcome->count, 0);
  EXPECT_EQ(Text(key_), "old") << "nobody sees the new one while another may see the old one";
  EXPECT_EQ(Lend(key_, one_), 0ns) << "not while a change waits";
  ASSERT_EQ(two_->asked.size(), 1U);
  GiveBack(two_->asked[0]);
  EXPECT_EQ(outcome->count, 1);
  EXPECT_OK(outcome->status);
  EXPECT_EQ(Text(key_), "new");
  EXPECT_EQ(Lend(key_, one_), kLease) << "again";
  EXPECT_EQ(store_->GetStats().lent, 1U);
}

TEST_F(StripedLendingTest, ASilentHolderDelaysAChangeToTheEndOfItsLease) {
  ASSERT_OK(Publish(key_, "old"));
  ASSERT_EQ(Lend(key_, one_), kLease);
  world_.RunFor(200ms);
  const auto outcome = Overwrite(key_, "new");
  const auto dropped = Drop(Key("row", "b"));
  world_.RunReady();
  EXPECT_EQ(dropped->count, 1) << "of another key, which is not lent";
  world_.RunFor(299ms);
  EXPECT_EQ(outcome->count, 0);
  world_.RunFor(2ms);
  EXPECT_EQ(outcome->count, 1);
  EXPECT_OK(outcome->status);
  // An answer that comes when the key was lent again is for the old lease.
  ASSERT_EQ(Lend(key_, one_), kLease);
  GiveBack(one_->asked[0]);
  const auto second = Overwrite(key_, "newer");
  world_.RunReady();
  EXPECT_EQ(second->count, 0);
  ASSERT_EQ(one_->asked.size(), 2U);
  GiveBack(one_->asked[1]);
  EXPECT_EQ(second->count, 1);
}

TEST_F(StripedLendingTest, WhatWouldBeRefusedCallsNothingBack) {
  ASSERT_OK(Publish(key_, "old"));
  ASSERT_EQ(Lend(key_, one_), kLease);
  const auto outcome = Overwrite(key_, "new", PutMode::kWriteOnce);
  EXPECT_EQ(outcome->count, 1);
  EXPECT_CODE(outcome->status, kAlreadyExists);
  PutRequest passing;
  passing.object = MakeObject("passes by");
  passing.mode = PutMode::kOverwrite;
  passing.store = false;
  EXPECT_OK(Change(key_, std::move(passing))->status) << "changes nothing";
  EXPECT_TRUE(one_->asked.empty());
}

TEST_F(StripedLendingTest, ADropOfManyRowsGoesOnWhereItWaited) {
  for (int i = 0; i < 40; ++i) ASSERT_OK(Publish(Key("row" + std::to_string(i)), "x"));
  for (const int i : {3, 17, 30}) Lend(Key("row" + std::to_string(i)), one_);
  const auto outcome = Drop(Pattern::RowPrefix("row"));
  for (std::size_t i = 0; i < 3; ++i) {
    world_.RunReady();
    EXPECT_EQ(outcome->count, 0);
    ASSERT_EQ(one_->asked.size(), i + 1) << "one row after the other";
    GiveBack(one_->asked[i]);
  }
  EXPECT_EQ(outcome->count, 1);
  EXPECT_OK(outcome->status);
  EXPECT_EQ(outcome->dropped, 40U);
}

TEST_F(StripedLendingTest, TwoDropsWaitForTheSameRow) {
  for (int i = 0; i < 40; ++i) ASSERT_OK(Publish(Key("row" + std::to_string(i)), "x"));
  ASSERT_EQ(Lend(Key("row7"), one_), kLease);
  const auto first = Drop(Pattern::RowPrefix("row"));
  const auto second = Drop(Pattern::RowPrefix("row"));
  ASSERT_EQ(one_->asked.size(), 1U) << "asked once";
  EXPECT_EQ(first->count + second->count, 0);
  GiveBack(one_->asked[0]);
  EXPECT_EQ(first->count, 1);
  EXPECT_EQ(second->count, 1);
  EXPECT_EQ(first->dropped + second->dropped, 40U);
  // No change waits for the row any more, so it is lent again.
  ASSERT_OK(Publish(Key("row7"), "y"));
  EXPECT_EQ(Lend(Key("row7"), two_), kLease);
}

TEST_F(StripedLendingTest, ABoundOnColumnsCallsItsRowBack) {
  ASSERT_OK(Publish(key_, "old"));
  ASSERT_EQ(Lend(key_, one_), kLease);
  PutRequest request;
  request.object = MakeObject("new");
  request.keep = 1;
  const auto outcome = Change(Key("row", "b"), std::move(request));
  EXPECT_EQ(outcome->count, 0);
  ASSERT_EQ(one_->asked.size(), 1U);
  GiveBack(one_->asked[0]);
  EXPECT_EQ(outcome->count, 1);
  EXPECT_CODE(store_->Info(KeyView(kBucket, key_)), kNotFound);
}

TEST_F(StripedLendingTest, AGroupWaitsAsOne) {
  ASSERT_OK(Publish(key_, "old"));
  ASSERT_EQ(Lend(key_, one_), kLease);
  int answers = 0;
  const std::vector<Key> keys = {Key("row", "b"), key_};
  std::vector<PutItem> items;
  for (const Key& key : keys) {
    items.push_back({KeyView(kBucket, key), {}});
    items.back().request.object = MakeObject("new");
    items.back().request.mode = PutMode::kOverwrite;
  }
  store_->PublishGroup(std::move(items), [&](const auto& infos) {
    EXPECT_OK(infos);
    EXPECT_EQ(infos->size(), 2U);
    ++answers;
  });
  EXPECT_EQ(answers, 0);
  EXPECT_CODE(store_->Info(KeyView(kBucket, keys[0])), kNotFound);
  ASSERT_EQ(one_->asked.size(), 1U);
  GiveBack(one_->asked[0]);
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(Text(keys[0]), "new");
  EXPECT_EQ(Text(key_), "new");
}

TEST_F(StripedLendingTest, ALeaseEndsBeforeItsObject) {
  ASSERT_OK(PublishFor(key_, "x", 100ms));
  EXPECT_EQ(Lend(key_, one_), 100ms);
  world_.RunFor(5s);
  EXPECT_EQ(store_->GetStats().lent, 0U) << "leases that are over are swept";
  EXPECT_EQ(Lend(key_, one_), std::nullopt);
}

TEST_F(StripedLendingTest, TryPublishSaysThatItMustWait) {
  ASSERT_OK(Publish(key_, "old"));
  ASSERT_EQ(Lend(key_, one_), kLease);
  PutRequest request;
  request.object = MakeObject("new");
  request.mode = PutMode::kOverwrite;
  EXPECT_EQ(store_->TryPublish(KeyView(kBucket, key_), request), std::nullopt);
  ASSERT_EQ(one_->asked.size(), 1U) << "on its way back already";
  EXPECT_FALSE(request.object.is_null());
  const auto outcome = Change(key_, std::move(request));
  EXPECT_EQ(outcome->count, 0);
  EXPECT_EQ(one_->asked.size(), 1U) << "asked once";
  GiveBack(one_->asked[0]);
  EXPECT_EQ(outcome->count, 1);
  EXPECT_EQ(Text(key_), "new");
}

TEST_F(StripedLendingTest, TheEndOfTheStoreEndsWhatWaits) {
  ASSERT_OK(Publish(key_, "old"));
  ASSERT_EQ(Lend(key_, one_), kLease);
  const auto publish = Overwrite(key_, "new");
  const auto drop = Drop(Pattern::RowPrefix(""));
  store_->Close();
  world_.RunReady();
  EXPECT_EQ(publish->count, 1);
  EXPECT_CODE(publish->status, kUnavailable);
  EXPECT_EQ(drop->count, 1);
  EXPECT_CODE(drop->status, kUnavailable);
  const std::weak_ptr<StripedStore> store = store_;
  Make({.stripes = 1, .memory_limit_bytes = 0});
  EXPECT_TRUE(store.expired()) << "nothing holds it that waited for it";
}

TEST_F(StripedLendingTest, ATransactionDoesNotWait) {
  ASSERT_OK(Publish(key_, "old"));
  ASSERT_EQ(Lend(key_, one_), kLease);
  const KeyView row(kBucket, "row");
  Transaction transaction = store_->Begin(std::span(&row, 1));
  transaction.Drop(KeyView(kBucket, key_));
  EXPECT_CODE(store_->Commit(std::move(transaction)).status, kFailedPrecondition);
  EXPECT_EQ(Text(key_), "old");
}

// Buckets with a store behind them.

class MapStore final : public BackingStore {
 public:
  Status Write(std::span<const BackedItem> items) override {
    for (const BackedItem& item : items) objects_[item.key] = item.value;
    return OkStatus();
  }
  Result<BackedObject> Read(const Key& key) override {
    const auto found = objects_.find(key);
    return found == objects_.end() ? Result<BackedObject>(NotFound("none")) : found->second;
  }
  Result<BackedFacts> Look(const Key& key) override {
    CIREIN_ASSIGN_OR_RETURN(const BackedObject found, Read(key));
    return BackedFacts{found.object.meta_bytes(), found.object.data_bytes(), found.version,
                       found.expiry_ms};
  }
  Status Remove(const Key& key) override {
    return objects_.erase(key) == 1 ? OkStatus() : NotFound("none");
  }
  Status List(const Pattern& pattern, const std::optional<Key>& after,
              const Visitor& visit) override {
    for (const auto& [key, object] : objects_) {
      if (!pattern.Matches(key) || (after && !(*after < key))) continue;
      if (!visit(key, *Look(key))) break;
    }
    return OkStatus();
  }

 private:
  std::map<Key, BackedObject> objects_;
};

/// Gives back what it is asked for before it even returns.
class PromptHolder final : public CopyHolder {
 public:
  explicit PromptHolder(std::weak_ptr<StripedStore> store) : store_(std::move(store)) {}
  void Recall(const Key& key, std::uint64_t lease) override {
    ++asked;
    store_.lock()->Returned(key, lease);
  }
  int asked = 0;

 private:
  const std::weak_ptr<StripedStore> store_;
};

class BackedLendingTest : public StripedLendingTest {
 protected:
  void Back() {
    store_->Back(kBucket, std::make_shared<BackedBucket>(
                              *store_, kBucket, "map", std::make_shared<MapStore>(), world_.clock(),
                              world_.environment().callbacks));
  }
  PutRequest Put(std::string_view data, bool store, bool to_backing) {
    PutRequest request;
    request.object = MakeObject(data);
    request.mode = PutMode::kOverwrite;
    request.store = store;
    request.to_backing = to_backing;
    return request;
  }
};

TEST_F(BackedLendingTest, NothingIsLent) {
  Back();
  ASSERT_OK(store_->Publish(KeyView(kBucket, key_), Put("old", true, true)));
  EXPECT_EQ(Lend(key_, one_), std::nullopt);
  EXPECT_EQ(store_->GetStats().lent, 0U);
}

TEST_F(BackedLendingTest, AChangeWaitsForWhatWasLentBeforeThereWasAStore) {
  struct Case {
    const char* name;
    std::function<void()> change;
    const char* then;
  };
  const auto put = [this](bool store, bool to_backing) {
    EXPECT_OK(store_->Publish(KeyView(kBucket, key_), Put("new", store, to_backing)));
  };
  const std::vector<Case> cases = {
      {"in memory", [&] { put(true, false); }, "new"},
      {"through", [&] { put(true, true); }, "new"},
      {"around", [&] { put(false, true); }, "new"},
      {"drop", [&] { EXPECT_EQ(store_->Drop(InBucket(key_), kEndOfTime).value(), 1U); }, "none"},
      {"drop of many",
       [&] { EXPECT_EQ(store_->Drop(InBucket(Pattern::RowPrefix("")), kEndOfTime).value(), 1U); },
       "none"}};
  for (const Case& each : cases) {
    store_->Close();
    Make({.stripes = 1, .memory_limit_bytes = 0});
    ASSERT_OK(Publish(key_, "old"));
    const auto holder = std::make_shared<PromptHolder>(store_);
    bool lent = false;
    store_->Lend(KeyView(kBucket, key_), holder, kLease,
                 [&](const Result<LentObject>& found) { lent = found->lease == kLease; });
    ASSERT_TRUE(lent);
    Back();
    each.change();
    EXPECT_EQ(holder->asked, 1) << each.name;
    EXPECT_EQ(store_->GetStats().lent, 0U) << each.name;
    EXPECT_EQ(Get(key_), each.then) << each.name;
    EXPECT_EQ(store_->TryPublish(KeyView(kBucket, key_), *std::make_unique<PutRequest>()),
              std::nullopt)
        << "it may block";
  }
}

TEST_F(BackedLendingTest, ADropIsAnsweredOnce) {
  Back();
  ASSERT_OK(store_->Publish(KeyView(kBucket, key_), Put("old", true, true)));
  const auto outcome = Drop(key_);
  EXPECT_EQ(outcome->count, 0) << "where it may block";
  world_.RunReady();
  EXPECT_EQ(outcome->count, 1);
  EXPECT_OK(outcome->status);
  EXPECT_EQ(outcome->dropped, 1U);
}

}  // namespace
}  // namespace cirein
