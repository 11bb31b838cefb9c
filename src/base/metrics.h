// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cirein/status.h"

namespace cirein {

/// On how many cache lines a counter is spread, so that threads seldom share one: a contended
/// atomic add costs six times as much as a lone one.
inline constexpr std::size_t kMetricStripes = 4;

/// The stripe of the calling thread, the same for all its life.
std::size_t MetricStripe() noexcept;

/// A number that only grows. Thread-safe; Add is one relaxed atomic addition.
class Counter {
 public:
  void Add(std::uint64_t amount = 1) noexcept {
    stripes_[MetricStripe()].value.fetch_add(amount, std::memory_order_relaxed);
  }
  /// The sum of what was added; additions that run meanwhile may or may not be in it.
  std::uint64_t value() const noexcept;

 private:
  struct alignas(64) Stripe {
    std::atomic<std::uint64_t> value{0};
  };
  std::array<Stripe, kMetricStripes> stripes_;
};

/// A number that goes up and down. Thread-safe.
class Gauge {
 public:
  void Set(std::int64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  void Add(std::int64_t amount) noexcept { value_.fetch_add(amount, std::memory_order_relaxed); }
  std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// How many durations fell between fixed bounds. Coarser than Histogram, but Record may be called
/// from any thread: it is two relaxed atomic additions.
class DurationHistogram {
 public:
  /// Upper bounds of the buckets in nanoseconds, each included in its bucket: 1 us to 10 s in steps
  /// of 1, 2, 5. What is longer falls into one more bucket.
  static std::span<const std::uint64_t> BoundsNs();
  static constexpr std::size_t kBucketCount = 23;

  void Record(std::uint64_t duration_ns) noexcept;

  struct Snapshot {
    std::array<std::uint64_t, kBucketCount> counts{};  ///< Per bucket, not cumulative.
    std::uint64_t count = 0;
    std::uint64_t sum_ns = 0;
  };
  Snapshot Read() const noexcept;

 private:
  struct alignas(64) Stripe {
    std::array<std::atomic<std::uint64_t>, kBucketCount> counts{};
    std::atomic<std::uint64_t> sum_ns{0};
  };
  std::array<Stripe, kMetricStripes> stripes_;
};

/// What a metric is called and what it counts. Names follow Prometheus: letters, digits, '_' and
/// ':', no digit first; by custom with the unit at the end, and "_total" for counters.
struct MetricInfo {
  std::string name;
  std::string help;  ///< One sentence for people.
};

/// What tells the series of one metric apart: names (letters, digits, '_', no digit first, not "__"
/// first, not "le") and any values. Order does not count.
using MetricLabels = std::vector<std::pair<std::string, std::string>>;

/// The metrics of a process or of one node, and their exposition for Prometheus. Thread-safe.
///
/// The Add functions find a series or make it; the pointer stays good as long as the registry, so
/// that hot paths look it up once. Errors: InvalidArgument for a name or label against the rules or
/// given twice, AlreadyExists when the name belongs to a metric of another kind, ResourceExhausted
/// beyond kMaxSeries.
class MetricRegistry {
  struct State;

 public:
  /// Series of one metric at most: a label with unbounded values (a key, an address) is a mistake
  /// that would eat the memory of every monitoring system.
  static constexpr std::size_t kMaxSeries = 1000;

  enum class Kind : unsigned char { kCounter, kGauge, kHistogram };

  /// Keeps a callback metric registered while it lives. Its end waits for a call under way. May
  /// outlive the registry.
  class Registration {
   public:
    Registration() = default;
    Registration(Registration&& other) noexcept = default;
    Registration& operator=(Registration&& other) noexcept;
    ~Registration() { Remove(); }

   private:
    friend class MetricRegistry;
    Registration(std::shared_ptr<State> state, std::string name, std::string labels)
        : state_(std::move(state)), name_(std::move(name)), labels_(std::move(labels)) {}
    void Remove() noexcept;

    std::shared_ptr<State> state_;
    std::string name_;
    std::string labels_;
  };

  MetricRegistry();
  ~MetricRegistry();
  MetricRegistry(const MetricRegistry&) = delete;
  MetricRegistry& operator=(const MetricRegistry&) = delete;

  Result<Counter*> AddCounter(const MetricInfo& info, const MetricLabels& labels = {});
  Result<Gauge*> AddGauge(const MetricInfo& info, const MetricLabels& labels = {});
  Result<DurationHistogram*> AddHistogram(const MetricInfo& info, const MetricLabels& labels = {});

  /// A counter or gauge whose value `read` gives when it is asked for. `read` runs with the
  /// registry locked: it must be short and must not call the registry. AlreadyExists if the series
  /// is there.
  Result<Registration> AddCallback(Kind kind, const MetricInfo& info, const MetricLabels& labels,
                                   std::function<double()> read);

  /// All metrics in Prometheus' text format (version 0.0.4), sorted by name and labels. Histograms
  /// are in seconds.
  std::string ToPrometheus() const;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace cirein
