// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cirein/status.h"

#include "runtime/bounded_queue.h"
#include "runtime/clock.h"
#include "runtime/timer_queue.h"
#include "runtime/timers.h"

namespace cirein {

struct ReactorOptions {
  std::string name = "reactor";    ///< In messages and the log.
  std::size_t queue_max = 16'384;  ///< Posts that may wait, rounded up to a power of two.
  /// What Run does when it finds nothing to do: polls and yields a little before it blocks, for
  /// answers that other cores give within microseconds; or blocks at once, for descriptors, of
  /// which each look is a system call anyway.
  enum class Idle : std::uint8_t { kPatient, kBlocks };
  Idle idle = Idle::kPatient;
};

/// What a reactor has done since it was made.
struct ReactorStats {
  std::uint64_t posts_run = 0;
  std::uint64_t timers_run = 0;
  std::uint64_t failed = 0;  ///< Posts, timers, pollers and fd callbacks that threw.
  std::uint64_t sleeps = 0;  ///< Times the loop blocked.
  std::uint64_t wakes = 0;   ///< Times another thread had to wake it by a system call.
  std::size_t posts_waiting = 0;
  std::size_t timers_waiting = 0;
};

/// What to wait for on a file descriptor, and what was found. `failed` (an error or a hang-up) is
/// reported whether it was asked for or not.
enum class FdInterest : std::uint8_t { kReadable, kWritable, kReadableOrWritable, kNothing };
struct FdReadiness {
  bool readable = false;
  bool writable = false;
  bool failed = false;
};

/// Who is told of a descriptor's readiness. An object that is watched many times over costs less so
/// than by a function of its own.
class FdHandler {
 public:
  virtual ~FdHandler() = default;
  virtual void OnReady(FdReadiness readiness) = 0;
};

/// A loop on one thread that runs work posted from any thread, timers, pollers, and callbacks of
/// file descriptors. It polls while there is work, then yields for a bounded number of rounds, then
/// blocks until the next timer or a wake-up: an idle reactor uses no processor time, and a producer
/// pays for a system call only when the loop really sleeps.
///
/// Production calls Run on a thread of its own (ReactorThread); tests and virtual worlds call
/// RunUntilIdle and move a VirtualClock to NextTimer in turns.
///
/// Everything the loop runs must be short and must not block. An exception out of it is logged and
/// counted. Thread-safe are Post, RunAt, CancelTimer, NextTimer, Stop and Stats; the others belong
/// to the loop's thread: the one inside Run, or the driver's while none is.
class Reactor final : public TimerService {
 public:
  /// IoError when the system gives no descriptors. `clock` outlives the reactor.
  static Result<std::unique_ptr<Reactor>> Create(Clock& clock, ReactorOptions options = {});
  /// Closes. No thread may be inside Run.
  ~Reactor() override;
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  Clock& clock() const noexcept { return clock_; }
  const std::string& name() const noexcept { return options_.name; }

  /// Queues `work` (not null) for the loop, in the order of one thread's posts. Does not block.
  /// ResourceExhausted when queue_max posts wait, Unavailable when closed: then it will not run.
  Status Post(std::function<void()> work);

  /// As TimerService says; `work` is not null.
  TimerId RunAt(TimePoint when, std::function<void()> work) override;
  bool CancelTimer(TimerId id) override;
  /// When the next timer is due; kEndOfTime when there is none.
  TimePoint NextTimer() const;

  /// A function called in each round of the loop while it is awake; true says that it found work.
  /// It cannot keep the loop awake by itself: what it polls must Post, or make a watched descriptor
  /// ready, when work arrives after a quiet time.
  using Poller = std::function<bool()>;
  using PollerId = std::uint64_t;
  PollerId AddPoller(Poller poller);
  /// The same with a last look: `may_block` is called when the loop is about to block, and false
  /// says that there is work. What comes after it returned true must wake the loop as above.
  PollerId AddPoller(Poller poller, Poller may_block);
  void RemovePoller(PollerId id);

  /// Calls back while `fd` is ready (it is called again until the readiness is consumed). The
  /// descriptor stays the caller's, who must Unwatch it before closing it. AlreadyExists when it is
  /// watched, IoError when the system refuses.
  Status Watch(int fd, FdInterest interest, std::function<void(FdReadiness)> callback);
  /// The same; `handler` stays until Unwatch, and may Unwatch and end itself when it is called.
  Status Watch(int fd, FdInterest interest, FdHandler& handler);
  /// From now on waits for this of a watched descriptor. NotFound when it is not watched.
  Status SetInterest(int fd, FdInterest interest);
  /// No callback for `fd` runs after this. NotFound when it is not watched.
  Status Unwatch(int fd);

  /// Loops on the calling thread until Stop.
  void Run();
  /// Makes the Run under way, or else the next one, return once the posts that wait now have run.
  void Stop();
  /// One round without waiting; true when anything ran.
  bool RunOnce();
  /// Rounds until nothing is to be done at the clock's present time; returns how many did
  /// something.
  std::size_t RunUntilIdle();

  /// Refuses new posts and timers from now on, and destroys those that wait without running them,
  /// the pollers and the watches. No thread may be inside Run. A second call does nothing.
  void Close();

  ReactorStats Stats() const;

 private:
  // A place for a watch, used again and again; its generation tells events of an earlier one.
  struct FileWatch {
    int fd = -1;
    std::uint32_t generation = 0;
    FdHandler* handler = nullptr;
    std::shared_ptr<const std::function<void(FdReadiness)>> callback;
  };
  struct PollerEntry {
    PollerId id;
    std::shared_ptr<const Poller> poller;
    std::shared_ptr<const Poller> may_block;  // Null: always.
  };

  Reactor(Clock& clock, ReactorOptions options, int epoll_fd, int wake_fd);

  bool RunQueues();
  bool RunPosts();
  bool RunTimers();
  bool RunPollers();
  bool PollersLetBlock();
  bool RunDescriptors(std::optional<std::chrono::nanoseconds> limit);
  void Sleep();
  void WakeIfAsleep();
  void RunCounted(const std::function<void()>& work);
  Result<std::uint32_t> AddWatch(int fd, FdInterest interest);
  /// The place of its watch, or kNoWatch.
  std::uint32_t WatchOf(int fd) const;
  void Dispatch(const FileWatch& watch, FdReadiness readiness);

  Clock& clock_;
  const ReactorOptions options_;
  const int epoll_fd_;
  const int wake_fd_;

  BoundedQueue<std::function<void()>> posts_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> stop_{false};
  // True from before the loop's last look at its queues until it is awake again. Whoever adds work
  // afterwards sees it, and wakes the loop; whoever adds work before is seen by that look.
  std::atomic<bool> asleep_{false};

  mutable std::mutex timers_mutex_;
  TimerQueue timers_;           // Guarded by timers_mutex_.
  bool timers_closed_ = false;  // Guarded by timers_mutex_.

  // The loop's own.
  std::vector<PollerEntry> pollers_;
  std::uint64_t next_id_ = 1;
  static constexpr std::uint32_t kNoWatch = UINT32_MAX;
  std::vector<FileWatch> watches_;
  std::vector<std::uint32_t> free_watches_;  // Places in it that are not in use.
  std::vector<std::uint32_t> watch_of_fd_;   // By descriptor; kNoWatch for none.
  std::size_t watched_ = 0;
  std::uint64_t rounds_ = 0;

  std::atomic<std::uint64_t> posts_run_{0};
  std::atomic<std::uint64_t> timers_run_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::uint64_t> sleeps_{0};
  std::atomic<std::uint64_t> wakes_{0};
};

}  // namespace cirein
