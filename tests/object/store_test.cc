// SPDX-License-Identifier: Apache-2.0
#include "object/store.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "object/memory_engine.h"
#include "runtime/virtual_clock.h"
#include "support/objects.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::MakeObject;

const Bucket kBucket{7};

class SeatedWaiter : public Waiter {
 public:
  SeatedWaiter() : Waiter({}) {}
  void Withdraw() override {}
  Seat seat;
};

class StoreTest : public testing::Test {
 protected:
  ~StoreTest() override {
    std::vector<std::shared_ptr<Waiter>> waiters;
    store_.Close(waiters);
  }
  /// How many are to be answered.
  std::size_t Answered() const {
    std::size_t count = 0;
    for (const Effects::Answer& answer : effects_.answers) count += answer.waiters.size();
    return count;
  }

  Result<ObjectInfo> Publish(const Key& key, std::string_view data, PutRequest request = {}) {
    request.object = MakeObject(data, "m");
    effects_ = Effects();
    return store_.Publish(KeyView(kBucket, key), std::move(request), effects_);
  }
  /// Looks or parks; the name found, "parked", or the error.
  std::string Want(Pattern pattern) {
    pattern.set_bucket(kBucket);
    waiters_.push_back(std::make_shared<SeatedWaiter>());
    NamedObject found;
    const Result<bool> hit = store_.Want(KeyView(kBucket, pattern.row()), pattern,
                                         waiters_.back()->seat, waiters_.back(), found);
    if (!hit.ok()) return hit.status().ToString();
    return *hit ? found.key.ToString() : "parked";
  }
  std::uint64_t Drop(const Pattern& pattern) {
    return store_.Drop(KeyView(kBucket, pattern.row()), pattern, effects_).value();
  }

  VirtualClock clock_;
  MemoryBudget budget_{1'000'000, 1};
  Store store_{std::make_unique<MemoryEngine>(0, clock_, budget_), clock_};
  std::vector<std::shared_ptr<SeatedWaiter>> waiters_;
  Effects effects_;
};

TEST_F(StoreTest, PublishTellsWhatItStored) {
  PutRequest request;
  request.expires = clock_.Now() + 5s;
  const Result<ObjectInfo> info = Publish(Key("row"), "four", request);
  ASSERT_OK(info);
  EXPECT_EQ(info->meta_bytes, 1U);
  EXPECT_EQ(info->data_bytes, 4U);
  EXPECT_EQ(info->ttl, 5s);
  EXPECT_EQ(info->availability, Availability::kLocalMemory);
  EXPECT_GT(info->version, Version{});
  clock_.Advance(2s);
  const Result<ObjectInfo> later = store_.Info(KeyView(kBucket, "row"));
  ASSERT_OK(later);
  EXPECT_EQ(later->ttl, 3s);
  EXPECT_EQ(later->version, info->version);
}

TEST_F(StoreTest, RefusalsNameTheKeyAndTheReason) {
  const Version version = Publish(Key("row", "c"), "one")->version;
  const Status exists = Publish(Key("row", "c"), "two").status();
  EXPECT_CODE(exists, kAlreadyExists);
  EXPECT_NE(exists.message().find("row|c"), std::string::npos) << exists.ToString();
  EXPECT_NE(exists.message().find(version.ToString()), std::string::npos);
  PutRequest request;
  request.mode = PutMode::kIfVersion;
  EXPECT_CODE(Publish(Key("row", "c"), "two", request), kFailedPrecondition);
  request.mode = PutMode::kOverwrite;
  EXPECT_CODE(Publish(Key("row", "c"), std::string(2'000'000, 'x'), request), kResourceExhausted);
  EXPECT_EQ(store_.GetStats().refused, 3U);
  EXPECT_EQ(store_.GetStats().publishes, 1U);
}

TEST_F(StoreTest, AnswersEveryKindOfWaiterInTheStepThatStores) {
  for (const Pattern& pattern :
       {Pattern(Key("row", "xy")), Pattern::Row("row"), Pattern::ColumnPrefix("row", "x"),
        Pattern(Key("row")), Pattern::ColumnPrefix("row", "y"), Pattern(Key("other", "xy"))}) {
    EXPECT_EQ(Want(pattern), "parked");
  }
  auto prefix = std::make_shared<SeatedWaiter>();
  ASSERT_OK(store_.ParkPrefix(Pattern::RowPrefix("r").set_bucket(kBucket), prefix->seat, prefix));
  ASSERT_OK(Publish(Key("row", "xy"), "data"));
  EXPECT_EQ(Answered(), 4U);
  EXPECT_EQ(effects_.answers.at(0).object.object.text(), "data");
  EXPECT_EQ(store_.GetStats().waiting, 3U);
  EXPECT_EQ(store_.GetStats().answered, 4U);
}

TEST_F(StoreTest, ARefusedPublishAnswersNobody) {
  ASSERT_OK(Publish(Key("row", "a"), "a"));
  EXPECT_EQ(Want(Key("row", "b")), "parked");
  EXPECT_CODE(Publish(Key("row", "a"), "again"), kAlreadyExists);
  EXPECT_EQ(Answered(), 0U);
  EXPECT_CODE(Publish(Key("row", "b"), std::string(2'000'000, 'x')), kResourceExhausted);
  EXPECT_EQ(Answered(), 0U);
  EXPECT_EQ(store_.GetStats().waiting, 1U);
}

