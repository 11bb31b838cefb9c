// SPDX-License-Identifier: Apache-2.0
// What `elastic:` costs inside one process, beside `local:`, RocksDB and LMDB:
//   elastic_bench [--quick|--full] [--only=keys|caches|power|large|scale|latency] [--dir=DIRECTORY]
// --full adds 10 M keys; DIRECTORY is where power durability is measured: on a disk, not on tmpfs.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "bench/elastic_apart.h"
#include "bench/elastic_keys.h"
#include "bench/elastic_large.h"
#include "bench/elastic_latency.h"
#include "bench/elastic_power.h"
#include "bench/elastic_scale.h"

namespace cirein::bench {
namespace {

constexpr std::string_view kParts[] = {"keys", "caches", "power", "large", "scale", "latency"};

struct Arguments {
  Length length = Length::kUsual;
  std::string only;
  // Where it is built, which is no tmpfs, and which nobody commits.
  std::string disk = std::filesystem::exists("build") ? "build" : ".";
};

[[noreturn]] void Refuse(std::string_view argument) {
  fmt::print(stderr,
             "elastic_bench: '{}' means nothing; next: --quick, --full, --dir=DIRECTORY, "
             "--only={}\n",
             argument, fmt::join(kParts, "|"));
  std::exit(2);  // NOLINT(concurrency-mt-unsafe): there is one thread.
}

Arguments Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view text = argv[i];
    if (text == "--quick") {
      arguments.length = Length::kQuick;
    } else if (text == "--full") {
      arguments.length = Length::kFull;
    } else if (text.starts_with("--dir=")) {
      arguments.disk = text.substr(6);
    } else if (text.starts_with("--only=")) {
      arguments.only = text.substr(7);
      bool known = false;
      for (const std::string_view part : kParts) known |= part == arguments.only;
      if (!known) Refuse(text);
    } else {
      Refuse(text);
    }
  }
  return arguments;
}

void RunScale(const Arguments& arguments) {
  PrintScaleHead();
  const std::uint64_t most = arguments.length == Length::kQuick  ? 100'000
                             : arguments.length == Length::kFull ? 10'000'000
                                                                 : 1'000'000;
  for (std::uint64_t keys = 10'000; keys <= most; keys *= 10) {
    RunApart(arguments.disk, [&](const Places& places) { MeasureScale(places, keys); });
  }
}

void Run(const Arguments& arguments) {
  const Length length = arguments.length;
  const auto run = [&](std::string_view part, void (*measure)(const Places&, Length)) {
    if (!arguments.only.empty() && arguments.only != part) return;
    RunApart(arguments.disk, [&](const Places& places) { measure(places, length); });
  };
  fmt::print("`build/bench/bench/elastic_bench{}{}`\n",
             length == Length::kQuick  ? " --quick"
             : length == Length::kFull ? " --full"
                                       : "",
             arguments.only.empty() ? "" : " --only=" + arguments.only);
  run("keys", &MeasureKeys);
  run("caches", &MeasureCaches);
  run("power", &MeasurePower);
  run("large", &MeasureLarge);
  if (arguments.only.empty() || arguments.only == "scale") RunScale(arguments);
  run("latency", &MeasureLatency);
}

}  // namespace
}  // namespace cirein::bench

int main(int argc, char** argv) {
  cirein::bench::Run(cirein::bench::Parse(argc, argv));
  return 0;
}
