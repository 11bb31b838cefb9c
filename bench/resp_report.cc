// SPDX-License-Identifier: Apache-2.0
#include "bench/resp_report.h"

#include <array>
#include <utility>

#include <fmt/format.h>

namespace cirein::bench::resp {
namespace {

constexpr std::array<std::pair<std::string_view, Operation>, 7> kOperations = {{
    {"get", Operation::kGet},
    {"set", Operation::kSet},
    {"incr", Operation::kIncr},
    {"hset", Operation::kHset},
    {"hget", Operation::kHget},
    {"mget10", Operation::kMget10},
    {"mixed", Operation::kMixed},
}};

double Microseconds(const LoopResult& result, double percent) {
  return static_cast<double>(result.latency.Percentile(percent)) / 1e3;
}

/// Of seconds, the microseconds for each request.
double ForEach(const LoopResult& result, double seconds) {
  return result.requests == 0 ? 0 : seconds * 1e6 / static_cast<double>(result.requests);
}

}  // namespace

std::optional<Operation> OperationNamed(std::string_view name) {
  for (const auto& [known, operation] : kOperations) {
    if (known == name) return operation;
  }
  return std::nullopt;
}

std::string_view NameOf(Operation operation) {
  for (const auto& [name, known] : kOperations) {
    if (known == operation) return name;
  }
  return "?";
}

std::string TextLine(const Report& report) {
  const LoopResult& result = report.result;
  std::string text = fmt::format(
      "{} {} {} B, {} connections, pipeline {}: {:.0f} requests/s, p50 {:.1f} us, p99 {:.1f} us, "
      "p99.9 {:.1f} us",
      report.target, NameOf(report.workload.operation), report.workload.value_bytes,
      report.connections, report.workload.pipeline, result.per_second(), Microseconds(result, 50),
      Microseconds(result, 99), Microseconds(result, 99.9));
  if (report.server) {
    text +=
        fmt::format(", server CPU {:.3f} us/request (user {:.3f}, system {:.3f})",
                    ForEach(result, report.server->total_s), ForEach(result, report.server->user_s),
                    ForEach(result, report.server->system_s));
  }
  text += fmt::format(", own CPU {:.3f} us/request", ForEach(result, report.own_cpu_s));
  if (result.missing > 0) text += fmt::format(", {} keys were missing", result.missing);
  return text;
}

std::string JsonLine(const Report& report) {
  const LoopResult& result = report.result;
  std::string text = fmt::format(
      R"({{"target":"{}","operation":"{}","value_bytes":{},"connections":{},"pipeline":{},)"
      R"("requests":{},"seconds":{:.6f},"per_second":{:.1f},"p50_us":{:.2f},"p99_us":{:.2f},)"
      R"("p999_us":{:.2f},"max_us":{:.2f},"missing":{},"own_cpu_us":{:.4f})",
      report.target, NameOf(report.workload.operation), report.workload.value_bytes,
      report.connections, report.workload.pipeline, result.requests, result.seconds,
      result.per_second(), Microseconds(result, 50), Microseconds(result, 99),
      Microseconds(result, 99.9), static_cast<double>(result.latency.max()) / 1e3, result.missing,
      ForEach(result, report.own_cpu_s));
  if (report.server) {
    text +=
        fmt::format(R"(,"server_cpu_us":{:.4f},"server_user_us":{:.4f},"server_system_us":{:.4f})",
                    ForEach(result, report.server->total_s), ForEach(result, report.server->user_s),
                    ForEach(result, report.server->system_s));
  }
  return text + "}";
}

}  // namespace cirein::bench::resp
