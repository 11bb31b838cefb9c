// SPDX-License-Identifier: Apache-2.0
#include "object/striped_store.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cirein/compute.h"

#include "base/random.h"
#include "object/striped_store_fixture.h"
#include "runtime/thread_group.h"
#include "runtime/virtual_environment.h"
#include "support/objects.h"
#include "support/pool_model.h"
#include "support/random_group.h"
#include "support/random_names.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::Answers;
using test::InBucket;
using test::kBucket;
using test::MakeObject;
using test::StripedStoreTest;

TEST_F(StripedStoreTest, AnswersAtOnceOrWhenItIsPublished) {
  std::vector<std::string> answers;
  const auto note = [&](const Result<NamedObject>& found) {
    answers.push_back(found.ok() ? found->key.ToString() + "=" + std::string(found->object.text())
                                 : found.status().ToString());
    EXPECT_FALSE(found.ok() && found->key.bucket().specified()) << "keys in answers have no bucket";
  };
  Operation parked = store_->Want(InBucket(Key("row", "c")), kEndOfTime, note);
  EXPECT_FALSE(parked.done());
  EXPECT_TRUE(answers.empty());
  ASSERT_OK(Publish(Key("row", "c"), "data"));
  EXPECT_EQ(answers, (std::vector<std::string>{"row|c=data"}));
  EXPECT_TRUE(parked.done());
  EXPECT_FALSE(parked.Cancel());
  EXPECT_TRUE(store_->Want(InBucket(Pattern::Row("row")), kEndOfTime, note).done());
  EXPECT_TRUE(store_->Want(InBucket(Pattern::RowPrefix("r")), kEndOfTime, note).done());
  EXPECT_EQ(answers.size(), 3U);
}

TEST_F(StripedStoreTest, ACancelledWantIsForgotten) {
  for (const Pattern& pattern :
       {Pattern(Key("row")), Pattern::Row("row"), Pattern::RowPrefix("r")}) {
    Answers answers;
    Operation want = store_->Want(InBucket(pattern), kEndOfTime, answers.Callback());
    EXPECT_TRUE(want.Cancel());
    EXPECT_FALSE(want.Cancel());
    EXPECT_EQ(answers.count, 1);
    EXPECT_EQ(answers.code, StatusCode::kCancelled);
    EXPECT_EQ(store_->GetStats().waiting, 0U);
  }
  ASSERT_OK(Publish(Key("row"), "data"));
}

TEST_F(StripedStoreTest, LetsGoOfTheCallbackOfAnAnsweredWant) {
  for (const Pattern& pattern : {Pattern(Key("row")), Pattern::RowPrefix("r")}) {
    auto token = std::make_shared<int>();
    Operation want = store_->Want(InBucket(pattern), kEndOfTime,
                                  [token](const Result<NamedObject>& /*found*/) {});
    ASSERT_OK(Publish(Key("row"), "data"));
    EXPECT_EQ(token.use_count(), 1) << pattern.ToString();
    ASSERT_OK(store_->Drop(InBucket(Key("row")), kEndOfTime));
  }
}

TEST_F(StripedStoreTest, AWaiterMayUseTheStore) {
  int answers = 0;
  Operation want =
      store_->Want(InBucket(Key("a")), kEndOfTime, [&](const Result<NamedObject>& /*found*/) {
        ++answers;
        EXPECT_OK(Publish(Key("b"), "from a callback"));
        EXPECT_EQ(Get(Key("a")), "data");
        EXPECT_OK(store_->Drop(InBucket(Key("a")), kEndOfTime));
      });
  ASSERT_OK(Publish(Key("a"), "data"));
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(Get(Key("b")), "from a callback");
  EXPECT_EQ(Get(Key("a")), "none");
}

