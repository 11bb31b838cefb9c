// SPDX-License-Identifier: Apache-2.0
#include "pool/process.h"

#include <chrono>
#include <utility>

#include "base/logging.h"
#include "object/finished.h"
#include "runtime/file.h"
#include "runtime/real_clock.h"
#include "runtime/thread.h"

namespace cirein {
namespace {

// How long the end of the library waits for user code: callbacks end by themselves once nobody
// blocks in a call; a compute function may never.
constexpr std::chrono::seconds kCallbackGrace{10};
constexpr std::chrono::seconds kComputeGrace{1};

WorkerPoolOptions CallbackOptions(const Config& config) {
  return {
      .name = "callback",
      .min_threads = static_cast<std::size_t>(config.GetInteger("runtime.callback_threads")),
      .threads_max = static_cast<std::size_t>(config.GetInteger("runtime.callback_threads_max")),
      // Each operation has one callback, so the bound on operations is one on this queue.
      .queue_max = static_cast<std::size_t>(config.GetInteger("runtime.operations_max")),
      .stuck_after = config.GetDuration("runtime.stuck_after"),
      .refuse_when_stuck = false};
}

WorkerPoolOptions ComputeOptions(const Config& config) {
  return {.name = "compute",
          .min_threads = static_cast<std::size_t>(config.GetInteger("compute.threads")),
          .threads_max = static_cast<std::size_t>(config.GetInteger("compute.threads_max")),
          .queue_max = static_cast<std::size_t>(config.GetInteger("compute.queue_max")),
          .stuck_after = config.GetDuration("runtime.stuck_after"),
          .refuse_when_stuck = true};
}

// Each pool has one piece of merging or syncing at a time, and each of its shards one batch that
// nobody waits for.
WorkerPoolOptions PoolWorkerOptions(const Config& config) {
  return {.name = "pool",
          .min_threads = 2,
          .threads_max = 16,
          .queue_max = 10'000,
          .stuck_after = config.GetDuration("runtime.stuck_after"),
          .refuse_when_stuck = false};
}

}  // namespace

Result<std::shared_ptr<Process>> Process::Start(const Config& config) {
  CIREIN_ASSIGN_OR_RETURN(auto reactor, ReactorThread::Start(RealClock::Instance()));
  return std::shared_ptr<Process>(new Process(config, std::move(reactor)));
}

Process::Process(const Config& config, std::unique_ptr<ReactorThread> reactor)
    : config_(config),
      default_deadline_(config.GetDuration("default.deadline")),
      object_limit_bytes_(config.GetBytes("memory.object_limit")),
      reactor_(std::move(reactor)),
      callbacks_(std::make_unique<WorkerPool>(CallbackOptions(config), RealClock::Instance(),
                                              reactor_->reactor())),
      compute_(std::make_unique<WorkerPool>(ComputeOptions(config), RealClock::Instance(),
                                            reactor_->reactor())),
      environment_{RealClock::Instance(), reactor_->reactor(), *callbacks_, *compute_},
      pending_(static_cast<std::uint64_t>(config.GetInteger("runtime.operations_max"))),
      store_(StripedStore::Create(
          environment_, {.stripes = static_cast<std::uint32_t>(config.GetInteger("memory.stripes")),
                         .memory_limit_bytes = config.GetBytes("memory.limit")})),
      pool_workers_(std::make_unique<WorkerPool>(PoolWorkerOptions(config), RealClock::Instance(),
                                                 reactor_->reactor())) {}

Process::~Process() { Stop(); }

void Process::Stop() {
  if (stopped_.exchange(true)) return;
  // First those who wait, so that callbacks and functions which block in a call come back; then
  // user code; timers last, because all of these use them.
  store_->Close();
  nodes_->CloseAll();
  pending_.Close(LibraryFinished());
  {
    const std::lock_guard lock(groups_mutex_);
    groups_.clear();
  }
  {
    const std::lock_guard lock(network_mutex_);
    if (network_ != nullptr) network_->Stop();
  }
  // Each logs whom it leaves behind; what those call later finds a process that has stopped.
  (void)compute_->Close(kComputeGrace);
  (void)callbacks_->Close(kCallbackGrace);
  (void)pool_workers_->Close(kCallbackGrace);
  reactor_->Stop();
}

Result<ProcessNetwork*> Process::network() {
  const std::lock_guard lock(network_mutex_);
  if (stopped()) return LibraryFinished();
  if (network_ == nullptr) {
    CIREIN_ASSIGN_OR_RETURN(network_,
                            ProcessNetwork::Start(config_, store_, environment_, *pool_workers_));
  }
  return network_.get();
}

Result<Group> Process::JoinGroup(std::string_view form, Deadline deadline) {
  CIREIN_ASSIGN_OR_RETURN(ProcessNetwork* const network, this->network());
  const std::vector<std::string> environment = Environ();
  CIREIN_ASSIGN_OR_RETURN(const std::string chosen, GroupForm(form, config_, environment));
  const TimePoint end = environment_.clock.EndOf(deadline.Or(default_deadline_));
  const std::lock_guard lock(groups_mutex_);
  if (stopped()) return LibraryFinished();
  std::unique_ptr<GroupMembership>& membership = groups_[chosen];
  if (membership == nullptr) {
    CIREIN_ASSIGN_OR_RETURN(
        membership,
        GroupMembership::Join(chosen,
                              {config_, environment, *network, [this] { return stopped(); }}, end));
  }
  return membership->group();
}

void Process::RunElsewhere(const std::function<void()>& work) {
  if (callbacks_->Submit(work).ok()) return;
  auto thread = StartThread("pool-end", work);
  if (thread.ok()) {
    thread->detach();
  } else {
    LogWarn("library", "a pool is left as it is: {}", thread.status().ToString());
  }
}

Result<std::shared_ptr<Pool::State>> Process::Share(
    const std::string& url, const std::function<Result<std::shared_ptr<Pool::State>>()>& connect) {
  {
    const std::lock_guard lock(connections_mutex_);
    std::erase_if(connections_, [](const auto& entry) { return entry.second.expired(); });
    if (const auto entry = connections_.find(url); entry != connections_.end()) {
      if (auto shared = entry->second.lock()) return shared;
    }
  }
  // Not under the lock: a factory may connect to another pool. Of two at once the first one counts.
  CIREIN_ASSIGN_OR_RETURN(std::shared_ptr<Pool::State> made, connect());
  const std::lock_guard lock(connections_mutex_);
  std::weak_ptr<Pool::State>& entry = connections_[url];
  if (auto shared = entry.lock()) return shared;
  entry = made;
  return made;
}

}  // namespace cirein
