// SPDX-License-Identifier: Apache-2.0
#include "runtime/reactor.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cxxabi.h>
#include <system_error>
#include <time.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "runtime/adaptive_wait.h"
#include "runtime/guarded.h"

namespace cirein {
namespace {

// Of each kind of work at most this much in one round, so that none starves the others.
constexpr std::size_t kBatch = 256;
// While other work keeps the loop busy, or pollers have it look for work anyway, descriptors are
// asked only in every so many rounds: asking is a system call, and costs as much as several rounds.
constexpr std::uint64_t kRoundsPerDescriptorCheck = 16;
// The same for timers, where a clock is to be read.
constexpr std::uint64_t kRoundsPerTimerCheck = 4;
// The mark of the wake-up descriptor among the watches, whose generations begin at 1.
constexpr std::uint64_t kWakeId = 0;

std::string SystemError(int error) { return std::generic_category().message(error); }

// Some functions that wait in nanoseconds are younger than the oldest kernels we run on.
using Events = std::array<epoll_event, 128>;

int WaitForEvents(int epoll_fd, Events& events, std::optional<std::chrono::nanoseconds> limit) {
  static std::atomic<bool> has_nanoseconds{true};
  const int max_events = static_cast<int>(events.size());
  if (limit == std::chrono::nanoseconds::zero()) {
    return epoll_wait(epoll_fd, events.data(), max_events, 0);
  }
  if (has_nanoseconds.load(std::memory_order_relaxed)) {
    timespec timeout{};
    if (limit) {
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*limit);
      timeout.tv_sec = static_cast<time_t>(seconds.count());
      timeout.tv_nsec = static_cast<long>((*limit - seconds).count());
    }
    const int count =
        epoll_pwait2(epoll_fd, events.data(), max_events, limit ? &timeout : nullptr, nullptr);
    if (count >= 0 || errno != ENOSYS) return count;
    has_nanoseconds.store(false, std::memory_order_relaxed);
  }
  int timeout_ms = -1;
  if (limit) {
    const auto rounded_up = std::chrono::ceil<std::chrono::milliseconds>(*limit).count();
    timeout_ms = static_cast<int>(std::min<std::int64_t>(rounded_up, INT_MAX));
  }
  return epoll_wait(epoll_fd, events.data(), max_events, timeout_ms);
}

std::uint32_t ToEpoll(FdInterest interest) {
  switch (interest) {
    case FdInterest::kReadable:
      return EPOLLIN;
    case FdInterest::kWritable:
      return EPOLLOUT;
    case FdInterest::kNothing:
      return 0;
    case FdInterest::kReadableOrWritable:
      break;
  }
  return EPOLLIN | EPOLLOUT;
}

FdReadiness FromEpoll(std::uint32_t events) {
  return {.readable = (events & EPOLLIN) != 0,
          .writable = (events & EPOLLOUT) != 0,
          .failed = (events & (EPOLLERR | EPOLLHUP)) != 0};
}

Status Register(int epoll_fd, int fd, std::uint32_t events, std::uint64_t id) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0) return OkStatus();
  return IoError(fmt::format("cannot watch file descriptor {}: {}", fd, SystemError(errno)),
                 "watch sockets, pipes, eventfds and the like; ordinary files are always ready");
}

Status NotWatched(const std::string& reactor, int fd) {
  return NotFound(fmt::format("reactor '{}' does not watch file descriptor {}", reactor, fd),
                  "each Watch is undone once, before the descriptor is closed");
}

}  // namespace

Result<std::unique_ptr<Reactor>> Reactor::Create(Clock& clock, ReactorOptions options) {
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  const int epoll_error = errno;
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const int wake_error = errno;
  if (epoll_fd < 0 || wake_fd < 0) {
    if (epoll_fd >= 0) close(epoll_fd);
    if (wake_fd >= 0) close(wake_fd);
    return IoError(fmt::format("cannot open the descriptors of reactor '{}': {}", options.name,
                               SystemError(epoll_fd < 0 ? epoll_error : wake_error)),
                   "raise the limit on open files (ulimit -n)");
  }
  std::unique_ptr<Reactor> reactor(new Reactor(clock, std::move(options), epoll_fd, wake_fd));
  CIREIN_RETURN_IF_ERROR(Register(epoll_fd, wake_fd, EPOLLIN, kWakeId));
  return reactor;
}

