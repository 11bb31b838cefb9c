// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "fabric/transport.h"
#include "node/message_handlers.h"
#include "object/object_transfers.h"
#include "object/striped_store.h"
#include "runtime/environment.h"
#include "runtime/executor.h"

namespace cirein::node {

/// Lets clients on a fabric use a store: carries out the requests of object_messages.h and answers
/// them. A want is a request that stays unanswered for as long as it is parked.
///
///  - What cannot be read is answered with InvalidArgument; the connection stays.
///  - A want whose connection ends is forgotten; one whose deadline passes is answered with
///    DeadlineExceeded.
///  - A client that does not take its answers keeps memory from others: its connection is ended.
///  - Large objects are not in the messages: those of requests are read from the client's memory
///    before anything is done with them, those of answers stay lent until the client has read them
///    (AnswerLoans).
///  - After Stop nothing is answered, and nothing of the store or the environment is used.
///
/// The answer to a Get says no version: the store does not tell which one it gave. What is in the
/// store's own memory is in remote memory for the client.
///
/// Thread-safe.
class ObjectService final : public fabric::Service {
 public:
  /// One more of one connection gets ResourceExhausted.
  static constexpr std::size_t kWantsPerConnection = 100'000;

  /// What `executor` runs may block. It, the environment and the store's users outlive Stop.
  /// Without `transfers` answers have their objects' data in the message, however large. `lease` is
  /// how long clients may keep copies of what they read, if they ask to; zero: not at all. Whoever
  /// had this address, or these objects, before must have ended that long ago.
  ObjectService(std::shared_ptr<StripedStore> store, const Environment& environment,
                Executor& executor, std::shared_ptr<ObjectTransfers> transfers = nullptr,
                std::chrono::nanoseconds lease = std::chrono::nanoseconds(0));
  /// Stops it, if nobody has. Not while a transport still listens with it.
  ~ObjectService() override;

  /// Blocks until what is being carried out has come to its end. Not from a callback of the store.
  void Stop();
  /// Wants that are parked here, of all connections.
  std::size_t parked_wants() const;
  /// Who answers messages that are not about objects: each runs with the environment's callbacks.
  MessageHandlers& handlers();
  /// Objects that answers have lent and that were not read yet, over all connections.
  std::size_t lent_objects() const;
  /// Answers to requests that had been answered before: none, unless there is a fault here.
  std::uint64_t repeated_answers() const;

  void Connected(const std::shared_ptr<fabric::Connection>& connection) override;
  void Message(const std::shared_ptr<fabric::Connection>& connection,
               std::span<const std::byte> message) override;
  void Request(const std::shared_ptr<fabric::Connection>& connection, fabric::RequestId request,
               std::span<const std::byte> message) override;
  void Closed(const std::shared_ptr<fabric::Connection>& connection, const Status& why) override;

 private:
  class Core;
  // What is called later holds this, not the service.
  const std::shared_ptr<Core> core_;
};

}  // namespace cirein::node
