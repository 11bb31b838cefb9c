// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "fabric/transport.h"

/// The conformance suite (transport_test.cc) asks every fabric for what transport.h promises. A
/// fabric takes part by a Fabric of its own, and one line in the list at the end of the suite.
namespace cirein::fabric {

/// Several processes on one fabric, or what stands for them. Everything that the fabric calls is
/// called inside RunUntil and Run, on the test's thread. Peers are numbered in their order.
class Fabric {
 public:
  virtual ~Fabric() = default;

  /// A new process with a transport; its number.
  virtual std::size_t AddPeer() = 0;
  /// Null after Leave.
  virtual Transport* transport(std::size_t peer) = 0;
  /// Runs `work` as a piece of work of the peer's home.
  virtual void Run(std::size_t peer, std::function<void()> work) = 0;
  /// Lets things happen until `holds`, at most for so long; says whether it held.
  virtual bool RunUntil(std::chrono::nanoseconds limit, const std::function<bool()>& holds) = 0;
  /// Time as the peer sees it.
  virtual std::chrono::nanoseconds Now(std::size_t peer) = 0;

  /// The process dies now; its transport is still to be destroyed by Leave.
  virtual void Kill(std::size_t peer) = 0;
  /// The process does nothing for so long.
  virtual void Pause(std::size_t peer, std::chrono::nanoseconds time) = 0;
  /// Destroys the peer's transport.
  virtual void Leave(std::size_t peer) = 0;
  /// Is the memory of a paused process reached?
  virtual bool reaches_paused_memory() const = 0;
};

struct NamedFabric {
  const char* name;
  std::function<std::unique_ptr<Fabric>()> make;
};
inline void PrintTo(const NamedFabric& fabric, std::ostream* out) { *out << fabric.name; }

inline std::string Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // NOLINT: bytes as text
}
inline std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// A message of one part, for the length of an expression.
class OnePart {
 public:
  explicit OnePart(std::string_view text) : part_(Bytes(text)) {}
  explicit OnePart(std::span<const std::byte> bytes) : part_(bytes) {}
  operator Parts() const { return {&part_, 1}; }  // NOLINT: that is what it is for

 private:
  std::span<const std::byte> part_;
};

using ConnectionPtr = std::shared_ptr<Connection>;

/// A service that remembers what it was told, and answers each request with its own bytes unless it
/// is given something else to do.
class Recorder final : public Service {
 public:
  struct Asked {
    ConnectionPtr connection;
    RequestId request;
    std::string text;
  };

  void Connected(const ConnectionPtr& connection) override {
    connections.push_back(connection);
    if (on_connected) on_connected(connection);
  }
  void Message(const ConnectionPtr& connection, std::span<const std::byte> message) override {
    EXPECT_FALSE(IsClosed(connection)) << "a message after the connection's end";
    messages.push_back(Text(message));
    if (on_message) on_message(connection, messages.back());
  }
  void Request(const ConnectionPtr& connection, RequestId request,
               std::span<const std::byte> message) override {
    EXPECT_FALSE(IsClosed(connection)) << "a request after the connection's end";
    asked.push_back({connection, request, Text(message)});
    if (on_request) return on_request(asked.back());
    // It may have ended, which has not been told yet.
    const Status replied = connection->Reply(request, OnePart(message));
    EXPECT_TRUE(replied.ok() || replied.code() == StatusCode::kUnavailable) << replied.ToString();
  }
  void Closed(const ConnectionPtr& connection, const Status& why) override {
    EXPECT_FALSE(IsClosed(connection)) << "the end was told twice";
    EXPECT_EQ(why.code(), StatusCode::kUnavailable) << why.ToString();
    closed.push_back(connection);
    if (on_closed) on_closed(connection);
  }

  bool IsClosed(const ConnectionPtr& connection) const {
    for (const ConnectionPtr& one : closed) {
      if (one == connection) return true;
    }
    return false;
  }

  std::vector<ConnectionPtr> connections;
  std::vector<std::string> messages;
  std::vector<Asked> asked;
  std::vector<ConnectionPtr> closed;
  std::function<void(const ConnectionPtr&)> on_connected;
  std::function<void(const ConnectionPtr&, const std::string&)> on_message;
  std::function<void(const Asked&)> on_request;
  std::function<void(const ConnectionPtr&)> on_closed;
};

/// What came of one call: how often its callback was called, and with what.
struct Outcome {
  int calls = 0;
  Status status;
  std::uint64_t word = 0;
  std::string text;

  bool done() const { return calls > 0; }
  void Take(const Status& result) {
    ++calls;
    status = result;
  }
};
using OutcomePtr = std::shared_ptr<Outcome>;

inline DoneCallback Into(const OutcomePtr& outcome) {
  return [outcome](const Status& status) { outcome->Take(status); };
}
inline WordCallback WordInto(const OutcomePtr& outcome) {
  return [outcome](const Result<std::uint64_t>& word) {
    outcome->Take(word.status());
    if (word.ok()) outcome->word = *word;
  };
}
inline ReplyCallback ReplyInto(const OutcomePtr& outcome) {
  return [outcome](const Result<std::span<const std::byte>>& reply) {
    outcome->Take(reply.status());
    if (reply.ok()) outcome->text = Text(*reply);
  };
}

}  // namespace cirein::fabric