Reactor::Reactor(Clock& clock, ReactorOptions options, int epoll_fd, int wake_fd)
    : clock_(clock),
      options_(std::move(options)),
      epoll_fd_(epoll_fd),
      wake_fd_(wake_fd),
      posts_(options_.queue_max) {}

Reactor::~Reactor() {
  Close();
  close(wake_fd_);
  close(epoll_fd_);
}

Status Reactor::Post(std::function<void()> work) {
  if (closed_.load(std::memory_order_acquire)) {
    return Unavailable(fmt::format("reactor '{}' is closed", options_.name));
  }
  if (!posts_.TryPush(std::move(work))) {
    return ResourceExhausted(
        fmt::format("the queue of reactor '{}' is full: {} posts wait", options_.name,
                    posts_.capacity()),
        "its thread is overloaded or blocked; send less at a time, or raise its queue_max");
  }
  WakeIfAsleep();
  return OkStatus();
}

TimerService::TimerId Reactor::RunAt(TimePoint when, std::function<void()> work) {
  TimerId id = 0;
  {
    const std::lock_guard lock(timers_mutex_);
    if (timers_closed_) return 0;
    const TimePoint next = timers_.Next();
    id = timers_.Add(when, std::move(work));
    if (when >= next) return id;  // The loop will wake early enough for it.
  }
  WakeIfAsleep();
  return id;
}

bool Reactor::CancelTimer(TimerId id) {
  TimerQueue::Work cancelled;  // Destroyed after the lock is left: it may hold anything.
  const std::lock_guard lock(timers_mutex_);
  cancelled = timers_.Cancel(id);
  return cancelled != nullptr;
}

TimePoint Reactor::NextTimer() const {
  const std::lock_guard lock(timers_mutex_);
  return timers_.Next();
}

Reactor::PollerId Reactor::AddPoller(Poller poller) {
  pollers_.push_back({next_id_, std::make_shared<const Poller>(std::move(poller)), nullptr});
  return next_id_++;
}

Reactor::PollerId Reactor::AddPoller(Poller poller, Poller may_block) {
  const PollerId id = AddPoller(std::move(poller));
  pollers_.back().may_block = std::make_shared<const Poller>(std::move(may_block));
  return id;
}

void Reactor::RemovePoller(PollerId id) {
  std::erase_if(pollers_, [id](const PollerEntry& entry) { return entry.id == id; });
}

std::uint32_t Reactor::WatchOf(int fd) const {
  const auto index = static_cast<std::size_t>(fd);
  return fd >= 0 && index < watch_of_fd_.size() ? watch_of_fd_[index] : kNoWatch;
}

Result<std::uint32_t> Reactor::AddWatch(int fd, FdInterest interest) {
  if (WatchOf(fd) != kNoWatch) {
    return AlreadyExists(
        fmt::format("reactor '{}' watches file descriptor {} already", options_.name, fd),
        "Unwatch it first");
  }
  if (free_watches_.empty()) {
    free_watches_.push_back(static_cast<std::uint32_t>(watches_.size()));
    watches_.emplace_back();
  }
  const std::uint32_t place = free_watches_.back();
  const std::uint32_t generation = std::max(watches_[place].generation + 1, 1U);
  CIREIN_RETURN_IF_ERROR(
      Register(epoll_fd_, fd, ToEpoll(interest), std::uint64_t{generation} << 32 | place));
  free_watches_.pop_back();
  watches_[place] = {.fd = fd, .generation = generation, .handler = nullptr, .callback = nullptr};
  const auto index = static_cast<std::size_t>(fd);
  if (index >= watch_of_fd_.size()) watch_of_fd_.resize(index + 1, kNoWatch);
  watch_of_fd_[index] = place;
  ++watched_;
  return place;
}

Status Reactor::Watch(int fd, FdInterest interest, std::function<void(FdReadiness)> callback) {
  CIREIN_ASSIGN_OR_RETURN(const std::uint32_t place, AddWatch(fd, interest));
  watches_[place].callback =
      std::make_shared<const std::function<void(FdReadiness)>>(std::move(callback));
  return OkStatus();
}

Status Reactor::Watch(int fd, FdInterest interest, FdHandler& handler) {
  CIREIN_ASSIGN_OR_RETURN(const std::uint32_t place, AddWatch(fd, interest));
  watches_[place].handler = &handler;
  return OkStatus();
}

