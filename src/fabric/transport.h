// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "cirein/deadline.h"
#include "cirein/status.h"

#include "region/region.h"

/// How processes exchange messages and reach each other's memory: the same words whatever carries
/// them. What every fabric promises stands here; tests/fabric/conformance.h asks each for it.
namespace cirein::fabric {

/// Where a transport is found: "<fabric>://<the fabric's own words>", as its address() says it.
using Address = std::string;

/// What the holder of a grant may do. Bits.
enum class Access : std::uint8_t {
  kRead = 1,
  kWrite = 2,  ///< Write and persist.
  kAtomic = 4,
};
constexpr Access operator|(Access a, Access b) {
  return static_cast<Access>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
constexpr bool Allows(Access held, Access asked) {
  return (static_cast<std::uint8_t>(held) & static_cast<std::uint8_t>(asked)) ==
         static_cast<std::uint8_t>(asked);
}

/// The right to a range of another process's memory: plain numbers, to be sent in messages. Its
/// key cannot be guessed, and is never used again once the grant is revoked.
struct Grant {
  std::uint64_t id = 0;
  std::uint64_t key = 0;
  std::uint64_t bytes = 0;
  Access access = Access::kRead;

  friend bool operator==(const Grant&, const Grant&) = default;
};

/// Which bytes of something larger.
struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// Put `desired` where `expected` is.
struct WordSwap {
  std::uint64_t expected = 0;
  std::uint64_t desired = 0;
};

/// A message as the parts it is made of, in their order.
using Parts = std::span<const std::span<const std::byte>>;

using DoneCallback = std::function<void(Status)>;
/// The word that was there before.
using WordCallback = std::function<void(Result<std::uint64_t>)>;
/// The answer's bytes are valid during the call.
using ReplyCallback = std::function<void(Result<std::span<const std::byte>>)>;

/// Says which request is to be answered; of one connection.
using RequestId = std::uint64_t;

/// One side of a connection between two transports.
///
/// Promises:
///  1. What is sent arrives whole, once, and in the order in which it was sent, or the connection
///     ends and both sides are told, each once. There is no way back from that: nothing that was
///     sent before it arrives after it.
///  2. Every callback is called exactly once, in a piece of work of the transport's home, never
///     inside the call; after its deadline it has been. A call that fails at once (the Status that
///     it returns) calls no callback and has no effect.
///  3. Unavailable or DeadlineExceeded of a request, a write or an atomic: whether it took effect
///     is unknown; once the connection has ended on the target's side too, it will not any more.
///  4. One-sided operations of one connection take effect in the order in which they were begun. A
///     callback with OK means that the effect is seen by all who look at the target's memory; of
///     a Persist, that it is on the medium. The target's code takes no part.
///  5. A grant is checked with each operation: one that is unknown, revoked, for other things, or a
///     range outside it is PermissionDenied or InvalidArgument, changes nothing, and disturbs
///     nobody else. Once Revoke has returned OK nothing more takes effect through the grant; of a
///     write that it met half way a part may have, though it is PermissionDenied.
///  6. A peer that is gone, or cannot be reached, for the transport's keepalive ends the
///     connection. One that only sleeps does not.
///  7. Who closes a connection, or dies, may take with it what is still on its way: any tail of it
///     is lost, as when the connection breaks.
///
/// Thread-safe; no call blocks. Memory given to read into or to write from stays the connection's
/// until the callback, the parts of messages only during the call. A default deadline is the
/// transport's.
class Connection {
 public:
  virtual ~Connection() = default;

  /// The other side's address, as it says itself.
  virtual const Address& peer() const = 0;

  /// A message without an answer. Errors: InvalidArgument (too long), ResourceExhausted (too much
  /// is on its way), Unavailable (the connection has ended).
  virtual Status Send(Parts message) = 0;
  /// A message that is answered. Errors of the answer: DeadlineExceeded, Unavailable. It counts as
  /// outstanding until it is answered, even when its deadline has passed: the other side keeps it.
  virtual Status Request(Parts message, Deadline deadline, ReplyCallback done) = 0;
  /// Answers a request, once: NotFound for one that was answered or never asked. Also fails as Send
  /// does; then the request can still be answered.
  virtual Status Reply(RequestId request, Parts message) = 0;

  /// Fail at once as Send does; InvalidArgument for more bytes than may be outstanding, which would
  /// never fit. Errors of the callbacks: those of promise 5, DeadlineExceeded, Unavailable; of
  /// Persist also the medium's.
  virtual Status Read(const Grant& grant, std::uint64_t offset, std::span<std::byte> into,
                      Deadline deadline, DoneCallback done) = 0;
  virtual Status Write(const Grant& grant, std::uint64_t offset, std::span<const std::byte> bytes,
                       Deadline deadline, DoneCallback done) = 0;
  /// Of an aligned word of 8 bytes, little-endian, atomic for everybody who uses it as a word;
  /// InvalidArgument for one that is not aligned.
  virtual Status CompareAndSwap(const Grant& grant, std::uint64_t offset, WordSwap swap,
                                Deadline deadline, WordCallback done) = 0;
  virtual Status FetchAdd(const Grant& grant, std::uint64_t offset, std::uint64_t add,
                          Deadline deadline, WordCallback done) = 0;
  /// FailedPrecondition for memory that is no region, PermissionDenied for a grant without kWrite.
  virtual Status Persist(const Grant& grant, ByteRange range, Deadline deadline,
                         DoneCallback done) = 0;

  /// Ends it, for both sides. What waits for an answer here gets Unavailable. What has arrived but
  /// was not told yet is dropped. Nothing happens when it has ended already.
  virtual void Close() = 0;
};

/// What a program does with what comes over a connection. Called in pieces of work of the
/// transport's home, for one connection one at a time; bytes are valid during the call.
class Service {
 public:
  virtual ~Service() = default;
  /// Somebody connected to an address that is listened on.
  virtual void Connected(const std::shared_ptr<Connection>& connection) = 0;
  virtual void Message(const std::shared_ptr<Connection>& connection,
                       std::span<const std::byte> message) = 0;
  /// To be answered with Connection::Reply, now or later, from any thread.
  virtual void Request(const std::shared_ptr<Connection>& connection, RequestId request,
                       std::span<const std::byte> message) = 0;
  /// The last call for this connection, with Unavailable; not after its own Close, and not when its
  /// own transport is destroyed. Callbacks that waited have been called before it.
  virtual void Closed(const std::shared_ptr<Connection>& connection, const Status& why) = 0;
};

using ConnectCallback = std::function<void(Result<std::shared_ptr<Connection>>)>;

/// What a transport can carry; the same for all transports of one fabric.
struct Limits {
  std::uint64_t message_bytes_max = 0;
  /// On their way or not answered, of one connection and side; in bytes and in number. Replies that
  /// are on their way are bounded so for themselves: two sides that have all of their requests
  /// outstanding to each other can still answer them.
  std::uint64_t outstanding_bytes_max = 0;
  std::uint64_t outstanding_max = 0;
  std::uint64_t connections_max = 0;
  std::uint64_t grants_max = 0;
};

/// A process's end of a fabric. Thread-safe; blocks only where it says so. Destroying it ends all
/// its connections: callbacks that wait are called with Unavailable before the destructor returns,
/// and nothing is called after that. So what callbacks use, and the services, must outlive it.
/// Connections that are still held answer Unavailable from then on.
class Transport {
 public:
  virtual ~Transport() = default;

  virtual const Address& address() const = 0;
  virtual const Limits& limits() const = 0;

  /// From now on others may connect, and speak to `service`. FailedPrecondition when it listens
  /// already.
  virtual Status Listen(Service& service) = 0;
  /// What comes over the connection from the other side goes to `service`. Errors: Unavailable
  /// (nobody listens there, or it cannot be reached), DeadlineExceeded, InvalidArgument (not an
  /// address of this fabric), ResourceExhausted.
  virtual Status Connect(const Address& address, Service& service, Deadline deadline,
                         ConnectCallback done) = 0;

  /// Memory that may be granted: it stays there until it is taken back, which ends its grants.
  using MemoryId = std::uint64_t;
  virtual Result<MemoryId> Register(std::shared_ptr<Region> region) = 0;
  /// Aligned to 8 bytes, else InvalidArgument; `keeps` is held as long as it is registered.
  virtual Result<MemoryId> Register(std::span<std::byte> memory, std::shared_ptr<void> keeps) = 0;
  /// NotFound when there is none. Blocks, and may be Unavailable, as Revoke.
  virtual Status Unregister(MemoryId memory) = 0;

  /// InvalidArgument for a range that is not in the memory, or not of whole words for kAtomic, or
  /// for no access; NotFound for memory that is not registered; ResourceExhausted;
  /// FailedPrecondition for kAtomic on a region without stores.
  virtual Result<Grant> MakeGrant(MemoryId memory, ByteRange range, Access access) = 0;
  /// NotFound when there is none with that id and key. Blocks for as long as operations by it are
  /// under way. Unavailable: it is revoked, but one that had begun may still take effect, since who
  /// carries it out neither goes on nor ends. Until then the transport holds the memory, after
  /// Unregister too, and who has it must not give it to other use.
  virtual Status Revoke(const Grant& grant) = 0;
};

}  // namespace cirein::fabric
