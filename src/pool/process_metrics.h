// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/metrics.h"

namespace cirein {

namespace node {
class Node;
}
class Process;

/// What one node over a pool tells of itself, as ProcessMetrics does of those that are open in its
/// process: metrics "cirein_elastic_...", with the label pool="`path`". May wait for a step of the
/// pool's processor. Thread-safe.
std::string NodeMetricsText(const std::string& path, node::Node& node);

/// What a process tells of itself: local store, elastic pools that are open, callbacks, compute,
/// operations under way. Everything is read when it is asked for, so that the hot paths count
/// nothing twice.
class ProcessMetrics {
 public:
  /// `process` outlives it.
  explicit ProcessMetrics(const Process& process);

  /// Prometheus' text form. May wait: for a pool that is being opened or closed, and for a step of
  /// a pool's processor. Thread-safe.
  std::string ToPrometheus() const;

 private:
  const Process& process_;
  MetricRegistry registry_;
  std::vector<MetricRegistry::Registration> registrations_;
};

}  // namespace cirein
