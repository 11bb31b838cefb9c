// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <utility>

#include "fabric/packet/packet_endpoint.h"
#include "fabric/transport.h"

namespace cirein::fabric {

/// A process's end of a fabric whose packets the target's home carries out.
///
/// Its home is a reactor. It is made and destroyed on the home's thread, or while nobody runs it;
/// everything else is thread-safe. Connect also fails with PermissionDenied: another secret.
class PacketTransport : public Transport {
 public:
  ~PacketTransport() override;

  const Address& address() const final;
  const Limits& limits() const final;
  Status Listen(Service& service) final;
  Status Connect(const Address& address, Service& service, Deadline deadline,
                 ConnectCallback done) final;
  Result<MemoryId> Register(std::shared_ptr<Region> region) final;
  Result<MemoryId> Register(std::span<std::byte> memory, std::shared_ptr<void> keeps) final;
  Status Unregister(MemoryId memory) final;
  Result<Grant> MakeGrant(MemoryId memory, ByteRange range, Access access) final;
  Status Revoke(const Grant& grant) final;

  /// From now on says that `address` is its own; and has the grants of `other`, if that is one.
  /// For a transport that is made of several: before anything else is called.
  void JoinAs(Address address, const PacketTransport* other);

  /// For tests: all that the others see of it from now on is what they see of a process that was
  /// killed. Nothing is called any more, on destruction either. On the home's thread.
  void Die();
  /// Something waits for room to be sent. On the home's thread.
  bool has_waiting() const;

 protected:
  /// Starts it.
  explicit PacketTransport(std::shared_ptr<PacketEndpoint> endpoint);

 private:
  const std::shared_ptr<PacketEndpoint> endpoint_;
};

}  // namespace cirein::fabric
