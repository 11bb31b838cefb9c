// SPDX-License-Identifier: Apache-2.0
#include "pool/member_pools.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "support/library_test.h"
#include "support/member_processes.h"
#include "support/objects.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::MakeObject;
using test::MemberProcesses;
using testing::HasSubstr;

class MemberPoolsTest : public test::LibraryTest {
 protected:
  static Status Try(const std::string& url) { return Connect(url).status(); }
  static Key RowKey(int i) { return Key("row" + std::to_string(i)); }
  /// How many objects all pages of a listing have.
  static std::size_t CountListed(Pool& pool, const Pattern& pattern) {
    std::size_t count = 0;
    ListOptions options;
    do {
      const auto page = pool.List(pattern, options);
      EXPECT_OK(page);
      if (!page.ok()) break;
      count += page->objects.size();
      options.cursor = page->next;
    } while (!options.cursor.empty());
    return count;
  }
};

TEST_F(MemberPoolsTest, RefusesAListThatIsNotWhole) {
  EXPECT_CODE(Try("dht:/a"), kFailedPrecondition) << "no directory to ask either";
  EXPECT_THAT(std::string(Try("dht:/a").hint()), HasSubstr("num="));
  EXPECT_CODE(Try("dht:/a&num=0"), kInvalidArgument);
  EXPECT_CODE(Try("dht:/a&num=many"), kInvalidArgument);
  EXPECT_CODE(Try("dht:/a&num=5000&ag0=127.0.0.1:7000"), kInvalidArgument);
  EXPECT_THAT(std::string(Try("dht:/a&num=2&ag0=127.0.0.1:7000").message()), HasSubstr("ag1"));
  for (const std::string address :
       {"nowhere", "127.0.0.1", "127.0.0.1:0", ":7000", "auto://x", "/a/path", "127.0.0.1:70000"}) {
    EXPECT_CODE(Try("dht:/a&num=1&ag0=" + address), kInvalidArgument) << address;
  }
  EXPECT_THAT(std::string(Try("dht:/a&num=2&ag0=127.0.0.1:7000&ag1=127.0.0.1:7000").message()),
              HasSubstr("ag1 is the member"));
  EXPECT_CODE(Try("dht:/a&num=1&ag0=127.0.0.1:7000&agx=1"), kInvalidArgument);
  EXPECT_CODE(Try("rft:/a&num=1&ag0=127.0.0.1:7000"), kInvalidArgument);
  EXPECT_CODE(Try("rft:/a&num=1&ag0=127.0.0.1:7000&rank=-1"), kInvalidArgument);
}

class NoNetworkTest : public test::LibraryTest {
 protected:
  NoNetworkTest() : LibraryTest({{"network", "nonet"}}) {}
};

TEST_F(NoNetworkTest, SaysThatThereIsNoneAndWhy) {
  const std::size_t files = test::FileDescriptorCount();
  const Status refused = Connect("dht:/a&num=1&ag0=127.0.0.1:7000").status();
  EXPECT_CODE(refused, kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("nonet"));
  EXPECT_CODE(OwnAddress().status(), kFailedPrecondition);
  EXPECT_OK(Connect("local:/a"));
  EXPECT_EQ(test::FileDescriptorCount(), files) << "no socket was opened";
}

TEST_F(MemberPoolsTest, SpreadsRowsOverMembersAndFindsThemAgain) {
  MemberProcesses members(3);
  Pool pool = Open("dht:/spread" + members.UrlOptions({OwnAddress().value()}));
  constexpr int kRows = 100;
  for (int i = 0; i < kRows; ++i) {
    ASSERT_OK(pool.Publish(RowKey(i), MakeObject("data" + std::to_string(i), "meta")));
  }
  std::uint64_t all = Process::Current()->store()->GetStats().engine.objects;
  EXPECT_GT(all, 0U) << "this process is a member, too";
  for (std::size_t i = 0; i < members.size(); ++i) {
    EXPECT_GT(members.ObjectsAt(i), 0U);
    all += members.ObjectsAt(i);
  }
  EXPECT_EQ(all, kRows);
  for (int i = 0; i < kRows; ++i) {
    const auto object = pool.Need(RowKey(i));
    ASSERT_OK(object);
    EXPECT_EQ(object->text(), "data" + std::to_string(i));
    EXPECT_EQ(object->meta_text(), "meta");
  }
  EXPECT_CODE(pool.Publish(RowKey(1), MakeObject("again")), kAlreadyExists) << "write-once";
  EXPECT_EQ(pool.Drop(Pattern::RowPrefix("row")).value(), kRows);
  EXPECT_CODE(pool.Info(RowKey(1)), kNotFound);
}

