// SPDX-License-Identifier: Apache-2.0
#include "fabric/ofi/ofi_port.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>

#include "fabric/ofi/ofi_buffers.h"
#include "fabric/ofi/ofi_library.h"
#include "fabric/ofi/ofi_names.h"
#include "fabric/ofi/ofi_provider.h"
#include "fabric/ofi/ofi_waiting.h"

namespace cirein::fabric {
namespace {

constexpr std::size_t kEagerBytes = 16U << 10;  // What ofi_rxm and the cards send at once.
constexpr std::size_t kMessageBytesMax = 1U << 20;
constexpr std::size_t kBuffersMax = 65536;
/// Sends and reads may grow to so many times their number, when peers that died hold the rest.
constexpr std::size_t kGrowth = 4;
constexpr std::size_t kReads = 256;
constexpr std::size_t kReadsMax = kGrowth * kReads;
constexpr std::size_t kNameBytesMax = 256;
// What one Poll takes.
constexpr std::size_t kBatch = 16;
constexpr int kBatches = 8;

/// Somebody messages are sent to, for as long as anything of his is under way.
struct Peer {
  OfiPort::PeerId id = 0;
  fi_addr_t address = FI_ADDR_UNSPEC;
  std::uint32_t sends = 0;
  std::uint32_t reads = 0;
  bool removed = false;
};

/// What a provider is doing with memory of the port. It has it from when it was posted until its
/// completion comes, which may be never.
struct Operation {
  enum class Kind : std::uint8_t { kReceive, kSend, kRead };

  fi_context2 context{};  // First: the provider's own room, and how it names the operation.
  Kind kind = Kind::kReceive;
  bool under_way = false;
  std::span<std::byte> memory;  // Of receives and sends.
  void* descriptor = nullptr;
  Peer* peer = nullptr;
  OfiPort::Lease lease;        // Of reads.
  OfiPort::ReadCallback done;  // Of reads.
};

/// Memory for many operations, registered once if it must be.
struct Slab {
  OfiPages pages;
  FidPtr<fid_mr> registration;
};

/// The providers to be tried, best first.
Result<std::vector<std::string>> Candidates(const std::string& wanted) {
  if (!wanted.empty()) {
    CIREIN_ASSIGN_OR_RETURN(const OfiProvider provider, FindOfiProvider(wanted));
    if (provider.usable) return std::vector{provider.name};
    return Unavailable(
        fmt::format("the provider {} cannot be used: {}", provider.name, provider.why_not));
  }
  std::vector<std::string> candidates;
  for (const OfiProvider& provider : FindOfiProviders()) {
    if (provider.usable) candidates.push_back(provider.name);
  }
  if (candidates.empty()) return Unavailable("no provider of libfabric can be used here");
  return candidates;
}

Result<InfoPtr> FindInfo(const std::string& provider, const OfiPlace& place) {
  const InfoPtr hints = OfiHints(provider);
  if (hints == nullptr) return ResourceExhausted("no memory to ask libfabric");
  OfiAnswer anywhere = AskOfi(*hints, {});
  if (anywhere.info == nullptr) return OfiError("use " + provider, anywhere.error);
  if (place.host.empty() || !IsIpFormat(anywhere.info->addr_format))
    return std::move(anywhere.info);
  OfiAnswer there = AskOfi(*hints, place);
  if (there.info == nullptr) {
    return Unavailable(
        fmt::format("{} cannot bind {}: {}", provider, place.host, OfiErrorText(there.error)),
        "choose an address of this host: ip address");
  }
  return std::move(there.info);
}

Result<InfoPtr> ChooseInfo(const OfiPortOptions& options) {
  OfiPlace place;
  if (!options.bind.empty()) {
    CIREIN_ASSIGN_OR_RETURN(place, ParseOfiPlace(options.bind));
  }
  CIREIN_ASSIGN_OR_RETURN(const std::vector<std::string> names, Candidates(options.provider));
  Status first;
  for (const std::string& name : names) {
    Result<InfoPtr> info = FindInfo(name, place);
    if (info.ok()) return info;
    if (first.ok()) first = info.status();
  }
  return first;
}

Status CheckOptions(const OfiPortOptions& options) {
  if (options.eager_bytes_max > kMessageBytesMax) {
    return InvalidArgument(
        fmt::format("messages of {} bytes are too long", options.eager_bytes_max),
        fmt::format("at most {}; longer ones are to be read", kMessageBytesMax));
  }
  const auto fits = [](std::size_t buffers) { return buffers > 0 && buffers <= kBuffersMax; };
  if (!fits(options.send_buffers) || !fits(options.receive_buffers)) {
    return InvalidArgument(fmt::format("{} and {} are no numbers of buffers", options.send_buffers,
                                       options.receive_buffers),
                           fmt::format("choose from 1 to {}", kBuffersMax));
  }
  return {};
}

}  // namespace

// --- Leases ---

OfiPort::Lease::Lease(std::shared_ptr<OfiBuffers> owner, OfiBuffer* buffer) noexcept
    : owner_(std::move(owner)), buffer_(buffer) {}
OfiPort::Lease::Lease(Lease&& other) noexcept
    : owner_(std::move(other.owner_)), buffer_(std::exchange(other.buffer_, nullptr)) {}
OfiPort::Lease& OfiPort::Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    Return();
    owner_ = std::move(other.owner_);
    buffer_ = std::exchange(other.buffer_, nullptr);
  }
  return *this;
}
OfiPort::Lease::~Lease() { Return(); }

