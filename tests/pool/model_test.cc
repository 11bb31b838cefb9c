// SPDX-License-Identifier: Apache-2.0

// Random operations over every type of pool, in every form of call, against one simple model. The
// stores behind pools are told apart in tests/backing/; here one is behind them.

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cirein/cirein.h"

#include "backing/backing_stores.h"
#include "base/random.h"
#include "dpm/verify.h"
#include "pool/pool_backing.h"
#include "region/directory_space.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"
#include "support/forwarding_pool.h"
#include "support/library_test.h"
#include "support/member_processes.h"
#include "support/objects.h"
#include "support/pool_model.h"
#include "support/random_group.h"
#include "support/random_names.h"
#include "support/seed.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::PoolModel;

struct PoolCase {
  const char* name;
  const char* url;  ///< "@" stands for a temporary directory, "%" for the members of a pool.
  PoolModel::Options model = {};
};

const PoolCase kPools[] = {
    {"local", "local:/model"},
    {"elastic", "elastic:@/model&size=4MiB"},
    {"elasticpower", "elastic:@/power&size=4MiB&durability=power"},
    {"elasticnocache", "elastic:@/nocache&size=4MiB&cache=0B&shards=1"},
    {"elastickeep",
     "elastic:@/keep&size=4MiB&keep=2&behavior=DefaultLocal_EnableOverwrites",
     {.overwrites = true, .keep = 2}},
    {"overwrites", "local:/model&behavior=DefaultLocal_EnableOverwrites", {.overwrites = true}},
    {"keep",
     "local:/model&keep=2&behavior=DefaultLocal_EnableOverwrites",
     {.overwrites = true, .keep = 2}},
    {"passing", "local:/model&behavior=ReadToLocal", {.stores = false}},
    {"dht", "dht:/model%"},
    {"dhtself", "dht:/model&behavior=DefaultRemote_EnableOverwrites%self", {.overwrites = true}},
    {"dhtkeep",
     "dht:/model&keep=2&behavior=DefaultRemote_EnableOverwrites%",
     {.overwrites = true, .keep = 2}},
    {"dhtnocopies", "dht:/model&behavior=WriteToRemote_EnableOverwrites%", {.overwrites = true}},
    {"dhtreplicas", "dht:/model&replicas=2%", {.written_once = true}},
    {"tftreplicas", "tft:/model&replicas=4%self", {.written_once = true}},
    {"backed", "local:/model&store=hdf5:@?durability=process"},
    {"backedaround",
     "local:/model&store=hdf5:@?durability=process&behavior=WriteAround_EnableOverwrites",
     {.overwrites = true}},
    {"backedthrough",
     "local:/model&store=hdf5:@?durability=process&behavior=WriteAround_ReadToLocal"},
    {"backeddht", "dht:/model&store=hdf5:@?durability=process%"},
    {"rft", "rft:/model&rank=4%"},
    {"tft", "tft:/model%"},
    {"trace", "trace:/model&file=@/trace&next_pool=local:/model"},
    {"forward", "forward:/model&next_pool=local:/model"},
    {"twice", "forward:/model&next_pool=forward:/inner%26next_pool=local:/model"},
};

class PoolModelTest : public test::LibraryTest, public testing::WithParamInterface<PoolCase> {
 protected:
  struct Want {
    Pattern pattern;
    Operation operation;
    std::atomic<int> count{0};
    Result<NamedObject> result = NotFound("not answered");
  };

