// SPDX-License-Identifier: Apache-2.0

// A peer that says anything, in pieces of any length, to one side of a connection over packets:
// heads and operations as the input says, which makes most of them nearly right, while that side
// sends, asks and operates for itself, over a carrier that has no room now and then. Memory that
// was not granted stays as it was, who waits is called once, and what is outstanding is counted
// here as well, and bounded.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "check.h"
#include "fabric/packet/packet_connection.h"
#include "fabric/packet/packet_endpoint.h"
#include "fabric/packet/packet_transport.h"
#include "fabric/packet/pending_table.h"
#include "packet_carrier.h"
#include "region/region.h"
#include "runtime/reactor.h"
#include "runtime/virtual_clock.h"

namespace {

using namespace cirein;          // NOLINT: all of it is under test
using namespace cirein::fabric;  // NOLINT: all of it is under test
using namespace cirein::fuzz;    // NOLINT: all of it is under test

/// One side, and the peer that the input is.
class World final : public Service {
 public:
  explicit World(Input input) : input_(input) {
    home_ = std::move(*Reactor::Create(clock_, {.name = "home", .queue_max = 64}));
    transport_ = std::make_unique<FuzzTransport>(*home_);
    plain_.Register(*transport_, nullptr);
    region_.Register(*transport_, std::make_shared<MemoryRegion>(region_.bytes()));
    grants_ = {
        plain_.Make(*transport_, {64, 512}, Access::kRead),
        plain_.Make(*transport_, {1001, 1024}, Access::kWrite),
        plain_.Make(*transport_, {3072, 64}, Access::kAtomic),
        region_.Make(*transport_, {512, 1024}, Access::kRead | Access::kWrite | Access::kAtomic)};
    const Status connecting = transport_->Connect(
        "fuzz://there", *this, kNoDeadline, [this](Result<std::shared_ptr<Connection>> connected) {
          connection_ = std::static_pointer_cast<FuzzConnection>(*connected);
        });
    home_->RunUntilIdle();
    CIREIN_FUZZ_CHECK(connecting.ok() && connection_ != nullptr);
  }

  void Run() {
    for (int steps = 0; steps < kMostSteps && !input_.empty(); ++steps) {
      const std::uint8_t step = input_.Byte();
      Step(step % 16);
      if (step >= 128) home_->RunUntilIdle();
    }
    transport_.reset();
    for (const auto& own : own_) CIREIN_FUZZ_CHECK(own->is_called || is_dead_);
    plain_.Check();
    region_.Check();
    CIREIN_FUZZ_CHECK(connection_->Send({}).code() == StatusCode::kUnavailable);
  }

  void Connected(const std::shared_ptr<Connection>& /*connection*/) override { Never(); }
  void Message(const std::shared_ptr<Connection>& /*connection*/,
               std::span<const std::byte> message) override {
    CIREIN_FUZZ_CHECK(is_feeding_ && !is_told_end_ && AreSame(message, body_));
    React();
  }
  void Request(const std::shared_ptr<Connection>& /*connection*/, RequestId request,
               std::span<const std::byte> message) override {
    CIREIN_FUZZ_CHECK(is_feeding_ && !is_told_end_ && AreSame(message, body_));
    CIREIN_FUZZ_CHECK(std::find(asked_.begin(), asked_.end(), request) == asked_.end());
    asked_.push_back(request);
    CIREIN_FUZZ_CHECK(asked_.size() <= kLimits.outstanding_max);
    React();
  }
  void Closed(const std::shared_ptr<Connection>& connection, const Status& /*why*/) override {
    CIREIN_FUZZ_CHECK(connection == connection_ && !is_feeding_ && !is_closed_ && !is_dead_);
    CIREIN_FUZZ_CHECK(!std::exchange(is_told_end_, true));
    for (const auto& own : own_) CIREIN_FUZZ_CHECK(own->is_called);
    React();
  }

 private:
  /// What this side began.
  struct Own {
    std::uint64_t bytes = 0;        ///< What it counts as.
    std::uint64_t number = 0;       ///< 0: carried out here.
    std::vector<std::byte> memory;  ///< Gone once it was called: nobody may touch it then.
    bool is_called = false;
  };

  static void Never() { CIREIN_FUZZ_CHECK(false); }

