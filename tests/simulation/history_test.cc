// SPDX-License-Identifier: Apache-2.0
#include "simulation/history.h"

#include <gtest/gtest.h>

namespace cirein::simulation {
namespace {

using Ns = std::chrono::nanoseconds;

TEST(History, KeepsOperationsInTheOrderTheyBegan) {
  History history;
  const OperationId write = history.Begin({1}, "b", PublishCall{.column = "x", .value = 7}, Ns(5));
  const OperationId read = history.Begin({2}, "a", GetCall{}, Ns(5));
  history.End(read, Got{}, Ns(6));
  history.Unknown(write, Ns(90));
  history.Begin({3}, "b", RowInfoCall{}, Ns(2'000'003));
  ASSERT_EQ(history.records().size(), 3u);
  EXPECT_LT(history.records()[0].invoked, history.records()[1].invoked);
  EXPECT_EQ(history.records()[0].completed, LastOf(Ns(90)));
  EXPECT_EQ(history.records()[2].completed, kNever);
  EXPECT_EQ(history.ByRow().at("b").size(), 2u);
  EXPECT_EQ(
      history.ToString(),
      "operation 0 client 1 [0.000005ms .. 0.000090ms] \"b\": publish \"x\"=#7 once -> unknown\n"
      "operation 1 client 2 [0.000005ms .. 0.000006ms] \"a\": get (none) -> nothing\n"
      "operation 2 client 3 [2.000003ms .. ?] \"b\": row info -> unknown\n");
}

TEST(History, AnObservationIsAsWideAsItsTimes) {
  History history;
  const OperationId write = history.Begin({1}, "row", PublishCall{.value = 7}, Ns(5));
  history.End(write, Published{}, Ns(6));
  const OperationId seen = history.Observed({2}, "row", {}, {7}, {.from = Ns(6), .to = Ns(6)});
  EXPECT_LT(history.records()[seen].invoked, history.records()[write].completed);
  EXPECT_LT(history.records()[write].completed, history.records()[seen].completed);
}

TEST(HistoryDeathTest, EndsAProgramThatRecordsWrongly) {
  History history;
  const OperationId id = history.Begin({1}, "row", PublishCall{.value = 7}, Ns(5));
  EXPECT_DEATH(history.End(id + 1, Published{}, Ns(6)), "no operation 1");
  EXPECT_DEATH(history.End(id, Published{}, Ns(4)), "before it began");
  EXPECT_DEATH(history.Begin({1}, "row", PublishCall{.value = 7}, Ns(6)), "two writes of value #7");
  EXPECT_DEATH(history.Begin({1}, "row", PublishCall{}, Ns(6)), "of no value");
  history.End(id, Published{}, Ns(6));
  EXPECT_DEATH(history.Unknown(id), "told twice");
}

}  // namespace
}  // namespace cirein::simulation
