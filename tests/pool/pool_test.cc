// SPDX-License-Identifier: Apache-2.0
#include "cirein/pool.h"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "runtime/guarded.h"
#include "support/library_test.h"
#include "support/objects.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::MakeObject;

constexpr std::uint64_t kObjectLimit = 4096;

class PoolTest : public test::LibraryTest {
 protected:
  PoolTest() : LibraryTest({{"memory.object_limit", "4096"}, {"runtime.operations_max", "20"}}) {}
  void SetUp() override {
    LibraryTest::SetUp();
    pool_ = Open();
  }
  void TearDown() override {
    pool_ = Pool();
    LibraryTest::TearDown();
  }
  Pool pool_;
};

/// What a callback gets, for the thread that waits for it.
template <typename T>
class Got {
 public:
  std::function<void(Result<T>)> Callback() {
    return [this](Result<T> result) {
      result_ = std::move(result);
      done_.Notify();
    };
  }
  Result<T>& Wait() {
    EXPECT_TRUE(test::Await(done_));
    return result_;
  }

 private:
  Notification done_;
  Result<T> result_ = NotFound("not answered");
};

TEST_F(PoolTest, EachVerbBlocks) {
  const Result<ObjectInfo> published = pool_.Publish(Key("row", "a"), MakeObject("one", "m"));
  ASSERT_OK(published);
  EXPECT_EQ(published->data_bytes, 3U);
  EXPECT_EQ(published->meta_bytes, 1U);
  EXPECT_EQ(pool_.Need(Key("row", "a"))->text(), "one");
  EXPECT_EQ(pool_.Info(Key("row", "a"))->version, published->version);
  EXPECT_EQ(pool_.Info(Key("row", "a"))->availability, Availability::kLocalMemory);
  EXPECT_EQ(pool_.RowInfo(Key("row"))->columns, 1U);
  EXPECT_EQ(pool_.RowInfo(Key("row", "whatever"))->columns, 1U) << "the column is not looked at";
  EXPECT_EQ(pool_.List(Pattern::Row("row"))->objects.size(), 1U);
  EXPECT_EQ(pool_.Compute(Pattern::Row("row"), "count")->text(), "1");
  EXPECT_EQ(pool_.Drop(Pattern::Row("row")).value(), 1U);
  EXPECT_CODE(pool_.Info(Key("row", "a")), kNotFound);
  EXPECT_CODE(pool_.RowInfo(Key("row")), kNotFound);
  EXPECT_TRUE(pool_.List(Pattern::Row("row"))->objects.empty());
  EXPECT_EQ(pool_.Drop(Pattern::Row("row")).value(), 0U);
}

TEST_F(PoolTest, EachVerbCallsBack) {
  Got<NamedObject> wanted;
  Operation want = pool_.Want(Key("row"), wanted.Callback());
  EXPECT_FALSE(want.done());
  Got<ObjectInfo> published;
  pool_.Publish(Key("row"), MakeObject("one"), published.Callback());
  EXPECT_OK(published.Wait());
  EXPECT_EQ(wanted.Wait()->object.text(), "one");
  EXPECT_EQ(wanted.Wait()->info.version, published.Wait()->version);
  EXPECT_TRUE(want.done());
  Got<ObjectInfo> info;
  pool_.Info(Key("row"), info.Callback());
  EXPECT_EQ(info.Wait()->data_bytes, 3U);
  Got<DataObject> computed;
  pool_.Compute(Pattern::Row("row"), "size", "", computed.Callback());
  EXPECT_EQ(computed.Wait()->text(), "3");
  Got<std::uint64_t> dropped;
  pool_.Drop(Key("row"), dropped.Callback());
  EXPECT_EQ(dropped.Wait().value(), 1U);
}