  void Step(std::size_t step) {
    switch (step) {
      case 0:
      case 1:
      case 2:
      case 3:
        return FeedHead();
      case 4:
        return FeedBytes();
      case 5:
        return connection_->AddRoom(std::uint64_t{input_.Byte()} * 8);
      case 6:
        return connection_->ReadOn(std::uint64_t{input_.Byte()} * 8);
      case 7:
        clock_.Advance(std::chrono::milliseconds(input_.Byte()));
        return;
      case 8:
        return connection_->SwitchHere();
      case 9:
        return ChangeGrants(input_.Byte());
      case 10:
        return EndAll(input_.Byte());
      default:
        return Act(step - 10);
    }
  }

  /// In a callback.
  void React() { Act(input_.Below(8)); }

  void Act(std::size_t what) {
    switch (what) {
      case 1:
        return Send();
      case 2:
        return Ask();
      case 3:
        return Reply();
      case 4:
        return ReadOther();
      case 5:
        return Operate();
      case 6:
        return input_.Below(4) == 0 ? Close() : Send();
      default:
        return;
    }
  }

  void ChangeGrants(std::size_t what) {
    GrantedMemory& memory = what % 2 == 0 ? plain_ : region_;
    if (what % 8 == 7) return memory.Unregister(*transport_);
    memory.Revoke(*transport_, what / 8);
  }

  void EndAll(std::uint8_t how) {
    if (how % 4 == 1) Close();
    if (how % 4 == 2) connection_->End(Unavailable("its carrier is gone"));
    if (how % 16 == 3) {
      transport_->Die();
      is_dead_ = true;
    }
  }
  void Close() {
    is_closed_ = true;
    connection_->Close();
  }

  // --- What this side does ---

  std::uint64_t Size() {
    const std::uint64_t size = input_.Byte();
    return size < 128 ? size : (size - 127) * 80;
  }
  Deadline SomeDeadline() {
    const std::uint8_t ms = input_.Byte();
    if (ms == 255) return Deadline();
    return ms >= 128 ? kNoDeadline : Deadline(std::chrono::milliseconds(ms));
  }
  const Grant& SomeGrant() { return grants_[input_.Below(grants_.size())]; }

  /// A call that failed at once must have had to.
  void CheckRefusal(const Status& why, std::uint64_t bytes, const Tally& tally) const {
    const bool is_open = connection_->is_open();
    CIREIN_FUZZ_CHECK((why.code() == StatusCode::kUnavailable) == !is_open);
    if (!is_open) return;
    const bool is_long = bytes > kLimits.message_bytes_max;
    if (is_long && why.code() == StatusCode::kInvalidArgument) return;
    CIREIN_FUZZ_CHECK(why.code() == StatusCode::kResourceExhausted && !tally.Fits(bytes));
  }

  void Send() {
    const std::uint64_t bytes = Size();
    const std::span<const std::byte> part = OwnBytes(0, bytes);
    const Status sent = connection_->Send({&part, 1});
    if (!sent.ok()) return CheckRefusal(sent, bytes, connection_->begun);
    connection_->begun.Add(bytes);
  }

  void Reply() {
    const std::uint64_t bytes = Size();
    const std::size_t which = input_.Byte();
    const RequestId request = asked_.empty() ? which : asked_[which % asked_.size()];
    const std::array parts = {OwnBytes(0, bytes / 3), OwnBytes(bytes / 3, bytes - bytes / 3)};
    const Status replied = connection_->Reply(request, parts);
    if (asked_.empty() && replied.code() == StatusCode::kNotFound) return;
    if (!replied.ok()) return CheckRefusal(replied, bytes, connection_->replies);
    connection_->replies.Add(bytes);
    CIREIN_FUZZ_CHECK(std::erase(asked_, request) == 1);
  }

  template <typename Call>
  void Begin(const std::shared_ptr<Own>& own, const Call& call) {
    is_calling_ = true;
    const Status begun = call();
    is_calling_ = false;
    const bool was_here = connection_->TakeWasHere();
    if (!begun.ok()) return CheckRefusal(begun, own->bytes, connection_->begun);
    connection_->begun.Add(own->bytes);
    own_.push_back(own);
    // The connection counts in the same way.
    if (!was_here) own->number = numbers_.Add(own);
  }

