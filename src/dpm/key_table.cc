// SPDX-License-Identifier: Apache-2.0
#include "dpm/key_table.h"

#include "base/hash.h"

namespace cirein::dpm {

KeyName KeyName::Of(const EntryView& entry) {
  KeyName name{entry.header().bucket, entry.row(), entry.column(), KeyPart::kObject};
  if (entry.kind() == EntryKind::kRow) {
    name.part = KeyPart::kRow;
  } else if (entry.has_column()) {
    name.part = KeyPart::kColumn;
  }
  return name;
}

std::uint64_t KeyName::Hash() const {
  const std::uint64_t hash = MixSeed(Hash64(row, bucket), static_cast<std::uint64_t>(part));
  return part == KeyPart::kColumn ? MixSeed(hash, Hash64(column, 1)) : hash;
}

KeyTable::Record* KeyTable::Find(const KeyName& name) {
  const auto found = keys_.find(Sought{name.Hash(), &name});
  return found == keys_.end() ? nullptr : &found->second.record;
}

bool KeyTable::Add(const EntryView& entry, Location location, Merged merged) {
  const KeyName name = KeyName::Of(entry);
  const std::uint64_t hash = name.Hash();
  const auto found = keys_.find(Sought{hash, &name});
  const bool copied = entry.has(kCopied);
  if (found == keys_.end()) {
    State& state = keys_[Stored{hash, location}];
    state.record.newest = location;
    if (merged == Merged::kYes) state.record.merged = location;
    state.original = !copied;
    return true;
  }
  State& state = found->second;
  Record& record = state.record;
  const auto order = entry.version() <=> At(record.newest).version();
  const bool twice = order == 0 && !copied && state.original;
  if (order > 0) state.original = !copied;
  if (order == 0 && !copied) state.original = true;
  if (order > 0 || (order == 0 && copied)) record.newest = location;
  if (!record.merged) {
    if (merged == Merged::kYes) record.merged = location;
    return !twice;
  }
  const EntryView known = At(record.merged);
  const auto merged_order = entry.version() <=> known.version();
  // A copy that says "gone" of an object that expired: the object itself must not come back.
  if (merged_order < 0 || (merged_order == 0 && entry.kind() != known.kind())) {
    record.older_left = true;
  }
  if (merged == Merged::kYes && (merged_order > 0 || (merged_order == 0 && copied))) {
    record.older_left |= merged_order > 0;
    record.merged = location;
  }
  return !twice;
}

}  // namespace cirein::dpm
