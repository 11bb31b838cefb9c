// SPDX-License-Identifier: Apache-2.0
#include "pool/fetched_ahead.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "runtime/virtual_clock.h"
#include "support/library_test.h"
#include "support/member_processes.h"
#include "support/objects.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using test::MakeObject;

class FetchedAheadTest : public testing::Test {
 protected:
  void Fetch(const Key& key, const DataObject& object) {
    const NamedObject named{key, object, {}};
    ahead_.End(ahead_.Begin(key), &named);
  }

  VirtualClock clock_;
  FetchedAhead ahead_{clock_};
};

TEST_F(FetchedAheadTest, GivesEachObjectOnce) {
  Fetch(Key("row"), MakeObject("alone"));
  Fetch(Key("row", ""), MakeObject("column"));
  EXPECT_FALSE(ahead_.Take(Key("other")).has_value());
  EXPECT_EQ(ahead_.Take(Key("row"))->text(), "alone");
  EXPECT_FALSE(ahead_.Take(Key("row")).has_value());
  EXPECT_EQ(ahead_.Take(Key("row", ""))->text(), "column");
  EXPECT_EQ(ahead_.bytes(), 0U);
  ahead_.End(ahead_.Begin(Key("row")), nullptr);
  EXPECT_FALSE(ahead_.Take(Key("row")).has_value());
}

TEST_F(FetchedAheadTest, WhatWasChangedSinceIsForgotten) {
  for (const Pattern& change :
       {Pattern(Key("row", "c")), Pattern::Row("row"), Pattern::RowPrefix("r")}) {
    Fetch(Key("row", "c"), MakeObject("old"));
    Fetch(Key("sow", "c"), MakeObject("kept"));
    const auto under_way = ahead_.Begin(Key("row", "c"));
    ahead_.Forget(change);
    const NamedObject late{Key("row", "c"), MakeObject("old"), {}};
    ahead_.End(under_way, &late);
    EXPECT_FALSE(ahead_.Take(Key("row", "c")).has_value());
    EXPECT_TRUE(ahead_.Take(Key("sow", "c")).has_value());
  }
  const auto other = ahead_.Begin(Key("row", "c"));
  ahead_.Forget(Key("row", "d"));
  const NamedObject named{Key("row", "c"), MakeObject("new"), {}};
  ahead_.End(other, &named);
  EXPECT_TRUE(ahead_.Take(Key("row", "c")).has_value()) << "that was another key";
}

TEST_F(FetchedAheadTest, KeepsNothingForEverAndNotTooMuch) {
  Fetch(Key("row"), MakeObject("x"));
  clock_.Advance(FetchedAhead::kKeptFor);
  EXPECT_FALSE(ahead_.Take(Key("row")).has_value());
  EXPECT_EQ(ahead_.bytes(), 0U);
  for (std::size_t i = 0; i <= FetchedAhead::kObjectsMax; ++i) {
    Fetch(Key(std::to_string(i)), MakeObject("x"));
  }
  EXPECT_FALSE(ahead_.Take(Key("0")).has_value()) << "the oldest went";
  EXPECT_TRUE(ahead_.Take(Key("1")).has_value());
  Fetch(Key("larger"), DataObject::Allocate({.data_bytes = FetchedAhead::kBytesMax}).value());
  EXPECT_FALSE(ahead_.Take(Key("larger")).has_value());
  EXPECT_LE(ahead_.bytes(), FetchedAhead::kBytesMax);
}

class FetchAheadInPoolsTest : public test::LibraryTest {};

TEST_F(FetchAheadInPoolsTest, TheNeedAfterAWantWithoutCallbackSendsNoRequest) {
  test::MemberProcesses members(1);
  // With ReadToLocal there may be a copy besides.
  Pool pool = Open("dht:/ahead&behavior=WriteToRemote" + members.UrlOptions());
  ASSERT_OK(pool.Publish(Key("row"), MakeObject("fetched")));
  const Operation want = pool.Want(Key("row"));
  ASSERT_TRUE(test::Eventually([&] { return want.done(); }));
  members.Stop(0);
  const auto needed = pool.Need(Key("row"));
  ASSERT_OK(needed);
  EXPECT_EQ(needed->text(), "fetched") << "nobody could be asked";
  EXPECT_CODE(pool.Need(Key("row"), {.deadline = std::chrono::milliseconds(50)}), kDeadlineExceeded)
      << "it was used up";
}

TEST_F(FetchAheadInPoolsTest, OnesOwnChangesAreSeen) {
  test::MemberProcesses members(1);
  Pool pool = Open("dht:/ahead&behavior=DefaultRemote_EnableOverwrites" + members.UrlOptions());
  const auto fetch = [&] {
    const Operation want = pool.Want(Key("row"));
    EXPECT_TRUE(test::Eventually([&] { return want.done(); }));
  };
  ASSERT_OK(pool.Publish(Key("row"), MakeObject("1")));
  fetch();
  ASSERT_OK(pool.Publish(Key("row"), MakeObject("2")));
  EXPECT_EQ(pool.Need(Key("row"))->text(), "2");
  fetch();
  ASSERT_OK(pool.Drop(Key("row")));
  EXPECT_CODE(pool.Need(Key("row"), {.deadline = std::chrono::milliseconds(50)}),
              kDeadlineExceeded);
}

}  // namespace
}  // namespace cirein
