// SPDX-License-Identifier: Apache-2.0
#include "bench/simulation_events.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "bench/turns.h"
#include "fabric/sim/cost_model.h"
#include "fabric/transport.h"
#include "runtime/environment.h"
#include "simulation/world.h"

namespace cirein::bench {
namespace {

using simulation::Process;
using simulation::Program;
using simulation::World;

constexpr std::array<std::uint32_t, 4> kNodes = {1, 16, 256, 1024};
constexpr int kTurns = 7;
constexpr std::size_t kMessageBytes = 64;
// Each node asks one of so many, and so is asked by as many on average.
constexpr std::size_t kPeers = 8;
constexpr std::chrono::nanoseconds kPauseMax = std::chrono::microseconds(100);
constexpr std::uint64_t kEvents = 300'000;

/// What the programs of a world have seen.
struct Seen {
  std::uint64_t messages = 0;
  std::uint64_t timers = 0;
  std::uint32_t connected = 0;  ///< Programs that have all their peers.

  std::uint64_t events() const { return messages + timers; }
};

[[noreturn]] void Fail(const std::string& what) {
  fmt::print(stderr, "simulation_bench: {}\n", what);
  std::exit(1);  // NOLINT(concurrency-mt-unsafe): there is one thread.
}
void Must(const Status& status) {
  if (!status.ok()) Fail(status.ToString());
}

/// Waits a little, asks a peer, waits for the answer, and so on. Answers whoever asks.
class Asker final : public Program, public fabric::Service {
 public:
  Asker(Process& process, std::uint32_t nodes, Seen& seen)
      : process_(process), environment_(process.host.environment()), nodes_(nodes), seen_(seen) {
    Must(process.transport.Listen(*this));
    Wait();
  }

  void Connected(const std::shared_ptr<fabric::Connection>& /*connection*/) override {}
  void Message(const std::shared_ptr<fabric::Connection>& /*connection*/,
               std::span<const std::byte> /*message*/) override {}
  void Request(const std::shared_ptr<fabric::Connection>& connection, fabric::RequestId request,
               std::span<const std::byte> message) override {
    ++seen_.messages;
    Must(connection->Reply(request, std::array{message}));
  }
  void Closed(const std::shared_ptr<fabric::Connection>& /*connection*/,
              const Status& why) override {
    Must(why);
  }

 private:
  void Wait() {
    const auto pause = std::chrono::nanoseconds(
        process_.random.Below(static_cast<std::uint64_t>(kPauseMax.count())));
    environment_.timers.RunAt(environment_.clock.Now() + pause, [this] {
      ++seen_.timers;
      if (peers_.size() < kPeers) return Connect();
      Ask();
    });
  }

  void Connect() {
    Must(process_.transport.Connect(fmt::format("sim://node{}", process_.random.Below(nodes_)),
                                    *this, Deadline(),
                                    [this](Result<std::shared_ptr<fabric::Connection>> connection) {
                                      Must(connection.status());
                                      peers_.push_back(*std::move(connection));
                                      if (peers_.size() == kPeers) ++seen_.connected;
                                      Wait();
                                    }));
  }

  void Ask() {
    ++asked_;
    std::memcpy(bytes_.data(), &asked_, sizeof asked_);
    Must(peers_[process_.random.Below(kPeers)]->Request(
        std::array{std::span<const std::byte>(bytes_)}, Deadline(),
        [this](const Result<std::span<const std::byte>>& reply) {
          Must(reply.status());
          if (reply->size() != bytes_.size() ||
              std::memcmp(reply->data(), bytes_.data(), bytes_.size()) != 0) {
            Fail("an answer is to another question");
          }
          ++seen_.messages;
          Wait();
        }));
  }

  Process& process_;
  const Environment environment_;
  const std::uint32_t nodes_;
  Seen& seen_;
  std::vector<std::shared_ptr<fabric::Connection>> peers_;
  std::uint64_t asked_ = 0;
  std::array<std::byte, kMessageBytes> bytes_{};
};

/// What happened while somebody looked at the clock.
struct Turn {
  double events_per_s = 0;
  double events_per_processor_s = 0;
  double planned_per_s = 0;
  double planned_per_event = 0;
  double timers_share = 0;
};

void Step(World& world) {
  if (!world.scheduler().RunOne()) Fail("nothing is left to happen");
}

Turn MeasureTurn(std::uint32_t nodes, std::uint64_t seed) {
  Seen seen;
  World world(seed, fabric::CostModel::Tcp());
  for (std::uint32_t i = 0; i < nodes; ++i) {
    world.AddMachine({.name = fmt::format("node{}", i), .start = [nodes, &seen](Process& process) {
                        return Result<std::unique_ptr<Program>>(
                            std::make_unique<Asker>(process, nodes, seen));
                      }});
  }
  world.Start();
  while (seen.connected < nodes) Step(world);

  const Seen before = seen;
  const std::uint64_t planned_before = world.scheduler().events();
  const double processor_before = ThreadTime();
  const double seconds = Time([&] {
    while (seen.events() < before.events() + kEvents) Step(world);
  });
  const double processor_seconds = ThreadTime() - processor_before;
  const auto events = static_cast<double>(seen.events() - before.events());
  const auto planned = static_cast<double>(world.scheduler().events() - planned_before);
  if (!world.violations().empty()) Fail(world.violations().front());
  return {.events_per_s = events / seconds,
          .events_per_processor_s = events / processor_seconds,
          .planned_per_s = planned / seconds,
          .planned_per_event = planned / events,
          .timers_share = static_cast<double>(seen.timers - before.timers) / events};
}

double MedianOf(const std::vector<Turn>& turns, double Turn::*figure) {
  std::vector<double> values;
  for (const Turn& turn : turns) values.push_back(turn.*figure);
  return Median(std::move(values));
}

}  // namespace

void MeasureEvents() {
  std::array<std::vector<Turn>, kNodes.size()> turns;
  for (int turn = 0; turn < kTurns; ++turn) {
    for (std::size_t i = 0; i < kNodes.size(); ++i) {
      fmt::print(stderr, "events: turn {} of {}, {} nodes\n", turn + 1, kTurns, kNodes[i]);
      turns[i].push_back(MeasureTurn(kNodes[i], static_cast<std::uint64_t>(turn) + 1));
    }
  }
  fmt::print(
      "Thousands of events in a second, one thread, median of {} turns of {} events. An event is a "
      "message that was delivered (a request or an answer) or a timer that fired; the world's "
      "scheduler has two or three for each.\n\n",
      kTurns, kEvents);
  fmt::print(
      "| nodes | events | slowest to fastest turn | by processor time | of them timers "
      "| scheduler's events | for each event |\n|---|---|---|---|---|---|---|\n");
  for (std::size_t i = 0; i < kNodes.size(); ++i) {
    double least = turns[i].front().events_per_s;
    double most = least;
    for (const Turn& turn : turns[i]) {
      least = std::min(least, turn.events_per_s);
      most = std::max(most, turn.events_per_s);
    }
    fmt::print("| {} | **{:.0f}** | {:.0f} to {:.0f} | {:.0f} | {:.0f} % | {:.0f} | {:.1f} |\n",
               kNodes[i], MedianOf(turns[i], &Turn::events_per_s) / 1000, least / 1000, most / 1000,
               MedianOf(turns[i], &Turn::events_per_processor_s) / 1000,
               MedianOf(turns[i], &Turn::timers_share) * 100,
               MedianOf(turns[i], &Turn::planned_per_s) / 1000,
               MedianOf(turns[i], &Turn::planned_per_event));
  }
  fmt::print("\n");
}

}  // namespace cirein::bench