  /// The connection has let go of the one that it waited for.
  void Answered(const Own& own) {
    connection_->begun.Remove(own.bytes);
    numbers_.Take(own.number);
    answering_ = 0;
  }

  template <typename Answer>
  void Called(Own& own, const Answer& answer) {
    CIREIN_FUZZ_CHECK(!std::exchange(own.is_called, true));
    CIREIN_FUZZ_CHECK(!is_calling_ && !is_dead_ && !is_told_end_);
    CIREIN_FUZZ_CHECK(answer.ok() == (own.number == 0 || (is_feeding_ && head_.status == 0)));
    if (own.number == 0) {
      connection_->begun.Remove(own.bytes);
    } else if (is_feeding_) {
      CIREIN_FUZZ_CHECK(own.number == answering_);
      Answered(own);
    }
    std::vector<std::byte>().swap(own.memory);
    React();
  }

  void Ask() {
    const auto own = std::make_shared<Own>();
    own->bytes = Size();
    const std::span<const std::byte> part = OwnBytes(0, own->bytes);
    const Deadline deadline = SomeDeadline();
    Begin(own, [&] {
      return connection_->Request({&part, 1}, deadline,
                                  [this, own](const Result<std::span<const std::byte>>& reply) {
                                    CIREIN_FUZZ_CHECK(!reply.ok() || AreSame(*reply, body_));
                                    Called(*own, reply);
                                  });
    });
  }

  void ReadOther() {
    const auto own = std::make_shared<Own>();
    own->bytes = Size();
    own->memory.resize(own->bytes);
    const Deadline deadline = SomeDeadline();
    const Grant grant = SomeGrant();
    Begin(own, [&] {
      return connection_->Read(grant, 1, own->memory, deadline, [this, own](const Status& status) {
        const bool came = status.ok() && own->number != 0;
        CIREIN_FUZZ_CHECK(!came || AreSame(own->memory, body_));
        Called(*own, status);
      });
    });
  }

  void Operate() {
    const auto own = std::make_shared<Own>();
    const auto done = [this, own](const Status& status) { Called(*own, status); };
    const auto word = [this, own](const Result<std::uint64_t>& before) {
      CIREIN_FUZZ_CHECK(!before.ok() || own->number == 0 || *before == head_.word);
      Called(*own, before);
    };
    const Deadline deadline = SomeDeadline();
    const Grant grant = SomeGrant();
    switch (input_.Below(4)) {
      case 0:
        own->bytes = Size();
        own->memory.assign(OwnBytes(0, own->bytes).begin(), OwnBytes(0, own->bytes).end());
        return Begin(own,
                     [&] { return connection_->Write(grant, 1, own->memory, deadline, done); });
      case 1:
        own->bytes = 8;
        return Begin(own, [&] {
          return connection_->CompareAndSwap(grant, 8, {1, 2}, deadline, word);
        });
      case 2:
        own->bytes = 8;
        return Begin(own, [&] { return connection_->FetchAdd(grant, 8, 1, deadline, word); });
      default:
        return Begin(own, [&] { return connection_->Persist(grant, {0, 8}, deadline, done); });
    }
  }

  // --- What the peer says ---

  bool IsAnswer() const {
    const auto kind = static_cast<PacketCode>(head_.kind);
    return kind == PacketCode::kReply || kind == PacketCode::kDone;
  }
  bool IsOperation() const {
    return head_.kind >= static_cast<std::uint8_t>(PacketCode::kRead) &&
           head_.kind <= static_cast<std::uint8_t>(PacketCode::kPersist);
  }

  std::uint64_t SomeNumber() {
    const std::uint8_t which = input_.Byte();
    if (which == 255) return input_.Value<std::uint64_t>();
    if (!IsAnswer() || own_.empty() || which >= 240) return which % 16;
    return own_[own_.size() - 1 - which % std::min<std::size_t>(own_.size(), 16)]->number;
  }