TEST_F(StripedStoreTest, AReleaseFunctionMayUseTheStore) {
  std::string bytes = "mine";
  int released = 0;
  PutRequest request;
  request.object = DataObject::Wrap(std::as_writable_bytes(std::span(bytes)), [&] {
                     ++released;
                     EXPECT_EQ(Get(Key("row")), released == 1 ? "new" : "none");
                   }).value();
  ASSERT_OK(store_->Publish(KeyView(kBucket, "row"), std::move(request)));
  PutRequest overwrite;
  overwrite.mode = PutMode::kOverwrite;
  ASSERT_OK(Publish(Key("row"), "new", overwrite));
  EXPECT_EQ(released, 1) << "freed outside of the lock, or this test hangs";
}

TEST_F(StripedStoreTest, TheNextLifeOfAMemoryHasHigherVersionsHoweverShortTheLastOneWas) {
  Version last;
  for (int life = 0; life < 3; ++life) {
    Make({.stripes = 1, .memory_limit_bytes = 0});
    for (int i = 0; i < 3; ++i) {
      PutRequest request;
      request.mode = PutMode::kOverwrite;
      const auto info = Publish(Key("row"), "x", std::move(request));
      ASSERT_OK(info);
      EXPECT_GT(info->version, last);
      last = info->version;
    }
    store_->Close();
    world_.RunFor(1us);
  }
  Make({.stripes = 1, .memory_limit_bytes = 0});
}