Status Reactor::SetInterest(int fd, FdInterest interest) {
  const std::uint32_t place = WatchOf(fd);
  if (place == kNoWatch) return NotWatched(options_.name, fd);
  epoll_event event{};
  event.events = ToEpoll(interest);
  event.data.u64 = std::uint64_t{watches_[place].generation} << 32 | place;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event) == 0) return OkStatus();
  return IoError(fmt::format("cannot watch file descriptor {}: {}", fd, SystemError(errno)));
}

Status Reactor::Unwatch(int fd) {
  const std::uint32_t place = WatchOf(fd);
  if (place == kNoWatch) return NotWatched(options_.name, fd);
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  FileWatch& watch = watches_[place];
  watch.fd = -1;
  watch.handler = nullptr;
  const auto callback = std::exchange(watch.callback, nullptr);  // It may hold anything.
  watch_of_fd_[static_cast<std::size_t>(fd)] = kNoWatch;
  free_watches_.push_back(place);
  --watched_;
  return OkStatus();
}

void Reactor::Run() {
  AdaptiveWait wait;
  // Pollers are there for what other cores do within a microsecond. Timers and descriptors do not
  // delay them in each round, but have their turn, and are looked at before the loop blocks.
  const auto run_round = [this] {
    const bool polls = !pollers_.empty();
    ++rounds_;
    bool worked = RunPosts();
    if (!polls || rounds_ % kRoundsPerTimerCheck == 0) worked |= RunTimers();
    worked |= RunPollers();
    if (watched_ != 0 && (rounds_ % kRoundsPerDescriptorCheck == 0 || (!worked && !polls))) {
      worked |= RunDescriptors(std::chrono::nanoseconds::zero());
    }
    return worked;
  };
  while (!stop_.load(std::memory_order_acquire)) {
    if (options_.idle == ReactorOptions::Idle::kBlocks) {
      if (RunQueues()) {
        RunDescriptors(std::chrono::nanoseconds::zero());
      } else {
        Sleep();
      }
    } else if (run_round()) {
      wait.Reset();
    } else if (!wait.Pause()) {
      Sleep();
    }
  }
  for (std::size_t left = posts_.ApproximateSize(); left > 0; left -= std::min(left, kBatch)) {
    RunPosts();
  }
  stop_.store(false, std::memory_order_release);
}

void Reactor::Stop() {
  stop_.store(true, std::memory_order_seq_cst);
  WakeIfAsleep();
}

bool Reactor::RunQueues() {
  bool did_something = RunPosts();
  did_something |= RunTimers();
  did_something |= RunPollers();
  return did_something;
}

bool Reactor::RunOnce() {
  ++rounds_;
  bool did_something = RunQueues();
  if (watched_ != 0 && (!did_something || rounds_ % kRoundsPerDescriptorCheck == 0)) {
    did_something |= RunDescriptors(std::chrono::nanoseconds::zero());
  }
  return did_something;
}

std::size_t Reactor::RunUntilIdle() {
  std::size_t rounds = 0;
  while (RunOnce()) ++rounds;
  return rounds;
}

bool Reactor::RunPosts() {
  std::size_t run = 0;
  while (run < kBatch) {
    const auto work = posts_.TryPop();
    if (!work) break;
    RunCounted(*work);
    ++run;
  }
  if (run > 0) posts_run_.fetch_add(run, std::memory_order_relaxed);
  return run > 0;
}

bool Reactor::RunTimers() {
  // One reading of the clock, so that timers which start each other end their round.
  TimePoint now = TimePoint::min();
  std::size_t run = 0;
  while (run < kBatch) {
    TimerQueue::Work work;
    {
      const std::lock_guard lock(timers_mutex_);
      if (timers_.empty()) break;
      if (now == TimePoint::min()) now = clock_.Now();
      work = timers_.PopDue(now);
    }
    if (!work) break;
    RunCounted(work);
    ++run;
  }
  if (run > 0) timers_run_.fetch_add(run, std::memory_order_relaxed);
  return run > 0;
}

bool Reactor::RunPollers() {
  bool found_work = false;
  // By index, and holding the poller: it may add and remove pollers, itself too. One that is added
  // or skipped over by that is met in the next round.
  for (std::size_t i = 0; i < pollers_.size(); ++i) {
    const std::shared_ptr<const Poller> poller = pollers_[i].poller;
    RunCounted([&found_work, &poller] { found_work |= (*poller)(); });
  }
  return found_work;
}

