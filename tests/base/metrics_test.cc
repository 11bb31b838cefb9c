// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.h"

#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cirein {
namespace {

using Kind = MetricRegistry::Kind;
using testing::HasSubstr;

TEST(MetricsTest, CountersAddUpOverThreads) {
  MetricRegistry registry;
  Counter* const counter = *registry.AddCounter({"hits_total", "Hits."});
  DurationHistogram* const histogram = *registry.AddHistogram({"wait_seconds", "Waits."});
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([=] {
      for (int n = 0; n < 5000; ++n) {
        counter->Add();
        histogram->Record(1500);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter->value(), 40'000U);
  EXPECT_EQ(histogram->Read().count, 40'000U);
  EXPECT_EQ(histogram->Read().sum_ns, 60'000'000U);
}

TEST(MetricsTest, TheSameSeriesIsFoundAgain) {
  MetricRegistry registry;
  Counter* const a = *registry.AddCounter({"c", "C."}, {{"x", "1"}, {"y", "2"}});
  EXPECT_EQ(*registry.AddCounter({"c", "C."}, {{"y", "2"}, {"x", "1"}}), a);
  EXPECT_NE(*registry.AddCounter({"c", "C."}, {{"x", "1"}}), a);
}

TEST(MetricsTest, ExpositionIsExact) {
  MetricRegistry registry;
  (*registry.AddGauge({"b", "Two\nlines \\ here."}))->Set(-3);
  (*registry.AddCounter({"a_total", "Counts."}, {{"verb", "get"}}))->Add(2);
  (*registry.AddCounter({"a_total", "Counts."}, {{"verb", "a\"b\\c\nd"}}))->Add();
  EXPECT_EQ(registry.ToPrometheus(),
            "# HELP a_total Counts.\n"
            "# TYPE a_total counter\n"
            "a_total{verb=\"a\\\"b\\\\c\\nd\"} 1\n"
            "a_total{verb=\"get\"} 2\n"
            "# HELP b Two\\nlines \\\\ here.\n"
            "# TYPE b gauge\n"
            "b -3\n");
}

TEST(MetricsTest, HistogramsAreCumulativeInSeconds) {
  MetricRegistry registry;
  DurationHistogram* const histogram =
      *registry.AddHistogram({"wait_seconds", "Waits."}, {{"pool", "p"}});
  histogram->Record(1'000);  // On a bound: counts below it.
  histogram->Record(1'001);
  histogram->Record(20'000'000'000);
  const std::string text = registry.ToPrometheus();
  EXPECT_THAT(text, HasSubstr("# TYPE wait_seconds histogram\n"));
  EXPECT_THAT(text, HasSubstr("wait_seconds_bucket{pool=\"p\",le=\"1e-06\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("wait_seconds_bucket{pool=\"p\",le=\"2e-06\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("wait_seconds_bucket{pool=\"p\",le=\"10\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("wait_seconds_bucket{pool=\"p\",le=\"+Inf\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("wait_seconds_sum{pool=\"p\"} 20.000002001\n"));
  EXPECT_THAT(text, HasSubstr("wait_seconds_count{pool=\"p\"} 3\n"));
}

TEST(MetricsTest, NamesAndLabelsFollowTheRules) {
  MetricRegistry registry;
  for (const char* const name : {"", "1a", "a-b", "a b", "\xC3\xA9"}) {
    EXPECT_EQ(registry.AddCounter({name, ""}).code(), StatusCode::kInvalidArgument) << name;
  }
  EXPECT_TRUE(registry.AddCounter({"cirein:ok_1", ""}).ok());
  for (const char* const label : {"", "1a", "a:b", "__a", "le"}) {
    EXPECT_EQ(registry.AddCounter({"c", ""}, {{label, "v"}}).code(), StatusCode::kInvalidArgument)
        << label;
  }
  EXPECT_EQ(registry.AddCounter({"c", ""}, {{"a", "1"}, {"a", "2"}}).code(),
            StatusCode::kInvalidArgument);
}

TEST(MetricsTest, ANameHasOneKind) {
  MetricRegistry registry;
  ASSERT_TRUE(registry.AddCounter({"x", ""}).ok());
  EXPECT_EQ(registry.AddGauge({"x", ""}).code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(registry.AddHistogram({"x", ""}, {{"a", "b"}}).code(), StatusCode::kAlreadyExists);
}

TEST(MetricsTest, SeriesAreBounded) {
  MetricRegistry registry;
  for (std::size_t i = 0; i < MetricRegistry::kMaxSeries; ++i) {
    ASSERT_TRUE(registry.AddGauge({"g", ""}, {{"i", std::to_string(i)}}).ok());
  }
  EXPECT_EQ(registry.AddGauge({"g", ""}, {{"i", "more"}}).code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(registry.AddGauge({"g", ""}, {{"i", "7"}}).ok()) << "one that is there";
}

TEST(MetricsTest, CallbacksAreReadWhileRegistered) {
  MetricRegistry registry;
  double value = 1.5;
  {
    const Result<MetricRegistry::Registration> registration =
        registry.AddCallback(Kind::kGauge, {"depth", "D."}, {{"q", "a"}}, [&] { return value; });
    ASSERT_TRUE(registration.ok());
    EXPECT_THAT(registry.ToPrometheus(), HasSubstr("depth{q=\"a\"} 1.5\n"));
    value = std::numeric_limits<double>::infinity();
    EXPECT_THAT(registry.ToPrometheus(), HasSubstr("depth{q=\"a\"} +Inf\n"));
    EXPECT_EQ(registry.AddGauge({"depth", "D."}, {{"q", "a"}}).code(), StatusCode::kAlreadyExists);
    EXPECT_FALSE(
        registry.AddCallback(Kind::kGauge, {"depth", "D."}, {{"q", "a"}}, [] { return 0.0; }).ok());
  }
  EXPECT_EQ(registry.ToPrometheus(), "");
  EXPECT_FALSE(registry.AddCallback(Kind::kHistogram, {"h", ""}, {}, [] { return 0.0; }).ok());
  EXPECT_FALSE(registry.AddCallback(Kind::kGauge, {"h", ""}, {}, nullptr).ok());
}

TEST(MetricsTest, ARegistrationMoves) {
  MetricRegistry registry;
  MetricRegistry::Registration kept;
  {
    Result<MetricRegistry::Registration> made =
        registry.AddCallback(Kind::kCounter, {"n", ""}, {}, [] { return 7.0; });
    ASSERT_TRUE(made.ok());
    kept = *std::move(made);
  }
  EXPECT_THAT(registry.ToPrometheus(), HasSubstr("n 7\n"));
  kept = MetricRegistry::Registration();
  EXPECT_EQ(registry.ToPrometheus(), "");
}

TEST(MetricsTest, ARegistrationMayOutliveTheRegistry) {
  std::optional<MetricRegistry> registry(std::in_place);
  Result<MetricRegistry::Registration> made =
      registry->AddCallback(Kind::kGauge, {"g", ""}, {}, [] { return 0.0; });
  ASSERT_TRUE(made.ok());
  registry.reset();
}

}  // namespace
}  // namespace cirein
