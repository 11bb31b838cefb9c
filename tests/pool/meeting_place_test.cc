// SPDX-License-Identifier: Apache-2.0
#include "pool/meeting_place.h"

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/file.h"
#include "runtime/real_clock.h"
#include "runtime/temporary_directory.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(AttendeeTest, IsReadBackFromItsName) {
  const Attendee who{.rank = 3, .size = 8, .token = 0xa7, .address = {}};
  EXPECT_EQ(who.Name(), "3of8-00000000000000a7");
  EXPECT_EQ(Attendee::FromName(who.Name()), who);
  for (const std::string name :
       {"", "3of8", "3of8-a7", "8of8-00000000000000a7", "xof8-00000000000000a7", "-", "of-",
        "3of8-00000000000000a7.tmp-12-1", "-1of8-00000000000000a7", "3of8-00000000000000ag"}) {
    EXPECT_FALSE(Attendee::FromName(name)) << name;
  }
}

class MeetTest : public testing::Test {
 protected:
  std::unique_ptr<MeetingPlace> Place(const std::string& run = "run") const {
    return MakeFolderPlace(directory_.File("folder"), run);
  }
  static Attendee Who(std::size_t rank, std::uint64_t token) {
    return {.rank = rank, .size = 3, .token = token, .address = "at-" + std::to_string(token)};
  }
  /// At an end that has passed or comes soon.
  Result<std::vector<std::string>> MeetAs(const Attendee& who,
                                          std::chrono::nanoseconds wait = 0ns) const {
    const auto place = Place();
    return Meet(
        *place, who,
        {.clock = RealClock::Instance(),
         .end = RealClock::Instance().Now() + wait,
         .is_there = [this](const std::string& address) { return there_.contains(address); },
         .gives_up = [this] { return gives_up_; }});
  }
  std::vector<Attendee> Present() const { return Place()->Look().value(); }

  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
  std::set<std::string> there_;
  bool gives_up_ = false;
};

TEST_F(MeetTest, EndsWhenEachRankHasCome) {
  ASSERT_OK(Place()->Come(Who(2, 12)));
  ASSERT_OK(Place()->Come(Who(0, 10)));
  const auto met = MeetAs(Who(1, 11), test::kPatience);
  ASSERT_OK(met);
  EXPECT_EQ(*met, (std::vector<std::string>{"at-10", "at-11", "at-12"}));
  EXPECT_EQ(Present().size(), 3U);
}

TEST_F(MeetTest, NamesTheRanksThatAreMissing) {
  ASSERT_OK(Place()->Come(Who(1, 11)));
  const Status missing = MeetAs(Who(0, 10), 20ms).status();
  EXPECT_CODE(missing, kDeadlineExceeded);
  EXPECT_THAT(std::string(missing.message()),
              HasSubstr("1 of the group's 3 ranks have not come: 2"));
  EXPECT_EQ(Present(), std::vector{Who(1, 11)}) << "who gave up is not there any more";
}

TEST_F(MeetTest, LooksAtNoOtherRun) {
  ASSERT_OK(Place("another")->Come(Who(1, 21)));
  ASSERT_OK(Place("run.2")->Come(Who(2, 22)));
  EXPECT_THAT(std::string(MeetAs(Who(0, 10)).status().message()), HasSubstr("1, 2"));
}

TEST_F(MeetTest, ARankThatComesAgainTakesItsPlace) {
  ASSERT_OK(Place()->Come(Who(0, 1)));
  ASSERT_OK(Place()->Come(Who(1, 2)));
  ASSERT_OK(Place()->Come(Who(2, 3)));
  const auto met = MeetAs(Who(1, 99), test::kPatience);
  ASSERT_OK(met);
  EXPECT_EQ(met->at(1), "at-99");
  EXPECT_EQ(Present().size(), 3U) << "the former one is gone";
}

TEST_F(MeetTest, OfTwoProcessesOfOneRankTheLaterOneIsRefused) {
  ASSERT_OK(Place()->Come(Who(1, 2)));
  there_.insert("at-2");
  const Status refused = MeetAs(Who(1, 99), test::kPatience).status();
  EXPECT_CODE(refused, kAlreadyExists);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("rank 1"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("at-2"));
  EXPECT_EQ(Present(), std::vector{Who(1, 2)});
}

TEST_F(MeetTest, RefusesAGroupOfAnotherSize) {
  Attendee other = Who(1, 2);
  other.size = 4;
  ASSERT_OK(Place()->Come(other));
  EXPECT_CODE(MeetAs(Who(0, 1), test::kPatience), kInvalidArgument);
}

TEST_F(MeetTest, EndsWithTheLibrary) {
  gives_up_ = true;
  EXPECT_CODE(MeetAs(Who(0, 1), test::kPatience), kUnavailable);
}

TEST_F(MeetTest, SaysWhenAFileMakesNoSense) {
  ASSERT_OK(Place()->Come(Who(1, 11)));
  ASSERT_OK(WriteFileAtomically(directory_.File("folder/run." + Who(1, 11).Name()), ""));
  EXPECT_CODE(MeetAs(Who(0, 10), test::kPatience), kInvalidArgument);
}

}  // namespace
}  // namespace cirein
