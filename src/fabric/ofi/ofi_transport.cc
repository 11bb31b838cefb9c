// SPDX-License-Identifier: Apache-2.0
#include "fabric/ofi/ofi_transport.h"

#include <utility>

#include <fmt/format.h>

#include "fabric/ofi/ofi_endpoint.h"

namespace cirein::fabric {
namespace {

Status CheckOptions(const OfiOptions& options) {
  if (options.listen.is_path() || options.listen.host.empty()) {
    return InvalidArgument("libfabric needs the address of a host",
                           "give one in digits, such as 127.0.0.1:0");
  }
  if (options.listen.host == "0.0.0.0" || options.listen.host == "::") {
    return InvalidArgument(fmt::format("others cannot connect to {}", options.listen.host),
                           "give the address by which the other hosts reach this one");
  }
  CIREIN_ASSIGN_OR_RETURN(const bool is_local, IsLocalAddress(options.listen));
  if (!is_local && options.secret.empty()) {
    return FailedPrecondition(
        fmt::format("{} is reached from other hosts, and there is no cluster secret",
                    options.listen.ToString()),
        "give a cluster secret, or listen on 127.0.0.1");
  }
  if (options.registered_bytes_max < 8 * kShownBytesMax) {
    return InvalidArgument(
        fmt::format("{} bytes of registered memory are too few", options.registered_bytes_max),
        "give at least 8 MiB");
  }
  if (options.registered_bytes_at_start > options.registered_bytes_max) {
    return InvalidArgument("more memory is to be registered at the start than at all");
  }
  if (options.keepalive < std::chrono::seconds(1)) {
    return InvalidArgument("a keepalive is at least one second");
  }
  return OkStatus();
}

/// Registers so many bytes: what is given back is kept for those who need it first.
Status RegisterNow(OfiPort& port, std::uint64_t bytes) {
  std::vector<OfiPort::Lease> leases;
  for (std::uint64_t i = 0; i < bytes / kShownBytesMax; ++i) {
    const auto use = i % 2 == 0 ? OfiPort::LeaseUse::kShown : OfiPort::LeaseUse::kFilled;
    CIREIN_ASSIGN_OR_RETURN(OfiPort::Lease lease, port.Lend(kShownBytesMax, use));
    leases.push_back(std::move(lease));
  }
  return OkStatus();
}

}  // namespace

Result<std::unique_ptr<OfiTransport>> OfiTransport::Create(Reactor& home, OfiOptions options) {
  CIREIN_RETURN_IF_ERROR(CheckOptions(options));
  CIREIN_ASSIGN_OR_RETURN(auto listener, StreamListener::Reserve(options.listen));
  const bool is_v6 = options.listen.host.find(':') != std::string::npos;
  CIREIN_ASSIGN_OR_RETURN(
      auto port,
      OfiPort::Open({.provider = options.provider,
                     .bind = is_v6 ? "[" + options.listen.host + "]" : options.listen.host,
                     .registered_bytes_max = options.registered_bytes_max}));
  if (port->name().size() > kPortNameBytesMax || port->provider().size() > ProviderName().size()) {
    return Unavailable(fmt::format("provider {} has names that are too long", port->provider()),
                       "choose another provider");
  }
  CIREIN_RETURN_IF_ERROR(RegisterNow(*port, options.registered_bytes_at_start));
  std::string provider = port->provider();
  auto endpoint =
      std::make_shared<OfiEndpoint>(home, std::move(options), std::move(listener), std::move(port));
  CIREIN_RETURN_IF_ERROR(endpoint->StartPort());
  return std::unique_ptr<OfiTransport>(new OfiTransport(std::move(endpoint), std::move(provider)));
}

OfiTransport::OfiTransport(std::shared_ptr<PacketEndpoint> endpoint, std::string provider)
    : PacketTransport(std::move(endpoint)), provider_(std::move(provider)) {}

const std::string& OfiTransport::provider() const { return provider_; }

}  // namespace cirein::fabric