TEST_F(StripedStoreTest, SaysFullAndIsFreedBySweeping) {
  Make({.stripes = 4, .memory_limit_bytes = 1'000'000});
  const std::string data(10'000, 'x');
  Result<ObjectInfo> last = ObjectInfo();
  int stored = 0;
  for (; stored < 200; ++stored) {
    last = PublishFor(Key(std::to_string(stored)), data, 10s);
    if (!last.ok()) break;
  }
  EXPECT_CODE(last, kResourceExhausted);
  EXPECT_GT(stored, 90);
  EXPECT_LT(stored, 100);
  EXPECT_LE(store_->GetStats().engine.used_bytes, 1'000'000U);
  world_.RunFor(9s);
  EXPECT_EQ(store_->GetStats().engine.objects, static_cast<std::uint64_t>(stored));
  world_.RunFor(3s);
  EXPECT_EQ(store_->GetStats().engine.objects, 0U) << "the sweep frees what expired";
  EXPECT_EQ(store_->GetStats().engine.used_bytes, 0U);
  EXPECT_OK(Publish(Key("after"), std::string(900'000, 'x')));
}

TEST_F(StripedStoreTest, SweepsOnlyWhileSomethingWillExpire) {
  EXPECT_EQ(world_.timers().NextTimer(), kEndOfTime);
  ASSERT_OK(Publish(Key("stays"), "data"));
  EXPECT_EQ(world_.timers().NextTimer(), kEndOfTime);
  for (int round = 0; round < 3; ++round) {
    ASSERT_OK(PublishFor(Key("row"), "data", 5s));
    EXPECT_NE(world_.timers().NextTimer(), kEndOfTime);
    world_.RunFor(10s);
    EXPECT_EQ(store_->GetStats().engine.objects, 1U);
    EXPECT_EQ(world_.timers().NextTimer(), kEndOfTime) << "an idle store sets no timers";
  }
}

TEST_F(StripedStoreTest, CloseAnswersEveryone) {
  std::vector<std::unique_ptr<Answers>> all;
  std::vector<Operation> wants;
  for (int i = 0; i < 100; ++i) {
    for (const Pattern& pattern : {Pattern(Key(std::to_string(i))), Pattern::Row(std::to_string(i)),
                                   Pattern::RowPrefix(std::to_string(i))}) {
      all.push_back(std::make_unique<Answers>());
      wants.push_back(store_->Want(InBucket(pattern), kEndOfTime, all.back()->Callback()));
    }
  }
  EXPECT_EQ(store_->GetStats().waiting, 100U * (1 + 1 + 8));
  store_->Close();
  for (const auto& answers : all) {
    EXPECT_EQ(answers->count, 1);
    EXPECT_EQ(answers->code, StatusCode::kUnavailable);
  }
  for (Operation& want : wants) EXPECT_FALSE(want.Cancel());
  Answers late;
  store_->Want(InBucket(Key("row")), kEndOfTime, late.Callback());
  EXPECT_EQ(late.code, StatusCode::kUnavailable);
  Answers late_prefix;
  store_->Want(InBucket(Pattern::RowPrefix("")), kEndOfTime, late_prefix.Callback());
  EXPECT_EQ(late_prefix.code, StatusCode::kUnavailable);
  EXPECT_EQ(late_prefix.count, 1);
  EXPECT_CODE(Publish(Key("row"), "data"), kUnavailable);
  EXPECT_CODE(store_->List(InBucket(Pattern::RowPrefix("")), {}), kUnavailable);
  EXPECT_CODE(store_->Drop(InBucket(Pattern::RowPrefix("")), kEndOfTime), kUnavailable);
  EXPECT_CODE(store_->Info(KeyView(kBucket, "row")), kUnavailable);
  store_->Close();
}

TEST_F(StripedStoreTest, AnOperationMayOutliveTheStore) {
  Answers answers;
  Operation want = store_->Want(InBucket(Pattern::RowPrefix("r")), kEndOfTime, answers.Callback());
  store_.reset();
  EXPECT_EQ(answers.count, 1);
  EXPECT_EQ(answers.code, StatusCode::kUnavailable);
  EXPECT_FALSE(want.Cancel());
  Make({.stripes = 1, .memory_limit_bytes = 0});
}

TEST_F(StripedStoreTest, DropOfAPrefixStopsAtItsEnd) {
  for (int i = 0; i < 100; ++i) ASSERT_OK(Publish(Key("row" + std::to_string(i)), ""));
  ASSERT_OK(Publish(Key("other"), ""));
  const Status late =
      store_->Drop(InBucket(Pattern::RowPrefix("row")), world_.clock().Now()).status();
  EXPECT_CODE(late, kDeadlineExceeded);
  const std::uint64_t left = store_->GetStats().engine.objects - 1;
  EXPECT_LT(left, 100U);
  EXPECT_EQ(store_->Drop(InBucket(Pattern::RowPrefix("row")), kEndOfTime).value(), left);
  EXPECT_EQ(Get(Key("other")), "");
}

TEST_F(StripedStoreTest, ListsRowsWithSortedColumns) {
  ASSERT_OK(Publish(Key("row"), "12"));
  for (const char* column : {"b", "", "a"}) ASSERT_OK(Publish(Key("row", column), "1"));
  const std::vector<ListedObject> all = ListAll(Pattern::RowPrefix(""), 100);
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[0].key, Key("row"));
  EXPECT_EQ(all[0].data_bytes, 2U);
  EXPECT_GT(all[0].version, Version{});
  EXPECT_EQ(all[1].key, Key("row", ""));
  EXPECT_EQ(all[2].key, Key("row", "a"));
  EXPECT_EQ(all[3].key, Key("row", "b"));
}

TEST_F(StripedStoreTest, APageThatIsJustFullIsTheLast) {
  for (int i = 0; i < 10; ++i) ASSERT_OK(Publish(Key("row", std::to_string(i)), ""));
  ListOptions options;
  options.page_size = 10;
  for (const Pattern& pattern : {Pattern::Row("row"), Pattern::RowPrefix("")}) {
    const Result<ListPage> page = store_->List(InBucket(pattern), options);
    ASSERT_OK(page);
    EXPECT_EQ(page->objects.size(), 10U);
    EXPECT_EQ(page->next, "");
  }
}

TEST_F(StripedStoreTest, RefusesCursorsItDidNotMake) {
  ListOptions options;
  options.cursor = "nonsense";
  EXPECT_CODE(store_->List(InBucket(Pattern::RowPrefix("")), options), kInvalidArgument);
  options.cursor = "1:o:other";
  EXPECT_CODE(store_->List(InBucket(Pattern::Row("row")), options), kInvalidArgument);
}

TEST_F(StripedStoreTest, PagesWithTheLongestNamesStayBounded) {
  const std::string longest(kMaxRowBytes - 8, 'r');
  for (int i = 0; i < 200; ++i) ASSERT_OK(Publish(Key(longest + std::to_string(i)), ""));
  ListOptions options;
  options.page_size = ListOptions::kMaxPageSize;
  const Result<ListPage> page = store_->List(InBucket(Pattern::RowPrefix("r")), options);
  ASSERT_OK(page);
  EXPECT_LT(page->objects.size(), 100U);
  EXPECT_NE(page->next, "");
  EXPECT_EQ(ListAll(Pattern::RowPrefix("r"), options.page_size).size(), 200U);
}

// A listing looks at a bounded number of rows a call, and most here are another bucket's.
TEST_F(StripedStoreTest, ListsARareBucketAmongManyRows) {
  Make({.stripes = 1, .memory_limit_bytes = 0});
  const DataObject object = MakeObject("");
  std::set<std::string> mine;
  for (int i = 0; i < 450'000; ++i) {
    const std::string row = std::to_string(i);
    const bool is_mine = i % 1000 == 0;
    if (is_mine) mine.insert(row);
    PutRequest request;
    request.object = object;
    ASSERT_OK(store_->Publish(KeyView(is_mine ? kBucket : Bucket(8), row), std::move(request)));
  }
  std::set<std::string> listed;
  ListOptions options;
  int pages = 0;
  do {
    ASSERT_LT(++pages, 100) << "the listing does not end";
    const Result<ListPage> page = store_->List(InBucket(Pattern::RowPrefix("")), options);
    ASSERT_OK(page);
    for (const ListedObject& object_listed : page->objects) {
      ASSERT_TRUE(listed.insert(object_listed.key.row()).second) << "listed twice";
    }
    options.cursor = page->next;
  } while (!options.cursor.empty());
  EXPECT_EQ(listed, mine);
  EXPECT_GT(pages, 1);
}

// Whatever comes and goes between the pages, what stays is listed exactly once.
TEST_F(StripedStoreTest, ListsWhatStaysExactlyOnce) {
  Random random(test::Seed());
  for (int round = 0; round < 30; ++round) {
    Make({.stripes = 1U << random.Below(5), .memory_limit_bytes = 0});
    std::set<Key> stays;
    const auto some_key = [&](const char* kind) {
      const std::string row = kind + std::to_string(random.Below(40));
      return random.OneIn(4) ? Key(row) : Key(row, std::to_string(random.Below(20)));
    };
    for (int i = 0; i < 300; ++i) {
      const Key key = some_key(random.OneIn(2) ? "both" : "stay");
      if (Publish(key, "s").ok()) stays.insert(key);
    }
    const auto churn = [&] {
      for (int i = 0; i < 20; ++i) {
        const Key key = some_key(random.OneIn(2) ? "both" : "go");
        if (stays.contains(key)) continue;
        if (random.OneIn(2)) {
          (void)Publish(key, "g");
        } else {
          EXPECT_OK(store_->Drop(InBucket(key), kEndOfTime));
        }
      }
    };
    std::set<Key> listed;
    ListOptions options;
    options.page_size = 1 + static_cast<std::uint32_t>(random.Below(30));
    do {
      churn();
      const Result<ListPage> page = store_->List(InBucket(Pattern::RowPrefix("")), options);
      ASSERT_OK(page);
      for (const ListedObject& object : page->objects) {
        ASSERT_TRUE(!stays.contains(object.key) || listed.insert(object.key).second);
      }
      options.cursor = page->next;
    } while (!options.cursor.empty());
    ASSERT_EQ(listed, stays);
  }
}

TEST_F(StripedStoreTest, ComputesOnComputeThreads) {
  for (const char* column : {"b", "a"}) ASSERT_OK(Publish(Key("row", column), column));
  ASSERT_OK(Publish(Key("row"), "-"));
  std::vector<std::string> results;
  const auto note = [&](const Result<DataObject>& result) {
    results.push_back(result.ok() ? std::string(result->text())
                                  : std::string(StatusCodeName(result.code())));
  };
  store_->Compute(InBucket(Pattern::Row("row")), "concat", "", note);
  EXPECT_TRUE(results.empty()) << "not on the caller's thread";
  EXPECT_EQ(world_.compute().RunAll(), 1U);
  EXPECT_EQ(results, (std::vector<std::string>{"-ab"}));
  store_->Compute(InBucket(Pattern::ColumnPrefix("row", "")), "concat", "+", note);
  world_.compute().RunAll();
  EXPECT_EQ(results.back(), "a+b");
  store_->Compute(InBucket(Pattern::Row("none")), "count", "", note);
  EXPECT_EQ(results.back(), "NOT_FOUND");
  store_->Compute(InBucket(Pattern::Row("row")), "no_such_function", "", note);
  EXPECT_EQ(results.back(), "NOT_FOUND");
  world_.compute().Close();
  store_->Compute(InBucket(Pattern::Row("row")), "count", "", note);
  EXPECT_EQ(results.back(), "UNAVAILABLE");
  EXPECT_EQ(results.size(), 5U);
}

TEST_F(StripedStoreTest, AGroupAnswersThoseWhoWaitForAnyOfIt) {
  std::map<std::string, std::string> answers;
  const auto note = [&](const std::string& who) {
    return [&answers, who](const Result<NamedObject>& found) {
      ASSERT_OK(found);
      EXPECT_EQ(found->info.data_bytes, 1U);
      answers[who] += found->key.ToString() + "=" + std::string(found->object.text());
    };
  };
  store_->Want(InBucket(Key("row", "b")), kEndOfTime, note("key"));
  store_->Want(InBucket(Key("row")), kEndOfTime, note("plain"));
  store_->Want(InBucket(Pattern::ColumnPrefix("row", "c")), kEndOfTime, note("columns"));
  store_->Want(InBucket(Pattern::RowPrefix("r")), kEndOfTime, note("rows"));
  Answers other;
  Operation parked = store_->Want(InBucket(Key("row", "z")), kEndOfTime, other.Callback());
  const auto infos = PublishGroup(
      {{Key("row", "a"), "1"}, {Key("row", "b"), "2"}, {Key("row", "c"), "3"}, {Key("row"), "4"}});
  ASSERT_OK(infos);
  ASSERT_EQ(infos->size(), 4U);
  for (std::size_t i = 0; i < infos->size(); ++i) {
    EXPECT_EQ((*infos)[i].data_bytes, 1U);
    EXPECT_EQ((*infos)[i].version.counter, (*infos)[0].version.counter + i);
  }
  EXPECT_EQ(store_->Info(KeyView(kBucket, Key("row", "b")))->version, (*infos)[1].version);
  EXPECT_EQ(answers.size(), 4U);
  EXPECT_EQ(answers["key"], "row|b=2");
  EXPECT_EQ(answers["plain"], "row=4");
  EXPECT_EQ(answers["columns"], "row|c=3");
  EXPECT_EQ(answers["rows"], "row|a=1") << "the first that matches, and once";
  EXPECT_EQ(store_->GetStats().waiting, 1U);
  EXPECT_EQ(store_->GetStats().publishes, 4U);
  EXPECT_EQ(other.count, 0);
  EXPECT_TRUE(parked.Cancel());
}

TEST_F(StripedStoreTest, ARefusedGroupAnswersNobody) {
  ASSERT_OK(Publish(Key("row", "b"), "old"));
  Answers answers;
  Operation want = store_->Want(InBucket(Key("row", "a")), kEndOfTime, answers.Callback());
  const auto refused = PublishGroup({{Key("row", "a"), "1"}, {Key("row", "b"), "2"}});
  EXPECT_CODE(refused, kAlreadyExists);
  EXPECT_NE(refused.status().message().find("row|b"), std::string::npos)
      << "it says which: " << refused.status().ToString();
  EXPECT_EQ(answers.count, 0);
  EXPECT_EQ(Get(Key("row", "a")), "none");
  EXPECT_EQ(store_->GetStats().refused, 1U);
  EXPECT_TRUE(want.Cancel());
  store_->Close();
  EXPECT_CODE(PublishGroup({{Key("row", "c"), ""}}), kUnavailable);
}

TEST_F(StripedStoreTest, AGroupExpiresAndIsSweptAsOne) {
  PutRequest brief;
  brief.expires = world_.clock().Now() + 10s;
  ASSERT_OK(PublishGroup({{Key("row", "a"), "1"}, {Key("row", "b"), "2"}}, brief));
  EXPECT_EQ(store_->Info(KeyView(kBucket, Key("row", "a")))->ttl, 10s);
  world_.RunFor(10s - 1ns);
  EXPECT_EQ(ListAll(Pattern::Row("row"), 10).size(), 2U);
  world_.RunFor(1ns);
  EXPECT_EQ(ListAll(Pattern::Row("row"), 10).size(), 0U);
  world_.RunFor(5s);
  EXPECT_EQ(store_->GetStats().engine.objects, 0U) << "nobody looked, and they are freed";
}

// A row is listed, counted and walked as it was before a group or after it, never in between.
TEST_F(StripedStoreTest, NobodySeesAPartOfAGroup) {
  constexpr std::size_t kColumns = 8;
  constexpr int kRounds = 3000;
  const auto group = [](int round) {
    Objects objects;
    for (std::size_t i = 0; i < kColumns; ++i) {
      objects.emplace_back(Key("row", std::to_string(i)), std::to_string(round));
    }
    return objects;
  };
  PutRequest overwriting;
  overwriting.mode = PutMode::kOverwrite;
  ASSERT_OK(PublishGroup(group(0), overwriting));
  const auto look = [&]() -> Status {
    CIREIN_ASSIGN_OR_RETURN(const ListPage page, store_->List(InBucket(Pattern::Row("row")), {}));
    if (page.objects.size() != kColumns) return Internal("a part of a row");
    for (std::size_t i = 0; i < kColumns; ++i) {
      if (page.objects[i].version.counter != page.objects[0].version.counter + i) {
        return Internal("a part of a group");
      }
    }
    return OkStatus();
  };
  std::atomic<bool> ended{false};
  std::atomic<int> looked{0};
  ASSERT_OK(RunThreads(3, "group", [&](std::size_t index) -> Status {
    Status status;
    if (index == 0) {
      for (int round = 1; status.ok() && !ended && (round < kRounds || looked < 100); ++round) {
        status = PublishGroup(group(round), overwriting).status();
      }
    } else {
      for (; status.ok() && !ended; ++looked) status = look();
    }
    ended = true;
    return status;
  }));
}

// Prefix wants are parked stripe by stripe while others publish into all of them.
TEST_F(StripedStoreTest, PrefixWantsRacingPublishesAreAnsweredOnce) {
  constexpr int kRounds = 300;
  const std::uint64_t seed = test::Seed();
  for (int round = 0; round < kRounds; ++round) {
    Make({.stripes = 16, .memory_limit_bytes = 0});
    std::vector<Answers> answers(8);
    ASSERT_OK(RunThreads(4, "race", [&](std::size_t index) {
      Random random(seed + static_cast<std::uint64_t>(round) * 4 + index);
      if (index < 2) {
        for (std::size_t i = 0; i < 4; ++i) {
          store_->Want(InBucket(Pattern::RowPrefix("r")), kEndOfTime,
                       answers[index * 4 + i].Callback());
        }
      } else {
        for (int i = 0; i < 4; ++i) (void)Publish(Key("r" + std::to_string(random.Below(20))), "");
      }
      return OkStatus();
    }));
    for (const Answers& each : answers) {
      ASSERT_EQ(each.count, 1);
      ASSERT_EQ(each.code, StatusCode::kOk);
    }
    ASSERT_EQ(store_->GetStats().waiting, 0U) << "a seat was left behind";
  }
}

TEST_F(StripedStoreTest, CancelsRacingPublishesAndCloseAreAnsweredOnce) {
  constexpr int kRounds = 300;
  const std::uint64_t seed = test::Seed();
  for (int round = 0; round < kRounds; ++round) {
    Make({.stripes = 4, .memory_limit_bytes = 0});
    constexpr std::size_t kWants = 12;
    std::vector<Answers> answers(kWants);
    std::vector<Operation> wants;
    for (std::size_t i = 0; i < kWants; ++i) {
      const Pattern pattern = i % 3 == 0   ? Pattern::RowPrefix("r")
                              : i % 3 == 1 ? Pattern::Row("row")
                                           : Pattern(Key("row"));
      wants.push_back(store_->Want(InBucket(pattern), kEndOfTime, answers[i].Callback()));
    }
    std::atomic<int> cancelled{0};
    ASSERT_OK(RunThreads(3, "race", [&](std::size_t index) {
      Random random(seed + static_cast<std::uint64_t>(round) * 3 + index);
      if (index == 0) {
        (void)Publish(Key("row"), "");
      } else if (index == 1) {
        for (Operation& want : wants) cancelled += want.Cancel() ? 1 : 0;
      } else if (random.OneIn(2)) {
        store_->Close();
      }
      return OkStatus();
    }));
    store_->Close();
    int saw_cancelled = 0;
    for (const Answers& each : answers) {
      ASSERT_EQ(each.count, 1);
      saw_cancelled += each.code == StatusCode::kCancelled ? 1 : 0;
    }
    ASSERT_EQ(saw_cancelled, cancelled);
  }
}

TEST_F(StripedStoreTest, ManyWantsOnOneKeyAndOnManyKeys) {
  constexpr int kWants = 100'000;
  std::vector<std::uint8_t> answered(2 * kWants);
  const auto want = [&](std::size_t i, const Key& key) {
    store_->Want(InBucket(key), kEndOfTime, [&answered, i](const Result<NamedObject>& found) {
      answered[i] = static_cast<std::uint8_t>(answered[i] + (found.ok() ? 1 : 100));
    });
  };
  for (std::size_t i = 0; i < kWants; ++i) want(i, Key("one"));
  for (std::size_t i = kWants; i < 2 * kWants; ++i) want(i, Key(std::to_string(i)));
  EXPECT_EQ(store_->GetStats().waiting, 2U * kWants);
  ASSERT_OK(Publish(Key("one"), "data"));
  EXPECT_EQ(std::count(answered.begin(), answered.end(), 1), kWants);
  for (std::size_t i = kWants; i < 2 * kWants; ++i) ASSERT_OK(Publish(Key(std::to_string(i)), ""));
  EXPECT_EQ(std::count(answered.begin(), answered.end(), 1), 2 * kWants);
  EXPECT_EQ(store_->GetStats().waiting, 0U);
}

// Random steps over the whole store against the model, time and waiters included.
TEST_F(StripedStoreTest, AgreesWithTheModel) {
  Random random(test::Seed());
  test::PoolModel model;
  model.set_now(world_.clock().Now());
  struct Want {
    Operation operation;
    std::shared_ptr<Answers> answers;
    std::shared_ptr<Key> key;
  };
  std::map<test::PoolModel::WaiterId, Want> wants;
  for (int step = 0; step < 20'000; ++step) {
    const Key key = test::RandomKey(random);
    const Pattern pattern = test::RandomPattern(random);
    switch (random.Below(7)) {
      case 6: {
        PublishOptions options;
        PutRequest request;
        options.overwrite = random.OneIn(3) ? Overwrite::kNo : Overwrite::kYes;
        if (options.overwrite == Overwrite::kYes) request.mode = PutMode::kOverwrite;
        if (random.OneIn(3)) {
          options.ttl = std::chrono::seconds(1 + random.Below(20));
          request.expires = world_.clock().Now() + *options.ttl;
        }
        Objects objects;
        for (Key& each : test::RandomGroup(random, 5)) {
          objects.emplace_back(std::move(each), std::string(random.Below(20), 'g'));
        }
        const bool refused = std::any_of(objects.begin(), objects.end(), [&](const auto& object) {
          return model.CheckPublish(object.first, options) != StatusCode::kOk;
        });
        const auto infos = PublishGroup(objects, request);
        ASSERT_EQ(infos.code(), refused ? StatusCode::kAlreadyExists : StatusCode::kOk);
        for (std::size_t i = 0; infos.ok() && i < objects.size(); ++i) {
          const auto& [each, data] = objects[i];
          for (const auto id : model.Publish(each, data, "", options, (*infos)[i].version)) {
            ASSERT_EQ(wants[id].answers->count, 1) << "step " << step;
            ASSERT_EQ(*wants[id].key, each);
            wants.erase(id);
          }
        }
        break;
      }
      case 0:
      case 1: {
        PublishOptions options;
        PutRequest request;
        options.overwrite = random.OneIn(2) ? Overwrite::kYes : Overwrite::kNo;
        if (options.overwrite == Overwrite::kYes) request.mode = PutMode::kOverwrite;
        if (random.OneIn(3)) {
          options.ttl = std::chrono::seconds(1 + random.Below(20));
          request.expires = world_.clock().Now() + *options.ttl;
        }
        const std::string data(random.Below(20), 'd');
        const Result<ObjectInfo> info = Publish(key, data, request);
        ASSERT_EQ(info.code(), model.CheckPublish(key, options));
        if (!info.ok()) break;
        for (const auto id : model.Publish(key, data, "", options, info->version)) {
          ASSERT_EQ(wants[id].answers->count, 1) << "step " << step;
          ASSERT_EQ(*wants[id].key, key);
          wants.erase(id);
        }
        break;
      }
      case 2: {
        Want want{{}, std::make_shared<Answers>(), std::make_shared<Key>()};
        want.operation = store_->Want(
            InBucket(pattern), kEndOfTime,
            [answers = want.answers, found_key = want.key](const Result<NamedObject>& found) {
              if (found.ok()) *found_key = found->key;
              answers->code = found.code();
              ++answers->count;
            });
        ASSERT_EQ(want.answers->count, model.Matches(pattern) ? 1 : 0) << pattern.ToString();
        if (want.answers->count == 0) {
          wants.emplace(model.Park(pattern), std::move(want));
        } else {
          ASSERT_TRUE(pattern.Matches(*want.key));
          ASSERT_NE(model.Get(*want.key), nullptr);
        }
        break;
      }
      case 3:
        if (!random.OneIn(3)) {
          ASSERT_EQ(store_->Drop(InBucket(pattern), kEndOfTime).value(), model.Drop(pattern));
        } else if (!wants.empty()) {
          const auto victim =
              std::next(wants.begin(), static_cast<std::ptrdiff_t>(random.Below(wants.size())));
          ASSERT_TRUE(victim->second.operation.Cancel());
          ASSERT_EQ(victim->second.answers->code, StatusCode::kCancelled);
          model.Unpark(victim->first);
          wants.erase(victim);
        }
        break;
      case 4:
        if (!random.OneIn(5)) break;
        world_.RunFor(std::chrono::milliseconds(random.Below(3000)));
        model.set_now(world_.clock().Now());
        break;
      default: {
        std::vector<Key> listed;
        for (const auto& object :
             ListAll(pattern, 1 + static_cast<std::uint32_t>(random.Below(9)))) {
          listed.push_back(object.key);
        }
        std::sort(listed.begin(), listed.end());
        ASSERT_EQ(listed, model.List(pattern)) << pattern.ToString();
        const auto* entry = model.Get(key);
        ASSERT_EQ(Get(key), entry == nullptr ? "none" : entry->data);
      }
    }
  }
  for (const auto& [id, want] : wants) ASSERT_EQ(want.answers->count, 0);
  store_->Close();
  for (const auto& [id, want] : wants) ASSERT_EQ(want.answers->count, 1);
}

}  // namespace
}  // namespace cirein
