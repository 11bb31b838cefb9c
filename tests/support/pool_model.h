// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cirein/operations.h"

namespace cirein::test {

/// What a pool should do, as simply as it can be said: a sorted map and a list of those who wait.
/// Time is what the caller says it is. Not thread-safe.
class PoolModel {
 public:
  struct Options {
    bool overwrites = false;    ///< The pool's default.
    std::size_t keep = 0;       ///< Columns kept in a row; 0: all.
    bool stores = true;         ///< False: publishes answer those who wait, and leave nothing.
    bool written_once = false;  ///< What may overwrite is not asked of it.
  };
  PoolModel() = default;
  explicit PoolModel(Options options) : options_(options) {}

  struct Entry {
    std::string data;
    std::string meta;
    Version version;
    std::uint64_t order = 0;  ///< Of the publish, for `keep`.
    std::optional<std::chrono::nanoseconds> expires;

    std::uint64_t user_bytes() const { return data.size() + meta.size(); }
  };
  using WaiterId = std::uint64_t;

  void set_now(std::chrono::nanoseconds now);

  /// The code that Publish must give.
  StatusCode CheckPublish(const Key& key, const PublishOptions& options) const;
  /// Carries out a publish that succeeded, with the version it was given. Those who are answered.
  std::vector<WaiterId> Publish(const Key& key, std::string data, std::string meta,
                                const PublishOptions& options, Version version);

  /// Null when nothing is there.
  const Entry* Get(const Key& key) const;
  /// Does anything match?
  bool Matches(const Pattern& pattern) const;
  /// Waits from now on. To be called when nothing matches.
  WaiterId Park(const Pattern& pattern);
  void Unpark(WaiterId id) { waiting_.erase(id); }
  const std::map<WaiterId, Pattern>& waiting() const { return waiting_; }

  std::uint64_t Drop(const Pattern& pattern);
  /// nullopt: the row holds nothing.
  std::optional<RowInfo> GetRowInfo(const std::string& row) const;
  /// All that match, by row and then column, the object without column first.
  std::vector<Key> List(const Pattern& pattern) const;

 private:
  void KeepNewest(const std::string& row);

  Options options_;
  std::map<Key, Entry> entries_;
  std::map<WaiterId, Pattern> waiting_;
  WaiterId last_waiter_ = 0;
  std::uint64_t order_ = 0;
  std::chrono::nanoseconds now_{0};
};

}  // namespace cirein::test
