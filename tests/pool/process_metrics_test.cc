// SPDX-License-Identifier: Apache-2.0
#include "pool/process_metrics.h"

#include <cstdlib>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "runtime/temporary_directory.h"
#include "support/library_test.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

DataObject Text(const std::string& text) { return DataObject::FromString(text).value(); }

TEST(ProcessMetricsTest, TellsWhatIsStoredAndWhoWaits) {
  EXPECT_EQ(MetricsText(), "");
  const Library library;
  ASSERT_TRUE(library.status().ok());
  Pool pool = Connect("local:").value();
  ASSERT_TRUE(pool.Publish(Key("a"), Text("1")).ok());
  ASSERT_FALSE(pool.Publish(Key("a"), Text("2")).ok());
  Operation want = pool.Want(Key("b"), [](const Result<NamedObject>&) {});

  const std::string text = MetricsText();
  EXPECT_THAT(text, HasSubstr("cirein_store_objects 1\n"));
  EXPECT_THAT(text, HasSubstr("cirein_store_publishes_total 1\n"));
  EXPECT_THAT(text, HasSubstr("cirein_store_refused_total 1\n"));
  EXPECT_THAT(text, HasSubstr("cirein_store_waiters 1\n"));
  EXPECT_THAT(text, HasSubstr("cirein_operations_pending 1\n"));
  EXPECT_THAT(text, HasSubstr("cirein_workers_stuck{pool=\"compute\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("cirein_elastic_")));
  EXPECT_TRUE(want.Cancel());
  EXPECT_THAT(MetricsText(), HasSubstr("cirein_store_waiters 0\n"));
}

// Asks each verb of the pool a different number of times, so that no counter can stand for another.
void UseEachVerb(const Pool& pool) {
  for (const char* column : {"a", "b", "c"}) {
    ASSERT_OK(pool.Publish(Key("row", column), Text("1")).status());
  }
  EXPECT_FALSE(pool.Publish(Key("row", "a"), Text("2")).ok());
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK(pool.Need(Key("row", "a")).status());
    ASSERT_OK(pool.Need(Key("row", "b")).status());
  }
  for (int i = 0; i < 5; ++i) ASSERT_OK(pool.Info(Key("row", "a")).status());
  for (int i = 0; i < 6; ++i) ASSERT_OK(pool.RowInfo(Key("row")).status());
  EXPECT_FALSE(pool.RowInfo(Key("other")).ok());
  for (int i = 0; i < 8; ++i) ASSERT_OK(pool.List(Pattern::RowPrefix("")).status());
  for (int i = 0; i < 9; ++i) ASSERT_OK(pool.Compute(Pattern::Row("row"), "count").status());
  EXPECT_FALSE(pool.Compute(Pattern::Row("other"), "count").ok());
  EXPECT_EQ(pool.Drop(Pattern::Row("row")).value(), 3U);
}

struct Expected {
  const char* name;
  int value;
};
constexpr Expected kOfEachVerb[] = {
    {"publishes_total", 3}, {"refused_total", 1},   {"hits_total", 4},       {"misses_total", 0},
    {"infos_total", 5},     {"row_infos_total", 7}, {"list_pages_total", 8}, {"computes_total", 10},
    {"dropped_total", 3},   {"waiters", 0},
};

class ElasticMetricsTest : public test::LibraryTest {
 protected:
  std::string Path(const char* name) const { return directory_.File(name); }
  std::string Line(const char* name, const char* metric, std::uint64_t value) const {
    return std::string("\ncirein_elastic_") + metric + "{pool=\"" + Path(name) + "\"} " +
           std::to_string(value) + "\n";
  }

  TemporaryDirectory directory_ = TemporaryDirectory::Create().value();
};

TEST_F(ElasticMetricsTest, CountsEachVerbOfEachStoreByItself) {
  const Pool local = Open("local:");
  const Pool first = Open("elastic:" + Path("first") + "&size=4MiB");
  const Pool second = Open("elastic:" + Path("second") + "&size=4MiB");
  UseEachVerb(first);
  std::string text = MetricsText();
  for (const auto& [name, value] : kOfEachVerb) {
    EXPECT_THAT(text, HasSubstr(Line("first", name, static_cast<std::uint64_t>(value))));
    EXPECT_THAT(text, HasSubstr(Line("second", name, 0)));
    EXPECT_THAT(text, HasSubstr(std::string("\ncirein_store_") + name + " 0\n"));
  }
  UseEachVerb(local);
  text = MetricsText();
  for (const auto& [name, value] : kOfEachVerb) {
    EXPECT_THAT(text, HasSubstr(std::string("\ncirein_store_") + name + " " +
                                std::to_string(value) + "\n"));
  }
}

TEST_F(ElasticMetricsTest, CountsLooksForPrefixes) {
  const Pool pool = Open("elastic:" + Path("pool") + "&size=4MiB");
  Operation parked = pool.Want(Pattern::RowPrefix("r"), [](const Result<NamedObject>&) {});
  EXPECT_THAT(MetricsText(), HasSubstr(Line("pool", "misses_total", 1)));
  ASSERT_OK(pool.Publish(Key("row"), Text("1")).status());
  EXPECT_THAT(MetricsText(), HasSubstr(Line("pool", "answered_total", 1)));
  const Operation found = pool.Want(Pattern::RowPrefix("r"), [](const Result<NamedObject>&) {});
  EXPECT_THAT(MetricsText(), HasSubstr(Line("pool", "hits_total", 1)));
}

TEST_F(ElasticMetricsTest, TellsHowReadsWereAnsweredAndWhatIsInThePool) {
  const std::string url = "elastic:" + Path("pool") + "&size=4MiB&cache=64KiB&shards=1";
  {
    const Pool pool = Open(url);
    ASSERT_OK(pool.Publish(Key("small"), Text("1")).status());
    ASSERT_OK(pool.Publish(Key("between"), Text(std::string(2000, 'x'))).status());
    ASSERT_OK(pool.Publish(Key("large"), Text(std::string(1 << 20, 'x'))).status());
    EXPECT_THAT(MetricsText(), HasSubstr(Line("pool", "extents", 1)));
    EXPECT_THAT(MetricsText(), Not(HasSubstr(Line("pool", "extent_bytes", 0))));
  }
  // Nobody uses it: it is closed, and told no more.
  EXPECT_THAT(MetricsText(), Not(HasSubstr("cirein_elastic_")));
  const Pool pool = Open(url);
  std::string text = MetricsText();
  EXPECT_THAT(text, HasSubstr(Line("pool", "objects", 3)));
  EXPECT_THAT(text, HasSubstr(Line("pool", "cache_bytes", 0)));
  EXPECT_THAT(text, HasSubstr(Line("pool", "pinned_bytes", 0)));
  EXPECT_THAT(text, Not(HasSubstr(Line("pool", "live_bytes", 0))));
  // First the index is asked; then the cache has the small object, and of those that would fill it
  // only knows where they are.
  for (int i = 0; i < 3; ++i) ASSERT_OK(pool.Need(Key("small")).status());
  for (int i = 0; i < 3; ++i) ASSERT_OK(pool.Need(Key("large")).status());
  for (int i = 0; i < 6; ++i) ASSERT_OK(pool.Need(Key("between")).status());
  text = MetricsText();
  EXPECT_THAT(text, HasSubstr(Line("pool", "index_looks_total", 3)));
  EXPECT_THAT(text, HasSubstr(Line("pool", "value_hits_total", 2)));
  EXPECT_THAT(text, HasSubstr(Line("pool", "shortcut_hits_total", 7)));
  EXPECT_THAT(text, HasSubstr(Line("pool", "own_writes_total", 0)));
  EXPECT_THAT(text, Not(HasSubstr(Line("pool", "cache_bytes", 0))));
}

}  // namespace
}  // namespace cirein
