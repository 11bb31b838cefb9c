// SPDX-License-Identifier: Apache-2.0

// Pools with a store behind them: what is in memory, what is on the medium, and what comes back
// after the end of the process.

#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "cirein/cirein.h"

#include "backing/stores.h"
#include "pool/pool_backing.h"
#include "pool/process.h"
#include "runtime/file.h"
#include "support/library_test.h"
#include "support/member_processes.h"
#include "support/objects.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::MakeObject;
using test::MemberProcesses;
using testing::HasSubstr;

std::vector<Key> ListAll(const Pool& pool, std::uint32_t page_size) {
  std::vector<Key> keys;
  ListOptions options{.page_size = page_size};
  do {
    const auto page = pool.List(Pattern::RowPrefix(""), options);
    EXPECT_OK(page);
    if (!page.ok()) break;
    for (const ListedObject& object : page->objects) keys.push_back(object.key);
    options.cursor = page->next;
  } while (!options.cursor.empty());
  return keys;
}

class BackedPoolTest : public test::LibraryTest,
                       public testing::WithParamInterface<std::string_view> {
 protected:
  explicit BackedPoolTest(Settings settings = {}) : LibraryTest(std::move(settings)) {}
  void SetUp() override {
    backing::RegisterBackingStores();
    test::WarmUpStores();
    LibraryTest::SetUp();
    pool_ = Open(Url());
  }
  void TearDown() override {
    pool_ = Pool();
    LibraryTest::TearDown();
  }
  std::string Url(const std::string& options = "") const {
    return "local:/backed&store=" + Spec() + options;
  }
  std::string Spec() const { return std::string(GetParam()) + ":" + directory_.path(); }
  /// The process ends and another one begins; pools are connected anew.
  void Restart(const std::string& options = "") {
    pool_ = Pool();
    TearDown();
    LibraryTest::SetUp();
    pool_ = Open(Url(options));
  }
  static std::uint64_t InMemory() { return Process::Current()->store()->GetStats().engine.objects; }
  Availability Where(const Key& key) const { return pool_.Info(key)->availability; }
  std::string Need(const Key& key) const {
    const auto object = pool_.Need(key, {.deadline = 5s});
    return object.ok() ? std::string(object->text()) : object.status().ToString();
  }

  const TemporaryDirectory directory_ = TemporaryDirectory::Create().value();
  Pool pool_;
};

INSTANTIATE_TEST_SUITE_P(Stores, BackedPoolTest, test::StoresToTest(), test::StoreToTestName);

TEST_P(BackedPoolTest, ObjectsComeBackAfterTheEndOfTheProcess) {
  const auto info = pool_.Publish(Key("row", "a"), MakeObject("data", "meta", 5));
  ASSERT_OK(info);
  EXPECT_EQ(info->availability, Availability::kLocalMemory);
  EXPECT_EQ(InMemory(), 1U);
  Restart();
  EXPECT_EQ(InMemory(), 0U);
  const auto there = pool_.Info(Key("row", "a"));
  ASSERT_OK(there);
  EXPECT_EQ(there->availability, Availability::kDisk);
  EXPECT_EQ(there->version, info->version);
  EXPECT_EQ(there->meta_bytes, 4U);
  EXPECT_CODE(pool_.Publish(Key("row", "a"), MakeObject("other")), kAlreadyExists);
  const auto object = pool_.Need(Key("row", "a"));
  ASSERT_OK(object);
  EXPECT_EQ(object->meta_text(), "meta");
  EXPECT_EQ(object->type(), 5);
  EXPECT_EQ(Where(Key("row", "a")), Availability::kLocalMemory) << "what was read stays";
  EXPECT_CODE(pool_.Info(Key("row", "b")), kNotFound);
}