TEST_F(PoolTest, EachVerbFillsACollector) {
  ResultCollector collector;
  pool_.Want(Pattern::RowPrefix("r"), collector);
  pool_.Publish(Key("row", "c"), MakeObject("one"), collector);
  pool_.Publish(Key("row", "c"), MakeObject("again"), collector);
  pool_.Compute(Pattern::Row("row"), "concat", "", collector);
  pool_.Drop(Pattern::Row("row"), collector);
  ASSERT_OK(collector.Wait());
  const auto results = collector.results();
  ASSERT_EQ(results.size(), 5U);
  using Kind = ResultCollector::Kind;
  EXPECT_EQ(results[0].kind, Kind::kWant);
  EXPECT_EQ(results[0].pattern, Pattern::RowPrefix("r"));
  EXPECT_EQ(results[0].key, Key("row", "c"));
  EXPECT_EQ(results[0].object.text(), "one");
  EXPECT_EQ(results[1].kind, Kind::kPublish);
  EXPECT_EQ(results[1].info.data_bytes, 3U);
  EXPECT_CODE(results[2].status, kAlreadyExists);
  EXPECT_EQ(results[3].kind, Kind::kCompute);
  EXPECT_EQ(results[3].object.text(), "one");
  EXPECT_EQ(results[4].kind, Kind::kDrop);
  EXPECT_EQ(results[4].dropped, 1U);
}

TEST_F(PoolTest, WithoutCallbackAWantOnlyFetchesAhead) {
  pool_.Want(Key("row"));
  ASSERT_OK(pool_.Publish(Key("row"), MakeObject("one")));
  pool_.Want(Key("row"));
  pool_.Drop(Key("row"), DropCallback());
  EXPECT_TRUE(test::Eventually([&] { return !pool_.Info(Key("row")).ok(); }));
}

TEST_F(PoolTest, AHandleWithoutPoolRefusesEverything) {
  Pool none;
  EXPECT_FALSE(none.valid());
  EXPECT_EQ(none.type(), "");
  EXPECT_EQ(none.bucket(), Bucket());
  EXPECT_CODE(none.Publish(Key("row"), MakeObject("")), kFailedPrecondition);
  EXPECT_CODE(none.Need(Key("row")), kFailedPrecondition);
  EXPECT_CODE(none.Drop(Key("row")), kFailedPrecondition);
  EXPECT_CODE(none.Info(Key("row")), kFailedPrecondition);
  EXPECT_CODE(none.RowInfo(Key("row")), kFailedPrecondition);
  EXPECT_CODE(none.List(Key("row")), kFailedPrecondition);
  EXPECT_CODE(none.Compute(Key("row"), "count"), kFailedPrecondition);
  Got<NamedObject> wanted;
  EXPECT_TRUE(none.Want(Key("row"), wanted.Callback()).done());
  EXPECT_CODE(wanted.Wait(), kFailedPrecondition);
  none.Want(Key("row"));
  ResultCollector collector;
  none.Publish(Key("row"), MakeObject(""), collector);
  none.Want(Key("row"), collector);
  none.Drop(Key("row"), collector);
  none.Compute(Key("row"), "count", "", collector);
  ASSERT_OK(collector.Wait());
  for (const auto& entry : collector.results()) EXPECT_CODE(entry.status, kFailedPrecondition);
  EXPECT_CODE(none.PublishGroup({{Key("row"), MakeObject("")}}), kFailedPrecondition);
  Got<std::vector<ObjectInfo>> grouped;
  EXPECT_TRUE(none.PublishGroup({{Key("row"), MakeObject("")}}, grouped.Callback()).done());
  EXPECT_CODE(grouped.Wait(), kFailedPrecondition);
  const std::vector<Key> keys = {Key("a"), Key("b")};
  ASSERT_EQ(none.NeedAll(keys).size(), 2U);
  EXPECT_CODE(none.InfoAll(keys)[1], kFailedPrecondition);
}

