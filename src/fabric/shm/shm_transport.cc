// SPDX-License-Identifier: Apache-2.0
#include "fabric/shm/shm_transport.h"

#include <fmt/format.h>

#include "fabric/shm/control_socket.h"
#include "fabric/shm/ring.h"
#include "fabric/shm/shm_endpoint.h"

namespace cirein::fabric {

ShmTransport::ShmTransport(const std::shared_ptr<ShmEndpoint>& endpoint)
    : PacketTransport(endpoint), loans_(endpoint->shared_loans()) {}

std::size_t ShmTransport::quarantined() const { return loans_->quarantined(); }

Result<std::unique_ptr<ShmTransport>> ShmTransport::Create(Reactor& home,
                                                           const ShmOptions& options) {
  CIREIN_RETURN_IF_ERROR(SocketNameIn(ShmAddress(options.name)).status());
  if (!IsRingSize(options.ring_bytes)) {
    return InvalidArgument(fmt::format("a ring cannot have {} bytes", options.ring_bytes),
                           "choose a power of two from 4 KiB to 64 MiB");
  }
  auto endpoint = std::make_shared<ShmEndpoint>(home, options);
  return std::unique_ptr<ShmTransport>(new ShmTransport(endpoint));
}

}  // namespace cirein::fabric
