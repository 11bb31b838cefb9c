// SPDX-License-Identifier: Apache-2.0
#include "bench/fabric_blocking.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <ctime>
#include <functional>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>
#include <sys/socket.h>

#include "bench/fabric_turn.h"
#include "runtime/real_clock.h"

namespace cirein::bench {
namespace {

using fabric::Connection;

constexpr std::chrono::nanoseconds kPause = std::chrono::milliseconds(1);
// Of a connection that has just been made: until both homes sleep.
constexpr std::chrono::nanoseconds kSettling = std::chrono::milliseconds(200);
constexpr std::size_t kShareOutstanding = 16;

std::chrono::nanoseconds ToNanoseconds(Seconds length) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(length);
}

double CpuSeconds(pid_t process) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0) {
    Fail("the processor time of a process cannot be read");
  }
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Processor time of both processes since it was made; read by the client.
class CpuOfBoth {
 public:
  explicit CpuOfBoth(const Meeting& meeting)
      : server_(meeting.server),
        of_client_(CpuSeconds(getpid())),
        of_server_(CpuSeconds(server_)) {}
  double OfClient() const { return CpuSeconds(getpid()) - of_client_; }
  double OfServer() const { return CpuSeconds(server_) - of_server_; }

 private:
  const pid_t server_;
  const double of_client_;
  const double of_server_;
};

/// What one turn of requests with pauses gives.
struct Paced {
  double latency = NAN;
  double client_cpu = NAN;  ///< For each request, as the next one.
  double server_cpu = NAN;
};

void Leave(Meeting& meeting, const std::vector<double>& latencies, const CpuOfBoth& cpu) {
  const auto requests = static_cast<double>(latencies.size());
  meeting.results[1] = cpu.OfClient() / requests;
  meeting.results[2] = cpu.OfServer() / requests;
  meeting.results[0] = Median(latencies);
}

/// Asks, and after each answer waits a while.
class PacedAsker {
 public:
  PacedAsker(Reactor& home, Connection& connection, Seconds length)
      : home_(home), connection_(connection), end_(home.clock().Now() + ToNanoseconds(length)) {
    home_.RunAt(home_.clock().Now() + kPause, [this] { Ask(); });
  }
  const std::vector<double>& latencies() const { return latencies_; }

 private:
  void Ask() {
    asked_ = home_.clock().Now();
    const std::span<const std::byte> part = message_;
    const Status begun =
        connection_.Request({&part, 1}, {}, [this](const auto& reply) { TakeReply(reply.ok()); });
    if (!begun.ok()) Fail(begun.ToString());
  }
  void TakeReply(bool ok) {
    if (!ok) Fail("a request was not answered");
    const TimePoint now = home_.clock().Now();
    latencies_.push_back(Seconds(now - asked_).count());
    if (now >= end_) return home_.Stop();
    home_.RunAt(now + kPause, [this] { Ask(); });
  }

  Reactor& home_;
  Connection& connection_;
  const TimePoint end_;
  const Message message_{};
  TimePoint asked_{};
  std::vector<double> latencies_;
};

void Serve(const FabricChoice& choice, Meeting& meeting) {
  TransportEnd end(choice);
  EchoService service(end.home());
  end.Listen(meeting, service);
  end.home().Run();
}

/// A client's end, connected, which closes before it goes.
class ConnectedEnd {
 public:
  ConnectedEnd(const FabricChoice& choice, Meeting& meeting)
      : end_(choice), service_(end_.home()), connection_(end_.Connect(meeting, service_)) {}
  ~ConnectedEnd() {
    connection_->Close();
    end_.home().RunUntilIdle();
  }
  ConnectedEnd(const ConnectedEnd&) = delete;
  ConnectedEnd& operator=(const ConnectedEnd&) = delete;

  Reactor& home() { return end_.home(); }
  Connection& connection() { return *connection_; }

 private:
  TransportEnd end_;
  EchoService service_;
  const std::shared_ptr<Connection> connection_;
};

Paced RunPaced(const Part& server, const Part& client, Cores cores) {
  SharedMeeting meeting;
  if (!RunPair(*meeting, cores, server, client)) return {};
  return {meeting->results[0], meeting->results[1], meeting->results[2]};
}

