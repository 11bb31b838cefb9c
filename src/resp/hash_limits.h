// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "object/transaction.h"

namespace cirein::resp {

/// Redis keeps a hash of at most so many fields, none of them nor a value longer than this, as one
/// list: OBJECT ENCODING tells so, and HSCAN then answers all of it at once. Its defaults.
inline constexpr std::uint64_t kListFields = 512;
inline constexpr std::uint64_t kListBytes = 64;

/// Would Redis keep this hash as a list? It has so many fields.
Result<bool> IsSmallHash(Transaction& transaction, const KeyView& row, std::uint64_t fields);

}  // namespace cirein::resp