TEST_F(MemberPoolsTest, ListsAllMembersPageByPage) {
  MemberProcesses members(3);
  Pool pool = Open("dht:/list" + members.UrlOptions());
  std::set<std::string> published;
  for (int i = 0; i < 50; ++i) {
    published.insert(RowKey(i).row());
    ASSERT_OK(pool.Publish(RowKey(i), MakeObject("x")));
  }
  std::set<std::string> listed;
  ListOptions options;
  options.page_size = 7;
  do {
    const auto page = pool.List(Pattern::RowPrefix("row"), options);
    ASSERT_OK(page);
    ASSERT_LE(page->objects.size(), 7U);
    for (const auto& object : page->objects) {
      EXPECT_TRUE(listed.insert(object.key.row()).second) << "twice";
    }
    options.cursor = page->next;
  } while (!options.cursor.empty());
  EXPECT_EQ(listed, published);
  for (const std::string cursor : {"9:", "x:", "1", ":", "99999999999999999999:"}) {
    EXPECT_CODE(pool.List(Pattern::RowPrefix("row"), {.cursor = cursor}), kInvalidArgument)
        << cursor;
  }
}

TEST_F(MemberPoolsTest, AWantIsAnsweredByWhoeverPublishes) {
  MemberProcesses members(2);
  Pool pool = Open("dht:/want" + members.UrlOptions());
  Pool other = Open("dht:/want&behavior=DefaultRemote_EnableOverwrites" + members.UrlOptions());
  constexpr int kWaiters = 10;
  test::Countdown answered(kWaiters);
  for (int i = 0; i < kWaiters; ++i) {
    pool.Want(Key("later"), [&](const Result<NamedObject>& named) {
      EXPECT_OK(named);
      if (named.ok()) {
        EXPECT_EQ(named->object.text(), "here");
      }
      answered.CountDown();
    });
  }
  ASSERT_TRUE(
      test::Eventually([&] { return members.WaitingAt(0) + members.WaitingAt(1) == kWaiters; }));
  ASSERT_OK(other.Publish(Key("later"), MakeObject("here")));
  EXPECT_TRUE(answered.Wait());
}

TEST_F(MemberPoolsTest, AWantOfManyRowsIsAnsweredOnceAndGivenUpElsewhere) {
  MemberProcesses members(3);
  Pool pool = Open("dht:/prefix" + members.UrlOptions());
  std::atomic<int> count{0};
  Notification done;
  pool.Want(Pattern::RowPrefix("row"), [&](const Result<NamedObject>& named) {
    EXPECT_OK(named);
    ++count;
    done.Notify();
  });
  const auto waiting = [&] {
    return members.WaitingAt(0) + members.WaitingAt(1) + members.WaitingAt(2);
  };
  ASSERT_TRUE(test::Eventually([&] {
    return members.WaitingAt(0) > 0 && members.WaitingAt(1) > 0 && members.WaitingAt(2) > 0;
  }));
  for (int i = 0; i < 20; ++i) ASSERT_OK(pool.Publish(RowKey(i), MakeObject("x")));
  ASSERT_TRUE(test::Await(done));
  EXPECT_TRUE(test::Eventually([&] { return waiting() == 0; })) << "the others were given up";
  EXPECT_EQ(count, 1);
}

TEST_F(MemberPoolsTest, ACancelledWantLeavesItsOwner) {
  MemberProcesses members(1);
  Pool pool = Open("dht:/cancel" + members.UrlOptions());
  Notification done;
  Status told;
  Operation want = pool.Want(Key("never"),
                             [&](const Result<NamedObject>& named) {
                               told = named.status();
                               done.Notify();
                             },
                             {.deadline = kNoDeadline});
  ASSERT_TRUE(test::Eventually([&] { return members.WaitingAt(0) == 1; }));
  EXPECT_TRUE(want.Cancel());
  ASSERT_TRUE(test::Await(done));
  EXPECT_CODE(told, kCancelled);
  EXPECT_TRUE(test::Eventually([&] { return members.WaitingAt(0) == 0; }));
}

