// SPDX-License-Identifier: Apache-2.0
// What a pool costs beside the bare medium, RocksDB and LMDB:
//   pool_bench [--quick] [--only=append|merge|clean|open|size] [--disk=DIRECTORY] [MAX_KEYS]

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "bench/pool_append.h"
#include "bench/pool_cleaning.h"
#include "bench/pool_merge.h"
#include "bench/pool_opening.h"

namespace cirein::bench {
namespace {

struct Arguments {
  bool quick = false;
  std::string only;
  // Where it is built, which is no tmpfs, and which nobody commits.
  std::string disk = std::filesystem::exists("build/bench") ? "build/bench" : ".";
  std::uint64_t max_keys = 1'000'000;
};

Arguments Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view text = argv[i];
    if (text == "--quick") {
      arguments.quick = true;
    } else if (text.starts_with("--only=")) {
      arguments.only = text.substr(7);
    } else if (text.starts_with("--disk=")) {
      arguments.disk = text.substr(7);
    } else {
      arguments.max_keys = std::strtoull(argv[i], nullptr, 10);
    }
  }
  return arguments;
}

void Run(const Arguments& arguments) {
  const Media media = MakeMedia(arguments.disk);
  const bool quick = arguments.quick;
  const auto wanted = [&](std::string_view name) {
    return arguments.only.empty() || arguments.only == name;
  };
  fmt::print("`build/bench/bench/pool_bench{} {}`\n\n", quick ? " --quick" : "",
             arguments.max_keys);
  if (wanted("append")) {
    MeasureAppends(media, {.turn = std::chrono::milliseconds(quick ? 40 : 120),
                           .turns = quick ? 3 : 5,
                           .log_bytes = std::uint64_t{1} << 30});
  }
  if (wanted("merge")) MeasureMerge(media, quick ? 100'000 : arguments.max_keys, quick ? 3 : 5);
  if (wanted("clean")) {
    MeasureCleaning(media, {.log_bytes = std::uint64_t{quick ? 64U : 256U} << 20,
                            .rounds = quick ? 4.0 : 10.0});
  }
  if (wanted("open")) MeasureOpens(media, quick ? 100'000 : arguments.max_keys, quick ? 3 : 5);
  if (wanted("size")) MeasureSizes(media, quick ? 100'000 : 1'000'000);
}

}  // namespace
}  // namespace cirein::bench

int main(int argc, char** argv) {
  cirein::bench::Run(cirein::bench::Parse(argc, argv));
  return 0;
}