bool Reactor::PollersLetBlock() {
  bool may_block = true;
  for (std::size_t i = 0; i < pollers_.size() && may_block; ++i) {
    const std::shared_ptr<const Poller> asked = pollers_[i].may_block;
    if (asked != nullptr) RunCounted([&may_block, &asked] { may_block = (*asked)(); });
  }
  return may_block;
}

bool Reactor::RunDescriptors(std::optional<std::chrono::nanoseconds> limit) {
  Events events;
  const int count = WaitForEvents(epoll_fd_, events, limit);
  asleep_.store(false, std::memory_order_relaxed);
  bool did_something = false;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == kWakeId) {
      std::uint64_t ignored = 0;
      [[maybe_unused]] const ssize_t drained = read(wake_fd_, &ignored, sizeof ignored);
      continue;
    }
    // An earlier callback of this batch may have ended this watch, even reused its descriptor: the
    // generation tells.
    const FileWatch& watch = watches_[static_cast<std::uint32_t>(event.data.u64)];
    if (watch.fd < 0 || watch.generation != event.data.u64 >> 32) continue;
    Dispatch(watch, FromEpoll(event.events));
    did_something = true;
  }
  return did_something;
}

void Reactor::Dispatch(const FileWatch& watch, FdReadiness readiness) {
  if (watch.handler == nullptr) {
    const auto callback = watch.callback;  // It may end its own watch.
    return RunCounted([&] { (*callback)(readiness); });
  }
  // What is watched for thousands of events a round is not wrapped in functions.
  try {
    watch.handler->OnReady(readiness);
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (...) {
    LogCaughtException(options_.name);
    failed_.fetch_add(1, std::memory_order_relaxed);
  }
}

void Reactor::Sleep() {
  asleep_.store(true, std::memory_order_seq_cst);
  const TimePoint next = NextTimer();
  const TimePoint now = next == kEndOfTime ? TimePoint::zero() : clock_.Now();
  if (stop_.load(std::memory_order_seq_cst) || posts_.MayHaveMore() || next <= now ||
      !PollersLetBlock()) {
    asleep_.store(false, std::memory_order_relaxed);
    return;
  }
  sleeps_.fetch_add(1, std::memory_order_relaxed);
  std::optional<std::chrono::nanoseconds> limit;
  // epoll's own clock stops while the machine is suspended: look again once an hour at least.
  if (next != kEndOfTime)
    limit = std::min<std::chrono::nanoseconds>(next - now, std::chrono::hours(1));
  RunDescriptors(limit);
}

void Reactor::WakeIfAsleep() {
  // Of several producers one wakes the loop; the plain load first, since it is nearly always awake.
  if (!asleep_.load(std::memory_order_seq_cst)) return;
  if (!asleep_.exchange(false, std::memory_order_seq_cst)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
  wakes_.fetch_add(1, std::memory_order_relaxed);
}

void Reactor::RunCounted(const std::function<void()>& work) {
  if (!RunGuarded(options_.name, work)) failed_.fetch_add(1, std::memory_order_relaxed);
}

void Reactor::Close() {
  closed_.store(true, std::memory_order_release);
  TimerQueue discarded;  // Destroyed after the lock is left: its work may hold anything.
  {
    const std::lock_guard lock(timers_mutex_);
    timers_closed_ = true;
    std::swap(discarded, timers_);
  }
  while (posts_.TryPop()) {
  }
  std::exchange(pollers_, {});
  for (std::size_t place = 0; place < watches_.size(); ++place) {
    if (watches_[place].fd >= 0) static_cast<void>(Unwatch(watches_[place].fd));
  }
}

ReactorStats Reactor::Stats() const {
  ReactorStats stats;
  stats.posts_run = posts_run_.load(std::memory_order_relaxed);
  stats.timers_run = timers_run_.load(std::memory_order_relaxed);
  stats.failed = failed_.load(std::memory_order_relaxed);
  stats.sleeps = sleeps_.load(std::memory_order_relaxed);
  stats.wakes = wakes_.load(std::memory_order_relaxed);
  stats.posts_waiting = posts_.ApproximateSize();
  const std::lock_guard lock(timers_mutex_);
  stats.timers_waiting = timers_.size();
  return stats;
}

}  // namespace cirein
