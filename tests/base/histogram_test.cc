// SPDX-License-Identifier: Apache-2.0
#include "base/histogram.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/seed.h"

namespace cirein {
namespace {

std::uint64_t RandomValue(Random* random) { return (*random)() >> random->Below(64); }

TEST(HistogramTest, EmptyGivesZeros) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.min(), 0U);
  EXPECT_EQ(histogram.max(), 0U);
  EXPECT_EQ(histogram.mean(), 0.0);
  EXPECT_EQ(histogram.Percentile(50), 0U);
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100; ++value) histogram.Record(value);
  EXPECT_EQ(histogram.count(), 100U);
  EXPECT_EQ(histogram.min(), 1U);
  EXPECT_EQ(histogram.max(), 100U);
  EXPECT_EQ(histogram.mean(), 50.5);
  EXPECT_EQ(histogram.Percentile(0), 1U);
  EXPECT_EQ(histogram.Percentile(50), 50U);
  EXPECT_EQ(histogram.Percentile(99), 99U);
  EXPECT_EQ(histogram.Percentile(100), 100U);
  EXPECT_EQ(histogram.Percentile(-1), 1U);
}

TEST(HistogramTest, ExtremeValuesHaveBuckets) {
  Histogram histogram;
  histogram.Record(0);
  histogram.Record(UINT64_MAX);
  histogram.RecordMany(7, 0);
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.min(), 0U);
  EXPECT_EQ(histogram.max(), UINT64_MAX);
  EXPECT_EQ(histogram.Percentile(100), UINT64_MAX);
  EXPECT_NE(histogram.Summary().find("count 2"), std::string::npos);
}

TEST(HistogramTest, EveryValueFallsIntoItsBucket) {
  Random random(test::Seed());
  for (int i = 0; i < 5000; ++i) {
    const std::uint64_t value = RandomValue(&random);
    Histogram histogram;
    histogram.Record(value);
    int buckets = 0;
    histogram.ForEachBucket([&](const Histogram::Bucket& bucket) {
      ++buckets;
      EXPECT_LE(bucket.lowest, value);
      EXPECT_GE(bucket.highest, value);
      EXPECT_LE(bucket.highest - bucket.lowest, value / 128);
      EXPECT_EQ(bucket.count, 1U);
    });
    ASSERT_EQ(buckets, 1);
  }
}

TEST(HistogramTest, BucketsMeetWithoutGaps) {
  Histogram histogram;
  for (std::uint64_t value = 0; value < 5000; ++value) histogram.Record(value);
  std::uint64_t next = 0;
  histogram.ForEachBucket([&next](const Histogram::Bucket& bucket) {
    EXPECT_EQ(bucket.lowest, next);
    next = bucket.highest + 1;
  });
  EXPECT_GE(next, 5000U);
}

TEST(HistogramTest, PercentilesAreWithinTheStatedError) {
  Random random(test::Seed());
  Histogram histogram;
  std::vector<std::uint64_t> values(10'000);
  for (std::uint64_t& value : values) {
    value = RandomValue(&random);
    histogram.Record(value);
  }
  std::sort(values.begin(), values.end());
  for (const int percent : {1, 10, 50, 90, 99}) {
    const std::uint64_t exact = values[values.size() * static_cast<std::size_t>(percent) / 100 - 1];
    const std::uint64_t found = histogram.Percentile(percent);
    EXPECT_GE(found, exact);
    EXPECT_LE(found - exact, exact / 128) << percent;
  }
}

TEST(HistogramTest, MergingEqualsRecordingTogether) {
  Random random(test::Seed());
  Histogram all;
  Histogram parts[3];
  for (int i = 0; i < 3000; ++i) {
    const std::uint64_t value = RandomValue(&random);
    const std::uint64_t count = random.Below(5);
    all.RecordMany(value, count);
    parts[i % 3].RecordMany(value, count);
  }
  Histogram merged;
  for (const Histogram& part : parts) merged.Merge(part);
  merged.Merge(Histogram());
  EXPECT_EQ(merged.count(), all.count());
  EXPECT_EQ(merged.min(), all.min());
  EXPECT_EQ(merged.max(), all.max());
  EXPECT_NEAR(merged.mean() / all.mean(), 1.0, 1e-9);
  for (int percent = 0; percent <= 100; ++percent) {
    EXPECT_EQ(merged.Percentile(percent), all.Percentile(percent));
  }
}

TEST(HistogramTest, SummaryIsForPeople) {
  Histogram histogram;
  histogram.RecordMany(1500, 3);
  EXPECT_EQ(histogram.Summary(),
            "count 3 mean 1.50us min 1.50us p50 1.50us p95 1.50us p99 1.50us p99.9 1.50us max "
            "1.50us");
  histogram.Clear();
  EXPECT_EQ(histogram.count(), 0U);
}

}  // namespace
}  // namespace cirein
