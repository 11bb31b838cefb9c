// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "fabric/packet/packet_head.h"
#include "fabric/packet/pending_table.h"
#include "fabric/transport.h"
#include "runtime/timers.h"

namespace cirein::fabric {

class PacketEndpoint;

/// One side of a connection over which packets travel: what is outstanding, who waits for which
/// answer until when, what is granted. What carries the packets is a class derived from it, which
/// gives the home what has come, and takes what is to go.
///
/// The calls of Connection may come from any thread; what is marked as the home's belongs to the
/// home. The home alone takes packets, and alone calls callbacks and the service, with no lock
/// held. `mutex_` guards the writing side and all that waits for answers.
class PacketConnection : public Connection, public std::enable_shared_from_this<PacketConnection> {
 public:
  const Address& peer() const final { return peer_; }
  Status Send(Parts message) final;
  Status Request(Parts message, Deadline deadline, ReplyCallback done) final;
  Status Reply(RequestId request, Parts message) final;
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
  void Close() final;

  // What follows is for the endpoint alone, on its home.

  /// Watches what tells of the other side. Errors of the system.
  virtual Status Start() = 0;
  /// Sends what waits, and takes what has come; true when there was something.
  virtual bool Poll() = 0;
  /// The home is about to block: sees to it that it is woken. False when there is something
  /// already.
  virtual bool PrepareToBlock() = 0;
  /// The home is awake.
  virtual void Awake() {}
  /// Something waits for room to be sent. On any thread.
  bool has_waiting() const { return has_waiting_.load(std::memory_order_acquire); }
  /// The transport is destroyed: calls what waits.
  void Shut();
  /// As if the process had been killed: nothing is called any more.
  void Die();

 protected:
  PacketConnection(std::shared_ptr<PacketEndpoint> endpoint, Address peer, Service& service);

  /// How a packet counts against what may be outstanding.
  enum class Counts : std::uint8_t { kUntilRead, kReplyUntilRead, kUntilAnswered, kAsAnswer };

  // What carries packets. The first four are called with mutex_ held, and not after LeaveCarrier.

  /// Sends as much of the packet as there is room for now.
  virtual void TrySome(PacketCursor& packet) = 0;
  /// A number for the packet that was sent last: they grow.
  virtual std::uint64_t LastMark() const = 0;
  /// Learns what the other side has read: ReadUpTo.
  virtual void Look() = 0;
  /// Something was sent: the other side may sleep.
  virtual void Sent() = 0;
  /// Gives back all that is shared with the other side. Of the home, without the lock.
  virtual void LeaveCarrier() = 0;
  /// Carries a one-sided operation out at once, without the other side, if it can: the word that
  /// was there, or 0. Asked only when no operation is on its way as a packet. With mutex_ held, and
  /// not after the connection's end. It may let go of `lock`, which is mutex_'s, while it does what
  /// takes long; LeaveCarrier then waits for that.
  virtual std::optional<std::uint64_t> TryHere(PacketCode /*kind*/,
                                               const OperationHead& /*operation*/,
                                               std::span<const std::byte> /*bytes*/,
                                               std::span<std::byte> /*into*/,
                                               std::unique_lock<std::mutex>& /*lock*/) {
    return std::nullopt;
  }

  /// All packets up to this mark have been read by the other side. With mutex_ held.
  void ReadUpTo(std::uint64_t mark);
  /// Sends what waits; true when any of it went. With mutex_ held.
  bool PumpOut();
  /// Operations that were carried out here have callbacks to be called.
  bool has_finished() const { return has_finished_.load(std::memory_order_acquire); }

  // The home's.

  bool is_open() const { return state_.load(std::memory_order_acquire) == State::kOpen; }
  /// Who else may change what is handed over while it is looked at.
  enum class Shared : std::uint8_t { kWithNobody, kWithPeer };
  /// A packet begins, the last one having ended: its bytes follow, if it has any. Errors, here and
  /// below, are why the connection ends.
  Status TakeHead(const PacketHead& head);
  /// Bytes of the packet that has begun, any number: those of a read or a write go to their place
  /// at once. With the last of them the packet has come.
  Status TakeBytes(std::span<const std::byte> bytes, Shared shared);
  bool in_packet() const { return in_packet_; }
  /// Calls the callbacks of operations that were carried out here; true when there was one.
  bool CallFinished();
  /// Ends it. Nothing if it has ended.
  void End(const Status& why);
  /// What the other side did that it may not.
  Status Broken(std::string_view what) const;

  PacketEndpoint& endpoint() const { return *endpoint_; }

