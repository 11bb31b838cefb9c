// SPDX-License-Identifier: Apache-2.0
#include "resp/keyspace.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "resp/command_harness.h"

namespace cirein::resp {
namespace {

using namespace std::chrono_literals;
using test::MakeObject;

class KeyspaceTest : public testing::TestWithParam<StoreKind> {
 protected:
  KeyspaceTest() : host_(GetParam(), {}) {}

  void Change(const std::function<void(Transaction&)>& work) { host_.InTransaction("k", work); }
  void MakeString(std::uint64_t expiry_ms = 0) {
    Change([&](Transaction& transaction) {
      transaction.Put(row_, MakeObject("text", "meta", 3), expiry_ms);
    });
  }
  void MakeHash(std::uint64_t expiry_ms = 0) {
    Change([&](Transaction& transaction) {
      transaction.Put(field_, MakeObject("value"));
      if (expiry_ms != 0) transaction.ExpireRow(row_, expiry_ms);
    });
  }
  FoundKey Find(Look look) {
    FoundKey found;
    Change([&](Transaction& transaction) { EXPECT_OK(FindKey(transaction, row_, look, found)); });
    return found;
  }
  // With what is there.
  void Work(const std::function<void(Transaction&, const FoundKey&)>& work) {
    Change([&](Transaction& transaction) {
      FoundKey found;
      EXPECT_OK(FindKey(transaction, row_, Look::kType, found));
      work(transaction, found);
    });
  }
  void Expire(std::uint64_t expiry_ms) {
    Work([&](Transaction& transaction, const FoundKey& found) {
      EXPECT_OK(SetExpiry(transaction, row_, found, expiry_ms));
    });
  }
  std::uint64_t In(std::uint64_t ms) { return host_.now_ms() + ms; }

