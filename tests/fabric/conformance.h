// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "fabric/transport.h"

/// The conformance suite (transport_test.cc, transport_end_test.cc, one_sided_test.cc) asks every
/// fabric for what transport.h promises. A fabric takes part by a Fabric of its own, and one line
/// in the list of fabrics.h.
namespace cirein::fabric {

/// Words of zeros to be registered: plain memory, or those of a region.
class Words {
 public:
  explicit Words(std::size_t count) : plain_(count), words_(plain_) {}
  /// The region has so many words, and stores.
  explicit Words(std::unique_ptr<Region> region)
      : region_(std::move(region)),
        words_(reinterpret_cast<std::uint64_t*>(  // NOLINT: words by convention
                   const_cast<std::byte*>(region_->data())),
               region_->size() / 8) {}
  Words(const Words&) = delete;
  Words& operator=(const Words&) = delete;

  /// Null: plain memory.
  Region* region() const { return region_.get(); }
  std::uint64_t& operator[](std::size_t i) { return words_[i]; }
  std::size_t size() const { return words_.size(); }
  auto begin() const { return words_.begin(); }
  auto end() const { return words_.end(); }
  std::span<std::byte> bytes() const { return std::as_writable_bytes(words_); }

 private:
  std::vector<std::uint64_t> plain_;
  const std::unique_ptr<Region> region_;
  const std::span<std::uint64_t> words_;
};

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
  /// The memory that one-sided operations are tried with.
  virtual std::shared_ptr<Words> MakeWords(std::size_t count) {
    return std::make_shared<Words>(count);
  }
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

inline constexpr std::chrono::seconds kLong{
    30};  // Longer than anything here takes when nothing is wrong.

/// Peers on a fabric, each with a recorder, and calls that wait for their end.
class FabricTest : public testing::TestWithParam<NamedFabric> {
 protected:
  FabricTest() : fabric_(GetParam().make()) {}

  /// A peer that listens; its recorder.
  std::size_t AddListener() {
    const std::size_t peer = fabric_->AddPeer();
    recorders_.resize(std::max(recorders_.size(), peer + 1));
    EXPECT_TRUE(Transport(peer).Listen(Rec(peer)).ok());
    return peer;
  }
  std::size_t AddPeer() {
    const std::size_t peer = fabric_->AddPeer();
    recorders_.resize(std::max(recorders_.size(), peer + 1));
    return peer;
  }
  fabric::Transport& Transport(std::size_t peer) { return *fabric_->transport(peer); }
  Recorder& Rec(std::size_t peer) { return recorders_[peer]; }

  Result<ConnectionPtr> TryConnect(std::size_t from, const Address& address, Deadline deadline) {
    auto result = std::make_shared<std::vector<Result<ConnectionPtr>>>();
    const Status begun = Transport(from).Connect(
        address, Rec(from), deadline,
        [result](Result<ConnectionPtr> made) { result->push_back(std::move(made)); });
    if (!begun.ok()) return begun;
    EXPECT_TRUE(result->empty()) << "a callback inside the call";
    EXPECT_TRUE(fabric_->RunUntil(kLong, [result] { return !result->empty(); }));
    Settle();
    EXPECT_EQ(result->size(), 1U);
    return result->front();
  }
  ConnectionPtr Connect(std::size_t from, std::size_t to) {
    auto made = TryConnect(from, Transport(to).address(), kLong);
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    return made.ok() ? *made : nullptr;
  }

  bool WaitFor(const std::function<bool()>& holds) { return fabric_->RunUntil(kLong, holds); }
  bool WaitFor(const OutcomePtr& outcome) {
    return WaitFor([outcome] { return outcome->done(); });
  }
  /// What is on its way arrives.
  void Settle() {
    fabric_->RunUntil(std::chrono::milliseconds(100), [] { return false; });
  }

