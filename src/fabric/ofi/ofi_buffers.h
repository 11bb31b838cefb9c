// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <rdma/fi_domain.h>

#include "cirein/status.h"

#include "fabric/ofi/ofi_library.h"
#include "fabric/ofi/ofi_port.h"
#include "runtime/entropy.h"

namespace cirein::fabric {

/// How the provider wants memory to be registered, as its domain says.
struct OfiMemoryRules {
  bool local = false;     ///< Also what is only sent from and received into.
  bool own_keys = false;  ///< It chooses the keys.
  bool true_addresses =
      false;                 ///< Peers say where in the owner's memory; else where in the buffer.
  bool to_endpoint = false;  ///< A registration belongs to the endpoint.
  std::size_t key_bytes = 8;

  static OfiMemoryRules Of(const fi_info& info);
  /// Registering takes long, because a card must know the pages.
  bool costly() const { return local || own_keys; }
};

/// Pages of anonymous memory. Owns them.
class OfiPages {
 public:
  OfiPages() = default;
  /// ResourceExhausted.
  static Result<OfiPages> Map(std::size_t bytes);
  OfiPages(OfiPages&& other) noexcept;
  OfiPages& operator=(OfiPages&& other) noexcept;
  ~OfiPages();

  std::span<std::byte> bytes() const { return {memory_, size_}; }
  /// Gives the memory back to the system; the addresses stay, and hold zeros when touched again.
  void Drop();

 private:
  std::byte* memory_ = nullptr;
  std::size_t size_ = 0;
};

/// Makes registrations of one domain. Not owning.
class OfiRegistrar {
 public:
  OfiRegistrar(fid_domain* domain, OfiMemoryRules rules) : domain_(domain), rules_(rules) {}

  const OfiMemoryRules& rules() const { return rules_; }
  /// Where registrations will belong to, when they must.
  void SetEndpoint(fid_ep* endpoint) { endpoint_ = endpoint; }
  /// `access`: FI_SEND and the like. The key, where it is ours to choose, is new and random.
  Result<FidPtr<fid_mr>> Register(std::span<std::byte> bytes, std::uint64_t access);
  std::uint64_t made() const { return made_; }

 private:
  std::uint64_t NewKey();

  fid_domain* const domain_;
  const OfiMemoryRules rules_;
  fid_ep* endpoint_ = nullptr;
  Entropy entropy_ = Entropy::FromSystem();
  std::uint64_t made_ = 0;
};

/// What a lease stands for.
struct OfiBuffer {
  OfiPages pages;
  std::size_t size_class = 0;
  std::size_t size = 0;  ///< What the holder asked for.
  FidPtr<fid_mr> registration;
  bool shown = false;  ///< Peers may read it.
};

/// The memory of a port's leases, in classes of sizes. What was returned is kept for the next one
/// who asks for that class, unless another class needs the room.
///
/// What a peer was shown it may be reading still when the lease is returned: a provider in software
/// sends from the buffer's address. So addresses are never given back to the system before the port
/// is closed, only the memory behind them. In software a registration ends with its lease, and the
/// next one gets another key. With a card, where registering costs tens of microseconds and pins
/// pages, it is kept, and with it the key: a peer that remembers it can read what later leases
/// of the same buffer show to others.
class OfiBuffers : public std::enable_shared_from_this<OfiBuffers> {
 public:
  OfiBuffers(OfiRegistrar& registrar, std::uint64_t bytes_max);

  Result<OfiBuffer*> Lend(std::size_t bytes, OfiPort::LeaseUse use);
  void Return(OfiBuffer& buffer) noexcept;
  /// Ends all registrations: the domain is about to be closed. Leases are plain memory then.
  void Close() noexcept;
  OfiPort::Registrations counts() const;

 private:
  struct SizeClass {
    std::size_t bytes = 0;
    std::vector<OfiBuffer*> kept;
    std::vector<OfiBuffer*> bare;  // Addresses without memory.
  };

  Result<OfiBuffer*> Take(std::size_t size_class);
  Result<OfiBuffer*> Make(std::size_t size_class);
  bool MakeRoom(std::uint64_t bytes);
  Status Prepare(OfiBuffer& buffer, OfiPort::LeaseUse use);

  OfiRegistrar* registrar_;  // Null once closed.
  const std::uint64_t bytes_max_;
  std::vector<SizeClass> classes_;
  std::vector<std::unique_ptr<OfiBuffer>> all_;
  OfiPort::Registrations counts_;
};

}  // namespace cirein::fabric
