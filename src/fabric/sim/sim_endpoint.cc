// SPDX-License-Identifier: Apache-2.0
#include "fabric/sim/sim_endpoint.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "fabric/sim/sim_connection.h"
#include "runtime/guarded.h"

namespace cirein::fabric {
namespace {

constexpr std::string_view kScheme = "sim://";

Status Gone() { return Unavailable("this process's transport has ended"); }

}  // namespace

Result<std::string> NameInAddress(const Address& address) {
  if (!address.starts_with(kScheme) || address.size() == kScheme.size()) {
    return InvalidArgument(fmt::format("{} is no address here", QuoteForPeople(address)),
                           "it looks like sim://<host>");
  }
  return address.substr(kScheme.size());
}

SimEndpoint::SimEndpoint(std::shared_ptr<SimWire> wire, VirtualHost& host)
    : wire_(std::move(wire)),
      host_(&host),
      name_(host.name()),
      address_(std::string(kScheme) + name_),
      grants_(wire_->ForkRandom(), wire_->options().limits.grants_max) {}

void SimEndpoint::Post(const char* what, std::function<void()> work) {
  if (alive()) host_->Post(wire_->world().now(), what, std::move(work));
}

void SimEndpoint::Emit(std::function<void()> effect) {
  if (alive()) host_->Emit(std::move(effect));
}

TimePoint SimEndpoint::EndOf(Deadline deadline) {
  return host_->environment().clock.EndOf(deadline.Or(wire_->options().default_deadline));
}

TimerService::TimerId SimEndpoint::RunAt(TimePoint when, std::function<void()> work) {
  if (when == kEndOfTime || !alive()) return 0;
  return host_->environment().timers.RunAt(when, std::move(work));
}

void SimEndpoint::CancelTimer(TimerService::TimerId timer) {
  if (timer != 0 && host_ != nullptr) host_->environment().timers.CancelTimer(timer);
}

Status SimEndpoint::Listen(Service& service) {
  if (!alive()) return Gone();
  if (listener_ != nullptr) return FailedPrecondition(address_ + " is listened on already");
  listener_ = &service;
  return OkStatus();
}

Status SimEndpoint::Connect(const Address& address, Service& service, Deadline deadline,
                            ConnectCallback done) {
  CIREIN_ASSIGN_OR_RETURN(const std::string name, NameInAddress(address));
  if (!alive()) return Gone();
  if (full()) return ResourceExhausted(address_ + " has as many connections as it may");
  const LinkPtr link = wire_->MakeLink({name_, name});
  auto connection = std::make_shared<SimConnection>(shared_from_this(), link, 0, service);
  link->sides[0] = connection;
  Add(*link, 0, connection);
  Attempt& attempt = attempts_[link->id];
  attempt.done = std::move(done);
  attempt.connection = std::move(connection);
  attempt.timer = RunAt(EndOf(deadline), [self = weak_from_this(), id = link->id, address] {
    if (const auto endpoint = self.lock()) {
      endpoint->FinishConnect(id,
                              DeadlineExceeded(fmt::format("{} did not answer in time", address)));
    }
  });
  Charge(wire_->model().message_cpu);
  Emit([wire = wire_, link] {
    auto hello = std::make_shared<Packet>();
    hello->kind = PacketKind::kHello;
    wire->Put(link, 0, std::move(hello));
  });
  return OkStatus();
}

void SimEndpoint::FinishConnect(std::uint64_t link, const Status& status) {
  const auto found = attempts_.find(link);
  if (found == attempts_.end()) return;
  const Attempt attempt = std::move(found->second);
  attempts_.erase(found);
  CancelTimer(attempt.timer);
  if (status.ok()) return attempt.done(std::shared_ptr<Connection>(attempt.connection));
  attempt.connection->GiveUp();
  Forget(link, 0);
  attempt.done(status);
}

void SimEndpoint::Add(const SimLink& link, LinkSide side,
                      std::shared_ptr<SimConnection> connection) {
  connections_.emplace(std::pair(link.id, side), std::move(connection));
}

void SimEndpoint::Shut() {
  if (host_ == nullptr) return;
  const bool was_alive = alive();
  wire_->Leave(*this);
  const auto attempts = std::exchange(attempts_, {});
  const auto connections = std::exchange(connections_, {});
  std::vector<SimConnection::Callback> callbacks;
  for (const auto& [link, connection] : connections) {
    for (SimConnection::Callback& callback : connection->Shut()) {
      callbacks.push_back(std::move(callback));
    }
  }
  for (const auto& [link, attempt] : attempts) CancelTimer(attempt.timer);
  host_ = nullptr;
  listener_ = nullptr;
  grants_.Clear();
  if (!was_alive) return;
  for (const auto& [link, attempt] : attempts) {
    RunGuarded(name_, [&done = attempt.done] { done(Gone()); });
  }
  for (const SimConnection::Callback& callback : callbacks) {
    RunGuarded(name_, [&callback] { SimConnection::Fail(callback, Gone()); });
  }
}

}  // namespace cirein::fabric