Paced PacedTransport(const FabricChoice& choice, Cores cores, Seconds length) {
  return RunPaced([&](Meeting& meeting) { Serve(choice, meeting); },
                  [&](Meeting& meeting) {
                    ConnectedEnd end(choice, meeting);
                    const CpuOfBoth cpu(meeting);
                    const PacedAsker asker(end.home(), end.connection(), length);
                    end.home().Run();
                    Leave(meeting, asker.latencies(), cpu);
                  },
                  cores);
}

Paced PacedSocket(Cores cores, Seconds length) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends.data()) != 0) Fail("there is no socket");
  const Paced paced = RunPaced(
      [&](Meeting&) {
        bench::Message message{};
        while (recv(ends[1], message.data(), message.size(), 0) > 0) {
          if (send(ends[1], message.data(), message.size(), 0) < 0) return;
        }
      },
      [&](Meeting& meeting) {
        bench::Message message{};
        std::vector<double> latencies;
        const CpuOfBoth cpu(meeting);
        const TimePoint end = RealClock::MonotonicNow() + ToNanoseconds(length);
        while (RealClock::MonotonicNow() < end) {
          const timespec pause{0, kPause.count()};
          clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
          const TimePoint asked = RealClock::MonotonicNow();
          if (send(ends[0], message.data(), message.size(), 0) < 0 ||
              recv(ends[0], message.data(), message.size(), 0) <= 0) {
            Fail("the socket has ended");
          }
          latencies.push_back(Seconds(RealClock::MonotonicNow() - asked).count());
        }
        Leave(meeting, latencies, cpu);
        shutdown(ends[0], SHUT_RDWR);
      },
      cores);
  close(ends[0]);
  close(ends[1]);
  return paced;
}

std::string Compared(const std::vector<Paced>& ours, const std::vector<Paced>& theirs,
                     double Paced::*part) {
  const auto rounds = [part](const std::vector<Paced>& turns) {
    Rounds values;
    for (const Paced& turn : turns) values.push_back(turn.*part);
    return values;
  };
  return fmt::format("{} / {} = **{:.2f}**", Figure(MedianOfRounds(rounds(ours)) * 1e6),
                     Figure(MedianOfRounds(rounds(theirs)) * 1e6),
                     MedianRatio(rounds(ours), rounds(theirs)));
}

/// Keeps requests on their way to the other side, and counts the answers.
class Asker {
 public:
  Asker(std::shared_ptr<Connection> connection, std::atomic<std::uint64_t>& answers)
      : connection_(std::move(connection)), answers_(answers) {
    for (std::size_t i = 0; i < kShareOutstanding; ++i) Ask();
  }

 private:
  void Ask() {
    const std::span<const std::byte> part = message_;
    const Status begun = connection_->Request({&part, 1}, {}, [this](const auto& reply) {
      // The other one has gone: its time is over.
      if (!reply.ok()) return;
      answers_.fetch_add(1, std::memory_order_relaxed);
      Ask();
    });
    static_cast<void>(begun.ok());
  }

  const std::shared_ptr<Connection> connection_;
  std::atomic<std::uint64_t>& answers_;
  const Message message_{};
};

/// Answers, and asks who connects.
class AskingService final : public EchoService {
 public:
  AskingService(Reactor& home, Meeting& meeting) : EchoService(home), meeting_(meeting) {}
  void Connected(const std::shared_ptr<Connection>& connection) override {
    EchoService::Connected(connection);
    asker_.emplace(connection, meeting_.done_by_server);
  }

 private:
  Meeting& meeting_;
  std::optional<Asker> asker_;
};

