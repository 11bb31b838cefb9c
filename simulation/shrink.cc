// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string_view>
#include <utility>

#include "simulation/run.h"

namespace cirein::simulation {

namespace {

// Up to its first number: a smaller run that fails in another way shows something else.
std::string_view KindOf(const RunReport& report) {
  const std::string_view violation = report.violations.front();
  return violation.substr(0, violation.find_first_of("0123456789:\n"));
}
bool IsSameKind(const RunReport& a, const RunReport& b) {
  return a.crashed == b.crashed && KindOf(a) == KindOf(b);
}

/// Tries smaller runs, and keeps each that fails.
class Shrinker {
 public:
  Shrinker(const ScenarioTable& table, Shrunk& best, std::uint32_t runs_max)
      : table_(table), best_(best), runs_max_(runs_max) {}

  bool TriesLeft() const { return best_.runs < runs_max_; }

  /// True when this one failed too; a run that cannot be made is no smaller one.
  bool Try(const RunRequest& smaller) {
    if (!TriesLeft()) return false;
    ++best_.runs;
    Result<RunReport> report = RunApart(table_, smaller);
    if (!report.ok() || report->ok() || !IsSameKind(*report, best_.report)) return false;
    best_.request = smaller;
    best_.report = *std::move(report);
    return true;
  }

  // Large parts of the plan first, then smaller ones (Zeller's delta debugging, without the step
  // that keeps a part alone: faults are few).
  bool DropFaults() {
    bool any = false;
    for (std::size_t part = std::max<std::size_t>(Faults(), 1); part > 0; part /= 2) {
      for (std::size_t first = 0; first < Faults() && TriesLeft();) {
        RunRequest smaller = best_.request;
        smaller.plan = smaller.plan->Without(first, std::min(part, Faults() - first));
        if (Try(smaller)) {
          any = true;
        } else {
          first += part;
        }
      }
    }
    return any;
  }

  /// Halves a number while that fails, then takes one away at a time.
  bool Reduce(std::optional<std::uint32_t> RunRequest::*number) {
    bool any = false;
    for (bool halving = true; TriesLeft();) {
      RunRequest smaller = best_.request;
      const std::uint32_t now = *(smaller.*number);
      const std::uint32_t next = halving ? now / 2 : now - 1;
      if (now <= 1 || next < 1) break;
      smaller.*number = next;
      if (Try(smaller)) {
        any = true;
      } else if (halving) {
        halving = false;
      } else {
        break;
      }
    }
    return any;
  }

 private:
  std::size_t Faults() const { return best_.request.plan->faults().size(); }

  const ScenarioTable& table_;
  Shrunk& best_;
  const std::uint32_t runs_max_;
};

}  // namespace

Result<Shrunk> Shrink(const ScenarioTable& table, const RunRequest& request,
                      const RunReport& failed, std::uint32_t runs_max) {
  Shrunk best{request, failed, 0};
  if (failed.crashed) {
    // Its size and its plan died with it: they are drawn again, without running far.
    RunRequest begin = request;
    begin.steps = 0;
    CIREIN_ASSIGN_OR_RETURN(const RunReport drawn, RunApart(table, begin));
    best.report.plan = drawn.plan;
    best.report.size = drawn.size;
  }
  best.request.plan = best.report.plan;
  best.request.clients = best.report.size.clients;
  best.request.operations = best.report.size.operations;
  Shrinker shrinker(table, best, runs_max);
  bool any = true;
  while (any && shrinker.TriesLeft()) {
    any = shrinker.DropFaults();
    any = shrinker.Reduce(&RunRequest::operations) || any;
    any = shrinker.Reduce(&RunRequest::clients) || any;
  }
  return best;
}

}  // namespace cirein::simulation
