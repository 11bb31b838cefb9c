// SPDX-License-Identifier: Apache-2.0
#include "backing/durability.h"

#include <string>

#include <fmt/format.h>

#include "base/text.h"

namespace cirein::backing {

Result<FileKept> DurabilityOf(const BackingStoreContext& context) {
  const auto option = context.options.find("durability");
  if (option == context.options.end() || option->second == "power") return FileKept::kOnMedium;
  if (option->second == "process") return FileKept::kBySystem;
  return InvalidArgument(fmt::format("durability={} means nothing", QuoteForPeople(option->second)),
                         "give power (a write survives a power cut) or process (the end of the "
                         "process)");
}

Result<FileDescriptor> TakeDirectory(const std::string& path) {
  if (path.empty()) {
    return InvalidArgument("a store needs a directory", "give TYPE:/path/to/a/directory");
  }
  if (const Status listed = ListDirectory(path).status(); !listed.ok()) {
    if (listed.code() != StatusCode::kNotFound) return listed;
    return NotFound(fmt::format("there is no directory '{}'", EscapeForPeople(path, 4096)),
                    "make it first (mkdir -p), on the medium that is to keep the objects");
  }
  Result<FileDescriptor> held = HoldFile(path + "/.lock");
  if (held.code() != StatusCode::kFailedPrecondition) return held;
  return FailedPrecondition(
      fmt::format("the store in '{}' is in use", EscapeForPeople(path, 4096)),
      "one process at a time has a store: give each member a directory of its own, by a name that "
      "the setting backing.stores explains in each (&store=NAME)");
}

}  // namespace cirein::backing
