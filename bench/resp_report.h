// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bench/resp_cpu.h"
#include "bench/resp_loop.h"

namespace cirein::bench::resp {

/// The names that the command line and the report know these by. Nothing when there is no such
/// name.
std::optional<Operation> OperationNamed(std::string_view name);
std::string_view NameOf(Operation operation);

/// What one run has to say.
struct Report {
  std::string_view target;  ///< "server" or "ceiling".
  Workload workload;
  std::size_t connections = 1;
  LoopResult result;
  std::optional<CpuTime> server;  ///< What the server's process used meanwhile.
  double own_cpu_s = 0;           ///< What this process used.
};

/// One line, without its end.
std::string TextLine(const Report& report);
std::string JsonLine(const Report& report);

}  // namespace cirein::bench::resp