  mutable std::mutex mutex_;

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
    std::uint64_t bytes = 0;  ///< What it counts as.
    bool is_request = false;
  };
  /// An operation that was carried out here, and whose callback is to be called.
  struct Finished {
    Callback done;
    std::uint64_t bytes;  ///< What it counts as.
    std::uint64_t word;
  };
  /// A packet that there was no room for.
  struct Waiting {
    /// Copies what of the packet is still to be sent.
    Waiting(PacketCursor packet, Counts counts);
    std::vector<std::byte> bytes;
    std::span<const std::byte> part;
    PacketCursor cursor;
    Counts counts;
  };
  /// What is on its way or not answered.
  struct Load {
    std::uint64_t number = 0;
    std::uint64_t bytes = 0;
    void Add(std::uint64_t more_bytes) {
      ++number;
      bytes += more_bytes;
    }
    void Remove(std::uint64_t less_bytes) {
      --number;
      bytes -= less_bytes;
    }
  };
  /// A message that was sent, up to `mark`.
  struct Unread {
    std::uint64_t mark;
    std::uint64_t bytes;
    Load* load;
  };

  Status CheckOpen() const;
  Result<std::uint64_t> CheckMessage(Parts message, const Load& load);
  Status CheckLoad(std::uint64_t bytes, const Load& load);
  Status CheckOperation(std::uint64_t bytes);
  void Put(const PacketHead& head, Parts parts, Counts counts);
  void Wrote(const PacketHead& head, Counts counts);
  /// Where a message counts until it is read; null for what does not.
  Load* LoadOf(Counts counts);
  /// Where in asked_ a request stands; null when there is no such place.
  RequestId* AskedAt(RequestId request);
  /// The number for what begins now.
  std::uint64_t Begin(Pending pending);
  /// It is on its way: from now on its deadline runs.
  void StartDeadline(std::uint64_t number, Deadline deadline);
  /// Sees to it that Expire is called at `end`, or before. With mutex_ held, as StopTimer.
  void StartTimer(TimePoint end);
  void StopTimer();
  /// Where the bytes of a packet go that comes.
  enum class Place : std::uint8_t {
    kHere,    ///< Into bytes_.
    kInto,    ///< What a read asked for, into the reader's memory.
    kMemory,  ///< After their OperationHead, into granted memory.
  };

  Status Operate(PacketCode kind, const OperationHead& operation, std::span<const std::byte> bytes,
                 Deadline deadline, Pending pending);

  // The home's.
  Status CheckHead(const PacketHead& head) const;
  Place PlaceOf(const PacketHead& head) const;
  Status TakeInto(std::span<const std::byte> bytes);
  Status TakeWritten(std::span<const std::byte> bytes);
  Status Dispatch(const PacketHead& head, std::span<const std::byte> bytes);
  Status TakeRequest(const PacketHead& head, std::span<const std::byte> bytes);
  Status TakeAnswer(const PacketHead& head, std::span<const std::byte> bytes);
  Status TakeOperation(const PacketHead& head, std::span<const std::byte> packet);
  /// With the grants locked, for as long as `read` is looked at.
  Status Carry(PacketCode kind, const OperationHead& operation, std::span<const std::byte>& read,
               std::uint64_t& word);
  Status PutAnswer(std::uint64_t number, const Status& status, std::span<const std::byte> part,
                   std::uint64_t word);
  void Expire();
  void Call(Pending& pending, const Status& status, const PacketHead& head,
            std::span<const std::byte> bytes);
  static void Fail(const Callback& callback, const Status& why);
  void FinishClose(const Status& why);
  void FailPending(const Status& why);
  void Leave();

  const std::shared_ptr<PacketEndpoint> endpoint_;
  const Address peer_;
  Service& service_;
  std::atomic<State> state_{State::kOpen};

  // Guarded by mutex_.
  bool left_ = false;
  std::deque<Waiting> waiting_;
  std::uint64_t answers_waiting_ = 0;
  std::uint64_t answer_bytes_waiting_ = 0;
  std::deque<Unread> unread_;
  Load begun_;    // What this side began.
  Load replies_;  // What the other side asked for.
  PendingTable<Pending> pending_;
  // One for all that is pending, which an answer does not touch: it rings at the next end or
  // before, kEndOfTime when it is not set.
  TimerService::TimerId timer_ = 0;
  TimePoint timer_end_ = kEndOfTime;
  std::uint64_t operations_ = 0;  // One-sided ones that are on their way as packets.
  std::deque<Finished> finished_;
  std::atomic<bool> has_finished_{false};
  // By the other side, not answered yet: each at its place, and 0 where there is none.
  std::vector<RequestId> asked_;
  std::atomic<bool> has_waiting_{false};

  // The home's: the packet that comes.
  bool in_packet_ = false;
  PacketHead packet_;
  Place place_ = Place::kHere;
  std::uint64_t taken_ = 0;
  std::vector<std::byte> bytes_;  // Of packet_, so far, of what is looked at here.
  Status written_;                // How its bytes got into granted memory.
};

}  // namespace cirein::fabric
