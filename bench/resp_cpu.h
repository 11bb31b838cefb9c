// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <thread>

namespace cirein::bench::resp {

/// Processor time since a process or thread began, in seconds.
struct CpuTime {
  double total_s = 0;   ///< To the nanosecond where the system says so, else user and system.
  double user_s = 0;    ///< To a tick, a hundredth of a second; 0 of a thread.
  double system_s = 0;  ///< The same.
};
CpuTime operator-(const CpuTime& later, const CpuTime& earlier);

/// User and system time out of the line of /proc/PID/stat, whose second field, the name, may hold
/// anything. Nothing when it is no such line.
std::optional<CpuTime> ParseStat(const std::string& line, double ticks_per_second);

/// Reads the processor time of one process, with all its threads, or of one thread.
class CpuMeter {
 public:
  explicit CpuMeter(pid_t process);
  explicit CpuMeter(std::thread& thread);
  /// Ends the program when there is no such process any more.
  CpuTime Read() const;

 private:
  pid_t process_ = 0;
  std::optional<clockid_t> clock_;
};

}  // namespace cirein::bench::resp
