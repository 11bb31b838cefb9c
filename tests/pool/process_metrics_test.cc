// SPDX-License-Identifier: Apache-2.0
#include "pool/process_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/cirein.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

TEST(ProcessMetricsTest, TellsWhatIsStoredAndWhoWaits) {
  EXPECT_EQ(MetricsText(), "");
  const Library library;
  ASSERT_TRUE(library.status().ok());
  Pool pool = Connect("local:").value();
  ASSERT_TRUE(pool.Publish(Key("a"), DataObject::FromString("1").value()).ok());
  ASSERT_FALSE(pool.Publish(Key("a"), DataObject::FromString("2").value()).ok());
  Operation want = pool.Want(Key("b"), [](const Result<NamedObject>&) {});

  const std::string text = MetricsText();
  EXPECT_THAT(text, HasSubstr("cirein_store_objects 1\n"));
  EXPECT_THAT(text, HasSubstr("cirein_store_publishes_total 1\n"));
  EXPECT_THAT(text, HasSubstr("cirein_store_refused_total 1\n"));
  EXPECT_THAT(text, HasSubstr("cirein_store_waiters 1\n"));
  EXPECT_THAT(text, HasSubstr("cirein_operations_pending 1\n"));
  EXPECT_THAT(text, HasSubstr("cirein_workers_stuck{pool=\"compute\"} 0\n"));
  EXPECT_TRUE(want.Cancel());
  EXPECT_THAT(MetricsText(), HasSubstr("cirein_store_waiters 0\n"));
}

}  // namespace
}  // namespace cirein
