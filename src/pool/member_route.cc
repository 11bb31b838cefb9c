// SPDX-License-Identifier: Apache-2.0
#include "pool/member_route.h"

#include <optional>
#include <string_view>

#include "base/hash.h"

namespace cirein {
namespace {

std::size_t ByHash(std::string_view row, Bucket bucket, std::size_t members) {
  return static_cast<std::size_t>(Hash64(row, bucket.id()) % members);
}

}  // namespace

MemberRoute RouteByHash(Bucket bucket, std::size_t members) {
  return {
      .owner = [bucket, members](std::string_view row) { return ByHash(row, bucket, members); }};
}

MemberRoute RouteByRank(std::uint64_t rank, std::size_t members) {
  const std::size_t owner = static_cast<std::size_t>(rank % members);
  return {.owner = [owner](std::string_view /*row*/) { return owner; }, .many_owners = false};
}

MemberRoute RouteByTag(Bucket bucket, std::size_t members) {
  return {.owner = [bucket, members](std::string_view row) {
    const std::optional<std::uint32_t> tag = RowTag(row);
    return tag ? *tag % members : ByHash(row, bucket, members);
  }};
}

}  // namespace cirein
