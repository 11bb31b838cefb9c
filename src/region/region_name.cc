// SPDX-License-Identifier: Apache-2.0
#include "region/region_name.h"

#include <fmt/format.h>

#include "base/text.h"

namespace cirein {
namespace {

constexpr std::size_t kMaxNameBytes = 255;

}  // namespace

Status CheckRegionName(const std::string& name) {
  const bool plain = !name.empty() && name.size() <= kMaxNameBytes && name != "." && name != ".." &&
                     name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
  if (plain && name != kLockName) return OkStatus();
  return InvalidArgument(fmt::format("a region cannot be called {}", QuoteForPeople(name)),
                         "use a plain file name of 1 to 255 bytes that is not 'lock'");
}

Status NoSuchRegion(const std::string& name) {
  return NotFound(fmt::format("there is no region '{}'", EscapeForPeople(name)),
                  "check the pool's path and whether it was created");
}

Status ReadOnlyRegion(const std::string& name) {
  return PermissionDenied(
      fmt::format("region '{}' is open for reading only", EscapeForPeople(name)),
      "open the pool for writing");
}

}  // namespace cirein
