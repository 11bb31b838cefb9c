// SPDX-License-Identifier: Apache-2.0
#include "pool/fetched_ahead.h"

#include <iterator>
#include <string_view>
#include <utility>

namespace cirein {
namespace {

// May both match one key? Of patterns that are no keys that is not looked at closely.
bool MayMeet(const Pattern& wanted, const Pattern& changed) {
  using Match = Pattern::ColumnMatch;
  const Match columns = changed.column_match();
  if (changed.row_is_prefix() || (columns != Match::kNone && columns != Match::kExact)) return true;
  return wanted.MatchesRow(changed.row()) &&
         wanted.MatchesColumn(columns == Match::kExact
                                  ? std::optional<std::string_view>(changed.column())
                                  : std::nullopt);
}

// One text for each key, which tells a row alone from one with a column.
std::string TextOf(const Key& key) {
  std::string text = std::to_string(key.row().size()) + ':' + key.row();
  if (key.has_column()) text += '|' + key.column();
  return text;
}

}  // namespace

class FetchedAhead::Fetch {
 public:
  explicit Fetch(Pattern pattern_in) : pattern(std::move(pattern_in)) {}
  const Pattern pattern;
  bool changed = false;  // What it brings may be older than that.
};

FetchedAhead::FetchPtr FetchedAhead::Begin(const Pattern& pattern) {
  auto fetch = std::make_shared<Fetch>(pattern);
  const std::lock_guard lock(mutex_);
  under_way_.push_back(fetch);
  return fetch;
}

void FetchedAhead::End(const FetchPtr& fetch, const NamedObject* found) {
  const std::lock_guard lock(mutex_);
  under_way_.remove(fetch);
  if (found == nullptr || fetch->changed || found->object.memory_bytes() > kBytesMax) return;
  const std::string text = TextOf(found->key);
  if (const auto before = places_.find(text); before != places_.end()) Erase(before->second);
  kept_.push_back({found->key, found->object, clock_.EndOf(kKeptFor)});
  places_.emplace(text, std::prev(kept_.end()));
  bytes_ += found->object.memory_bytes();
  while (bytes_ > kBytesMax || kept_.size() > kObjectsMax) Erase(kept_.begin());
}

std::optional<DataObject> FetchedAhead::Take(const Key& key) {
  const std::lock_guard lock(mutex_);
  if (kept_.empty()) return std::nullopt;
  const auto found = places_.find(TextOf(key));
  if (found == places_.end()) return std::nullopt;
  std::optional<DataObject> object;
  if (clock_.Now() < found->second->until) object = found->second->object;
  Erase(found->second);
  return object;
}

void FetchedAhead::Forget(const Pattern& pattern) {
  const std::lock_guard lock(mutex_);
  for (const FetchPtr& fetch : under_way_) fetch->changed |= MayMeet(fetch->pattern, pattern);
  for (auto kept = kept_.begin(); kept != kept_.end();) {
    const auto next = std::next(kept);
    if (pattern.Matches(kept->key)) Erase(kept);
    kept = next;
  }
}

std::uint64_t FetchedAhead::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void FetchedAhead::Erase(Place kept) {
  bytes_ -= kept->object.memory_bytes();
  places_.erase(TextOf(kept->key));
  kept_.erase(kept);
}

}  // namespace cirein
