// SPDX-License-Identifier: Apache-2.0
// Readers beside the writer. The thread sanitizer sees more here than the assertions do.
#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "dpm/index.h"
#include "dpm/index_fixture.h"
#include "support/seed.h"

namespace cirein::dpm::test {
namespace {

constexpr std::size_t kRows = 40;
constexpr std::size_t kColumns = 30;

class IndexThreadsTest : public IndexTest {
 protected:
  IndexThreadsTest() : IndexTest(1024, 1024) {
    for (std::size_t i = 0; i < kRows; ++i) rows_.push_back("row" + std::to_string(i));
    for (std::size_t i = 0; i < kColumns; ++i) columns_.push_back(std::to_string(i));
  }

  KeyView Key(std::size_t i) const {
    const std::size_t column = i / kRows;
    return column == 0 ? RowKey(rows_[i % kRows])
                       : ColumnKey(rows_[i % kRows], columns_[column - 1]);
  }
  static constexpr std::size_t kKeys = kRows * (kColumns + 1);

  /// A reader that is not given the processor holds up what is to be used again: then wait for it.
  Index::Outcome ApplyWhenThereIsRoom(const Index::Op& op) {
    for (;;) {
      const Index::Outcome outcome = Apply(op);
      if (outcome != Index::Outcome::kNoSpace) return outcome;
      index_->Reclaim();
      std::this_thread::yield();
    }
  }

  std::vector<std::string> rows_;
  std::vector<std::string> columns_;
};

// A reader always sees a whole entry of the very key, never one older than it saw before, and never
// one older than what was applied before it began to read.
TEST_F(IndexThreadsTest, ReadersSeeEveryKeyGoForward) {
  const std::uint64_t seed = cirein::test::Seed();
  // Of each key: a version that is applied, so that no later read may give an older one.
  std::array<std::atomic<std::uint64_t>, kKeys> applied{};
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> reads{0};
  const auto check = [&](const Index::Found& found, const KeyView& key) {
    EXPECT_EQ(found.entry.row(), key.row);
    EXPECT_EQ(found.entry.column(), key.column);
    EXPECT_EQ(found.entry.has_column(), key.has_column);
    EXPECT_EQ(found.entry.bytes(), log_.bytes() + found.location.offset);
  };
  const auto read = [&](std::uint64_t reader_seed) {
    Random random(reader_seed);
    ReadEpochs::Reader reader = epochs_.NewReader();
    std::vector<std::uint64_t> seen(kKeys, 0);
    while (!stop.load(std::memory_order_relaxed)) {
      const std::size_t i = random.Below(kKeys);
      const KeyView key = Key(i);
      const std::uint64_t at_least = applied[i].load(std::memory_order_acquire);
      const ReadEpochs::Guard guard(reader);
      if (const auto found = index_->Find(key, 1)) {
        check(*found, key);
        const std::uint64_t version = found->entry.version().counter;
        EXPECT_GE(version, std::max(at_least, seen[i]));
        seen[i] = version;
      }
      if (random.OneIn(50)) {
        index_->WalkRow(RowKey(key.row), 1, [&](const Index::Found& found) {
          EXPECT_EQ(found.entry.row(), key.row);
          return true;
        });
      }
      if (random.OneIn(500))
        index_->WalkSlot(1, [](const Index::Found& f) { return bool(f.entry); });
      reads.fetch_add(1, std::memory_order_relaxed);
    }
  };
  std::vector<std::thread> readers;
  for (std::uint64_t i = 0; i < 2; ++i) readers.emplace_back(read, seed + 1 + i);

  Random random(seed);
  std::vector<Index::Op> current(kKeys);
  std::uint64_t version = 0;
  for (int round = 0; round < 40 || reads.load() < 1000; ++round) {
    for (int n = 0; n < 600 && round < 40; ++n) {
      const std::size_t i = random.Below(kKeys);
      const Index::Op op = log_.Object(Key(i), ++version);
      ApplyWhenThereIsRoom(op);
      current[i] = op;
      applied[i].store(version, std::memory_order_release);
    }
    // Rows shrink to nothing and come again, in lines that are used again.
    for (std::size_t i = 0; i < kKeys && round < 40; ++i) {
      if (current[i].entry && round % 4 == 3) {
        EXPECT_TRUE(index_->Forget(current[i].entry, current[i].location));
        current[i] = {};
      }
    }
    index_->Reclaim();
    std::this_thread::yield();
  }
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
  for (const Index::Op& op : current) {
    if (op.entry) {
      EXPECT_TRUE(index_->Forget(op.entry, op.location));
    }
  }
  EXPECT_EQ(UsedBytes(), 0U);
}

// A row is deleted and written again, over and over: a reader never sees a column of a life of the
// row that it knows to be over.
TEST_F(IndexThreadsTest, ARowEntryHidesForReadersAtOnce) {
  std::atomic<std::uint64_t> hidden{0};
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> reads{0};
  std::thread reading([&] {
    ReadEpochs::Reader reader = epochs_.NewReader();
    for (std::uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
      const std::uint64_t hide = hidden.load(std::memory_order_acquire);
      const ReadEpochs::Guard guard(reader);
      if (const auto found = index_->Find(Key(kRows * (1 + i % kColumns)), 1)) {
        EXPECT_GE(found->entry.version().counter, hide);
        if (found->row_entry) {
          EXPECT_GE(found->entry.version(), found->row_entry.hide_below());
        }
      }
      index_->WalkRow(RowKey(rows_[0]), 1, [&](const Index::Found& found) {
        EXPECT_GE(found.entry.version().counter, hide);
        return true;
      });
      reads.fetch_add(1, std::memory_order_relaxed);
    }
  });
  std::uint64_t version = 0;
  for (int round = 0; round < 500 || reads.load() < 100; ++round) {
    if (round >= 500) {
      std::this_thread::yield();
      continue;
    }
    for (std::size_t column = 0; column < kColumns; ++column) {
      ASSERT_EQ(ApplyWhenThereIsRoom(log_.Object(ColumnKey(rows_[0], columns_[column]), ++version)),
                Index::Outcome::kApplied);
    }
    ++version;
    ASSERT_EQ(ApplyWhenThereIsRoom(log_.Row(rows_[0], version, version)), Index::Outcome::kApplied);
    hidden.store(version, std::memory_order_release);
    index_->Reclaim();
  }
  stop.store(true);
  reading.join();
}

}  // namespace
}  // namespace cirein::dpm::test
