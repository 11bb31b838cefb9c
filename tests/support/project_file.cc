// SPDX-License-Identifier: Apache-2.0
#include "support/project_file.h"

namespace cirein::test {

std::string ProjectFile(std::string_view path) {
  return std::string(CIREIN_SOURCE_DIR "/").append(path);
}

}  // namespace cirein::test
