// SPDX-License-Identifier: Apache-2.0
#include "cli/blast_objects.h"

#include <set>

#include <gtest/gtest.h>

namespace cirein {
namespace {

BlastPlan PlanWithSizes(std::uint64_t least, std::uint64_t most) {
  BlastPlan plan;
  plan.value_bytes_least = least;
  plan.value_bytes_most = most;
  return plan;
}

TEST(BlastObjectsTest, KeysHaveTheirSizeAndAreDistinct) {
  BlastPlan plan;
  plan.keys = 1000;
  plan.key_bytes = 24;
  const BlastObjects rows(plan);
  EXPECT_EQ(rows.KeyOf(7).row(), "key000000000000000000007");
  EXPECT_FALSE(rows.KeyOf(7).has_column());
  plan.columns = 10;
  const BlastObjects columns(plan);
  EXPECT_EQ(columns.KeyOf(123), Key("key000000000000000000012", "3"));
  std::set<Key> keys;
  for (std::uint64_t i = 0; i < 1000; ++i) keys.insert(columns.KeyOf(i));
  EXPECT_EQ(keys.size(), 1000U);
}

TEST(BlastObjectsTest, AScanMatchesItsKey) {
  for (const std::uint64_t columns : {1U, 10U}) {
    BlastPlan plan;
    plan.columns = columns;
    const BlastObjects objects(plan);
    EXPECT_TRUE(objects.ScanOf(1234).Matches(objects.KeyOf(1234)));
    EXPECT_FALSE(objects.ScanOf(1234).Matches(objects.KeyOf(4321)));
  }
}

TEST(BlastObjectsTest, WholeValuesPassTheCheck) {
  const BlastObjects objects(PlanWithSizes(16, 100));
  std::set<std::uint64_t> sizes;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const DataObject value = *objects.MakeValue(i, i * 77);
    sizes.insert(value.data_bytes());
    EXPECT_TRUE(objects.CheckValue(i, value).ok());
  }
  EXPECT_GE(*sizes.begin(), 16U);
  EXPECT_LE(*sizes.rbegin(), 100U);
  EXPECT_GT(sizes.size(), 40U);
}

TEST(BlastObjectsTest, AnyWrongByteIsFound) {
  const BlastObjects objects(PlanWithSizes(61, 61));
  const DataObject value = *objects.MakeValue(5, 9);
  for (std::size_t at = 0; at < value.data_bytes(); ++at) {
    DataObject damaged = *value.DeepCopy();
    damaged.mutable_data()[at] ^= std::byte{1};
    EXPECT_EQ(objects.CheckValue(5, damaged).code(), StatusCode::kDataLoss) << at;
  }
  EXPECT_EQ(objects.CheckValue(6, value).code(), StatusCode::kDataLoss);
  DataObject shorter = *value.DeepCopy();
  ASSERT_TRUE(shorter.Shrink(0, 60).ok());
  EXPECT_EQ(objects.CheckValue(5, shorter).code(), StatusCode::kDataLoss);
  EXPECT_EQ(objects.CheckValue(5, *DataObject::Allocate({})).code(), StatusCode::kDataLoss);
}

TEST(BlastObjectsTest, ListedObjectsAreChecked) {
  BlastPlan plan = PlanWithSizes(16, 32);
  plan.columns = 10;
  const BlastObjects objects(plan);
  const Pattern scan = objects.ScanOf(42);
  ListedObject listed;
  listed.key = objects.KeyOf(47);
  listed.data_bytes = 20;
  EXPECT_TRUE(objects.CheckListed(scan, listed).ok());
  listed.data_bytes = 33;
  EXPECT_FALSE(objects.CheckListed(scan, listed).ok());
  listed.data_bytes = 20;
  listed.key = objects.KeyOf(52);
  EXPECT_FALSE(objects.CheckListed(scan, listed).ok());
}

}  // namespace
}  // namespace cirein