void OfiPort::Lease::Return() noexcept {
  if (buffer_ == nullptr) return;
  owner_->Return(*std::exchange(buffer_, nullptr));
  owner_.reset();
}

std::span<std::byte> OfiPort::Lease::bytes() const noexcept {
  if (buffer_ == nullptr) return {};
  return buffer_->pages.bytes().first(buffer_->size);
}

// --- The port ---

class OfiPort::Impl {
 public:
  Impl(InfoPtr info, const OfiPortOptions& options);
  ~Impl();

  Status Open();
  const std::string& provider() const { return provider_; }
  std::span<const std::byte> name() const { return name_; }
  std::size_t eager_bytes_max() const { return eager_bytes_; }
  int wait_fd() const { return waiting_.fd(); }

  Result<PeerId> AddPeer(std::span<const std::byte> name);
  void RemovePeer(PeerId id);
  Result<bool> Send(PeerId id, Parts message);
  Result<Lease> Lend(std::size_t bytes, LeaseUse use);
  RemoteBuffer Describe(const Lease& lease) const;
  Result<bool> Read(PeerId id, const RemoteBuffer& from, Lease& into, ReadCallback done);
  bool Poll(Handler& handler);
  bool PrepareToBlock();
  Registrations registrations() const { return buffers_->counts(); }
  Stranded stranded() const;

 private:
  using Pool = std::vector<Operation*>;

  Status OpenDomain();
  Status OpenQueue();
  Status OpenEndpoint();
  Status ReadName();
  Result<Peer*> Find(PeerId id);
  /// Adds operations of `kind`, with memory for each.
  Status AddOperations(Operation::Kind kind, std::size_t count, Pool& to);
  void GrowSends();
  Operation* TakeRead();
  bool PostReceives();
  void Complete(Operation& operation, std::size_t bytes, const Status& status, Handler& handler);
  void FinishSend(Operation& operation, const Status& status, Handler& handler);
  void FinishRead(Operation& operation, const Status& status);
  void ForgetIfIdle(Peer& peer);
  bool TakeError(Handler& handler);

  const InfoPtr info_;
  const OfiPortOptions options_;
  const std::string provider_;
  const std::size_t eager_bytes_;
  const std::size_t receives_;
  FidPtr<fid_fabric> fabric_;
  FidPtr<fid_domain> domain_;
  std::optional<OfiRegistrar> registrar_;
  std::shared_ptr<OfiBuffers> buffers_;
  FidPtr<fid_av> addresses_;
  FidPtr<fid_cq> queue_;
  FidPtr<fid_ep> endpoint_;
  std::vector<std::byte> name_;
  OfiWaiting waiting_;
  Status broken_;  // The queue cannot be read any more.

