// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "cirein/key.h"

#include "object/transaction.h"
#include "resp/reply_writer.h"

/// What a Redis key is, over the rows of a pool: a string is a row with an object without column
/// only; a row with columns is a hash, also when it has an object without column too.
///
/// All functions look at or change one row of a transaction, which must have been begun for it.
/// Errors are the store's. Not thread-safe; they block for what the transaction blocks for.
namespace cirein::resp {

enum class KeyType : std::uint8_t { kNone, kString, kHash };

/// How much of a key is looked for: each adds to the one before it.
enum class Look : std::uint8_t {
  kType,   ///< The type, the number of fields; the expiry of a hash only.
  kSizes,  ///< Also the sizes and the expiry of a string.
  kValue,  ///< Also the string.
};

/// A key as it was when it was looked for; changes made since are not in it.
struct FoundKey {
  KeyType type = KeyType::kNone;
  RowState row;         ///< `row.columns` is a hash's number of fields.
  StoredObject string;  ///< Of a string: its value in `string.object`, of type and meta any.
  std::uint64_t expiry_ms = 0;  ///< Wall time; 0: never.

  bool exists() const noexcept { return type != KeyType::kNone; }
  /// Of a string that was looked for with its value.
  std::string_view text() const noexcept { return string.object.text(); }
};

/// A pool keeps rows of 1 to kMaxRowBytes bytes.
inline bool IsStorable(std::string_view key) noexcept {
  return !key.empty() && key.size() <= kMaxRowBytes;
}
/// The same of a hash's field, which may be empty.
inline bool IsStorableField(std::string_view field) noexcept {
  return field.size() <= kMaxColumnBytes;
}
inline constexpr std::string_view kEmptyKey =
    "ERR the empty key cannot be stored: use a key of 1 to 65535 bytes";
inline constexpr std::string_view kLongKey =
    "ERR a key this long cannot be stored: use a key of 1 to 65535 bytes";
inline constexpr std::string_view kLongField =
    "ERR a field this long cannot be stored: use a field of at most 65535 bytes";
/// What a write to a key that is not storable is answered with.
inline std::string_view WhyNotStorable(std::string_view key) noexcept {
  return key.empty() ? kEmptyKey : kLongKey;
}
/// True for a key that can be stored; else the reply is an error that says why. To be asked last
/// before a key would be made, after all that Redis would complain of.
bool RequireStorable(std::string_view key, ReplyWriter& reply);

/// Looks for a key, which may be of any length: nothing is found under one that is not storable.
Status FindKey(Transaction& transaction, const KeyView& row, Look look, FoundKey& found);

/// Makes the key a string with this value, whatever it was, gone at `expiry_ms` (0: never). `found`
/// is what FindKey has told of it, with any Look. The key must be storable.
void PutString(Transaction& transaction, const KeyView& row, const FoundKey& found,
               DataObject value, std::uint64_t expiry_ms);

/// Deletes the key, if it is there.
void DeleteKey(Transaction& transaction, const KeyView& row, const FoundKey& found);

/// The key is gone at `expiry_ms`; 0: never. A time that has come deletes it at once. It must be
/// there.
Status SetExpiry(Transaction& transaction, const KeyView& row, const FoundKey& found,
                 std::uint64_t expiry_ms);

/// As Redis judges of a time to come that was given.
inline bool HasCome(const Transaction& transaction, std::uint64_t expiry_ms) noexcept {
  return expiry_ms != 0 && expiry_ms <= transaction.now_ms();
}

}  // namespace cirein::resp
