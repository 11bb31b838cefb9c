// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "cirein/key.h"

#include "pool/routed_pool.h"

namespace cirein {

/// Which of so many members (at least one) owns what, by the pool's type. All processes must agree
/// on it: a change of it is another pool.

/// `dht:`: by the row's hash.
MemberRoute RouteByHash(Bucket bucket, std::size_t members);
/// `rft:`: all rows at the member that the user's rank leads to.
MemberRoute RouteByRank(std::uint64_t rank, std::size_t members);
/// `tft:`: by the row's tag; a row without one by its hash.
MemberRoute RouteByTag(Bucket bucket, std::size_t members);

}  // namespace cirein
