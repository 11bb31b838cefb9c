// SPDX-License-Identifier: Apache-2.0
#include "cirein/group.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "pool/meeting_place.h"
#include "pool/process.h"
#include "runtime/real_clock.h"
#include "runtime/temporary_directory.h"
#include "runtime/thread_group.h"
#include "support/library_test.h"
#include "support/member_processes.h"
#include "support/objects.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::MakeObject;
using testing::HasSubstr;
using Settings = std::vector<std::pair<std::string, std::string>>;

/// Processes of one group, each with settings of its own.
class GroupTest : public testing::Test {
 protected:
  Settings Of(std::size_t rank, std::size_t size = 3) const {
    return {{"group.form", "file"},
            {"group.folder", directory_.File("group")},
            {"group.run", "run"},
            {"group.rank", std::to_string(rank)},
            {"group.size", std::to_string(size)}};
  }
  static std::shared_ptr<Process> Start(const Settings& settings) {
    return Process::Start(test::TestConfig(settings)).value();
  }
  static std::string AddressOf(Process& process) { return process.network().value()->address(); }

  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
};

TEST_F(GroupTest, ProcessesFindEachOtherThroughAFolder) {
  std::vector<std::shared_ptr<Process>> processes;
  std::vector<std::string> addresses;
  for (std::size_t rank = 0; rank < 3; ++rank) {
    processes.push_back(Start(Of(rank)));
    addresses.push_back(AddressOf(*processes.back()));
  }
  ASSERT_OK(RunThreads(3, "rank", [&](std::size_t rank) -> Status {
    CIREIN_ASSIGN_OR_RETURN(const Group group, processes[rank]->JoinGroup({}, test::kPatience));
    EXPECT_EQ(group.rank(), rank);
    EXPECT_EQ(group.addresses(), addresses);
    return OkStatus();
  }));
  // One more of a rank that is there, and one that comes again.
  const auto twin = Start(Of(1));
  const Status refused = twin->JoinGroup({}, test::kPatience).status();
  EXPECT_CODE(refused, kAlreadyExists);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("the group run"));
  twin->Stop();
  processes[1]->Stop();
  processes[1] = Start(Of(1));
  const auto again = processes[1]->JoinGroup({}, test::kPatience);
  ASSERT_OK(again);
  EXPECT_EQ(again->addresses()[1], AddressOf(*processes[1]));
  EXPECT_EQ(again->addresses()[2], addresses[2]);
  for (const auto& process : processes) process->Stop();
}

TEST_F(GroupTest, AProcessWaitsForTheOthersNoLongerThanItsDeadline) {
  const auto alone = Start(Of(0));
  const Status missing = alone->JoinGroup({}, 30ms).status();
  EXPECT_CODE(missing, kDeadlineExceeded);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("1, 2"));
  EXPECT_CODE(alone->JoinGroup({}, 30ms), kDeadlineExceeded) << "it may be tried again";
  alone->Stop();
  EXPECT_CODE(alone->JoinGroup({}, test::kPatience), kUnavailable);
}

TEST_F(GroupTest, SaysWhatIsNotSaid) {
  const auto refuse = [&](const Settings& settings, std::string_view form) {
    const auto process = Start(settings);
    Status status = process->JoinGroup(form, test::kPatience).status();
    process->Stop();
    return status;
  };
  EXPECT_CODE(refuse({}, "file"), kFailedPrecondition);
  EXPECT_CODE(refuse({}, "mpi"), kFailedPrecondition);
  EXPECT_CODE(refuse({}, "slurm"), kFailedPrecondition);
  EXPECT_CODE(refuse({}, "list"), kFailedPrecondition);
  EXPECT_CODE(refuse({}, "ring"), kInvalidArgument);
  EXPECT_CODE(refuse({{"group.members", "127.0.0.1:7000 nowhere"}}, ""), kInvalidArgument);
  EXPECT_CODE(refuse({{"group.members", "127.0.0.1:7000 127.0.0.1:7000"}}, ""), kInvalidArgument);
  Settings settings = Of(0);
  settings[1].second = "";
  EXPECT_THAT(std::string(refuse(settings, "").hint()), HasSubstr("group.folder"));
  settings = Of(0);
  settings[2].second = "a/../b";
  EXPECT_CODE(refuse(settings, ""), kInvalidArgument);
  settings = Of(0);
  settings.emplace_back("network", "nonet");
  EXPECT_CODE(refuse(settings, ""), kFailedPrecondition);
  settings = Of(0);
  settings[1].second = "/proc/no-such-folder";
  EXPECT_FALSE(refuse(settings, "").ok());
}