TEST_F(PoolTest, RefusesKeysThatCannotBe) {
  const std::vector<Key> bad = {Key(), Key("", "column"), Key(std::string(kMaxRowBytes + 1, 'r')),
                                Key("row", std::string(kMaxColumnBytes + 1, 'c')),
                                Key("row").set_bucket(Bucket(99))};
  for (const Key& key : bad) {
    EXPECT_CODE(pool_.Publish(key, MakeObject("")), kInvalidArgument) << key.ToString();
    EXPECT_CODE(pool_.Need(key, {.deadline = kNoDeadline}), kInvalidArgument);
    EXPECT_CODE(pool_.Info(key), kInvalidArgument);
    EXPECT_CODE(pool_.RowInfo(key), kInvalidArgument);
    EXPECT_CODE(pool_.Drop(key), kInvalidArgument);
    EXPECT_CODE(pool_.List(key), kInvalidArgument);
    EXPECT_CODE(pool_.Compute(key, "count"), kInvalidArgument);
    Got<NamedObject> wanted;
    EXPECT_TRUE(pool_.Want(key, wanted.Callback()).done());
    EXPECT_CODE(wanted.Wait(), kInvalidArgument);
    ResultCollector collector;
    pool_.Publish(key, MakeObject(""), collector);
    ASSERT_OK(collector.Wait());
    EXPECT_CODE(collector.results()[0].status, kInvalidArgument);
    EXPECT_CODE(pool_.NeedAll(std::vector{key})[0], kInvalidArgument);
  }
  EXPECT_OK(pool_.Publish(Key(std::string(kMaxRowBytes, 'r'), std::string(kMaxColumnBytes, 'c')),
                          MakeObject("longest")));
  EXPECT_OK(pool_.Need(Key(std::string(kMaxRowBytes, 'r'), std::string(kMaxColumnBytes, 'c'))));
}

TEST_F(PoolTest, RefusesObjectsThatCannotBe) {
  EXPECT_CODE(pool_.Publish(Key("row"), DataObject()), kInvalidArgument);
  const Status large = pool_.Publish(Key("row"), test::MakeObjectOf(kObjectLimit + 1)).status();
  EXPECT_CODE(large, kInvalidArgument);
  EXPECT_NE(large.hint().find("memory.object_limit"), std::string::npos) << large.ToString();
  EXPECT_OK(pool_.Publish(Key("row"), test::MakeObjectOf(kObjectLimit)));
}

TEST_F(PoolTest, RefusesOptionsThatCannotBe) {
  PublishOptions options;
  for (const auto ttl : {0ns, -1ns, std::chrono::nanoseconds::min()}) {
    options.ttl = ttl;
    EXPECT_CODE(pool_.Publish(Key("row"), MakeObject(""), options), kInvalidArgument);
  }
  options.ttl = std::chrono::nanoseconds::max();
  EXPECT_OK(pool_.Publish(Key("row"), MakeObject(""), options));
  for (const std::uint32_t page_size : {0U, ListOptions::kMaxPageSize + 1, UINT32_MAX}) {
    ListOptions list;
    list.page_size = page_size;
    EXPECT_CODE(pool_.List(Pattern::RowPrefix(""), list), kInvalidArgument);
  }
  ListOptions list;
  list.cursor = "not mine";
  EXPECT_CODE(pool_.List(Pattern::RowPrefix(""), list), kInvalidArgument);
  EXPECT_CODE(pool_.Compute(Pattern::RowPrefix("r"), "count"), kInvalidArgument);
  EXPECT_CODE(pool_.Drop(Pattern()), kInvalidArgument);
}

