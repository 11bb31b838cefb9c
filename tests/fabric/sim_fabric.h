// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fabric/conformance.h"
#include "fabric/sim/sim_network.h"
#include "runtime/virtual_host.h"
#include "runtime/virtual_scheduler.h"

namespace cirein::fabric {

/// A simulated network for the conformance suite; small limits, so that they are soon reached.
class SimFabric final : public Fabric {
 public:
  static SimNetwork::Options SmallOptions() {
    SimNetwork::Options options;
    options.limits = {.message_bytes_max = 64U << 10,
                      .outstanding_bytes_max = 256U << 10,
                      .outstanding_max = 64,
                      .connections_max = 8,
                      .grants_max = 16};
    return options;
  }

  SimFabric(const CostModel& model, std::uint64_t seed)
      : world_(seed),
        hardware_(model.one_sided_by_hardware()),
        network_(world_, model, SmallOptions()) {}
  ~SimFabric() override {
    for (std::size_t peer = 0; peer < peers_.size(); ++peer) Leave(peer);
  }

  std::size_t AddPeer() override {
    const std::string name = "p" + std::to_string(peers_.size());
    // Clocks that differ: nobody may look at another one's.
    const double number = static_cast<double>(peers_.size());
    auto host = std::make_unique<VirtualHost>(
        world_, VirtualHost::Options{.name = name,
                                     .drift_ppm = 20 * number,
                                     .clock_ahead = std::chrono::seconds(peers_.size())});
    auto transport = network_.Join(*host);
    peers_.push_back({std::move(host), std::move(transport)});
    return peers_.size() - 1;
  }
  Transport* transport(std::size_t peer) override { return peers_[peer].transport.get(); }
  void Run(std::size_t peer, std::function<void()> work) override {
    auto ran = std::make_shared<bool>(false);
    host(peer).Post(world_.now(), "test", [work = std::move(work), ran] {
      *ran = true;
      work();
    });
    EXPECT_TRUE(RunUntil(std::chrono::minutes(1), [ran] { return *ran; }));
  }
  bool RunUntil(std::chrono::nanoseconds limit, const std::function<bool()>& holds) override {
    const TimePoint end = world_.now() + limit;
    while (!holds()) {
      if (!world_.RunOne(end)) return holds();
    }
    return true;
  }
  std::chrono::nanoseconds Now(std::size_t peer) override {
    return host(peer).environment().clock.Now();
  }
  void Kill(std::size_t peer) override {
    host(peer).Kill();
    network_.HostKilled(host(peer).name());
  }
  void Pause(std::size_t peer, std::chrono::nanoseconds time) override {
    host(peer).PauseUntil(world_.now() + time);
  }
  void Leave(std::size_t peer) override { peers_[peer].transport.reset(); }
  bool reaches_paused_memory() const override { return hardware_; }

  VirtualHost& host(std::size_t peer) { return *peers_[peer].host; }
  VirtualScheduler& world() { return world_; }
  SimNetwork& network() { return network_; }

 private:
  struct Peer {
    std::unique_ptr<VirtualHost> host;
    std::unique_ptr<Transport> transport;
  };
  VirtualScheduler world_;
  const bool hardware_;
  SimNetwork network_;
  std::vector<Peer> peers_;
};

}  // namespace cirein::fabric
