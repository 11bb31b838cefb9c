// SPDX-License-Identifier: Apache-2.0
#include "cli/connect_pool.h"

#include <string>

#include "pool/pool_types.h"

namespace cirein {
namespace {

// An error when the URL begins with a type and nobody knows it.
Status CheckType(std::string_view url) {
  const std::size_t colon = url.find(':');
  if (colon == std::string_view::npos) return OkStatus();
  const auto shortest = ResourceUrl::Parse(std::string(url.substr(0, colon)) + ":/path");
  if (!shortest.ok() || shortest->is_reference()) return OkStatus();
  return FindPoolType(shortest->type()).status();
}

}  // namespace

Result<Pool> ConnectPool(std::string_view url) {
  const Result<ResourceUrl> parsed = ResourceUrl::Parse(url);
  if (parsed.ok()) return Connect(*parsed);
  CIREIN_RETURN_IF_ERROR(CheckType(url));
  return parsed.status();
}

}  // namespace cirein
