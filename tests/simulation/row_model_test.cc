// SPDX-License-Identifier: Apache-2.0
#include "simulation/row_model.h"

#include <gtest/gtest.h>

namespace cirein::simulation {
namespace {

Version V(std::uint64_t counter) { return {1, counter}; }

/// A row with three columns, to which things are done one after the other.
class RowModelTest : public testing::Test {
 protected:
  static std::vector<Record> Columns() {
    std::vector<Record> records;
    for (const Column& column : {Column{}, Column{""}, Column{"ab"}}) {
      records.push_back({.row = "row", .call = GetCall{column}});
    }
    return records;
  }

  Effect Do(const Call& call, const std::optional<Outcome>& outcome) {
    const RowStep step = model_.Compile(call, outcome);
    const Effect effect = RowModel::Check(state_, step);
    if (effect != Effect::kImpossible) RowModel::Apply(state_, step);
    return effect;
  }
  Effect Write(ValueId value, WriteMode mode, const std::optional<Outcome>& outcome,
               Version if_version = {}) {
    return Do(PublishCall{.value = value, .mode = mode, .if_version = if_version}, outcome);
  }

  RowModel model_{Columns()};
  RowState state_ = model_.Empty();
};

TEST_F(RowModelTest, WriteOnceTakesTheFirst) {
  EXPECT_EQ(Write(1, WriteMode::kOnce, Existed{}), Effect::kImpossible);
  EXPECT_EQ(Write(1, WriteMode::kOnce, Published{{V(1)}}), Effect::kChanges);
  EXPECT_EQ(Write(2, WriteMode::kOnce, Published{{V(2)}}), Effect::kImpossible);
  EXPECT_EQ(Write(2, WriteMode::kOnce, std::nullopt), Effect::kImpossible) << "nothing to do";
  EXPECT_EQ(Write(2, WriteMode::kOnce, Existed{}), Effect::kUnchanged);
  EXPECT_EQ(Do(GetCall{}, Got{1, V(1)}), Effect::kUnchanged);
  EXPECT_EQ(Do(GetCall{""}, Got{}), Effect::kUnchanged);
  EXPECT_EQ(model_.ToString(state_), "{(none)=#1 @1.1}");
}

TEST_F(RowModelTest, VersionsRiseAlsoOverADrop) {
  EXPECT_EQ(Write(1, WriteMode::kOverwrite, Published{{V(5)}}), Effect::kChanges);
  EXPECT_EQ(Write(2, WriteMode::kOverwrite, Published{{V(5)}}), Effect::kImpossible);
  EXPECT_EQ(Do(DropCall{}, DroppedObjects{2}), Effect::kImpossible);
  EXPECT_EQ(Do(DropCall{}, DroppedObjects{1}), Effect::kChanges);
  EXPECT_EQ(Write(2, WriteMode::kOverwrite, Published{{V(4)}}), Effect::kImpossible);
  EXPECT_EQ(Write(2, WriteMode::kOverwrite, Published{{V(6)}}), Effect::kChanges);
}

TEST_F(RowModelTest, ADropThatNobodyCountedDropsToo) {
  EXPECT_EQ(Do(DropCall{}, DroppedUncounted{}), Effect::kUnchanged);
  EXPECT_EQ(Write(1, WriteMode::kOnce, Published{{V(5)}}), Effect::kChanges);
  EXPECT_EQ(Do(DropCall{}, DroppedUncounted{}), Effect::kChanges);
  EXPECT_EQ(Do(GetCall{}, Got{1, V(5)}), Effect::kImpossible);
  EXPECT_EQ(Do(GetCall{}, DroppedUncounted{}), Effect::kImpossible);
  EXPECT_EQ(Write(2, WriteMode::kOnce, Published{{V(4)}}), Effect::kImpossible);
}

TEST_F(RowModelTest, ComparesVersions) {
  EXPECT_EQ(Write(1, WriteMode::kIfVersion, VersionDiffered{}), Effect::kImpossible);
  EXPECT_EQ(Write(1, WriteMode::kIfVersion, Published{{V(1)}}), Effect::kChanges);
  EXPECT_EQ(Write(2, WriteMode::kIfVersion, Published{{V(2)}}), Effect::kImpossible);
  EXPECT_EQ(Write(2, WriteMode::kIfVersion, VersionDiffered{}), Effect::kUnchanged);
  EXPECT_EQ(Write(2, WriteMode::kIfVersion, VersionDiffered{}, V(1)), Effect::kImpossible);
  EXPECT_EQ(Write(2, WriteMode::kIfVersion, Published{{V(2)}}, V(1)), Effect::kChanges);
}

TEST_F(RowModelTest, AnUnknownVersionIsLearntOnce) {
  EXPECT_EQ(Write(1, WriteMode::kOverwrite, std::nullopt), Effect::kChanges);
  EXPECT_EQ(Write(2, WriteMode::kIfVersion, VersionDiffered{}, V(3)), Effect::kUnchanged);
  EXPECT_EQ(Do(InfoCall{}, InfoSeen{}), Effect::kImpossible);
  EXPECT_EQ(Do(InfoCall{}, InfoSeen{V(3)}), Effect::kChanges);
  EXPECT_EQ(Do(InfoCall{}, InfoSeen{V(3)}), Effect::kUnchanged);
  EXPECT_EQ(Do(InfoCall{}, InfoSeen{V(4)}), Effect::kImpossible);
  EXPECT_EQ(Write(2, WriteMode::kIfVersion, VersionDiffered{}, V(3)), Effect::kImpossible);
}

TEST_F(RowModelTest, GroupsAreTakenWholeAndCounted) {
  const GroupCall group{.items = {{"", 1}, {std::nullopt, 2}}};
  EXPECT_EQ(Do(group, Published{{V(1)}}), Effect::kImpossible) << "one version for two";
  EXPECT_EQ(Do(group, Published{{V(1), V(2)}}), Effect::kChanges);
  EXPECT_EQ(Do(GroupCall{.items = {{"ab", 3}, {"", 4}}}, Existed{}), Effect::kUnchanged);
  EXPECT_EQ(Do(GroupCall{.items = {{"ab", 5}}}, Existed{}), Effect::kImpossible);
  EXPECT_EQ(Do(RowInfoCall{}, RowSeen{1, true}), Effect::kUnchanged);
  EXPECT_EQ(Do(RowInfoCall{}, RowSeen{2, false}), Effect::kImpossible);
  EXPECT_EQ(Do(DropCall{Pattern::ColumnMatch::kPrefix, ""}, DroppedObjects{1}), Effect::kChanges);
  EXPECT_EQ(Do(DropCall{Pattern::ColumnMatch::kNone}, DroppedObjects{1}), Effect::kChanges);
  EXPECT_EQ(state_[0].value, kNoValue);
}

TEST_F(RowModelTest, ExpiryTakesOnlyItsOwnValue) {
  EXPECT_EQ(Write(1, WriteMode::kOverwrite, std::nullopt), Effect::kChanges);
  EXPECT_EQ(RowModel::Check(state_, model_.Expiry({}, 2)), Effect::kUnchanged);
  EXPECT_EQ(RowModel::Check(state_, model_.Expiry({}, 1)), Effect::kChanges);
  RowModel::Apply(state_, model_.Expiry({}, 1));
  EXPECT_EQ(Do(GetCall{}, Got{}), Effect::kUnchanged);
}

TEST_F(RowModelTest, RefusedAndUnfitAnswers) {
  EXPECT_EQ(model_.Compile(PublishCall{.value = 1}, Refused{}).kind, RowStep::Kind::kNothing);
  EXPECT_EQ(model_.Compile(GetCall{}, std::nullopt).kind, RowStep::Kind::kNothing);
  EXPECT_EQ(Do(GetCall{}, Published{}), Effect::kImpossible);
  EXPECT_EQ(Do(GetCall{"elsewhere"}, Got{}), Effect::kImpossible);
  EXPECT_EQ(Do(DropCall{}, Existed{}), Effect::kImpossible);
}

}  // namespace
}  // namespace cirein::simulation
