// SPDX-License-Identifier: Apache-2.0
#include "fabric/shm/shm_endpoint.h"

#include <utility>

#include "fabric/shm/shm_connection.h"

namespace cirein::fabric {

ShmEndpoint::ShmEndpoint(Reactor& home, ShmOptions options)
    : PacketEndpoint(home, {.limits = options.limits,
                            .default_deadline = options.default_deadline,
                            .handshake_max = options.handshake_max}),
      options_(std::move(options)),
      terms_{.address = ShmAddress(options_.name),
             .secret = options_.secret,
             .limits = options_.limits,
             .ring_bytes = options_.ring_bytes} {}

Status ShmEndpoint::CheckAddress(const Address& address) const {
  return SocketNameIn(address).status();
}

Status ShmEndpoint::OpenListener() {
  CIREIN_ASSIGN_OR_RETURN(ControlListener listener, ControlListener::Listen(options_.name));
  listener_.emplace(std::move(listener));
  return OkStatus();
}

void ShmEndpoint::CloseListener(Leaves leaves) {
  if (leaves == Leaves::kItsName && listener_) listener_->Abandon();
  listener_.reset();
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

Result<std::unique_ptr<ConnectionAttempt>> ShmEndpoint::Hear(FileDescriptor fd, Ended ended) {
  return Handshake::Accept(
      home(), terms_, std::move(fd), entropy(), [this] { return CheckRoom(); },
      [this, ended = std::move(ended)](Result<Agreement> result) {
        Finish(ended, std::move(result));
      });
}

}  // namespace cirein::fabric