  void SetUp() override {
    test::RegisterForwardingPool();
    backing::RegisterBackingStores();
    LibraryTest::SetUp();
    std::string url = GetParam().url;
    if (const auto at = url.find('@'); at != std::string::npos) {
      url.replace(at, 1, directory_.path());
    }
    if (const auto at = url.find('%'); at != std::string::npos && url.find("%26") == url.npos) {
      members_ = std::make_unique<test::MemberProcesses>(3);
      std::vector<std::string> self;
      if (url.substr(at) == "%self") {
        self.push_back(Process::Current()->network().value()->address());
      }
      url.replace(at, std::string::npos, members_->UrlOptions(self));
      ResourceUrl backed = ResourceUrl::Parse(url).value();
      backed.set_bucket(Bucket::FromLabel("default"));
      for (std::size_t i = 0; i < members_->size(); ++i) {
        if (backed.option("store")) {  // Each has one of its own.
          const std::string own = directory_.File(std::to_string(i));
          ASSERT_OK(MakeDirectories(own));
          backed.set_option("store", "hdf5:" + own + "?durability=process");
        }
        ASSERT_OK(BackBucket(members_->at(i), backed, Behavior(Behavior::kDefaultRemoteIom)));
      }
    }
    pool_ = Open(url);
  }
  void TearDown() override {
    wants_.clear();  // Handles keep what is left of the library.
    answered_.clear();
    pool_ = Pool();
    members_.reset();
    LibraryTest::TearDown();
    // Whatever a pool was told, what it leaves behind is in order.
    for (const char* name : {"model", "power", "nocache", "keep"}) {
      const auto space = OpenDirectorySpace(directory_.path() + "/" + name);
      if (!space.ok()) continue;
      const auto report = dpm::VerifyPool(**space);
      ASSERT_OK(report);
      for (const dpm::Finding& finding : report->findings) ADD_FAILURE() << finding.what;
    }
  }

  Overwrite RandomOverwrite() {
    const auto overwrite = static_cast<Overwrite>(random_.Below(3));
    const bool refused = GetParam().model.written_once && overwrite == Overwrite::kYes;
    return refused ? Overwrite::kNo : overwrite;
  }

  /// Publishes by one of the three forms.
  Result<ObjectInfo> Publish(const Key& key, const DataObject& object,
                             const PublishOptions& options) {
    switch (random_.Below(3)) {
      case 0:
        return pool_.Publish(key, object, options);
      case 1: {
        Notification done;
        Result<ObjectInfo> info = NotFound("not answered");
        pool_.Publish(
            key, object,
            [&](Result<ObjectInfo> result) {
              info = std::move(result);
              done.Notify();
            },
            options);
        EXPECT_TRUE(test::Await(done));
        return info;
      }
      default: {
        ResultCollector collector;
        pool_.Publish(key, object, collector, options);
        EXPECT_OK(collector.Wait());
        const auto entry = collector.results().at(0);
        if (!entry.status.ok()) return entry.status;
        EXPECT_EQ(entry.key, key);
        return entry.info;
      }
    }
  }

  Result<std::uint64_t> Drop(const Pattern& pattern) {
    if (random_.OneIn(2)) return pool_.Drop(pattern);
    ResultCollector collector;
    pool_.Drop(pattern, collector);
    EXPECT_OK(collector.Wait());
    const auto entry = collector.results().at(0);
    if (!entry.status.ok()) return entry.status;
    return entry.dropped;
  }

  void PublishStep() {
    const Key key = test::RandomKey(random_);
    PublishOptions options;
    options.overwrite = RandomOverwrite();
    if (random_.OneIn(5)) options.ttl = 1h;
    if (!GetParam().model.written_once && random_.OneIn(4)) {
      const auto* entry = model_.Get(key);
      options.if_version = entry != nullptr && random_.OneIn(2) ? entry->version : Version{};
    }
    const std::string data(random_.Below(30), static_cast<char>('a' + random_.Below(26)));
    const std::string meta(random_.Below(5), 'm');
    const StatusCode expected = model_.CheckPublish(key, options);
    const Result<ObjectInfo> info = Publish(key, test::MakeObject(data, meta), options);
    ASSERT_EQ(info.code(), expected) << key.ToString();
    if (!info.ok()) return;
    ASSERT_GT(info->version, last_version_[key]);
    last_version_[key] = info->version;
    ASSERT_EQ(info->ttl.has_value(), options.ttl.has_value());
    ExpectAnswers(model_.Publish(key, data, meta, options, info->version),
                  {{key, {data, info->version}}});
  }

