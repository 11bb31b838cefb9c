// SPDX-License-Identifier: Apache-2.0
#include "fabric/shm/shm_transport.h"

#include <utility>

#include <fmt/format.h>

#include "fabric/shm/control_socket.h"
#include "fabric/shm/ring.h"
#include "fabric/shm/shm_endpoint.h"

namespace cirein::fabric {
namespace {

Status Gone() { return Unavailable("this process's transport has ended"); }

}  // namespace

Result<std::unique_ptr<ShmTransport>> ShmTransport::Create(Reactor& home, ShmOptions options) {
  CIREIN_RETURN_IF_ERROR(SocketNameIn(ShmAddress(options.name)).status());
  if (!IsRingSize(options.ring_bytes)) {
    return InvalidArgument(fmt::format("a ring cannot have {} bytes", options.ring_bytes),
                           "choose a power of two from 4 KiB to 64 MiB");
  }
  auto endpoint = std::make_shared<ShmEndpoint>(home, std::move(options));
  endpoint->Start();
  return std::unique_ptr<ShmTransport>(new ShmTransport(std::move(endpoint)));
}

ShmTransport::ShmTransport(std::shared_ptr<ShmEndpoint> endpoint)
    : endpoint_(std::move(endpoint)) {}

ShmTransport::~ShmTransport() { endpoint_->Shut(); }

const Address& ShmTransport::address() const { return endpoint_->address(); }
const Limits& ShmTransport::limits() const { return endpoint_->options().limits; }
Status ShmTransport::Listen(Service& service) { return endpoint_->Listen(service); }
Status ShmTransport::Connect(const Address& address, Service& service, Deadline deadline,
                             ConnectCallback done) {
  return endpoint_->Connect(address, service, deadline, std::move(done));
}
void ShmTransport::Die() { endpoint_->Die(); }

Result<Transport::MemoryId> ShmTransport::Register(std::shared_ptr<Region> region) {
  const auto lock = endpoint_->LockGrants();
  if (!endpoint_->alive()) return Gone();
  return endpoint_->grants().Register(std::move(region));
}

Result<Transport::MemoryId> ShmTransport::Register(std::span<std::byte> memory,
                                                   std::shared_ptr<void> keeps) {
  const auto lock = endpoint_->LockGrants();
  if (!endpoint_->alive()) return Gone();
  return endpoint_->grants().Register(memory, std::move(keeps));
}

Status ShmTransport::Unregister(MemoryId memory) {
  const auto lock = endpoint_->LockGrants();
  return endpoint_->grants().Unregister(memory);
}

Result<Grant> ShmTransport::MakeGrant(MemoryId memory, ByteRange range, Access access) {
  const auto lock = endpoint_->LockGrants();
  return endpoint_->grants().Make(memory, range, access);
}

Status ShmTransport::Revoke(const Grant& grant) {
  const auto lock = endpoint_->LockGrants();
  return endpoint_->grants().Revoke(grant);
}

}  // namespace cirein::fabric