TEST_F(PoolTest, PublishesAGroupAsOne) {
  const auto infos = pool_.PublishGroup({{Key("row", "a"), MakeObject("one", "m")},
                                         {Key("row"), MakeObject("three")},
                                         {Key("row", ""), MakeObject("")}},
                                        {.ttl = 1h});
  ASSERT_OK(infos);
  ASSERT_EQ(infos->size(), 3U);
  EXPECT_EQ((*infos)[0].data_bytes, 3U);
  EXPECT_EQ((*infos)[0].meta_bytes, 1U);
  EXPECT_EQ((*infos)[1].data_bytes, 5U);
  EXPECT_GT((*infos)[2].version, (*infos)[1].version);
  EXPECT_TRUE((*infos)[2].ttl.has_value());
  EXPECT_EQ(pool_.Need(Key("row", "a"))->text(), "one");
  EXPECT_EQ(pool_.Info(Key("row"))->version, (*infos)[1].version);
  EXPECT_EQ(pool_.RowInfo(Key("row"))->columns, 2U);

  const std::vector<PublishItem> again = {{Key("row", "b"), MakeObject("1")},
                                          {Key("row", "a"), MakeObject("2")}};
  const Status refused = pool_.PublishGroup(again).status();
  EXPECT_CODE(refused, kAlreadyExists);
  EXPECT_NE(refused.message().find("row|a"), std::string::npos) << refused.ToString();
  EXPECT_CODE(pool_.Info(Key("row", "b")), kNotFound) << "none of them";
  Got<std::vector<ObjectInfo>> called_back;
  pool_.PublishGroup(again, called_back.Callback(), {.overwrite = Overwrite::kYes});
  ASSERT_OK(called_back.Wait());
  EXPECT_EQ(pool_.Need(Key("row", "a"))->text(), "2");
  EXPECT_EQ(pool_.Need(Key("row", "b"))->text(), "1");
}

TEST_F(PoolTest, ThePoolsOptionsCountForAGroup) {
  const Pool keeping = Open("local:/keeping&keep=2&max_age=1h");
  const auto infos = keeping.PublishGroup({{Key("row", "a"), MakeObject("1")},
                                           {Key("row", "b"), MakeObject("2")},
                                           {Key("row", "c"), MakeObject("3")},
                                           {Key("row"), MakeObject("4")}});
  ASSERT_OK(infos);
  EXPECT_EQ(keeping.RowInfo(Key("row"))->columns, 2U);
  EXPECT_CODE(keeping.Info(Key("row", "a")), kNotFound);
  for (const ObjectInfo& info : *infos) {
    ASSERT_TRUE(info.ttl.has_value());
    EXPECT_LE(*info.ttl, 1h);
  }
}

TEST_F(PoolTest, RefusesGroupsThatCannotBe) {
  const PublishItem good = {Key("row", "a"), MakeObject("x")};
  const auto refusal = [&](std::vector<PublishItem> items, const PublishOptions& options = {}) {
    Got<std::vector<ObjectInfo>> called_back;
    EXPECT_TRUE(pool_.PublishGroup(items, called_back.Callback(), options).done());
    EXPECT_CODE(called_back.Wait(), kInvalidArgument);
    const Status status = pool_.PublishGroup(std::move(items), options).status();
    EXPECT_CODE(status, kInvalidArgument);
    EXPECT_FALSE(status.hint().empty()) << status.ToString();
    return std::string(status.message());
  };
  using testing::HasSubstr;
  EXPECT_THAT(refusal({}), HasSubstr("0 objects"));
  EXPECT_THAT(refusal({good, {Key("other", "a"), MakeObject("x")}}), HasSubstr("two rows"));
  EXPECT_THAT(refusal({good, {Key("row"), MakeObject("y")}, {Key("row", "a"), MakeObject("z")}}),
              HasSubstr("\"row|a\" stands twice"));
  EXPECT_THAT(
      refusal({good, {Key("row", "a").set_bucket(pool_.bucket()), MakeObject("the same one")}}),
      HasSubstr("stands twice"));
  EXPECT_THAT(refusal({good, {Key("row", "b"), DataObject()}}), HasSubstr("is null"));
  EXPECT_THAT(refusal({good, {Key("row", "b"), test::MakeObjectOf(kObjectLimit + 1)}}),
              HasSubstr("bytes of data"));
  EXPECT_THAT(refusal({{Key(), MakeObject("x")}}), HasSubstr("row"));
  EXPECT_THAT(refusal({good, {Key("row", "b").set_bucket(Bucket(99)), MakeObject("x")}}),
              HasSubstr("bucket"));
  EXPECT_THAT(refusal({good}, {.ttl = 0ns}), HasSubstr("ttl"));
  EXPECT_THAT(refusal({good}, {.if_version = Version{}}), HasSubstr("if_version"));

  std::vector<PublishItem> many;
  for (std::size_t i = 0; i < kMaxGroupItems; ++i) {
    many.push_back({Key("many", std::to_string(i)), good.object});
  }
  many.push_back({Key("many"), good.object});
  EXPECT_THAT(refusal(many), HasSubstr("4097 objects"));
  EXPECT_TRUE(pool_.List(Pattern::RowPrefix(""))->objects.empty()) << "nothing of any of them";
  many.pop_back();
  EXPECT_OK(pool_.PublishGroup(std::move(many)));
  EXPECT_EQ(pool_.RowInfo(Key("many"))->columns, kMaxGroupItems);
  EXPECT_OK(pool_.PublishGroup({{Key("row"), good.object}, {Key("row", ""), good.object}}))
      << "no column and an empty one are two keys";
  EXPECT_OK(pool_.PublishGroup({good})) << "one alone is a group too";
}

