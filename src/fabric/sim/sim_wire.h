// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "base/random.h"
#include "fabric/sim/packet.h"
#include "fabric/sim/sim_network.h"
#include "runtime/virtual_scheduler.h"

namespace cirein::fabric {

class SimConnection;
class SimEndpoint;

/// Which side of a link: 0 is the one that asked for it.
using LinkSide = unsigned;

/// What is between the two sides of one connection. Exists until both have ended.
struct SimLink {
  struct Direction {
    std::string from;
    std::string to;
    bool cut = false;
    bool stalled = false;  ///< The first packet's time came while it was cut.
    bool over = false;     ///< Nothing more goes in; what is in it still arrives.
    double delay = 1;
    TimePoint wire_free{};
    VirtualScheduler::EventId arrival = 0;  ///< Of the first in the queue; 0: none is planned.
    std::deque<PacketPtr> queue;
  };

  std::uint64_t id = 0;
  std::array<Direction, 2> directions;                  ///< By the side which they leave.
  std::array<std::shared_ptr<SimConnection>, 2> sides;  ///< Null: not there yet, or ended.
  bool accepted = false;                                ///< Side 1 was there.
  std::array<VirtualScheduler::EventId, 2> patience{};  ///< When it gives the other one up.
  bool lost = false;                                    ///< A machine is gone: no heal helps.

  bool cut() const { return directions[0].cut || directions[1].cut; }
};
using LinkPtr = std::shared_ptr<SimLink>;

/// The inside of a SimNetwork: who is there, the links between them, and when what is on them
/// arrives. Links are walked in the order of their ids, hosts in that of their names.
class SimWire : public std::enable_shared_from_this<SimWire> {
 public:
  SimWire(VirtualScheduler& world, CostModel model, SimNetwork::Options options)
      : world_(world),
        model_(std::move(model)),
        options_(std::move(options)),
        random_(world.ForkRandom()) {}

  VirtualScheduler& world() { return world_; }
  const CostModel& model() const { return model_; }
  const SimNetwork::Options& options() const { return options_; }
  Random ForkRandom() { return random_.Fork(); }
  std::size_t links() const { return links_.size(); }
  /// Memories registered and grants given, of all endpoints.
  std::size_t registrations() const;

  void Join(const std::shared_ptr<SimEndpoint>& endpoint);
  /// It is there no longer; its links have been ended or given up.
  void Leave(const SimEndpoint& endpoint);
  /// After it nothing happens any more.
  void Shut();

  LinkPtr MakeLink(const SimNetwork::Way& way);
  /// A packet leaves the side now.
  void Put(const LinkPtr& link, LinkSide from, PacketPtr packet);
  /// The last packet: nothing follows it.
  void PutEnd(const LinkPtr& link, LinkSide from, Status why);
  /// Any number of the last packets that are on their way are lost.
  void LoseTail(const LinkPtr& link, LinkSide from, Random& random);
  /// The side that asked for the connection no longer wants it.
  void Abandon(const LinkPtr& link);
  /// The side closes the connection.
  void Close(const LinkPtr& link, LinkSide side);
  /// The side has ended, and takes nothing more.
  void Detach(const LinkPtr& link, LinkSide side);
  /// From now on the side looks whether it can reach the other one.
  void Watch(const LinkPtr& link, LinkSide side);
  /// The side's process is dead, or its machine gone.
  enum class Gone : std::uint8_t { kKilled, kLost };
  void SideGone(const LinkPtr& link, LinkSide side, Gone how);

  void Cut(const SimNetwork::Way& way);
  void Heal(const SimNetwork::Way& way);
  void HealAll();
  void SetDelay(const SimNetwork::Way& way, double factor);
  bool BreakConnection(const std::string& host, Random& random);
  void HostGone(const std::string& name, Gone how);

 private:
  using Names = std::pair<std::string, std::string>;

  void PlanArrival(const LinkPtr& link, LinkSide from);
  void Arrive(const LinkPtr& link, LinkSide from);
  void Deliver(const LinkPtr& link, LinkSide to, const PacketPtr& packet);
  void Accept(const LinkPtr& link);
  std::chrono::nanoseconds Latency(const SimLink::Direction& direction);
  void SetCut(SimLink& link, SimLink::Direction& direction);
  void HealDirection(const LinkPtr& link, LinkSide from);
  void StartPatience(const LinkPtr& link, LinkSide side);
  void StopPatience(SimLink& link, LinkSide side);

  VirtualScheduler& world_;
  const CostModel model_;
  const SimNetwork::Options options_;
  Random random_;
  std::uint64_t last_link_ = 0;
  std::map<std::uint64_t, LinkPtr> links_;
  std::map<std::string, std::shared_ptr<SimEndpoint>> endpoints_;
  std::set<std::string> lost_;  // Machines where nothing answers.
  std::set<Names> cuts_;
  std::map<Names, double> delays_;
};

}  // namespace cirein::fabric
