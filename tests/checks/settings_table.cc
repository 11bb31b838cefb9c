// SPDX-License-Identifier: Apache-2.0

// Prints the settings table of docs/operations.md, so that the page cannot fall behind the code.

#include <cstdio>
#include <iterator>
#include <string>

#include <fmt/format.h>

#include "cirein/config.h"

int main() {
  std::string table = "| setting | default | takes | meaning |\n|---|---|---|---|\n";
  for (const cirein::ConfigKey& key : cirein::Config::Keys()) {
    fmt::format_to(std::back_inserter(table), "| `{}` | `{}` | {} | {} |\n", key.name,
                   key.default_value, key.constraint, key.description);
  }
  return std::fputs(table.c_str(), stdout) < 0 ? 1 : 0;
}
