// SPDX-License-Identifier: Apache-2.0
#include "node/node.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "dpm/verify.h"
#include "node/dpm_engine.h"
#include "region/shadow_space.h"
#include "runtime/virtual_environment.h"
#include "support/objects.h"
#include "support/pool_model.h"
#include "support/random_names.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein::node {
namespace {

using namespace std::chrono_literals;
using dpm::Durability;
using test::MakeObject;
using test::PoolModel;
using Medium = ShadowSpace::Medium;

const Bucket kBucket{7};

struct Setting {
  const char* name;
  Medium medium;
  Durability durability;
};

class NodeTest : public testing::TestWithParam<Setting> {
 protected:
  void SetUp() override {
    ShadowSpace space(GetParam().medium);
    ASSERT_OK(dpm::Dpm::Create(space, Create()));
    Open(space.ProcessCrash(space.events()));
  }
  void TearDown() override {
    if (node_ == nullptr) return;
    ASSERT_OK(node_->Close());
    ShadowSpace space(GetParam().medium, "boot-1", shadow_->ProcessCrash(shadow_->events()));
    node_.reset();
    const auto report = dpm::VerifyPool(space);
    ASSERT_OK(report);
    for (const dpm::Finding& finding : report->findings) ADD_FAILURE() << finding.what;
  }

  static dpm::CreateOptions Create() {
    dpm::CreateOptions options;
    options.segment_bytes = 64 * 1024;
    options.log_bytes = 32 * options.segment_bytes;
    options.index_bytes = 4 << 20;
    options.extent_limit_bytes = 4 << 20;
    options.large_bytes = 4096;
    options.durability = GetParam().durability;
    options.pool_id = 0x1234'5678'9ABC'DEF0;
    options.created_ms = 1;
    return options;
  }

  void Open(SpaceImage image, const std::string& boot = "boot-1") {
    auto space = std::make_unique<ShadowSpace>(GetParam().medium, boot, std::move(image));
    shadow_ = space.get();
    auto node = Node::Open(std::move(space), world_.environment(), executor_,
                           {.shards = 2, .cache_bytes = cache_bytes_});
    ASSERT_OK(node);
    node_ = std::move(*node);
  }
  /// The process is killed: what reached the page cache stays.
  void Kill() {
    SpaceImage image = shadow_->ProcessCrash(shadow_->events());
    // The dead process's objects go without a close: nothing they do reaches the image.
    node_.reset();
    world_.RunReady();
    executor_.RunAll();
    Open(std::move(image));
  }
  void Reopen() {
    ASSERT_OK(node_->Close());
    Open(shadow_->ProcessCrash(shadow_->events()));
  }

  StripedStore& store() { return *node_->store(); }

  Result<ObjectInfo> Publish(const Key& key, const DataObject& object,
                             const PublishOptions& options = {}) {
    PutRequest request;
    request.object = object;
    request.mode = options.if_version                     ? PutMode::kIfVersion
                   : options.overwrite == Overwrite::kYes ? PutMode::kOverwrite
                                                          : PutMode::kWriteOnce;
    request.if_version = options.if_version.value_or(Version{});
    if (options.ttl) request.expires = world_.clock().EndOf(*options.ttl);
    return store().Publish(KeyView(kBucket, key), std::move(request));
  }
  std::string Get(const Key& key) {
    const Result<DataObject> object = store().Get(KeyView(kBucket, key));
    if (!object.ok()) return object.status().ToString();
    return object->is_null() ? "none" : std::string(object->text());
  }

  /// Everything there is, by listing and by getting, is what the model says.
  void ExpectAgrees(const PoolModel& model) {
    Pattern all = Pattern::RowPrefix("");
    all.set_bucket(kBucket);
    ListOptions options;
    options.page_size = 7;
    std::vector<Key> listed;
    do {
      const Result<ListPage> page = store().List(all, options);
      ASSERT_OK(page);
      for (const ListedObject& object : page->objects) listed.push_back(object.key);
      options.cursor = page->next;
    } while (!options.cursor.empty());
    std::sort(listed.begin(), listed.end());
    ASSERT_EQ(listed, model.List(Pattern::RowPrefix("")));
    for (const Key& key : listed) {
      ASSERT_EQ(Get(key), model.Get(key)->data) << key.ToString();
      const Result<ObjectInfo> info = store().Info(KeyView(kBucket, key));
      ASSERT_OK(info);
      ASSERT_EQ(info->version, model.Get(key)->version);
      ASSERT_EQ(info->ttl.has_value(), model.Get(key)->expires.has_value());
    }
  }

