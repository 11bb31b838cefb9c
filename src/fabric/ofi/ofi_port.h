// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "cirein/status.h"

#include "fabric/transport.h"

/// The room that alone knows libfabric: datagrams that are reliable as long as their peer lives,
/// and buffers that peers may read. No more than that is asked of a provider, because no more can
/// be relied on: who speaks, in which order, whether he still lives, and how long to wait for him
/// are questions for those above.
namespace cirein::fabric {

class OfiBuffers;
struct OfiBuffer;

struct OfiPortOptions {
  /// One of FindOfiProviders; empty: the best there is.
  std::string provider;
  /// "127.0.0.1", "127.0.0.1:7000", "[::1]:7000": for providers with IP addresses. Empty: as the
  /// provider likes.
  std::string bind;
  /// The longest message. 0: the longest that the provider sends without asking the other side
  /// first, at most 16 KiB.
  std::size_t eager_bytes_max = 0;
  /// A peer has at most half as many of them under way as nobody has. Those that peers which died
  /// hold are made up for, up to four times their number.
  std::size_t send_buffers = 256;
  std::size_t receive_buffers = 256;
  /// Of all leases, lent and kept.
  std::uint64_t registered_bytes_max = std::uint64_t{256} << 20;
};

/// One endpoint (FI_EP_RDM) of libfabric with all that belongs to it. It belongs to one thread, its
/// home; nothing here blocks except Open. What it carries is not to be believed: a message may come
/// from whoever can reach the name. A port is dear (ofi_provider.h): a process has one, not one for
/// each peer.
class OfiPort {
  class Impl;

 public:
  /// A peer as this port numbers it; never given twice.
  using PeerId = std::uint64_t;

  /// What a lease is for.
  enum class LeaseUse : std::uint8_t {
    /// Peers to whom it is described may read it, for as long as it is lent: the next lease of the
    /// memory has another key. Not so with cards, where keys cost too much to be used once: there
    /// who was told a key may read what later leases of the same memory show.
    kShown,
    kFilled,  ///< It is read into; no peer ever sees it.
  };

  /// A registered buffer of the port, the holder's until it is destroyed. May outlive the port;
  /// then it is plain memory. Of the port's home.
  class Lease {
   public:
    Lease() noexcept = default;
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&& other) noexcept;
    ~Lease();

    /// As many as were asked for; empty for one that was moved from.
    std::span<std::byte> bytes() const noexcept;
    explicit operator bool() const noexcept { return buffer_ != nullptr; }

   private:
    friend class OfiPort;
    friend class Impl;
    Lease(std::shared_ptr<OfiBuffers> owner, OfiBuffer* buffer) noexcept;
    void Return() noexcept;

    std::shared_ptr<OfiBuffers> owner_;
    OfiBuffer* buffer_ = nullptr;
  };

  /// Says where a peer's lease is: plain numbers, to be sent. From a peer they are believed only as
  /// far as the provider checks them there.
  struct RemoteBuffer {
    std::uint64_t address = 0;
    std::uint64_t key = 0;
    std::uint64_t bytes = 0;
  };

  using ReadCallback = std::function<void(Status, Lease)>;

  /// Told of what Poll finds, inside Poll. May call all of the port but Poll, must not throw, and
  /// must not destroy the port; nor may the callbacks of reads.
  class Handler {
   public:
    virtual ~Handler() = default;
    /// The bytes are valid during the call.
    virtual void Received(std::span<const std::byte> message) = 0;
    /// A message to this peer will not arrive, as far as the provider knows. Not after RemovePeer.
    virtual void SendFailed(PeerId peer, const Status& why) = 0;
  };

  /// What of the leases' memory there is.
  struct Registrations {
    std::uint64_t lent = 0;   ///< Leases somebody has, or a read under way.
    std::uint64_t kept = 0;   ///< Buffers that wait to be lent again.
    std::uint64_t bytes = 0;  ///< Of both.
    std::uint64_t made = 0;   ///< How many buffers got memory, since the port was opened.
    std::uint64_t keys = 0;   ///< How many registrations the provider was asked for.
  };
  /// What peers that were removed still hold: it comes back when the provider says so, or when the
  /// port is closed.
  struct Stranded {
    std::uint64_t peers = 0;
    std::uint64_t sends = 0;
    std::uint64_t reads = 0;
  };

  /// Blocks for some milliseconds. Errors: InvalidArgument (no such provider, not an address),
  /// Unavailable (the provider cannot be used, nothing can be bound there), ResourceExhausted.
  static Result<std::unique_ptr<OfiPort>> Open(const OfiPortOptions& options);
  /// Frees everything. Callbacks of reads under way are not called.
  ~OfiPort();
  OfiPort(const OfiPort&) = delete;
  OfiPort& operator=(const OfiPort&) = delete;

  const std::string& provider() const noexcept;
  /// By which others add this port as a peer.
  std::span<const std::byte> name() const noexcept;
  std::size_t eager_bytes_max() const noexcept;

  /// InvalidArgument for bytes that cannot be a name of this provider. Nothing is sent by it.
  Result<PeerId> AddPeer(std::span<const std::byte> name);
  /// Also with sends and reads under way: the reads' callbacks are still called.
  void RemovePeer(PeerId peer);

  /// Copies the message and begins to send it; what is sent to one peer keeps its order. False: no
  /// room now, or the provider still reaches for the peer, without end if it is gone. Nothing was
  /// sent then; try again when Poll has returned true, as it does after a while (from 0.25 ms on,
  /// at most 20 ms) for the sake of those who were refused. Errors: InvalidArgument (too long),
  /// NotFound (no such peer), Unavailable.
  Result<bool> Send(PeerId peer, Parts message);

  /// ResourceExhausted beyond registered_bytes_max; InvalidArgument for none or too many bytes.
  Result<Lease> Lend(std::size_t bytes, LeaseUse use = LeaseUse::kShown);
  /// For peers, to Read. The lease is one to be shown.
  RemoteBuffer Describe(const Lease& lease) const;

  /// Begins to read all of a peer's buffer into the beginning of `into`, which is the port's from
  /// then on until `done` gives it back, inside Poll. False as for Send; then, and with an error,
  /// `into` stays with the caller. Errors: InvalidArgument (does not fit), NotFound, Unavailable.
  Result<bool> Read(PeerId peer, const RemoteBuffer& from, Lease& into, ReadCallback done);

  /// Takes what has arrived or ended, a bounded number of it; true when there was something, or
  /// when it is time to try again what was refused.
  bool Poll(Handler& handler);
  /// Readable when Poll may find something, after PrepareToBlock returned true; the port's. -1:
  /// this provider has none, and the home must poll.
  int wait_fd() const noexcept;
  /// False when there is something already.
  bool PrepareToBlock();

  Registrations registrations() const noexcept;
  Stranded stranded() const noexcept;

 private:
  explicit OfiPort(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace cirein::fabric
