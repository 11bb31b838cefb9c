// SPDX-License-Identifier: Apache-2.0
#include "bench/resp_cpu.h"

#include <fstream>
#include <pthread.h>
#include <sstream>
#include <unistd.h>

#include "bench/resp_socket.h"

namespace cirein::bench::resp {

CpuTime operator-(const CpuTime& later, const CpuTime& earlier) {
  return {later.total_s - earlier.total_s, later.user_s - earlier.user_s,
          later.system_s - earlier.system_s};
}

std::optional<CpuTime> ParseStat(const std::string& line, double ticks_per_second) {
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  if (!(fields >> user >> system)) return std::nullopt;
  return CpuTime{(user + system) / ticks_per_second, user / ticks_per_second,
                 system / ticks_per_second};
}

CpuMeter::CpuMeter(pid_t process) : process_(process) {
  clockid_t clock{};
  if (clock_getcpuclockid(process, &clock) == 0) clock_ = clock;
}

CpuMeter::CpuMeter(std::thread& thread) {
  clockid_t clock{};
  if (pthread_getcpuclockid(thread.native_handle(), &clock) == 0) clock_ = clock;
}

CpuTime CpuMeter::Read() const {
  CpuTime time;
  if (process_ != 0) {
    std::ifstream file("/proc/" + std::to_string(process_) + "/stat");
    std::string line;
    std::getline(file, line);
    const auto read = ParseStat(line, static_cast<double>(sysconf(_SC_CLK_TCK)));
    if (!read) Fail("there is no process " + std::to_string(process_));
    time = *read;
  }
  // The ticks are ten milliseconds long: a short run would see the steps.
  timespec exact{};
  if (clock_ && clock_gettime(*clock_, &exact) == 0) {
    time.total_s = static_cast<double>(exact.tv_sec) + static_cast<double>(exact.tv_nsec) * 1e-9;
  }
  return time;
}

}  // namespace cirein::bench::resp
