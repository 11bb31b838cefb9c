// SPDX-License-Identifier: Apache-2.0
#include "simulation/linearizability.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "runtime/real_clock.h"
#include "simulation/row_model.h"
#include "support/seed.h"

namespace cirein::simulation {
namespace {

using Ns = std::chrono::nanoseconds;

Version V(std::uint64_t counter) { return {1, counter}; }
Published At(std::uint64_t counter) { return {{V(counter)}}; }

/// A history of one row, told in short: each operation with its beginning and end.
class Story {
 public:
  Story& Did(std::int64_t from, std::int64_t to, Call call, Outcome outcome) {
    pending_.push_back({from, to, std::move(call), std::move(outcome), false});
    return *this;
  }
  Story& Lost(std::int64_t from, Call call, std::optional<std::int64_t> latest = std::nullopt) {
    pending_.push_back({from, latest.value_or(-1), std::move(call), Refused{}, true});
    return *this;
  }

  History Told() const {
    History history;
    struct Event {
      std::int64_t time;
      bool ends;
      std::size_t which;
    };
    std::vector<Event> events;
    for (std::size_t i = 0; i < pending_.size(); ++i) {
      events.push_back({pending_[i].from, false, i});
      events.push_back({pending_[i].lost ? pending_[i].from : pending_[i].to, true, i});
    }
    std::stable_sort(events.begin(), events.end(),
                     [](const Event& a, const Event& b) { return a.time < b.time; });
    std::vector<OperationId> ids(pending_.size());
    for (const Event& event : events) {
      const Pending& pending = pending_[event.which];
      if (!event.ends) {
        ids[event.which] = history.Begin({static_cast<std::uint32_t>(event.which)}, "row",
                                         pending.call, Ns(event.time));
      } else if (pending.lost) {
        history.Unknown(ids[event.which],
                        pending.to < 0 ? std::nullopt : std::optional<TimePoint>(pending.to));
      } else {
        history.End(ids[event.which], pending.outcome, Ns(event.time));
      }
    }
    return history;
  }

  VerdictCode Judged(std::int64_t margin = 0) const {
    const Verdict verdict = Judge(Told(), {.expiry_margin = Ns(margin)});
    report_ = verdict.report;
    return verdict.code;
  }
  const std::string& report() const { return report_; }

