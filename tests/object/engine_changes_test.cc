// SPDX-License-Identifier: Apache-2.0

// Several changes as one, and rows as a whole: what Redis's commands stand on.

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "object/engine_fixture.h"
#include "support/objects.h"
#include "support/random_names.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using namespace std::chrono_literals;
using test::EngineTest;
using test::kBucket;
using test::kEngines;
using test::MakeObject;

// Rows as they should be.
struct ModelRow {
  std::map<std::optional<std::string>, std::pair<std::string, std::uint64_t>> objects;
  std::uint64_t expiry_ms = 0;
};

class EngineChangesTest : public EngineTest {
 protected:
  std::uint64_t NowMs() const {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(clock_.WallNow()).count());
  }
  Change& Add(Change::Kind kind, const Key& key) {
    history_ += " " + std::to_string(static_cast<int>(kind)) + ":" + key.ToString();
    keys_.push_back(key);
    changes_.push_back({.kind = kind, .key = KeyView(kBucket, keys_.back())});
    return changes_.back();
  }
  void Put(const Key& key, const std::string& data, std::uint64_t expiry_ms = 0) {
    Change& change = Add(Change::Kind::kPut, key);
    change.object = MakeObject(data);
    change.expiry_ms = expiry_ms;
  }
  void Expire(const std::string& row, std::uint64_t expiry_ms) {
    Add(Change::Kind::kExpireRow, Key(row)).expiry_ms = expiry_ms;
  }
  Status Apply() {
    Engine::Part part{&engine(), {}};
    for (Change& change : changes_) part.changes.push_back(&change);
    Status applied = engine().Apply(std::span(&part, 1), garbage_);
    changes_.clear();
    keys_.clear();
    garbage_.clear();
    return applied;
  }
  RowState State(const std::string& row) {
    const auto state = engine().GetRowState(KeyView(kBucket, row));
    EXPECT_OK(state);
    return *state;
  }

  std::deque<Key> keys_;
  std::deque<Change> changes_;
  std::string history_;  // What was done, for who reads of a failure.
};

INSTANTIATE_TEST_SUITE_P(Engines, EngineChangesTest, testing::ValuesIn(kEngines),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST_P(EngineChangesTest, CountsColumnsAndTellsTheObjectApart) {
  EXPECT_FALSE(State("r").exists());
  Put(Key("r", ""), "empty column");
  Put(Key("r", "a"), "1");
  ASSERT_OK(Apply());
  EXPECT_EQ(State("r").columns, 2U);
  EXPECT_FALSE(State("r").has_object);
  Put(Key("r", "a"), "2");
  Put(Key("r"), "object");
  Add(Change::Kind::kDrop, Key("r", "none"));
  ASSERT_OK(Apply());
  EXPECT_EQ(State("r").columns, 2U);
  EXPECT_TRUE(State("r").has_object);
  host_->Work();
  Add(Change::Kind::kDrop, Key("r", ""));
  ASSERT_OK(Apply());
  EXPECT_EQ(State("r").columns, 1U);
}

TEST_P(EngineChangesTest, DropsARowAndWhatTheSameGroupPutBefore) {
  Put(Key("r", "old"), "1");
  ASSERT_OK(Apply());
  host_->Work();
  EXPECT_EQ(State("r").columns, 1U);
  Put(Key("r", "passing"), "2");
  Add(Change::Kind::kDropRow, Key("r"));
  Put(Key("r"), "string");
  ASSERT_OK(Apply());
  EXPECT_EQ(State("r").columns, 0U);
  EXPECT_EQ(Get(Key("r")), "string");
  EXPECT_EQ(Get(Key("r", "old")), "none");
  EXPECT_EQ(Get(Key("r", "passing")), "none");
  host_->Work();
  EXPECT_EQ(State("r").columns, 0U);
  EXPECT_EQ(Get(Key("r")), "string");
}

// Together they are many times what the log of a pool takes in one piece.
TEST_P(EngineChangesTest, TakesAGroupOfManyMiddlingObjects) {
  const auto data = [](int i) { return std::string(8000, static_cast<char>('a' + i)); };
  for (int i = 0; i < 20; ++i) Put(Key("r" + std::to_string(i)), data(i));
  for (int i = 0; i < 20; ++i) Put(Key("row", "c" + std::to_string(i)), "small");
  ASSERT_OK(Apply());
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Get(Key("r" + std::to_string(i))), data(i));
    EXPECT_EQ(Get(Key("row", "c" + std::to_string(i))), "small");
  }
}