  std::uint64_t SomeBytes() {
    const std::uint8_t which = input_.Byte();
    if (which == 255) return input_.Value<std::uint64_t>();
    if (which >= 240) return input_.Value<std::uint16_t>();
    const auto kind = static_cast<PacketCode>(head_.kind);
    const std::uint64_t bytes = which < 128 ? which : (which - 127) * std::uint64_t{72};
    if (kind == PacketCode::kWrite) return sizeof(OperationHead) + bytes;
    if (IsOperation()) return sizeof(OperationHead);
    const std::shared_ptr<Own>* const own = numbers_.Find(head_.number);
    if (kind != PacketCode::kDone || own == nullptr || head_.status != 0) return bytes;
    return (*own)->memory.empty() ? 0 : (*own)->bytes;
  }

  void MakeHead() {
    head_ = {};
    head_.kind = input_.Byte();
    // One of what is known, but for a few.
    if (head_.kind < 240) head_.kind = static_cast<std::uint8_t>(1 + head_.kind % 9);
    const std::uint8_t status = IsAnswer() ? input_.Byte() : std::uint8_t{0};
    if (status >= 128) head_.status = static_cast<std::uint8_t>(status - 128);
    head_.number = SomeNumber();
    head_.bytes = SomeBytes();
    head_.word = head_.number + status;
  }

  OperationHead MakeOperation() {
    const Grant& grant = SomeGrant();
    const std::uint8_t wrong = input_.Byte();
    OperationHead operation{.grant = grant.id, .key = grant.key, .offset = Size()};
    operation.bytes = head_.bytes - sizeof operation;
    if (static_cast<PacketCode>(head_.kind) != PacketCode::kWrite) operation.bytes = Size();
    operation.word = input_.Byte();
    operation.other = operation.word + 1;
    // Most of them are right.
    if (wrong >= 128) {
      if ((wrong & 1) != 0) operation.key ^= 1;
      if ((wrong & 2) != 0) operation.grant = input_.Byte();
      if ((wrong & 4) != 0) operation.offset = input_.Value<std::uint64_t>();
      if ((wrong & 8) != 0) operation.bytes = input_.Value<std::uint64_t>();
    }
    return operation;
  }

  void MakeBody() {
    body_.assign(head_.bytes < kTooManyBytes ? head_.bytes : 0, std::byte{input_.Byte()});
    if (!IsOperation() || body_.size() < sizeof(OperationHead)) return;
    const OperationHead operation = MakeOperation();
    std::memcpy(body_.data(), &operation, sizeof operation);
  }

  // --- What it should do ---

  std::optional<std::span<std::byte>> Find(const OperationHead& operation, std::uint64_t bytes,
                                           Access asked) {
    const auto plain = plain_.Find(operation, bytes, asked);
    return plain ? plain : region_.Find(operation, bytes, asked);
  }

  /// What the packet's next bytes should do, the last of which ends at fed_.
  void Expect(std::size_t from) {
    OperationHead operation;
    if (!IsOperation() || fed_ < sizeof operation || fed_ > head_.bytes) return;
    std::memcpy(&operation, body_.data(), sizeof operation);
    const auto kind = static_cast<PacketCode>(head_.kind);
    if (kind == PacketCode::kWrite) return ExpectWrite(operation, from);
    if (head_.bytes != sizeof operation) return;
    FuzzConnection::Answer answer{.number = head_.number, .is_ok = false, .word = 0, .bytes = {}};
    if (kind == PacketCode::kRead) {
      const auto place = Find(operation, operation.bytes, Access::kRead);
      answer.is_ok = place.has_value();
      if (place) answer.bytes.assign(place->begin(), place->end());
    } else if (kind == PacketCode::kPersist) {
      answer.is_ok = region_.Find(operation, operation.bytes, Access::kWrite).has_value();
    } else {
      ExpectWord(operation, answer);
    }
    connection_->answers.push_back(std::move(answer));
  }

  void ExpectWord(const OperationHead& operation, FuzzConnection::Answer& answer) {
    const auto place = Find(operation, sizeof answer.word, Access::kAtomic);
    // It is aligned as the memory itself.
    if (!place) return;
    const auto address = reinterpret_cast<std::uintptr_t>(place->data());  // NOLINT: low bits
    if (address % sizeof answer.word != 0) return;
    answer.is_ok = true;
    std::memcpy(&answer.word, place->data(), sizeof answer.word);
    std::uint64_t after = answer.word + operation.word;
    if (static_cast<PacketCode>(head_.kind) == PacketCode::kSwap) {
      after = answer.word == operation.word ? operation.other : answer.word;
    }
    std::memcpy(place->data(), &after, sizeof after);
  }

