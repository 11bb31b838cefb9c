// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "node/dpm_engine.h"
#include "object/memory_engine.h"
#include "region/shadow_space.h"
#include "runtime/clock.h"
#include "runtime/manual_executor.h"
#include "runtime/virtual_clock.h"
#include "support/objects.h"
#include "support/status_matchers.h"

namespace cirein::test {

using dpm::Durability;
using Code = PutOutcome::Code;

inline const Bucket kBucket{7};

/// What an engine stands on, and the engine. `limit_bytes` 0: none.
class EngineHost {
 public:
  virtual ~EngineHost() = default;
  virtual Engine& engine() = 0;
  /// What goes on beside the engine: merging.
  virtual void Work() {}
};

struct EngineKind {
  const char* name;
  std::unique_ptr<EngineHost> (*make)(const Clock& clock, std::uint64_t limit_bytes);
  Engine::PlaceOf place_of;
  /// What it holds is in DRAM: it lets bodies go, counts its bytes, and keeps a limit.
  bool in_memory = true;
};

class MemoryHost : public EngineHost {
 public:
  MemoryHost(const Clock& clock, std::uint64_t limit_bytes)
      : budget_(limit_bytes, 1), engine_(0, clock, budget_) {}
  Engine& engine() override { return engine_; }

 private:
  MemoryBudget budget_;
  MemoryEngine engine_;
};

// A shard over a pool in memory.
class DpmHost : public EngineHost {
 public:
  DpmHost(const Clock& clock, Durability durability, std::uint64_t cache_bytes) {
    dpm::CreateOptions create;
    create.segment_bytes = 64 * 1024;
    create.log_bytes = 32 * create.segment_bytes;
    create.index_bytes = 4 << 20;
    create.large_bytes = 4096;
    create.durability = durability;
    create.pool_id = 1;
    auto space = std::make_unique<ShadowSpace>(ShadowSpace::Medium::kFlushable);
    EXPECT_OK(dpm::Dpm::Create(*space, create));
    dpm::Findings findings;
    auto pool = dpm::Dpm::Open(std::move(space), {}, &findings);
    EXPECT_OK(pool);
    pool_ = std::move(*pool);
    log_ = std::make_shared<node::ShardLog>(pool_, 0, clock, executor_);
    engine_ = std::make_unique<node::DpmEngine>(
        pool_, log_, clock,
        node::DpmEngine::Options{.shard = 0, .shards = 1, .cache_bytes = cache_bytes});
  }
  ~DpmHost() override {
    engine_.reset();
    EXPECT_OK(log_->Close());
    EXPECT_OK(pool_->Close());
  }
  Engine& engine() override { return *engine_; }
  void Work() override { EXPECT_OK(pool_->Work(dpm::Dpm::Urgency::kNormal)); }

 private:
  ManualExecutor executor_{"pool"};
  std::shared_ptr<dpm::Dpm> pool_;
  std::shared_ptr<node::ShardLog> log_;
  std::unique_ptr<node::DpmEngine> engine_;
};

template <Durability kDurability, std::uint64_t kCacheBytes>
EngineKind DpmKind(const char* name) {
  return {name,
          [](const Clock& clock, std::uint64_t) -> std::unique_ptr<EngineHost> {
            return std::make_unique<DpmHost>(clock, kDurability, kCacheBytes);
          },
          &node::DpmEngine::PlaceOf, false};
}

// Every engine stands in this list, and keeps every rule below.
inline const EngineKind kEngines[] = {
    {"MemoryEngine",
     [](const Clock& clock, std::uint64_t limit_bytes) -> std::unique_ptr<EngineHost> {
       return std::make_unique<MemoryHost>(clock, limit_bytes);
     },
     [](const KeyView& row) { return row.row_hash; }},
    DpmKind<Durability::kProcess, 1 << 20>("DpmEngine"),
    DpmKind<Durability::kPower, 1 << 20>("DpmEnginePower"),
    DpmKind<Durability::kProcess, 0>("DpmEngineUncached"),
};

class EngineTest : public testing::TestWithParam<EngineKind> {
 protected:
  void SetUp() override { UseLimit(0); }
  void UseLimit(std::uint64_t limit_bytes) { host_ = GetParam().make(clock_, limit_bytes); }
  Engine& engine() { return host_->engine(); }