TEST_P(EngineChangesTest, ExpiresARowAsAWholeAndCanTakeItBack) {
  Put(Key("r", "a"), "1");
  ASSERT_OK(Apply());
  const std::uint64_t at = NowMs() + 1000;
  Expire("r", at);
  ASSERT_OK(Apply());
  EXPECT_EQ(State("r").expiry_ms, at);
  host_->Work();
  Put(Key("r", "b"), "2");
  Expire("r", 0);
  ASSERT_OK(Apply());
  clock_.Advance(2s);
  EXPECT_EQ(State("r").columns, 2U);
  EXPECT_EQ(State("r").expiry_ms, 0U);
  Expire("r", NowMs() + 1000);
  ASSERT_OK(Apply());
  host_->Work();
  EXPECT_EQ(Get(Key("r", "b")), "2");
  clock_.Advance(1s);
  EXPECT_EQ(Get(Key("r", "b")), "none");
  EXPECT_FALSE(State("r").exists());
  EXPECT_TRUE(Rows(Pattern::RowPrefix(""), 10).empty());
  // What comes afterwards is new.
  Put(Key("r", "c"), "3");
  ASSERT_OK(Apply());
  clock_.Advance(100s);
  host_->Work();
  EXPECT_EQ(State("r").columns, 1U);
  EXPECT_EQ(State("r").expiry_ms, 0U);
  EXPECT_EQ(Walk(Pattern::Row("r")), std::vector<std::string>{"r|c"});
}

TEST_P(EngineChangesTest, TheLastColumnTakesTheExpiryWithIt) {
  Put(Key("r", "a"), "1");
  Expire("r", NowMs() + 1000);
  ASSERT_OK(Apply());
  EXPECT_EQ(Drop(Pattern(Key("r", "a"))), 1U);
  Put(Key("r", "b"), "2");
  ASSERT_OK(Apply());
  EXPECT_EQ(State("r").expiry_ms, 0U);
  clock_.Advance(2s);
  EXPECT_EQ(Get(Key("r", "b")), "2");
}