TEST_F(PoolTest, AGroupIsRefusedWhenTheLibraryHasEnded) {
  FinishNow();
  EXPECT_CODE(pool_.PublishGroup({{Key("row"), MakeObject("x")}}), kUnavailable);
}

TEST_F(PoolTest, KeysMayNameThePoolsBucket) {
  Key key = Key("row", "c").set_bucket(pool_.bucket());
  ASSERT_OK(pool_.Publish(key, MakeObject("one")));
  EXPECT_EQ(pool_.Need(key)->text(), "one");
  EXPECT_EQ(pool_.Need(Key("row", "c"))->text(), "one");
  EXPECT_OK(pool_.Info(key));
  EXPECT_OK(pool_.RowInfo(key));
  const Result<ListPage> page = pool_.List(Pattern::RowPrefix("").set_bucket(pool_.bucket()));
  ASSERT_OK(page);
  EXPECT_EQ(page->objects.at(0).key, Key("row", "c")) << "keys in answers have no bucket";
  EXPECT_EQ(pool_.Drop(key).value(), 1U);
}

TEST_F(PoolTest, BucketsDoNotSeeEachOther) {
  Pool other = Open("local:[other]");
  EXPECT_NE(other.bucket(), pool_.bucket());
  ASSERT_OK(other.Publish(Key("row"), MakeObject("other")));
  EXPECT_CODE(pool_.Info(Key("row")), kNotFound);
  EXPECT_EQ(pool_.Drop(Pattern::RowPrefix("")).value(), 0U);
  Pool same = Open("local:/elsewhere&bucket=other");
  EXPECT_EQ(same.Need(Key("row"))->text(), "other") << "one store in a process";
}

TEST_F(PoolTest, HandlesShareTheirConnection) {
  Pool again = Open();
  EXPECT_TRUE(again == pool_);
  Pool copy = again;
  EXPECT_TRUE(copy == pool_);
  EXPECT_FALSE(Open("local:/other") == pool_);
  EXPECT_EQ(pool_.type(), "local");
  EXPECT_EQ(pool_.url().path(), "/test");
  EXPECT_TRUE(pool_.url().bucket().specified()) << "the bucket is filled in";
  EXPECT_TRUE(Connect(pool_.url()).value() == pool_);
}

TEST_F(PoolTest, LimitsOperationsUnderWay) {
  std::vector<Operation> wants;
  for (int i = 0; i < 20; ++i) wants.push_back(pool_.Want(Key("row")));
  Got<NamedObject> refused;
  EXPECT_TRUE(pool_.Want(Key("row"), refused.Callback()).done());
  EXPECT_CODE(refused.Wait(), kResourceExhausted);
  EXPECT_CODE(pool_.Need(Key("row"), {.deadline = 1ms}), kResourceExhausted);
  EXPECT_CODE(pool_.NeedAll(std::vector{Key("row")}, {.deadline = 1ms})[0], kResourceExhausted);
  EXPECT_TRUE(wants[0].Cancel());
  EXPECT_TRUE(test::Eventually([&] {
    return pool_.Need(Key("row"), {.deadline = 1ms}).code() == StatusCode::kDeadlineExceeded;
  }));
  for (Operation& want : wants) want.Cancel();
}

