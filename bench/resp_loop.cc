// SPDX-License-Identifier: Apache-2.0
#include "bench/resp_loop.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <vector>

#include <sys/epoll.h>

#include "bench/resp_client.h"

namespace cirein::bench::resp {
namespace {

using Clock = Client::Clock;

// Holds the replies of a batch of small values, and stays in the processor's cache.
constexpr std::size_t kBufferBytes = 256 * 1024;

/// What is measured of one thread, and until when.
class Measurement {
 public:
  explicit Measurement(const LoopPlan& plan)
      : plan_(plan), warm_until_(Clock::now() + Warm(plan)) {}

  /// A batch is answered. False when that was the last one.
  bool Answered(const Client& client, Clock::time_point now) {
    if (!measuring_) {
      if (now < warm_until_) return true;
      measuring_ = true;
      if (plan_.begin) plan_.begin();
      // From here on, not from before what was just called.
      begin_ = Clock::now();
      return true;
    }
    // A batch sent while warming has waited for what `begin` did.
    if (client.sent_at() >= begin_) {
      result_.latency.Record(static_cast<std::uint64_t>((now - client.sent_at()).count()));
    }
    result_.requests += client.batch_requests();
    const bool done =
        plan_.requests != 0 ? result_.requests >= plan_.requests : now - begin_ >= plan_.measured;
    if (!done) return true;
    result_.seconds = std::chrono::duration<double>(now - begin_).count();
    if (plan_.end) plan_.end();
    return false;
  }

  /// How many requests the next batch has: the last one of a counted run may be smaller.
  std::size_t BatchRequests() const {
    const std::size_t pipeline = plan_.workload.pipeline;
    if (plan_.requests == 0 || !measuring_) return pipeline;
    const std::uint64_t left = plan_.requests - std::min(plan_.requests, result_.requests);
    return std::clamp<std::uint64_t>(left, 1, pipeline);
  }
  /// Without a time to warm, everything is measured, the first batch as well.
  void BeginAtOnce() {
    measuring_ = true;
    if (plan_.begin) plan_.begin();
    begin_ = Clock::now();
  }

  LoopResult TakeResult() { return std::move(result_); }

 private:
  static Clock::duration Warm(const LoopPlan& plan) {
    return std::chrono::duration_cast<Clock::duration>(plan.warm);
  }

  const LoopPlan& plan_;
  const Clock::time_point warm_until_;
  bool measuring_ = false;
  Clock::time_point begin_;
  LoopResult result_;
};

/// One connection: plain blocking calls, fewer than with any way of waiting for many.
void RunOne(Client& client, Measurement& measurement, std::span<char> buffer) {
  // One look at the clock for each batch: the end of one is the beginning of the next.
  for (Clock::time_point now = Clock::now();; now = Clock::now()) {
    if (client.batch_requests() > 0 && !measurement.Answered(client, now)) return;
    client.NextBatch(now, measurement.BatchRequests());
    client.SendBlocking();
    while (!client.ReceiveMore(buffer)) {
    }
  }
}

/// Many connections of one thread.
class Poller {
 public:
  Poller(std::vector<std::unique_ptr<Client>>& clients, Measurement& measurement)
      : measurement_(measurement), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_.is_open()) FailBySystem("epoll cannot be had");
    for (const std::unique_ptr<Client>& client : clients) {
      MakeNonblocking(client->socket());
      Watch(EPOLL_CTL_ADD, *client, EPOLLIN);
      Send(*client, Clock::now());
    }
  }

  void Run(std::span<char> buffer) {
    constexpr int kEvents = 64;
    constexpr int kSilenceMs = static_cast<int>(kSilence.count()) * 1000;
    std::array<epoll_event, kEvents> events{};
    for (;;) {
      const int count = epoll_wait(epoll_.get(), events.data(), kEvents, kSilenceMs);
      if (count == 0) Fail("the server says nothing any more");
      if (count < 0 && errno != EINTR) FailBySystem("epoll_wait");
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (!Handle(*static_cast<Client*>(event.data.ptr), event.events, buffer)) return;
      }
    }
  }

 private:
  bool Handle(Client& client, std::uint32_t what, std::span<char> buffer) {
    if ((what & EPOLLOUT) != 0 && client.SendMore()) Watch(EPOLL_CTL_MOD, client, EPOLLIN);
    if ((what & ~std::uint32_t{EPOLLOUT}) == 0) return true;
    if (!client.ReceiveMore(buffer)) return true;
    const Clock::time_point now = Clock::now();
    if (!measurement_.Answered(client, now)) return false;
    Send(client, now);
    return true;
  }
  void Send(Client& client, Clock::time_point now) {
    client.NextBatch(now, measurement_.BatchRequests());
    if (!client.SendMore()) Watch(EPOLL_CTL_MOD, client, EPOLLIN | EPOLLOUT);
  }
  void Watch(int how, Client& client, std::uint32_t what) {
    epoll_event event{};
    event.events = what;
    event.data.ptr = &client;
    if (epoll_ctl(epoll_.get(), how, client.socket().get(), &event) != 0) FailBySystem("epoll_ctl");
  }

  Measurement& measurement_;
  FileDescriptor epoll_;
};

}  // namespace

LoopResult RunLoop(const Server& server, const LoopPlan& plan) {
  Random seeds(plan.seed);
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < plan.connections; ++i) {
    clients.push_back(std::make_unique<Client>(server, plan, seeds()));
  }
  std::vector<char> buffer(kBufferBytes);
  Measurement measurement(plan);
  if (plan.warm.count() <= 0) measurement.BeginAtOnce();
  // Large requests and large replies at once could wait for each other where sending blocks.
  if (clients.size() == 1 && plan.workload.operation != Operation::kMixed) {
    RunOne(*clients[0], measurement, buffer);
  } else {
    Poller(clients, measurement).Run(buffer);
  }
  LoopResult result = measurement.TakeResult();
  for (const std::unique_ptr<Client>& client : clients) result.missing += client->missing();
  return result;
}

}  // namespace cirein::bench::resp