  std::vector<Slab> slabs_;
  std::vector<std::unique_ptr<Operation>> operations_;
  Pool idle_receives_;  // To be posted.
  Pool idle_sends_;
  Pool idle_reads_;
  std::size_t sends_ = 0;  // All there are.
  std::size_t reads_ = 0;

  PeerId last_peer_ = 0;
  std::unordered_map<PeerId, std::unique_ptr<Peer>> peers_;  // Removed ones, too.
  Stranded stranded_;
};

OfiPort::Impl::Impl(InfoPtr info, const OfiPortOptions& options)
    : info_(std::move(info)),
      options_(options),
      provider_(info_->fabric_attr->prov_name),
      eager_bytes_(std::min(options.eager_bytes_max == 0 ? kEagerBytes : options.eager_bytes_max,
                            info_->ep_attr->max_msg_size)),
      receives_(std::min(options.receive_buffers, std::max<std::size_t>(info_->rx_attr->size, 1))) {
}

OfiPort::Impl::~Impl() {
  // With the endpoint all that is under way ends, and nobody touches the memory any more; but what
  // is bound to it must go before.
  const bool registrations_first = registrar_.has_value() && registrar_->rules().to_endpoint;
  if (!registrations_first) endpoint_.reset();
  if (buffers_ != nullptr) buffers_->Close();
  for (Slab& slab : slabs_) slab.registration.reset();
  endpoint_.reset();
  queue_.reset();
  addresses_.reset();
  domain_.reset();
  fabric_.reset();
}

Status OfiPort::Impl::Open() {
  CIREIN_RETURN_IF_ERROR(OpenDomain());
  CIREIN_RETURN_IF_ERROR(OpenQueue());
  CIREIN_RETURN_IF_ERROR(OpenEndpoint());
  CIREIN_RETURN_IF_ERROR(ReadName());
  CIREIN_RETURN_IF_ERROR(AddOperations(Operation::Kind::kSend, options_.send_buffers, idle_sends_));
  CIREIN_RETURN_IF_ERROR(AddOperations(Operation::Kind::kReceive, receives_, idle_receives_));
  sends_ = options_.send_buffers;
  PostReceives();
  if (idle_receives_.size() == receives_) {
    return Unavailable(fmt::format("{} takes no buffers to receive into", provider_));
  }
  return {};
}

Status OfiPort::Impl::OpenDomain() {
  fid_fabric* fabric = nullptr;
  if (const int error = fi_fabric(info_->fabric_attr, &fabric, nullptr); error != 0) {
    return OfiError("open a fabric of " + provider_, error);
  }
  fabric_.reset(fabric);
  fid_domain* domain = nullptr;
  if (const int error = fi_domain(fabric, info_.get(), &domain, nullptr); error != 0) {
    return OfiError("open a domain of " + provider_, error);
  }
  domain_.reset(domain);
  registrar_.emplace(domain, OfiMemoryRules::Of(*info_));
  buffers_ = std::make_shared<OfiBuffers>(*registrar_, options_.registered_bytes_max);
  return {};
}

Status OfiPort::Impl::OpenQueue() {
  fi_cq_attr attributes{};
  attributes.size = receives_ + kGrowth * options_.send_buffers + kReadsMax;
  attributes.format = FI_CQ_FORMAT_MSG;
  attributes.wait_obj = FI_WAIT_FD;
  fid_cq* queue = nullptr;
  int error = fi_cq_open(domain_.get(), &attributes, &queue, nullptr);
  if (error != 0) {
    attributes.wait_obj = FI_WAIT_NONE;
    error = fi_cq_open(domain_.get(), &attributes, &queue, nullptr);
  }
  if (error != 0) return OfiError("open a completion queue of " + provider_, error);
  queue_.reset(queue);
  int fd = -1;
  const bool can_wait =
      attributes.wait_obj == FI_WAIT_FD && fi_control(&queue->fid, FI_GETWAIT, &fd) == 0;
  CIREIN_ASSIGN_OR_RETURN(waiting_, OfiWaiting::Open(can_wait ? fd : -1));
  return {};
}