TEST_F(PoolTest, BatchesAnswerInOrder) {
  const std::vector<PublishItem> items = {{Key("a"), MakeObject("1")},
                                          {Key(""), MakeObject("2")},
                                          {Key("b"), MakeObject("3")},
                                          {Key("a"), MakeObject("4")},
                                          {Key("c"), DataObject()}};
  const auto published = pool_.PublishAll(items);
  ASSERT_EQ(published.size(), 5U);
  EXPECT_OK(published[0]);
  EXPECT_CODE(published[1], kInvalidArgument);
  EXPECT_OK(published[2]);
  EXPECT_CODE(published[3], kAlreadyExists);
  EXPECT_CODE(published[4], kInvalidArgument);

  const std::vector<Key> keys = {Key("b"), Key("none"), Key("a"), Key("a")};
  const auto needed = pool_.NeedAll(keys, {.deadline = 5ms});
  ASSERT_EQ(needed.size(), 4U);
  EXPECT_EQ(needed[0]->text(), "3");
  EXPECT_CODE(needed[1], kDeadlineExceeded);
  EXPECT_EQ(needed[2]->text(), "1");
  EXPECT_EQ(needed[3]->text(), "1");
  const auto info = pool_.InfoAll(keys);
  EXPECT_EQ(info[0]->data_bytes, 1U);
  EXPECT_CODE(info[1], kNotFound);
  EXPECT_TRUE(pool_.NeedAll({}).empty());
  EXPECT_TRUE(pool_.PublishAll({}).empty());
  EXPECT_TRUE(pool_.InfoAll({}).empty());
}

TEST_F(PoolTest, ABatchWaitsForWhatIsToCome) {
  const std::vector<Key> keys = {Key("a"), Key("b")};
  Got<ObjectInfo> published;
  Operation chain = pool_.Want(Key("go"), [&](const Result<NamedObject>&) {
    EXPECT_OK(pool_.Publish(Key("a"), MakeObject("1")));
    pool_.Publish(Key("b"), MakeObject("2"), published.Callback());
  });
  ASSERT_OK(pool_.Publish(Key("go"), MakeObject("")));
  const auto needed = pool_.NeedAll(keys);
  ASSERT_OK(needed[0]);
  ASSERT_OK(needed[1]);
  EXPECT_EQ(needed[1]->text(), "2");
  EXPECT_OK(published.Wait());
}

TEST_F(PoolTest, GivesTheVeryBodyThatWasPublished) {
  std::string bytes = "mine";
  int released = 0;
  DataObject object =
      DataObject::Wrap(std::as_writable_bytes(std::span(bytes)), [&] { ++released; }).value();
  ASSERT_OK(pool_.Publish(Key("row"), object));
  EXPECT_TRUE(*pool_.Need(Key("row")) == object) << "no byte is copied";
  ASSERT_OK(pool_.Drop(Key("row")));
  EXPECT_EQ(released, 0);
  object = DataObject();
  EXPECT_EQ(released, 1);
}

class FullPoolTest : public test::LibraryTest {
 protected:
  FullPoolTest() : LibraryTest({{"memory.limit", "8MiB"}}) {}
};

TEST_F(FullPoolTest, SaysWhenMemoryIsFullAndGoesOn) {
  Pool pool = Open();
  Result<ObjectInfo> last = ObjectInfo();
  int stored = 0;
  while (stored < 100) {
    last = pool.Publish(Key(std::to_string(stored)), test::MakeObjectOf(1 << 20));
    if (!last.ok()) break;
    ++stored;
  }
  EXPECT_CODE(last, kResourceExhausted);
  EXPECT_EQ(stored, 7);
  EXPECT_OK(pool.Need(Key("0"))) << "reads go on";
  EXPECT_OK(pool.Drop(Key("0")));
  EXPECT_OK(pool.Publish(Key("again"), test::MakeObjectOf(1 << 20)));
}

