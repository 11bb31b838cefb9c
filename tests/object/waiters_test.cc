// SPDX-License-Identifier: Apache-2.0
#include "object/waiters.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/objects.h"
#include "support/random_names.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

const Bucket kBucket{7};

class SeatedWaiter : public Waiter {
 public:
  explicit SeatedWaiter(WantCallback done = {}) : Waiter(std::move(done)) {}
  void Withdraw() override {}
  Seat seat;
};

using Waiting = std::vector<std::shared_ptr<Waiter>>;

Pattern InBucket(Pattern pattern, Bucket bucket = kBucket) {
  pattern.set_bucket(bucket);
  return pattern;
}

/// A table that lets everyone go at the end: a seat inside its waiter keeps it alive while parked.
class TestTable : public WaiterTable {
 public:
  ~TestTable() {
    Waiting out;
    CollectAll(out);
  }
};

std::shared_ptr<SeatedWaiter> Park(WaiterTable& table, const Pattern& pattern) {
  auto waiter = std::make_shared<SeatedWaiter>();
  table.Park(pattern, waiter->seat, waiter);
  return waiter;
}

std::size_t Collect(WaiterTable& table, const Key& key, Bucket bucket = kBucket) {
  Waiting out;
  table.Collect(KeyView(bucket, key), out);
  return out.size();
}

TEST(Waiter, IsClaimedOnceAndAnsweredOnce) {
  int answers = 0;
  SeatedWaiter waiter([&](const Result<NamedObject>& result) {
    EXPECT_EQ(result.code(), StatusCode::kCancelled);
    ++answers;
  });
  EXPECT_FALSE(waiter.claimed());
  EXPECT_TRUE(waiter.Claim());
  EXPECT_FALSE(waiter.Claim());
  waiter.Answer(Cancelled("given up"));
  EXPECT_EQ(answers, 1);
  SeatedWaiter silent;
  silent.Answer(Cancelled("nobody listens"));
}

TEST(WaiterTable, FindsEachKindByItsKey) {
  const Key plain("row");
  const Key empty("row", "");
  const Key column("row", "xy");
  struct Case {
    Pattern pattern;
    bool plain, empty, column;
  };
  const Case cases[] = {
      {plain, true, false, false},
      {empty, false, true, false},
      {column, false, false, true},
      {Pattern::Row("row"), true, true, true},
      {Pattern::ColumnPrefix("row", ""), false, true, true},
      {Pattern::ColumnPrefix("row", "x"), false, false, true},
      {Pattern::ColumnPrefix("row", "xyz"), false, false, false},
      {Pattern::RowPrefix(""), true, true, true},
      {Pattern::RowPrefix("ro"), true, true, true},
      {Pattern::RowPrefix("row"), true, true, true},
      {Pattern::RowPrefix("rows"), false, false, false},
      {Pattern::Parse("ro*").value(), true, false, false},
      {Pattern::Parse("ro*", "x*").value(), false, false, true},
      {Key("ro"), false, false, false},
  };
  for (const Case& c : cases) {
    const auto found = [&](const Key& key) {
      TestTable table;
      const auto waiter = Park(table, InBucket(c.pattern));
      EXPECT_EQ(table.size(), 1U);
      const std::size_t count = Collect(table, key);
      EXPECT_EQ(table.size(), 1 - count);
      EXPECT_EQ(waiter->seat.group == nullptr, count == 1);
      table.Unpark(waiter->seat);
      EXPECT_TRUE(table.empty());
      return count == 1;
    };
    EXPECT_EQ(found(plain), c.plain) << c.pattern.ToString();
    EXPECT_EQ(found(empty), c.empty) << c.pattern.ToString();
    EXPECT_EQ(found(column), c.column) << c.pattern.ToString();
  }
}

TEST(WaiterTable, KeepsBucketsApart) {
  TestTable table;
  const auto a = Park(table, InBucket(Key("row"), Bucket(1)));
  const auto b = Park(table, InBucket(Pattern::RowPrefix(""), Bucket(2)));
  EXPECT_EQ(Collect(table, Key("row"), Bucket(3)), 0U);
  EXPECT_EQ(Collect(table, Key("row"), Bucket(2)), 1U);
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(Collect(table, Key("row"), Bucket(1)), 1U);
}