Status OfiPort::Impl::OpenEndpoint() {
  fi_av_attr attributes{};
  attributes.type =
      info_->domain_attr->av_type == FI_AV_UNSPEC ? FI_AV_TABLE : info_->domain_attr->av_type;
  fid_av* addresses = nullptr;
  if (const int error = fi_av_open(domain_.get(), &attributes, &addresses, nullptr); error != 0) {
    return OfiError("open an address vector of " + provider_, error);
  }
  addresses_.reset(addresses);
  fid_ep* endpoint = nullptr;
  int error = fi_endpoint(domain_.get(), info_.get(), &endpoint, nullptr);
  if (error != 0) return OfiError("open an endpoint of " + provider_, error);
  endpoint_.reset(endpoint);
  registrar_->SetEndpoint(endpoint);
  error = fi_ep_bind(endpoint, &addresses_->fid, 0);
  if (error == 0) error = fi_ep_bind(endpoint, &queue_->fid, FI_TRANSMIT | FI_RECV);
  if (error == 0) error = fi_enable(endpoint);
  if (error == 0) return {};
  const std::string where = options_.bind.empty() ? "" : " at " + options_.bind;
  return OfiError(fmt::format("enable an endpoint of {}{}", provider_, where), error);
}

Status OfiPort::Impl::ReadName() {
  std::array<std::byte, kNameBytesMax> name;
  std::size_t bytes = name.size();
  const int error = fi_getname(&endpoint_->fid, name.data(), &bytes);
  if (error != 0) return OfiError("learn the name of an endpoint of " + provider_, error);
  name_.assign(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(bytes));
  return {};
}

Status OfiPort::Impl::AddOperations(Operation::Kind kind, std::size_t count, Pool& to) {
  Slab slab;
  CIREIN_ASSIGN_OR_RETURN(slab.pages, OfiPages::Map(count * eager_bytes_));
  if (registrar_->rules().local) {
    const std::uint64_t access = kind == Operation::Kind::kSend ? FI_SEND : FI_RECV;
    CIREIN_ASSIGN_OR_RETURN(slab.registration, registrar_->Register(slab.pages.bytes(), access));
  }
  for (std::size_t i = 0; i < count; ++i) {
    operations_.push_back(std::make_unique<Operation>());
    Operation& operation = *operations_.back();
    operation.kind = kind;
    operation.memory = slab.pages.bytes().subspan(i * eager_bytes_, eager_bytes_);
    if (slab.registration != nullptr) operation.descriptor = fi_mr_desc(slab.registration.get());
    to.push_back(&operation);
  }
  slabs_.push_back(std::move(slab));
  return {};
}

// --- Peers ---

Result<OfiPort::PeerId> OfiPort::Impl::AddPeer(std::span<const std::byte> name) {
  if (!IsOfiName(name, {.own = name_, .format = info_->addr_format})) {
    return InvalidArgument(
        fmt::format("{} bytes are no name of a port of {}", name.size(), provider_),
        "all must use the same provider, and the same kind of addresses");
  }
  fi_addr_t address = FI_ADDR_UNSPEC;
  const int added = fi_av_insert(addresses_.get(), name.data(), 1, &address, 0, nullptr);
  if (added != 1 || address == FI_ADDR_NOTAVAIL) {
    return InvalidArgument(fmt::format("{} does not take the name of a peer: {}", provider_,
                                       OfiErrorText(added < 0 ? added : FI_EINVAL)));
  }
  auto peer = std::make_unique<Peer>();
  peer->id = ++last_peer_;
  peer->address = address;
  peers_.emplace(peer->id, std::move(peer));
  return last_peer_;
}

