// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/report.h"
#include "dpm/verify.h"
#include "region/region.h"

namespace cirein {

/// What `cirein pool` prints, made of what the pool's files say.

/// The pool, its log, its index and its large objects: one row each.
std::vector<Report> PoolReports(const RegionSpace& space, const dpm::PoolSummary& summary);

/// A row for each finding, corruption first.
Report FindingsReport(std::string name, const dpm::Findings& findings);

/// One row: what a verify read and counted.
Report CountsReport(const dpm::VerifyReport& report);

/// Milliseconds since 1970 as "2026-01-31T23:59:59Z".
std::string UtcText(std::uint64_t since_1970_ms);

}  // namespace cirein