  PutOutcome Put(const Key& key, std::string_view data, PutRequest request = {}) {
    request.object = MakeObject(data);
    const Result<PutOutcome> outcome = engine().Put(KeyView(kBucket, key), request, garbage_);
    EXPECT_OK(outcome);
    return outcome.value();
  }
  /// A group, by key and data; all as `request` says.
  using Objects = std::vector<std::pair<Key, std::string>>;
  PutOutcome PutGroup(const Objects& objects, const PutRequest& request = {}) {
    items_.clear();
    for (const auto& [key, data] : objects) {
      items_.push_back({KeyView(kBucket, key), request});
      items_.back().request.object = MakeObject(data);
    }
    const Result<PutOutcome> outcome = engine().PutGroup(items_, garbage_);
    EXPECT_OK(outcome);
    return outcome.value();
  }
  /// The version under a key; that of nothing when nothing is there.
  Version VersionOf(const Key& key) {
    StoredObject found;
    const Result<bool> there = engine().Get(KeyView(kBucket, key), Load::kSizes, found);
    return there.value() ? found.version : Version{};
  }
  static PutRequest Keeping(std::uint32_t keep) {
    PutRequest request = Overwriting();
    request.keep = keep;
    return request;
  }
  static PutRequest Overwriting() {
    PutRequest request;
    request.mode = PutMode::kOverwrite;
    return request;
  }
  static PutRequest IfVersion(Version version) {
    PutRequest request;
    request.mode = PutMode::kIfVersion;
    request.if_version = version;
    return request;
  }
  PutRequest ExpiringIn(std::chrono::nanoseconds ttl) {
    PutRequest request = Overwriting();
    request.expires = clock_.Now() + ttl;
    return request;
  }
  /// The data under a key, or "none".
  std::string Get(const Key& key) {
    StoredObject found;
    if (!engine().Get(KeyView(kBucket, key), Load::kObject, found).value()) return "none";
    return std::string(found.object.text());
  }
  std::uint64_t Drop(const Pattern& pattern) {
    return engine().Drop(KeyView(kBucket, pattern.row()), pattern, garbage_).value();
  }
  std::optional<RowInfo> Row(const std::string& row) {
    RowInfo info;
    if (!engine().GetRowInfo(KeyView(kBucket, row), info).value()) return std::nullopt;
    return info;
  }
  /// The objects of all rows, counted one by one; and that the engine counts them as well.
  std::uint64_t CountObjects() {
    std::uint64_t objects = 0;
    for (const std::string& row : Rows(Pattern::RowPrefix(""), 100)) {
      objects += Walk(Pattern::Row(row)).size();
    }
    return objects;
  }
  void ExpectHolds(std::uint64_t objects) {
    EXPECT_EQ(CountObjects(), objects);
    if (GetParam().in_memory) {
      EXPECT_EQ(engine().GetStats().objects, objects);
    }
  }
  void ExpectEmpty() {
    EXPECT_TRUE(Rows(Pattern::RowPrefix(""), 100).empty());
    if (!GetParam().in_memory) return;
    EXPECT_EQ(engine().GetStats().rows, 0U) << "an empty row is no row";
    EXPECT_EQ(engine().GetStats().objects, 0U);
    EXPECT_EQ(engine().GetStats().used_bytes, 0U) << "every byte is given back";
  }
  void ExpectLetGo(const std::string& text) {
    if (!GetParam().in_memory) return;
    ASSERT_EQ(garbage_.size(), 1U) << "the old body is let go by the caller";
    EXPECT_EQ(garbage_[0].text(), text);
  }
  using After = std::optional<std::optional<std::string_view>>;
  std::vector<std::string> Walk(const Pattern& pattern, const After& after = std::nullopt) {
    std::vector<std::string> names;
    const Result<bool> all =
        engine().WalkRow(KeyView(kBucket, pattern.row()), pattern, after, Load::kObject,
                         [&](const KeyView& key, const StoredObject& stored) {
                           EXPECT_FALSE(stored.object.is_null());
                           names.push_back(key.ToKey().ToString());
                           return true;
                         });
    EXPECT_TRUE(all.value());
    return names;
  }
  /// The names of all rows that match, by pages of `max_rows`.
  std::vector<std::string> Rows(Pattern pattern, std::size_t max_rows, Bucket bucket = kBucket) {
    pattern.set_bucket(bucket);
    std::vector<std::string> names;
    Engine::RowName from;
    for (;;) {
      Engine::RowPage page = engine().Rows(from, pattern, max_rows).value();
      EXPECT_LE(page.rows.size(), max_rows);
      for (const auto& row : page.rows) {
        EXPECT_EQ(row.bucket, bucket);
        EXPECT_EQ(row.place, GetParam().place_of(KeyView(bucket, row.name)));
        names.push_back(row.name);
      }
      if (!page.next) return names;
      from = *page.next;
    }
  }

  VirtualClock clock_;
  std::unique_ptr<EngineHost> host_;
  Garbage garbage_;
  std::vector<PutItem> items_;  ///< Of the last group; their keys are gone.
};

// What only an engine does that keeps its objects in DRAM.
class MemoryBoundTest : public EngineTest {};

}  // namespace cirein::test