Result<Peer*> OfiPort::Impl::Find(PeerId id) {
  const auto found = peers_.find(id);
  if (found == peers_.end() || found->second->removed) {
    return NotFound(fmt::format("the port has no peer {}", id));
  }
  return found->second.get();
}

void OfiPort::Impl::RemovePeer(PeerId id) {
  const Result<Peer*> found = Find(id);
  if (!found.ok()) return;
  Peer& peer = **found;
  peer.removed = true;
  // Its address is given up when nothing is under way to it: the library may not be asked before.
  ++stranded_.peers;
  stranded_.sends += peer.sends;
  stranded_.reads += peer.reads;
  ForgetIfIdle(peer);
}

void OfiPort::Impl::ForgetIfIdle(Peer& peer) {
  if (!peer.removed || peer.sends + peer.reads > 0) return;
  --stranded_.peers;
  fi_av_remove(addresses_.get(), &peer.address, 1, 0);
  peers_.erase(peer.id);
}

// --- Messages ---

Result<bool> OfiPort::Impl::Send(PeerId id, Parts message) {
  CIREIN_ASSIGN_OR_RETURN(Peer * peer, Find(id));
  CIREIN_RETURN_IF_ERROR(broken_);
  std::size_t bytes = 0;
  for (const std::span<const std::byte> part : message) {
    if (part.size() > eager_bytes_ - bytes) {
      return InvalidArgument(fmt::format("a message is longer than {} bytes", eager_bytes_));
    }
    bytes += part.size();
  }
  if (idle_sends_.empty()) GrowSends();
  // Peers that take nothing leave room for the others, however many they are.
  const std::size_t share = std::max<std::size_t>(idle_sends_.size() / 2, 1);
  if (idle_sends_.empty() || peer->sends >= share) return false;
  Operation& operation = *idle_sends_.back();
  std::byte* to = operation.memory.data();
  for (const std::span<const std::byte> part : message) {
    if (!part.empty()) std::memcpy(to, part.data(), part.size());
    to += part.size();
  }
  const ssize_t error = fi_send(endpoint_.get(), operation.memory.data(), bytes,
                                operation.descriptor, peer->address, &operation);
  if (error == -FI_EAGAIN) {
    waiting_.Refused();
    return false;
  }
  if (error != 0) return OfiError("send a message", error);
  waiting_.Accepted();
  idle_sends_.pop_back();
  operation.under_way = true;
  operation.peer = peer;
  ++peer->sends;
  return true;
}

void OfiPort::Impl::GrowSends() {
  const std::size_t lost = stranded_.sends;
  const std::size_t max = kGrowth * options_.send_buffers;
  if (2 * lost <= sends_ || sends_ >= max) return;
  const std::size_t more = std::min(lost, max - sends_);
  if (AddOperations(Operation::Kind::kSend, more, idle_sends_).ok()) sends_ += more;
}

bool OfiPort::Impl::PostReceives() {
  while (!idle_receives_.empty()) {
    Operation& operation = *idle_receives_.back();
    const ssize_t error = fi_recv(endpoint_.get(), operation.memory.data(), operation.memory.size(),
                                  operation.descriptor, FI_ADDR_UNSPEC, &operation);
    if (error != 0) return false;
    operation.under_way = true;
    idle_receives_.pop_back();
  }
  return true;
}

// --- Reads ---

Result<OfiPort::Lease> OfiPort::Impl::Lend(std::size_t bytes, LeaseUse use) {
  CIREIN_ASSIGN_OR_RETURN(OfiBuffer * buffer, buffers_->Lend(bytes, use));
  return Lease(buffers_, buffer);
}

OfiPort::RemoteBuffer OfiPort::Impl::Describe(const Lease& lease) const {
  if (lease.buffer_ == nullptr || !lease.buffer_->shown) return {};
  const std::span<std::byte> bytes = lease.bytes();
  return {.address = registrar_->rules().true_addresses
                         ? reinterpret_cast<std::uintptr_t>(bytes.data())
                         : 0,
          .key = fi_mr_key(lease.buffer_->registration.get()),
          .bytes = bytes.size()};
}

