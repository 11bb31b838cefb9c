// SPDX-License-Identifier: Apache-2.0
#include "fabric/sim/sim_wire.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/units.h"
#include "fabric/sim/sim_connection.h"
#include "fabric/sim/sim_endpoint.h"

namespace cirein::fabric {
namespace {

// Of the latency; a straggler is what a retransmission or a full switch makes of it.
constexpr double kFactorMin = 0.8;
constexpr double kFactorSpread = 0.7;
constexpr double kStragglerFactor = 10;
constexpr std::uint64_t kStragglerOneIn = 1000;
// How much longer than the keepalive a side may take to give the other one up.
constexpr double kPatienceSpread = 0.25;
// A connection that is closed may take with it what is still on its way; one in so many does.
constexpr std::uint64_t kHastyCloseOneIn = 4;

std::chrono::nanoseconds Times(std::chrono::nanoseconds time, double factor) {
  return std::chrono::nanoseconds(
      static_cast<std::int64_t>(static_cast<double>(time.count()) * factor));
}

LinkSide Other(LinkSide side) { return 1 - side; }

}  // namespace

void SimWire::Join(const std::shared_ptr<SimEndpoint>& endpoint) {
  const std::string& name = endpoint->name();
  // Where a machine was lost, its peers find out by themselves.
  if (lost_.erase(name) == 0) HostGone(name, Gone::kKilled);
  endpoints_[name] = endpoint;
  world_.Tell(name, "joins");
}

void SimWire::Leave(const SimEndpoint& endpoint) {
  const auto found = endpoints_.find(endpoint.name());
  if (found != endpoints_.end() && found->second.get() == &endpoint) endpoints_.erase(found);
}

std::size_t SimWire::registrations() const {
  std::size_t sum = 0;
  for (const auto& [name, endpoint] : endpoints_) sum += endpoint->grants().size();
  return sum;
}

void SimWire::Shut() {
  endpoints_.clear();
  for (const auto& [id, link] : std::exchange(links_, {})) {
    for (const LinkSide side : {0U, 1U}) {
      StopPatience(*link, side);
      link->directions[side].over = true;
      link->directions[side].queue.clear();
      if (link->directions[side].arrival != 0) world_.Cancel(link->directions[side].arrival);
      link->directions[side].arrival = 0;
      if (const auto connection = std::exchange(link->sides[side], nullptr)) connection->Die();
    }
  }
}

LinkPtr SimWire::MakeLink(const SimNetwork::Way& way) {
  auto link = std::make_shared<SimLink>();
  link->id = ++last_link_;
  for (const LinkSide side : {0U, 1U}) {
    SimLink::Direction& direction = link->directions[side];
    direction.from = side == 0 ? way.from : way.to;
    direction.to = side == 0 ? way.to : way.from;
    const Names names(direction.from, direction.to);
    direction.cut = cuts_.contains(names);
    const auto delay = delays_.find(names);
    if (delay != delays_.end()) direction.delay = delay->second;
  }
  links_.emplace(link->id, link);
  return link;
}

std::chrono::nanoseconds SimWire::Latency(const SimLink::Direction& direction) {
  const double drawn = random_.Double();
  const double factor =
      random_.OneIn(kStragglerOneIn) ? kStragglerFactor : kFactorMin + kFactorSpread * drawn;
  return Times(model_.latency, factor * direction.delay);
}

void SimWire::Put(const LinkPtr& link, LinkSide from, PacketPtr packet) {
  SimLink::Direction& direction = link->directions[from];
  if (direction.over) return;
  direction.wire_free = std::max(world_.now(), direction.wire_free) + packet->held +
                        model_.WireTime(packet->bytes.size());
  // It may be due before the one in front of it, behind which it waits.
  packet->arrives = direction.wire_free + Latency(direction);
  direction.queue.push_back(std::move(packet));
  PlanArrival(link, from);
}

void SimWire::PutEnd(const LinkPtr& link, LinkSide from, Status why) {
  if (link->directions[from].over) return;
  auto packet = std::make_shared<Packet>();
  packet->kind = PacketKind::kEnd;
  packet->status = std::move(why);
  Put(link, from, std::move(packet));
  link->directions[from].over = true;
}

void SimWire::LoseTail(const LinkPtr& link, LinkSide from, Random& random) {
  SimLink::Direction& direction = link->directions[from];
  const std::size_t kept = random.Below(direction.queue.size() + 1);
  // What is lost may give something back that looks at the queue.
  std::deque<PacketPtr> lost;
  while (direction.queue.size() > kept) {
    lost.push_back(std::move(direction.queue.back()));
    direction.queue.pop_back();
  }
  if (kept > 0 || direction.arrival == 0) return;
  world_.Cancel(direction.arrival);
  direction.arrival = 0;
}

void SimWire::Abandon(const LinkPtr& link) {
  PutEnd(link, 0,
         Unavailable(fmt::format("sim://{} gave up connecting", link->directions[0].from)));
  Detach(link, 0);
}

void SimWire::Close(const LinkPtr& link, LinkSide side) {
  if (random_.OneIn(kHastyCloseOneIn)) LoseTail(link, side, random_);
  PutEnd(link, side,
         Unavailable(fmt::format("sim://{} closed the connection", link->directions[side].from)));
  Detach(link, side);
}

void SimWire::Detach(const LinkPtr& link, LinkSide side) {
  StopPatience(*link, side);
  link->sides[side] = nullptr;
  if (link->sides[Other(side)] == nullptr) links_.erase(link->id);
}

void SimWire::Watch(const LinkPtr& link, LinkSide side) {
  if (link->cut() || link->lost) StartPatience(link, side);
}

void SimWire::SideGone(const LinkPtr& link, LinkSide side, Gone how) {
  if (side == 1 && !link->accepted) return;
  const std::string& name = link->directions[side].from;
  if (const auto connection = link->sides[side]) connection->Die();
  if (how == Gone::kKilled) {
    PutEnd(link, side, Unavailable(fmt::format("the process at sim://{} has ended", name)));
  } else {
    link->lost = true;
    const auto other = link->sides[Other(side)];
    if (other != nullptr && other->established()) StartPatience(link, Other(side));
  }
  Detach(link, side);
}

void SimWire::StartPatience(const LinkPtr& link, LinkSide side) {
  if (link->patience[side] != 0) return;
  const auto wait = Times(options_.keepalive, 1 + kPatienceSpread * random_.Double());
  link->patience[side] = world_.RunAfter(wait, [wire = weak_from_this(), link, side] {
    const auto self = wire.lock();
    link->patience[side] = 0;
    const auto connection = link->sides[side];
    if (self == nullptr || connection == nullptr) return;
    self->world_.Tell(link->directions[side].from, "gives up", link->id);
    connection->End(
        Unavailable(fmt::format("sim://{} was not reachable for {}", link->directions[side].to,
                                FormatDuration(self->options_.keepalive)),
                    "it may be cut off, or its machine gone; connect again"));
  });
}

void SimWire::StopPatience(SimLink& link, LinkSide side) {
  if (link.patience[side] != 0) world_.Cancel(link.patience[side]);
  link.patience[side] = 0;
}

// --- What arrives ---

void SimWire::PlanArrival(const LinkPtr& link, LinkSide from) {
  SimLink::Direction& direction = link->directions[from];
  if (direction.queue.empty() || direction.arrival != 0 || direction.stalled) return;
  direction.arrival =
      world_.RunAt(direction.queue.front()->arrives, [wire = weak_from_this(), link, from] {
        if (const auto self = wire.lock()) self->Arrive(link, from);
      });
}

void SimWire::Arrive(const LinkPtr& link, LinkSide from) {
  SimLink::Direction& direction = link->directions[from];
  direction.arrival = 0;
  if (direction.cut) {
    direction.stalled = true;
    return;
  }
  const PacketPtr packet = std::move(direction.queue.front());
  direction.queue.pop_front();
  PlanArrival(link, from);
  // The journal says who got what over which connection.
  world_.Tell(direction.to, PacketName(packet->kind), link->id, Checksum64(packet->bytes));
  Deliver(link, Other(from), packet);
}

void SimWire::Deliver(const LinkPtr& link, LinkSide to, const PacketPtr& packet) {
  if (const auto connection = link->sides[to]) return connection->Arrived(packet);
  if (packet->kind == PacketKind::kHello) return Accept(link);
  // A machine whose process has gone says so, if it is there.
  const std::string& name = link->directions[to].from;
  if (packet->kind == PacketKind::kEnd || lost_.contains(name)) return;
  PutEnd(link, to, Unavailable(fmt::format("sim://{} knows nothing of the connection", name)));
}

void SimWire::Accept(const LinkPtr& link) {
  const std::string& name = link->directions[0].to;
  if (lost_.contains(name)) return;
  const auto found = endpoints_.find(name);
  const std::shared_ptr<SimEndpoint> endpoint = found != endpoints_.end() ? found->second : nullptr;
  if (endpoint == nullptr || !endpoint->alive() || endpoint->listener() == nullptr) {
    return PutEnd(link, 1, Unavailable(fmt::format("nobody listens at sim://{}", name)));
  }
  if (endpoint->full()) {
    return PutEnd(
        link, 1,
        ResourceExhausted(fmt::format("sim://{} has as many connections as it may", name)));
  }
  link->accepted = true;
  links_.emplace(link->id, link);  // Whoever asked may have gone by now.
  auto connection = std::make_shared<SimConnection>(endpoint, link, 1, *endpoint->listener());
  link->sides[1] = connection;
  connection->Accept();
  Watch(link, 1);
}

// --- Faults ---

void SimWire::SetCut(SimLink& link, SimLink::Direction& direction) {
  direction.cut = true;
  const LinkPtr shared = links_.at(link.id);
  for (const LinkSide side : {0U, 1U}) {
    if (link.sides[side] != nullptr && link.sides[side]->established()) {
      StartPatience(shared, side);
    }
  }
}

void SimWire::Cut(const SimNetwork::Way& way) {
  world_.Say(fmt::format("network cuts {} from {}", way.to, way.from));
  if (!cuts_.emplace(way.from, way.to).second) return;
  for (const auto& [id, link] : links_) {
    for (SimLink::Direction& direction : link->directions) {
      if (direction.from == way.from && direction.to == way.to) SetCut(*link, direction);
    }
  }
}

void SimWire::HealDirection(const LinkPtr& link, LinkSide from) {
  SimLink::Direction& direction = link->directions[from];
  direction.cut = false;
  if (!link->cut() && !link->lost) {
    StopPatience(*link, 0);
    StopPatience(*link, 1);
  }
  if (!std::exchange(direction.stalled, false)) return;
  // What waited is sent once more.
  const TimePoint again = world_.now() + Latency(direction);
  for (const PacketPtr& packet : direction.queue) {
    packet->arrives = std::max(packet->arrives, again);
  }
  PlanArrival(link, from);
}

void SimWire::Heal(const SimNetwork::Way& way) {
  world_.Say(fmt::format("network heals {} to {}", way.from, way.to));
  if (cuts_.erase(Names(way.from, way.to)) == 0) return;
  for (const auto& [id, link] : links_) {
    for (const LinkSide side : {0U, 1U}) {
      const SimLink::Direction& direction = link->directions[side];
      if (direction.from == way.from && direction.to == way.to) HealDirection(link, side);
    }
  }
}

void SimWire::HealAll() {
  const std::set<Names> cuts = cuts_;
  for (const auto& [from, to] : cuts) Heal({from, to});
  const std::map<Names, double> delays = delays_;
  for (const auto& [names, factor] : delays) SetDelay({names.first, names.second}, 1);
}

void SimWire::SetDelay(const SimNetwork::Way& way, double factor) {
  world_.Say(fmt::format("network delays {} to {} by {}", way.from, way.to, factor));
  const Names names(way.from, way.to);
  if (factor == 1) {
    delays_.erase(names);
  } else {
    delays_[names] = factor;
  }
  for (const auto& [id, link] : links_) {
    for (SimLink::Direction& direction : link->directions) {
      if (direction.from == way.from && direction.to == way.to) direction.delay = factor;
    }
  }
}

bool SimWire::BreakConnection(const std::string& host, Random& random) {
  std::vector<LinkPtr> there;
  for (const auto& [id, link] : links_) {
    const bool whole = (link->directions[0].from == host || link->directions[1].from == host) &&
                       link->sides[0] != nullptr && link->sides[1] != nullptr &&
                       link->sides[0]->established() && !link->directions[0].over &&
                       !link->directions[1].over;
    if (whole) there.push_back(link);
  }
  if (there.empty()) return false;
  const LinkPtr& link = there[random.Below(there.size())];
  world_.Tell("network", "breaks", link->id);
  for (const LinkSide side : {0U, 1U}) {
    LoseTail(link, side, random);
    PutEnd(link, side,
           Unavailable(fmt::format("the connection to sim://{} broke", link->directions[side].from),
                       "connect again"));
  }
  return true;
}

void SimWire::HostGone(const std::string& name, Gone how) {
  world_.Tell(name, how == Gone::kKilled ? "process gone" : "machine gone");
  if (how == Gone::kLost) lost_.insert(name);
  endpoints_.erase(name);
  const std::map<std::uint64_t, LinkPtr> links = links_;
  for (const auto& [id, link] : links) {
    for (const LinkSide side : {0U, 1U}) {
      if (link->directions[side].from == name) SideGone(link, side, how);
    }
  }
}

}  // namespace cirein::fabric
