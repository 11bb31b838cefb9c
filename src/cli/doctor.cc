// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cirein/status.h"

#include "base/units.h"
#include "fabric/auto/fabric_config.h"
#include "fabric/auto/fabric_probe.h"
#include "fabric/ofi/ofi_provider.h"
#include "runtime/real_clock.h"
#include "runtime/temporary_directory.h"
#include "runtime/thread.h"

namespace cirein {
namespace {

using Verdict = Finding::Verdict;
constexpr std::uint64_t kMib = std::uint64_t{1} << 20;
constexpr std::uint64_t kGib = std::uint64_t{1} << 30;

Finding Pass(std::string check, std::string found, std::string next = "") {
  return {std::move(check), Verdict::kPass, std::move(found), std::move(next)};
}
Finding Warn(std::string check, std::string found, std::string next) {
  return {std::move(check), Verdict::kWarn, std::move(found), std::move(next)};
}

Finding ClockSource(const Machine& machine) {
  const std::string path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
  const std::optional<std::string> source = machine.Text(path);
  if (!source) {
    return Warn("clock source", "the system does not tell", "mount /sys to let it be seen");
  }
  // The others leave the processor at every reading.
  const bool slow = *source == "hpet" || *source == "acpi_pm" || *source == "jiffies";
  if (!slow) return Pass("clock source", *source);
  return Warn("clock source", *source + ", which is slow to read",
              "write another of available_clocksource to " + path);
}

Finding ClockResolution() {
  constexpr int kReadings = 2'000;
  constexpr std::chrono::nanoseconds kFine = std::chrono::microseconds(1);
  std::chrono::nanoseconds step = std::chrono::nanoseconds::max();
  const TimePoint start = RealClock::MonotonicNow();
  TimePoint last = start;
  for (int i = 0; i < kReadings; ++i) {
    const TimePoint now = RealClock::MonotonicNow();
    if (now > last) step = std::min(step, now - last);
    last = now;
  }
  const std::chrono::nanoseconds each = (last - start) / kReadings;
  const std::string found = fmt::format("steps of {}, {} for a reading", DurationForPeople(step),
                                        DurationForPeople(each));
  if (step <= kFine) return Pass("clock resolution", found);
  return Warn("clock resolution", found, "latencies below a step cannot be told apart here");
}

Finding MemoryAvailable(const Machine& machine) {
  const auto available = machine.Field("/proc/meminfo", "MemAvailable");
  const auto total = machine.Field("/proc/meminfo", "MemTotal");
  if (!available || !total) {
    return Warn("memory", "the system does not tell", "mount /proc to let it be seen");
  }
  std::string found =
      fmt::format("{} of {} available", BytesForPeople(*available), BytesForPeople(*total));
  const std::optional<std::string> group = machine.Text("/sys/fs/cgroup/memory.max");
  if (group && *group != "max") found += fmt::format("; limited to {} bytes by its group", *group);
  if (*available >= kGib) return Pass("memory", found);
  return Warn("memory", found, "set memory.limit, so that publishes fail before the system kills");
}

Finding MemoryLock(const Machine& machine) {
  constexpr std::uint64_t kEnough = 64 * kMib;
  const auto limit = machine.Limit("Max locked memory");
  if (!limit) return Warn("memory lock", "the system does not tell", "look at ulimit -l");
  const std::string found =
      *limit == std::numeric_limits<std::uint64_t>::max() ? "unlimited" : BytesForPeople(*limit);
  if (*limit >= kEnough) return Pass("memory lock", found);
  return Warn("memory lock", found,
              "raise memlock in /etc/security/limits.conf before using a network card's memory "
              "access; pools of one process need none");
}

Finding OpenFiles(const Machine& machine) {
  constexpr std::uint64_t kEnough = 1024;
  const auto limit = machine.Limit("Max open files");
  if (!limit) return Warn("open files", "the system does not tell", "look at ulimit -n");
  if (*limit >= kEnough) return Pass("open files", fmt::format("up to {}", *limit));
  return Warn("open files", fmt::format("up to {}", *limit), "ulimit -n 65536");
}

// The word in brackets: "always [madvise] never" gives "madvise".
std::string Chosen(std::string_view choices) {
  const std::size_t begin = choices.find('[');
  const std::size_t end = choices.find(']');
  if (begin == std::string_view::npos || end == std::string_view::npos) return "unknown";
  return std::string(choices.substr(begin + 1, end - begin - 1));
}

Finding HugePages(const Machine& machine) {
  const auto transparent = machine.Text("/sys/kernel/mm/transparent_hugepage/enabled");
  const std::string mode = transparent ? Chosen(*transparent) : "unknown";
  const auto reserved = machine.Field("/proc/meminfo", "HugePages_Total").value_or(0);
  const std::string found = fmt::format("transparent: {}; {} reserved", mode, reserved);
  if (mode == "always" || mode == "madvise") return Pass("huge pages", found);
  return Warn("huge pages", found,
              "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled: random reads of much "
              "memory get a quarter faster");
}

Finding Cores(const Machine& machine) {
  const int usable = AvailableCpuCount();
  const auto online = machine.Text("/sys/devices/system/cpu/online");
  const std::string found =
      fmt::format("{} usable; online: {}", usable, online.value_or("unknown"));
  if (usable >= 2) return Pass("processors", found);
  return Warn("processors", found,
              "give it two, by taskset or the container's settings: with one, who waits and who "
              "publishes take turns");
}

Finding FlushInstructions(const Machine& machine) {
  std::vector<std::string_view> found;
  for (const std::string_view name : {"clwb", "clflushopt", "clflush", "dcpodp", "dcpop"}) {
    if (machine.HasCpuFeature(name)) found.push_back(name);
  }
  if (!found.empty()) return Pass("cache flush", fmt::format("{}", fmt::join(found, ", ")));
  return Warn("cache flush", "no instruction for it",
              "persistent memory could not be used here; pools in memory need none");
}

Finding Dax(const Machine& machine) {
  std::vector<std::string> devices = machine.Names("/sys/bus/dax/devices");
  for (const std::string& name : machine.Names("/sys/block")) {
    if (name.starts_with("pmem")) devices.push_back(name);
  }
  if (devices.empty()) return Pass("persistent memory", "no DAX device; pools in memory need none");
  return Pass("persistent memory", fmt::format("{}", fmt::join(devices, ", ")));
}

Finding Rdma(const Machine& machine) {
  const std::vector<std::string> devices = machine.Names("/sys/class/infiniband");
  if (devices.empty()) return Pass("RDMA", "no device; shared memory and TCP need none");
  return Pass("RDMA", fmt::format("{}", fmt::join(devices, ", ")));
}

template <typename Tell>
Finding TryFabric(const std::string& check, const fabric::AutoOptions& options, const Tell& tell) {
  const Result<fabric::FabricProbe> probe = fabric::ProbeFabric(options);
  if (probe.ok()) return Pass(check, tell(*probe));
  const std::string hint(probe.status().hint());
  return Warn(check, std::string(probe.status().message()),
              hint.empty() ? "choose another fabric.use" : hint);
}

// Each fabric that the settings allow is tried, by two transports in this process.
void AddFabrics(const Result<Config>& settings, std::vector<Finding>& findings) {
  if (!settings.ok()) {
    findings.push_back(Warn("settings", std::string(settings.status().message()),
                            std::string(settings.status().hint())));
  }
  const Config config = settings.ok() ? *settings : Config();
  using Use = fabric::AutoOptions::Use;
  for (const std::string& unused : fabric::UnusedFabricSettings(config)) {
    findings.push_back(Warn("settings", unused, "remove it, or choose another fabric.use"));
  }
  Result<fabric::AutoOptions> options = fabric::FabricOptions(config);
  if (!options.ok()) {
    findings.push_back(Warn("settings", std::string(options.status().message()),
                            std::string(options.status().hint())));
    return;
  }
  const Use chosen = options->use;
  findings.push_back(
      TryFabric("fabric", *options, [](const fabric::FabricProbe& probe) { return probe.reason; }));
  for (const auto& [use, name] : {std::pair(Use::kShm, "shm"), std::pair(Use::kOfi, "ofi")}) {
    const std::string check = fmt::format("fabric {}", name);
    if (chosen != Use::kAuto && chosen != use) {
      findings.push_back(
          Pass(check, fmt::format("not used: fabric.use is {}", config.GetString("fabric.use"))));
      continue;
    }
    options->use = use;
    findings.push_back(TryFabric(check, *options, [](const fabric::FabricProbe& probe) {
      return fmt::format("a message there and back takes {}", DurationForPeople(probe.round_trip));
    }));
  }
}

// One for each way between hosts: what libfabric would be asked for, and why it would not do.
void AddProviders(std::vector<Finding>& findings) {
  bool any = false;
  for (const fabric::OfiProvider& provider : fabric::FindOfiProviders()) {
    const std::string check = "libfabric " + provider.name;
    findings.push_back(Pass(check, provider.usable ? "can be used" : provider.why_not));
    any = any || provider.usable;
  }
  if (any) return;
  findings.push_back(Warn("libfabric", "nothing that it offers can be used between hosts",
                          "install libfabric with its TCP provider (Debian: libfabric1)"));
}

Finding TemporaryFiles() {
  constexpr std::string_view kText = "written and read back";
  const auto try_it = [kText]() -> Result<std::string> {
    CIREIN_ASSIGN_OR_RETURN(const TemporaryDirectory directory, TemporaryDirectory::Create());
    const std::string path = directory.File("probe");
    CIREIN_RETURN_IF_ERROR(WriteFileAtomically(path, kText));
    CIREIN_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kText.size()));
    if (text != kText) return DataLoss(fmt::format("{} does not hold what was written", path));
    return directory.path().substr(0, directory.path().rfind('/'));
  };
  const Result<std::string> where = try_it();
  if (where.ok()) return Pass("temporary files", fmt::format("{} can be written", *where));
  return Warn("temporary files", std::string(where.status().message()),
              "set TMPDIR to a directory that can be written");
}

}  // namespace

std::vector<Finding> Diagnose(const Machine& machine, const Result<Config>& config) {
  std::vector<Finding> findings = {ClockSource(machine),
                                   ClockResolution(),
                                   MemoryAvailable(machine),
                                   MemoryLock(machine),
                                   HugePages(machine),
                                   OpenFiles(machine),
                                   Cores(machine),
                                   FlushInstructions(machine),
                                   Dax(machine),
                                   Rdma(machine),
                                   TemporaryFiles()};
  AddFabrics(config, findings);
  AddProviders(findings);
  return findings;
}

}  // namespace cirein
