// SPDX-License-Identifier: Apache-2.0
#include "fabric/auto/auto_transport.h"

#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "fabric/auto/auto_address.h"
#include "fabric/ofi/ofi_endpoint.h"
#include "fabric/packet/handshake_messages.h"
#include "fabric/shm/control_socket.h"
#include "runtime/entropy.h"

namespace cirein::fabric {
namespace {

using Use = AutoOptions::Use;

/// The way that both sides have, and which of them is taken.
Result<std::string_view> Choose(const AutoAddress& own, const AutoAddress& other) {
  const bool shm = own.host == other.host && !own.shm.empty() && !other.shm.empty();
  if (shm) return std::string_view("shm");
  if (!own.ofi.empty() && !other.ofi.empty()) return std::string_view("ofi");
  const char* const why = own.host == other.host ? "they use different fabrics"
                                                 : "one of them offers nothing between hosts";
  return InvalidArgument(
      fmt::format("the two sides have no fabric in common: {}", why),
      "let both use the fabric auto; see `cirein doctor` for what libfabric has");
}

template <typename Options>
void TakeOver(const AutoOptions& options, Options& one) {
  one.secret = options.secret;
  one.limits = options.limits;
  one.default_deadline = options.default_deadline;
  one.handshake_max = options.handshake_max;
}

}  // namespace

Result<std::unique_ptr<AutoTransport>> AutoTransport::Create(Reactor& home, AutoOptions options) {
  std::unique_ptr<AutoTransport> made(new AutoTransport());
  CIREIN_ASSIGN_OR_RETURN(made->host_, ThisHost());
  made->limits_ = options.limits;
  AutoAddress places{.host = made->host_, .ofi = {}, .shm = {}};
  if (options.use != Use::kOfi) {
    TakeOver(options, options.shm);
    if (options.shm.name.empty()) {
      options.shm.name = fmt::format("@cirein-{:016x}", Entropy::FromSystem().Seed());
    }
    places.shm = options.shm.name;
    CIREIN_ASSIGN_OR_RETURN(made->shm_, ShmTransport::Create(home, options.shm));
    made->reason_ = "shm between processes of this host";
  }
  if (options.use != Use::kShm) {
    TakeOver(options, options.ofi);
    auto ofi = OfiTransport::Create(home, options.ofi);
    // What the user said and cannot be is an error; that libfabric has nothing need not be one.
    if (ofi.ok()) {
      made->ofi_ = std::move(*ofi);
      CIREIN_ASSIGN_OR_RETURN(const StreamAddress at, StreamAddressIn(made->ofi_->address()));
      places.ofi = at.ToString();
      made->reason_ +=
          fmt::format("{}ofi ({}) {} {}", made->reason_.empty() ? "" : ", ", made->ofi_->provider(),
                      made->reason_.empty() ? "to everybody at" : "to others at", places.ofi);
    } else if (options.use == Use::kOfi || ofi.code() != StatusCode::kUnavailable) {
      return ofi.status();
    } else {
      made->reason_ += fmt::format(", nothing to others: {}", ofi.status().message());
    }
  }
  made->reason_ += options.use == Use::kAuto ? " (chosen by what there is)" : " (as was asked for)";
  made->address_ = ToAddress(places);
  if (made->address_.size() >= FixedText().size()) {
    return InvalidArgument(
        fmt::format("{} is too long for an address", made->address_),
        fmt::format("choose a path of a socket so that it has fewer than {} bytes",
                    FixedText().size()));
  }
  if (made->shm_ != nullptr) made->shm_->JoinAs(made->address_, nullptr);
  if (made->ofi_ != nullptr) made->ofi_->JoinAs(made->address_, made->shm_.get());
  LogInfo("fabric", "{}: {}", made->address_, made->reason_);
  return made;
}

// The memory is taken back by the first to end: that is to be the one whose holders use it by
// themselves, and are waited for.
AutoTransport::~AutoTransport() {
  shm_.reset();
  ofi_.reset();
}

Status AutoTransport::Listen(Service& service) {
  if (ofi_ != nullptr) CIREIN_RETURN_IF_ERROR(ofi_->Listen(service));
  return shm_ != nullptr ? shm_->Listen(service) : OkStatus();
}

Status AutoTransport::Connect(const Address& address, Service& service, Deadline deadline,
                              ConnectCallback done) {
  CIREIN_ASSIGN_OR_RETURN(const AutoAddress own, AutoAddressIn(address_));
  CIREIN_ASSIGN_OR_RETURN(const AutoAddress other, AutoAddressIn(address));
  CIREIN_ASSIGN_OR_RETURN(const std::string_view fabric, Choose(own, other));
  PacketTransport& by = fabric == "shm" ? static_cast<PacketTransport&>(*shm_) : *ofi_;
  return by.Connect(address, service, deadline, std::move(done));
}

Result<Transport::MemoryId> AutoTransport::Register(std::shared_ptr<Region> region) {
  return any().Register(std::move(region));
}

Result<Transport::MemoryId> AutoTransport::Register(std::span<std::byte> memory,
                                                    std::shared_ptr<void> keeps) {
  return any().Register(memory, std::move(keeps));
}

// Over shared memory alone others may use memory by themselves: who takes it back waits there.
Status AutoTransport::Unregister(MemoryId memory) { return any().Unregister(memory); }

Result<Grant> AutoTransport::MakeGrant(MemoryId memory, ByteRange range, Access access) {
  return any().MakeGrant(memory, range, access);
}

Status AutoTransport::Revoke(const Grant& grant) { return any().Revoke(grant); }

bool AutoTransport::has_waiting() const {
  return (shm_ != nullptr && shm_->has_waiting()) || (ofi_ != nullptr && ofi_->has_waiting());
}

void AutoTransport::Die() {
  if (shm_ != nullptr) shm_->Die();
  if (ofi_ != nullptr) ofi_->Die();
}

}  // namespace cirein::fabric
