// SPDX-License-Identifier: Apache-2.0
// Two processes on this machine that exchange messages and reach each other's memory:
//   fabric_bench [--seconds=S] [--rounds=N] [--idle=S]
//                [--only=messages|onesided|blocking|idle|share|ofi]
// S of --seconds is how long each figure is taken in each of the N turns; S of --idle is how long
// two processes are left alone.

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "bench/fabric_blocking.h"
#include "bench/fabric_tables.h"

namespace cirein::bench {
namespace {

constexpr std::string_view kParts[] = {"messages", "onesided", "blocking", "idle", "share", "ofi"};

struct Arguments {
  Effort effort;
  Seconds idle{5};
  std::string only;
  std::string given;  // As it stands in the page.
};

[[noreturn]] void Refuse(std::string_view argument) {
  fmt::print(stderr,
             "fabric_bench: '{}' means nothing; next: --seconds=S, --rounds=N, --idle=S, "
             "--only={}\n",
             argument, fmt::join(kParts, "|"));
  std::exit(2);  // NOLINT(concurrency-mt-unsafe): there is one thread.
}

double NumberIn(std::string_view argument, std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !(number > 0) || number > 3600) {
    Refuse(argument);
  }
  return number;
}

Arguments Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view text = argv[i];
    arguments.given += " " + std::string(text);
    if (text.starts_with("--seconds=")) {
      arguments.effort.each = Seconds(NumberIn(text, text.substr(10)));
    } else if (text.starts_with("--rounds=")) {
      const double rounds = NumberIn(text, text.substr(9));
      if (rounds < 1) Refuse(text);
      arguments.effort.rounds = static_cast<std::size_t>(rounds);
    } else if (text.starts_with("--idle=")) {
      arguments.idle = Seconds(NumberIn(text, text.substr(7)));
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

void Run(const Arguments& arguments) {
  const auto wanted = [&](std::string_view part) {
    const bool is = arguments.only.empty() || arguments.only == part;
    if (is) fmt::print(stderr, "fabric_bench: {}\n", part);
    return is;
  };
  const FabricChoice shm{"shm", ""};
  fmt::print("`build/bench/bench/fabric_bench{}`\n\n", arguments.given);
  PrintHead(arguments.effort);
  if (wanted("messages")) MeasureShmMessages(arguments.effort);
  if (wanted("onesided")) MeasureShmOneSided(arguments.effort);
  if (wanted("blocking")) MeasureBlocking(shm, arguments.effort);
  if (wanted("idle")) MeasureIdle(shm, arguments.idle);
  if (wanted("share")) MeasureShare(shm, arguments.effort);
  if (wanted("ofi")) MeasureOfi(arguments.effort);
}

}  // namespace
}  // namespace cirein::bench

int main(int argc, char** argv) {
  cirein::bench::Run(cirein::bench::Parse(argc, argv));
  return 0;
}
