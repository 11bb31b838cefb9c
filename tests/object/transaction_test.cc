// SPDX-License-Identifier: Apache-2.0
#include "object/transaction.h"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "node/node.h"
#include "object/striped_store.h"
#include "region/shadow_space.h"
#include "runtime/manual_executor.h"
#include "runtime/virtual_environment.h"
#include "support/objects.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::MakeObject;

const Bucket kBucket{7};

enum class Kind { kMemory, kNode };

class TransactionTest : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::kMemory) {
      store_ = StripedStore::Create(world_.environment(), {.stripes = 4, .memory_limit_bytes = 0});
      return;
    }
    auto space = std::make_unique<ShadowSpace>(ShadowSpace::Medium::kFlushable);
    dpm::CreateOptions create;
    create.segment_bytes = 64 * 1024;
    create.log_bytes = 64 * create.segment_bytes;
    create.index_bytes = 4 << 20;
    create.pool_id = 1;
    ASSERT_OK(dpm::Dpm::Create(*space, create));
    auto node = node::Node::Open(std::move(space), world_.environment(), executor_,
                                 {.shards = 4, .shared_log = true});
    ASSERT_OK(node);
    node_ = std::move(*node);
    store_ = node_->store();
  }
  void TearDown() override {
    if (node_ != nullptr) {
      EXPECT_OK(node_->Close());
    }
  }
  static KeyView Row(std::string_view row) { return KeyView(kBucket, row); }
  static KeyView Cell(std::string_view row, std::string_view column) {
    KeyView key(kBucket, row);
    key.has_column = true;
    key.column = column;
    return key;
  }
  void Commit(Transaction&& transaction) {
    StripedStore::Committed committed = store_->Commit(std::move(transaction));
    EXPECT_OK(committed.status);
    if (committed.ticket != 0) {
      EXPECT_OK(committed.keeper->Await(committed.ticket));
    }
    StripedStore::Tell(committed, OkStatus());
  }
  static std::vector<std::string> Walk(Transaction& transaction, const KeyView& row) {
    std::vector<std::string> seen;
    EXPECT_OK(transaction.WalkRow(
        row, Load::kObject, [&](const KeyView& key, const StoredObject& stored) {
          seen.push_back(key.ToKey().ToString() + "=" + std::string(stored.object.text()));
          return true;
        }));
    return seen;
  }

  VirtualEnvironment world_;
  ManualExecutor executor_{"pool"};
  std::shared_ptr<node::Node> node_;
  std::shared_ptr<StripedStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Stores, TransactionTest, testing::Values(Kind::kMemory, Kind::kNode),
                         [](const auto& kind) {
                           return kind.param == Kind::kMemory ? std::string("Memory")
                                                              : std::string("Node");
                         });

TEST_P(TransactionTest, SeesItsOwnChangesAndLeavesAllOrNone) {
  const std::vector<KeyView> rows = {Row("a"), Row("b"), Row("c")};
  {
    Transaction given_up = store_->Begin(rows);
    given_up.Put(Row("a"), MakeObject("1"));
    EXPECT_TRUE(given_up.GetRow(Row("a"))->has_object);
  }
  Transaction transaction = store_->Begin(rows);
  EXPECT_FALSE(transaction.GetRow(Row("a"))->exists()) << "nothing is left of one given up";
  transaction.Put(Row("a"), MakeObject("1"));
  transaction.Put(Cell("b", "y"), MakeObject("2"));
  transaction.Put(Cell("b", ""), MakeObject("3"));
  EXPECT_EQ(transaction.GetRow(Row("b"))->columns, 2U);
  transaction.Drop(Cell("b", "y"));
  transaction.Put(Cell("b", "x"), MakeObject("4"));
  EXPECT_EQ(Walk(transaction, Row("b")), (std::vector<std::string>{"b|=3", "b|x=4"}));
  Commit(std::move(transaction));

  Transaction later = store_->Begin(rows);
  EXPECT_EQ(Walk(later, Row("b")), (std::vector<std::string>{"b|=3", "b|x=4"}));
  EXPECT_EQ(Walk(later, Row("a")), (std::vector<std::string>{"a=1"}));
}

// A row's columns are counted whichever of them a transaction changes first.
TEST_P(TransactionTest, CountsTheColumnsOfARowThatItChanges) {
  const KeyView row = Row("r");
  Transaction first = store_->Begin(std::span(&row, 1));
  first.Put(Cell("r", "b"), MakeObject("1"));
  Commit(std::move(first));
  Transaction second = store_->Begin(std::span(&row, 1));
  second.Put(Cell("r", "a"), MakeObject("1"));
  Commit(std::move(second));
  Transaction third = store_->Begin(std::span(&row, 1));
  third.Drop(Cell("r", "a"));
  EXPECT_EQ(third.GetRow(row)->columns, 1U);
  EXPECT_FALSE(third.GetRow(row)->has_object);
}

