// SPDX-License-Identifier: Apache-2.0
#include "resp/keyspace.h"

#include <algorithm>
#include <utility>

namespace cirein::resp {
namespace {

// The sooner one; 0 is never.
std::uint64_t Sooner(std::uint64_t one_ms, std::uint64_t other_ms) {
  if (one_ms == 0) return other_ms;
  return other_ms == 0 ? one_ms : std::min(one_ms, other_ms);
}

}  // namespace

bool RequireStorable(std::string_view key, ReplyWriter& reply) {
  if (IsStorable(key)) return true;
  reply.Error(WhyNotStorable(key));
  return false;
}

Status FindKey(Transaction& transaction, const KeyView& row, Look look, FoundKey& found) {
  found.type = KeyType::kNone;
  found.row = RowState{};
  found.expiry_ms = 0;
  if (!IsStorable(row.row)) return OkStatus();
  CIREIN_ASSIGN_OR_RETURN(found.row, transaction.GetRow(row));
  if (found.row.columns != 0) {
    found.type = KeyType::kHash;
    found.expiry_ms = found.row.expiry_ms;
    return OkStatus();
  }
  if (!found.row.has_object) return OkStatus();
  if (look != Look::kType) {
    const Load load = look == Look::kValue ? Load::kObject : Load::kSizes;
    CIREIN_ASSIGN_OR_RETURN(const bool there, transaction.Get(row, load, found.string));
    // It may have expired between the two looks.
    if (!there) return OkStatus();
    // What is left of a hash that had an object without column may still have the hash's expiry.
    found.expiry_ms = Sooner(found.string.expiry_ms, found.row.expiry_ms);
  }
  found.type = KeyType::kString;
  return OkStatus();
}

void PutString(Transaction& transaction, const KeyView& row, const FoundKey& found,
               DataObject value, std::uint64_t expiry_ms) {
  if (HasCome(transaction, expiry_ms)) {
    DeleteKey(transaction, row, found);
    return;
  }
  if (found.row.columns != 0 || found.row.expiry_ms != 0) transaction.DropRow(row);
  transaction.Put(row, std::move(value), expiry_ms);
}

void DeleteKey(Transaction& transaction, const KeyView& row, const FoundKey& found) {
  if (found.row.columns != 0 || found.row.expiry_ms != 0) {
    transaction.DropRow(row);
  } else if (found.row.has_object) {
    transaction.Drop(row);
  }
}

Status SetExpiry(Transaction& transaction, const KeyView& row, const FoundKey& found,
                 std::uint64_t expiry_ms) {
  if (HasCome(transaction, expiry_ms)) {
    DeleteKey(transaction, row, found);
    return OkStatus();
  }
  if (found.type == KeyType::kHash) {
    transaction.ExpireRow(row, expiry_ms);
    return OkStatus();
  }
  StoredObject now;
  CIREIN_ASSIGN_OR_RETURN(const bool there, transaction.Get(row, Load::kObject, now));
  if (there) PutString(transaction, row, found, std::move(now.object), expiry_ms);
  return OkStatus();
}

}  // namespace cirein::resp
