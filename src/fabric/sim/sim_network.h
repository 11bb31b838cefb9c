// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/random.h"
#include "fabric/sim/cost_model.h"
#include "fabric/transport.h"
#include "runtime/virtual_host.h"
#include "runtime/virtual_scheduler.h"

namespace cirein::fabric {

class SimWire;

/// The network of one world: connections between its hosts, over which time passes as a cost model
/// says, and which can be cut, delayed and broken. All faults are told to the world's journal.
///
/// Bytes on their way arrive after the model's latency times a factor drawn for each message
/// (mostly 0.8 to 1.5, rarely 10), and the model's bandwidth; in order on one connection, freely
/// among several. A connection that ends may lose any tail of what was on its way.
///
/// Not thread-safe: it belongs to its world's thread. Must outlive its transports.
class SimNetwork {
 public:
  struct Options {
    Limits limits{.message_bytes_max = 4U << 20,
                  .outstanding_bytes_max = 64U << 20,
                  .outstanding_max = 1024,
                  .connections_max = 16384,
                  .grants_max = 65536};
    /// A peer that cannot be reached for so long is given up, at up to a quarter more.
    std::chrono::nanoseconds keepalive = std::chrono::seconds(2);
    /// Of calls that give none.
    std::chrono::nanoseconds default_deadline = std::chrono::seconds(60);
  };

  SimNetwork(VirtualScheduler& world, const CostModel& model, Options options);
  SimNetwork(VirtualScheduler& world, const CostModel& model);
  ~SimNetwork();
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  /// A transport for the process `host`, found under "sim://<its name>". A process of the same name
  /// that was there before counts as killed. The host must outlive the transport; it may be dead by
  /// then, and what waits is then dropped without being called.
  std::unique_ptr<Transport> Join(VirtualHost& host);

  /// One direction between two hosts, by their names: what is sent waits, and goes on in its order
  /// when the way is healed in time.
  struct Way {
    std::string from;
    std::string to;
  };
  void Cut(const Way& way);
  void Heal(const Way& way);
  void HealAll();
  /// Latencies are so many times as long; 1 ends it.
  void SetDelay(const Way& way, double factor);
  /// Ends one of the host's connections that are there; false when there is none.
  bool BreakConnection(const std::string& host, Random& random);
  /// The process has died: what had left it arrives, then its peers are told by its system.
  void HostKilled(const std::string& name);
  /// The machine has gone: its peers notice when they have not heard of it for the keepalive, or as
  /// soon as they speak to what is at its place.
  void HostLost(const std::string& name);

  /// Connections of which at least one side has not ended.
  std::size_t connections() const;
  /// Memories registered and grants given, of all transports together.
  std::size_t registrations() const;

 private:
  const std::shared_ptr<SimWire> wire_;
};

}  // namespace cirein::fabric
