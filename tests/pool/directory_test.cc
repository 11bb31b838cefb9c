// SPDX-License-Identifier: Apache-2.0
#include "cirein/directory.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "runtime/file.h"
#include "runtime/notification.h"
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
using testing::ElementsAre;

// The process of the test hosts it. Nobody listens at the members' addresses.
class DirectoryTest : public test::LibraryTest {
 protected:
  void SetUp() override {
    LibraryTest::SetUp();
    directory_ = Directory::Connect(OwnAddress().value());
    ASSERT_OK(directory_);
  }
  void TearDown() override {
    directory_ = NotFound("the library has ended");
    LibraryTest::TearDown();
  }

  static ResourceUrl Url(std::string_view text) { return ResourceUrl::Parse(text).value(); }
  static std::vector<std::string> NamesOf(const Result<DirectoryInfo>& entry) {
    std::vector<std::string> names;
    EXPECT_OK(entry);
    if (!entry.ok()) return names;
    for (const DirectoryMember& member : entry->members) names.push_back(member.name);
    return names;
  }
  Result<DirectoryInfo> Join(const std::string& url, const std::string& name, int port) const {
    return directory_->Join(Url(url), {name, "127.0.0.1:" + std::to_string(port)});
  }

  Result<Directory> directory_ = NotFound("not yet");
};

TEST_F(DirectoryTest, MembersJoinInOrderAndKeepTheirPlaces) {
  EXPECT_CODE(Join("dht:/pool", "a", 7001).status(), kNotFound);
  ASSERT_OK(directory_->Define(Url("dht:/pool&min_members=2")));
  EXPECT_OK(directory_->Define(Url("dht:/pool&min_members=2"))) << "once more changes nothing";
  EXPECT_OK(directory_->Define(Url("dht:/pool"))) << "nor does who says less";
  EXPECT_EQ(directory_->Lookup(Url("/pool"))->min_members(), 2U);
  EXPECT_CODE(directory_->Define(Url("dht:/pool&min_members=3")), kAlreadyExists);
  EXPECT_CODE(directory_->Define(Url("dht:/pool&min_members=2&keep=3")), kAlreadyExists);
  EXPECT_CODE(directory_->Define(Url("rft:/pool&min_members=2")), kAlreadyExists);
  EXPECT_THAT(NamesOf(directory_->Lookup(Url("/pool"))), ElementsAre());
  EXPECT_THAT(NamesOf(Join("/pool", "b", 7001)), ElementsAre("b"));
  EXPECT_THAT(NamesOf(Join("/pool", "a", 7002)), ElementsAre("b", "a"));

  const Result<DirectoryInfo> moved = Join("/pool", "b", 7003);
  EXPECT_THAT(NamesOf(moved), ElementsAre("b", "a"));
  EXPECT_THAT(moved->members.front().address, testing::HasSubstr("7003"));
  EXPECT_EQ(Join("/pool", "b", 7003)->revision, moved->revision) << "nothing has changed";

  EXPECT_THAT(NamesOf(directory_->Leave(Url("/pool"), "b")), ElementsAre("a"));
  EXPECT_CODE(directory_->Leave(Url("/pool"), "b").status(), kNotFound);
  EXPECT_THAT(NamesOf(Join("/pool", "b", 7003)), ElementsAre("a", "b"));
}

TEST_F(DirectoryTest, WhatWasDroppedComesBackOnlyWhenItIsDefined) {
  ASSERT_OK(directory_->Define(Url("dht:/pool")));
  ASSERT_OK(Join("/pool", "a", 7001));
  ASSERT_OK(directory_->Drop(Url("/pool")));
  EXPECT_CODE(directory_->Lookup(Url("/pool")).status(), kNotFound);
  EXPECT_CODE(directory_->Drop(Url("/pool")), kNotFound);
  EXPECT_CODE(Join("/pool", "a", 7001).status(), kFailedPrecondition);
  ASSERT_OK(directory_->Define(Url("tft:/pool")));
  EXPECT_THAT(NamesOf(directory_->Lookup(Url("/pool"))), ElementsAre());
}

TEST_F(DirectoryTest, AwaitsAsManyMembersAsAreNeeded) {
  EXPECT_CODE(directory_->Await(Url("/pool"), 20ms).status(), kNotFound);
  ASSERT_OK(directory_->Define(Url("dht:/pool&min_members=2")));
  ASSERT_OK(Join("/pool", "a", 7001));
  const Status few = directory_->Await(Url("/pool"), 20ms).status();
  EXPECT_CODE(few, kDeadlineExceeded);
  EXPECT_THAT(std::string(few.message()), testing::HasSubstr("1 of the 2"));
  ASSERT_OK(RunThreads(2, "await", [&](std::size_t i) {
    if (i == 1) return Join("/pool", "b", 7002).status();
    return directory_->Await(Url("/pool"), test::kPatience).status();
  }));
}

TEST_F(DirectoryTest, TellsOfAChangeOnceAndOfNoneBefore) {
  ASSERT_OK(directory_->Define(Url("dht:/pool")));
  const std::uint64_t revision = directory_->Lookup(Url("/pool"))->revision;
  Notification changed;
  Operation watch = directory_->Watch(Url("/pool"), revision, [&](const Status& status) {
    EXPECT_OK(status);
    changed.Notify();
  });
  ASSERT_OK(directory_->Define(Url("dht:/other")));
  EXPECT_FALSE(watch.done());
  ASSERT_OK(Join("/pool", "a", 7001));
  EXPECT_TRUE(test::Await(changed));
  // Who looked before the change, and watches only after it, is told too.
  Notification late;
  directory_->Watch(Url("/pool"), revision, [&](const Status&) { late.Notify(); });
  EXPECT_TRUE(test::Await(late));
}