// How many answers each of them had: the server, the client.
std::pair<double, double> ShareOnce(const FabricChoice& choice, Seconds length) {
  SharedMeeting meeting;
  const bool well = RunPair(
      *meeting, Cores::kOne,
      [&](Meeting& with) {
        TransportEnd end(choice);
        AskingService service(end.home(), with);
        end.Listen(with, service);
        end.home().Run();
      },
      [&](Meeting& with) {
        TransportEnd end(choice);
        EchoService service(end.home());
        const auto connection = end.Connect(with, service);
        const Asker asker(connection, with.done_by_client);
        end.home().RunAt(end.home().clock().Now() + ToNanoseconds(length), [&] {
          with.results[0] = static_cast<double>(with.done_by_server.load());
          with.results[1] = static_cast<double>(with.done_by_client.load());
          end.home().Stop();
        });
        end.home().Run();
        connection->Close();
        end.home().RunUntilIdle();
      });
  if (!well) return {NAN, NAN};
  return {meeting->results[0], meeting->results[1]};
}

}  // namespace

void MeasureBlocking(const FabricChoice& choice, const Effort& effort) {
  fmt::print(
      "\nA request of 64 B each millisecond, both sides asleep in between: `{}` / a Unix socket on "
      "which\nboth block, microseconds.\n\n| | latency | processor time of the asking side, for "
      "each request | of the answering side |\n|---|---|---|---|\n",
      choice.fabric);
  for (const Cores cores : {Cores::kOwn, Cores::kOne}) {
    std::vector<Paced> ours;
    std::vector<Paced> theirs;
    for (std::size_t round = 0; round < effort.rounds; ++round) {
      ours.push_back(PacedTransport(choice, cores, 4 * effort.each));
      theirs.push_back(PacedSocket(cores, 4 * effort.each));
    }
    fmt::print("| {} | {} | {} | {} |\n",
               cores == Cores::kOwn ? "each on its own core" : "both on one core",
               Compared(ours, theirs, &Paced::latency), Compared(ours, theirs, &Paced::client_cpu),
               Compared(ours, theirs, &Paced::server_cpu));
    std::fflush(stdout);
  }
}

void MeasureIdle(const FabricChoice& choice, Seconds length) {
  SharedMeeting meeting;
  const bool well = RunPair(
      *meeting, Cores::kOwn, [&](Meeting& with) { Serve(choice, with); },
      [&](Meeting& with) {
        ConnectedEnd end(choice, with);
        Reactor& home = end.home();
        std::optional<CpuOfBoth> cpu;
        std::uint64_t sleeps = 0;
        const TimePoint settled = home.clock().Now() + kSettling;
        home.RunAt(settled, [&] {
          cpu.emplace(with);
          sleeps = home.Stats().sleeps;
        });
        home.RunAt(settled + ToNanoseconds(length), [&] {
          with.results[0] = cpu->OfClient();
          with.results[1] = cpu->OfServer();
          with.results[2] = static_cast<double>(home.Stats().sleeps - sleeps);
          home.Stop();
        });
        home.Run();
      });
  if (!well) return;
  fmt::print(
      "\nTwo processes with an open connection over `{}`, left alone for {} s, take {} and {} "
      "microseconds of\nprocessor time; the home of the one that connected went to sleep {} "
      "times.\n",
      choice.fabric, length.count(), Figure(meeting->results[0] * 1e6),
      Figure(meeting->results[1] * 1e6), meeting->results[2]);
  std::fflush(stdout);
}

void MeasureShare(const FabricChoice& choice, const Effort& effort) {
  std::vector<double> lesser;
  std::vector<double> together;
  const Seconds length = 4 * effort.each;
  for (std::size_t round = 0; round < effort.rounds; ++round) {
    const auto [server, client] = ShareOnce(choice, length);
    if (std::isnan(server)) continue;
    lesser.push_back(100 * std::min(server, client) / (server + client));
    together.push_back((server + client) / length.count());
  }
  if (lesser.empty()) return;
  fmt::print(
      "\nTwo processes on one core that each keep {} requests on their way to the other over `{}`: "
      "the one\nthat gets less done gets {:.1f} % of all answers (median of {} turns; the least "
      "was "
      "{:.1f} %), {:.0f}\nthousand answers a second together.\n",
      kShareOutstanding, choice.fabric, Median(lesser), lesser.size(),
      *std::min_element(lesser.begin(), lesser.end()), Median(together) / 1e3);
  std::fflush(stdout);
}

}  // namespace cirein::bench
