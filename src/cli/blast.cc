// SPDX-License-Identifier: Apache-2.0
#include "cli/blast.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/interrupt_flag.h"
#include "runtime/real_clock.h"
#include "runtime/thread_group.h"

namespace cirein {
namespace {

constexpr std::uint64_t kStep = 128;

Status Interrupted() {
  return Cancelled("interrupted before the run began", "give fewer --keys for a shorter load");
}

// Publishes the thread's part of the keys.
Status LoadPart(const BlastShared& shared, std::uint64_t thread) {
  const BlastPlan& plan = shared.plan;
  const std::uint64_t begin = plan.keys * thread / plan.threads;
  const std::uint64_t end = plan.keys * (thread + 1) / plan.threads;
  PublishOptions options;
  options.overwrite = Overwrite::kYes;
  options.deadline = plan.deadline;
  for (std::uint64_t index = begin; index < end; ++index) {
    CIREIN_ASSIGN_OR_RETURN(DataObject value, shared.objects.MakeValue(index, 0));
    const Result<ObjectInfo> info =
        shared.pool.Publish(shared.objects.KeyOf(index), std::move(value), options);
    if (!info.ok()) return info.status().WithContext("load");
    if ((index - begin) % kStep != kStep - 1) continue;
    shared.progress.Add(kStep);
    if (shared.interrupt.IsSet()) return Interrupted();
  }
  return OkStatus();
}

}  // namespace

Result<BlastResult> RunBlast(const BlastPlan& plan, Pool pool, Console& console) {
  CIREIN_RETURN_IF_ERROR(plan.Validate());
  const BlastObjects objects(plan);
  InsertCounter inserts(plan.keys);
  InterruptFlag& interrupt = InterruptFlag::Install();
  BlastResult result;

  TimePoint start = RealClock::MonotonicNow();
  {
    Progress progress(console, "load", plan.keys);
    const BlastShared shared{plan, objects, pool, inserts, progress, interrupt};
    CIREIN_RETURN_IF_ERROR(RunThreads(plan.threads, "blast-load", [&shared](std::size_t thread) {
      return LoadPart(shared, thread);
    }));
  }
  if (interrupt.IsSet()) return Interrupted();
  result.load_time = RealClock::MonotonicNow() - start;

  Progress progress(console, "run", plan.ops.value_or(0));
  const BlastShared shared{plan, objects, pool, inserts, progress, interrupt};
  std::vector<std::unique_ptr<BlastWorker>> workers;
  for (std::uint64_t thread = 0; thread < plan.threads; ++thread) {
    workers.push_back(std::make_unique<BlastWorker>(shared, thread));
  }
  start = RealClock::MonotonicNow();
  CIREIN_RETURN_IF_ERROR(RunThreads(plan.threads, "blast", [&](std::size_t thread) {
    workers[thread]->Run(start);
    return OkStatus();
  }));

  for (const auto& worker : workers) {
    for (std::size_t i = 0; i < kBlastVerbCount; ++i) result.counts[i].Merge(worker->counts()[i]);
    result.run_time = std::max(result.run_time, worker->end() - start);
    result.lateness_max = std::max(result.lateness_max, worker->lateness_max());
    if (result.first_error.ok()) result.first_error = worker->first_error();
  }
  if (interrupt.IsSet()) result.end = BlastResult::End::kInterrupted;
  return result;
}

}  // namespace cirein
