// SPDX-License-Identifier: Apache-2.0
#include "cli/demo.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "runtime/real_clock.h"

namespace cirein {
namespace {

constexpr auto kSteps = std::to_array<DemoStep>({
    {"Want objects before anybody has published them", DemoWant},
    {"Publish the files, and see the wants answered", DemoPublish},
    {"Need them back and compare every byte", DemoNeed},
    {"List them, page by page", DemoList},
    {"Ask for sizes and versions", DemoInfo},
    {"Publish one again: write-once refuses", DemoWriteOnce},
    {"Drop one, then need it for a moment", DemoDrop},
    {"Compute on a row where it is", DemoCompute},
    {"Compute with a function of one's own", DemoOwnFunction},
    {"Record a trace and play it back", DemoTrace},
});

}  // namespace

std::uint64_t DemoStage::total_bytes() const {
  std::uint64_t bytes = 0;
  for (const DemoFile& file : files) bytes += file.bytes.size();
  return bytes;
}

std::vector<const DemoFile*> DemoStage::InDirectory(std::string_view directory) const {
  std::vector<const DemoFile*> found;
  for (const DemoFile& file : files) {
    if (file.directory == directory) found.push_back(&file);
  }
  return found;
}

std::string DemoStage::BusiestDirectory() const {
  std::map<std::string, std::size_t> counts;
  for (const DemoFile& file : files) ++counts[file.directory];
  return std::max_element(counts.begin(), counts.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

Result<Report> RunDemo(DemoStage& stage) {
  Report report("steps", {{"step", "step", Report::Type::kCount},
                          {"what", "what"},
                          {"shown", "shown"},
                          {"time_ns", "time", Report::Type::kDuration}});
  std::uint64_t number = 0;
  for (const DemoStep& step : kSteps) {
    stage.say(fmt::format("{}. {}", ++number, step.title));
    const TimePoint start = RealClock::MonotonicNow();
    const Result<std::string> shown = step.run(stage);
    if (!shown.ok()) return shown.status().WithContext(fmt::format("step {}", number));
    const auto time = RealClock::MonotonicNow() - start;
    report.AddRow(
        {number, std::string(step.title), *shown, static_cast<std::uint64_t>(time.count())});
  }
  return report;
}

}  // namespace cirein