  struct Published {
    std::string data;
    Version version;
  };
  /// Those who wait have got one of the objects that were published as one. Of several that match,
  /// any: a want of a prefix may have come to a member after them, though it was begun before.
  void ExpectAnswers(const std::vector<PoolModel::WaiterId>& ids,
                     const std::map<Key, Published>& published) {
    for (const auto id : ids) {
      Want& want = *wants_.at(id);
      ASSERT_TRUE(test::Eventually([&] { return want.count > 0; })) << "forgotten";
      ASSERT_OK(want.result);
      ASSERT_TRUE(want.pattern.Matches(want.result->key)) << want.result->key.ToString();
      const auto found = published.find(want.result->key);
      ASSERT_NE(found, published.end()) << want.result->key.ToString();
      ASSERT_EQ(want.result->object.text(), found->second.data);
      ASSERT_EQ(want.result->info.version, found->second.version);
      ASSERT_TRUE(want.operation.done());
      answered_.push_back(std::move(wants_.at(id)));
      wants_.erase(id);
    }
  }

  /// Publishes a group by one of the two forms.
  Result<std::vector<ObjectInfo>> PublishGroup(std::vector<PublishItem> items,
                                               const PublishOptions& options) {
    if (random_.OneIn(2)) return pool_.PublishGroup(std::move(items), options);
    Notification done;
    Result<std::vector<ObjectInfo>> infos = NotFound("not answered");
    pool_.PublishGroup(
        std::move(items),
        [&](Result<std::vector<ObjectInfo>> result) {
          infos = std::move(result);
          done.Notify();
        },
        options);
    EXPECT_TRUE(test::Await(done));
    return infos;
  }

