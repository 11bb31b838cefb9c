// SPDX-License-Identifier: Apache-2.0

// A peer that says anything of memory that is lent, to one side that borrows and lends: what is
// mapped can be used for as long as it is used, and what was lent is held until it was given back
// or nobody is in the middle of using it.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unistd.h>
#include <utility>
#include <vector>

#include <sys/mman.h>

#include "check.h"
#include "fabric/shm/borrower.h"
#include "fabric/shm/lender.h"
#include "fabric/shm/segment.h"

namespace {

using namespace cirein;          // NOLINT: all of it is under test
using namespace cirein::fabric;  // NOLINT: all of it is under test

constexpr std::size_t kFileBytes = 8192;
constexpr std::uint64_t kGrants = 80;  // More than there are lines.
constexpr std::size_t kUsesMax = 4;

enum class Sealed : std::uint8_t { kYes, kNo };
FileDescriptor MakeFile(Sealed sealed) {
  FileDescriptor file(memfd_create("lent", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const std::vector<std::byte> bytes(kFileBytes);
  CIREIN_FUZZ_CHECK(write(file.get(), bytes.data(), bytes.size()) == ssize_t{kFileBytes});
  if (sealed == Sealed::kYes) CIREIN_FUZZ_CHECK(fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK) == 0);
  return file;
}

/// What a peer may send with what it says; the first is none.
const FileDescriptor& SomeFile(std::size_t which) {
  static const std::array<FileDescriptor, 4> files = {
      FileDescriptor(), MakeFile(Sealed::kYes), MakeFile(Sealed::kNo),
      FileDescriptor(open("/dev/null", O_RDWR | O_CLOEXEC))};
  return files[which % files.size()];
}

std::shared_ptr<const Segment> TheSegment() {
  static const std::shared_ptr<const Segment> segment = std::move(*Segment::Create(4096));
  return segment;
}

class NoRegion final : public Region {
 public:
  NoRegion() : Region("lent", 0) {}
  Status Write(std::uint64_t /*offset*/, std::span<const std::byte> /*bytes*/) override {
    return OkStatus();
  }
  Status Persist(std::uint64_t /*offset*/, std::uint64_t /*bytes*/, PersistSite /*site*/) override {
    return OkStatus();
  }
};

class World {
 public:
  explicit World(std::span<const std::byte> input) : input_(input) {
    for (unsigned line = 0; line < kLoansMax; ++line) {
      TheSegment()->loan(0, line) = {};
      TheSegment()->loan(1, line) = {};
    }
  }

  void Run() {
    while (!input_.empty()) Step(Byte() % 10);
    while (!uses_.empty()) EndUse();
    // Else the lender would wait for it.
    for (unsigned line = 0; line < kLoansMax; ++line) TheSegment()->loan(0, line).in_use = 0;
    for (const std::uint64_t grant : lender_->End()) {
      CIREIN_FUZZ_CHECK(lent_.contains(grant) && loans_.Settle(grant, *lender_));
    }
    for (const auto& [grant, lent] : lent_) CIREIN_FUZZ_CHECK(lent.region.expired());
    CIREIN_FUZZ_CHECK(loans_.quarantined() == 0);
    std::unique_lock lock(mutex_);
    borrower_.Clear(lock);
  }

 private:
  struct Lent {
    unsigned line;
    std::weak_ptr<Region> region;
    bool is_revoked = false;
  };

  std::uint8_t Byte() {
    if (input_.empty()) return 0;
    const auto byte = static_cast<std::uint8_t>(input_.front());
    input_ = input_.subspan(1);
    return byte;
  }
  std::uint64_t SomeGrant() { return Byte() % kGrants; }
  std::uint64_t Number() {
    const std::uint8_t byte = Byte();
    if (byte < 250) return byte * std::uint64_t{33};
    std::uint64_t number = 0;
    for (int i = 0; i < 8; ++i) number = number << 8 | Byte();
    return number;
  }
  LoanMessage Message() {
    const std::uint32_t line = Byte() % (kLoansMax + 2);
    return {.line = line, .grant = SomeGrant(), .bytes = Number(), .access = Byte() % 10U};
  }

  void Step(int step) {
    std::optional<LoanMessage> answer;
    switch (step) {
      case 0:
      case 1:
        return Begin();
      case 2:
        return uses_.empty() ? void() : EndUse();
      case 3: {
        const LoanMessage lend = Message();
        static_cast<void>(borrower_.TakeLend(lend, SomeFile(Byte()), answer));
        return CheckAnswer(lend, answer);
      }
      case 4:
        static_cast<void>(borrower_.TakeRefuse(Message()));
        return;
      case 5: {
        const LoanMessage withdraw = Message();
        static_cast<void>(borrower_.TakeWithdraw(withdraw, answer));
        return CheckAnswer(withdraw, answer);
      }
      case 6:
        return TakeMessages();
      case 7:
        return Lend(SomeGrant());
      case 8:
        return Release(Message());
      default:
        return Revoke(SomeGrant());
    }
  }

  // --- What this side borrows ---

  void Begin() {
    const auto kind =
        static_cast<PacketCode>(static_cast<std::uint8_t>(PacketCode::kRead) + Byte() % 5);
    OperationHead operation{.grant = SomeGrant(), .key = Byte() % 2U, .offset = Number()};
    const bool is_word = kind == PacketCode::kSwap || kind == PacketCode::kAdd;
    operation.bytes = is_word ? sizeof operation.word : Number();
    if (uses_.size() >= kUsesMax) return;
    auto use = borrower_.Begin(kind, operation);
    if (!use) return;
    CIREIN_FUZZ_CHECK(operation.bytes <= kFileBytes);
    CIREIN_FUZZ_CHECK(operation.offset <= kFileBytes - operation.bytes);
    uses_.push_back({kind, operation, std::move(*use)});
  }

  /// It is there until then, whatever was said meanwhile.
  void EndUse() {
    Use use = std::move(uses_.back());
    uses_.pop_back();
    std::vector<std::byte> bytes(use.operation.bytes);
    Borrower::Operate(use.kind, use.operation, use.use, bytes, bytes);
    borrower_.End(std::move(use.use));
  }

  void CheckAnswer(const LoanMessage& said, const std::optional<LoanMessage>& answer) const {
    if (!answer) return;
    // What is given back at once is not in use.
    for (const Use& use : uses_) CIREIN_FUZZ_CHECK(use.operation.grant != answer->grant);
    CIREIN_FUZZ_CHECK(answer->kind == LoanKind::kRelease && answer->grant == said.grant);
    CIREIN_FUZZ_CHECK(answer->line == said.line && said.line < kLoansMax);
  }

  void TakeMessages() {
    for (const LoanMessage& message : borrower_.TakeMessages()) {
      CIREIN_FUZZ_CHECK(message.kind == LoanKind::kAsk || message.kind == LoanKind::kRelease);
      CIREIN_FUZZ_CHECK(message.line < kLoansMax);
    }
    CIREIN_FUZZ_CHECK(!borrower_.has_messages());
  }

  // --- What this side lends ---

  void Lend(std::uint64_t grant) {
    CIREIN_FUZZ_CHECK(lender_->HasLent(grant) == lent_.contains(grant));
    if (lent_.contains(grant)) return;
    const std::optional<unsigned> line = lender_->Lend(grant);
    CIREIN_FUZZ_CHECK(line.has_value() == (lent_.size() < kLoansMax));
    if (!line) return;
    const auto region = std::make_shared<NoRegion>();
    loans_.Add(grant, lender_, region);
    lent_[grant] = {*line, region};
  }

  void Release(const LoanMessage& release) {
    const auto found = lent_.find(release.grant);
    // Most of them are right.
    const bool right = found != lent_.end() && release.access != 0;
    const unsigned line = right ? found->second.line : release.line;
    const bool was_lent = found != lent_.end() && found->second.line == line;
    CIREIN_FUZZ_CHECK(lender_->Release(line, release.grant) == was_lent);
    if (!was_lent) return;
    loans_.Remove(release.grant, *lender_);
    CIREIN_FUZZ_CHECK(found->second.region.expired());
    lent_.erase(found);
  }

  /// The peer says whether it is in the middle of an operation.
  void Revoke(std::uint64_t grant) {
    const auto found = lent_.find(grant);
    const bool in_use = Byte() % 2 == 1;
    if (found == lent_.end()) return lender_->Revoke(grant);
    LoanLine& line = TheSegment()->loan(0, found->second.line);
    line.in_use = in_use ? 1 : 0;
    const auto revoked =
        loans_.Revoke({.grants = {grant}, .region = found->second.region.lock(), .keeps = nullptr});
    const bool is_held = !found->second.region.expired();
    CIREIN_FUZZ_CHECK(revoked.empty() || is_held);
    CIREIN_FUZZ_CHECK(line.revoked == 1);
    CIREIN_FUZZ_CHECK(loans_.Settle(grant, *lender_) == (!is_held || !in_use));
    CIREIN_FUZZ_CHECK(found->second.region.expired() == (!is_held || !in_use));
    for (const LoanMessage& withdrawal : lender_->TakeWithdrawals()) {
      CIREIN_FUZZ_CHECK(withdrawal.grant == grant && withdrawal.line == found->second.line);
      CIREIN_FUZZ_CHECK(!std::exchange(found->second.is_revoked, true));
    }
    CIREIN_FUZZ_CHECK(found->second.is_revoked);
  }

  struct Use {
    PacketCode kind;
    OperationHead operation;
    Borrower::Use use;
  };

  std::span<const std::byte> input_;
  std::mutex mutex_;
  Borrower borrower_{TheSegment(), 1, Mappings::kFiles};
  std::vector<Use> uses_;
  const std::shared_ptr<Lender> lender_ =
      std::make_shared<Lender>(TheSegment(), 0, FileDescriptor());
  Loans loans_;
  std::map<std::uint64_t, Lent> lent_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World(std::as_bytes(std::span(data, std::min<std::size_t>(size, 2000)))).Run();
  return 0;
}
