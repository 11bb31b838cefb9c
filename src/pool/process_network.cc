// SPDX-License-Identifier: Apache-2.0
#include "pool/process_network.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "fabric/auto/fabric_config.h"
#include "runtime/notification.h"
#include "runtime/real_clock.h"

namespace cirein {
namespace {

Status LeftNetwork() {
  return Unavailable("this process has left the network", "connect before the library finishes");
}

}  // namespace

void AwaitEarlierLeases(const Config& config, const Environment& environment) {
  Notification over;
  const TimePoint end = environment.clock.Now() + config.GetDuration("pool.lease");
  // Timers that are closed begin nothing: this process ends.
  if (environment.timers.RunAt(end, [&over] { over.Notify(); }) != 0) over.WaitUntil(kEndOfTime);
}

Result<std::unique_ptr<ProcessNetwork>> ProcessNetwork::Start(const Config& config,
                                                              std::shared_ptr<StripedStore> store,
                                                              const Environment& environment,
                                                              Executor& executor) {
  if (config.GetString("network") == "nonet") {
    return FailedPrecondition(
        fmt::format("this process has no network: the setting network is nonet ({})",
                    config.Origin("network")),
        "leave that setting out, or use pools of this process such as local:");
  }
  CIREIN_ASSIGN_OR_RETURN(const fabric::AutoOptions options, fabric::FabricOptions(config));
  CIREIN_ASSIGN_OR_RETURN(auto thread,
                          ReactorThread::Start(RealClock::Instance(), {.name = "network"}));
  std::unique_ptr<ProcessNetwork> network(
      new ProcessNetwork(config, std::move(thread), environment.clock));
  const bool address_may_be_old = options.ofi.listen.port != 0;
  // A transport is made on its home's thread.
  std::optional<Result<std::unique_ptr<fabric::AutoTransport>>> made;
  Notification done;
  Reactor& home = network->thread_->reactor();
  CIREIN_RETURN_IF_ERROR(home.Post([&] {
    made = fabric::AutoTransport::Create(home, options);
    done.Notify();
  }));
  done.WaitUntil(kEndOfTime);
  if (!made->ok()) return made->status();
  network->transport_ = std::move(**made);
  network->transfers_ = std::make_shared<ObjectTransfers>(
      *network->transport_, environment.clock,
      ObjectTransfers::Options{.inline_bytes_max = config.GetBytes("fabric.inline_max"),
                               .object_bytes_max = config.GetBytes("memory.object_limit")});
  network->service_ =
      std::make_unique<node::ObjectService>(std::move(store), environment, executor,
                                            network->transfers_, config.GetDuration("pool.lease"));
  if (address_may_be_old) AwaitEarlierLeases(config, environment);
  CIREIN_RETURN_IF_ERROR(network->transport_->Listen(*network->service_));
  return network;
}

ProcessNetwork::~ProcessNetwork() { Stop(); }

void ProcessNetwork::Stop() {
  gate_.CloseAndWait();
  if (service_ != nullptr) service_->Stop();
  if (transfers_ != nullptr) transfers_->Stop();
  thread_->Stop();
  transport_.reset();
}

Result<ProcessNetwork::Exposed> ProcessNetwork::Expose(DataObject object, fabric::Access access) {
  const Gate::Holder inside = gate_.TryEnter();
  if (!inside) return LeftNetwork();
  const auto keeps = std::make_shared<DataObject>(std::move(object));
  const std::span<std::byte> bytes = keeps->mutable_data();
  if (bytes.empty()) {
    return InvalidArgument("an empty or read-only object has no memory that others could use",
                           "allocate one with data");
  }
  Exposed exposed;
  CIREIN_ASSIGN_OR_RETURN(exposed.memory, transport_->Register(bytes, keeps));
  Result<fabric::Grant> grant =
      transport_->MakeGrant(exposed.memory, {.offset = 0, .bytes = bytes.size()}, access);
  if (grant.ok()) {
    exposed.grant = *grant;
    return exposed;
  }
  (void)transport_->Unregister(exposed.memory);
  return grant.status();
}

Status ProcessNetwork::TakeBack(const Exposed& exposed) {
  const Gate::Holder inside = gate_.TryEnter();
  if (!inside) return OkStatus();  // With the network all of it was.
  return transport_->Unregister(exposed.memory);
}

Status ProcessNetwork::Connect(const fabric::Address& address, Deadline deadline,
                               ObjectClient::ConnectCallback done) {
  const Gate::Holder inside = gate_.TryEnter();
  if (!inside) return LeftNetwork();
  return ObjectClient::Connect(*transport_, address, deadline, std::move(done), transfers_,
                               &copies_);
}

}  // namespace cirein
