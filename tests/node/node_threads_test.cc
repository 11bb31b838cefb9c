// SPDX-License-Identifier: Apache-2.0

// A node with real threads, on a real directory: merger and cleaner at work beside its users.

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "base/random.h"
#include "dpm/verify.h"
#include "region/directory_space.h"
#include "runtime/temporary_directory.h"
#include "runtime/thread_group.h"
#include "support/library_test.h"
#include "support/objects.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using test::MakeObject;

struct Level {
  const char* name;
  const char* options;
};

class NodeThreadsTest : public test::LibraryTest, public testing::WithParamInterface<Level> {
 protected:
  void SetUp() override {
    LibraryTest::SetUp();
    Connect("&size=4MiB&shards=2");
  }
  void Connect(const std::string& options) {
    pool_ = Pool();
    pool_ = Open("elastic:" + directory_.path() + "/pool" + GetParam().options + options);
  }
  void TearDown() override {
    pool_ = Pool();
    LibraryTest::TearDown();
    const auto space = OpenDirectorySpace(directory_.path() + "/pool");
    ASSERT_OK(space);
    const auto report = dpm::VerifyPool(**space);
    ASSERT_OK(report);
    for (const dpm::Finding& finding : report->findings) {
      ADD_FAILURE() << "verify: " << finding.what;
    }
  }

  TemporaryDirectory directory_ = TemporaryDirectory::Create().value();
  Pool pool_;
};

INSTANTIATE_TEST_SUITE_P(Levels, NodeThreadsTest,
                         testing::Values(Level{"process", "&durability=process"},
                                         Level{"power", "&durability=power"}),
                         [](const auto& each) { return std::string(each.param.name); });

// Each object says who wrote it and when, so that a reader can tell what it may see.
std::string Text(std::size_t writer, std::uint64_t round, std::size_t bytes) {
  std::string text = std::to_string(writer) + ":" + std::to_string(round) + ":";
  text.resize(std::max(bytes, text.size()), '.');
  return text;
}
std::uint64_t RoundOf(std::string_view text) {
  return std::stoull(std::string(text.substr(text.find(':') + 1)));
}

// Reads of what has just expired keep their judgements while others publish, and close the pool in
// the end: everybody is answered, and what was absent stays so.
TEST_P(NodeThreadsTest, JudgementsOfExpiryHoldNobodyUp) {
  constexpr int kRounds = 150;
  std::atomic<int> answered{0};
  const Status status = RunThreads(4, "user", [&](std::size_t thread) -> Status {
    for (int round = 0; round < kRounds; ++round) {
      const Key key("row" + std::to_string(thread / 2), std::to_string(round % 7));
      if (thread % 2 == 0) {
        PublishOptions options;
        options.overwrite = Overwrite::kYes;
        options.ttl = std::chrono::milliseconds(1 + round % 3);
        pool_.Publish(
            key, MakeObject("short"),
            [&](const Result<ObjectInfo>& info) {
              if (info.ok()) ++answered;
            },
            options);
        CIREIN_RETURN_IF_ERROR(pool_
                                   .Publish(Key("stays", std::to_string(thread)), MakeObject("x"),
                                            {.overwrite = Overwrite::kYes})
                                   .status());
      } else {
        const Result<ObjectInfo> info = pool_.Info(key);
        if (!info.ok() && info.code() != StatusCode::kNotFound) return info.status();
        CIREIN_RETURN_IF_ERROR(pool_.List(Pattern::Row(key.row())).status());
      }
    }
    return OkStatus();
  });
  ASSERT_OK(status);
  pool_ = Pool();
  FinishNow();
  EXPECT_EQ(answered, 2 * kRounds);
}

