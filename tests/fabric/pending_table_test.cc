// SPDX-License-Identifier: Apache-2.0
#include "fabric/packet/pending_table.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "support/seed.h"

namespace cirein::fabric {
namespace {

using std::chrono::nanoseconds;
using Table = PendingTable<std::unique_ptr<int>>;

TEST(PendingTable, FindsOnlyWhatIsThere) {
  Table table;
  EXPECT_EQ(table.Find(0), nullptr);
  EXPECT_EQ(table.Find(1), nullptr);
  const std::uint64_t first = table.Add(std::make_unique<int>(1));
  EXPECT_NE(first, 0U);
  ASSERT_NE(table.Find(first), nullptr);
  EXPECT_EQ(**table.Find(first), 1);
  for (const std::uint64_t wrong : {std::uint64_t{0}, first + 1, first + (std::uint64_t{1} << 32),
                                    std::uint64_t{UINT32_MAX}, UINT64_MAX}) {
    EXPECT_EQ(table.Find(wrong), nullptr) << wrong;
  }
  EXPECT_EQ(*table.Take(first), 1);
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.Find(first), nullptr);
  // The place is used again, by another number: also one that can be foreseen is not there before.
  EXPECT_EQ(table.Find(first + (std::uint64_t{1} << 32)), nullptr);
  const std::uint64_t second = table.Add(std::make_unique<int>(2));
  EXPECT_NE(second, first);
  EXPECT_EQ(table.Find(first), nullptr);
  EXPECT_EQ(**table.Find(second), 2);
}

// Beside a map that does the same simply.
TEST(PendingTable, KeepsOrderAndEndsOverRandomSteps) {
  const std::uint64_t seed = test::Seed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  struct Known {
    std::uint64_t number;
    TimePoint end;
  };
  Table table;
  std::map<int, Known> model;  // By the order in which they were added.
  int added = 0;
  TimePoint now{};
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t draw = random();
    if (draw % 5 < 2 && model.size() < 100) {
      const TimePoint end = draw % 7 == 0 ? kEndOfTime : now + nanoseconds(draw / 64 % 50);
      model[added] = {table.Add(std::make_unique<int>(added)), end};
      table.SetEnd(model[added].number, end);
      ++added;
    } else if (draw % 5 < 4 && !model.empty()) {
      const auto one =
          std::next(model.begin(), static_cast<std::ptrdiff_t>(draw / 64 % model.size()));
      EXPECT_EQ(**table.Find(one->second.number), one->first);
      EXPECT_EQ(*table.Take(one->second.number), one->first);
      EXPECT_EQ(table.Find(one->second.number), nullptr);
      model.erase(one);
    } else if (draw % 100 == 4 && !model.empty()) {
      EXPECT_EQ(**table.TakeFirst(), model.begin()->first);
      model.erase(model.begin());
    } else {
      now += nanoseconds(draw / 64 % 10);
      std::vector<std::tuple<TimePoint, int, std::uint64_t>> due;
      for (auto& [order, known] : model) {
        if (known.end > now) continue;
        due.emplace_back(known.end, order, known.number);
        known.end = kEndOfTime;
      }
      std::sort(due.begin(), due.end());
      const std::vector<std::uint64_t> found = table.EndThose(now);
      ASSERT_EQ(found.size(), due.size());
      for (std::size_t i = 0; i < due.size(); ++i) EXPECT_EQ(found[i], std::get<2>(due[i]));
    }
    TimePoint next = kEndOfTime;
    for (const auto& [order, known] : model) next = std::min(next, known.end);
    ASSERT_EQ(table.NextEnd(), next);
    ASSERT_EQ(table.size(), model.size());
  }
  for (const auto& [order, known] : model) EXPECT_EQ(**table.TakeFirst(), order);
  EXPECT_FALSE(table.TakeFirst().has_value());
  EXPECT_TRUE(table.empty());
}

}  // namespace
}  // namespace cirein::fabric