  /// Words of zeros, registered at a peer.
  struct Memory {
    std::shared_ptr<Words> words;
    fabric::Transport::MemoryId id = 0;
    std::span<std::byte> bytes() const { return words->bytes(); }
  };
  Memory MakeMemory(std::size_t peer, std::size_t words) {
    Memory memory{fabric_->MakeWords(words), 0};
    Region* const region = memory.words->region();
    const auto id = region != nullptr
                        ? Transport(peer).Register(std::shared_ptr<Region>(memory.words, region))
                        : Transport(peer).Register(memory.bytes(), memory.words);
    EXPECT_TRUE(id.ok()) << id.status().ToString();
    memory.id = id.value_or(0);
    return memory;
  }
  Grant MakeGrant(std::size_t peer, const Memory& memory, Access access) {
    return MakeGrant(peer, memory, {0, memory.words->size() * 8}, access);
  }
  Grant MakeGrant(std::size_t peer, const Memory& memory, ByteRange range, Access access) {
    const auto grant = Transport(peer).MakeGrant(memory.id, range, access);
    EXPECT_TRUE(grant.ok()) << grant.status().ToString();
    return grant.value_or(Grant{});
  }

  /// What a fabric does at the first use of a grant has been done.
  void Warm(const ConnectionPtr& over, const Grant& grant) {
    static_cast<void>(Read(over, grant, 0, {}).ok());
    Settle();
  }

  // Operations to their end.
  Status Done(const Status& begun, const OutcomePtr& outcome) {
    if (!begun.ok()) return begun;
    EXPECT_EQ(outcome->calls, 0) << "a callback inside the call";
    EXPECT_TRUE(WaitFor(outcome));
    return outcome->status;
  }
  Status Read(const ConnectionPtr& over, const Grant& grant, std::uint64_t offset,
              std::span<std::byte> into) {
    auto outcome = std::make_shared<Outcome>();
    return Done(over->Read(grant, offset, into, kLong, fabric::Into(outcome)), outcome);
  }
  Status Write(const ConnectionPtr& over, const Grant& grant, std::uint64_t offset,
               std::span<const std::byte> bytes) {
    auto outcome = std::make_shared<Outcome>();
    return Done(over->Write(grant, offset, bytes, kLong, Into(outcome)), outcome);
  }
  Result<std::uint64_t> Swap(const ConnectionPtr& over, const Grant& grant, std::uint64_t offset,
                             WordSwap swap) {
    auto outcome = std::make_shared<Outcome>();
    CIREIN_RETURN_IF_ERROR(
        Done(over->CompareAndSwap(grant, offset, swap, kLong, WordInto(outcome)), outcome));
    return outcome->word;
  }
  Result<std::uint64_t> Add(const ConnectionPtr& over, const Grant& grant, std::uint64_t offset,
                            std::uint64_t add) {
    auto outcome = std::make_shared<Outcome>();
    CIREIN_RETURN_IF_ERROR(
        Done(over->FetchAdd(grant, offset, add, kLong, WordInto(outcome)), outcome));
    return outcome->word;
  }
  Status Persist(const ConnectionPtr& over, const Grant& grant, ByteRange range) {
    auto outcome = std::make_shared<Outcome>();
    return Done(over->Persist(grant, range, kLong, Into(outcome)), outcome);
  }
  Result<std::string> Ask(const ConnectionPtr& over, std::string_view text) {
    auto outcome = std::make_shared<Outcome>();
    CIREIN_RETURN_IF_ERROR(Done(over->Request(OnePart(text), kLong, ReplyInto(outcome)), outcome));
    return outcome->text;
  }
  void ExpectWorks(const ConnectionPtr& connection) {
    const auto answer = Ask(connection, "still there?");
    ASSERT_TRUE(answer.ok()) << answer.status().ToString();
    EXPECT_EQ(*answer, "still there?");
  }

  std::deque<Recorder> recorders_;  // Outlive the transports.
  std::unique_ptr<Fabric> fabric_;
};

inline constexpr Access kAll = Access::kRead | Access::kWrite | Access::kAtomic;

inline std::string RandomText(Random& random, std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; i += 8) {
    const std::uint64_t word = random();
    std::memcpy(text.data() + i, &word, std::min<std::size_t>(8, bytes - i));
  }
  return text;
}

}  // namespace cirein::fabric
