// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/metrics.h"

namespace cirein {

class Process;

/// What a process tells of itself: store, callbacks, compute, operations under way. Everything is
/// read when it is asked for, so that the hot paths count nothing twice.
class ProcessMetrics {
 public:
  /// `process` outlives it.
  explicit ProcessMetrics(const Process& process);

  /// Prometheus' text form.
  std::string ToPrometheus() const { return registry_.ToPrometheus(); }

 private:
  MetricRegistry registry_;
  std::vector<MetricRegistry::Registration> registrations_;
};

}  // namespace cirein