TEST_P(NodeThreadsTest, ReadersSeeEachKeyOnlyGoForwardWhileAllIsOverwritten) {
  constexpr std::size_t kKeys = 300;
  const bool power = std::string(GetParam().name) == "power";
  const std::uint64_t rounds = power ? 20 : 100;
  const Overwrite yes = Overwrite::kYes;
  std::atomic<bool> done{false};
  const Status status = RunThreads(4, "user", [&](std::size_t thread) -> Status {
    Random random(test::Seed() + thread);
    if (thread < 2) {
      for (std::uint64_t round = 1; round <= rounds; ++round) {
        for (std::size_t key = thread; key < kKeys; key += 2) {
          const std::size_t bytes = random.OneIn(100) ? 80'000 : random.Below(900);
          const Key name("row" + std::to_string(key % 40), std::to_string(key));
          CIREIN_RETURN_IF_ERROR(
              pool_.Publish(name, MakeObject(Text(thread, round, bytes)), {.overwrite = yes})
                  .status());
        }
      }
      done = true;
      return OkStatus();
    }
    std::map<std::size_t, std::uint64_t> seen;
    while (!done) {
      const std::size_t key = random.Below(kKeys);
      const Key name("row" + std::to_string(key % 40), std::to_string(key));
      const Result<DataObject> object = pool_.Need(name, {.deadline = std::chrono::seconds(30)});
      if (!object.ok()) return object.status();
      const std::uint64_t round = RoundOf(object->text());
      if (round < seen[key]) return Internal(name.ToString() + " went back");
      seen[key] = round;
      if (random.OneIn(50)) {
        const Result<ListPage> page = pool_.List(Pattern::Row(name.row()));
        if (!page.ok()) return page.status();
      }
    }
    return OkStatus();
  });
  ASSERT_OK(status);
  for (std::size_t key = 0; key < kKeys; ++key) {
    const Result<DataObject> object =
        pool_.Need(Key("row" + std::to_string(key % 40), std::to_string(key)));
    ASSERT_OK(object);
    EXPECT_EQ(RoundOf(object->text()), rounds);
  }
}

TEST_P(NodeThreadsTest, HeldViewsStayWhileThePoolIsOverwrittenTenTimes) {
  // The pool has room for 4 MiB of large objects.
  constexpr std::size_t kBytes = 256 * 1024;
  constexpr int kKeys = 8;
  std::vector<std::pair<DataObject, std::string>> held;
  for (int round = 0; round < 20; ++round) {
    for (int key = 0; key < kKeys; ++key) {
      const std::string text = Text(0, static_cast<std::uint64_t>(round), kBytes);
      ASSERT_OK(
          pool_.Publish(Key(std::to_string(key)), MakeObject(text), {.overwrite = Overwrite::kYes}))
          << "round " << round;
      // Some for as long as the test runs, some until the next round, most not at all.
      if (key == 0 && round % 5 == 0) {
        const Result<DataObject> view = pool_.Need(Key("0"));
        ASSERT_OK(view);
        EXPECT_EQ(view->kind(), DataObject::Kind::kView);
        held.emplace_back(*view, text);
      }
    }
    for (const auto& [view, text] : held) ASSERT_EQ(view.text(), text);
  }
  Connect("");
  for (const auto& [view, text] : held) ASSERT_EQ(view.text(), text) << "also over a reopening";
}

TEST_P(NodeThreadsTest, WhoHoldsAllViewsIsToldSoAndNothingBreaks) {
  constexpr std::size_t kBytes = 256 * 1024;
  std::vector<DataObject> held;
  Status refused;
  for (int round = 0; round < 100 && refused.ok(); ++round) {
    const auto info = pool_.Publish(Key("key"), MakeObject(std::string(kBytes, 'x')),
                                    {.overwrite = Overwrite::kYes});
    refused = info.status();
    if (!info.ok()) break;
    const Result<DataObject> view = pool_.Need(Key("key"));
    ASSERT_OK(view);
    held.push_back(*view);
  }
  EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted) << refused.ToString();
  EXPECT_GE(held.size(), 16U) << "as much as the pool has room for may be held";
  ASSERT_OK(pool_.Publish(Key("small"), MakeObject("small"))) << "others go on";
  ASSERT_OK(pool_.Need(Key("key")));
  held.clear();
  ASSERT_OK(pool_.Publish(Key("key"), MakeObject(std::string(kBytes, 'y')),
                          {.overwrite = Overwrite::kYes}))
      << "room returns";
}

