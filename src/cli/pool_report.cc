// SPDX-License-Identifier: Apache-2.0
#include "cli/pool_report.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

namespace cirein {
namespace {

std::string StateText(const dpm::PoolSummary& summary) {
  if (summary.superblock.state == static_cast<std::uint32_t>(dpm::PoolState::kClean)) {
    return "closed in order";
  }
  return summary.same_boot ? "left open" : "left open, before the machine started";
}

std::string DurabilityText(const dpm::PoolSummary& summary) {
  const bool power =
      summary.superblock.durability == static_cast<std::uint32_t>(dpm::Durability::kPower);
  return power ? "power" : "process";
}

Report PoolReport(const RegionSpace& space, const dpm::PoolSummary& summary) {
  const dpm::Superblock& superblock = summary.superblock;
  Report report("pool", {{"directory", "directory"},
                         {"id", "id"},
                         {"format", "format"},
                         {"durability", "durability"},
                         {"state", "state"},
                         {"openings", "openings", Report::Type::kCount},
                         {"created", "created"},
                         {"medium", "medium"},
                         {"survives_power_cut", "survives a power cut"}});
  report.AddRow({space.path(), fmt::format("{:016x}", superblock.pool_id),
                 fmt::format("{}.{}", superblock.format_major, superblock.format_minor),
                 DurabilityText(summary), StateText(summary), superblock.highest_epoch,
                 UtcText(superblock.created_ms), space.traits().description,
                 std::string(space.traits().survives_power_cut ? "yes" : "no")});
  return report;
}

Report LogReport(const dpm::PoolSummary& summary) {
  const dpm::Superblock& superblock = summary.superblock;
  Report report("log", {{"size_bytes", "log", Report::Type::kBytes},
                        {"used_bytes", "used", Report::Type::kBytes},
                        {"segment_bytes", "segment", Report::Type::kBytes},
                        {"segments", "segments", Report::Type::kCount},
                        {"free_segments", "free", Report::Type::kCount},
                        {"open_segments", "open", Report::Type::kCount},
                        {"sealed_segments", "sealed", Report::Type::kCount},
                        {"index_bytes", "index", Report::Type::kBytes}});
  report.AddRow({superblock.segments * superblock.segment_bytes, summary.log_bytes_used,
                 superblock.segment_bytes, superblock.segments, summary.free_segments,
                 summary.open_segments, summary.sealed_segments, superblock.index_bytes});
  return report;
}

Report ExtentsReport(const dpm::PoolSummary& summary) {
  Report report("large_objects", {{"count", "large objects", Report::Type::kCount},
                                  {"bytes", "bytes", Report::Type::kBytes},
                                  {"limit_bytes", "limit", Report::Type::kBytes},
                                  {"from_bytes", "data larger than", Report::Type::kBytes}});
  report.AddRow({summary.extents, summary.extent_bytes, summary.superblock.extent_limit_bytes,
                 summary.superblock.large_bytes});
  return report;
}

}  // namespace

std::vector<Report> PoolReports(const RegionSpace& space, const dpm::PoolSummary& summary) {
  return {PoolReport(space, summary), LogReport(summary), ExtentsReport(summary)};
}

Report FindingsReport(std::string name, const dpm::Findings& findings) {
  Report report(std::move(name), {{"kind", "kind"},
                                  {"segment", "segment", Report::Type::kCount},
                                  {"offset", "offset", Report::Type::kCount},
                                  {"what", "what"}});
  for (const auto severity : {dpm::Finding::Severity::kCorruption, dpm::Finding::Severity::kNote}) {
    const bool corruption = severity == dpm::Finding::Severity::kCorruption;
    for (const dpm::Finding& finding : findings) {
      if (finding.severity != severity) continue;
      Report::Cell segment;
      if (finding.segment) segment = *finding.segment;
      Report::Cell offset;
      if (finding.offset) offset = *finding.offset;
      report.AddRow(
          {std::string(corruption ? "corruption" : "note"), segment, offset, finding.what});
    }
  }
  return report;
}

Report CountsReport(const dpm::VerifyReport& report) {
  const dpm::PoolSummary& summary = report.summary;
  Report counts("verified", {{"entries", "entries", Report::Type::kCount},
                             {"objects", "objects", Report::Type::kCount},
                             {"gone", "gone", Report::Type::kCount},
                             {"log_used_bytes", "log", Report::Type::kBytes},
                             {"live_bytes", "live", Report::Type::kBytes},
                             {"payload_bytes", "data compared", Report::Type::kBytes},
                             {"large_objects", "large objects", Report::Type::kCount}});
  counts.AddRow({summary.entries, summary.objects, summary.gone, summary.log_bytes_used,
                 summary.live_bytes, report.payload_bytes, summary.extents});
  return counts;
}

std::string UtcText(std::uint64_t since_1970_ms) {
  constexpr std::uint64_t kLatest = 253'402'300'799'999;  // The end of the year 9999.
  const std::chrono::milliseconds since(std::min(since_1970_ms, kLatest));
  const auto days = std::chrono::floor<std::chrono::days>(since);
  const std::chrono::year_month_day date{std::chrono::sys_days(days)};
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since - days).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     seconds / 3600, seconds / 60 % 60, seconds % 60);
}

}  // namespace cirein
