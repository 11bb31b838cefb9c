// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "fabric/shm/handshake.h"
#include "fabric/shm/ring.h"
#include "fabric/transport.h"
#include "runtime/reactor.h"

namespace cirein::fabric {

class ShmEndpoint;

/// What stands in front of the bytes of a one-sided operation.
struct OperationHead {
  std::uint64_t grant = 0;
  std::uint64_t key = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t word = 0;   ///< What is expected, or to be added.
  std::uint64_t other = 0;  ///< What is desired.
};

enum class ShmPacket : std::uint8_t {
  kMessage = 1,
  kRequest,
  kReply,
  kRead,
  kWrite,
  kSwap,
  kAdd,
  kPersist,
  kDone,  ///< How a one-sided operation ended.
};

/// One side of a connection over shared memory.
///
/// The calls of Connection may come from any thread; what is marked as the home's belongs to the
/// home. The home alone reads the ring, and alone calls callbacks and the service, with no lock
/// held. `mutex_` guards the writing side and all that waits for answers.
class ShmConnection final : public Connection, public std::enable_shared_from_this<ShmConnection> {
 public:
  ShmConnection(std::shared_ptr<ShmEndpoint> endpoint, Agreement agreement, Service& service);
  ~ShmConnection() override;

  const Address& peer() const override { return peer_; }
  Status Send(Parts message) override;
  Status Request(Parts message, Deadline deadline, ReplyCallback done) override;
  Status Reply(RequestId request, Parts message) override;
  Status Read(const Grant& grant, std::uint64_t offset, std::span<std::byte> into,
              Deadline deadline, DoneCallback done) override;
  Status Write(const Grant& grant, std::uint64_t offset, std::span<const std::byte> bytes,
               Deadline deadline, DoneCallback done) override;
  Status CompareAndSwap(const Grant& grant, std::uint64_t offset, WordSwap swap, Deadline deadline,
                        WordCallback done) override;
  Status FetchAdd(const Grant& grant, std::uint64_t offset, std::uint64_t add, Deadline deadline,
                  WordCallback done) override;
  Status Persist(const Grant& grant, ByteRange range, Deadline deadline,
                 DoneCallback done) override;
  void Close() override;

  // What follows is for the endpoint alone, on its home.

  /// Watches the socket and the eventfd. Errors of the system.
  Status Start();
  /// Sends what waits, and takes what has come; true when there was something.
  bool Poll();
  /// The home is about to block: what is to wake it, and false when there is something already.
  bool PrepareToBlock();
  /// The home is awake.
  void Awake();
  /// The transport is destroyed: calls what waits.
  void Shut();
  /// As if the process had been killed: nothing is called any more.
  void Die();

 private:
  enum class State : std::uint8_t {
    kOpen,
    kEnded,   ///< The user has not been told yet.
    kClosed,  ///< Was told, or closed it.
  };
  using Callback = std::variant<ReplyCallback, DoneCallback, WordCallback>;
  /// What the other side has yet to answer; stays after its deadline, without its callback.
  struct Pending {
    std::optional<Callback> done;
    std::span<std::byte> into;
    TimerService::TimerId timer = 0;
    std::uint64_t bytes = 0;  ///< What it counts as.
    bool is_request = false;
  };
  /// A packet that the ring had no room for.
  struct Waiting {
    /// `owned` is what the parts are made of, if they are one that may be kept; else they are
    /// copied.
    Waiting(const PacketHead& head, Parts parts, std::vector<std::byte> owned);
    std::vector<std::byte> bytes;
    std::span<const std::byte> part;
    PacketCursor cursor;
    bool is_message = false;  // Counts until it has been read.
    bool is_answer = false;   // Counts as the other side's.
  };
  /// A message that is in the ring up to `end`.
  struct Unread {
    std::uint64_t end;
    std::uint64_t bytes;
  };
  /// How a packet counts.
  enum class Counts : std::uint8_t { kUntilRead, kUntilAnswered, kAsAnswer };

  Status CheckOpen() const;
  Result<std::uint64_t> CheckMessage(Parts message);
  Status CheckLoad(std::uint64_t bytes);
  Status CheckOperation(std::uint64_t bytes);
  /// Looks how far the other side has read, and takes that out of the load.
  void Look();
  void Put(const PacketHead& head, Parts parts, Counts counts, std::vector<std::byte> owned = {});
  /// Sends what waits; true when anything was.
  bool PumpOut();
  void Wrote(const PacketHead& head, Counts counts);
  void WakePeer();
  /// The number for what begins now.
  std::uint64_t Begin(Deadline deadline, Pending pending);
  Status Operate(ShmPacket kind, const OperationHead& operation, std::span<const std::byte> bytes,
                 Deadline deadline, Pending pending);

  // The home's.
  void OnSocket();
  void OnPeerGone();
  Status TakePiece(const Piece& piece);
  Status TakeFirst(const PacketHead& head);
  Status Dispatch();
  Status TakeRequest();
  Status TakeAnswer();
  Status TakeOperation();
  Status Carry(const OperationHead& operation, std::span<const std::byte> bytes,
               std::vector<std::byte>& read, std::uint64_t& word);
  Status PutAnswer(const Status& status, std::vector<std::byte> bytes, std::uint64_t word);
  void Expire(std::uint64_t number);
  void Call(Pending& pending, const Status& status, const PacketHead& head);
  static void Fail(const Callback& callback, const Status& why);
  void End(const Status& why);
  void FinishClose(const Status& why);
  void FailPending(const Status& why);
  /// Gives back all that is shared with the other side.
  void Leave();
  /// What the other side did that it may not.
  Status Broken(const char* what) const;

  const std::shared_ptr<ShmEndpoint> endpoint_;
  const Address peer_;
  const PeerProcess process_;
  Service& service_;
  std::atomic<State> state_{State::kOpen};

  mutable std::mutex mutex_;
  // Guarded by mutex_; the segment is the home's too, which alone ends it.
  std::unique_ptr<Segment> segment_;
  FileDescriptor peer_wake_;
  RingWriter writer_;
  std::deque<Waiting> waiting_;
  std::uint64_t answers_waiting_ = 0;
  std::uint64_t answer_bytes_waiting_ = 0;
  std::deque<Unread> unread_;
  std::uint64_t load_number_ = 0;
  std::uint64_t load_bytes_ = 0;
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, Pending> pending_;
  std::map<RequestId, std::monostate> asked_;  // By the other side, not answered yet.
  std::atomic<bool> has_waiting_{false};
  std::atomic<bool> broken_{false};  // The other side's head makes no sense.

  // The home's.
  ControlSocket socket_;
  FileDescriptor own_wake_;
  FileDescriptor peer_process_;
  RingReader reader_;
  bool peer_gone_ = false;
  std::uint64_t read_since_gone_ = 0;
  bool in_packet_ = false;
  PacketHead packet_;
  std::vector<std::byte> bytes_;  // Of packet_, so far.
};

}  // namespace cirein::fabric
