// SPDX-License-Identifier: Apache-2.0
#include "pool/process_metrics.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <string>
#include <utility>

#include "base/fatal.h"
#include "pool/process.h"

namespace cirein {
namespace {

using Kind = MetricRegistry::Kind;

/// A number of what a store, or the pool it is over, tells of itself.
template <typename Stats>
struct Metric {
  Kind kind;
  const char* name;
  const char* help;
  double (*read)(const Stats& stats);
};

constexpr Metric<Store::Stats> kLocalMetrics[] = {
    {Kind::kGauge, "objects", "Objects in the local store.",
     [](const Store::Stats& s) { return double(s.engine.objects); }},
    {Kind::kGauge, "rows", "Rows in the local store.",
     [](const Store::Stats& s) { return double(s.engine.rows); }},
    {Kind::kGauge, "used_bytes", "Memory of objects, keys and tables.",
     [](const Store::Stats& s) { return double(s.engine.used_bytes); }},
};

// What any store counts: of the local one "cirein_store_" and these names; of each elastic pool
// "cirein_elastic_", with the label pool="PATH".
constexpr Metric<Store::Stats> kStoreMetrics[] = {
    {Kind::kGauge, "waiters", "Wants and needs that wait.",
     [](const Store::Stats& s) { return double(s.waiting); }},
    {Kind::kCounter, "publishes_total", "Objects published.",
     [](const Store::Stats& s) { return double(s.publishes); }},
    {Kind::kCounter, "refused_total",
     "Publishes refused: there already, another version, no memory left.",
     [](const Store::Stats& s) { return double(s.refused); }},
    {Kind::kCounter, "hits_total", "Needs and wants that found their object at once.",
     [](const Store::Stats& s) { return double(s.hits); }},
    {Kind::kCounter, "misses_total", "Needs and wants that did not.",
     [](const Store::Stats& s) { return double(s.misses); }},
    {Kind::kCounter, "answered_total", "Waiters that a publish took out.",
     [](const Store::Stats& s) { return double(s.answered); }},
    {Kind::kCounter, "dropped_total", "Objects dropped.",
     [](const Store::Stats& s) { return double(s.dropped); }},
    {Kind::kCounter, "infos_total", "Questions after one object.",
     [](const Store::Stats& s) { return double(s.infos); }},
    {Kind::kCounter, "row_infos_total", "Questions after a row.",
     [](const Store::Stats& s) { return double(s.row_infos); }},
    {Kind::kCounter, "list_pages_total", "Pages of lists.",
     [](const Store::Stats& s) { return double(s.list_pages); }},
    {Kind::kCounter, "computes_total", "Computes that looked at their row.",
     [](const Store::Stats& s) { return double(s.computes); }},
};

/// What one elastic node tells, taken at one time.
struct NodeStats {
  std::string path;
  Store::Stats store;
  dpm::Dpm::Stats pool;
};

constexpr Metric<NodeStats> kElasticMetrics[] = {
    {Kind::kGauge, "objects", "Keys in the pool's index, dropped ones that it must remember too.",
     [](const NodeStats& s) { return double(s.store.engine.objects); }},
    {Kind::kGauge, "rows", "Rows with columns in the pool's index.",
     [](const NodeStats& s) { return double(s.store.engine.rows); }},
    {Kind::kGauge, "cache_bytes", "Memory of the node's cache: values and shortcuts.",
     [](const NodeStats& s) { return double(s.store.engine.used_bytes); }},
    {Kind::kCounter, "value_hits_total", "Reads of an object that was in the node's memory.",
     [](const NodeStats& s) { return double(s.store.engine.value_hits); }},
    {Kind::kCounter, "own_writes_total", "Reads of an own write that was not merged yet.",
     [](const NodeStats& s) { return double(s.store.engine.own_writes); }},
    {Kind::kCounter, "shortcut_hits_total", "Reads that knew where in the pool the object is.",
     [](const NodeStats& s) { return double(s.store.engine.shortcut_hits); }},
    {Kind::kCounter, "index_looks_total", "Reads that had to look into the pool's index.",
     [](const NodeStats& s) { return double(s.store.engine.misses); }},
    {Kind::kGauge, "segments", "Segments of the pool's log.",
     [](const NodeStats& s) { return double(s.pool.segments); }},
    {Kind::kGauge, "free_segments", "Of these, the ones that are free.",
     [](const NodeStats& s) { return double(s.pool.free_segments); }},
    {Kind::kGauge, "live_bytes", "Of the log, what the index leads to.",
     [](const NodeStats& s) { return double(s.pool.live_bytes); }},
    {Kind::kGauge, "written_bytes", "Of the log, what is written, dead or not.",
     [](const NodeStats& s) { return double(s.pool.written_bytes); }},
    {Kind::kCounter, "copied_bytes_total", "What the cleaner has copied.",
     [](const NodeStats& s) { return double(s.pool.copied_bytes); }},
    {Kind::kGauge, "extents", "Large objects in files of their own.",
     [](const NodeStats& s) { return double(s.pool.extents); }},
    {Kind::kGauge, "extent_bytes", "Bytes of these.",
     [](const NodeStats& s) { return double(s.pool.extent_bytes); }},
    {Kind::kGauge, "pinned_bytes", "Bytes of large objects that are gone but for who holds them.",
     [](const NodeStats& s) { return double(s.pool.pinned_bytes); }},
};

constexpr Metric<WorkerPoolStats> kWorkerMetrics[] = {
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

// Nodes come and go, and each is asked once for all its numbers; so they are told by a registry
// that lives as long as the text takes.
std::string ElasticText(const std::vector<NodeStats>& nodes) {
  MetricRegistry registry;
  std::vector<MetricRegistry::Registration> registrations;
  const auto add = [&](const NodeStats& node, Kind kind, const char* name, const char* help,
                       double value) {
    auto added = registry.AddCallback(kind, {"cirein_elastic_" + std::string(name), help},
                                      {{"pool", node.path}}, [value] { return value; });
    // Beyond so many pools as a metric may have series, the rest is not told.
    if (added.ok()) registrations.push_back(std::move(*added));
  };
  for (const NodeStats& node : nodes) {
    for (const auto& metric : kStoreMetrics) {
      add(node, metric.kind, metric.name, metric.help, metric.read(node.store));
    }
    for (const auto& metric : kElasticMetrics) {
      add(node, metric.kind, metric.name, metric.help, metric.read(node));
    }
  }
  return registry.ToPrometheus();
}

NodeStats Ask(const std::string& path, node::Node& node) {
  return {path, node.store()->GetStats(), node.pool().GetStats()};
}

}  // namespace

std::string NodeMetricsText(const std::string& path, node::Node& node) {
  return ElasticText({Ask(path, node)});
}

std::string ProcessMetrics::ToPrometheus() const {
  std::vector<NodeStats> nodes;
  process_.nodes().Each(
      [&](const std::string& path, node::Node& node) { nodes.push_back(Ask(path, node)); });
  return registry_.ToPrometheus() + ElasticText(nodes);
}

ProcessMetrics::ProcessMetrics(const Process& process) : process_(process) {
  const auto add = [this](Kind kind, const MetricInfo& info, const MetricLabels& labels,
                          std::function<double()> read) {
    Result<MetricRegistry::Registration> added =
        registry_.AddCallback(kind, info, labels, std::move(read));
    if (!added.ok()) Fatal(added.status().ToString());  // The tables above are wrong.
    registrations_.push_back(std::move(*added));
  };
  const auto add_local = [&](const Metric<Store::Stats>& metric) {
    add(metric.kind, {"cirein_store_" + std::string(metric.name), metric.help}, {},
        [&process, read = metric.read] { return read(process.store()->GetStats()); });
  };
  std::for_each(std::begin(kLocalMetrics), std::end(kLocalMetrics), add_local);
  std::for_each(std::begin(kStoreMetrics), std::end(kStoreMetrics), add_local);
  for (const Metric<WorkerPoolStats>& metric : kWorkerMetrics) {
    add(metric.kind, {metric.name, metric.help}, {{"pool", "callback"}},
        [&process, read = metric.read] { return read(process.callback_stats()); });
    add(metric.kind, {metric.name, metric.help}, {{"pool", "compute"}},
        [&process, read = metric.read] { return read(process.compute_stats()); });
  }
  add(Kind::kGauge, {"cirein_operations_pending", "Operations under way and not answered."}, {},
      [&process] { return double(process.pending_count()); });
}

}  // namespace cirein
