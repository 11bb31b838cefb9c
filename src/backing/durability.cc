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

Status CheckDirectory(const std::string& path) {
  if (path.empty()) {
    return InvalidArgument("a store needs a directory", "give TYPE:/path/to/a/directory");
  }
  if (const Status listed = ListDirectory(path).status(); !listed.ok()) {
    if (listed.code() != StatusCode::kNotFound) return listed;
    return NotFound(fmt::format("there is no directory '{}'", EscapeForPeople(path, 4096)),
                    "make it first (mkdir -p), on the medium that is to keep the objects");
  }
  const std::string probe = path + "/.writable";
  CIREIN_RETURN_IF_ERROR(WriteFileAtomically(probe, "x"));
  const Status removed = RemoveFile(probe);
  // Another process may look at the same moment.
  return removed.code() == StatusCode::kNotFound ? OkStatus() : removed;
}

}  // namespace cirein::backing
