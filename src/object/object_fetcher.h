// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "cirein/data_object.h"
#include "cirein/status.h"

#include "fabric/transport.h"
#include "runtime/clock.h"

namespace cirein {

/// An object of a message. With a grant its data did not come: the object has type and meta, and
/// the grant says where the data are, and how many.
struct IncomingObject {
  DataObject* object = nullptr;
  std::optional<fabric::Grant>* lent = nullptr;
};

/// Reads the data of objects that the other side of one connection has lent, in pieces, several at
/// a time. What comes beyond kObjectsAtOnce waits for its turn, without memory of its own.
///
/// Nothing is believed of a grant: what it does not cover is an error, and so is its end.
/// Belongs to the home of the connection's transport: called in its pieces of work only.
class ObjectFetcher : public std::enable_shared_from_this<ObjectFetcher> {
 public:
  /// All that is under way fits into a ring of shared memory, with room for other messages: what
  /// has to wait for room is copied once more.
  static constexpr std::uint64_t kPieceBytes = 64ULL << 10;
  static constexpr std::size_t kPiecesAtOnce = 3;
  static constexpr std::size_t kObjectsAtOnce = 4;

  /// `clock` outlives it.
  ObjectFetcher(std::shared_ptr<fabric::Connection> connection, const Clock& clock,
                std::uint64_t object_bytes_max)
      : connection_(std::move(connection)), clock_(clock), object_bytes_max_(object_bytes_max) {}

  /// Makes all these objects whole, one after the other, and calls `done` once, perhaps inside the
  /// call: with OK, or why one of them could not be. No memory of an object is used any more then.
  /// What the objects stand in lives until that. `wanted` is asked before each piece: false is
  /// Cancelled. Further errors: DeadlineExceeded, Unavailable (the connection ended),
  /// InvalidArgument (more bytes than the grant or the limit has), PermissionDenied (the grant was
  /// taken back), ResourceExhausted (there is no memory for the object).
  void Fetch(std::vector<IncomingObject> objects, TimePoint end, std::function<bool()> wanted,
             fabric::DoneCallback done);

 private:
  struct Order;
  using OrderPtr = std::shared_ptr<Order>;

  void Begin(const OrderPtr& order);
  /// The order's next object that has to be fetched; true when there is one.
  bool NextObject(Order& order);
  /// Begins pieces, or the next object, or ends it.
  void Continue(const OrderPtr& order);
  void BeginPieces(const OrderPtr& order);
  void ContinueStanding();
  void End(const OrderPtr& order);

  const std::shared_ptr<fabric::Connection> connection_;
  const Clock& clock_;
  const std::uint64_t object_bytes_max_;
  std::size_t under_way_ = 0;       // Orders.
  std::size_t pieces_ = 0;          // Of all of them.
  std::vector<OrderPtr> standing_;  // Under way, without room for a piece.
  std::deque<OrderPtr> waiting_;
};

}  // namespace cirein
