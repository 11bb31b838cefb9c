// SPDX-License-Identifier: Apache-2.0
// How fast simulated worlds run: simulation_bench [--only=events|store]

#include <cstdio>
#include <string_view>

#include <fmt/format.h>

#include "bench/simulation_events.h"
#include "bench/simulation_store.h"

int main(int argc, char** argv) {
  std::string_view only;
  for (int i = 1; i < argc; ++i) {
    const std::string_view text = argv[i];
    if (text != "--only=events" && text != "--only=store") {
      fmt::print(stderr, "simulation_bench: '{}' means nothing; next: --only=events|store\n", text);
      return 2;
    }
    only = text.substr(7);
  }
  fmt::print("`build/bench/bench/simulation_bench{}{}`\n\n", only.empty() ? "" : " --only=", only);
  if (only.empty() || only == "events") cirein::bench::MeasureEvents();
  if (only.empty() || only == "store") cirein::bench::MeasureStoreRuns();
  return 0;
}
