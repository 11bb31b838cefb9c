// SPDX-License-Identifier: Apache-2.0
#include "fabric/shm/shm_endpoint.h"

#include <chrono>
#include <utility>

#include "base/logging.h"
#include "fabric/shm/shm_connection.h"
#include "runtime/real_clock.h"

namespace cirein::fabric {
namespace {

constexpr int kAcceptBatch = 16;
constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr std::chrono::milliseconds kSweepPause{100};

}  // namespace

ShmEndpoint::ShmEndpoint(Reactor& home, ShmOptions options)
    : PacketEndpoint(home, {.limits = options.limits,
                            .default_deadline = options.default_deadline,
                            .handshake_max = options.handshake_max}),
      options_(std::move(options)),
      terms_{.introduction = {.address = ShmAddress(options_.name),
                              .secret = options_.secret,
                              .limits = options_.limits},
             .ring_bytes = options_.ring_bytes} {}

Status ShmEndpoint::CheckAddress(const Address& address) const {
  return SocketNameIn(address).status();
}

Status ShmEndpoint::OpenListener() {
  CIREIN_ASSIGN_OR_RETURN(ControlListener listener, ControlListener::Listen(options_.name));
  listener_.emplace(std::move(listener));
  return OkStatus();
}

void ShmEndpoint::StartListener() {
  pause_ = 0;
  if (!listener_ || watching_listener_) return;
  const Status watched =
      home().Watch(listener_->fd(), FdInterest::kReadable, [this](FdReadiness) { OnListener(); });
  watching_listener_ = watched.ok();
  if (watched.ok()) return;
  LogError("fabric", "{} cannot be listened on: {}", address(), watched.ToString());
  StartListenerLater();
}

void ShmEndpoint::OnListener() {
  for (int i = 0; i < kAcceptBatch; ++i) {
    if (!has_guest_room()) return PauseListener();
    Result<FileDescriptor> fd = listener_->Accept();
    if (!fd.ok()) return PauseListener();
    if (!fd->is_open()) return;
    Welcome([this, &fd](Ended ended) {
      return Handshake::Accept(
          home(), terms_, std::move(*fd), entropy(), [this] { return CheckRoom(); },
          [this, ended = std::move(ended)](Result<Agreement> result) {
            Finish(ended, std::move(result));
          });
    });
  }
}

void ShmEndpoint::PauseListener() {
  // They wait: a little later there may be room, or a descriptor.
  static_cast<void>(home().Unwatch(listener_->fd()).ok());
  watching_listener_ = false;
  StartListenerLater();
}

void ShmEndpoint::StartListenerLater() {
  pause_ = home().RunAt(home().clock().Now() + kAcceptPause, [weak = weak_from_this()] {
    const auto self = std::static_pointer_cast<ShmEndpoint>(weak.lock());
    if (self != nullptr && self->alive()) self->StartListener();
  });
}

void ShmEndpoint::CloseListener(Leaves leaves) {
  if (watching_listener_) static_cast<void>(home().Unwatch(listener_->fd()).ok());
  watching_listener_ = false;
  CancelTimer(pause_);
  if (leaves == Leaves::kItsName && listener_) listener_->Abandon();
  listener_.reset();
}

Status ShmEndpoint::AwaitRevoked(const GrantTable::Removed& removed) {
  const std::vector<Loans::Revoked> revoked = loans_->Revoke(removed);
  if (revoked.empty()) return OkStatus();
  // The home tells the holders: it may be this thread, which waits only for what is under way.
  Wake();
  const TimePoint end = RealClock::MonotonicNow() + options_.revoke_max;
  bool all_over = true;
  for (const Loans::Revoked& one : revoked) {
    one.lender->Await(one.grant, end);
    all_over &= loans_->Settle(one.grant, *one.lender);
  }
  if (all_over) return OkStatus();
  Submit([self = std::static_pointer_cast<ShmEndpoint>(shared_from_this())] {
    self->SweepQuarantine();
  });
  return Unavailable(
      "a process that was lent the memory is in the middle of an operation, and does not go on",
      "continue or end that process; until then the memory is quarantined");
}

void ShmEndpoint::SettleAtEnd(Lender& lender) {
  for (const std::uint64_t grant : lender.End()) {
    static_cast<void>(loans_->Settle(grant, lender));
  }
  if (alive()) SweepQuarantine();
}

void ShmEndpoint::SweepQuarantine() {
  CancelTimer(std::exchange(sweep_, 0));
  loans_->Sweep();
  if (loans_->quarantined() == 0) return;
  sweep_ = home().RunAt(home().clock().Now() + kSweepPause, [weak = weak_from_this()] {
    const auto self = std::static_pointer_cast<ShmEndpoint>(weak.lock());
    if (self != nullptr && self->alive()) self->SweepQuarantine();
  });
}

void ShmEndpoint::LeaveShared() {
  CancelTimer(std::exchange(sweep_, 0));
  Loans::Keep(loans_);
}

void ShmEndpoint::Finish(const Ended& ended, Result<Agreement> result) {
  if (!result.ok()) return ended(result.status());
  const auto agreement = std::make_shared<Agreement>(std::move(*result));
  ended(Agreed([this, agreement](Service& service) {
    return std::make_shared<ShmConnection>(
        std::static_pointer_cast<ShmEndpoint>(shared_from_this()), std::move(*agreement), service);
  }));
}

Result<std::unique_ptr<ConnectionAttempt>> ShmEndpoint::Ask(const Address& address, Ended ended) {
  return Handshake::Connect(home(), terms_, address, entropy(),
                            [this, ended = std::move(ended)](Result<Agreement> result) {
                              Finish(ended, std::move(result));
                            });
}

}  // namespace cirein::fabric