  CommandHarness host_;
  const KeyView row_{kBucket, "k"};
  const Key name_{"k", "field"};
  const KeyView field_{kBucket, name_};
};

TEST_P(KeyspaceTest, WhatARowIs) {
  EXPECT_EQ(Find(Look::kValue).type, KeyType::kNone);
  EXPECT_FALSE(Find(Look::kType).exists());
  MakeString(In(1000));
  EXPECT_EQ(Find(Look::kType).type, KeyType::kString);
  FoundKey found = Find(Look::kSizes);
  EXPECT_EQ(found.string.data_bytes, 4U);
  EXPECT_EQ(found.expiry_ms, In(1000));
  found = Find(Look::kValue);
  EXPECT_EQ(found.text(), "text");
  MakeHash();
  found = Find(Look::kValue);
  EXPECT_EQ(found.type, KeyType::kHash) << "with an object without column too";
  EXPECT_EQ(found.row.columns, 1U);
  EXPECT_EQ(found.expiry_ms, 0U) << "the object's expiry is not the hash's";
}

TEST_P(KeyspaceTest, ExpiryOfAString) {
  MakeString();
  Expire(In(1000));
  FoundKey found = Find(Look::kValue);
  EXPECT_EQ(found.expiry_ms, In(1000));
  EXPECT_EQ(found.string.object.meta_text(), "meta") << "the object stays as it is";
  EXPECT_EQ(found.string.object.type(), 3);
  Expire(0);
  EXPECT_EQ(Find(Look::kSizes).expiry_ms, 0U);
  Expire(In(1000));
  host_.Pass(1001ms);
  EXPECT_FALSE(Find(Look::kType).exists());
}

TEST_P(KeyspaceTest, ExpiryOfAHash) {
  MakeHash();
  Expire(In(1000));
  EXPECT_EQ(Find(Look::kType).expiry_ms, In(1000));
  Expire(0);
  EXPECT_EQ(Find(Look::kType).expiry_ms, 0U);
  Expire(In(1000));
  host_.Pass(1001ms);
  EXPECT_FALSE(Find(Look::kType).exists());
}

TEST_P(KeyspaceTest, ATimeThatHasComeDeletes) {
  for (const std::uint64_t expiry_ms : {std::uint64_t{1}, In(0)}) {
    MakeString();
    Expire(expiry_ms);
    EXPECT_FALSE(Find(Look::kType).exists());
    MakeHash();
    Expire(expiry_ms);
    EXPECT_FALSE(Find(Look::kType).exists());
    MakeHash();
    Work([&](Transaction& transaction, const FoundKey& found) {
      PutString(transaction, row_, found, MakeObject("new"), expiry_ms);
    });
    EXPECT_FALSE(Find(Look::kType).exists());
  }
}

TEST_P(KeyspaceTest, DeleteTakesAllOfARow) {
  MakeString();
  MakeHash(In(1000));
  Work([&](Transaction& transaction, const FoundKey& found) {
    DeleteKey(transaction, row_, found);
  });
  EXPECT_FALSE(Find(Look::kType).exists());
  MakeString();
  EXPECT_EQ(Find(Look::kSizes).expiry_ms, 0U) << "the expiry went too";
  Work([&](Transaction& transaction, const FoundKey& found) {
    DeleteKey(transaction, row_, found);
    DeleteKey(transaction, row_, found);
  });
  EXPECT_FALSE(Find(Look::kType).exists());
}

TEST_P(KeyspaceTest, WhatIsLeftOfAHashKeepsItsExpiryUntilItIsReplaced) {
  MakeString(In(9000));
  MakeHash(In(5000));
  Change([&](Transaction& transaction) { transaction.Drop(field_); });
  FoundKey found = Find(Look::kSizes);
  EXPECT_EQ(found.type, KeyType::kString);
  EXPECT_EQ(found.expiry_ms, In(5000)) << "the sooner one";
  Work([&](Transaction& transaction, const FoundKey& now) {
    PutString(transaction, row_, now, MakeObject("new"), 0);
  });
  host_.Pass(10s);
  found = Find(Look::kValue);
  EXPECT_EQ(found.text(), "new");
  EXPECT_EQ(found.expiry_ms, 0U);
}

TEST_P(KeyspaceTest, ATransactionSeesItsOwnChanges) {
  Change([&](Transaction& transaction) {
    FoundKey found;
    EXPECT_OK(FindKey(transaction, row_, Look::kType, found));
    PutString(transaction, row_, found, MakeObject("one"), In(1000));
    EXPECT_OK(FindKey(transaction, row_, Look::kValue, found));
    EXPECT_EQ(found.text(), "one");
    EXPECT_EQ(found.expiry_ms, In(1000));
    EXPECT_OK(SetExpiry(transaction, row_, found, 0));
    EXPECT_OK(FindKey(transaction, row_, Look::kSizes, found));
    EXPECT_EQ(found.expiry_ms, 0U);
    DeleteKey(transaction, row_, found);
    EXPECT_OK(FindKey(transaction, row_, Look::kType, found));
    EXPECT_FALSE(found.exists());
    transaction.Put(field_, MakeObject("value"));
    EXPECT_OK(FindKey(transaction, row_, Look::kType, found));
    EXPECT_EQ(found.type, KeyType::kHash);
    PutString(transaction, row_, found, MakeObject("two"), 0);
  });
  EXPECT_EQ(Find(Look::kValue).text(), "two");
  EXPECT_EQ(Find(Look::kType).row.columns, 0U);
}

TEST_P(KeyspaceTest, NamesThatCanBeStored) {
  EXPECT_FALSE(IsStorable(""));
  EXPECT_TRUE(IsStorable("k"));
  EXPECT_TRUE(IsStorable(std::string(65'535, 'k')));
  EXPECT_FALSE(IsStorable(std::string(65'536, 'k')));
  EXPECT_TRUE(IsStorableField(""));
  EXPECT_FALSE(IsStorableField(std::string(65'536, 'k')));
}

INSTANTIATE_TEST_SUITE_P(Stores, KeyspaceTest, testing::ValuesIn(kStores), StoreKindName);

}  // namespace
}  // namespace cirein::resp