  void ExpectWrite(const OperationHead& operation, std::size_t from) {
    if (operation.bytes != head_.bytes - sizeof operation) return;
    const auto place = Find(operation, operation.bytes, Access::kWrite);
    if (from < sizeof operation) may_write_ = true;
    const std::size_t first = std::max(from, sizeof operation);
    // What follows when it was revoked says so, unless nothing does.
    if (!place && (from < sizeof operation || first < fed_)) may_write_ = false;
    if (may_write_ && first < fed_) {
      const auto piece = std::span(body_).subspan(first, fed_ - first);
      std::copy(piece.begin(), piece.end(), place->subspan(first - sizeof operation).begin());
    }
    if (fed_ == head_.bytes) {
      connection_->answers.push_back({head_.number, may_write_, 0, {}});
    }
  }

  void FeedHead() {
    const bool is_early = connection_->in_packet();
    if (!connection_->is_open()) return;
    MakeHead();
    MakeBody();
    fed_ = 0;
    answering_ = IsAnswer() ? head_.number : 0;
    is_feeding_ = true;
    const Status taken = connection_->TakeHead(head_);
    is_feeding_ = false;
    CIREIN_FUZZ_CHECK(!taken.ok() || (!is_early && head_.bytes < kTooManyBytes));
    Judge(taken);
    FeedBytes();
  }

  /// In pieces, until the input says that it is enough for now.
  void FeedBytes() {
    while (connection_->is_open() && (connection_->in_packet() || input_.Below(32) == 1)) {
      const std::uint8_t length = input_.Byte();
      if (length == 0) return;
      const std::size_t left = body_.size() - fed_;
      std::size_t bytes = length >= 128 ? left : std::min<std::size_t>(left, length);
      if (length == 253) bytes = 0;
      // One more than there may be.
      if (length == 254) body_.resize(fed_ + ++bytes);
      // At its own place, so that it is seen when more is looked at.
      const auto from = body_.begin() + static_cast<std::ptrdiff_t>(fed_);
      const std::vector<std::byte> piece(from, from + static_cast<std::ptrdiff_t>(bytes));
      fed_ += bytes;
      if (connection_->in_packet()) Expect(fed_ - bytes);
      is_feeding_ = true;
      const Status taken =
          connection_->TakeBytes(piece, length % 2 == 0 ? FuzzConnection::Shared::kWithPeer
                                                        : FuzzConnection::Shared::kWithNobody);
      is_feeding_ = false;
      CIREIN_FUZZ_CHECK(length != 254 || !taken.ok());
      Judge(taken);
    }
  }

  /// After what was fed, as a carrier does.
  void Judge(const Status& taken) {
    if (!taken.ok()) {
      CIREIN_FUZZ_CHECK(taken.code() == StatusCode::kUnavailable);
      return connection_->End(taken);
    }
    if (connection_->in_packet() || !connection_->is_open()) return;
    CIREIN_FUZZ_CHECK(connection_->answers.size() <= kLimits.outstanding_max);
    if (answering_ == 0) return;
    // It was taken, but nobody was called: since they had been, when their time was over.
    const std::shared_ptr<Own>* const own = numbers_.Find(answering_);
    CIREIN_FUZZ_CHECK(own != nullptr && (*own)->is_called);
    Answered(**own);
  }

  Input input_;
  VirtualClock clock_;
  std::unique_ptr<Reactor> home_;
  GrantedMemory plain_;
  GrantedMemory region_;
  std::unique_ptr<FuzzTransport> transport_;
  std::shared_ptr<FuzzConnection> connection_;
  std::vector<Grant> grants_;

  std::vector<std::shared_ptr<Own>> own_;
  PendingTable<std::shared_ptr<Own>> numbers_;
  std::vector<RequestId> asked_;
  bool is_calling_ = false;
  bool is_closed_ = false;
  bool is_dead_ = false;
  bool is_told_end_ = false;

  // The packet that comes.
  PacketHead head_;
  std::vector<std::byte> body_;
  std::size_t fed_ = 0;
  bool may_write_ = false;
  std::uint64_t answering_ = 0;  // The number of an answer that was not taken yet.
  bool is_feeding_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World(Input(std::as_bytes(std::span(data, size)))).Run();
  return 0;
}
