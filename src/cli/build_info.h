// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace cirein {

/// What this command was built from and how.
struct BuildInfo {
  std::string version;
  std::string commit;  ///< As `git describe` gave it at configuration; empty when unknown.
  std::string compiler;
  std::string build_type;
  std::string sanitizers;  ///< Empty for none.
};
BuildInfo CurrentBuild();

}  // namespace cirein
