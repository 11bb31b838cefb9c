// SPDX-License-Identifier: Apache-2.0
#include "runtime/system_info.h"

#include <algorithm>
#include <array>
#include <thread>
#include <time.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "base/text.h"
#include "runtime/file.h"
#include "runtime/real_clock.h"
#include "runtime/thread.h"

namespace cirein {
namespace {

constexpr std::uint64_t kMaxFileBytes = 4 << 20;

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n\r";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// Cuts the part up to `separator` off the front of `rest`.
std::string_view NextPart(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return part;
}

std::optional<std::string> ReadText(const std::string& path) {
  auto text = ReadFile(path, kMaxFileBytes);
  if (!text.ok()) return std::nullopt;
  return std::string(Trim(*text));
}

std::optional<std::uint64_t> ReadNumber(const std::string& path) {
  const auto text = ReadText(path);
  if (!text) return std::nullopt;
  const auto number = ParseUint64(*text);
  if (!number.ok()) return std::nullopt;
  return *number;
}

std::vector<std::string> NamesIn(const std::string& directory, std::string_view prefix) {
  std::vector<std::string> names;
  const auto entries = ListDirectory(directory);
  if (!entries.ok()) return names;
  for (const DirectoryEntry& entry : *entries) {
    if (entry.name.starts_with(prefix)) names.push_back(entry.name);
  }
  return names;
}

void ReadSystem(SystemInfo& info) {
  utsname name{};
  if (uname(&name) == 0) {
    info.kernel = fmt::format("{} {} {}", name.sysname, name.release, name.machine);
  }
  const std::string release = ReadText("/etc/os-release").value_or("");
  constexpr std::string_view kKey = "PRETTY_NAME=";
  for (std::string_view rest = release; !rest.empty();) {
    std::string_view line = NextPart(rest, '\n');
    if (!line.starts_with(kKey)) continue;
    line.remove_prefix(kKey.size());
    if (line.size() >= 2 && line.front() == '"') line = line.substr(1, line.size() - 2);
    info.distribution = std::string(line);
  }
  const long page_bytes = sysconf(_SC_PAGESIZE);
  if (page_bytes > 0) info.page_bytes = static_cast<std::uint64_t>(page_bytes);
}

// Of cgroup v2 first, else of v1, where the process's own group is usually mounted in a container.
std::optional<double> CpuQuota() {
  if (const auto text = ReadText("/sys/fs/cgroup/cpu.max")) {
    std::string_view rest = *text;
    const auto quota = ParseUint64(NextPart(rest, ' '));
    const auto period = ParseUint64(Trim(rest));
    if (!quota.ok() || !period.ok() || *period == 0) return std::nullopt;
    return static_cast<double>(*quota) / static_cast<double>(*period);
  }
  // "-1", which is no number here, stands for none.
  const auto quota = ReadNumber("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  const auto period = ReadNumber("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (!quota || !period || *period == 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

void ReadProcessors(SystemInfo& info) {
  constexpr std::array<std::string_view, 10> kFlags = {
      "asimd", "avx2",         "avx512f",     "clflushopt", "clwb",
      "crc32", "constant_tsc", "nonstop_tsc", "pclmulqdq",  "sse4_2"};
  info.cpus_online = static_cast<int>(std::thread::hardware_concurrency());
  info.cpus_usable = AvailableCpuCount();
  info.cpus_quota = CpuQuota();
  const std::string cpuinfo = ReadText("/proc/cpuinfo").value_or("");
  info.cpu_model = internal::CpuInfoValue(cpuinfo, "model name").value_or("");
  const auto flags = internal::CpuInfoValue(cpuinfo, "flags");
  const std::string all = flags ? *flags : internal::CpuInfoValue(cpuinfo, "Features").value_or("");
  for (std::string_view rest = all; !rest.empty();) {
    const std::string_view flag = NextPart(rest, ' ');
    if (std::find(kFlags.begin(), kFlags.end(), flag) != kFlags.end()) {
      info.cpu_flags.emplace_back(flag);
    }
  }
  std::sort(info.cpu_flags.begin(), info.cpu_flags.end());
}

std::vector<HugePages> ReadHugePages() {
  constexpr std::string_view kPrefix = "hugepages-";
  const std::string directory = "/sys/kernel/mm/hugepages";
  std::vector<HugePages> sizes;
  for (const std::string& name : NamesIn(directory, kPrefix)) {
    std::string_view size = std::string_view(name).substr(kPrefix.size());
    if (!size.ends_with("kB")) continue;
    size.remove_suffix(2);
    const auto kibibytes = ParseUint64(size);
    if (!kibibytes.ok()) continue;
    const std::string path = fmt::format("{}/{}", directory, name);
    sizes.push_back({.page_bytes = *kibibytes * 1024,
                     .total = ReadNumber(path + "/nr_hugepages").value_or(0),
                     .free = ReadNumber(path + "/free_hugepages").value_or(0)});
  }
  std::sort(sizes.begin(), sizes.end(),
            [](const HugePages& a, const HugePages& b) { return a.page_bytes < b.page_bytes; });
  return sizes;
}

void ReadMemory(SystemInfo& info) {
  const std::string meminfo = ReadText("/proc/meminfo").value_or("");
  info.memory_bytes = internal::MemoryInfoBytes(meminfo, "MemTotal");
  info.memory_available_bytes = internal::MemoryInfoBytes(meminfo, "MemAvailable");
  auto limit = ReadNumber("/sys/fs/cgroup/memory.max");
  if (!limit) limit = ReadNumber("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  // Version 1 says "no limit" by a number larger than any memory.
  if (limit && info.memory_bytes && *limit < *info.memory_bytes) info.memory_limit_bytes = limit;
  const std::string huge = "/sys/kernel/mm/transparent_hugepage";
  info.transparent_huge_pages = internal::ChosenWord(ReadText(huge + "/enabled").value_or(""));
  info.transparent_huge_pages_shmem =
      internal::ChosenWord(ReadText(huge + "/shmem_enabled").value_or(""));
  info.huge_pages = ReadHugePages();
}

template <typename Resource>
std::optional<ResourceLimit> ReadLimit(Resource resource) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) return std::nullopt;
  const auto value = [](rlim_t bound) {
    return bound == RLIM_INFINITY ? ResourceLimit::kUnlimited : std::uint64_t{bound};
  };
  return ResourceLimit{.soft = value(limit.rlim_cur), .hard = value(limit.rlim_max)};
}

void ReadClock(SystemInfo& info) {
  info.clock_source = ReadText("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  timespec resolution{};
  if (clock_getres(CLOCK_BOOTTIME, &resolution) == 0) {
    info.clock_resolution =
        std::chrono::seconds(resolution.tv_sec) + std::chrono::nanoseconds(resolution.tv_nsec);
  }
  constexpr int kReadings = 1000;
  const TimePoint begin = RealClock::MonotonicNow();
  TimePoint end = begin;
  for (int i = 0; i < kReadings; ++i) end = RealClock::MonotonicNow();
  info.clock_read_cost = (end - begin) / kReadings;
}

void ReadDevices(SystemInfo& info) {
  info.dax_devices = NamesIn("/dev", "dax");
  info.dax_mounts = internal::DaxMounts(ReadText("/proc/mounts").value_or(""));
  info.infiniband_devices = NamesIn("/sys/class/infiniband", "");
}

StreamInfo ReadStream(int fd) {
  StreamInfo info;
  info.is_terminal = isatty(fd) == 1;
  winsize size{};
  if (info.is_terminal && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    info.columns = size.ws_col;
  }
  return info;
}

}  // namespace

SystemInfo ReadSystemInfo() {
  SystemInfo info;
  ReadSystem(info);
  ReadProcessors(info);
  ReadMemory(info);
  info.locked_memory_bytes = ReadLimit(RLIMIT_MEMLOCK);
  info.open_files = ReadLimit(RLIMIT_NOFILE);
  info.core_bytes = ReadLimit(RLIMIT_CORE);
  info.processes = ReadLimit(RLIMIT_NPROC);
  ReadClock(info);
  ReadDevices(info);
  info.standard_output = StandardOutputInfo();
  info.standard_error = StandardErrorInfo();
  return info;
}

StreamInfo StandardOutputInfo() { return ReadStream(STDOUT_FILENO); }
StreamInfo StandardErrorInfo() { return ReadStream(STDERR_FILENO); }

namespace internal {

std::optional<std::string> ChosenWord(std::string_view text) {
  const std::size_t begin = text.find('[');
  const std::size_t end = text.find(']');
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) {
    return std::nullopt;
  }
  return std::string(text.substr(begin + 1, end - begin - 1));
}

std::optional<std::uint64_t> MemoryInfoBytes(std::string_view meminfo, std::string_view name) {
  while (!meminfo.empty()) {
    std::string_view line = NextPart(meminfo, '\n');
    if (NextPart(line, ':') != name) continue;
    line = Trim(line);
    if (line.ends_with("kB")) line = Trim(line.substr(0, line.size() - 2));
    const auto kibibytes = ParseUint64(line);
    if (kibibytes.ok()) return *kibibytes * 1024;
  }
  return std::nullopt;
}

std::optional<std::string> CpuInfoValue(std::string_view cpuinfo, std::string_view name) {
  while (!cpuinfo.empty()) {
    std::string_view line = NextPart(cpuinfo, '\n');
    if (Trim(NextPart(line, ':')) == name) return std::string(Trim(line));
  }
  return std::nullopt;
}

std::vector<std::string> DaxMounts(std::string_view mounts) {
  std::vector<std::string> points;
  while (!mounts.empty()) {
    std::string_view line = NextPart(mounts, '\n');
    NextPart(line, ' ');  // The device.
    const std::string_view point = NextPart(line, ' ');
    NextPart(line, ' ');  // The type.
    std::string_view options = NextPart(line, ' ');
    while (!options.empty()) {
      const std::string_view option = NextPart(options, ',');
      if (option == "dax" || option == "dax=always" || option == "dax=inode") {
        points.emplace_back(point);
      }
    }
  }
  return points;
}

}  // namespace internal
}  // namespace cirein
