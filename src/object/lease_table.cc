// SPDX-License-Identifier: Apache-2.0
#include "object/lease_table.h"

#include <algorithm>
#include <utility>

namespace cirein {

void Recall::Begin(TimerService& timers, std::function<void()> resume) {
  {
    const std::lock_guard lock(mutex_);
    if (left_ != 0) {
      resume_ = std::move(resume);
      timers_ = &timers;
      timer_ = timers.RunAt(end_, [self = shared_from_this()] { self->Finish(); });
      return;
    }
  }
  resume();
}

void Recall::Returned() {
  {
    const std::lock_guard lock(mutex_);
    if (left_ == 0 || --left_ != 0) return;
  }
  Finish();
}

void Recall::Finish() {
  std::function<void()> resume;
  {
    const std::lock_guard lock(mutex_);
    left_ = 0;
    resume = std::exchange(resume_, nullptr);
  }
  if (!resume) return;
  timers_->CancelTimer(timer_);
  resume();
}

std::string LeaseTable::NameOf(const KeyView& row) {
  std::string name(sizeof(std::uint32_t), '\0');
  const std::uint32_t bucket = row.bucket.id();
  for (std::size_t i = 0; i < sizeof bucket; ++i) {
    name[i] = static_cast<char>(bucket >> (8 * i) & 0xFF);
  }
  return name.append(row.row);
}

void LeaseTable::EraseIfUnused(Rows::iterator row) {
  if (row->second.changes_waiting == 0 && row->second.columns.empty()) rows_.erase(row);
}

bool LeaseTable::Grant(const KeyView& key, const std::shared_ptr<CopyHolder>& holder, TimePoint end,
                       TimePoint now) {
  Purge(now);
  if (granted_.size() >= kLeasesMax) return false;
  std::string name = NameOf(key);
  Row& row = rows_[name];
  if (row.changes_waiting != 0) return false;
  Column column = ColumnOf(key);
  std::vector<Lease>& leases = row.columns[column];
  const auto same = std::find_if(leases.begin(), leases.end(),
                                 [&](const Lease& lease) { return lease.holder == holder; });
  if (same == leases.end()) {
    leases.push_back({++last_number_, holder, end, false, {}});
    ++size_;
  } else {
    // A new number: an answer to what it was asked before counts no more.
    *same = {++last_number_, holder, std::max(end, same->end), false, {}};
  }
  granted_.push_back({end, std::move(name), std::move(column)});
  return true;
}

bool LeaseTable::IsLent(const KeyView& row, const Meant& meant, TimePoint now) const {
  const auto found = rows_.find(NameOf(row));
  if (found == rows_.end()) return false;
  const auto& columns = found->second.columns;
  return std::any_of(columns.begin(), columns.end(), [&](const auto& column) {
    const std::vector<Lease>& leases = column.second;
    return meant(column.first) && std::any_of(leases.begin(), leases.end(),
                                              [&](const Lease& lease) { return lease.end > now; });
  });
}

std::shared_ptr<Recall> LeaseTable::CallBack(const KeyView& row, const Meant& meant, TimePoint now,
                                             std::vector<Lent>& tell) {
  Row& here = rows_.at(NameOf(row));
  std::vector<Lease*> leases;
  TimePoint end = now;
  for (auto& [column, lent] : here.columns) {
    if (!meant(column)) continue;
    for (Lease& lease : lent) {
      if (lease.end <= now) continue;
      leases.push_back(&lease);
      end = std::max(end, lease.end);
      if (std::exchange(lease.asked, true)) continue;
      Key key = column ? Key(std::string(row.row), *column) : Key(std::string(row.row));
      tell.push_back({lease.holder, std::move(key.set_bucket(row.bucket)), lease.number});
    }
  }
  ++here.changes_waiting;
  auto recall = std::make_shared<Recall>(leases.size(), end);
  for (Lease* lease : leases) lease->recalls.push_back(recall);
  // In the order in which they were lent: every run the same.
  std::sort(tell.begin(), tell.end(),
            [](const Lent& a, const Lent& b) { return a.lease < b.lease; });
  return recall;
}

void LeaseTable::Leave(const KeyView& row) {
  const auto found = rows_.find(NameOf(row));
  if (found == rows_.end()) return;
  --found->second.changes_waiting;
  EraseIfUnused(found);
}

void LeaseTable::Returned(const KeyView& key, std::uint64_t lease,
                          std::vector<std::shared_ptr<Recall>>& waited) {
  const auto row = rows_.find(NameOf(key));
  if (row == rows_.end()) return;
  const auto column = row->second.columns.find(ColumnOf(key));
  if (column == row->second.columns.end()) return;
  std::vector<Lease>& leases = column->second;
  const auto found = std::find_if(leases.begin(), leases.end(),
                                  [&](const Lease& each) { return each.number == lease; });
  if (found == leases.end()) return;
  std::move(found->recalls.begin(), found->recalls.end(), std::back_inserter(waited));
  leases.erase(found);
  --size_;
  if (!leases.empty()) return;
  row->second.columns.erase(column);
  EraseIfUnused(row);
}

void LeaseTable::Purge(TimePoint now) {
  for (; !granted_.empty() && granted_.front().end <= now; granted_.pop_front()) {
    const auto row = rows_.find(granted_.front().row);
    if (row == rows_.end()) continue;
    const auto column = row->second.columns.find(granted_.front().column);
    if (column == row->second.columns.end()) continue;
    size_ -= std::erase_if(column->second, [&](const Lease& lease) { return lease.end <= now; });
    if (!column->second.empty()) continue;
    row->second.columns.erase(column);
    EraseIfUnused(row);
  }
}

void LeaseTable::Clear(std::vector<std::shared_ptr<Recall>>& waited) {
  for (auto& [name, row] : rows_) {
    for (auto& [column, leases] : row.columns) {
      for (Lease& lease : leases) {
        std::move(lease.recalls.begin(), lease.recalls.end(), std::back_inserter(waited));
      }
    }
  }
  rows_.clear();
  granted_.clear();
  size_ = 0;
}

}  // namespace cirein
