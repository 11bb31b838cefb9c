// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "cirein/config.h"

#include "fabric/auto/auto_transport.h"
#include "node/object_service.h"
#include "object/object_transfers.h"
#include "object/striped_store.h"
#include "pool/copy_cache.h"
#include "pool/member_link.h"
#include "runtime/environment.h"
#include "runtime/executor.h"
#include "runtime/gate.h"
#include "runtime/reactor_thread.h"

namespace cirein {

/// Waits for pool.lease: what an earlier life of this process has lent is over then, and others may
/// see that it has ended.
void AwaitEarlierLeases(const Config& config, const Environment& environment);

/// This process among others: a transport with a thread of its own, which lets them use the
/// process's store, and makes the connections of its pools.
class ProcessNetwork final : public Network {
 public:
  /// Listens where fabric.listen says. `environment` and `executor` outlive it. Errors:
  /// FailedPrecondition when the setting network forbids it; those of FabricOptions and
  /// AutoTransport; of starting a thread. Blocks until it is there: at an address that somebody may
  /// have had before, for pool.lease, as ObjectService asks.
  static Result<std::unique_ptr<ProcessNetwork>> Start(const Config& config,
                                                       std::shared_ptr<StripedStore> store,
                                                       const Environment& environment,
                                                       Executor& executor);
  ~ProcessNetwork() override;

  /// Where others reach this process.
  const fabric::Address& address() const noexcept { return transport_->address(); }
  /// Which fabrics that is by, and why: one line.
  const std::string& reason() const { return transport_->reason(); }

  /// Copies of other processes' objects.
  const CopyCache& copies() const noexcept { return copies_; }
  /// Who answers messages of other processes' user code.
  node::MessageHandlers& handlers() { return service_->handlers(); }
  /// Memory of this process that others reach by the grant until it is taken back. `object` is held
  /// so long. InvalidArgument for what cannot be written to or does not begin at a multiple of 8
  /// bytes; ResourceExhausted; Unavailable once the process has left the network.
  struct Exposed {
    fabric::Transport::MemoryId memory = 0;
    fabric::Grant grant;
  };
  Result<Exposed> Expose(DataObject object, fabric::Access access);
  /// As Transport::Unregister: blocks for what is under way.
  Status TakeBack(const Exposed& exposed);
  /// How large objects travel over it.
  const std::shared_ptr<ObjectTransfers>& transfers() const { return transfers_; }

  Status Connect(const fabric::Address& address, Deadline deadline,
                 ObjectClient::ConnectCallback done) override;

  /// Ends all connections: what waits gets Unavailable. Blocks; a second call does nothing. Not on
  /// the network's thread.
  void Stop();

 private:
  ProcessNetwork(const Config& config, std::unique_ptr<ReactorThread> thread, const Clock& clock)
      : thread_(std::move(thread)),
        copies_(clock, {.limit_bytes = config.GetBytes("pool.copies")}) {}

  // The transport ends before its services and its home.
  std::unique_ptr<ReactorThread> thread_;
  std::unique_ptr<node::ObjectService> service_;
  CopyCache copies_;
  Gate gate_;  // Whoever uses the transport is inside.
  std::unique_ptr<fabric::AutoTransport> transport_;
  std::shared_ptr<ObjectTransfers> transfers_;
};

}  // namespace cirein