TEST_P(BackedPoolTest, AVersionOutlivesTheProcess) {
  const auto first = pool_.Publish(Key("row"), MakeObject("1"));
  ASSERT_OK(first);
  Restart();
  PublishOptions options;
  options.if_version = Version{1, 1};
  EXPECT_CODE(pool_.Publish(Key("row"), MakeObject("2"), options), kFailedPrecondition);
  options.if_version = first->version;
  const auto second = pool_.Publish(Key("row"), MakeObject("2"), options);
  ASSERT_OK(second);
  EXPECT_GT(second->version, first->version);
  Restart();
  EXPECT_EQ(Need(Key("row")), "2");
}

TEST_P(BackedPoolTest, WriteAroundLeavesNothingInMemory) {
  Restart("&behavior=WriteAround_EnableOverwrites");
  test::Countdown answered(1);
  pool_.Want(Key("row"), [&](const Result<NamedObject>& named) {
    EXPECT_OK(named);
    answered.CountDown();
  });
  const auto info = pool_.Publish(Key("row"), MakeObject("data"));
  ASSERT_OK(info);
  EXPECT_EQ(info->availability, Availability::kDisk);
  EXPECT_TRUE(answered.Wait()) << "who waits gets what passes by";
  EXPECT_EQ(Need(Key("row")), "data");
  EXPECT_EQ(Where(Key("row")), Availability::kDisk);
  EXPECT_EQ(pool_.Info(Key("row"))->version, info->version);
  ASSERT_OK(pool_.Publish(Key("row"), MakeObject("newer")));
  EXPECT_EQ(Need(Key("row")), "newer");
  EXPECT_EQ(InMemory(), 0U);
}

TEST_P(BackedPoolTest, AWantLooksIntoTheStoreBeforeItWaits) {
  ASSERT_OK(pool_.Publish(Key("row1", "column"), MakeObject("data")));
  Restart();
  for (const Pattern& pattern : {Pattern(Key("row1", "column")),
                                 Pattern::ColumnPrefix("row1", "col"), Pattern::RowPrefix("row")}) {
    Restart();
    test::Countdown answered(3);
    for (int i = 0; i < 3; ++i) {
      pool_.Want(pattern, [&](const Result<NamedObject>& named) {
        EXPECT_OK(named);
        if (named.ok()) {
          EXPECT_EQ(named->object.text(), "data");
        }
        answered.CountDown();
      });
    }
    EXPECT_TRUE(answered.Wait()) << pattern.ToString();
  }
  test::Countdown later(1);
  Operation given_up = pool_.Want(Key("row2"), [&](const Result<NamedObject>& named) {
    EXPECT_CODE(named, kCancelled);
    later.CountDown();
  });
  EXPECT_TRUE(given_up.Cancel());
  EXPECT_TRUE(later.Wait());
  EXPECT_CODE(pool_.Need(Key("row2"), {.deadline = 50ms}), kDeadlineExceeded);
}

TEST_P(BackedPoolTest, ADropTakesItFromTheStoreAsWell) {
  for (const char* row : {"a1", "a2", "b1"}) {
    ASSERT_OK(pool_.Publish(Key(row), MakeObject("x")));
    ASSERT_OK(pool_.Publish(Key(row, "column"), MakeObject("x")));
  }
  EXPECT_EQ(pool_.Drop(Key("a1")).value(), 1U);
  Restart();
  EXPECT_CODE(pool_.Info(Key("a1")), kNotFound);
  EXPECT_EQ(Need(Key("a2")), "x") << "one in memory now, others not";
  EXPECT_EQ(pool_.Drop(Pattern::RowPrefix("a")).value(), 3U);
  EXPECT_EQ(pool_.Drop(Pattern::Row("b1")).value(), 2U);
  EXPECT_EQ(pool_.Drop(Pattern::RowPrefix("")).value(), 0U);
  Restart();
  EXPECT_TRUE(ListAll(pool_, 10).empty());
}