TEST_F(StoreTest, WantFindsWhatIsThere) {
  ASSERT_OK(Publish(Key("row", "b"), "b"));
  ASSERT_OK(Publish(Key("row", "a"), "a"));
  EXPECT_EQ(Want(Key("row", "b")), "row|b");
  EXPECT_EQ(Want(Pattern::Row("row")), "row|a");
  EXPECT_EQ(Want(Pattern::ColumnPrefix("row", "b")), "row|b");
  EXPECT_EQ(Want(Key("row")), "parked") << "no column is not any column";
  EXPECT_EQ(store_.GetStats().hits, 3U);
  EXPECT_EQ(store_.GetStats().misses, 1U);
}

TEST_F(StoreTest, WantDoesNotFindWhatExpired) {
  PutRequest request;
  request.expires = clock_.Now() + 1s;
  ASSERT_OK(Publish(Key("row"), "old", request));
  clock_.Advance(1s);
  EXPECT_EQ(Want(Key("row")), "parked");
  ASSERT_OK(Publish(Key("row"), "new"));
  EXPECT_EQ(Answered(), 1U);
}

TEST_F(StoreTest, WriteAroundAnswersAndLeavesNothing) {
  EXPECT_EQ(Want(Key("row")), "parked");
  PutRequest around;
  around.store = false;
  const Result<ObjectInfo> info = Publish(Key("row"), "passing", around);
  ASSERT_OK(info);
  EXPECT_EQ(info->availability, Availability::kUnavailable);
  EXPECT_EQ(Answered(), 1U);
  EXPECT_EQ(effects_.answers.at(0).object.object.text(), "passing");
  EXPECT_CODE(store_.Info(KeyView(kBucket, "row")), kNotFound);
}

TEST_F(StoreTest, DropLeavesThoseWhoWait) {
  EXPECT_EQ(Want(Key("row", "x")), "parked");
  ASSERT_OK(Publish(Key("row"), "data"));
  EXPECT_EQ(Drop(Pattern::Row("row")), 1U);
  EXPECT_EQ(store_.GetStats().waiting, 1U);
  ASSERT_OK(Publish(Key("row", "x"), "data"));
  EXPECT_EQ(Answered(), 1U);
}

TEST_F(StoreTest, UnparkedIsForgotten) {
  EXPECT_EQ(Want(Key("row")), "parked");
  EXPECT_EQ(store_.Unpark(waiters_[0]->seat), waiters_[0]);
  EXPECT_EQ(store_.Unpark(waiters_[0]->seat), nullptr);
  ASSERT_OK(Publish(Key("row"), "data"));
  EXPECT_EQ(Answered(), 0U);
}

TEST_F(StoreTest, InfoSaysThatSomebodyWaits) {
  EXPECT_EQ(Want(Key("row")), "parked");
  EXPECT_EQ(Want(Key("row")), "parked");
  const Status missing = store_.Info(KeyView(kBucket, "row")).status();
  EXPECT_CODE(missing, kNotFound);
  EXPECT_NE(missing.message().find("2 wait"), std::string::npos) << missing.ToString();
  EXPECT_CODE(store_.GetRowInfo(KeyView(kBucket, "row")), kNotFound);
}

TEST_F(StoreTest, AfterCloseNobodyWaitsAndNothingIsStored) {
  ASSERT_OK(Publish(Key("row"), "data"));
  EXPECT_EQ(Want(Key("other")), "parked");
  effects_ = Effects();
  std::vector<std::shared_ptr<Waiter>> waiters;
  const std::unique_ptr<Engine> engine = store_.Close(waiters);
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(engine->GetStats().objects, 1U);
  EXPECT_EQ(waiters.size(), 1U);
  std::vector<std::shared_ptr<Waiter>> none;
  EXPECT_EQ(store_.Close(none), nullptr);
  EXPECT_TRUE(none.empty());

  const KeyView row(kBucket, "row");
  StoredObject found;
  EXPECT_CODE(Publish(Key("row"), "data"), kUnavailable);
  EXPECT_CODE(store_.Get(row, found), kUnavailable);
  EXPECT_CODE(store_.Info(row), kUnavailable);
  EXPECT_CODE(store_.GetRowInfo(row), kUnavailable);
  EXPECT_CODE(store_.Drop(row, Key("row"), effects_), kUnavailable);
  EXPECT_CODE(store_.Rows({}, Pattern::RowPrefix(""), 1), kUnavailable);
  EXPECT_CODE(store_.WalkRow(row, Key("row"), std::nullopt, Load::kObject,
                             [](const KeyView&, const StoredObject&) { return true; }),
              kUnavailable);
  EXPECT_FALSE(store_.Sweep(1, effects_));
  NamedObject named;
  auto waiter = std::make_shared<SeatedWaiter>();
  EXPECT_CODE(store_.Want(row, Key("row"), waiter->seat, waiter, named), kUnavailable);
  EXPECT_CODE(store_.ParkPrefix(Pattern::RowPrefix(""), waiter->seat, waiter), kUnavailable);
  EXPECT_EQ(waiter->seat.group, nullptr);
  EXPECT_EQ(store_.GetStats().waiting, 0U);
}

}  // namespace
}  // namespace cirein
