// SPDX-License-Identifier: Apache-2.0
// What `local:` costs beside a bare map: local_bench [MAX_KEYS]

#include <cstdlib>

#include <fmt/format.h>

#include "cirein/library.h"

#include "bench/large_objects.h"
#include "bench/small_objects.h"

int main(int argc, char** argv) {
  const unsigned long max_keys = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10'000'000;
  const cirein::Library library;
  if (!library.status().ok()) {
    fmt::print(stderr, "{}\n", library.status().ToString());
    return 1;
  }
  fmt::print("`build/bench/bench/local_bench {}`\n\n", max_keys);
  cirein::bench::MeasureSmallObjects(max_keys);
  cirein::bench::MeasureLargeObjects();
  cirein::bench::MeasureWants();
  return 0;
}
