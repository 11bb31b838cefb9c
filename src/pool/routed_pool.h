// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "cirein/pool_backend.h"

namespace cirein {

/// Which member owns a row, or all of them where the place does not depend on the row.
struct MemberRoute {
  /// The owner's place among the members. Pure.
  std::function<std::size_t(std::string_view row)> owner;
  /// May rows that begin alike be at several members?
  bool many_owners = true;
};

/// A pool that is cut by rows among members, each of which is a pool itself: an operation on a row
/// goes to its owner; one on many rows to all members. Of a want the first answer counts, and the
/// others are given up; a drop adds up what they dropped, and fails if one of them does; a listing
/// goes through them in their order.
///
/// `type` outlives it; at least one member.
std::shared_ptr<PoolBackend> MakeRoutedPool(std::string_view type,
                                            std::vector<std::shared_ptr<PoolBackend>> members,
                                            MemberRoute route);

}  // namespace cirein
