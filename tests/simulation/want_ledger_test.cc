// SPDX-License-Identifier: Apache-2.0
#include "simulation/want_ledger.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "simulation/linearizability.h"

namespace cirein::simulation {
namespace {

using Ns = std::chrono::nanoseconds;

constexpr ClientId kClient{3};
constexpr WantLedger::Times kTimes{.parked = Ns(10), .deadline = Ns(100)};

void ExpectFinding(const WantLedger& ledger, const std::string& text) {
  const std::vector<std::string> findings = ledger.Judge(Ns(5));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_NE(findings[0].find(text), std::string::npos) << findings[0];
}

TEST(WantLedger, TakesOneAnswerOrOneFailureInTime) {
  WantLedger ledger;
  ledger.Parked(1, kClient, "row", kTimes);
  ledger.Answered(1, {"row", {}, {7}}, Ns(105));
  ledger.Parked(2, kClient, "row", kTimes);
  ledger.Failed(2, "DEADLINE_EXCEEDED", Ns(100));
  ledger.Parked(3, kClient, "row", {.parked = Ns(10)});
  ledger.Answered(3, {"row", {}, {7}}, Ns(1'000'000));
  EXPECT_TRUE(ledger.Judge(Ns(5)).empty());
}

TEST(WantLedger, FindsEachBrokenPromise) {
  WantLedger silent;
  silent.Parked(1, kClient, "row", kTimes);
  ExpectFinding(silent, "neither answered nor failed");

  WantLedger twice;
  twice.Parked(1, kClient, "row", kTimes);
  twice.Answered(1, {"row", {}, {7}}, Ns(20));
  twice.Answered(1, {"row", {}, {7}}, Ns(21));
  ExpectFinding(twice, "again answered");

  WantLedger both;
  both.Parked(1, kClient, "row", kTimes);
  both.Failed(1, "CANCELLED", Ns(20));
  both.Answered(1, {"row", {}, {7}}, Ns(21));
  ExpectFinding(both, "failed at 0.000020ms (CANCELLED), and again answered");

  WantLedger late;
  late.Parked(1, kClient, "row", kTimes);
  late.Failed(1, "DEADLINE_EXCEEDED", Ns(106));
  ExpectFinding(late, "too late");

  WantLedger stranger;
  stranger.Answered(1, {"row", {}, {7}}, Ns(20));
  ExpectFinding(stranger, "never parked");

  WantLedger parked_twice;
  parked_twice.Parked(1, kClient, "row", kTimes);
  parked_twice.Parked(1, kClient, "row", kTimes);
  parked_twice.Answered(1, {"row", {}, {7}}, Ns(20));
  ExpectFinding(parked_twice, "parked twice");

  WantLedger nothing;
  nothing.Parked(1, kClient, "row", kTimes);
  nothing.Answered(1, {"row", {}, {}}, Ns(20));
  ExpectFinding(nothing, "which is nothing");
}

TEST(WantLedger, AnAnswerIsAValueThatWasThereMeanwhile) {
  const auto judged = [](TimePoint parked, bool fails) {
    History history;
    const auto write = [&](ValueId value, TimePoint at) {
      const OperationId id = history.Begin(
          kClient, "row", PublishCall{.value = value, .mode = WriteMode::kOverwrite}, at);
      history.End(id, Published{}, at + Ns(1));
    };
    write(1, Ns(10));
    write(2, Ns(20));
    WantLedger ledger;
    ledger.Parked(1, kClient, "row", {.parked = parked, .deadline = Ns(100)});
    if (fails) {
      ledger.Failed(1, "DEADLINE_EXCEEDED", Ns(100));
    } else {
      ledger.Answered(1, {"row", {}, {1}}, Ns(90));
    }
    ledger.AddAnswersTo(history);
    return Judge(history).code;
  };
  EXPECT_EQ(judged(Ns(5), false), VerdictCode::kLinearizable);
  EXPECT_EQ(judged(Ns(21), false), VerdictCode::kLinearizable) << "of one time: it may have been";
  EXPECT_EQ(judged(Ns(22), false), VerdictCode::kNotLinearizable) << "replaced before";
  EXPECT_EQ(judged(Ns(22), true), VerdictCode::kLinearizable);
}

}  // namespace
}  // namespace cirein::simulation