TEST_P(TransactionTest, AMarkGrowsWithEachWriteToARowThatIsWatched) {
  const KeyView row = Row("r");
  const std::uint64_t mark = store_->Watch(row);
  const auto now = [&] { return store_->Begin(std::span(&row, 1)).WatchMark(row); };
  EXPECT_EQ(now(), mark);
  PutRequest request;
  request.object = MakeObject("1");
  ASSERT_OK(store_->Publish(row, std::move(request)));
  const std::uint64_t published = now();
  EXPECT_GT(published, mark);
  Transaction transaction = store_->Begin(std::span(&row, 1));
  transaction.ExpireRow(row, transaction.now_ms() + 1000);
  Commit(std::move(transaction));
  EXPECT_GT(now(), published);
  Pattern all = Pattern::Row("r");
  all.set_bucket(kBucket);
  const std::uint64_t changed = now();
  ASSERT_OK(store_->Drop(all, kEndOfTime));
  EXPECT_GT(now(), changed);
  store_->Unwatch(row);
}

TEST_P(TransactionTest, AnswersThoseWhoWaitOnceItIsKept) {
  const KeyView row = Row("r");
  Pattern wanted = Key("r");
  wanted.set_bucket(kBucket);
  std::optional<std::string> answer;
  store_->Want(wanted, kEndOfTime, [&](const Result<NamedObject>& object) {
    ASSERT_OK(object);
    answer = std::string(object->object.text());
  });
  Transaction transaction = store_->Begin(std::span(&row, 1));
  transaction.Put(row, MakeObject("first"));
  transaction.Put(row, MakeObject("last"));
  Commit(std::move(transaction));
  EXPECT_EQ(answer, "last");
}

TEST_P(TransactionTest, RowsShowWhatItHasMadeOfThem) {
  for (const char* name : {"a", "b", "c", "d"}) {
    const KeyView row = Row(name);
    Transaction transaction = store_->Begin(std::span(&row, 1));
    transaction.Put(row, MakeObject("1"));
    Commit(std::move(transaction));
  }
  Transaction transaction = store_->BeginAll();
  transaction.DropRow(Row("b"));
  transaction.Put(Cell("e", "f"), MakeObject("1"));
  std::vector<std::string> names;
  Pattern all = Pattern::RowPrefix("");
  all.set_bucket(kBucket);
  for (Engine::RowName from;;) {
    const auto page = transaction.Rows(from, all, 2);
    ASSERT_OK(page);
    for (const auto& row : page->rows) names.push_back(row.name);
    if (!page->next) break;
    from = *page->next;
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"a", "c", "d", "e"}));
}

// Random transactions against a map: what each sees, and what is there afterwards.
TEST_P(TransactionTest, DoesWhatAMapDoes) {
  Random random(test::Seed());
  using Columns = std::map<std::optional<std::string>, std::string>;
  std::map<std::string, Columns> model;
  const std::vector<std::string> names = {"a", "b", "c", "d", "e"};
  const std::vector<std::string> columns = {"", "x", "y"};
  std::vector<KeyView> rows;
  for (const std::string& name : names) rows.push_back(Row(name));
  for (int step = 0; step < 1500 && !HasFailure(); ++step) {
    Transaction transaction = store_->Begin(rows);
    auto changed = model;
    for (std::uint64_t i = 0, count = 1 + random.Below(6); i < count; ++i) {
      const std::string& name = names[random.Below(names.size())];
      const std::string& column = columns[random.Below(columns.size())];
      const bool has_column = !random.OneIn(3);
      const KeyView key = has_column ? Cell(name, column) : Row(name);
      std::optional<std::string> model_column;
      if (has_column) model_column = column;
      Columns& row = changed[name];
      switch (random.Below(5)) {
        case 0:
          transaction.DropRow(Row(name));
          row.clear();
          break;
        case 1:
          transaction.Drop(key);
          row.erase(model_column);
          break;
        default: {
          const std::string value = std::to_string(step) + "." + std::to_string(i);
          transaction.Put(key, MakeObject(value));
          row[model_column] = value;
        }
      }
      if (random.OneIn(2)) continue;
      std::vector<std::string> there;
      for (const auto& [each, value] : row) {
        there.push_back((each ? Key(name, *each) : Key(name)).ToString() + "=" + value);
      }
      EXPECT_EQ(Walk(transaction, Row(name)), there);
      const RowState state = *transaction.GetRow(Row(name));
      EXPECT_EQ(state.columns + (state.has_object ? 1 : 0), row.size());
      EXPECT_EQ(state.has_object, row.contains(std::nullopt));
    }
    if (random.OneIn(3)) continue;  // Given up.
    Commit(std::move(transaction));
    model = std::move(changed);
    if (node_ != nullptr && random.OneIn(4)) executor_.RunAll();
  }
}

}  // namespace
}  // namespace cirein
