// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <dirent.h>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <unistd.h>
#include <utility>

#include "fabric/conformance.h"
#include "fabric/shm/shm_transport.h"
#include "region/memory_region.h"
#include "runtime/reactor.h"
#include "runtime/virtual_clock.h"

namespace cirein::fabric {

/// Of this process.
inline std::size_t CountDescriptors() {
  std::size_t count = 0;
  DIR* const directory = opendir("/proc/self/fd");
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

/// How often this process maps a file whose name has this in it.
inline std::size_t CountMappings(const std::string& name) {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find(name) < line.size();
  return count;
}

/// Several transports over shared memory in this process, for the conformance suite: rings, sockets
/// and wake-ups are real. The test's thread runs each peer's home in turn, and time passes when
/// nobody has anything to do: the system hands over at once what goes through memory and Unix
/// sockets, so nothing is ever on its way that no home can see.
class ShmFabric final : public Fabric {
 public:
  static ShmOptions SmallOptions() {
    static std::atomic<int> made{0};
    ShmOptions options;
    options.name = "@cirein-test-" + std::to_string(getpid()) + "-" + std::to_string(++made);
    options.limits = {.message_bytes_max = 64U << 10,
                      .outstanding_bytes_max = 256U << 10,
                      .outstanding_max = 64,
                      .connections_max = 8,
                      .grants_max = 16};
    return options;
  }

  /// What one-sided operations are tried with.
  enum class Memory : std::uint8_t { kPlain, kMapped };
  explicit ShmFabric(std::uint64_t ring_bytes, Memory memory = Memory::kPlain)
      : ring_bytes_(ring_bytes), memory_(memory) {}
  ~ShmFabric() override {
    for (std::size_t peer = 0; peer < peers_.size(); ++peer) Leave(peer);
  }

  std::size_t AddPeer() override {
    ShmOptions options = SmallOptions();
    options.ring_bytes = ring_bytes_;
    options.secret = "of the test";
    auto home = Reactor::Create(clock_, {.name = "p" + std::to_string(peers_.size())}).value();
    auto transport = ShmTransport::Create(*home, std::move(options)).value();
    peers_.push_back({std::move(home), std::move(transport), TimePoint::zero(), true});
    return peers_.size() - 1;
  }
  Transport* transport(std::size_t peer) override { return peers_[peer].transport.get(); }
  void Run(std::size_t peer, std::function<void()> work) override {
    auto ran = std::make_shared<bool>(false);
    EXPECT_TRUE(peers_[peer]
                    .home
                    ->Post([work = std::move(work), ran] {
                      *ran = true;
                      work();
                    })
                    .ok());
    EXPECT_TRUE(RunUntil(std::chrono::minutes(1), [ran] { return *ran; }));
  }
  bool RunUntil(std::chrono::nanoseconds limit, const std::function<bool()>& holds) override {
    const TimePoint end = clock_.Now() + limit;
    while (!holds()) {
      if (RunHomes()) continue;
      const TimePoint next = NextInstant();
      if (next > end) {
        clock_.AdvanceTo(end);
        return holds();
      }
      clock_.AdvanceTo(next);
    }
    return true;
  }
  std::chrono::nanoseconds Now(std::size_t /*peer*/) override { return clock_.Now(); }
  void Kill(std::size_t peer) override {
    peers_[peer].alive = false;
    peers_[peer].transport->Die();
  }
  void Pause(std::size_t peer, std::chrono::nanoseconds time) override {
    peers_[peer].paused_until = clock_.Now() + time;
  }
  void Leave(std::size_t peer) override { peers_[peer].transport.reset(); }
  bool reaches_paused_memory() const override { return memory_ == Memory::kMapped; }
  std::shared_ptr<Words> MakeWords(std::size_t count) override {
    if (memory_ == Memory::kPlain) return Fabric::MakeWords(count);
    return std::make_shared<Words>(MakeMemoryRegion("words", count * 8).value());
  }

 private:
  struct Peer {
    std::unique_ptr<Reactor> home;
    std::unique_ptr<ShmTransport> transport;
    TimePoint paused_until{};
    bool alive = true;
  };

  bool IsPaused(const Peer& peer) const { return peer.paused_until > clock_.Now(); }
  /// One round of each; true when one of them did something.
  bool RunHomes() {
    bool did_something = false;
    // By index: what runs may add peers.
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      if (peers_[i].alive && !IsPaused(peers_[i])) did_something |= peers_[i].home->RunOnce();
    }
    return did_something;
  }
  TimePoint NextInstant() const {
    TimePoint next = kEndOfTime;
    for (const Peer& peer : peers_) {
      if (!peer.alive) continue;
      next = std::min(next, IsPaused(peer) ? peer.paused_until : peer.home->NextTimer());
    }
    return next;
  }

  VirtualClock clock_;
  const std::uint64_t ring_bytes_;
  const Memory memory_;
  std::deque<Peer> peers_;
};

}  // namespace cirein::fabric
