// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "object/striped_store.h"
#include "runtime/virtual_environment.h"
#include "support/objects.h"
#include "support/status_matchers.h"

namespace cirein::test {

inline const Bucket kBucket{7};

inline Pattern InBucket(Pattern pattern, Bucket bucket = kBucket) {
  pattern.set_bucket(bucket);
  return pattern;
}

class StripedStoreTest : public testing::Test {
 protected:
  StripedStoreTest() { Make({.stripes = 8, .memory_limit_bytes = 0}); }
  ~StripedStoreTest() override { store_->Close(); }

  void Make(const StripedStore::Options& options) {
    store_ = StripedStore::Create(world_.environment(), options);
  }
  Result<ObjectInfo> Publish(const Key& key, std::string_view data, PutRequest request = {},
                             Bucket bucket = kBucket) {
    request.object = MakeObject(data);
    return store_->Publish(KeyView(bucket, key), std::move(request));
  }
  /// A group, by key and data; all as `request` says.
  using Objects = std::vector<std::pair<Key, std::string>>;
  Result<std::vector<ObjectInfo>> PublishGroup(const Objects& objects,
                                               const PutRequest& request = {}) {
    std::vector<PutItem> items;
    for (const auto& [key, data] : objects) {
      items.push_back({KeyView(kBucket, key), request});
      items.back().request.object = MakeObject(data);
    }
    int answers = 0;
    Result<std::vector<ObjectInfo>> infos = NotFound("not answered");
    store_->PublishGroup(std::move(items), [&](Result<std::vector<ObjectInfo>> result) {
      infos = std::move(result);
      ++answers;
    });
    EXPECT_EQ(answers, 1);
    return infos;
  }
  Result<ObjectInfo> PublishFor(const Key& key, std::string_view data,
                                std::chrono::nanoseconds ttl) {
    PutRequest request;
    request.mode = PutMode::kOverwrite;
    request.expires = world_.clock().Now() + ttl;
    return Publish(key, data, request);
  }
  std::string Get(const Key& key) {
    const Result<DataObject> object = store_->Get(KeyView(kBucket, key));
    if (!object.ok()) return object.status().ToString();
    return object->is_null() ? "none" : std::string(object->text());
  }
  /// All pages of a listing.
  std::vector<ListedObject> ListAll(const Pattern& pattern, std::uint32_t page_size) {
    std::vector<ListedObject> all;
    ListOptions options;
    options.page_size = page_size;
    do {
      const Result<ListPage> page = store_->List(InBucket(pattern), options);
      EXPECT_OK(page);
      if (!page.ok()) break;
      EXPECT_LE(page->objects.size(), page_size);
      all.insert(all.end(), page->objects.begin(), page->objects.end());
      options.cursor = page->next;
    } while (!options.cursor.empty());
    return all;
  }

  VirtualEnvironment world_;
  std::shared_ptr<StripedStore> store_;
};

/// Counts the answers to one want.
struct Answers {
  std::atomic<int> count{0};
  std::atomic<StatusCode> code{StatusCode::kOk};
  WantCallback Callback() {
    return [this](const Result<NamedObject>& result) {
      code = result.code();
      ++count;
    };
  }
};

}  // namespace cirein::test
