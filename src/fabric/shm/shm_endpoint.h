// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "fabric/packet/packet_endpoint.h"
#include "fabric/shm/handshake.h"
#include "fabric/shm/shm_transport.h"

namespace cirein::fabric {

/// What one process's transport over shared memory and its connections share.
class ShmEndpoint final : public PacketEndpoint {
 public:
  ShmEndpoint(Reactor& home, ShmOptions options);

  const Address& address() const override { return terms_.address; }

 private:
  Status CheckAddress(const Address& address) const override;
  Status OpenListener() override;
  int listener_fd() const override { return listener_ ? listener_->fd() : -1; }
  Result<FileDescriptor> Accept() override { return listener_->Accept(); }
  void CloseListener(Leaves leaves) override;
  Result<std::unique_ptr<ConnectionAttempt>> Ask(const Address& address, Ended ended) override;
  Result<std::unique_ptr<ConnectionAttempt>> Hear(FileDescriptor fd, Ended ended) override;
  void Finish(const Ended& ended, Result<Agreement> result);

  const ShmOptions options_;
  HandshakeTerms terms_;
  std::optional<ControlListener> listener_;
};

}  // namespace cirein::fabric
