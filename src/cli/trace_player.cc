// SPDX-License-Identifier: Apache-2.0
#include "cli/trace_player.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "base/random.h"
#include "runtime/gate.h"
#include "runtime/real_clock.h"

namespace cirein {
namespace {

std::uint64_t Nanoseconds(std::chrono::nanoseconds time) {
  return static_cast<std::uint64_t>(std::max(time, std::chrono::nanoseconds::zero()).count());
}

// Bytes that compress badly, as real ones tend to, and are the same in each run.
void MakeUp(std::span<std::byte> bytes, std::uint64_t seed) {
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t word = SplitMix64(&seed);
    std::memcpy(bytes.data() + at, &word, std::min(sizeof word, bytes.size() - at));
  }
}

Result<DataObject> MakeUpObject(const TraceRecord& record) {
  CIREIN_ASSIGN_OR_RETURN(
      DataObject object,
      DataObject::Allocate({.meta_bytes = record.meta_bytes, .data_bytes = record.data_bytes}));
  MakeUp(object.mutable_meta(), record.meta_bytes);
  MakeUp(object.mutable_data(), record.data_bytes);
  return object;
}

PublishOptions OptionsOf(const TraceRecord& record, Deadline deadline) {
  PublishOptions options;
  options.overwrite =
      record.condition == TraceRecord::Condition::kIfVersion ? Overwrite::kYes : record.overwrite;
  options.ttl = record.ttl;
  options.deadline = deadline;
  return options;
}

}  // namespace

// What the callbacks of wants write into; they share it, because one may outlive an interrupted
// player.
struct TracePlayer::Waits {
  Gate gate;  // Each want that is not answered is inside.
  std::mutex mutex;
  std::array<TracePlayResult::Counts, kTraceVerbCount> counts;  // Guarded by mutex.
  Status first_error;                                           // Guarded by mutex.

  void Count(TraceRecord::Verb verb, std::chrono::nanoseconds latency, const Status& status) {
    if (status.code() == StatusCode::kCancelled) return;  // The player gave it up, and counts it.
    const std::lock_guard lock(mutex);
    TracePlayResult::Counts& entry = counts[static_cast<std::size_t>(verb)];
    if (status.ok()) {
      entry.latency_ns.Record(Nanoseconds(latency));
      return;
    }
    ++entry.errors;
    if (first_error.ok()) first_error = status;
  }
};

TracePlayer::TracePlayer(const Pool& pool, Deadline deadline, InterruptFlag& interrupt,
                         Progress* progress)
    : pool_(pool),
      deadline_(deadline),
      interrupt_(interrupt),
      progress_(progress),
      waits_(std::make_shared<Waits>()) {}

void TracePlayResult::Merge(const TracePlayResult& other) {
  for (std::size_t i = 0; i < counts.size(); ++i) {
    counts[i].latency_ns.Merge(other.counts[i].latency_ns);
    counts[i].errors += other.counts[i].errors;
  }
  lateness_ns.Merge(other.lateness_ns);
  time = std::max(time, other.time);
  if (first_error.ok()) first_error = other.first_error;
  given_up += other.given_up;
  if (other.end == End::kInterrupted) end = End::kInterrupted;
}

TracePlayResult TracePlayer::Play(const TraceReader& trace, Speed speed,
                                  std::chrono::nanoseconds start_after) {
  const TimePoint start = RealClock::MonotonicNow();
  Status played = PlayAll(trace, speed, start_after);
  if (played.ok()) played = WaitForWants();
  if (!played.ok()) {
    GiveUpWants();
    result_.end = TracePlayResult::End::kInterrupted;
  }
  result_.time = RealClock::MonotonicNow() - start;
  const std::lock_guard lock(waits_->mutex);
  result_.counts = waits_->counts;
  result_.first_error = waits_->first_error;
  return std::move(result_);
}

Status TracePlayer::PlayAll(const TraceReader& trace, Speed speed, std::chrono::nanoseconds start) {
  TimePoint intended = RealClock::MonotonicNow() + start;
  return trace.ForEach([&](const TraceRecord& record) -> Status {
    intended += record.delay;
    if (record.group_left > 1) {
      group_.push_back(record);
      if (progress_ != nullptr) progress_->Add(1);
      return OkStatus();
    }
    if (speed == Speed::kOriginal) {
      interrupt_.WaitUntil(intended);
      result_.lateness_ns.Record(Nanoseconds(RealClock::MonotonicNow() - intended));
    }
    if (interrupt_.IsSet()) return Cancelled("interrupted");
    const TimePoint begin = RealClock::MonotonicNow();
    const bool waits =
        record.verb == TraceRecord::Verb::kWant || record.verb == TraceRecord::Verb::kNeed;
    if (waits) {
      BeginWant(record);
    } else {
      const Status status = PlayOne(record);
      waits_->Count(record.verb, RealClock::MonotonicNow() - begin, status);
    }
    if (progress_ != nullptr) progress_->Add(1);
    return OkStatus();
  });
}