TEST(WaiterTable, DoesNotMixUpWhereRowsEndAndColumnsBegin) {
  TestTable table;
  const auto a = Park(table, InBucket(Key("ab", "c")));
  const auto b = Park(table, InBucket(Key("abr")));
  EXPECT_EQ(Collect(table, Key("a", "bc")), 0U);
  EXPECT_EQ(Collect(table, Key("abc")), 0U);
  EXPECT_EQ(Collect(table, Key("ab")), 0U);
  EXPECT_EQ(table.size(), 2U);
}

TEST(WaiterTable, CountsThoseOfOneKeyOnly) {
  TestTable table;
  std::vector<std::shared_ptr<SeatedWaiter>> waiters;
  for (int i = 0; i < 3; ++i) waiters.push_back(Park(table, InBucket(Key("row"))));
  waiters.push_back(Park(table, InBucket(Pattern::Row("row"))));
  EXPECT_EQ(table.CountFor(KeyView(kBucket, "row")), 3U);
  EXPECT_EQ(table.CountFor(KeyView(kBucket, "other")), 0U);
  table.Unpark(waiters[0]->seat);
  EXPECT_EQ(table.CountFor(KeyView(kBucket, "row")), 2U);
  EXPECT_EQ(table.Unpark(waiters[0]->seat), nullptr) << "a seat is left once";
}

TEST(WaiterTable, LetsGoOfThoseItGivesOut) {
  TestTable table;
  auto waiter = Park(table, InBucket(Key("row")));
  const std::weak_ptr<SeatedWaiter> weak = waiter;
  waiter.reset();
  EXPECT_FALSE(weak.expired()) << "a parked waiter is kept alive";
  {
    Waiting out;
    table.CollectAll(out);
    EXPECT_EQ(out.size(), 1U);
  }
  EXPECT_TRUE(weak.expired());
  EXPECT_TRUE(table.empty());
}

// Random steps against a list of those who wait.
TEST(WaiterTable, AgreesWithAListOfWaiters) {
  Random random(test::Seed());
  TestTable table;
  std::vector<std::pair<Pattern, std::shared_ptr<SeatedWaiter>>> model;
  const Bucket buckets[] = {Bucket(1), Bucket(2)};
  for (int step = 0; step < 30'000; ++step) {
    const std::uint64_t choice = random.Below(100);
    if (choice < 55) {
      const Pattern pattern = InBucket(test::RandomPattern(random), buckets[random.Below(2)]);
      model.emplace_back(pattern, Park(table, pattern));
    } else if (choice < 80 && !model.empty()) {
      const std::size_t i = random.Below(model.size());
      ASSERT_EQ(table.Unpark(model[i].second->seat), model[i].second);
      model.erase(model.begin() + static_cast<std::ptrdiff_t>(i));
    } else if (choice == 99 && random.OneIn(20)) {
      Waiting out;
      table.CollectAll(out);
      ASSERT_EQ(out.size(), model.size());
      model.clear();
    } else {
      const Key key = test::RandomKey(random);
      const Bucket bucket = buckets[random.Below(2)];
      Waiting out;
      table.Collect(KeyView(bucket, key), out);
      std::set<Waiter*> got;
      for (const auto& waiter : out) ASSERT_TRUE(got.insert(waiter.get()).second);
      std::set<Waiter*> expected;
      std::erase_if(model, [&](const auto& entry) {
        Key full = key;
        full.set_bucket(bucket);
        if (!entry.first.Matches(full)) return false;
        expected.insert(entry.second.get());
        return true;
      });
      ASSERT_EQ(got, expected) << "step " << step << ", " << key.ToString();
    }
    ASSERT_EQ(table.size(), model.size());
    ASSERT_EQ(table.empty(), model.empty());
  }
  Waiting out;
  table.CollectAll(out);
  EXPECT_EQ(out.size(), model.size());
}

}  // namespace
}  // namespace cirein
