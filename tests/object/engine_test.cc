// SPDX-License-Identifier: Apache-2.0
#include "object/engine.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "object/engine_fixture.h"
#include "runtime/virtual_clock.h"
#include "support/objects.h"
#include "support/pool_model.h"
#include "support/random_group.h"
#include "support/random_names.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::Code;
using test::EngineTest;
using test::kBucket;
using test::kEngines;
using test::MakeObject;
using test::MemoryBoundTest;

INSTANTIATE_TEST_SUITE_P(Engines, MemoryBoundTest, testing::Values(kEngines[0]),
                         [](const auto& kind) { return std::string(kind.param.name); });

INSTANTIATE_TEST_SUITE_P(Engines, EngineTest, testing::ValuesIn(kEngines),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST_P(EngineTest, GivesBackTheBodyThatWasPut) {
  PutRequest request;
  request.object = MakeObject("data", "meta", 42);
  const DataObject object = request.object;
  const Key key("row", "column");
  ASSERT_EQ(engine().Put(KeyView(kBucket, key), request, garbage_)->code, Code::kStored);
  EXPECT_TRUE(request.object.is_null()) << "the object is taken";
  StoredObject found;
  ASSERT_TRUE(engine().Get(KeyView(kBucket, key), Load::kObject, found).value());
  EXPECT_EQ(found.object.Compare(object), DataObject::Difference::kEqual);
  EXPECT_EQ(found.object.type(), 42);
  EXPECT_EQ(found.expires, kEndOfTime);
}

TEST_P(EngineTest, SaysWhenNothingIsThere) {
  StoredObject found;
  found.version = {9, 9};
  EXPECT_FALSE(engine().Get(KeyView(kBucket, "row"), Load::kObject, found).value());
  EXPECT_EQ(found.version, (Version{9, 9})) << "left alone";
  EXPECT_EQ(Row("row"), std::nullopt);
  EXPECT_EQ(Drop(Pattern::Row("row")), 0U);
  EXPECT_TRUE(Walk(Pattern::Row("row")).empty());
  EXPECT_TRUE(Rows(Pattern::RowPrefix(""), 10).empty());
}

TEST_P(EngineTest, IsWriteOnceUnlessAskedOtherwise) {
  const Version first = Put(Key("row"), "one").version;
  garbage_.clear();
  const PutOutcome refused = Put(Key("row"), "two");
  EXPECT_EQ(refused.code, Code::kExists);
  EXPECT_EQ(refused.version, first);
  EXPECT_EQ(Get(Key("row")), "one");
  EXPECT_TRUE(garbage_.empty());

  const PutOutcome replaced = Put(Key("row"), "two", Overwriting());
  EXPECT_EQ(replaced.code, Code::kStored);
  EXPECT_GT(replaced.version, first);
  EXPECT_EQ(Get(Key("row")), "two");
  ExpectLetGo("one");
}

TEST_P(EngineTest, LeavesARefusedObjectToTheCaller) {
  Put(Key("row"), "one");
  PutRequest request;
  request.object = MakeObject("two");
  EXPECT_EQ(engine().Put(KeyView(kBucket, "row"), request, garbage_)->code, Code::kExists);
  EXPECT_FALSE(request.object.is_null());
}

TEST_P(EngineTest, ComparesVersions) {
  EXPECT_EQ(Put(Key("row"), "x", IfVersion({1, 1})).code, Code::kVersionDiffers);
  EXPECT_EQ(Put(Key("row"), "x", IfVersion({1, 1})).version, Version{});
  const PutOutcome first = Put(Key("row"), "one", IfVersion(Version{}));
  ASSERT_EQ(first.code, Code::kStored) << "no version is that of nothing";
  const PutOutcome differs = Put(Key("row"), "two", IfVersion(Version{}));
  EXPECT_EQ(differs.code, Code::kVersionDiffers);
  EXPECT_EQ(differs.version, first.version);
  const PutOutcome second = Put(Key("row"), "two", IfVersion(first.version));
  EXPECT_EQ(second.code, Code::kStored) << "and it overwrites";
  EXPECT_EQ(Put(Key("row"), "three", IfVersion(first.version)).code, Code::kVersionDiffers);
  EXPECT_EQ(Get(Key("row")), "two");
}

TEST_P(EngineTest, NeverGivesAVersionTwice) {
  const Version before = Put(Key("row"), "one").version;
  Drop(Key("row"));
  const Version after = Put(Key("row"), "two").version;
  EXPECT_GT(after, before);
  EXPECT_EQ(Put(Key("row"), "x", IfVersion(before)).code, Code::kVersionDiffers);
}

TEST_P(EngineTest, ChecksWithoutStoring) {
  PutRequest around;
  around.store = false;
  EXPECT_EQ(Put(Key("row"), "one", around).code, Code::kStored);
  EXPECT_EQ(Get(Key("row")), "none");
  EXPECT_TRUE(Rows(Pattern::RowPrefix(""), 10).empty());
  Put(Key("row"), "two");
  EXPECT_EQ(Put(Key("row"), "three", around).code, Code::kExists);
  EXPECT_EQ(Get(Key("row")), "two");
}

TEST_P(EngineTest, TellsNoColumnFromAnEmptyColumn) {
  Put(Key("row"), "plain");
  Put(Key("row", ""), "empty");
  Put(Key("row", "x"), "x");
  EXPECT_EQ(Get(Key("row")), "plain");
  EXPECT_EQ(Get(Key("row", "")), "empty");
  EXPECT_EQ(Walk(Pattern::Row("row")), (std::vector<std::string>{"row", "row|", "row|x"}));
  EXPECT_EQ(Drop(Key("row")), 1U);
  EXPECT_EQ(Get(Key("row", "")), "empty");
  EXPECT_EQ(Drop(Key("row", "")), 1U);
  EXPECT_EQ(Walk(Pattern::Row("row")), (std::vector<std::string>{"row|x"}));
}

TEST_P(EngineTest, KeepsBucketsApart) {
  PutRequest request;
  request.object = MakeObject("other");
  ASSERT_OK(engine().Put(KeyView(Bucket(8), "row"), request, garbage_));
  EXPECT_EQ(Get(Key("row")), "none");
  Put(Key("row"), "mine");
  EXPECT_EQ(Rows(Pattern::RowPrefix(""), 10), (std::vector<std::string>{"row"}));
  EXPECT_EQ(Drop(Key("row")), 1U);
  StoredObject found;
  EXPECT_TRUE(engine().Get(KeyView(Bucket(8), "row"), Load::kObject, found).value());
}

TEST_P(EngineTest, DropsWhatThePatternSays) {
  const auto fill = [this] {
    Put(Key("row"), "", Overwriting());
    for (const char* column : {"", "x", "xy", "y"}) Put(Key("row", column), "", Overwriting());
  };
  fill();
  EXPECT_EQ(Drop(Key("row", "x")), 1U);
  EXPECT_EQ(Walk(Pattern::Row("row")),
            (std::vector<std::string>{"row", "row|", "row|xy", "row|y"}));
  fill();
  EXPECT_EQ(Drop(Pattern::ColumnPrefix("row", "x")), 2U);
  EXPECT_EQ(Walk(Pattern::Row("row")), (std::vector<std::string>{"row", "row|", "row|y"}));
  fill();
  EXPECT_EQ(Drop(Pattern::ColumnPrefix("row", "")), 4U);
  EXPECT_EQ(Walk(Pattern::Row("row")), (std::vector<std::string>{"row"}));
  fill();
  EXPECT_EQ(Drop(Pattern::Row("row")), 5U);
  ExpectEmpty();
}

TEST_P(EngineTest, TellsAboutRows) {
  Put(Key("row", "a"), "12345");
  EXPECT_EQ(Row("row")->columns, 1U);
  EXPECT_FALSE(Row("row")->has_object);
  Put(Key("row"), "123");
  Put(Key("row", "b"), "1");
  const RowInfo info = *Row("row");
  EXPECT_EQ(info.columns, 2U);
  EXPECT_TRUE(info.has_object);
  EXPECT_EQ(info.user_bytes, 9U);
  Put(Key("row", "a"), "1", Overwriting());
  EXPECT_EQ(Row("row")->user_bytes, 5U);
  Drop(Pattern::ColumnPrefix("row", ""));
  EXPECT_EQ(Row("row")->user_bytes, 3U);
  EXPECT_EQ(Row("row")->columns, 0U);
}

TEST_P(EngineTest, WalksOnAfterAnObject) {
  Put(Key("row"), "");
  for (const char* column : {"", "a", "x", "xy", "y"}) Put(Key("row", column), "");
  using Names = std::vector<std::string>;
  const Pattern all = Pattern::Row("row");
  EXPECT_EQ(Walk(all, After(std::nullopt)).size(), 6U);
  EXPECT_EQ(Walk(all, After(std::optional<std::string_view>())),
            (Names{"row|", "row|a", "row|x", "row|xy", "row|y"}));
  EXPECT_EQ(Walk(all, After("")), (Names{"row|a", "row|x", "row|xy", "row|y"}));
  EXPECT_EQ(Walk(all, After("x")), (Names{"row|xy", "row|y"}));
  EXPECT_EQ(Walk(all, After("b")), (Names{"row|x", "row|xy", "row|y"})) << "one that is gone";
  EXPECT_EQ(Walk(all, After("z")), Names{});
  const Pattern some = Pattern::ColumnPrefix("row", "x");
  EXPECT_EQ(Walk(some, After("a")), (Names{"row|x", "row|xy"}));
  EXPECT_EQ(Walk(some, After("x")), (Names{"row|xy"}));
  EXPECT_EQ(Walk(some, After("y")), Names{});
  EXPECT_EQ(Walk(Key("row"), After(std::optional<std::string_view>())), Names{});
  EXPECT_EQ(Walk(Key("row", "x"), After("x")), Names{});
}

TEST_P(EngineTest, StopsAWalkWhenTheVisitorHasSeenEnough) {
  Put(Key("row"), "");
  Put(Key("row", "a"), "");
  for (int limit = 1; limit <= 2; ++limit) {
    int visited = 0;
    const Result<bool> all =
        engine().WalkRow(KeyView(kBucket, "row"), Pattern::Row("row"), std::nullopt, Load::kObject,
                         [&](const KeyView&, const StoredObject&) { return ++visited < limit; });
    EXPECT_FALSE(all.value());
    EXPECT_EQ(visited, limit);
  }
}

TEST_P(EngineTest, GivesEachRowOnceInPages) {
  std::vector<std::string> all;
  for (int i = 0; i < 500; ++i) {
    all.push_back((i % 5 == 0 ? "five" : "other") + std::to_string(i));
    Put(i % 2 == 0 ? Key(all.back()) : Key(all.back(), "column"), "");
  }
  std::vector<std::string> fives;
  std::copy_if(all.begin(), all.end(), std::back_inserter(fives),
               [](const std::string& name) { return name.starts_with("five"); });
  std::sort(all.begin(), all.end());
  std::sort(fives.begin(), fives.end());
  for (const std::size_t page : {1U, 7U, 499U, 500U, 501U}) {
    std::vector<std::string> got = Rows(Pattern::RowPrefix(""), page);
    std::sort(got.begin(), got.end());
    EXPECT_EQ(got, all) << page;
    got = Rows(Pattern::RowPrefix("five"), page);
    std::sort(got.begin(), got.end());
    EXPECT_EQ(got, fives) << page;
    EXPECT_EQ(Rows(Key("five0"), page), (std::vector<std::string>{"five0"}));
  }
}

TEST_P(EngineTest, HidesWhatExpired) {
  Put(Key("row"), "1", ExpiringIn(10s));
  Put(Key("row", "a"), "22", ExpiringIn(20s));
  Put(Key("row", "b"), "333");
  clock_.Advance(10s - 1ns);
  EXPECT_EQ(Get(Key("row")), "1");
  EXPECT_EQ(Row("row")->user_bytes, 6U);
  clock_.Advance(1ns);
  EXPECT_EQ(Get(Key("row")), "none") << "gone at the instant, not after it";
  EXPECT_FALSE(Row("row")->has_object);
  EXPECT_EQ(Row("row")->user_bytes, 5U);
  EXPECT_EQ(Walk(Pattern::Row("row")), (std::vector<std::string>{"row|a", "row|b"}));
  clock_.Advance(10s);
  EXPECT_EQ(Row("row")->columns, 1U);
  EXPECT_EQ(Walk(Pattern::Row("row")), (std::vector<std::string>{"row|b"}));
  EXPECT_EQ(Drop(Pattern::Row("row")), 1U) << "what had expired is not counted";
  ExpectHolds(0);
}

TEST_P(EngineTest, TreatsWhatExpiredAsAbsent) {
  const Version version = Put(Key("row"), "one", ExpiringIn(1s)).version;
  clock_.Advance(1s);
  EXPECT_EQ(Put(Key("row"), "x", IfVersion(version)).code, Code::kVersionDiffers);
  EXPECT_EQ(Put(Key("row"), "two").code, Code::kStored) << "write-once may write again";
  clock_.Advance(100s);
  EXPECT_EQ(Get(Key("row")), "two") << "the new one does not expire";
  Put(Key("row", "c"), "one", ExpiringIn(1s));
  clock_.Advance(1s);
  EXPECT_EQ(Put(Key("row", "c"), "two", IfVersion(Version{})).code, Code::kStored);
  EXPECT_EQ(Get(Key("row", "c")), "two");
}

TEST_P(MemoryBoundTest, FreesWhatExpired) {
  EXPECT_FALSE(engine().Sweep(1000, garbage_)) << "nothing will expire";
  for (int i = 0; i < 100; ++i) Put(Key(std::to_string(i)), "", ExpiringIn(1s));
  for (int i = 0; i < 50; ++i) Put(Key("row", std::to_string(i)), "", ExpiringIn(1s));
  Put(Key("row"), "stays");
  Put(Key("late"), "late", ExpiringIn(10s));
  EXPECT_TRUE(engine().Sweep(1000, garbage_));
  ExpectHolds(152);
  clock_.Advance(1s);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(engine().Sweep(10, garbage_));
  ExpectHolds(2);
  EXPECT_EQ(engine().GetStats().rows, 2U);
  EXPECT_EQ(garbage_.size(), 150U);
  EXPECT_EQ(Get(Key("row")), "stays");
  clock_.Advance(10s);
  EXPECT_FALSE(engine().Sweep(1000, garbage_));
  ExpectHolds(1);
}

TEST_P(EngineTest, KeepsTheNewestColumns) {
  PutRequest keep = Overwriting();
  keep.keep = 2;
  Put(Key("row"), "plain", keep);
  Put(Key("row", "c"), "", keep);
  Put(Key("row", "a"), "", keep);
  Put(Key("row", "b"), "", keep);
  EXPECT_EQ(Walk(Pattern::Row("row")), (std::vector<std::string>{"row", "row|a", "row|b"}))
      << "the object without column does not count";
  Put(Key("row", "a"), "", keep);  // Newer than b now.
  Put(Key("row", "d"), "", keep);
  EXPECT_EQ(Walk(Pattern::Row("row")), (std::vector<std::string>{"row", "row|a", "row|d"}));
  for (const char* column : {"e", "f", "g"}) Put(Key("row", column), "");
  keep.keep = 1;
  Put(Key("row", "0"), "", keep);
  EXPECT_EQ(Walk(Pattern::ColumnPrefix("row", "")), (std::vector<std::string>{"row|0"}));
  ExpectHolds(2);
}

TEST_P(EngineTest, DoesNotKeepAnExpiredColumnInsteadOfALivingOne) {
  PutRequest keep = Overwriting();
  keep.keep = 2;
  Put(Key("row", "old"), "", keep);
  PutRequest brief = ExpiringIn(1s);
  brief.keep = 2;
  Put(Key("row", "brief"), "", brief);
  clock_.Advance(1s);
  Put(Key("row", "new"), "", keep);
  EXPECT_EQ(Walk(Pattern::Row("row")), (std::vector<std::string>{"row|new", "row|old"}));
}

TEST_P(MemoryBoundTest, RefusesWhatDoesNotFitAndGoesOn) {
  UseLimit(100'000);
  std::vector<std::string> stored;
  PutOutcome outcome;
  for (int i = 0; i < 1000; ++i) {
    outcome = Put(Key(std::to_string(i)), std::string(1000, 'x'));
    if (outcome.code != Code::kStored) break;
    stored.push_back(std::to_string(i));
  }
  ASSERT_EQ(outcome.code, Code::kFull);
  EXPECT_GT(stored.size(), 50U);
  EXPECT_LT(stored.size(), 100U);
  EXPECT_LE(engine().GetStats().used_bytes, 100'000U);
  PutRequest request;
  request.object = MakeObject(std::string(200'000, 'x'));
  EXPECT_EQ(engine().Put(KeyView(kBucket, "big"), request, garbage_)->code, Code::kFull);
  EXPECT_FALSE(request.object.is_null()) << "a refused object is the caller's";
  for (const std::string& row : stored) EXPECT_NE(Get(Key(row)), "none");
  EXPECT_EQ(Put(Key(stored[0]), "small", Overwriting()).code, Code::kStored);
  EXPECT_EQ(Put(Key(stored[1]), std::string(200'000, 'y'), Overwriting()).code, Code::kFull);
  EXPECT_EQ(Get(Key(stored[1])), std::string(1000, 'x')) << "the old one stays";
  Drop(Key(stored[1]));
  EXPECT_EQ(Put(Key("another"), std::string(1000, 'x')).code, Code::kStored);
}

TEST_P(MemoryBoundTest, MakesRoomOfWhatExpired) {
  UseLimit(100'000);
  for (int i = 0; i < 1000; ++i) {
    if (Put(Key(std::to_string(i)), std::string(1000, 'x'), ExpiringIn(1s)).code == Code::kFull) {
      break;
    }
  }
  clock_.Advance(1s);
  EXPECT_EQ(Put(Key("0"), std::string(90'000, 'x')).code, Code::kStored);
  ExpectHolds(1);
}

TEST_P(EngineTest, StoresAGroupInTheOrderOfItsVersions) {
  const Version before = Put(Key("row", "b"), "old").version;
  const PutOutcome outcome = PutGroup(
      {{Key("row", "c"), "1"}, {Key("row"), "2"}, {Key("row", ""), "3"}, {Key("row", "b"), "4"}},
      Overwriting());
  ASSERT_EQ(outcome.code, Code::kStored);
  EXPECT_EQ(Get(Key("row", "c")), "1");
  EXPECT_EQ(Get(Key("row")), "2");
  EXPECT_EQ(Get(Key("row", "")), "3");
  EXPECT_EQ(Get(Key("row", "b")), "4");
  EXPECT_GT(VersionOf(Key("row", "c")), before);
  Version version = outcome.version;
  for (const Key& key : {Key("row", "b"), Key("row", ""), Key("row"), Key("row", "c")}) {
    EXPECT_EQ(VersionOf(key), version) << key.ToString();
    --version.counter;
  }
  for (const PutItem& item : items_) EXPECT_TRUE(item.request.object.is_null()) << "it is taken";
  ExpectLetGo("old");
  EXPECT_EQ(Row("row")->columns, 3U);
  EXPECT_EQ(Row("row")->user_bytes, 4U);
  EXPECT_GT(Put(Key("other"), "").version, outcome.version) << "a version is given once";
}

TEST_P(EngineTest, RefusesAGroupWhole) {
  const Version there = Put(Key("row", "b"), "old").version;
  garbage_.clear();
  const Engine::Stats before = engine().GetStats();
  const Objects group = {{Key("row", "a"), "1"}, {Key("row", "b"), "2"}, {Key("row"), "3"}};
  const PutOutcome refused = PutGroup(group);
  EXPECT_EQ(refused.code, Code::kExists);
  EXPECT_EQ(refused.item, 1U);
  EXPECT_EQ(refused.version, there);
  EXPECT_EQ(Walk(Pattern::Row("row")), (std::vector<std::string>{"row|b"}));
  EXPECT_EQ(Get(Key("row", "b")), "old");
  EXPECT_EQ(engine().GetStats().objects, before.objects);
  EXPECT_EQ(engine().GetStats().used_bytes, before.used_bytes);
  EXPECT_TRUE(garbage_.empty());
  for (const PutItem& item : items_) EXPECT_FALSE(item.request.object.is_null()) << "the caller's";
  Drop(Key("row", "b"));
  EXPECT_EQ(PutGroup(group).code, Code::kStored) << "write-once of what is not there";
  EXPECT_EQ(PutGroup({{Key("row", "new"), "1"}, {Key("row"), "2"}}).code, Code::kExists);
  EXPECT_EQ(Get(Key("row", "new")), "none") << "also when the last one is refused";
}

TEST_P(MemoryBoundTest, AGroupThatDoesNotFitLeavesNothing) {
  UseLimit(100'000);
  Put(Key("row", "a"), "old");
  const std::uint64_t before = engine().GetStats().used_bytes;
  const std::string large(30'000, 'x');
  const Objects group = {{Key("row", "a"), large},
                         {Key("row", "b"), large},
                         {Key("row", "c"), large},
                         {Key("row"), large}};
  EXPECT_EQ(PutGroup(group, Overwriting()).code, Code::kFull);
  EXPECT_EQ(Walk(Pattern::Row("row")), (std::vector<std::string>{"row|a"}));
  EXPECT_EQ(Get(Key("row", "a")), "old") << "the old one stays";
  EXPECT_EQ(engine().GetStats().used_bytes, before);
  for (const PutItem& item : items_) EXPECT_FALSE(item.request.object.is_null()) << "the caller's";
  EXPECT_EQ(PutGroup({group[0], group[1]}, Overwriting()).code, Code::kStored);
  EXPECT_EQ(Get(Key("row", "a")), large);
  Drop(Pattern::Row("row"));
  EXPECT_EQ(engine().GetStats().used_bytes, 0U) << "a row that a group made is paid for once";
}

TEST_P(MemoryBoundTest, AGroupTakesTheRoomOfWhatExpired) {
  UseLimit(100'000);
  Put(Key("row", "old"), std::string(80'000, 'x'), ExpiringIn(1s));
  const Objects group = {{Key("row", "a"), std::string(30'000, 'a')},
                         {Key("row", "b"), std::string(30'000, 'b')}};
  EXPECT_EQ(PutGroup(group).code, Code::kFull);
  clock_.Advance(1s);
  EXPECT_EQ(PutGroup(group).code, Code::kStored);
  EXPECT_EQ(Walk(Pattern::Row("row")), (std::vector<std::string>{"row|a", "row|b"}));
}

TEST_P(EngineTest, AGroupTreatsWhatExpiredAsAbsent) {
  ASSERT_EQ(PutGroup({{Key("row"), "1"}, {Key("row", "a"), "2"}}, ExpiringIn(1s)).code,
            Code::kStored);
  EXPECT_EQ(PutGroup({{Key("row"), "3"}, {Key("row", "b"), "4"}}).code, Code::kExists);
  clock_.Advance(1s);
  EXPECT_EQ(Walk(Pattern::Row("row")), std::vector<std::string>{}) << "all of it at one instant";
  EXPECT_EQ(PutGroup({{Key("row"), "3"}, {Key("row", "b"), "4"}}).code, Code::kStored);
  EXPECT_EQ(Walk(Pattern::Row("row")), (std::vector<std::string>{"row", "row|b"}));
}

TEST_P(EngineTest, AGroupCountsForWhatIsKept) {
  using Names = std::vector<std::string>;
  Put(Key("row", "old"), "");
  Put(Key("row", "older"), "");
  PutGroup({{Key("row", "b"), ""}, {Key("row", "a"), ""}}, Keeping(3));
  EXPECT_EQ(Walk(Pattern::Row("row")), (Names{"row|a", "row|b", "row|older"}));
  PutGroup({{Key("row", "d"), ""}, {Key("row", "c"), ""}, {Key("row", "e"), ""}}, Keeping(2));
  EXPECT_EQ(Walk(Pattern::Row("row")), (Names{"row|c", "row|e"}))
      << "of a group that is larger itself the newest stay";
  PutGroup({{Key("row", "f"), ""}, {Key("row", "g"), ""}, {Key("row"), ""}}, Keeping(1));
  EXPECT_EQ(Walk(Pattern::Row("row")), (Names{"row", "row|g"}))
      << "wherever the object without column stands";
  ExpectHolds(2);
}

TEST_P(EngineTest, ChecksAGroupWithoutStoring) {
  PutRequest around;
  around.store = false;
  const Version first = PutGroup({{Key("row"), "1"}, {Key("row", "a"), "2"}}, around).version;
  EXPECT_TRUE(Rows(Pattern::RowPrefix(""), 10).empty());
  EXPECT_GT(Put(Key("row"), "3").version, first);
  const PutOutcome refused = PutGroup({{Key("row", "a"), "2"}, {Key("row"), "1"}}, around);
  EXPECT_EQ(refused.code, Code::kExists);
  EXPECT_EQ(refused.item, 1U);
}

// Random steps against the model, the clock included.
TEST_P(EngineTest, AgreesWithTheModel) {
  Random random(test::Seed());
  test::PoolModel model;
  model.set_now(clock_.Now());
  std::map<Key, Version> last;
  for (int step = 0; step < 20'000; ++step) {
    const Key key = test::RandomKey(random);
    const KeyView view(kBucket, key);
    const Pattern pattern = random.OneIn(2) ? Pattern(key)
                            : random.OneIn(2)
                                ? Pattern::Row(key.row())
                                : Pattern::ColumnPrefix(key.row(), test::RandomColumn(random));
    switch (random.Below(7)) {
      case 6: {
        PublishOptions options;
        options.overwrite = random.OneIn(3) ? Overwrite::kNo : Overwrite::kYes;
        if (random.OneIn(3)) options.ttl = std::chrono::seconds(1 + random.Below(20));
        PutRequest request;
        if (options.overwrite == Overwrite::kYes) request.mode = PutMode::kOverwrite;
        if (options.ttl) request.expires = clock_.Now() + *options.ttl;
        Objects objects;
        for (Key& each : test::RandomGroup(random, 5)) {
          objects.emplace_back(std::move(each), std::string(random.Below(50), 'g'));
        }
        const auto refused = std::find_if(objects.begin(), objects.end(), [&](const auto& object) {
          return model.CheckPublish(object.first, options) != StatusCode::kOk;
        });
        const PutOutcome outcome = PutGroup(objects, request);
        if (refused != objects.end()) {
          ASSERT_EQ(outcome.code, Code::kExists);
          ASSERT_EQ(outcome.item, static_cast<std::size_t>(refused - objects.begin()));
          break;
        }
        ASSERT_EQ(outcome.code, Code::kStored);
        Version version = outcome.version;
        version.counter -= objects.size();
        for (const auto& [each, data] : objects) {
          ++version.counter;
          ASSERT_GT(version, last[each]);
          ASSERT_EQ(VersionOf(each), version);
          last[each] = version;
          model.Publish(each, data, "", options, version);
        }
        break;
      }
      case 0:
      case 1: {
        PublishOptions options;
        options.overwrite = random.OneIn(2) ? Overwrite::kYes : Overwrite::kNo;
        if (random.OneIn(3)) options.ttl = std::chrono::seconds(1 + random.Below(20));
        if (random.OneIn(4)) {
          const auto* entry = model.Get(key);
          options.if_version = entry != nullptr && random.OneIn(2) ? entry->version : last[key];
          if (random.OneIn(3)) options.if_version = Version{};
        }
        PutRequest request;
        request.mode = options.if_version                     ? PutMode::kIfVersion
                       : options.overwrite == Overwrite::kYes ? PutMode::kOverwrite
                                                              : PutMode::kWriteOnce;
        request.if_version = options.if_version.value_or(Version{});
        if (options.ttl) request.expires = clock_.Now() + *options.ttl;
        const StatusCode expected = model.CheckPublish(key, options);
        const std::string data(random.Below(50), static_cast<char>('a' + random.Below(26)));
        const PutOutcome outcome = Put(key, data, request);
        ASSERT_EQ(outcome.code, expected == StatusCode::kOk              ? Code::kStored
                                : expected == StatusCode::kAlreadyExists ? Code::kExists
                                                                         : Code::kVersionDiffers);
        if (outcome.code != Code::kStored) break;
        ASSERT_GT(outcome.version, last[key]);
        last[key] = outcome.version;
        model.Publish(key, data, "", options, outcome.version);
        break;
      }
      case 2:
        ASSERT_EQ(Drop(pattern), model.Drop(pattern));
        break;
      case 3:
        clock_.Advance(std::chrono::milliseconds(random.Below(5000)));
        model.set_now(clock_.Now());
        if (random.OneIn(3)) engine().Sweep(1 + random.Below(5), garbage_);
        break;
      case 4: {
        const std::optional<RowInfo> expected = model.GetRowInfo(key.row());
        const std::optional<RowInfo> info = Row(key.row());
        ASSERT_EQ(info.has_value(), expected.has_value());
        if (info) {
          ASSERT_EQ(info->columns, expected->columns);
          ASSERT_EQ(info->has_object, expected->has_object);
          ASSERT_EQ(info->user_bytes, expected->user_bytes);
        }
        break;
      }
      default: {
        const auto* entry = model.Get(key);
        ASSERT_EQ(Get(key), entry == nullptr ? "none" : entry->data);
        std::vector<std::string> names;
        for (const Key& match : model.List(pattern)) names.push_back(match.ToString());
        ASSERT_EQ(Walk(pattern), names);
      }
    }
    garbage_.clear();
  }
  clock_.Advance(1h);
  model.set_now(clock_.Now());
  while (GetParam().in_memory && engine().Sweep(3, garbage_)) {
  }
  ExpectHolds(model.List(Pattern::RowPrefix("")).size());
  for (const std::string& row : Rows(Pattern::RowPrefix(""), 3)) Drop(Pattern::Row(row));
  ExpectEmpty();
}

}  // namespace
}  // namespace cirein