TEST_F(GroupTest, AddressesThatAProgramHasExchangedItself) {
  EXPECT_CODE(Group::Join(), kFailedPrecondition) << "the library is not started";
  EXPECT_CODE(OwnAddress(), kFailedPrecondition);
  const auto group = Group::Of(1, {"127.0.0.1:7000", "127.0.0.1:7001"});
  ASSERT_OK(group);
  EXPECT_EQ(group->rank(), 1U);
  EXPECT_EQ(group->WithMembers(ResourceUrl::Parse("dht:/a&group=mpi").value()).ToString(),
            "dht:/a&ag0=127.0.0.1:7000&ag1=127.0.0.1:7001&num=2");
  EXPECT_CODE(Group::Of(2, {"127.0.0.1:7000", "127.0.0.1:7001"}), kInvalidArgument);
  EXPECT_CODE(Group::Of(std::nullopt, {}), kInvalidArgument);
  EXPECT_CODE(Group::Of(0, {"nowhere"}), kInvalidArgument);
}

/// The library as rank 0 of two; the other one is a process beside it.
class GroupPoolsTest : public test::LibraryTest {
 protected:
  GroupPoolsTest() : GroupPoolsTest(TemporaryDirectory::Create().value()) {}
  explicit GroupPoolsTest(TemporaryDirectory directory)
      : LibraryTest({{"group.folder", directory.path()},
                     {"group.run", "run"},
                     {"group.rank", "0"},
                     {"group.size", "2"}}),
        directory_(std::move(directory)),
        other_(Process::Start(test::TestConfig({{"group.folder", directory_.path()},
                                                {"group.run", "run"},
                                                {"group.rank", "1"},
                                                {"group.size", "2"}}))
                   .value()) {}
  void TearDown() override {
    other_.reset();
    LibraryTest::TearDown();
  }
  /// Both come.
  Pool OpenTogether(const std::string& url) {
    Pool pool;
    EXPECT_OK(RunThreads(2, "rank", [&](std::size_t i) -> Status {
      if (i == 1) return other_->JoinGroup({}, test::kPatience).status();
      pool = Open(url);
      return OkStatus();
    }));
    return pool;
  }

  const TemporaryDirectory directory_;
  std::shared_ptr<Process> other_;
};

TEST_F(GroupPoolsTest, PoolsHaveTheGroupsMembersAndRanks) {
  Pool own = OpenTogether("rft:/halo");
  Pool next = Open("rft:/halo&rank=1");
  ASSERT_OK(own.Publish(Key("a"), MakeObject("here")));
  ASSERT_OK(next.Publish(Key("b"), MakeObject("there")));
  EXPECT_EQ(Process::Current()->store()->GetStats().engine.objects, 1U);
  EXPECT_EQ(other_->store()->GetStats().engine.objects, 1U);
  EXPECT_EQ(Open("rft:/halo&rank=self").Need(Key("a"))->text(), "here");
  EXPECT_EQ(Group::Join().value().rank(), 0U);

  // Its URL needs no group, and leads to the same members by another process's rank.
  const ResourceUrl url = next.url();
  EXPECT_EQ(url.option("num"), "2");
  EXPECT_EQ(Connect(url).value().Need(Key("b"))->text(), "there");

  EXPECT_OK(Connect("dht:/all&min_members=2"));
  const Status few = Connect("dht:/all&min_members=3").status();
  EXPECT_CODE(few, kFailedPrecondition);
  EXPECT_THAT(std::string(few.message()), HasSubstr("has 2 members, and needs 3"));
  EXPECT_CODE(Connect("dht:/all&group=mpi"), kFailedPrecondition) << "there is no mpirun";
  EXPECT_CODE(Connect("dht:/all&group=ring"), kInvalidArgument);
}

class DirectoryGroupTest : public test::LibraryTest {};

TEST_F(DirectoryGroupTest, ProcessesMeetInTheDirectory) {
  // Whoever asks the directory is the library, so that one is this, and the other is what it wrote.
  test::MemberProcesses host(1);
  const Directory directory = Directory::Connect(host.address(0)).value();
  const auto place = MakeDirectoryPlace(directory, "run", 2).value();
  const Attendee other{.rank = 1, .size = 2, .token = 7, .address = host.address(0)};
  ASSERT_OK(place->Come(other));
  const Attendee self{.rank = 0, .size = 2, .token = 8, .address = OwnAddress().value()};
  const auto met = Meet(*place, self,
                        {.clock = RealClock::Instance(),
                         .end = test::EndOfPatience(),
                         .is_there = [](const std::string&) { return true; },
                         .gives_up = [] { return false; }});
  ASSERT_OK(met);
  EXPECT_EQ(met->size(), 2U);
  EXPECT_EQ(met->at(1), other.address);
  ASSERT_OK(place->Remove(other));
  ASSERT_OK(place->Remove(other)) << "which is not there any more";
  const auto alone = Meet(*place, self,
                          {.clock = RealClock::Instance(),
                           .end = RealClock::Instance().Now() + 20ms,
                           .is_there = [](const std::string&) { return true; },
                           .gives_up = [] { return false; }});
  EXPECT_CODE(alone, kDeadlineExceeded);
}

}  // namespace
}  // namespace cirein