  void GroupStep() {
    PublishOptions options;
    options.overwrite = RandomOverwrite();
    if (random_.OneIn(5)) options.ttl = 1h;
    const std::vector<Key> keys = test::RandomGroup(random_, 5);
    const std::string meta(random_.Below(5), 'm');
    std::vector<std::string> data;
    std::vector<PublishItem> items;
    StatusCode expected = StatusCode::kOk;
    for (const Key& key : keys) {
      data.emplace_back(random_.Below(30), static_cast<char>('a' + random_.Below(26)));
      items.push_back({key, test::MakeObject(data.back(), meta)});
      if (expected == StatusCode::kOk) expected = model_.CheckPublish(key, options);
    }
    const Result<std::vector<ObjectInfo>> infos = PublishGroup(std::move(items), options);
    ASSERT_EQ(infos.code(), expected) << keys[0].ToString();
    if (!infos.ok()) return;
    ASSERT_EQ(infos->size(), keys.size());
    std::map<Key, Published> published;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      published[keys[i]] = {data[i], (*infos)[i].version};
    }
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const ObjectInfo& info = (*infos)[i];
      ASSERT_GT(info.version, last_version_[keys[i]]);
      ASSERT_EQ(info.version.counter, (*infos)[0].version.counter + i);
      ASSERT_EQ(info.data_bytes, data[i].size());
      ASSERT_EQ(info.ttl.has_value(), options.ttl.has_value());
      last_version_[keys[i]] = info.version;
      ASSERT_NO_FATAL_FAILURE(
          ExpectAnswers(model_.Publish(keys[i], data[i], meta, options, info.version), published));
    }
  }

  void WantStep() {
    const Pattern pattern = test::RandomPattern(random_);
    auto want = std::make_shared<Want>();
    want->pattern = pattern;
    want->operation = pool_.Want(pattern,
                                 [want](Result<NamedObject> result) {
                                   want->result = std::move(result);
                                   ++want->count;
                                 },
                                 {.deadline = kNoDeadline});
    if (!model_.Matches(pattern)) {
      wants_.emplace(model_.Park(pattern), want);
      return;
    }
    ASSERT_TRUE(test::Eventually([&] { return want->count > 0; }));
    ASSERT_OK(want->result);
    ASSERT_TRUE(pattern.Matches(want->result->key));
    const auto* entry = model_.Get(want->result->key);
    ASSERT_NE(entry, nullptr);
    ASSERT_EQ(want->result->object.text(), entry->data);
    answered_.push_back(std::move(want));
  }

  void CancelStep() {
    if (wants_.empty()) return;
    const auto victim =
        std::next(wants_.begin(), static_cast<std::ptrdiff_t>(random_.Below(wants_.size())));
    const std::shared_ptr<Want> want = victim->second;
    ASSERT_EQ(want->count, 0);
    ASSERT_TRUE(want->operation.Cancel());
    ASSERT_TRUE(test::Eventually([&] { return want->count > 0; }));
    ASSERT_EQ(want->result.code(), StatusCode::kCancelled);
    model_.Unpark(victim->first);
    wants_.erase(victim);
    answered_.push_back(want);
  }

  void LookStep() {
    const Key key = test::RandomKey(random_);
    const auto* entry = model_.Get(key);
    const Result<ObjectInfo> info = pool_.Info(key);
    ASSERT_EQ(info.ok(), entry != nullptr);
    const Result<DataObject> object = pool_.Need(key, {.deadline = 0ms});
    const Result<RowInfo> row = pool_.RowInfo(key);
    const auto expected_row = model_.GetRowInfo(key.row());
    ASSERT_EQ(row.ok(), expected_row.has_value());
    if (row.ok()) {
      ASSERT_EQ(row->columns, expected_row->columns);
      ASSERT_EQ(row->has_object, expected_row->has_object);
      ASSERT_EQ(row->user_bytes, expected_row->user_bytes);
    }
    if (entry == nullptr) {
      ASSERT_CODE(info, kNotFound);
      ASSERT_CODE(object, kDeadlineExceeded);
      return;
    }
    ASSERT_EQ(info->version, entry->version);
    ASSERT_EQ(info->data_bytes + info->meta_bytes, entry->user_bytes());
    // Waiting for nothing, a pool that answers later may miss what is there.
    ASSERT_TRUE(!object.ok() || object->text() == entry->data) << key.ToString();
    const Result<DataObject> needed = pool_.Need(key);
    ASSERT_OK(needed);
    ASSERT_EQ(needed->meta_text(), entry->meta);
  }

  void ListStep() {
    const Pattern pattern = test::RandomPattern(random_);
    std::vector<Key> listed;
    ListOptions options;
    options.page_size = 1 + static_cast<std::uint32_t>(random_.Below(20));
    do {
      const Result<ListPage> page = pool_.List(pattern, options);
      ASSERT_OK(page);
      for (const ListedObject& object : page->objects) {
        listed.push_back(object.key);
        const auto* entry = model_.Get(object.key);
        ASSERT_NE(entry, nullptr);
        ASSERT_EQ(object.version, entry->version);
        ASSERT_EQ(object.data_bytes, entry->data.size());
        ASSERT_EQ(object.meta_bytes, entry->meta.size());
      }
      options.cursor = page->next;
    } while (!options.cursor.empty());
    std::sort(listed.begin(), listed.end());
    ASSERT_EQ(listed, model_.List(pattern)) << pattern.ToString();
  }

  void ComputeStep() {
    const Pattern pattern = Pattern::Row(test::RandomRow(random_));
    const std::vector<Key> keys = model_.List(pattern);
    const Result<DataObject> joined = pool_.Compute(pattern, "concat", ",");
    if (keys.empty()) {
      ASSERT_CODE(joined, kNotFound);
      return;
    }
    std::string expected;
    for (const Key& key : keys) expected += (&key == &keys[0] ? "" : ",") + model_.Get(key)->data;
    ASSERT_OK(joined);
    ASSERT_EQ(joined->text(), expected);
  }

  void Step() {
    switch (random_.Below(11)) {
      case 0:
      case 1:
      case 2:
        return PublishStep();
      case 3:
      case 4:
        return WantStep();
      case 5: {
        const Pattern pattern = test::RandomPattern(random_);
        const Result<std::uint64_t> dropped = Drop(pattern);
        ASSERT_OK(dropped);
        ASSERT_EQ(*dropped, model_.Drop(pattern)) << pattern.ToString();
        return;
      }
      case 6:
        return CancelStep();
      case 7:
        return LookStep();
      case 8:
        return ListStep();
      case 9:
        return GroupStep();
      default:
        return ComputeStep();
    }
  }

  TemporaryDirectory directory_ = TemporaryDirectory::Create().value();
  Random random_{test::Seed()};
  std::unique_ptr<test::MemberProcesses> members_;
  Pool pool_;
  PoolModel model_{GetParam().model};
  std::map<Key, Version> last_version_;
  std::map<PoolModel::WaiterId, std::shared_ptr<Want>> wants_;
  std::vector<std::shared_ptr<Want>> answered_;
};