TEST_F(MemberPoolsTest, ADeadlineEndsAWantAtItsOwnerToo) {
  MemberProcesses members(1);
  Pool pool = Open("dht:/deadline" + members.UrlOptions());
  EXPECT_CODE(pool.Need(Key("never"), {.deadline = 20ms}), kDeadlineExceeded);
  EXPECT_TRUE(test::Eventually([&] { return members.WaitingAt(0) == 0; }));
}

TEST_F(MemberPoolsTest, ComputesWhereTheRowIs) {
  MemberProcesses members(2);
  Pool pool = Open("dht:/compute" + members.UrlOptions());
  ASSERT_OK(pool.Publish(Key("row", "a"), MakeObject("1")));
  ASSERT_OK(pool.Publish(Key("row", "b"), MakeObject("2")));
  const auto joined = pool.Compute(Pattern::Row("row"), "concat", "+");
  ASSERT_OK(joined);
  EXPECT_EQ(joined->text(), "1+2");
  EXPECT_CODE(pool.Compute(Pattern::Row("nothing"), "concat", ""), kNotFound);
  EXPECT_CODE(pool.Compute(Pattern::Row("row"), "no-such-function", ""), kNotFound);
  // The function's own error comes as it is.
  const Status refused = pool.Compute(Pattern::Row("row"), "pick", "wrong").status();
  EXPECT_CODE(refused, kInvalidArgument);
}

TEST_F(MemberPoolsTest, KeepsPoolsOfTheSameMembersApartByBucket) {
  MemberProcesses members(2);
  Pool red = Open("dht:[red]/a" + members.UrlOptions());
  Pool blue = Open("dht:[blue]/a" + members.UrlOptions());
  ASSERT_OK(red.Publish(Key("k"), MakeObject("red")));
  ASSERT_OK(blue.Publish(Key("k"), MakeObject("blue")));
  EXPECT_EQ(red.Need(Key("k"))->text(), "red");
  EXPECT_EQ(blue.Need(Key("k"))->text(), "blue");
  EXPECT_EQ(red.Drop(Pattern::RowPrefix("")).value(), 1U);
  EXPECT_OK(blue.Info(Key("k")));
}

TEST_F(MemberPoolsTest, KeepsPoolsOfSeveralTypesApart) {
  MemberProcesses members(3);
  const std::string list = members.UrlOptions({OwnAddress().value()});
  std::vector<Pool> pools;
  for (const std::string url :
       {"dht:[one]/p", "dht:[two]/p&replicas=2", "dht:[three]/p&replicas=3", "tft:[four]/p",
        "tft:[five]/p&replicas=2", "rft:[six]/p&rank=1", "rft:[seven]/p&rank=1&replicas=4"}) {
    pools.push_back(Open(url + list));
  }
  const auto row = [](int i) { return Key(WithRowTag("row" + std::to_string(i), 5)); };
  for (std::size_t i = 0; i < pools.size(); ++i) {
    for (int k = 0; k < 20; ++k) {
      ASSERT_OK(pools[i].Publish(row(k), MakeObject(std::to_string(i))));
    }
  }
  for (std::size_t i = 0; i < pools.size(); ++i) {
    for (int k = 0; k < 20; ++k) EXPECT_EQ(pools[i].Need(row(k))->text(), std::to_string(i));
    EXPECT_EQ(CountListed(pools[i], Pattern::RowPrefix("")), 20U);
  }
  for (std::size_t i = 0; i < pools.size(); ++i) {
    EXPECT_EQ(pools[i].Drop(Pattern::RowPrefix("")).value(), 20U);
    EXPECT_CODE(pools[i].Info(row(1)), kNotFound);
    for (std::size_t k = i + 1; k < pools.size(); ++k) EXPECT_OK(pools[k].Info(row(1)));
  }
  EXPECT_EQ(members.ObjectsAt(0) + members.ObjectsAt(1) + members.ObjectsAt(2), 0U);
}

