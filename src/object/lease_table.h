// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "cirein/key.h"

#include "object/key_view.h"
#include "runtime/clock.h"
#include "runtime/timers.h"

namespace cirein {

/// Somebody elsewhere who is lent copies of objects.
class CopyHolder {
 public:
  virtual ~CopyHolder() = default;
  /// Asks for a copy back. When it is gone, StripedStore::Returned is told the lease's number; when
  /// that is not known, nobody is told, and the lease ends by itself. The key has its bucket. With
  /// no lock held; must not block.
  virtual void Recall(const Key& key, std::uint64_t lease) = 0;
};

/// A change that waits until the copies of what it changes have come back, or their leases are
/// over. Thread-safe.
class Recall : public std::enable_shared_from_this<Recall> {
 public:
  /// Of so many leases, the latest of which ends at `end`.
  Recall(std::size_t copies, TimePoint end) : left_(copies), end_(end) {}

  /// Has `resume` run once that is so, once: inside the call if it is, else on the thread that
  /// gives the last one back, on that of `timers`, which outlives the recall, or inside of Finish.
  void Begin(TimerService& timers, std::function<void()> resume);
  /// One of the copies is gone.
  void Returned();
  /// Waits no longer.
  void Finish();

 private:
  std::mutex mutex_;  // Of all below.
  std::size_t left_;
  const TimePoint end_;
  TimerService* timers_ = nullptr;
  TimerService::TimerId timer_ = 0;
  std::function<void()> resume_;  // Null before Begin, and once it was run.
};

/// Which objects of a partition are lent to others, and until when. What is lent must not change:
/// who wants to change it calls the copies back first (the design notes' "Copies at requesters").
/// Not thread-safe; guarded like the partition.
class LeaseTable {
 public:
  /// A copy that is to be called back.
  struct Lent {
    std::shared_ptr<CopyHolder> holder;
    Key key;  ///< With its bucket.
    std::uint64_t lease = 0;
  };
  /// Which objects of a row are meant, by their columns (nullopt: the one without).
  using Meant = std::function<bool(std::optional<std::string_view> column)>;

  /// More leases are not given at a time.
  static constexpr std::size_t kLeasesMax = 65'536;

  bool empty() const noexcept { return rows_.empty(); }
  /// Leases that have not been taken out, which may be over.
  std::size_t size() const noexcept { return size_; }

  /// Has Purge nothing left to do, ever?
  bool purged() const noexcept { return granted_.empty(); }

  /// Lends until `end`. False, and it must not be kept elsewhere: a change of its row waits, or too
  /// many are lent.
  bool Grant(const KeyView& key, const std::shared_ptr<CopyHolder>& holder, TimePoint end,
             TimePoint now);
  bool IsLent(const KeyView& row, const Meant& meant, TimePoint now) const;
  /// Calls back what is meant of a row: a change of it waits from now on, until Leave. Adds to
  /// `tell` those that were not asked yet. Something is lent.
  std::shared_ptr<Recall> CallBack(const KeyView& row, const Meant& meant, TimePoint now,
                                   std::vector<Lent>& tell);
  /// A change of the row waits no longer.
  void Leave(const KeyView& row);
  /// A lease is over; adds who waited for it.
  void Returned(const KeyView& key, std::uint64_t lease,
                std::vector<std::shared_ptr<Recall>>& waited);
  /// Takes out leases that ended by `now`, up to the first that was granted and has not.
  void Purge(TimePoint now);
  /// Takes out all; adds who waited for any.
  void Clear(std::vector<std::shared_ptr<Recall>>& waited);

 private:
  struct Lease {
    std::uint64_t number = 0;
    std::shared_ptr<CopyHolder> holder;
    TimePoint end{};
    bool asked = false;
    std::vector<std::shared_ptr<Recall>> recalls;
  };
  using Column = std::optional<std::string>;
  struct Row {
    std::size_t changes_waiting = 0;
    absl::flat_hash_map<Column, std::vector<Lease>> columns;
  };
  using Rows = absl::flat_hash_map<std::string, Row>;
  struct Granted {
    TimePoint end{};
    std::string row;  // As in rows_.
    Column column;
  };

  static std::string NameOf(const KeyView& row);
  static Column ColumnOf(const KeyView& key) {
    return key.has_column ? Column(key.column) : std::nullopt;
  }
  void EraseIfUnused(Rows::iterator row);

  Rows rows_;                    // By bucket and row.
  std::deque<Granted> granted_;  // In order.
  std::size_t size_ = 0;
  std::uint64_t last_number_ = 0;
};

}  // namespace cirein