TEST_P(NodeThreadsTest, AFullPoolSaysSoAndRecovers) {
  int stored = 0;
  Status refused;
  for (; stored < 10'000; ++stored) {
    refused =
        pool_.Publish(Key(std::to_string(stored)), MakeObject(std::string(2000, 'x'))).status();
    if (!refused.ok()) break;
  }
  ASSERT_EQ(refused.code(), StatusCode::kResourceExhausted) << refused.ToString();
  EXPECT_GT(stored, 1000);
  for (int key = 0; key < stored; key += 37) ASSERT_OK(pool_.Need(Key(std::to_string(key))));
  // Dropping makes room, and until it has, drops themselves are taken.
  for (int key = 0; key < stored; key += 2) {
    ASSERT_OK(pool_.Drop(Key(std::to_string(key)))) << key;
  }
  int again = 0;
  for (; again < stored / 4; ++again) {
    const auto info =
        pool_.Publish(Key("again" + std::to_string(again)), MakeObject(std::string(2000, 'y')));
    ASSERT_OK(info) << again;
  }
  for (int key = 1; key < stored; key += 74) ASSERT_OK(pool_.Need(Key(std::to_string(key))));
}

TEST_P(NodeThreadsTest, TwoThreadsOnOneHotKeyAndItsWaiters) {
  std::atomic<int> answered{0};
  constexpr int kRounds = 200;
  const Status status = RunThreads(2, "hot", [&](std::size_t thread) -> Status {
    for (int round = 0; round < kRounds; ++round) {
      if (thread == 0) {
        const auto info = pool_.Publish(Key("hot"), MakeObject(std::to_string(round)),
                                        {.overwrite = Overwrite::kYes});
        if (!info.ok()) return info.status();
        const auto dropped = pool_.Drop(Key("hot"));
        if (!dropped.ok()) return dropped.status();
      } else {
        const auto info =
            pool_.Publish(Key("hot", "column"), MakeObject("x"), {.overwrite = Overwrite::kYes});
        if (!info.ok()) return info.status();
        pool_.Want(Key("hot"), [&](const Result<NamedObject>&) { ++answered; });
      }
    }
    return OkStatus();
  });
  ASSERT_OK(status);
  ASSERT_OK(pool_.Publish(Key("hot"), MakeObject("last"), {.overwrite = Overwrite::kYes}));
  FinishNow();
  EXPECT_EQ(answered, kRounds);
}

TEST_P(NodeThreadsTest, ASlowListSeesWhatStaysWhileOthersComeAndGo) {
  constexpr int kStay = 100;
  for (int i = 0; i < kStay; ++i) {
    ASSERT_OK(pool_.Publish(Key("stays" + std::to_string(i)), MakeObject("s")));
    ASSERT_OK(pool_.Publish(Key("row", "stays" + std::to_string(i)), MakeObject("s")));
  }
  Random random(test::Seed());
  for (const Pattern& pattern : {Pattern::RowPrefix(""), Pattern::Row("row")}) {
    std::map<std::string, int> seen;
    ListOptions options;
    options.page_size = 7;
    do {
      const Result<ListPage> page = pool_.List(pattern, options);
      ASSERT_OK(page);
      for (const ListedObject& object : page->objects) ++seen[object.key.ToString()];
      options.cursor = page->next;
      for (int i = 0; i < 10; ++i) {
        const std::string name = "comes" + std::to_string(random.Below(50));
        const Key key = random.OneIn(2) ? Key(name) : Key("row", name);
        if (random.OneIn(2)) {
          ASSERT_OK(pool_.Publish(key, MakeObject("c"), {.overwrite = Overwrite::kYes}));
        } else {
          ASSERT_OK(pool_.Drop(key));
        }
      }
    } while (!options.cursor.empty());
    for (int i = 0; i < kStay; ++i) {
      const std::string name = "stays" + std::to_string(i);
      EXPECT_EQ(seen["row|" + name], 1) << name;
      if (pattern.row_is_prefix()) {
        EXPECT_EQ(seen[name], 1) << name;
      }
    }
  }
}

}  // namespace
}  // namespace cirein