TEST_P(BackedPoolTest, ListAndRowInfoAreOfMemoryAndStoreTogether) {
  Pool memory_alone = Open(Url("&behavior=WriteToLocal"));
  std::vector<Key> keys;
  for (int i = 0; i < 30; ++i) {
    keys.push_back(Key("row", std::to_string(i)));
    const Pool& pool = i % 3 == 0 ? memory_alone : pool_;
    ASSERT_OK(pool.Publish(keys.back(), MakeObject("x")));
  }
  for (const std::uint32_t page_size : {1U, 7U, 20U, 1000U}) {
    EXPECT_THAT(ListAll(pool_, page_size), testing::UnorderedElementsAreArray(keys)) << page_size;
  }
  EXPECT_EQ(pool_.RowInfo(Key("row"))->columns, 30U);
  EXPECT_EQ(pool_.RowInfo(Key("row"))->availability, Availability::kLocalMemory);
  for (const std::string cursor : {"x", "b:", "b:1:b:row", "m:nothing"}) {
    EXPECT_EQ(pool_.List(Pattern::RowPrefix(""), {.cursor = cursor}).ok(), cursor == "b:")
        << cursor;
  }
  memory_alone = Pool();
  Restart();
  EXPECT_EQ(pool_.RowInfo(Key("row"))->columns, 20U);
  EXPECT_EQ(pool_.RowInfo(Key("row"))->availability, Availability::kDisk);
  EXPECT_EQ(Need(keys[1]), "x");
  EXPECT_EQ(pool_.RowInfo(Key("row"))->availability, Availability::kMixed);
  EXPECT_CODE(pool_.RowInfo(Key("none")), kNotFound);
  EXPECT_EQ(pool_.Compute(Pattern::Row("row"), "count")->text(), "20");
}

TEST_P(BackedPoolTest, WhatHasExpiredIsGoneFromTheStoreToo) {
  PublishOptions options;
  options.ttl = 50ms;
  ASSERT_OK(pool_.Publish(Key("row"), MakeObject("x"), options));
  Restart();
  ASSERT_TRUE(test::Eventually([&] { return !pool_.Info(Key("row")).ok(); }));
  EXPECT_TRUE(ListAll(pool_, 10).empty());
  EXPECT_CODE(pool_.Need(Key("row"), {.deadline = 50ms}), kDeadlineExceeded);
  ASSERT_OK(pool_.Publish(Key("row"), MakeObject("y"))) << "write-once, and nothing there";
}

TEST_P(BackedPoolTest, OfManyPublishersOfOneKeyOneSucceeds) {
  constexpr int kThreads = 4;
  constexpr int kKeys = 20;
  std::atomic<int> published{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kKeys; ++i) {
        const auto info =
            pool_.Publish(Key("row" + std::to_string(i)), MakeObject(std::to_string(thread)));
        if (info.ok()) {
          ++published;
        } else {
          EXPECT_CODE(info, kAlreadyExists);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(published, kKeys);
  std::vector<std::string> before;
  for (int i = 0; i < kKeys; ++i) before.push_back(Need(Key("row" + std::to_string(i))));
  Restart();
  for (int i = 0; i < kKeys; ++i) {
    EXPECT_EQ(Need(Key("row" + std::to_string(i))), before[static_cast<std::size_t>(i)])
        << "memory and store agree on who was first";
  }
}

TEST_P(BackedPoolTest, GroupsAreWhollyThereOrRefused) {
  const auto infos =
      pool_.PublishGroup({{Key("row", "a"), MakeObject("1")}, {Key("row", "b"), MakeObject("2")}});
  if (GetParam() == "posix") {
    EXPECT_CODE(infos, kUnimplemented);
    EXPECT_CODE(pool_.RowInfo(Key("row")), kNotFound);
    return;
  }
  ASSERT_OK(infos);
  EXPECT_CODE(
      pool_.PublishGroup({{Key("row", "c"), MakeObject("3")}, {Key("row", "a"), MakeObject("2")}}),
      kAlreadyExists);
  Restart();
  EXPECT_EQ(pool_.RowInfo(Key("row"))->columns, 2U);
  EXPECT_EQ(pool_.Info(Key("row", "b"))->version, (*infos)[1].version);
}

/// While there is one, no file of this process grows beyond this.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, SIG_DFL);
  }

 private:
  rlimit before_{};
};