TEST_F(DirectoryTest, NobodyIsLostWhenManyJoinAtOnce) {
  constexpr std::size_t kThreads = 8;
  ASSERT_OK(directory_->Define(Url("dht:/pool")));
  ASSERT_OK(RunThreads(kThreads, "join", [&](std::size_t i) {
    return Join("/pool", std::to_string(i), 7000 + static_cast<int>(i)).status();
  }));
  const Result<DirectoryInfo> entry = directory_->Lookup(Url("/pool"));
  EXPECT_EQ(NamesOf(entry).size(), kThreads);
  EXPECT_EQ(entry->revision, kThreads + 1);
}

TEST_F(DirectoryTest, OnePathInTwoBucketsIsTwoResources) {
  ASSERT_OK(directory_->Define(Url("dht:[one]/pool")));
  ASSERT_OK(directory_->Define(Url("rft:[two]/pool")));
  ASSERT_OK(Join("[one]/pool", "a", 7001));
  EXPECT_THAT(NamesOf(directory_->Lookup(Url("[two]/pool"))), ElementsAre());
  EXPECT_EQ(directory_->Lookup(Url("[two]/pool"))->url.type(), "rft");
  EXPECT_CODE(directory_->Lookup(Url("/pool")).status(), kNotFound) << "of the bucket of default";
  EXPECT_EQ(directory_->List("/", Bucket::FromLabel("one"))->size(), 1U);
}

TEST_F(DirectoryTest, ListsByPath) {
  for (const char* path : {"dht:/run/b", "dht:/run/a", "dht:/rune", "dht:/other"}) {
    ASSERT_OK(directory_->Define(Url(path)));
  }
  ASSERT_OK(directory_->Drop(Url("/run/b")));
  std::vector<std::string> paths;
  const auto below_run = directory_->List("/run", {});
  ASSERT_OK(below_run);
  for (const DirectoryInfo& entry : *below_run) paths.push_back(entry.url.path());
  EXPECT_THAT(paths, ElementsAre("/run/a", "/rune"));
  EXPECT_EQ(directory_->List("/", {})->size(), 3U);
}

TEST_F(DirectoryTest, RefusesWhatCannotBe) {
  EXPECT_CODE(directory_->Define(Url("/pool")), kInvalidArgument) << "of which type?";
  EXPECT_CODE(directory_->Define(Url("dht:/")), kInvalidArgument);
  ASSERT_OK(directory_->Define(Url("dht:/pool")));
  EXPECT_CODE(Join("/pool", "", 7001).status(), kInvalidArgument);
  EXPECT_CODE(Join("/pool", "two\nlines", 7001).status(), kInvalidArgument);
  const std::string too_long(DirectoryMember::kMaxNameBytes + 1, 'x');
  EXPECT_CODE(Join("/pool", too_long, 7001).status(), kInvalidArgument);
  EXPECT_OK(Join("/pool", too_long.substr(1), 7001));
  EXPECT_CODE(directory_->Join(Url("/pool"), {"a", "nowhere"}).status(), kInvalidArgument);
}

class DirectoryAwayTest : public test::LibraryTest {
 protected:
  DirectoryAwayTest() : LibraryTest({{"default.deadline", "300ms"}}) {}
};

TEST_F(DirectoryAwayTest, IsToldWithinTheDeadline) {
  const std::string address = "127.0.0.1:" + std::to_string(test::FreePort());
  const Result<Directory> directory = Directory::Connect(address);
  ASSERT_OK(directory);
  const ResourceUrl url = ResourceUrl::Parse("dht:/pool").value();
  for (const Status& status :
       {directory->Define(url), directory->Lookup(url).status(), directory->Await(url).status(),
        directory->Drop(url), directory->List("/", {}).status()}) {
    EXPECT_CODE(status, kUnavailable);
  }
  EXPECT_CODE(Directory::Connect().status(), kFailedPrecondition) << "no setting says where";
}

struct OwnFolder {
  const TemporaryDirectory folder_ = TemporaryDirectory::Create().value();
};

class DirectoryMovesTest : protected OwnFolder, public test::LibraryTest {
 protected:
  DirectoryMovesTest() : LibraryTest({{"directory.file", folder_.File("directory")}}) {}

  /// From now on it is hosted there, and knows one pool with this member.
  void HostAt(const std::string& host, const std::string& member) const {
    const ResourceUrl url = ResourceUrl::Parse("dht:/pool").value();
    const Result<Directory> directory = Directory::Connect(host);
    ASSERT_OK(directory);
    ASSERT_OK(directory->Define(url));
    ASSERT_OK(directory->Join(url, {"member", member}));
    ASSERT_OK(WriteFileAtomically(folder_.File("directory"), host + "\n"));
  }
};

// Both come to the same revision, and the first one is gone, so nobody is told of a change.
TEST_F(DirectoryMovesTest, PoolsThatAreConnectedFollowIt) {
  test::MemberProcesses hosts(2);
  test::MemberProcesses members(2);
  ASSERT_NO_FATAL_FAILURE(HostAt(hosts.address(0), members.address(0)));
  const Pool pool = Open("dht:/pool");
  ASSERT_OK(pool.Publish(Key("row"), test::MakeObject("x")));
  EXPECT_EQ(members.ObjectsAt(0), 1U);
  ASSERT_NO_FATAL_FAILURE(HostAt(hosts.address(1), members.address(1)));
  hosts.Stop(0);
  EXPECT_TRUE(test::Eventually([&] {
    EXPECT_OK(pool.Publish(Key("row"), test::MakeObject("y"), {.overwrite = Overwrite::kYes}));
    return members.ObjectsAt(1) == 1;
  }));
}

}  // namespace
}  // namespace cirein
