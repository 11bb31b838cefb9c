// SPDX-License-Identifier: Apache-2.0
#include "cirein/operations.h"

#include <fmt/format.h>

namespace cirein {

std::string Version::ToString() const { return fmt::format("{}.{}", epoch, counter); }

std::string_view AvailabilityName(Availability availability) {
  switch (availability) {
    case Availability::kUnavailable:
      return "unavailable";
    case Availability::kRequested:
      return "requested";
    case Availability::kMixed:
      return "mixed";
    case Availability::kLocalMemory:
      return "local-memory";
    case Availability::kRemoteMemory:
      return "remote-memory";
    case Availability::kPersistentMemory:
      return "persistent-memory";
    case Availability::kDisk:
      return "disk";
  }
  return "unknown";
}

}  // namespace cirein
