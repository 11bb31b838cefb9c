// SPDX-License-Identifier: Apache-2.0
#include "fabric/sim/sim_network.h"

#include <utility>

#include "fabric/sim/sim_endpoint.h"
#include "fabric/sim/sim_wire.h"

namespace cirein::fabric {
namespace {

class SimTransport final : public Transport {
 public:
  explicit SimTransport(std::shared_ptr<SimEndpoint> endpoint) : endpoint_(std::move(endpoint)) {}
  ~SimTransport() override { endpoint_->Shut(); }
  SimTransport(const SimTransport&) = delete;
  SimTransport& operator=(const SimTransport&) = delete;

  const Address& address() const override { return endpoint_->address(); }
  const Limits& limits() const override { return endpoint_->wire().options().limits; }

  Status Listen(Service& service) override { return endpoint_->Listen(service); }
  Status Connect(const Address& address, Service& service, Deadline deadline,
                 ConnectCallback done) override {
    return endpoint_->Connect(address, service, deadline, std::move(done));
  }

  Result<MemoryId> Register(std::shared_ptr<Region> region) override {
    return endpoint_->grants().Register(std::move(region));
  }
  Result<MemoryId> Register(std::span<std::byte> memory, std::shared_ptr<void> keeps) override {
    return endpoint_->grants().Register(memory, std::move(keeps));
  }
  Status Unregister(MemoryId memory) override { return endpoint_->grants().Unregister(memory); }
  Result<Grant> MakeGrant(MemoryId memory, ByteRange range, Access access) override {
    return endpoint_->grants().Make(memory, range, access);
  }
  Status Revoke(const Grant& grant) override { return endpoint_->grants().Revoke(grant); }

 private:
  const std::shared_ptr<SimEndpoint> endpoint_;
};

}  // namespace

SimNetwork::SimNetwork(VirtualScheduler& world, const CostModel& model, Options options)
    : wire_(std::make_shared<SimWire>(world, model, std::move(options))) {}

SimNetwork::SimNetwork(VirtualScheduler& world, const CostModel& model)
    : SimNetwork(world, model, Options()) {}

SimNetwork::~SimNetwork() { wire_->Shut(); }

std::unique_ptr<Transport> SimNetwork::Join(VirtualHost& host) {
  auto endpoint = std::make_shared<SimEndpoint>(wire_, host);
  wire_->Join(endpoint);
  return std::make_unique<SimTransport>(std::move(endpoint));
}

void SimNetwork::Cut(const Way& way) { wire_->Cut(way); }
void SimNetwork::Heal(const Way& way) { wire_->Heal(way); }
void SimNetwork::HealAll() { wire_->HealAll(); }
void SimNetwork::SetDelay(const Way& way, double factor) { wire_->SetDelay(way, factor); }
bool SimNetwork::BreakConnection(const std::string& host, Random& random) {
  return wire_->BreakConnection(host, random);
}
void SimNetwork::HostKilled(const std::string& name) {
  wire_->HostGone(name, SimWire::Gone::kKilled);
}
void SimNetwork::HostLost(const std::string& name) { wire_->HostGone(name, SimWire::Gone::kLost); }
std::size_t SimNetwork::connections() const { return wire_->links(); }
std::size_t SimNetwork::registrations() const { return wire_->registrations(); }

}  // namespace cirein::fabric
