// SPDX-License-Identifier: Apache-2.0
#include "resp/hash_limits.h"

namespace cirein::resp {

Result<bool> IsSmallHash(Transaction& transaction, const KeyView& row, std::uint64_t fields) {
  if (fields > kListFields) return false;
  bool small = true;
  const auto look = [&small](const KeyView& key, const StoredObject& stored) {
    small = !key.has_column || (key.column.size() <= kListBytes && stored.data_bytes <= kListBytes);
    return small;
  };
  CIREIN_RETURN_IF_ERROR(transaction.WalkRow(row, Load::kSizes, look));
  return small;
}

}  // namespace cirein::resp
