// SPDX-License-Identifier: Apache-2.0
#include "fabric/shm/borrower.h"

#include <cstring>
#include <fcntl.h>
#include <utility>

#include <sys/stat.h>

#include "region/mapping.h"

namespace cirein::fabric {
namespace {

constexpr std::size_t kAskedMax = 16;
constexpr std::size_t kRefusedMax = 1024;
constexpr std::uint64_t kWordBytes = sizeof(std::uint64_t);

Access Needed(PacketCode kind) {
  switch (kind) {
    case PacketCode::kRead:
      return Access::kRead;
    case PacketCode::kWrite:
      return Access::kWrite;
    default:
      return Access::kAtomic;
  }
}

bool Allows(std::uint64_t held, Access asked) {
  return (held & static_cast<std::uint8_t>(asked)) != 0;
}

bool IsIn(const OperationHead& operation, std::uint64_t bytes) {
  return operation.offset <= bytes && operation.bytes <= bytes - operation.offset;
}

/// Can all of it be accessed without a signal, for as long as its owner does not shorten it?
bool IsWhole(int file, std::uint64_t bytes, Mappings mappings) {
  struct stat facts {};
  if (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_size <= 0) return false;
  if (bytes == 0 || static_cast<std::uint64_t>(facts.st_size) < bytes) return false;
  const int seals = fcntl(file, F_GET_SEALS);
  const bool sealed = seals >= 0 && (seals & F_SEAL_SHRINK) != 0;
  if (!sealed && mappings == Mappings::kMemory) return false;
  // A hole would need room when it is touched.
  constexpr std::uint64_t kBlockBytes = 512;
  return static_cast<std::uint64_t>(facts.st_blocks) >= bytes / kBlockBytes;
}

}  // namespace

struct Borrower::Mapped {
  FileMapping mapping;
  std::uint64_t grant;
  std::uint32_t line;
  std::uint64_t access;
  unsigned uses = 0;
  bool is_withdrawn = false;  // Given back after the last use.
};

LoanLine& Borrower::LineOf(const Mapped& mapped) const {
  return segment_->loan(side_, mapped.line);
}

std::optional<Borrower::Use> Borrower::Begin(PacketCode kind, const OperationHead& operation) {
  if (mappings_ == Mappings::kNone || kind == PacketCode::kPersist) return std::nullopt;
  const auto found = loans_.find(operation.grant);
  if (found == loans_.end()) {
    Ask(operation.grant, operation.key);
    return std::nullopt;
  }
  Loan& loan = found->second;
  if (loan.key != operation.key && loan.state == Loan::State::kRefused) {
    --refused_;
    loans_.erase(found);
    Ask(operation.grant, operation.key);
    return std::nullopt;
  }
  if (loan.state != Loan::State::kMapped || loan.key != operation.key) return std::nullopt;
  Mapped& mapped = *loan.mapped;
  if (mapped.is_withdrawn) return std::nullopt;
  // What is not in order is told by the other side, in its words.
  const bool is_word = kind == PacketCode::kSwap || kind == PacketCode::kAdd;
  if (!Allows(mapped.access, Needed(kind)) || !IsIn(operation, mapped.mapping.bytes()) ||
      (is_word && operation.offset % kWordBytes != 0)) {
    return std::nullopt;
  }
  // Tells the owner that an operation is under way, then looks whether it may be.
  ++uses_;
  if (++mapped.uses == 1) {
    std::atomic_ref<std::uint32_t>(LineOf(mapped).in_use).store(1, std::memory_order_seq_cst);
  }
  Use use{loan.mapped, mapped.mapping.begin() + operation.offset};
  const std::atomic_ref<std::uint32_t> revoked(LineOf(mapped).revoked);
  if (revoked.load(std::memory_order_seq_cst) == 0) return use;
  End(std::move(use));
  return std::nullopt;
}

std::uint64_t Borrower::Operate(PacketCode kind, const OperationHead& operation, const Use& use,
                                std::span<const std::byte> bytes, std::span<std::byte> into) {
  if (kind == PacketCode::kRead) {
    if (!into.empty()) std::memcpy(into.data(), use.place, into.size());
    return 0;
  }
  if (kind == PacketCode::kWrite) {
    if (!bytes.empty()) std::memcpy(use.place, bytes.data(), bytes.size());
    return 0;
  }
  // As its owner does it.
  const std::atomic_ref<std::uint64_t> word(
      *reinterpret_cast<std::uint64_t*>(use.place));  // NOLINT
  if (kind == PacketCode::kAdd) return word.fetch_add(operation.word);
  std::uint64_t before = operation.word;
  word.compare_exchange_strong(before, operation.other);
  return before;
}

void Borrower::End(Use use) {
  const std::shared_ptr<Mapped> ended = std::move(use.mapped);
  Mapped& mapped = *ended;
  if (--mapped.uses == 0) {
    std::atomic_ref<std::uint32_t>(LineOf(mapped).in_use).store(0, std::memory_order_release);
    if (mapped.is_withdrawn) {
      loans_.erase(mapped.grant);
      PutMessage({.kind = LoanKind::kRelease, .line = mapped.line, .grant = mapped.grant});
    }
  }
  if (--uses_ == 0) unused_.notify_all();
}

void Borrower::PutMessage(const LoanMessage& message) {
  messages_.push_back(message);
  has_messages_.store(true, std::memory_order_release);
}

void Borrower::Ask(std::uint64_t grant, std::uint64_t key) {
  // Another time: by then some are answered.
  if (asked_ >= kAskedMax) return;
  ++asked_;
  Loan loan;
  loan.key = key;
  loans_.emplace(grant, std::move(loan));
  PutMessage({.kind = LoanKind::kAsk, .grant = grant, .key = key});
}

std::vector<LoanMessage> Borrower::TakeMessages() {
  has_messages_.store(false, std::memory_order_relaxed);
  return std::exchange(messages_, {});
}

void Borrower::Refuse(Loan& loan) {
  loan.state = Loan::State::kRefused;
  if (++refused_ <= kRefusedMax) return;
  // Whoever still has them asks once more.
  std::erase_if(loans_, [](const auto& one) { return one.second.state == Loan::State::kRefused; });
  refused_ = 0;
}

bool Borrower::TakeLend(const LoanMessage& lend, const FileDescriptor& file,
                        std::optional<LoanMessage>& answer) {
  const auto found = loans_.find(lend.grant);
  constexpr auto kAll = static_cast<std::uint8_t>(Access::kRead | Access::kWrite | Access::kAtomic);
  if (found == loans_.end() || found->second.state != Loan::State::kAsked ||
      lend.line >= kLoansMax || (lend.access & ~std::uint64_t{kAll}) != 0 ||
      !Allows(lend.access, Access::kRead)) {
    return false;
  }
  --asked_;
  Loan& loan = found->second;
  const bool writable = lend.access != static_cast<std::uint8_t>(Access::kRead);
  if (file.is_open() && IsWhole(file.get(), lend.bytes, mappings_)) {
    auto mapping = FileMapping::Map(
        file.get(), lend.bytes,
        writable ? RegionSpace::Access::kReadWrite : RegionSpace::Access::kReadOnly, "lent memory");
    if (mapping.ok()) {
      loan.state = Loan::State::kMapped;
      loan.mapped =
          std::make_shared<Mapped>(Mapped{std::move(*mapping), lend.grant, lend.line, lend.access});
      return true;
    }
  }
  // It did not come, or is not what may be mapped: then by packets.
  answer = LoanMessage{.kind = LoanKind::kRelease, .line = lend.line, .grant = lend.grant};
  Refuse(loan);
  return true;
}

bool Borrower::TakeRefuse(const LoanMessage& refuse) {
  const auto found = loans_.find(refuse.grant);
  if (found == loans_.end() || found->second.state != Loan::State::kAsked) return false;
  --asked_;
  Refuse(found->second);
  return true;
}

bool Borrower::TakeWithdraw(const LoanMessage& withdraw, std::optional<LoanMessage>& answer) {
  if (withdraw.line >= kLoansMax) return false;
  const auto found = loans_.find(withdraw.grant);
  // Given back already, when it came, and perhaps asked for again.
  if (found == loans_.end() || found->second.state != Loan::State::kMapped) return true;
  if (found->second.mapped->line != withdraw.line) return false;
  // Its line is the next one's as soon as it is given back.
  found->second.mapped->is_withdrawn = true;
  if (found->second.mapped->uses > 0) return true;
  loans_.erase(found);
  answer = LoanMessage{.kind = LoanKind::kRelease, .line = withdraw.line, .grant = withdraw.grant};
  return true;
}

void Borrower::Clear(std::unique_lock<std::mutex>& lock) {
  unused_.wait(lock, [this] { return uses_ == 0; });
  segment_.reset();
  loans_.clear();
  messages_.clear();
  has_messages_.store(false, std::memory_order_relaxed);
  asked_ = 0;
  refused_ = 0;
}

}  // namespace cirein::fabric
