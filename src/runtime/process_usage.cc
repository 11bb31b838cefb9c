// SPDX-License-Identifier: Apache-2.0
#include "runtime/process_usage.h"

#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

#include <sys/resource.h>

#include "runtime/file_descriptor.h"

namespace cirein {
namespace {

std::chrono::nanoseconds ToDuration(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

// The second number there is of resident pages.
std::uint64_t ResidentBytes() {
  const FileDescriptor file(open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return 0;
  std::array<char, 128> text{};
  if (read(file.get(), text.data(), text.size() - 1) <= 0) return 0;
  char* rest = nullptr;
  std::strtoull(text.data(), &rest, 10);
  return std::strtoull(rest, nullptr, 10) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

ProcessUsage ReadProcessUsage() {
  ProcessUsage usage;
  usage.id = static_cast<std::uint64_t>(getpid());
  usage.resident_bytes = ResidentBytes();
  rusage used{};
  if (getrusage(RUSAGE_SELF, &used) != 0) return usage;
  usage.user = ToDuration(used.ru_utime);
  usage.system = ToDuration(used.ru_stime);
  usage.peak_resident_bytes = static_cast<std::uint64_t>(used.ru_maxrss) * 1024;
  return usage;
}

}  // namespace cirein