Operation* OfiPort::Impl::TakeRead() {
  if (!idle_reads_.empty()) {
    Operation* const operation = idle_reads_.back();
    idle_reads_.pop_back();
    return operation;
  }
  if (reads_ >= std::min(kReads + stranded_.reads, kReadsMax)) return nullptr;
  ++reads_;
  operations_.push_back(std::make_unique<Operation>());
  operations_.back()->kind = Operation::Kind::kRead;
  return operations_.back().get();
}

Result<bool> OfiPort::Impl::Read(PeerId id, const RemoteBuffer& from, Lease& into,
                                 ReadCallback done) {
  CIREIN_ASSIGN_OR_RETURN(Peer * peer, Find(id));
  CIREIN_RETURN_IF_ERROR(broken_);
  if (into.owner_ != buffers_) return InvalidArgument("the lease is not one of this port");
  if (from.bytes == 0 || from.bytes > into.bytes().size() ||
      from.bytes > info_->ep_attr->max_msg_size) {
    return InvalidArgument(
        fmt::format("{} bytes cannot be read into {}", from.bytes, into.bytes().size()));
  }
  Operation* const operation = TakeRead();
  if (operation == nullptr) return false;
  fid_mr* const registration = into.buffer_->registration.get();
  void* const descriptor = registration != nullptr ? fi_mr_desc(registration) : nullptr;
  const ssize_t error = fi_read(endpoint_.get(), into.bytes().data(), from.bytes, descriptor,
                                peer->address, from.address, from.key, operation);
  if (error != 0) {
    idle_reads_.push_back(operation);
    if (error != -FI_EAGAIN) return OfiError("read from a peer", error);
    waiting_.Refused();
    return false;
  }
  waiting_.Accepted();
  operation->under_way = true;
  operation->peer = peer;
  operation->lease = std::move(into);
  operation->done = std::move(done);
  ++peer->reads;
  return true;
}

// --- Completions ---

bool OfiPort::Impl::Poll(Handler& handler) {
  PostReceives();
  bool found = waiting_.IsDue();
  for (int batch = 0; batch < kBatches && broken_.ok(); ++batch) {
    std::array<fi_cq_msg_entry, kBatch> entries;
    const ssize_t count = fi_cq_read(queue_.get(), entries.data(), entries.size());
    if (count == -FI_EAGAIN || count == 0) break;
    if (count == -FI_EAVAIL) {
      found = TakeError(handler) || found;
      continue;
    }
    if (count < 0) {
      broken_ = OfiError("read the completion queue", count);
      break;
    }
    found = true;
    for (const fi_cq_msg_entry& entry : std::span(entries).first(static_cast<std::size_t>(count))) {
      if (entry.op_context == nullptr) continue;
      Complete(*static_cast<Operation*>(entry.op_context), entry.len, {}, handler);
    }
    PostReceives();
    if (static_cast<std::size_t>(count) < entries.size()) break;
  }
  return found;
}

bool OfiPort::Impl::TakeError(Handler& handler) {
  fi_cq_err_entry entry{};
  const ssize_t count = fi_cq_readerr(queue_.get(), &entry, 0);
  if (count < 0 && count != -FI_EAGAIN) broken_ = OfiError("read the completion queue", count);
  if (count != 1) return false;
  if (entry.op_context == nullptr) return true;
  const char* const text =
      fi_cq_strerror(queue_.get(), entry.prov_errno, entry.err_data, nullptr, 0);
  const std::string detail = text != nullptr ? fmt::format(" ({})", text) : "";
  const Status status =
      Unavailable(fmt::format("{} reports: {}{}", provider_, OfiErrorText(entry.err), detail),
                  "the peer may have gone, or the network may be cut");
  Complete(*static_cast<Operation*>(entry.op_context), 0, status, handler);
  PostReceives();
  return true;
}