// Columns that expire by themselves leave the row's own expiry to nobody.
TEST_P(EngineChangesTest, ARowThatRanEmptyBeginsAnew) {
  Put(Key("r", "a"), "1", NowMs() + 300);
  Expire("r", NowMs() + 100'000);
  ASSERT_OK(Apply());
  clock_.Advance(500ms);
  EXPECT_FALSE(State("r").exists());
  EXPECT_EQ(State("r").expiry_ms, 0U);
  Put(Key("r", "b"), "2");
  ASSERT_OK(Apply());
  EXPECT_EQ(State("r").expiry_ms, 0U);
  clock_.Advance(200s);
  EXPECT_EQ(Get(Key("r", "b")), "2");
}

// The object beside them keeps the row, whoever finds it next.
TEST_P(EngineChangesTest, ColumnsThatAllExpiredLeaveTheObjectBesideThem) {
  Put(Key("r"), "object");
  Put(Key("r", "a"), "1", NowMs() + 300);
  ASSERT_OK(Apply());
  clock_.Advance(200ms);
  const std::uint64_t at = NowMs() + 100'000;
  Expire("r", at);
  ASSERT_OK(Apply());
  clock_.Advance(200ms);
  PutRequest request;
  request.mode = PutMode::kOverwrite;
  EngineTest::Put(Key("r", "b"), "2", std::move(request));
  EXPECT_EQ(Get(Key("r")), "object");
  EXPECT_EQ(Get(Key("r", "b")), "2");
  EXPECT_EQ(State("r").expiry_ms, at);
  EXPECT_EQ(State("r").columns, 1U);
}

TEST_P(EngineChangesTest, APrefixThatTakesAllColumnsTakesTheExpiry) {
  Put(Key("r", "a1"), "1");
  Put(Key("r", "a2"), "2");
  Expire("r", NowMs() + 1000);
  ASSERT_OK(Apply());
  EXPECT_EQ(Drop(Pattern::ColumnPrefix("r", "a")), 2U);
  Put(Key("r", "b"), "3");
  ASSERT_OK(Apply());
  clock_.Advance(5s);
  EXPECT_EQ(Get(Key("r", "b")), "3");
}

// Nobody has asked for them: the sweep finds them, however many there are before them.
TEST_P(EngineChangesTest, SweepsRowsThatAreOver) {
  for (int i = 0; i < 50; ++i) {
    const std::string row = "r" + std::to_string(i);
    Put(Key(row, "a"), "1");
    Expire(row, NowMs() + (i < 40 ? 1'000'000 : 1000));
  }
  ASSERT_OK(Apply());
  clock_.Advance(2s);
  for (int i = 0; i < 20; ++i) engine().Sweep(8, garbage_);
  EXPECT_EQ(Rows(Pattern::RowPrefix(""), 100).size(), 40U);
  garbage_.clear();
}

TEST_P(EngineChangesTest, ExpiryIsKeptToTheMillisecond) {
  const std::uint64_t at = NowMs() + 12'345;
  Put(Key("s"), "v", at);
  ASSERT_OK(Apply());
  clock_.Advance(1234567ns);
  StoredObject found;
  ASSERT_TRUE(engine().Get(KeyView(kBucket, "s"), Load::kObject, found).value());
  EXPECT_EQ(found.expiry_ms, at);
}

// Random changes, natives' too, beside merging and passing time, against the model.
TEST_P(EngineChangesTest, DoesWhatTheModelDoes) {
  Random random(test::Seed());
  std::map<std::string, ModelRow> model;
  const std::vector<std::string> rows = {"a", "b", "{a}1", "c"};
  const std::vector<std::string> columns = {"", "x", "y", "z"};
  const auto tidy = [&] {
    for (auto& [name, row] : model) {
      std::erase_if(row.objects, [&](const auto& object) {
        return object.second.second != 0 && object.second.second <= NowMs();
      });
      if (row.expiry_ms != 0 && row.expiry_ms <= NowMs()) row = {};
      if (row.objects.empty()) row.expiry_ms = 0;
    }
  };
  const auto key_of = [](const std::string& row, const std::optional<std::string>& column) {
    return column ? Key(row, *column) : Key(row);
  };
  const auto check = [&](const std::string& name) {
    const ModelRow& row = model[name];
    const RowState state = State(name);
    EXPECT_EQ(state.has_object, row.objects.contains(std::nullopt)) << name;
    EXPECT_EQ(state.columns + (state.has_object ? 1 : 0), row.objects.size()) << name << history_;
    EXPECT_EQ(state.expiry_ms, row.expiry_ms) << name;
    std::vector<std::string> names;
    for (const auto& [column, object] : row.objects) {
      EXPECT_EQ(Get(key_of(name, column)), object.first) << name;
      names.push_back(key_of(name, column).ToString());
    }
    EXPECT_EQ(Walk(Pattern::Row(name)), names);
  };
  for (int step = 0; step < 3000 && !HasFailure(); ++step) {
    const std::string row = rows[random.Below(rows.size())];
    std::optional<std::string> column;
    if (!random.OneIn(4)) column = columns[random.Below(columns.size())];
    const std::string data = "v" + std::to_string(step);
    const std::uint64_t choice = random.Below(12);
    history_ += "\n" + std::to_string(step) + ", at " + std::to_string(NowMs() % 1'000'000) +
                ", does " + std::to_string(choice) + " " + key_of(row, column).ToString() + ":";
    switch (choice) {
      case 0:
        host_->Work();
        break;
      case 1:
        clock_.Advance(std::chrono::milliseconds(random.Below(300)));
        break;
      case 2: {
        PutRequest request;
        request.mode = PutMode::kOverwrite;
        EngineTest::Put(key_of(row, column), data, std::move(request));
        model[row].objects[column] = {data, 0};
        break;
      }
      case 3: {
        const std::uint64_t there = model[row].objects.erase(column);
        EXPECT_EQ(Drop(Pattern(key_of(row, column))), there);
        break;
      }
      case 4: {
        const std::uint64_t there = model[row].objects.size();
        EXPECT_EQ(Drop(Pattern::Row(row)), there);
        model[row] = {};
        break;
      }
      case 5:
        engine().Sweep(100, garbage_);
        break;
      default:
        for (std::uint64_t i = 0, count = 1 + random.Below(4); i < count; ++i) {
          const std::string& name = random.OneIn(2) ? row : rows[random.Below(rows.size())];
          if (random.OneIn(2)) column = columns[random.Below(columns.size())];
          ModelRow& changed = model[name];
          switch (random.Below(6)) {
            case 0:
              Add(Change::Kind::kDropRow, Key(name));
              changed = {};
              break;
            case 1:
              // A group that takes the last object leaves the row's expiry to a kDropRow.
              if (changed.objects.size() == 1 && changed.objects.contains(column)) break;
              Add(Change::Kind::kDrop, key_of(name, column));
              changed.objects.erase(column);
              break;
            case 2: {
              if (changed.objects.empty()) break;
              const bool own =
                  std::any_of(changed.objects.begin(), changed.objects.end(),
                              [](const auto& object) { return object.second.second != 0; });
              if (own) break;
              changed.expiry_ms = random.OneIn(3) ? 0 : NowMs() + 1 + random.Below(500);
              Expire(name, changed.expiry_ms);
              break;
            }
            default: {
              const std::uint64_t expiry_ms =
                  changed.expiry_ms == 0 && random.OneIn(8) ? NowMs() + 1 + random.Below(300) : 0;
              const std::string value = data + "." + std::to_string(i);
              Put(key_of(name, column), value, expiry_ms);
              changed.objects[column] = {value, expiry_ms};
            }
          }
        }
        ASSERT_OK(Apply());
    }
    garbage_.clear();
    tidy();
    check(row);
    if (step % 50 == 0) {
      std::vector<std::string> there;
      for (const auto& [name, each] : model) {
        check(name);
        if (!each.objects.empty()) there.push_back(name);
      }
      // Rows of which all has just expired may be among them.
      std::vector<std::string> listed = Rows(Pattern::RowPrefix(""), 2);
      std::erase_if(listed, [&](const std::string& name) { return !State(name).exists(); });
      std::sort(listed.begin(), listed.end());
      EXPECT_EQ(listed, there);
    }
  }
}

}  // namespace
}  // namespace cirein