TEST_F(MemberPoolsTest, ACopyIsCalledBackWhoeverMakesTheChange) {
  MemberProcesses members(1);
  Pool pool = Open("dht:[copies]/a" + members.UrlOptions());
  const KeyView key(Bucket::FromLabel("copies"), "row");
  const CopyCache& copies = Process::Current()->network().value()->copies();
  StripedStore& owner = *members.at(0).store();
  for (int i = 0; i < 50; ++i) {
    const std::string data = std::to_string(i);
    PutRequest request;
    request.object = MakeObject(data);
    request.mode = PutMode::kOverwrite;
    ASSERT_OK(owner.Publish(key, std::move(request))) << "in the owner's own process";
    EXPECT_EQ(pool.Need(Key("row"))->text(), data);
    EXPECT_EQ(pool.Need(Key("row"))->text(), data);
  }
  EXPECT_GT(copies.GetStats().hits, 0U);
  EXPECT_GT(copies.GetStats().recalls, 0U);
  ASSERT_OK(pool.Drop(Key("row")));
  EXPECT_CODE(pool.Need(Key("row"), {.deadline = 1ms}), kDeadlineExceeded);
}

TEST_F(MemberPoolsTest, KeepsNoCopiesWithoutReadToLocal) {
  MemberProcesses members(1);
  Pool pool = Open("dht:[plain]/a&behavior=WriteToRemote" + members.UrlOptions());
  ASSERT_OK(pool.Publish(Key("row"), MakeObject("x")));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pool.Need(Key("row"))->text(), "x");
  EXPECT_EQ(Process::Current()->network().value()->copies().GetStats().copies, 0U);
  EXPECT_EQ(members.at(0).store()->GetStats().lent, 0U);
}

TEST_F(MemberPoolsTest, RefusesReplicasThatCannotBe) {
  MemberProcesses members(2);
  const std::string list = members.UrlOptions();
  for (const std::string value : {"0", "17", "two", ""}) {
    EXPECT_CODE(Try("dht:/a&replicas=" + value + list), kInvalidArgument) << value;
  }
  EXPECT_THAT(std::string(Try("dht:/a&replicas=3" + list).message()), HasSubstr("of 2 members"));
  EXPECT_CODE(Try("dht:/a&replicas=2&keep=1" + list), kInvalidArgument);
  EXPECT_CODE(Try("dht:/a&replicas=2&behavior=DefaultRemote_EnableOverwrites" + list),
              kInvalidArgument);
  Pool pool = Open("dht:/a&replicas=2" + list);
  EXPECT_CODE(pool.Publish(Key("k"), MakeObject("x"), {.overwrite = Overwrite::kYes}),
              kInvalidArgument);
  EXPECT_CODE(pool.Publish(Key("k"), MakeObject("x"), {.if_version = Version{}}), kInvalidArgument);
  EXPECT_CODE(pool.List(Pattern::Row("r"), {.cursor = "9.x"}), kInvalidArgument);
}

TEST_F(MemberPoolsTest, RanksAndTagsLeadToMembers) {
  MemberProcesses members(3);
  const std::string list = members.UrlOptions();
  for (const int rank : {0, 1, 2, 5}) {
    Pool pool = Open("rft:/ranks&rank=" + std::to_string(rank) + list);
    ASSERT_OK(pool.Publish(RowKey(rank), MakeObject("x")));
  }
  EXPECT_EQ(members.ObjectsAt(0), 1U);
  EXPECT_EQ(members.ObjectsAt(1), 1U);
  EXPECT_EQ(members.ObjectsAt(2), 2U) << "5 modulo 3";
  Pool own = Open("rft:/ranks&rank=1" + list);
  EXPECT_CODE(own.Info(RowKey(2)), kNotFound) << "a rank sees its own member";
  EXPECT_EQ(own.Drop(Pattern::RowPrefix("")).value(), 1U);

  Pool tags = Open("tft:[tags]/tags" + list);
  const std::uint64_t before = members.ObjectsAt(1);
  for (int i = 0; i < 10; ++i) {
    ASSERT_OK(tags.Publish(Key(WithRowTag(RowKey(i).row(), 4)), MakeObject("x")));
  }
  EXPECT_EQ(members.ObjectsAt(1) - before, 10U) << "4 modulo 3";
  ASSERT_OK(tags.Publish(Key("untagged"), MakeObject("x")));
  EXPECT_EQ(tags.Need(Key("untagged"))->text(), "x");
}