 private:
  struct Pending {
    std::int64_t from;
    std::int64_t to;
    Call call;
    Outcome outcome;
    bool lost;
  };
  std::vector<Pending> pending_;
  mutable std::string report_;
};

constexpr VerdictCode kGood = VerdictCode::kLinearizable;
constexpr VerdictCode kBad = VerdictCode::kNotLinearizable;

PublishCall Write(ValueId value, Column column = {}) {
  return {.column = std::move(column), .value = value, .mode = WriteMode::kOverwrite};
}
PublishCall Once(ValueId value, Column column = {}) {
  return {.column = std::move(column), .value = value, .mode = WriteMode::kOnce};
}
PublishCall IfVersion(ValueId value, Version version) {
  return {.value = value, .mode = WriteMode::kIfVersion, .if_version = version};
}
PublishCall Mortal(ValueId value, std::int64_t ttl) {
  return {.value = value, .mode = WriteMode::kOverwrite, .ttl = Ns(ttl)};
}
const GetCall kGet;
const DropCall kDropRow;

TEST(Linearizability, NothingAndOneOfEachAreGood) {
  EXPECT_EQ(Judge(History()).code, kGood);
  EXPECT_EQ(Story()
                .Did(1, 2, kGet, Got{0})
                .Did(3, 4, Once(1), At(1))
                .Did(5, 6, Once(2), Existed{})
                .Did(7, 8, IfVersion(3, V(9)), VersionDiffered{})
                .Did(9, 10, IfVersion(4, V(1)), At(2))
                .Did(11, 12, kGet, Got{4, V(2)})
                .Did(13, 14, InfoCall{}, InfoSeen{V(2)})
                .Did(15, 16, Write(5, "a"), At(3))
                .Did(17, 18, RowInfoCall{}, RowSeen{1, true})
                .Did(19, 20, DropCall{Pattern::ColumnMatch::kPrefix, ""}, DroppedObjects{1})
                .Did(21, 22, kDropRow, DroppedObjects{1})
                .Did(23, 24, InfoCall{}, InfoSeen{})
                .Judged(),
            kGood);
}

TEST(Linearizability, AReadMayBeEitherOfConcurrentWrites) {
  Story story;
  story.Did(1, 9, Write(1), At(1)).Did(2, 8, Write(2), At(2)).Did(3, 4, kGet, Got{1});
  EXPECT_EQ(story.Judged(), kGood);
  EXPECT_EQ(story.Did(5, 6, kGet, Got{0}).Judged(), kBad) << "gone after it was seen";
}

TEST(Linearizability, CatchesAStaleRead) {
  Story story;
  story.Did(1, 2, Write(1), At(1)).Did(3, 4, Write(2), At(2)).Did(5, 6, kGet, Got{1});
  EXPECT_EQ(story.Judged(), kBad);
  EXPECT_NE(story.report().find("> operation 2"), std::string::npos) << story.report();
  EXPECT_NE(story.report().find("{(none)=#2 @1.2}"), std::string::npos) << story.report();
}

TEST(Linearizability, CatchesALostAcknowledgedWrite) {
  EXPECT_EQ(Story().Did(1, 2, Write(1), At(1)).Did(3, 4, kGet, Got{0}).Judged(), kBad);
  EXPECT_EQ(Story().Did(1, 2, Write(1), At(1)).Did(3, 4, InfoCall{}, InfoSeen{}).Judged(), kBad);
  EXPECT_EQ(Story().Did(1, 2, Write(1), At(1)).Did(3, 4, Once(2), At(2)).Judged(), kBad);
  EXPECT_EQ(Story().Did(1, 3, Write(1), At(1)).Did(3, 4, kGet, Got{0}).Judged(), kBad)
      << "of one time, but recorded as ended before";
}

TEST(Linearizability, CatchesAWriteGoneAfterACrash) {
  Story story;
  story.Did(1, 2, Write(1), At(1)).Did(3, 4, Write(2), At(2)).Lost(5, Write(3));
  EXPECT_EQ(Story(story).Did(10, 11, kGet, Got{2}).Judged(), kGood);
  EXPECT_EQ(Story(story).Did(10, 11, kGet, Got{3}).Judged(), kGood);
  EXPECT_EQ(Story(story).Did(10, 11, kGet, Got{1}).Judged(), kBad);
}

TEST(Linearizability, CatchesATornGroup) {
  const GroupCall group{.items = {{"a", 1}, {"b", 2}}, .mode = WriteMode::kOverwrite};
  const Published done{{V(1), V(2)}};
  EXPECT_EQ(Story()
                .Did(1, 9, group, done)
                .Did(2, 3, GetCall{"a"}, Got{1})
                .Did(4, 5, GetCall{"b"}, Got{2})
                .Judged(),
            kGood);
  EXPECT_EQ(Story()
                .Did(1, 9, group, done)
                .Did(2, 3, GetCall{"a"}, Got{1})
                .Did(4, 5, GetCall{"b"}, Got{0})
                .Judged(),
            kBad);
  EXPECT_EQ(Story()
                .Lost(1, group)
                .Did(2, 3, GetCall{"a"}, Got{1})
                .Did(4, 5, GetCall{"b"}, Got{0})
                .Judged(),
            kBad);
  EXPECT_EQ(Story().Lost(1, group).Did(2, 3, RowInfoCall{}, RowSeen{1, false}).Judged(), kBad);
}

TEST(Linearizability, CatchesWriteOnceThatSucceededTwice) {
  EXPECT_EQ(Story().Did(1, 5, Once(1), At(1)).Did(2, 4, Once(2), At(2)).Judged(), kBad);
  EXPECT_EQ(Story()
                .Did(1, 5, Once(1), At(1))
                .Did(2, 4, Once(2), At(2))
                .Did(3, 6, kDropRow, DroppedObjects{1})
                .Judged(),
            kGood);
  EXPECT_EQ(Story().Did(1, 2, Once(1), Existed{}).Judged(), kBad);
}

TEST(Linearizability, CatchesVersionsThatGoBackwards) {
  EXPECT_EQ(Story().Did(1, 2, Write(1), At(5)).Did(3, 4, Write(2), At(4)).Judged(), kBad);
  EXPECT_EQ(Story()
                .Did(1, 2, Write(1), At(5))
                .Did(3, 4, kDropRow, DroppedObjects{1})
                .Did(5, 6, Write(2), At(5))
                .Judged(),
            kBad);
  EXPECT_EQ(Story().Did(1, 9, Write(1), At(5)).Did(3, 4, Write(2), At(4)).Judged(), kGood);
  EXPECT_EQ(
      Story().Did(1, 2, Write(1), At(5)).Lost(3, Write(2)).Did(4, 5, kGet, Got{2, V(4)}).Judged(),
      kBad);
  EXPECT_EQ(Story().Did(1, 2, Write(1), At(5)).Did(3, 4, kGet, Got{1, V(6)}).Judged(), kBad);
}

TEST(Linearizability, LearnsTheVersionOfAnUnknownWrite) {
  Story story;
  story.Lost(1, Write(1)).Did(2, 3, InfoCall{}, InfoSeen{V(7)});
  EXPECT_EQ(Story(story).Did(4, 5, IfVersion(2, V(7)), At(8)).Judged(), kGood);
  EXPECT_EQ(Story(story).Did(4, 5, IfVersion(2, V(6)), At(8)).Judged(), kBad);
  EXPECT_EQ(Story(story).Did(4, 5, IfVersion(2, V(7)), VersionDiffered{}).Judged(), kBad);
  EXPECT_EQ(Story(story).Did(4, 5, InfoCall{}, InfoSeen{V(8)}).Judged(), kBad);
}

TEST(Linearizability, CatchesValuesFromNowhere) {
  EXPECT_EQ(Story().Did(1, 2, kGet, Got{7}).Judged(), kBad);
  EXPECT_EQ(Story().Did(1, 2, Write(7, ""), At(1)).Did(3, 4, kGet, Got{7}).Judged(), kBad)
      << "the empty column is not no column";
  EXPECT_EQ(Story().Did(1, 2, Write(7), Refused{}).Did(3, 4, kGet, Got{7}).Judged(), kBad);
  EXPECT_EQ(Story().Did(1, 2, Write(7), Refused{}).Did(3, 4, kGet, Got{0}).Judged(), kGood);
  EXPECT_EQ(Story().Did(1, 2, kGet, Got{7}).Did(3, 4, Write(7), At(1)).Judged(), kBad);
  EXPECT_EQ(Story().Did(1, 2, kGet, Existed{}).Judged(), kBad) << "no answer to a get";
}

TEST(Linearizability, AnUnknownWriteTakesEffectOnce) {
  Story story;
  story.Lost(1, Write(1)).Did(2, 3, kGet, Got{0}).Did(4, 5, kGet, Got{1});
  EXPECT_EQ(story.Judged(), kGood);
  story.Did(6, 7, Write(2), At(9)).Did(8, 9, kGet, Got{2});
  EXPECT_EQ(story.Judged(), kGood);
  EXPECT_EQ(story.Did(10, 11, kGet, Got{1}).Judged(), kBad);
}

TEST(Linearizability, AnUnknownWriteComesByItsLatest) {
  EXPECT_EQ(Story().Lost(1, Write(1), 5).Did(4, 6, kGet, Got{0}).Did(7, 8, kGet, Got{1}).Judged(),
            kGood);
  EXPECT_EQ(Story().Lost(1, Write(1), 5).Did(6, 7, kGet, Got{0}).Did(8, 9, kGet, Got{1}).Judged(),
            kBad);
  EXPECT_EQ(Story()
                .Did(0, 1, Write(1), At(1))
                .Lost(1, kDropRow, 5)
                .Did(6, 7, kGet, Got{1})
                .Did(8, 9, kGet, Got{0})
                .Judged(),
            kBad);
}

TEST(Linearizability, UnknownDropsAndWritesExplainWhatOthersSaw) {
  EXPECT_EQ(Story().Did(1, 2, Write(1), At(1)).Lost(3, kDropRow).Did(4, 5, kGet, Got{0}).Judged(),
            kGood);
  EXPECT_EQ(Story().Lost(1, Write(1)).Did(4, 5, Once(2), Existed{}).Judged(), kGood);
  EXPECT_EQ(Story()
                .Lost(1, Write(1, "a"))
                .Lost(2, Write(2, "b"))
                .Did(4, 5, kDropRow, DroppedObjects{2})
                .Judged(),
            kGood);
  EXPECT_EQ(Story()
                .Lost(1, Write(1, "a"))
                .Lost(2, Write(2, "a"))
                .Did(4, 5, kDropRow, DroppedObjects{2})
                .Judged(),
            kBad);
}

// The place behind the write that was needed is another than the one behind the write alone.
TEST(Linearizability, GoesOnBehindAnUnknownWriteThatWasNeeded) {
  EXPECT_EQ(Story()
                .Lost(1, Write(1))
                .Did(2, 3, RowInfoCall{}, RowSeen{0, true})
                .Did(4, 5, RowInfoCall{}, RowSeen{0, true})
                .Judged(),
            kGood);
}

TEST(Linearizability, CatchesARevivedExpiredValue) {
  Story story;
  story.Did(10, 12, Mortal(1, 100), At(1));
  EXPECT_EQ(Story(story).Did(108, 109, kGet, Got{0}).Judged(), kBad) << "too early";
  EXPECT_EQ(Story(story).Did(108, 109, kGet, Got{0}).Judged(5), kGood);
  EXPECT_EQ(Story(story).Did(113, 114, kGet, Got{1}).Judged(), kBad) << "too late";
  EXPECT_EQ(Story(story).Did(113, 114, kGet, Got{1}).Judged(5), kGood);
  EXPECT_EQ(Story(story).Did(108, 109, kGet, Got{0}).Did(110, 111, kGet, Got{1}).Judged(5), kBad)
      << "once answered absent, absent until the next write";
  EXPECT_EQ(Story(story).Did(20, 21, Write(2), At(2)).Did(500, 501, kGet, Got{2}).Judged(), kGood);
  EXPECT_EQ(Story(story).Did(500, 501, Once(2), At(2)).Did(502, 503, kGet, Got{2}).Judged(), kGood);
  EXPECT_EQ(Story().Lost(1, Mortal(1, 10)).Did(500, 501, kGet, Got{1}).Judged(), kGood);
  EXPECT_EQ(Story()
                .Lost(1, Mortal(1, 10))
                .Did(500, 501, kGet, Got{1})
                .Did(502, 503, kGet, Got{0})
                .Did(504, 505, kGet, Got{1})
                .Judged(),
            kBad);
}

TEST(Linearizability, CatchesAWrongDropCount) {
  Story story;
  story.Did(1, 2, Write(1, "aa"), At(1))
      .Did(3, 4, Write(2, "ab"), At(2))
      .Did(5, 6, Write(3), At(3));
  const DropCall prefix{Pattern::ColumnMatch::kPrefix, "a"};
  EXPECT_EQ(Story(story).Did(7, 8, prefix, DroppedObjects{2}).Judged(), kGood);
  EXPECT_EQ(Story(story).Did(7, 8, prefix, DroppedObjects{3}).Judged(), kBad);
  EXPECT_EQ(Story(story).Did(7, 8, kDropRow, DroppedObjects{3}).Judged(), kGood);
  EXPECT_EQ(Story(story)
                .Did(7, 8, DropCall{Pattern::ColumnMatch::kNone}, DroppedObjects{1})
                .Did(9, 10, RowInfoCall{}, RowSeen{2, false})
                .Judged(),
            kGood);
}

TEST(Linearizability, ADropThatNobodyCountedComesWhereItIsNeeded) {
  Story story;  // The drop may come first, when there is nothing, and last.
  story.Did(1, 4, kDropRow, DroppedUncounted{}).Did(2, 3, Once(1), At(1));
  EXPECT_EQ(Story(story).Did(5, 6, kGet, Got{0}).Judged(), kGood);
  EXPECT_EQ(Story(story).Did(5, 6, kGet, Got{1}).Judged(), kGood);
  EXPECT_EQ(Story(story).Did(5, 6, kGet, Got{0}).Did(7, 8, kGet, Got{1}).Judged(), kBad);
}

TEST(Linearizability, AnUsedUpBudgetIsUndecided) {
  Story story;
  for (ValueId value = 1; value <= 12; ++value) story.Did(value, 100, Write(value), At(value));
  story.Did(101, 102, kGet, Got{0});
  const Verdict verdict = Judge(story.Told(), {.max_steps = 5});
  EXPECT_EQ(verdict.code, VerdictCode::kUndecided);
  EXPECT_FALSE(verdict.report.empty());
  EXPECT_EQ(story.Judged(), kBad);
}

TEST(Linearizability, SaysTheSameTwice) {
  Story story;
  story.Did(1, 2, Write(1), At(1))
      .Lost(3, Write(2))
      .Did(5, 6, kGet, Got{1})
      .Did(7, 8, kGet, Got{3});
  const Verdict first = Judge(story.Told());
  const Verdict second = Judge(story.Told());
  EXPECT_EQ(first.code, kBad);
  EXPECT_EQ(first.report, second.report);
  EXPECT_EQ(first.steps, second.steps);
  EXPECT_EQ(first.culprit, OperationId{3});
}

}  // namespace
}  // namespace cirein::simulation