  VirtualEnvironment world_;
  ManualExecutor executor_{"pool"};
  std::uint64_t cache_bytes_ = 1 << 20;
  ShadowSpace* shadow_ = nullptr;
  std::shared_ptr<Node> node_;
};

INSTANTIATE_TEST_SUITE_P(
    Settings, NodeTest,
    testing::Values(Setting{"MemoryProcess", Medium::kFlushable, Durability::kProcess},
                    Setting{"MemoryPower", Medium::kFlushable, Durability::kPower},
                    Setting{"FilesProcess", Medium::kFile, Durability::kProcess},
                    Setting{"FilesPower", Medium::kFile, Durability::kPower}),
    [](const auto& each) { return std::string(each.param.name); });

TEST_P(NodeTest, KeepsWhatItWasGivenOverAKillAndAClose) {
  ASSERT_OK(Publish(Key("row"), MakeObject("plain", "meta")));
  ASSERT_OK(Publish(Key("row", "column"), MakeObject("column")));
  ASSERT_OK(Publish(Key("large"), MakeObject(std::string(100'000, 'L'))));
  EXPECT_EQ(Publish(Key("row"), MakeObject("again")).code(), StatusCode::kAlreadyExists);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(Get(Key("row")), "plain");
    EXPECT_EQ(Get(Key("row", "column")), "column");
    EXPECT_EQ(Get(Key("large")), std::string(100'000, 'L'));
    EXPECT_EQ(Get(Key("other")), "none");
    EXPECT_EQ(Publish(Key("row"), MakeObject("again")).code(), StatusCode::kAlreadyExists);
    ASSERT_NO_FATAL_FAILURE(round == 0 ? Kill() : Reopen());
  }
}

// More columns than go as one group: one entry drops them all, before the index knows.
TEST_P(NodeTest, ARowOfManyColumnsGoesAsOne) {
  const auto fill = [&](const std::string& data) {
    ASSERT_OK(Publish(Key("row"), MakeObject(data)));
    for (int i = 0; i < 1500; ++i) {
      ASSERT_OK(Publish(Key("row", std::to_string(i)), MakeObject(data)));
    }
  };
  Pattern row = Pattern::Row("row");
  row.set_bucket(kBucket);
  ASSERT_NO_FATAL_FAILURE(fill("old"));
  EXPECT_EQ(store().Drop(row, kEndOfTime).value(), 1501U);
  const auto expect_none = [&] {
    EXPECT_EQ(Get(Key("row")), "none");
    EXPECT_EQ(Get(Key("row", "7")), "none");
    EXPECT_EQ(Get(Key("row", "1499")), "none");
    EXPECT_EQ(store().GetRowInfo(KeyView(kBucket, "row")).code(), StatusCode::kNotFound);
    EXPECT_TRUE(store().List(row, {})->objects.empty());
  };
  expect_none();
  ASSERT_NO_FATAL_FAILURE(Kill());
  expect_none();
  ASSERT_NO_FATAL_FAILURE(fill("new"));
  EXPECT_EQ(Get(Key("row", "7")), "new");
  ASSERT_NO_FATAL_FAILURE(Reopen());
  EXPECT_EQ(Get(Key("row", "1499")), "new");
  EXPECT_EQ(store().Drop(row, kEndOfTime).value(), 1501U);
  ASSERT_NO_FATAL_FAILURE(Reopen());
  expect_none();
}

TEST_P(NodeTest, LargeObjectsThatExpiredGiveUpTheirRoom) {
  // Four MiB of large objects fit.
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 30; ++i) {
      PublishOptions options;
      options.ttl = 1s;
      const Key key(std::to_string(round) + "/" + std::to_string(i));
      ASSERT_OK(Publish(key, MakeObject(std::string(100'000, 'x')), options)) << key.ToString();
    }
    world_.RunFor(11s);
    executor_.RunAll();
    if (round % 2 == 0) {
      ASSERT_NO_FATAL_FAILURE(Reopen());
    }
  }
}

// SAFETY 9, with a clock that is behind after the kill: what was answered absent stays so, however
// it was asked.
TEST_P(NodeTest, WhatHasExpiredOnceStaysSoByAnEarlierClock) {
  using Ask = std::function<void()>;
  const std::vector<Ask> asks = {
      [this] { EXPECT_EQ(Get(Key("row", "c")), "none"); },
      [this] {
        EXPECT_EQ(store().Info(KeyView(kBucket, Key("row", "c"))).code(), StatusCode::kNotFound);
      },
      [this] {
        Pattern row = Pattern::Row("row");
        row.set_bucket(kBucket);
        EXPECT_EQ(store().Drop(row, kEndOfTime).value(), 1U);
      },
      [this] {
        Pattern all = Pattern::RowPrefix("");
        all.set_bucket(kBucket);
        EXPECT_EQ(store().List(all, {})->objects.size(), 1U);
      },
      [this] {
        // Asynchronous: the answer waits.
        bool answered = false;
        PutRequest request;
        request.object = MakeObject("again");
        request.mode = PutMode::kIfVersion;
        request.if_version = {77, 77};
        store().Publish(KeyView(kBucket, Key("row", "c")), std::move(request),
                        [&answered](const auto& info) {
                          EXPECT_CODE(info, kFailedPrecondition);
                          answered = true;
                        });
        executor_.RunAll();
        EXPECT_TRUE(answered);
      },
  };
  for (const Ask& ask : asks) {
    ASSERT_OK(Publish(Key("row"), MakeObject("stays"), {.overwrite = Overwrite::kYes}));
    PublishOptions options;
    options.overwrite = Overwrite::kYes;
    options.ttl = 500ms;
    ASSERT_OK(Publish(Key("row", "c"), MakeObject("expires"), options));
    const TimePoint published = world_.clock().Now();
    world_.clock().Advance(501ms);
    ask();
    SpaceImage image = shadow_->ProcessCrash(shadow_->events());
    node_.reset();
    world_.RunReady();
    executor_.RunAll();
    VirtualEnvironment earlier;
    earlier.clock().AdvanceTo(published + 100ms);
    auto space = std::make_unique<ShadowSpace>(GetParam().medium, "boot-1", std::move(image));
    shadow_ = space.get();
    auto node = Node::Open(std::move(space), earlier.environment(), executor_, {.shards = 2});
    ASSERT_OK(node);
    EXPECT_EQ(*(*node)->store()->Get(KeyView(kBucket, Key("row", "c"))), DataObject());
    ASSERT_OK((*node)->Close());
    image = shadow_->ProcessCrash(shadow_->events());
    node->reset();
    executor_.RunAll();
    ASSERT_NO_FATAL_FAILURE(Open(std::move(image)));
  }
}

TEST_P(NodeTest, AnAsynchronousPublishAnswersWhoWaitsAcrossSegments) {
  int answered = 0;
  int published = 0;
  for (int i = 0; i < 300; ++i) {
    const Key key(std::to_string(i));
    Pattern pattern(key);
    pattern.set_bucket(kBucket);
    store().Want(pattern, kEndOfTime, [&](const Result<NamedObject>& object) {
      EXPECT_OK(object);
      ++answered;
    });
    PutRequest request;
    request.object = MakeObject(std::string(2000, 'x'));
    store().Publish(KeyView(kBucket, key), std::move(request), [&](const auto& info) {
      EXPECT_OK(info);
      ++published;
    });
  }
  executor_.RunAll();
  EXPECT_EQ(published, 300);
  EXPECT_EQ(answered, 300);
}

TEST_P(NodeTest, LetsGoOfWrappedMemoryAndKeepsToItsBudget) {
  int wrapped = 0;
  std::vector<std::byte> memory(500, std::byte{'w'});
  for (int i = 0; i < 2000; ++i) {
    ++wrapped;
    const auto object = DataObject::Wrap(memory, [&] { --wrapped; });
    ASSERT_OK(object);
    ASSERT_OK(Publish(Key(std::to_string(i)), *object, {.overwrite = Overwrite::kYes}));
  }
  EXPECT_EQ(wrapped, 0) << "what is kept is the pool's";
  executor_.RunAll();
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(Get(Key(std::to_string(i))), std::string(500, 'w'));
  EXPECT_LT(store().GetStats().engine.used_bytes, (1U << 20) + 64 * 1024);
}

TEST_P(NodeTest, AgreesWithTheModelOverKillsAndReopenings) {
  Random random(test::Seed());
  cache_bytes_ = random.OneIn(2) ? 1 << 20 : 0;
  PoolModel model;
  model.set_now(world_.clock().Now());
  std::map<Key, Version> last;
  for (int step = 0; step < 3000; ++step) {
    const Key key = test::RandomKey(random);
    const Pattern pattern = [&] {
      Pattern made = test::RandomPattern(random);
      made.set_bucket(kBucket);
      return made;
    }();
    switch (random.Below(8)) {
      default: {
        PublishOptions options;
        options.overwrite = random.OneIn(2) ? Overwrite::kYes : Overwrite::kNo;
        if (random.OneIn(5)) options.ttl = std::chrono::seconds(1 + random.Below(20));
        if (random.OneIn(4)) {
          const auto* entry = model.Get(key);
          options.if_version = entry != nullptr && random.OneIn(2) ? entry->version : Version{};
        }
        const std::size_t bytes = random.OneIn(50) ? 10'000 : random.Below(100);
        const std::string data(bytes, static_cast<char>('a' + random.Below(26)));
        const StatusCode expected = model.CheckPublish(key, options);
        const Result<ObjectInfo> info = Publish(key, MakeObject(data), options);
        ASSERT_EQ(info.code(), expected) << info.status().ToString();
        if (!info.ok()) break;
        ASSERT_GT(info->version, last[key]);
        last[key] = info->version;
        model.Publish(key, data, "", options, info->version);
        break;
      }
      case 3: {
        // Columns of one row, as one.
        std::vector<PutItem> items;
        std::vector<Key> keys;
        for (const char* column : {"a", "b", "group"}) keys.emplace_back(key.row(), column);
        const std::string data(random.Below(100), 'g');
        for (const Key& each : keys) {
          PutRequest request;
          request.mode = PutMode::kOverwrite;
          request.object = MakeObject(data);
          items.push_back({KeyView(kBucket, each), std::move(request)});
        }
        Result<std::vector<ObjectInfo>> infos = NotFound("not answered");
        store().PublishGroup(std::move(items), [&](auto result) { infos = std::move(result); });
        executor_.RunAll();
        ASSERT_OK(infos);
        for (std::size_t i = 0; i < keys.size(); ++i) {
          ASSERT_GT((*infos)[i].version, last[keys[i]]);
          last[keys[i]] = (*infos)[i].version;
          model.Publish(keys[i], data, "", {}, (*infos)[i].version);
        }
        break;
      }
      case 4: {
        const Result<std::uint64_t> dropped = store().Drop(pattern, kEndOfTime);
        ASSERT_OK(dropped);
        Pattern plain = pattern;
        plain.set_bucket(Bucket());
        ASSERT_EQ(*dropped, model.Drop(plain)) << pattern.ToString();
        break;
      }
      case 5: {
        const auto* entry = model.Get(key);
        ASSERT_EQ(Get(key), entry == nullptr ? "none" : entry->data) << key.ToString();
        break;
      }
      case 6:
        world_.RunFor(std::chrono::milliseconds(random.Below(3000)));
        model.set_now(world_.clock().Now());
        executor_.RunAll();
        break;
      case 7:
        if (!random.OneIn(20)) break;
        if (random.OneIn(2)) {
          ASSERT_NO_FATAL_FAILURE(Kill());
        } else {
          ASSERT_NO_FATAL_FAILURE(Reopen());
        }
        ASSERT_NO_FATAL_FAILURE(ExpectAgrees(model)) << "step " << step;
    }
    ASSERT_FALSE(HasFailure()) << "step " << step;
  }
  ASSERT_NO_FATAL_FAILURE(ExpectAgrees(model));
}

}  // namespace
}  // namespace cirein::node