Status TracePlayer::PlayOne(const TraceRecord& record) {
  switch (record.verb) {
    case TraceRecord::Verb::kPublish:
      return Publish(record);
    case TraceRecord::Verb::kDrop:
      return pool_.Drop(record.pattern, deadline_).status();
    case TraceRecord::Verb::kInfo:
      return pool_.Info(record.pattern.key(), deadline_).status();
    case TraceRecord::Verb::kRowInfo:
      return pool_.RowInfo(record.pattern.key(), deadline_).status();
    case TraceRecord::Verb::kList:
      return List(record);
    case TraceRecord::Verb::kCompute:
      return pool_.Compute(record.pattern, record.function, record.args, deadline_).status();
    case TraceRecord::Verb::kWant:
    case TraceRecord::Verb::kNeed:
      break;
  }
  return Internal("wants are played elsewhere");
}

Status TracePlayer::Publish(const TraceRecord& record) {
  if (record.group_left != 0) return PublishGroup(record);
  CIREIN_ASSIGN_OR_RETURN(DataObject object, MakeUpObject(record));
  return pool_.Publish(record.pattern.key(), std::move(object), OptionsOf(record, deadline_))
      .status();
}

Status TracePlayer::PublishGroup(const TraceRecord& last) {
  std::vector<TraceRecord> records = std::exchange(group_, {});
  records.push_back(last);
  std::vector<PublishItem> items;
  items.reserve(records.size());
  for (const TraceRecord& record : records) {
    CIREIN_ASSIGN_OR_RETURN(DataObject object, MakeUpObject(record));
    items.push_back({record.pattern.key(), std::move(object)});
  }
  return pool_.PublishGroup(std::move(items), OptionsOf(last, deadline_)).status();
}

Status TracePlayer::List(const TraceRecord& record) {
  std::string text = record.pattern.ToString();
  const auto before = cursors_.find(text);
  ListOptions options;
  options.page_size = record.page_size;
  options.deadline = deadline_;
  if (before != cursors_.end()) {
    if (record.page == TraceRecord::Page::kNext) options.cursor = std::move(before->second);
    cursors_.erase(before);
  }
  CIREIN_ASSIGN_OR_RETURN(ListPage page, pool_.List(record.pattern, options));
  if (page.next.empty()) return OkStatus();
  if (cursors_.size() >= kMaxCursors) cursors_.erase(cursors_.begin());
  cursors_.emplace(std::move(text), std::move(page.next));
  return OkStatus();
}

void TracePlayer::BeginWant(const TraceRecord& record) {
  // Those that are over go when as many again have come: few steps for each, and not more kept than
  // twice what may wait at once.
  if (wants_.size() >= wants_before_sweep_) {
    std::erase_if(wants_, [](const Operation& want) { return want.done(); });
    wants_before_sweep_ = std::max(wants_before_sweep_, 2 * wants_.size());
  }
  const auto inside = std::make_shared<Gate::Holder>(waits_->gate.TryEnter());
  wants_.push_back(
      pool_.Want(record.pattern,
                 [waits = waits_, inside, verb = record.verb,
                  begin = RealClock::MonotonicNow()](const Result<NamedObject>& found) {
                   waits->Count(verb, RealClock::MonotonicNow() - begin, found.status());
                   inside->Leave();
                 },
                 {.deadline = deadline_}));
}

// A signal handler can set a flag but not close a gate, so the flag is looked at in between.
Status TracePlayer::WaitForWants() {
  constexpr std::chrono::milliseconds kLook{100};
  while (!waits_->gate.CloseAndWait(RealClock::MonotonicNow() + kLook)) {
    if (interrupt_.IsSet()) return Cancelled("interrupted");
  }
  return OkStatus();
}

void TracePlayer::GiveUpWants() {
  for (Operation& want : wants_) {
    if (want.Cancel()) ++result_.given_up;
  }
}

}  // namespace cirein