void OfiPort::Impl::Complete(Operation& operation, std::size_t bytes, const Status& status,
                             Handler& handler) {
  // Providers have been seen to report one operation twice.
  if (!std::exchange(operation.under_way, false)) return;
  switch (operation.kind) {
    case Operation::Kind::kReceive:
      if (status.ok()) {
        handler.Received(operation.memory.first(std::min(bytes, operation.memory.size())));
      }
      idle_receives_.push_back(&operation);
      return;
    case Operation::Kind::kSend:
      return FinishSend(operation, status, handler);
    case Operation::Kind::kRead:
      return FinishRead(operation, status);
  }
}

void OfiPort::Impl::FinishSend(Operation& operation, const Status& status, Handler& handler) {
  Peer& peer = *std::exchange(operation.peer, nullptr);
  idle_sends_.push_back(&operation);
  --peer.sends;
  if (peer.removed) {
    --stranded_.sends;
    ForgetIfIdle(peer);
    return;
  }
  if (!status.ok()) handler.SendFailed(peer.id, status);
}

void OfiPort::Impl::FinishRead(Operation& operation, const Status& status) {
  Peer& peer = *std::exchange(operation.peer, nullptr);
  Lease lease = std::move(operation.lease);
  const ReadCallback done = std::exchange(operation.done, nullptr);
  idle_reads_.push_back(&operation);
  --peer.reads;
  if (peer.removed) {
    --stranded_.reads;
    ForgetIfIdle(peer);
  }
  if (done) done(status, std::move(lease));
}

bool OfiPort::Impl::PrepareToBlock() {
  fid* waited = &queue_->fid;
  return waiting_.fd() >= 0 && fi_trywait(fabric_.get(), &waited, 1) == 0;
}

OfiPort::Stranded OfiPort::Impl::stranded() const { return stranded_; }

// --- What others see ---

Result<std::unique_ptr<OfiPort>> OfiPort::Open(const OfiPortOptions& options) {
  CIREIN_RETURN_IF_ERROR(CheckOptions(options));
  CIREIN_ASSIGN_OR_RETURN(InfoPtr info, ChooseInfo(options));
  auto impl = std::make_unique<Impl>(std::move(info), options);
  CIREIN_RETURN_IF_ERROR(impl->Open());
  return std::unique_ptr<OfiPort>(new OfiPort(std::move(impl)));
}

OfiPort::OfiPort(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
OfiPort::~OfiPort() = default;

const std::string& OfiPort::provider() const noexcept { return impl_->provider(); }
std::span<const std::byte> OfiPort::name() const noexcept { return impl_->name(); }
std::size_t OfiPort::eager_bytes_max() const noexcept { return impl_->eager_bytes_max(); }
Result<OfiPort::PeerId> OfiPort::AddPeer(std::span<const std::byte> name) {
  return impl_->AddPeer(name);
}
void OfiPort::RemovePeer(PeerId peer) { impl_->RemovePeer(peer); }
Result<bool> OfiPort::Send(PeerId peer, Parts message) { return impl_->Send(peer, message); }
Result<OfiPort::Lease> OfiPort::Lend(std::size_t bytes, LeaseUse use) {
  return impl_->Lend(bytes, use);
}
OfiPort::RemoteBuffer OfiPort::Describe(const Lease& lease) const { return impl_->Describe(lease); }
Result<bool> OfiPort::Read(PeerId peer, const RemoteBuffer& from, Lease& into, ReadCallback done) {
  return impl_->Read(peer, from, into, std::move(done));
}
bool OfiPort::Poll(Handler& handler) { return impl_->Poll(handler); }
int OfiPort::wait_fd() const noexcept { return impl_->wait_fd(); }
bool OfiPort::PrepareToBlock() { return impl_->PrepareToBlock(); }
OfiPort::Registrations OfiPort::registrations() const noexcept { return impl_->registrations(); }
OfiPort::Stranded OfiPort::stranded() const noexcept { return impl_->stranded(); }

}  // namespace cirein::fabric
