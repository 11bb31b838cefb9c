// SPDX-License-Identifier: Apache-2.0
#include "cli/blast_worker.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "runtime/real_clock.h"

namespace cirein {
namespace {

constexpr std::uint64_t kRetriesMax = 1'000;
constexpr std::uint64_t kProgressStep = 128;
constexpr int kStampThreadShift = 40;

}  // namespace

void BlastCounts::Merge(const BlastCounts& other) {
  latency_ns.Merge(other.latency_ns);
  errors += other.errors;
  retries += other.retries;
  wrong += other.wrong;
}

BlastWorker::BlastWorker(const BlastShared& shared, std::uint64_t thread)
    : shared_(shared),
      plan_(shared.plan),
      thread_(thread),
      random_(shared.plan.seed + thread),
      chooser_(shared.plan.distribution, shared.plan.keys, shared.plan.theta) {
  std::partial_sum(plan_.mix.begin(), plan_.mix.end(), thresholds_.begin());
}

void BlastWorker::Run(TimePoint start) {
  start_ = start;
  end_ = start;
  if (plan_.duration) stop_at_ = start + *plan_.duration;
  std::uint64_t left = ~std::uint64_t{0};
  if (plan_.ops) left = *plan_.ops / plan_.threads + (thread_ < *plan_.ops % plan_.threads ? 1 : 0);
  for (std::uint64_t number = 0; number < left; ++number) {
    if (shared_.interrupt.IsSet() || end_ >= stop_at_) break;
    Intended intended;
    if (plan_.rate_per_s) {
      intended = NextStart(number);
      if (!intended) break;
    }
    Ask(ChooseVerb(), intended);
    if (number % kProgressStep == kProgressStep - 1) shared_.progress.Add(kProgressStep);
  }
}

std::optional<TimePoint> BlastWorker::NextStart(std::uint64_t number) {
  const double place = static_cast<double>(number * plan_.threads + thread_);
  const std::chrono::duration<double> offset(place / *plan_.rate_per_s);
  const TimePoint intended = start_ + std::chrono::duration_cast<std::chrono::nanoseconds>(offset);
  if (intended >= stop_at_ || shared_.interrupt.WaitUntil(intended)) return std::nullopt;
  lateness_max_ = std::max(lateness_max_, RealClock::MonotonicNow() - intended);
  return intended;
}

BlastVerb BlastWorker::ChooseVerb() {
  const double drawn = random_.Double() * thresholds_.back();
  const auto* const found = std::upper_bound(thresholds_.begin(), thresholds_.end() - 1, drawn);
  return static_cast<BlastVerb>(found - thresholds_.begin());
}

std::uint64_t BlastWorker::NextStamp() { return ((thread_ + 1) << kStampThreadShift) + ++stamp_; }

void BlastWorker::Ask(BlastVerb verb, Intended intended) {
  switch (verb) {
    case BlastVerb::kRead:
      return Read(intended);
    case BlastVerb::kUpdate:
      return Write(verb, ChooseKey(), intended);
    case BlastVerb::kInsert:
      return Insert(intended);
    case BlastVerb::kScan:
      return Scan(intended);
    case BlastVerb::kReadModifyWrite:
      return ReadModifyWrite(intended);
  }
}

void BlastWorker::Read(Intended intended) {
  const std::uint64_t index = ChooseKey();
  const Key key = shared_.objects.KeyOf(index);
  const TimePoint begin = intended.value_or(RealClock::MonotonicNow());
  const Result<DataObject> object = shared_.pool.Need(key, {.deadline = plan_.deadline});
  if (!object.ok()) return Failed(BlastVerb::kRead, object.status());
  Succeeded(BlastVerb::kRead, begin);
  if (plan_.checks == BlastPlan::Checks::kEveryValue) {
    Check(BlastVerb::kRead, shared_.objects.CheckValue(index, *object));
  }
}

void BlastWorker::Write(BlastVerb verb, std::uint64_t index, Intended intended) {
  const Key key = shared_.objects.KeyOf(index);
  Result<DataObject> value = shared_.objects.MakeValue(index, NextStamp());
  if (!value.ok()) return Failed(verb, value.status());
  PublishOptions options;
  options.overwrite = Overwrite::kYes;
  options.deadline = plan_.deadline;
  const TimePoint begin = intended.value_or(RealClock::MonotonicNow());
  const Result<ObjectInfo> info = shared_.pool.Publish(key, *std::move(value), options);
  if (!info.ok()) return Failed(verb, info.status());
  Succeeded(verb, begin);
}

void BlastWorker::Insert(Intended intended) {
  const std::uint64_t index = shared_.inserts.Begin();
  const std::uint64_t errors = counts_[static_cast<std::size_t>(BlastVerb::kInsert)].errors;
  Write(BlastVerb::kInsert, index, intended);
  if (counts_[static_cast<std::size_t>(BlastVerb::kInsert)].errors == errors) {
    shared_.inserts.Succeeded(index);
  } else {
    shared_.inserts.Failed(index);
  }
}

void BlastWorker::Scan(Intended intended) {
  const Pattern pattern = shared_.objects.ScanOf(ChooseKey());
  ListOptions options;
  options.page_size = static_cast<std::uint32_t>(1 + random_.Below(plan_.scan_most));
  options.deadline = plan_.deadline;
  const TimePoint begin = intended.value_or(RealClock::MonotonicNow());
  const Result<ListPage> page = shared_.pool.List(pattern, options);
  if (!page.ok()) return Failed(BlastVerb::kScan, page.status());
  Succeeded(BlastVerb::kScan, begin);
  if (plan_.checks == BlastPlan::Checks::kNone) return;
  if (page->objects.empty()) {
    return Check(BlastVerb::kScan,
                 DataLoss(fmt::format("a scan of \"{}\" lists nothing", pattern.ToString())));
  }
  Status status;
  for (const ListedObject& listed : page->objects) {
    if (status.ok()) status = shared_.objects.CheckListed(pattern, listed);
  }
  Check(BlastVerb::kScan, status);
}

void BlastWorker::ReadModifyWrite(Intended intended) {
  const std::uint64_t index = ChooseKey();
  const Key key = shared_.objects.KeyOf(index);
  const Result<DataObject> value = shared_.objects.MakeValue(index, NextStamp());
  if (!value.ok()) return Failed(BlastVerb::kReadModifyWrite, value.status());
  BlastCounts& counts = counts_[static_cast<std::size_t>(BlastVerb::kReadModifyWrite)];
  const TimePoint begin = intended.value_or(RealClock::MonotonicNow());
  DataObject before;
  Status status = TryReadModifyWrite(key, *value, &before);
  for (std::uint64_t tries = 0;
       status.code() == StatusCode::kFailedPrecondition && tries < kRetriesMax; ++tries) {
    ++counts.retries;
    status = TryReadModifyWrite(key, *value, &before);
  }
  if (!status.ok()) return Failed(BlastVerb::kReadModifyWrite, status);
  Succeeded(BlastVerb::kReadModifyWrite, begin);
  if (plan_.checks == BlastPlan::Checks::kEveryValue) {
    Check(BlastVerb::kReadModifyWrite, shared_.objects.CheckValue(index, before));
  }
}

// The version is asked for before the value: if somebody publishes in between, the version is the
// old one and the publish is refused.
Status BlastWorker::TryReadModifyWrite(const Key& key, const DataObject& value,
                                       DataObject* before) {
  CIREIN_ASSIGN_OR_RETURN(const ObjectInfo info, shared_.pool.Info(key, plan_.deadline));
  CIREIN_ASSIGN_OR_RETURN(*before, shared_.pool.Need(key, {.deadline = plan_.deadline}));
  PublishOptions options;
  options.if_version = info.version;
  options.deadline = plan_.deadline;
  return shared_.pool.Publish(key, value, options).status();
}

void BlastWorker::Succeeded(BlastVerb verb, TimePoint begin) {
  end_ = RealClock::MonotonicNow();
  counts_[static_cast<std::size_t>(verb)].latency_ns.Record(
      static_cast<std::uint64_t>(std::max((end_ - begin).count(), std::int64_t{0})));
}

void BlastWorker::Failed(BlastVerb verb, const Status& status) {
  end_ = RealClock::MonotonicNow();
  ++counts_[static_cast<std::size_t>(verb)].errors;
  if (first_error_.ok()) first_error_ = status;
}

void BlastWorker::Check(BlastVerb verb, const Status& status) {
  if (status.ok()) return;
  ++counts_[static_cast<std::size_t>(verb)].wrong;
  if (first_error_.ok()) first_error_ = status;
}

}  // namespace cirein
