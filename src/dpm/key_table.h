// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include "dpm/entry.h"
#include "dpm/layout.h"
#include "dpm/location.h"

namespace cirein::dpm {

/// What a key is, besides its bytes: a row's row entries are a key of their own.
enum class KeyPart : std::uint8_t { kObject, kColumn, kRow };

/// Which key an entry is about; points to bytes of the log.
struct KeyName {
  std::uint32_t bucket = 0;
  std::string_view row;
  std::string_view column;
  KeyPart part = KeyPart::kObject;

  static KeyName Of(const EntryView& entry);
  /// The row entries of its row.
  KeyName OfRow() const { return {bucket, row, {}, KeyPart::kRow}; }
  std::uint64_t Hash() const;
  friend bool operator==(const KeyName&, const KeyName&) = default;
};

/// Whether the index must know an entry by now.
enum class Merged : std::uint8_t { kNo, kYes };

/// The newest entries of every key of a log, found by reading it once in any order. For checks: it
/// tells of versions that were given twice, and whether an older entry is left. Takes some 50 bytes
/// for each key; keys stay in the log, which must not change. Not thread-safe.
class KeyTable {
 public:
  explicit KeyTable(const std::byte* log) : log_(log) {}

  struct Record {
    Location newest;          ///< Of several with one version a copy.
    Location merged;          ///< The newest that is merged; none if none is.
    bool older_left = false;  ///< The log has an entry that is older than `merged`.
    bool seen = false;        ///< For the caller.
  };
  /// False when the version was given to another entry of the key as well.
  bool Add(const EntryView& entry, Location location, Merged merged);

  /// Null when the log has no entry of it.
  Record* Find(const KeyName& name);
  EntryView At(Location location) const { return EntryView::Trust(log_ + location.offset); }
  std::size_t size() const { return keys_.size(); }

  /// Calls visit(Record&) for each key.
  template <typename Visit>
  void ForEach(Visit&& visit) {
    for (auto& [key, state] : keys_) visit(state.record);
  }

 private:
  // A key by its hash and a place where its bytes are.
  struct Stored {
    std::uint64_t hash = 0;
    Location location;
  };
  struct Sought {
    std::uint64_t hash = 0;
    const KeyName* name = nullptr;
  };
  struct Hasher {
    using is_transparent = void;
    std::size_t operator()(const Stored& key) const { return key.hash; }
    std::size_t operator()(const Sought& key) const { return key.hash; }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Stored& a, const Stored& b) const { return a.location == b.location; }
    bool operator()(const Stored& a, const Sought& b) const {
      return a.hash == b.hash && KeyName::Of(EntryView::Trust(log + a.location.offset)) == *b.name;
    }
    bool operator()(const Sought& a, const Stored& b) const { return (*this)(b, a); }
    const std::byte* log = nullptr;
  };
  struct State {
    Record record;
    bool original = false;  // Of the newest version there is an entry that is no copy.
  };

  const std::byte* log_;
  absl::flat_hash_map<Stored, State, Hasher, Equal> keys_{0, Hasher(), Equal{log_}};
};

}  // namespace cirein::dpm
