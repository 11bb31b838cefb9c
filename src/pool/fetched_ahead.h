// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "cirein/operations.h"

#include "runtime/clock.h"

namespace cirein {

/// Objects of another process that wants without a callback have fetched, each for the next need
/// of its key. It is given as it was when it was fetched, but never as it was before something
/// that this pool has changed since. Thread-safe.
class FetchedAhead {
 public:
  /// The oldest go first when there is more; a larger object is not kept.
  static constexpr std::uint64_t kBytesMax = 256ULL << 20;
  static constexpr std::size_t kObjectsMax = 4096;
  /// After so long it is not given any more.
  static constexpr std::chrono::seconds kKeptFor{60};

  explicit FetchedAhead(const Clock& clock) : clock_(clock) {}

  /// A want that is under way.
  class Fetch;
  using FetchPtr = std::shared_ptr<Fetch>;
  FetchPtr Begin(const Pattern& pattern);
  /// Once for each: with what was found, or nothing.
  void End(const FetchPtr& fetch, const NamedObject* found);

  /// The object, once.
  std::optional<DataObject> Take(const Key& key);
  /// Here objects that match were changed: what was fetched before that is forgotten, and what
  /// wants under way bring is not kept.
  void Forget(const Pattern& pattern);

  std::uint64_t bytes() const;

 private:
  struct Kept {
    Key key;
    DataObject object;
    TimePoint until;
  };
  using Place = std::list<Kept>::iterator;
  void Erase(Place kept);

  const Clock& clock_;
  mutable std::mutex mutex_;  // Of all below.
  std::list<FetchPtr> under_way_;
  std::list<Kept> kept_;                           // The oldest first.
  std::unordered_map<std::string, Place> places_;  // By the key as text.
  std::uint64_t bytes_ = 0;
};

}  // namespace cirein
