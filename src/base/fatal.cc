// SPDX-License-Identifier: Apache-2.0
#include "base/fatal.h"

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

namespace cirein {

void Fatal(std::string_view message) {
  fmt::print(stderr, "cirein: {}\n", message);
  std::abort();
}

}  // namespace cirein
