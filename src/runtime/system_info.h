// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cirein {

/// A limit of the process: soft (in force) and hard (up to which it may raise the soft one).
/// kUnlimited for none.
struct ResourceLimit {
  static constexpr std::uint64_t kUnlimited = UINT64_MAX;
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};

/// Huge pages of one size that the system has set aside.
struct HugePages {
  std::uint64_t page_bytes = 0;
  std::uint64_t total = 0;
  std::uint64_t free = 0;
};

/// One of the standard streams.
struct StreamInfo {
  bool is_terminal = false;
  std::optional<int> columns;  ///< The width of a terminal.
};

/// What this machine offers, for `doctor`, reports and benchmark headers. Plain values; what could
/// not be found out is nullopt or empty.
struct SystemInfo {
  // The system.
  std::string kernel;        ///< As uname says: "Linux 6.1.0-18-amd64 x86_64".
  std::string distribution;  ///< As /etc/os-release says: "Debian GNU/Linux 12 (bookworm)".
  std::uint64_t page_bytes = 0;

  // Processors.
  std::string cpu_model;
  int cpus_online = 0;
  int cpus_usable = 0;               ///< By this process: its affinity.
  std::optional<double> cpus_quota;  ///< By its cgroup.
  /// Of those that matter here, the ones this processor has, sorted: avx2, avx512f, clflushopt,
  /// clwb, sse4_2 (or crc32 on ARM) and the like.
  std::vector<std::string> cpu_flags;

  // Memory.
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> memory_available_bytes;
  std::optional<std::uint64_t> memory_limit_bytes;          ///< Of the cgroup, when it has one.
  std::optional<std::string> transparent_huge_pages;        ///< "always", "madvise" or "never".
  std::optional<std::string> transparent_huge_pages_shmem;  ///< The same for shared memory.
  std::vector<HugePages> huge_pages;

  // Limits of the process.
  std::optional<ResourceLimit> locked_memory_bytes;
  std::optional<ResourceLimit> open_files;
  std::optional<ResourceLimit> core_bytes;
  std::optional<ResourceLimit> processes;

  // Clock.
  std::optional<std::string> clock_source;  ///< "tsc" and the like; "hpet" is slow.
  std::optional<std::chrono::nanoseconds> clock_resolution;
  std::chrono::nanoseconds clock_read_cost{0};  ///< Measured: of one RealClock::Now.

  // Persistent memory and fabrics.
  std::vector<std::string> dax_devices;         ///< Below /dev.
  std::vector<std::string> dax_mounts;          ///< Mount points with DAX.
  std::vector<std::string> infiniband_devices;  ///< Names, as in /sys/class/infiniband.

  StreamInfo standard_output;
  StreamInfo standard_error;
};

/// Looks at the machine anew. Never fails; reads a few dozen small files of /proc and /sys, so it
/// takes about a millisecond. Thread-safe.
SystemInfo ReadSystemInfo();

/// Looks at standard output and error alone: what the command line needs each time it starts.
StreamInfo StandardOutputInfo();
StreamInfo StandardErrorInfo();

namespace internal {

// The parsers behind it, apart from the files that they are fed with.

/// The chosen word of a file such as transparent_hugepage/enabled: "madvise" of "always [madvise]".
std::optional<std::string> ChosenWord(std::string_view text);
/// A line "Name:  123 kB" of /proc/meminfo, in bytes.
std::optional<std::uint64_t> MemoryInfoBytes(std::string_view meminfo, std::string_view name);
/// The value of "name : value" in the first block of /proc/cpuinfo.
std::optional<std::string> CpuInfoValue(std::string_view cpuinfo, std::string_view name);
/// The mount points in /proc/mounts whose options say dax (but not dax=never).
std::vector<std::string> DaxMounts(std::string_view mounts);

}  // namespace internal
}  // namespace cirein
