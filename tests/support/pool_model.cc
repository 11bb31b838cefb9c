// SPDX-License-Identifier: Apache-2.0
#include "support/pool_model.h"

#include <utility>

namespace cirein::test {

void PoolModel::set_now(std::chrono::nanoseconds now) {
  now_ = now;
  std::erase_if(entries_, [now](const auto& named) {
    return named.second.expires && *named.second.expires <= now;
  });
}

StatusCode PoolModel::CheckPublish(const Key& key, const PublishOptions& options) const {
  const Entry* entry = Get(key);
  if (options.if_version) {
    const Version present = entry != nullptr ? entry->version : Version{};
    return present == *options.if_version ? StatusCode::kOk : StatusCode::kFailedPrecondition;
  }
  const bool overwrite = options.overwrite == Overwrite::kPoolDefault
                             ? options_.overwrites
                             : options.overwrite == Overwrite::kYes;
  return entry != nullptr && !overwrite ? StatusCode::kAlreadyExists : StatusCode::kOk;
}

std::vector<PoolModel::WaiterId> PoolModel::Publish(const Key& key, std::string data,
                                                    std::string meta, const PublishOptions& options,
                                                    Version version) {
  if (options_.stores) {
    Entry entry{std::move(data), std::move(meta), version, ++order_, std::nullopt};
    if (options.ttl) entry.expires = now_ + *options.ttl;
    entries_.insert_or_assign(key, std::move(entry));
    if (options_.keep != 0) KeepNewest(key.row());
  }
  std::vector<WaiterId> answered;
  for (const auto& [id, pattern] : waiting_) {
    if (pattern.Matches(key)) answered.push_back(id);
  }
  for (const WaiterId id : answered) waiting_.erase(id);
  return answered;
}

void PoolModel::KeepNewest(const std::string& row) {
  for (;;) {
    std::size_t columns = 0;
    auto oldest = entries_.end();
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (entry->first.row() != row || !entry->first.has_column()) continue;
      ++columns;
      if (oldest == entries_.end() || entry->second.order < oldest->second.order) oldest = entry;
    }
    if (columns <= options_.keep) return;
    entries_.erase(oldest);
  }
}

const PoolModel::Entry* PoolModel::Get(const Key& key) const {
  const auto entry = entries_.find(key);
  return entry == entries_.end() ? nullptr : &entry->second;
}

bool PoolModel::Matches(const Pattern& pattern) const { return !List(pattern).empty(); }

PoolModel::WaiterId PoolModel::Park(const Pattern& pattern) {
  waiting_.emplace(++last_waiter_, pattern);
  return last_waiter_;
}

std::uint64_t PoolModel::Drop(const Pattern& pattern) {
  return std::erase_if(entries_, [&](const auto& named) { return pattern.Matches(named.first); });
}

std::optional<RowInfo> PoolModel::GetRowInfo(const std::string& row) const {
  RowInfo info;
  for (const auto& [key, entry] : entries_) {
    if (key.row() != row) continue;
    info.user_bytes += entry.user_bytes();
    if (key.has_column()) {
      ++info.columns;
    } else {
      info.has_object = true;
    }
  }
  if (info.columns == 0 && !info.has_object) return std::nullopt;
  return info;
}

std::vector<Key> PoolModel::List(const Pattern& pattern) const {
  std::vector<Key> keys;
  for (const auto& [key, entry] : entries_) {
    if (pattern.Matches(key)) keys.push_back(key);
  }
  return keys;
}

}  // namespace cirein::test
