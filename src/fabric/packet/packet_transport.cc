// SPDX-License-Identifier: Apache-2.0
#include "fabric/packet/packet_transport.h"

#include <utility>

namespace cirein::fabric {
namespace {

Status Gone() { return Unavailable("this process's transport has ended"); }

}  // namespace

PacketTransport::PacketTransport(std::shared_ptr<PacketEndpoint> endpoint)
    : endpoint_(std::move(endpoint)) {
  endpoint_->Start();
}

PacketTransport::~PacketTransport() { endpoint_->Shut(); }

const Address& PacketTransport::address() const { return endpoint_->address(); }
const Limits& PacketTransport::limits() const { return endpoint_->options().limits; }
Status PacketTransport::Listen(Service& service) { return endpoint_->Listen(service); }
Status PacketTransport::Connect(const Address& address, Service& service, Deadline deadline,
                                ConnectCallback done) {
  return endpoint_->Connect(address, service, deadline, std::move(done));
}
void PacketTransport::JoinAs(Address address, const PacketTransport* other) {
  endpoint_->Rename(std::move(address));
  if (other != nullptr) endpoint_->ShareGrantsOf(*other->endpoint_);
}
bool PacketTransport::has_waiting() const { return endpoint_->has_waiting(); }
void PacketTransport::Die() { endpoint_->Die(); }

Result<Transport::MemoryId> PacketTransport::Register(std::shared_ptr<Region> region) {
  const auto lock = endpoint_->LockGrants();
  if (!endpoint_->alive()) return Gone();
  return endpoint_->grants().Register(std::move(region));
}

Result<Transport::MemoryId> PacketTransport::Register(std::span<std::byte> memory,
                                                      std::shared_ptr<void> keeps) {
  const auto lock = endpoint_->LockGrants();
  if (!endpoint_->alive()) return Gone();
  return endpoint_->grants().Register(memory, std::move(keeps));
}

Status PacketTransport::Unregister(MemoryId memory) {
  // Let go when nobody uses it any more, without the lock: it may call back.
  GrantTable::Removed removed;
  {
    const auto lock = endpoint_->LockGrants();
    CIREIN_ASSIGN_OR_RETURN(removed, endpoint_->grants().Remove(memory));
  }
  return endpoint_->AwaitRevoked(removed);
}

Result<Grant> PacketTransport::MakeGrant(MemoryId memory, ByteRange range, Access access) {
  const auto lock = endpoint_->LockGrants();
  return endpoint_->grants().Make(memory, range, access);
}

Status PacketTransport::Revoke(const Grant& grant) {
  {
    const auto lock = endpoint_->LockGrants();
    CIREIN_RETURN_IF_ERROR(endpoint_->grants().Revoke(grant));
  }
  return endpoint_->AwaitRevoked({.grants = {grant.id}, .region = nullptr, .keeps = nullptr});
}

}  // namespace cirein::fabric
