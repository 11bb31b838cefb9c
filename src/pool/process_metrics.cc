// SPDX-License-Identifier: Apache-2.0
#include "pool/process_metrics.h"

#include <functional>
#include <utility>

#include "base/fatal.h"
#include "pool/process.h"

namespace cirein {
namespace {

using Kind = MetricRegistry::Kind;

struct StoreMetric {
  Kind kind;
  const char* name;
  const char* help;
  double (*read)(const Store::Stats& stats);
};

constexpr StoreMetric kStoreMetrics[] = {
    {Kind::kGauge, "cirein_store_objects", "Objects in the local store.",
     [](const Store::Stats& s) { return double(s.engine.objects); }},
    {Kind::kGauge, "cirein_store_rows", "Rows in the local store.",
     [](const Store::Stats& s) { return double(s.engine.rows); }},
    {Kind::kGauge, "cirein_store_used_bytes", "Memory of objects, keys and tables.",
     [](const Store::Stats& s) { return double(s.engine.used_bytes); }},
    {Kind::kGauge, "cirein_store_waiters", "Wants and needs that wait in the local store.",
     [](const Store::Stats& s) { return double(s.waiting); }},
    {Kind::kCounter, "cirein_store_publishes_total", "Objects published.",
     [](const Store::Stats& s) { return double(s.publishes); }},
    {Kind::kCounter, "cirein_store_refused_total",
     "Publishes refused: there already, another version, no memory left.",
     [](const Store::Stats& s) { return double(s.refused); }},
    {Kind::kCounter, "cirein_store_hits_total", "Needs and wants that found their object at once.",
     [](const Store::Stats& s) { return double(s.hits); }},
    {Kind::kCounter, "cirein_store_misses_total", "Needs and wants that did not.",
     [](const Store::Stats& s) { return double(s.misses); }},
    {Kind::kCounter, "cirein_store_answered_total", "Waiters that a publish took out.",
     [](const Store::Stats& s) { return double(s.answered); }},
    {Kind::kCounter, "cirein_store_dropped_total", "Objects dropped.",
     [](const Store::Stats& s) { return double(s.dropped); }},
};

struct WorkerMetric {
  Kind kind;
  const char* name;
  const char* help;
  double (*read)(const WorkerPoolStats& stats);
};

constexpr WorkerMetric kWorkerMetrics[] = {
    {Kind::kGauge, "cirein_workers_threads", "Threads that run user code.",
     [](const WorkerPoolStats& s) { return double(s.threads); }},
    {Kind::kGauge, "cirein_workers_stuck", "Of these, the ones stuck in one call.",
     [](const WorkerPoolStats& s) { return double(s.stuck); }},
    {Kind::kGauge, "cirein_workers_queued", "Calls that wait for a thread.",
     [](const WorkerPoolStats& s) { return double(s.queued); }},
    {Kind::kCounter, "cirein_workers_run_total", "Calls that have ended.",
     [](const WorkerPoolStats& s) { return double(s.run); }},
    {Kind::kCounter, "cirein_workers_failed_total", "Of these, the ones that threw.",
     [](const WorkerPoolStats& s) { return double(s.failed); }},
    {Kind::kCounter, "cirein_workers_refused_total", "Calls turned away.",
     [](const WorkerPoolStats& s) { return double(s.refused); }},
};

}  // namespace

ProcessMetrics::ProcessMetrics(const Process& process) {
  const auto add = [this](Kind kind, const MetricInfo& info, const MetricLabels& labels,
                          std::function<double()> read) {
    Result<MetricRegistry::Registration> added =
        registry_.AddCallback(kind, info, labels, std::move(read));
    if (!added.ok()) Fatal(added.status().ToString());  // The tables above are wrong.
    registrations_.push_back(std::move(*added));
  };
  for (const StoreMetric& metric : kStoreMetrics) {
    add(metric.kind, {metric.name, metric.help}, {},
        [&process, read = metric.read] { return read(process.store()->GetStats()); });
  }
  for (const WorkerMetric& metric : kWorkerMetrics) {
    add(metric.kind, {metric.name, metric.help}, {{"pool", "callback"}},
        [&process, read = metric.read] { return read(process.callback_stats()); });
    add(metric.kind, {metric.name, metric.help}, {{"pool", "compute"}},
        [&process, read = metric.read] { return read(process.compute_stats()); });
  }
  add(Kind::kGauge, {"cirein_operations_pending", "Operations under way and not answered."}, {},
      [&process] { return double(process.pending_count()); });
}

}  // namespace cirein