TEST_P(BackedPoolTest, AFullMediumIsToldAndLosesNothing) {
  PublishOptions overwrite;
  overwrite.overwrite = Overwrite::kYes;
  ASSERT_OK(pool_.Publish(Key("old"), MakeObject("old")));
  Status replaced;
  Status added;
  {
    const FileLimit limit(256 << 10);
    replaced = pool_.Publish(Key("old"), test::MakeObjectOf(1 << 20), overwrite).status();
    added = pool_.Publish(Key("new"), test::MakeObjectOf(1 << 20)).status();
  }
  EXPECT_CODE(replaced, kIoError);
  EXPECT_CODE(added, kIoError);
  EXPECT_EQ(Need(Key("old")), "old");
  EXPECT_CODE(pool_.Info(Key("new")), kNotFound) << "not half there";
  ASSERT_OK(pool_.Publish(Key("new"), MakeObject("room again")));
  Restart();
  EXPECT_EQ(Need(Key("old")), "old");
  EXPECT_EQ(Need(Key("new")), "room again");
  EXPECT_EQ(ListAll(pool_, 10).size(), 2U);
}

class SmallMemoryTest : public BackedPoolTest {
 protected:
  SmallMemoryTest() : BackedPoolTest({{"memory.limit", "1MiB"}}) {}
};
INSTANTIATE_TEST_SUITE_P(Stores, SmallMemoryTest, test::StoresToTest(), test::StoreToTestName);

TEST_P(SmallMemoryTest, WhatMemoryHasNoRoomForIsInTheStore) {
  for (int i = 0; i < 8; ++i) {
    ASSERT_OK(pool_.Publish(Key("row" + std::to_string(i)), test::MakeObjectOf(256 << 10)));
  }
  EXPECT_LT(InMemory(), 8U);
  EXPECT_EQ(Where(Key("row7")), Availability::kDisk);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(Need(Key("row" + std::to_string(i))).size(), 256U << 10);
}

struct WithDirectory {
  const TemporaryDirectory directory_ = TemporaryDirectory::Create().value();
};

// Of pools and URLs, whatever the store is.
class BackedUrlTest : public WithDirectory, public test::LibraryTest {
 protected:
  BackedUrlTest()
      : LibraryTest(
            {{"backing.stores", " disk=posix:" + directory_.path() + " ; bad=posix:/none"}}) {
    backing::RegisterBackingStores();
  }
  std::string path() const { return directory_.path(); }
  static Status Try(const std::string& url) { return Connect(url).status(); }
};

TEST_F(BackedUrlTest, NamesAStoreByItselfOrByItsNameOrAsKelpieDoes) {
  const Pool pool = Open("local:[a]/x&store=posix:" + path());
  ASSERT_OK(pool.Publish(Key("row"), MakeObject("data")));
  const std::string as_kelpie = "&iom=any&iom_type=PosixIndividualObjects&iom_path=" + path();
  for (const std::string& options :
       {std::string("&store=disk"), std::string("&iom=disk"), as_kelpie}) {
    EXPECT_OK(Try("local:[a]/x" + options)) << options;
  }
  EXPECT_CODE(Try("local:[a]/x&store=posix:" + path() + "/other"), kFailedPrecondition);
  EXPECT_CODE(Try("local:[b]/x&store=disc"), kNotFound);
  EXPECT_THAT(std::string(Try("local:[b]/x&store=disc").hint()), HasSubstr("disk"));
  EXPECT_CODE(Try("local:[b]/x&store=bad"), kNotFound);
  EXPECT_CODE(Try("local:[b]/x&store=disk&iom=disk"), kInvalidArgument);
  EXPECT_CODE(Try("local:[b]/x&iom_type=posix"), kInvalidArgument);
  EXPECT_CODE(Try("local:[b]/x&store=disk&keep=2"), kInvalidArgument);
  EXPECT_CODE(Try("local:[b]/x&behavior=WriteAround"), kInvalidArgument);
  EXPECT_CODE(Try("elastic:" + path() + "/pool&store=disk"), kInvalidArgument);
  EXPECT_CODE(Try("null:/x&store=disk"), kInvalidArgument);
}