INSTANTIATE_TEST_SUITE_P(Pools, PoolModelTest, testing::ValuesIn(kPools),
                         [](const auto& each) { return std::string(each.param.name); });

TEST_P(PoolModelTest, DoesWhatTheModelDoes) {
  constexpr int kSteps = 1500;
  for (int step = 0; step < kSteps; ++step) {
    ASSERT_NO_FATAL_FAILURE(Step()) << "step " << step;
    ASSERT_FALSE(HasFailure()) << "step " << step;
  }
  std::vector<std::shared_ptr<Want>> parked;
  for (const auto& [id, want] : wants_) {
    EXPECT_EQ(want->count, 0) << "nobody published what it waits for";
    parked.push_back(want);
  }
  FinishNow();
  for (const auto& want : parked) {
    EXPECT_EQ(want->count, 1);
    EXPECT_EQ(want->result.code(), StatusCode::kUnavailable);
  }
  for (const auto& want : answered_) EXPECT_EQ(want->count, 1) << "answered once";
}

// A pool that forgets everything has a model of its own: nothing is ever there, nobody waits.
class NullPoolTest : public test::LibraryTest {};

TEST_F(NullPoolTest, ForgetsWhatItIsGivenAndMakesNobodyWait) {
  Random random(test::Seed());
  Pool pool = Open("null:");
  EXPECT_EQ(pool.type(), "null");
  for (int step = 0; step < 500; ++step) {
    const Key key = test::RandomKey(random);
    const Pattern pattern = test::RandomPattern(random);
    const Result<ObjectInfo> info = pool.Publish(key, test::MakeObject("data", "meta"));
    ASSERT_OK(info);
    ASSERT_EQ(info->data_bytes, 4U);
    const auto infos = pool.PublishGroup(
        {{Key("row", "a"), test::MakeObject("1")}, {Key("row", "b"), test::MakeObject("22", "m")}});
    ASSERT_OK(infos);
    ASSERT_EQ(infos->size(), 2U);
    ASSERT_EQ((*infos)[1].data_bytes, 2U);
    ASSERT_EQ((*infos)[1].meta_bytes, 1U);
    const Result<DataObject> object = pool.Need(key);
    ASSERT_OK(object);
    ASSERT_EQ(object->user_bytes(), 0U);
    ResultCollector collector;
    pool.Want(pattern, collector);
    ASSERT_OK(collector.Wait());
    ASSERT_OK(collector.results().at(0).status);
    ASSERT_EQ(pool.Drop(pattern).value(), 0U);
    ASSERT_OK(pool.Info(key));
    ASSERT_EQ(pool.RowInfo(key)->columns, 0U);
    ASSERT_TRUE(pool.List(pattern)->objects.empty());
    ASSERT_CODE(pool.Compute(Pattern::Row(key.row()), "count"), kNotFound);
  }
}

}  // namespace
}  // namespace cirein
