// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cirein/operations.h"

#include "fabric/transport.h"
#include "object/object_fetcher.h"
#include "object/object_messages.h"
#include "object/object_transfers.h"
#include "pool/copy_cache.h"

namespace cirein {

/// One connection to a node's ObjectService: sends what it is asked and gives what is answered. It
/// repeats nothing, and does not connect anew: who wants that makes another client.
///
/// Was it sent? A call that returns an error was not: it has no effect, and its callback is never
/// called. Else the callback is called exactly once, later; there DeadlineExceeded and Unavailable
/// mean that whether the operation took effect is unknown. Every other error is the node's, as
/// StripedStore and ObjectService say them.
///
/// Keys and patterns carry their bucket, those of answers have none. Every call names its deadline:
/// the default one is InvalidArgument. Further errors of the calls: InvalidArgument (longer than a
/// message may be), ResourceExhausted (too much is under way), Unavailable (the connection ended).
///
/// Large objects do not travel in messages: a publish lends the object's data to the node until it
/// is answered, or its deadline or the connection ends; those of answers are read from the node's
/// memory before the callback is called. Both need ObjectTransfers: a client without sends all that
/// fits into a message, and is answered so.
///
/// Thread-safe; no call blocks. Callbacks run in pieces of work of the transport's home, and may be
/// called after the client is gone: then with Unavailable.
class ObjectClient {
 public:
  using ConnectCallback = std::function<void(Result<std::shared_ptr<ObjectClient>>)>;

  /// `transfers` are those of the transport. `copies`, which outlives the transport, keeps what is
  /// lent to be kept; null: nothing is. Errors as Transport::Connect.
  static Status Connect(fabric::Transport& transport, const fabric::Address& address,
                        Deadline deadline, ConnectCallback done,
                        std::shared_ptr<ObjectTransfers> transfers = nullptr,
                        CopyCache* copies = nullptr);
  /// Closes.
  ~ObjectClient();
  ObjectClient(const ObjectClient&) = delete;
  ObjectClient& operator=(const ObjectClient&) = delete;

  /// The request's deadline is the fabric's: the node goes on with what it has begun.
  Status Publish(const wire::PublishRequest& request, Deadline deadline, PublishCallback done);
  Status PublishGroup(const wire::GroupRequest& request, Deadline deadline, GroupCallback done);
  /// NotFound when it is not there. The info has sizes, but no version.
  Status Get(const Key& key, Deadline deadline, WantCallback done);
  /// The node parks it for as long as the deadline says. The Operation gives it up, here and there,
  /// calling back from inside Cancel.
  Result<Operation> Want(const Pattern& pattern, Deadline deadline, WantCallback done);
  /// The same for one key, of which a copy is kept if the node lends it.
  Result<Operation> WantToKeep(const Key& key, Deadline deadline, WantCallback done);
  /// A copy that may still be used.
  std::optional<NamedObject> FindKept(const Key& key) const;
  Status Drop(const Pattern& pattern, Deadline deadline, DropCallback done);
  Status Info(const Key& key, Deadline deadline, InfoCallback done);
  /// The columns of `row` are not looked at.
  Status GetRowInfo(const Key& row, Deadline deadline, RowInfoCallback done);
  /// `options` has the deadline.
  Status List(const Pattern& pattern, const ListOptions& options, ListCallback done);
  /// The node goes on with a function that it has begun.
  Status Compute(const wire::ComputeRequest& request, Deadline deadline, ComputeCallback done);

  /// The answer of whoever handles messages of that name there.
  Status Ask(const wire::MessageRequest& request, Deadline deadline,
             std::function<void(Result<std::string>)> done);
  /// Of memory of the other process; the bytes given are the connection's until the callback.
  /// Further errors: InvalidArgument, PermissionDenied, as promise 5 of fabric::Connection says.
  Status Read(const fabric::Grant& grant, std::uint64_t offset, std::span<std::byte> into,
              Deadline deadline, fabric::DoneCallback done);
  Status Write(const fabric::Grant& grant, std::uint64_t offset, std::span<const std::byte> bytes,
               Deadline deadline, fabric::DoneCallback done);

  /// Ends the connection: all that is under way gets Unavailable.
  void Close();
  const fabric::Address& peer() const { return connection_->peer(); }
  /// Answers that came for operations that were over.
  std::uint64_t late_answers() const noexcept;

 private:
  using Counter = std::atomic<std::uint64_t>;
  template <typename T>
  class Call;
  class WantCall;

  /// What answers need, which may come when the client is gone.
  struct Answering;

  ObjectClient(std::shared_ptr<fabric::Connection> connection,
               std::shared_ptr<ObjectTransfers> transfers, CopyCache* copies);

  /// `fits`: may this be an answer to the request? Null: any may.
  template <typename T>
  Status Send(const wire::Request& request, Deadline deadline, std::function<void(Result<T>)> done,
              std::function<bool(const T&)> fits = nullptr);
  template <typename T>
  Status Send(const wire::Request& request, Deadline deadline, const std::shared_ptr<Call<T>>& call,
              std::function<bool(const T&)> fits);

  Result<Operation> SendWant(const Pattern& pattern, bool lease, Deadline deadline,
                             std::function<void(Result<wire::LeasedObject>)> done);
  template <typename T>
  static void Answered(const std::shared_ptr<Answering>& answering, TimePoint end,
                       const std::shared_ptr<Call<T>>& call,
                       const Result<std::span<const std::byte>>& answer,
                       const std::function<bool(const T&)>& fits);
  /// Fetches what an answer lends, and then ends the call with it.
  template <typename T>
  static void TakeLent(const std::shared_ptr<Answering>& answering, TimePoint end,
                       const std::shared_ptr<Call<T>>& call, T answer);
  /// Of a publish: lends what is too large for its message.
  Result<ObjectTransfers::LoanPtr> LendIfLarge(const DataObject& object, wire::Lent& lent,
                                               ObjectTransfers::Room& room);

  const std::shared_ptr<fabric::Connection> connection_;
  const std::shared_ptr<ObjectTransfers> transfers_;  // May be null.
  const std::shared_ptr<Answering> answering_;
  std::shared_ptr<CopyCache::OfConnection> kept_;  // Null: nothing is kept.
  Counter last_want_ = 0;
};

}  // namespace cirein
