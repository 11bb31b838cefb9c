// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "base/text.h"

namespace cirein {
namespace {

using Read = std::function<double()>;
// The series' own object. Held by pointer, so that it keeps its place.
using Series = std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>,
                            std::unique_ptr<DurationHistogram>, Read>;

constexpr auto kBoundsNs = std::to_array<std::uint64_t>({
    1'000,          2'000,         5'000,          //
    10'000,         20'000,        50'000,         //
    100'000,        200'000,       500'000,        //
    1'000'000,      2'000'000,     5'000'000,      //
    10'000'000,     20'000'000,    50'000'000,     //
    100'000'000,    200'000'000,   500'000'000,    //
    1'000'000'000,  2'000'000'000, 5'000'000'000,  //
    10'000'000'000,
});
static_assert(kBoundsNs.size() + 1 == DurationHistogram::kBucketCount);

constexpr double kNsPerSecond = 1e9;

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNamePart(char c) { return IsNameStart(c) || (c >= '0' && c <= '9'); }

bool IsMetricName(std::string_view name) {
  const auto start = [](char c) { return IsNameStart(c) || c == ':'; };
  const auto part = [](char c) { return IsNamePart(c) || c == ':'; };
  return !name.empty() && start(name.front()) && std::all_of(name.begin(), name.end(), part);
}

bool IsLabelName(std::string_view name) {
  return !name.empty() && IsNameStart(name.front()) &&
         std::all_of(name.begin(), name.end(), IsNamePart) && !name.starts_with("__") &&
         name != "le";
}

std::string EscapeHelp(std::string_view help) {
  std::string out;
  for (const char c : help) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

// The format wants UTF-8; bytes that are not are shown as \xNN.
std::string EscapeLabelValue(std::string_view value) {
  const std::string shown =
      IsUtf8(value) ? std::string(value) : EscapeForPeople(value, value.size());
  std::string out;
  for (const char c : EscapeHelp(shown)) {
    if (c == '"') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

// `a="1",b="2"`, sorted by name: equal label sets give equal texts.
Result<std::string> LabelText(const MetricInfo& info, const MetricLabels& labels) {
  MetricLabels sorted = labels;
  std::sort(sorted.begin(), sorted.end());
  std::string text;
  std::string_view last;
  for (const auto& [name, value] : sorted) {
    if (!IsLabelName(name) || name == last) {
      return InvalidArgument(
          fmt::format("metric {} has the label {}, which breaks the rules or is "
                      "given twice",
                      info.name, QuoteForPeople(name)),
          "use letters, digits and '_'; no digit and no \"__\" first; not \"le\"");
    }
    if (!text.empty()) text.push_back(',');
    text += fmt::format("{}=\"{}\"", name, EscapeLabelValue(value));
    last = name;
  }
  return text;
}

std::string_view KindName(MetricRegistry::Kind kind) {
  switch (kind) {
    case MetricRegistry::Kind::kCounter:
      return "counter";
    case MetricRegistry::Kind::kGauge:
      return "gauge";
    case MetricRegistry::Kind::kHistogram:
      return "histogram";
  }
  return "untyped";
}

std::string NumberText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

std::string Braced(std::string_view labels) {
  return labels.empty() ? std::string() : fmt::format("{{{}}}", labels);
}

void AppendHistogram(std::string_view name, std::string_view labels,
                     const DurationHistogram& histogram, std::string* out) {
  const DurationHistogram::Snapshot snapshot = histogram.Read();
  const std::string_view comma = labels.empty() ? "" : ",";
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < snapshot.counts.size(); ++i) {
    below += snapshot.counts[i];
    const std::string bound = i < kBoundsNs.size()
                                  ? NumberText(static_cast<double>(kBoundsNs[i]) / kNsPerSecond)
                                  : "+Inf";
    *out += fmt::format("{}_bucket{{{}{}le=\"{}\"}} {}\n", name, labels, comma, bound, below);
  }
  const double sum_seconds = static_cast<double>(snapshot.sum_ns) / kNsPerSecond;
  *out += fmt::format("{}_sum{} {}\n", name, Braced(labels), NumberText(sum_seconds));
  *out += fmt::format("{}_count{} {}\n", name, Braced(labels), snapshot.count);
}

struct AppendSeries {
  std::string_view name;
  std::string_view labels;
  std::string* out;

  void Line(std::string_view value) const {
    *out += fmt::format("{}{} {}\n", name, Braced(labels), value);
  }
  void operator()(const std::unique_ptr<Counter>& counter) const {
    Line(fmt::format("{}", counter->value()));
  }
  void operator()(const std::unique_ptr<Gauge>& gauge) const {
    Line(fmt::format("{}", gauge->value()));
  }
  void operator()(const std::unique_ptr<DurationHistogram>& histogram) const {
    AppendHistogram(name, labels, *histogram, out);
  }
  void operator()(const Read& read) const { Line(NumberText(read())); }
};

}  // namespace

struct MetricRegistry::State {
  struct Metric {
    Kind kind = Kind::kCounter;
    std::string help;
    std::map<std::string, Series, std::less<>> series;  // By label text.
  };

  // Where the series with these labels is or may be made: null when it is not there yet. The caller
  // holds the mutex.
  Result<Series*> Find(Kind kind, const MetricInfo& info, const std::string& labels);
  template <typename T>
  Result<T*> FindOrMake(Kind kind, const MetricInfo& info, const MetricLabels& labels);

  std::mutex mutex;
  std::map<std::string, Metric, std::less<>> metrics;  // Guarded by mutex.
};

Result<Series*> MetricRegistry::State::Find(Kind kind, const MetricInfo& info,
                                            const std::string& labels) {
  if (!IsMetricName(info.name)) {
    return InvalidArgument(
        fmt::format("{} cannot be the name of a metric", QuoteForPeople(info.name)),
        "use letters, digits, '_' and ':', no digit first");
  }
  const auto metric = metrics.find(info.name);
  if (metric == metrics.end()) return nullptr;
  if (metric->second.kind != kind) {
    return AlreadyExists(fmt::format("metric {} is a {}, not a {}", info.name,
                                     KindName(metric->second.kind), KindName(kind)),
                         "choose another name");
  }
  const auto series = metric->second.series.find(labels);
  if (series != metric->second.series.end()) return &series->second;
  if (metric->second.series.size() >= kMaxSeries) {
    return ResourceExhausted(fmt::format("metric {} has {} series already", info.name, kMaxSeries),
                             "leave out the label whose values have no bound");
  }
  return nullptr;
}

template <typename T>
Result<T*> MetricRegistry::State::FindOrMake(Kind kind, const MetricInfo& info,
                                             const MetricLabels& labels) {
  CIREIN_ASSIGN_OR_RETURN(std::string text, LabelText(info, labels));
  const std::lock_guard lock(mutex);
  CIREIN_ASSIGN_OR_RETURN(Series* const series, Find(kind, info, text));
  if (series != nullptr) {
    if (auto* const found = std::get_if<std::unique_ptr<T>>(series)) return found->get();
    return AlreadyExists(fmt::format("metric {}{} is a callback", info.name, Braced(text)),
                         "choose other labels");
  }
  Metric& metric = metrics[info.name];
  if (metric.series.empty()) {
    metric.kind = kind;
    metric.help = info.help;
  }
  auto made = std::make_unique<T>();
  T* const result = made.get();
  metric.series.emplace(std::move(text), std::move(made));
  return result;
}

std::size_t MetricStripe() noexcept {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t stripe =
      next.fetch_add(1, std::memory_order_relaxed) % kMetricStripes;
  return stripe;
}

std::uint64_t Counter::value() const noexcept {
  std::uint64_t sum = 0;
  for (const Stripe& stripe : stripes_) sum += stripe.value.load(std::memory_order_relaxed);
  return sum;
}

std::span<const std::uint64_t> DurationHistogram::BoundsNs() { return kBoundsNs; }

void DurationHistogram::Record(std::uint64_t duration_ns) noexcept {
  const auto* const bound = std::lower_bound(kBoundsNs.begin(), kBoundsNs.end(), duration_ns);
  const auto bucket = static_cast<std::size_t>(bound - kBoundsNs.begin());
  Stripe& stripe = stripes_[MetricStripe()];
  stripe.counts[bucket].fetch_add(1, std::memory_order_relaxed);
  stripe.sum_ns.fetch_add(duration_ns, std::memory_order_relaxed);
}

DurationHistogram::Snapshot DurationHistogram::Read() const noexcept {
  Snapshot snapshot;
  for (const Stripe& stripe : stripes_) {
    for (std::size_t i = 0; i < kBucketCount; ++i) {
      const std::uint64_t count = stripe.counts[i].load(std::memory_order_relaxed);
      snapshot.counts[i] += count;
      snapshot.count += count;
    }
    snapshot.sum_ns += stripe.sum_ns.load(std::memory_order_relaxed);
  }
  return snapshot;
}

MetricRegistry::Registration& MetricRegistry::Registration::operator=(
    Registration&& other) noexcept {
  if (this != &other) {
    Remove();
    state_ = std::move(other.state_);
    name_ = std::move(other.name_);
    labels_ = std::move(other.labels_);
  }
  return *this;
}

void MetricRegistry::Registration::Remove() noexcept {
  if (!state_) return;
  const std::lock_guard lock(state_->mutex);
  const auto metric = state_->metrics.find(name_);
  if (metric == state_->metrics.end()) return;
  metric->second.series.erase(labels_);
  if (metric->second.series.empty()) state_->metrics.erase(metric);
}

MetricRegistry::MetricRegistry() : state_(std::make_shared<State>()) {}
MetricRegistry::~MetricRegistry() = default;

Result<Counter*> MetricRegistry::AddCounter(const MetricInfo& info, const MetricLabels& labels) {
  return state_->FindOrMake<Counter>(Kind::kCounter, info, labels);
}

Result<Gauge*> MetricRegistry::AddGauge(const MetricInfo& info, const MetricLabels& labels) {
  return state_->FindOrMake<Gauge>(Kind::kGauge, info, labels);
}

Result<DurationHistogram*> MetricRegistry::AddHistogram(const MetricInfo& info,
                                                        const MetricLabels& labels) {
  return state_->FindOrMake<DurationHistogram>(Kind::kHistogram, info, labels);
}

Result<MetricRegistry::Registration> MetricRegistry::AddCallback(Kind kind, const MetricInfo& info,
                                                                 const MetricLabels& labels,
                                                                 std::function<double()> read) {
  if (kind == Kind::kHistogram || !read) {
    return InvalidArgument(fmt::format("metric {} cannot be read by this callback", info.name),
                           "give a function, and the kind counter or gauge");
  }
  CIREIN_ASSIGN_OR_RETURN(std::string text, LabelText(info, labels));
  const std::lock_guard lock(state_->mutex);
  CIREIN_ASSIGN_OR_RETURN(const Series* const series, state_->Find(kind, info, text));
  if (series != nullptr) {
    return AlreadyExists(fmt::format("metric {}{} is there already", info.name, Braced(text)),
                         "choose other labels");
  }
  State::Metric& metric = state_->metrics[info.name];
  if (metric.series.empty()) {
    metric.kind = kind;
    metric.help = info.help;
  }
  metric.series.emplace(text, std::move(read));
  return Registration(state_, info.name, std::move(text));
}

std::string MetricRegistry::ToPrometheus() const {
  const std::lock_guard lock(state_->mutex);
  std::string out;
  for (const auto& [name, metric] : state_->metrics) {
    out += fmt::format("# HELP {} {}\n", name, EscapeHelp(metric.help));
    out += fmt::format("# TYPE {} {}\n", name, KindName(metric.kind));
    for (const auto& [labels, series] : metric.series) {
      std::visit(AppendSeries{name, labels, &out}, series);
    }
  }
  return out;
}

}  // namespace cirein