TEST_F(FullPoolTest, AGroupThatDoesNotFitLeavesNothing) {
  Pool pool = Open();
  std::vector<PublishItem> items;
  for (int i = 0; i < 9; ++i) {
    items.push_back({Key("row", std::to_string(i)), test::MakeObjectOf(1 << 20)});
  }
  EXPECT_CODE(pool.PublishGroup(items), kResourceExhausted);
  EXPECT_CODE(pool.RowInfo(Key("row")), kNotFound);
  items.resize(7);
  EXPECT_OK(pool.PublishGroup(items));
  EXPECT_EQ(pool.RowInfo(Key("row"))->columns, 7U);
}

TEST_F(PoolTest, OptionsMayStandInBraces) {
  const Pool pool = Open("local:/braces");  // A handle may be const, like a pointer.
  ASSERT_OK(pool.Publish(Key("row"), MakeObject("1"), {.ttl = std::chrono::hours(1)}));
  ASSERT_OK(pool.Publish(Key("row"), MakeObject("2"), {.overwrite = Overwrite::kYes}));
  EXPECT_OK(pool.Need(Key("row"), {.deadline = kNoDeadline}));
}

// A body that a publish refuses, or only shows to those who wait, is freed by the publisher; its
// release function is user code, and may call the pool.
TEST_F(PoolTest, AReleaseFunctionMayCallThePool) {
  const Pool pool = Open("local:/release");
  const Pool passing = Open("local:/release&behavior=ReadToLocal");
  ASSERT_OK(pool.Publish(Key("row"), MakeObject("first")));
  std::byte memory[8] = {};
  int released = 0;
  const auto wrapped = [&] {
    return DataObject::Wrap(memory,
                            [&] {
                              ++released;
                              EXPECT_OK(pool.Info(Key("row")));
                            })
        .value();
  };
  EXPECT_CODE(pool.Publish(Key("row"), wrapped()), kAlreadyExists);
  EXPECT_EQ(released, 1);
  EXPECT_CODE(pool.Publish(Key("row"), wrapped(), {.if_version = Version{7, 7}}),
              kFailedPrecondition);
  EXPECT_EQ(released, 2);
  EXPECT_OK(passing.Publish(Key("other"), wrapped()));
  EXPECT_EQ(released, 3);
  released = 0;
  EXPECT_CODE(pool.PublishGroup({{Key("row", "a"), wrapped()}, {Key("row"), wrapped()}}),
              kAlreadyExists);
  EXPECT_EQ(released, 2);
  EXPECT_OK(passing.PublishGroup({{Key("row", "a"), wrapped()}, {Key("row", "b"), wrapped()}}));
  EXPECT_EQ(released, 4);
  released = 3;
  EXPECT_OK(pool.Publish(Key("again"), wrapped()));
  EXPECT_OK(pool.Publish(Key("again"), wrapped(), {.overwrite = Overwrite::kYes}));
  EXPECT_EQ(released, 4);
  EXPECT_OK(pool.Drop(Key("again")));
  EXPECT_EQ(released, 5);
}

TEST_F(PoolTest, ATtlThatIsOverAtOnceIsNotNegative) {
  const Pool pool = Open("local:/ttl");
  const auto info = pool.Publish(Key("row"), MakeObject("1"), {.ttl = std::chrono::nanoseconds(1)});
  ASSERT_OK(info);
  EXPECT_GE(info->ttl->count(), 0);
}

TEST_F(PoolTest, ABatchHasOneDeadline) {
  const Pool pool = Open("local:/batch");
  const std::vector<Key> keys(15, Key("missing"));
  for (const auto& result : pool.NeedAll(keys, {.deadline = std::chrono::milliseconds(1)})) {
    EXPECT_CODE(result, kDeadlineExceeded);
  }
}

TEST_F(PoolTest, AnExceptionOfACallbackInPlaceStaysInside) {
  const std::uint64_t before = CaughtExceptionCount();
  const Pool none;
  EXPECT_NO_THROW(none.Want(Key("row"), [](const Result<NamedObject>& /*found*/) { throw 7; }));
  const Pool pool = Open("local:/throws");
  EXPECT_NO_THROW(pool.Want(Key(""), [](const Result<NamedObject>& /*found*/) { throw 7; }));
  EXPECT_EQ(CaughtExceptionCount(), before + 2);
}

}  // namespace
}  // namespace cirein