class MemberFaultsTest : public MemberPoolsTest {
 protected:
  // One that comes again must come at the same address.
  MemberFaultsTest()
      : members_(1, {{"fabric.listen", host_and_port_}, {"fabric.use", "ofi"}}), steady_(1) {}
  void TearDown() override {
    members_.Stop(0);
    steady_.Stop(0);
    MemberPoolsTest::TearDown();
  }

  Pool Both(std::string_view name) {
    return Open("dht:/" + std::string(name) + members_.UrlOptions({steady_.address(0)}));
  }
  /// A key whose owner is the first member.
  Key Of(std::size_t member, Pool& pool) {
    for (int i = 0;; ++i) {
      const Key key = RowKey(i);
      const std::uint64_t before = At(member).ObjectsAt(0);
      EXPECT_OK(pool.Publish(key, MakeObject("x"), {.overwrite = Overwrite::kYes}));
      const bool is = At(member).ObjectsAt(0) > before;
      EXPECT_OK(pool.Drop(key));
      if (is) return key;
    }
  }
  MemberProcesses& At(std::size_t member) { return member == 0 ? members_ : steady_; }

  const std::string host_and_port_ = "127.0.0.1:" + std::to_string(test::FreePort());
  MemberProcesses members_;
  MemberProcesses steady_;
};

TEST_F(MemberFaultsTest, ADeadMemberFailsItsKeysAndNoOthers) {
  Pool pool = Both("dead");
  const Key lost = Of(0, pool);
  const Key kept = Of(1, pool);
  ASSERT_OK(pool.Publish(lost, MakeObject("x")));
  ASSERT_OK(pool.Publish(kept, MakeObject("y")));
  members_.Stop(0);
  for (int i = 0; i < 3; ++i) {
    const Status info = pool.Info(lost).status();
    EXPECT_CODE(info, kUnavailable);
    EXPECT_THAT(std::string(info.message()), HasSubstr(members_.address(0)));
    EXPECT_CODE(pool.Publish(lost, MakeObject("x")), kUnavailable);
    EXPECT_EQ(pool.Need(kept)->text(), "y");
  }
  EXPECT_CODE(pool.Drop(Pattern::RowPrefix("row")), kUnavailable) << "not all could be asked";
  EXPECT_CODE(pool.Need(lost, {.deadline = 300ms}), kDeadlineExceeded)
      << "who may wait, waits for the member to come again";
}

TEST_F(MemberFaultsTest, AMemberIsReachedByHostAndPortAlone) {
  Pool pool = Open("dht:/by-port&num=1&ag0=" + host_and_port_);
  ASSERT_OK(pool.Publish(Key("row"), MakeObject("x")));
  EXPECT_EQ(members_.ObjectsAt(0), 1U);
  EXPECT_EQ(pool.Need(Key("row"))->text(), "x");
}