TEST_F(BackedUrlTest, BucketsShareAStoreAndAreApart) {
  const Pool a = Open("local:[a]/x&store=disk");
  const Pool b = Open("local:[b]/x&store=disk");
  ASSERT_OK(a.Publish(Key("row"), MakeObject("a")));
  EXPECT_CODE(b.Info(Key("row")), kNotFound);
  EXPECT_EQ(b.Drop(Pattern::RowPrefix("")).value(), 0U);
  EXPECT_OK(a.Info(Key("row")));
}

TEST_F(BackedUrlTest, ADamagedFileIsToldToThoseWhoWaitAndCanBeDropped) {
  const std::string url = "local:[a]/x&store=disk&behavior=WriteAround";
  const Pool pool = Open(url);
  ASSERT_OK(pool.Publish(Key("row"), MakeObject("data")));
  // The one file in it, by its name.
  std::string file = path() + "/" + Bucket::FromLabel("a").ToString();
  for (int level = 0; level < 2; ++level) file += "/" + ListDirectory(file)->front().name;
  std::string bytes = ReadFile(file, 10'000).value();
  bytes.back() = 'X';
  ASSERT_OK(WriteFileAtomically(file, bytes));
  EXPECT_CODE(pool.Need(Key("row")), kDataLoss);
  bytes.resize(bytes.size() - 1);
  ASSERT_OK(WriteFileAtomically(file, bytes));
  EXPECT_CODE(pool.Need(Key("row")), kDataLoss);
  EXPECT_CODE(pool.Info(Key("row")), kDataLoss);
  EXPECT_CODE(pool.List(Pattern::RowPrefix("")), kDataLoss);
  EXPECT_EQ(pool.Drop(Key("row")).value(), 1U);
  EXPECT_OK(pool.Publish(Key("row"), MakeObject("anew")));
}

/// A user's store that fails, or throws, as its path says.
class FailingStore final : public BackingStore {
 public:
  explicit FailingStore(std::string how) : how_(std::move(how)) {}
  Status Write(std::span<const BackedItem>) override { return Fail(); }
  Result<BackedObject> Read(const Key&) override { return Fail(); }
  Result<BackedFacts> Look(const Key&) override { return NotFound("not here"); }
  Status Remove(const Key&) override { return Fail(); }
  Status List(const Pattern&, const std::optional<Key>&, const Visitor&) override { return Fail(); }

 private:
  Status Fail() const {
    if (how_ == "throw") throw std::runtime_error("thrown by the store");
    return IoError("failed by the store", "ask its maker");
  }
  const std::string how_;
};

TEST_F(BackedUrlTest, AnErrorOfAStoreReachesWhoAsked) {
  (void)RegisterBackingStoreType({"failing", "fails", {}, [](const BackingStoreContext& context) {
                                    return Result<std::shared_ptr<BackingStore>>(
                                        std::make_shared<FailingStore>(context.path));
                                  }});
  for (const std::string how : {"fail", "throw"}) {
    const StatusCode code = how == "fail" ? StatusCode::kIoError : StatusCode::kAborted;
    const Pool pool = Open("local:[" + how + "]/x&store=failing:" + how);
    const Status published = pool.Publish(Key("row"), MakeObject("x")).status();
    EXPECT_EQ(published.code(), code) << published.ToString();
    EXPECT_THAT(published.ToString(), HasSubstr("by the store"));
    EXPECT_EQ(pool.Need(Key("row")).code(), code);
    EXPECT_EQ(pool.Drop(Key("row")).code(), code);
    EXPECT_EQ(pool.Drop(Pattern::RowPrefix("")).code(), code);
    EXPECT_EQ(pool.List(Pattern::RowPrefix("")).code(), code);
    EXPECT_EQ(pool.RowInfo(Key("row")).code(), code);
    EXPECT_EQ(pool.Compute(Pattern::Row("row"), "count").code(), code);
    EXPECT_CODE(pool.Info(Key("row")), kNotFound);
  }
}

// Members in other processes: the store is where the key belongs.
class BackedMembersTest : public test::LibraryTest {
 protected:
  BackedMembersTest() { backing::RegisterBackingStores(); }
  /// As the URL of a pool that has joined.
  void Back(Process& member, const std::string& store) {
    ResourceUrl url = ResourceUrl::Parse("dht:/backed&store=" + store).value();
    url.set_bucket(Bucket::FromLabel("default"));
    ASSERT_OK(BackBucket(member, url, Behavior(Behavior::kDefaultRemoteIom)));
  }
  const TemporaryDirectory directory_ = TemporaryDirectory::Create().value();
};

TEST_F(BackedMembersTest, AMemberThatRestartsKeepsItsKeys) {
  const std::string store = "posix:" + directory_.path();
  const std::string listen = "127.0.0.1:" + std::to_string(test::FreePort());
  MemberProcesses members(1, {{"fabric.listen", listen}});
  Back(members.at(0), store);
  const std::string url = "dht:/backed&num=1&ag0=" + listen + "&store=" + store;
  const Pool pool = Open(url);
  for (int i = 0; i < 20; ++i) {
    ASSERT_OK(pool.Publish(Key("row" + std::to_string(i)), MakeObject("x")));
  }
  members.Stop(0);
  members.StartAgain(0);
  Status refused;
  ASSERT_TRUE(test::Eventually([&] {
    refused = pool.Publish(Key("new"), MakeObject("x")).status();
    return refused.code() != StatusCode::kUnavailable;  // Until it is found at its address again.
  }));
  EXPECT_CODE(refused, kFailedPrecondition) << "it has no store behind it yet";
  Back(members.at(0), store);
  EXPECT_EQ(members.ObjectsAt(0), 0U);
  EXPECT_EQ(pool.Info(Key("row3"))->availability, Availability::kDisk);
  EXPECT_EQ(pool.Need(Key("row3"))->text(), "x");
  EXPECT_EQ(pool.Info(Key("row3"))->availability, Availability::kRemoteMemory);
  EXPECT_EQ(ListAll(pool, 7).size(), 20U);
  EXPECT_EQ(pool.Drop(Pattern::RowPrefix("row")).value(), 20U);
}

TEST_F(BackedMembersTest, EachMemberHasAStoreOfItsOwn) {
  const auto store = [&](const std::string& name) {
    EXPECT_OK(MakeDirectories(directory_.File(name)));
    return "posix:" + directory_.File(name) + "?durability=process";
  };
  MemberProcesses members(2);
  for (std::size_t i = 0; i < members.size(); ++i) Back(members.at(i), store(std::to_string(i)));
  const std::string own = Process::Current()->network().value()->address();
  const Pool pool =
      Open("dht:/backed&behavior=WriteAround&store=" + store("own") + members.UrlOptions({own}));
  for (int i = 0; i < 50; ++i) {
    ASSERT_OK(pool.Publish(Key("row" + std::to_string(i)), MakeObject(std::to_string(i))));
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(pool.Need(Key("row" + std::to_string(i)))->text(), std::to_string(i));
  }
  EXPECT_EQ(ListAll(pool, 1000).size(), 50U);
  EXPECT_EQ(pool.Drop(Pattern::RowPrefix("row")).value(), 50U);
}

}  // namespace
}  // namespace cirein