TEST_F(MemberFaultsTest, ReplicasAreReadWhileAMemberIsAway) {
  Pool pool = Open("dht:[replicas]/a&replicas=2" + members_.UrlOptions({steady_.address(0)}));
  const auto row = [](int i) { return Key("row" + std::to_string(i), "c"); };
  constexpr int kRows = 20;
  for (int i = 0; i < kRows; ++i) ASSERT_OK(pool.Publish(row(i), MakeObject(std::to_string(i))));
  EXPECT_EQ(members_.ObjectsAt(0), kRows);
  EXPECT_EQ(steady_.ObjectsAt(0), kRows);
  const auto expect_all = [&] {
    for (int i = 0; i < kRows; ++i) {
      const auto object = pool.Need(row(i));
      ASSERT_OK(object);
      EXPECT_EQ(object->text(), std::to_string(i));
      EXPECT_OK(pool.Info(row(i)));
      const auto info = pool.RowInfo(row(i));
      ASSERT_OK(info);
      EXPECT_EQ(info->columns, 1U);
      const auto computed = pool.Compute(Pattern::Row(row(i).row()), "concat", "");
      ASSERT_OK(computed);
      EXPECT_EQ(computed->text(), std::to_string(i));
    }
    EXPECT_EQ(CountListed(pool, Pattern::RowPrefix("row")), kRows);
  };
  expect_all();
  EXPECT_EQ(CountListed(pool, Pattern::RowPrefix("no such")), 0U);
  members_.Stop(0);
  expect_all();
  EXPECT_CODE(pool.List(Pattern::RowPrefix("no such")), kUnavailable) << "it may have some";
  int refused = 0;
  int taken = 0;
  for (int i = 0; i < kRows; ++i) {
    const Status published =
        pool.Publish(Key("late" + std::to_string(i)), MakeObject("x")).status();
    if (published.ok()) {
      ++taken;
    } else {
      EXPECT_CODE(published, kUnavailable);
      EXPECT_THAT(std::string(published.message()), HasSubstr(members_.address(0)));
      ++refused;
    }
  }
  EXPECT_GT(refused, 0) << "rows whose first member is away";
  EXPECT_GT(taken, 0) << "the others go on, at fewer members";
  EXPECT_CODE(pool.Drop(Pattern::RowPrefix("none")), kUnavailable) << "one may be out of reach";
  members_.StartAgain(0);
  EXPECT_EQ(members_.ObjectsAt(0), 0U);
  expect_all();
  for (int i = 0; i < kRows; ++i) {
    EXPECT_CODE(pool.Publish(row(i), MakeObject("again")), kAlreadyExists)
        << "written once, though its first member has forgotten it";
  }
  EXPECT_EQ(pool.Drop(Pattern::RowPrefix("row")).value(), kRows);
  EXPECT_EQ(pool.Drop(Pattern::RowPrefix("")).value(), static_cast<std::uint64_t>(taken));
  EXPECT_EQ(steady_.ObjectsAt(0) + members_.ObjectsAt(0), 0U);
}

TEST_F(MemberFaultsTest, AWantIsAnsweredByAnyReplicaOnce) {
  Pool pool = Open("dht:[replicas]/a&replicas=2" + members_.UrlOptions({steady_.address(0)}));
  std::atomic<int> count{0};
  Notification done;
  pool.Want(Key("row", "c"),
            [&](const Result<NamedObject>& named) {
              EXPECT_OK(named);
              ++count;
              done.Notify();
            },
            {.deadline = test::kPatience});
  ASSERT_TRUE(test::Eventually([&] {
    return members_.WaitingAt(0) == 1 && steady_.WaitingAt(0) == 1;
  })) << "parked at both";
  ASSERT_OK(pool.Publish(Key("row", "c"), MakeObject("x")));
  ASSERT_TRUE(test::Await(done));
  EXPECT_TRUE(
      test::Eventually([&] { return members_.WaitingAt(0) == 0 && steady_.WaitingAt(0) == 0; }));
  EXPECT_EQ(count, 1);
}

TEST_F(MemberFaultsTest, AMemberThatComesAgainIsEmptyAndAnswersWhoWaited) {
  Pool pool = Both("again");
  const Key key = Of(0, pool);
  const Key other("other-row", "column");
  ASSERT_OK(pool.Publish(key, MakeObject("old")));
  Notification done;
  Result<NamedObject> named = NotFound("not answered");
  std::atomic<int> count{0};
  // Parked at the first member, which is the one that goes.
  const Key wanted(key.row(), "wanted");
  pool.Want(wanted,
            [&](Result<NamedObject> result) {
              named = std::move(result);
              ++count;
              done.Notify();
            },
            {.deadline = test::kPatience});
  ASSERT_TRUE(test::Eventually([&] { return members_.WaitingAt(0) == 1; }));
  members_.Stop(0);
  members_.StartAgain(0);
  ASSERT_TRUE(test::Eventually([&] { return members_.WaitingAt(0) == 1; })) << "parked anew";
  EXPECT_CODE(pool.Info(key), kNotFound) << "what it had is dropped";
  ASSERT_OK(pool.Publish(wanted, MakeObject("new")));
  ASSERT_TRUE(test::Await(done));
  ASSERT_OK(named);
  EXPECT_EQ(named->object.text(), "new");
  EXPECT_EQ(count, 1);
}

}  // namespace
}  // namespace cirein
