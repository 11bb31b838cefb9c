// SPDX-License-Identifier: Apache-2.0
#include "fabric/shm/borrower.h"

#include <cstring>
#include <fcntl.h>
#include <utility>

#include <sys/stat.h>

namespace cirein::fabric {
namespace {

constexpr std::size_t kAskedMax = 16;
constexpr std::size_t kRefusedMax = 1024;
constexpr std::uint64_t kWordBytes = sizeof(std::uint64_t);

/// Tells the owner that an operation is under way.
class Use {
 public:
  explicit Use(LoanLine& line) : line_(line) {
    std::atomic_ref<std::uint32_t>(line_.in_use).store(1, std::memory_order_seq_cst);
  }
  ~Use() { std::atomic_ref<std::uint32_t>(line_.in_use).store(0, std::memory_order_release); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  bool is_revoked() const {
    return std::atomic_ref<std::uint32_t>(line_.revoked).load(std::memory_order_seq_cst) != 0;
  }

 private:
  LoanLine& line_;
};

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

std::uint64_t Operate(PacketCode kind, const OperationHead& operation, std::byte* place,
                      std::span<const std::byte> bytes, std::span<std::byte> into) {
  if (kind == PacketCode::kRead) {
    if (!into.empty()) std::memcpy(into.data(), place, into.size());
    return 0;
  }
  if (kind == PacketCode::kWrite) {
    if (!bytes.empty()) std::memcpy(place, bytes.data(), bytes.size());
    return 0;
  }
  // As its owner does it.
  const std::atomic_ref<std::uint64_t> word(*reinterpret_cast<std::uint64_t*>(place));  // NOLINT
  if (kind == PacketCode::kAdd) return word.fetch_add(operation.word);
  std::uint64_t before = operation.word;
  word.compare_exchange_strong(before, operation.other);
  return before;
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

std::optional<std::uint64_t> Borrower::TryOperation(PacketCode kind, const OperationHead& operation,
                                                    std::span<const std::byte> bytes,
                                                    std::span<std::byte> into) {
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
  // What is not in order is told by the other side, in its words.
  const bool is_word = kind == PacketCode::kSwap || kind == PacketCode::kAdd;
  if (!Allows(loan.access, Needed(kind)) || !IsIn(operation, loan.mapping->bytes()) ||
      (is_word && operation.offset % kWordBytes != 0)) {
    return std::nullopt;
  }
  const Use use(segment_->loan(side_, loan.line));
  if (use.is_revoked()) return std::nullopt;
  return Operate(kind, operation, loan.mapping->begin() + operation.offset, bytes, into);
}

void Borrower::Ask(std::uint64_t grant, std::uint64_t key) {
  // Another time: by then some are answered.
  if (asked_ >= kAskedMax) return;
  ++asked_;
  Loan loan;
  loan.key = key;
  loans_.emplace(grant, std::move(loan));
  asks_.push_back({.kind = LoanKind::kAsk, .grant = grant, .key = key});
  has_asks_.store(true, std::memory_order_release);
}

std::vector<LoanMessage> Borrower::TakeAsks() {
  has_asks_.store(false, std::memory_order_relaxed);
  return std::exchange(asks_, {});
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
      loan.line = lend.line;
      loan.access = lend.access;
      loan.mapping.emplace(std::move(*mapping));
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
  // Given back already, when it came.
  if (found == loans_.end() || found->second.state == Loan::State::kRefused) return true;
  if (found->second.state != Loan::State::kMapped || found->second.line != withdraw.line) {
    return false;
  }
  loans_.erase(found);
  answer = LoanMessage{.kind = LoanKind::kRelease, .line = withdraw.line, .grant = withdraw.grant};
  return true;
}

void Borrower::Clear() {
  segment_.reset();
  loans_.clear();
  asks_.clear();
  has_asks_.store(false, std::memory_order_relaxed);
  asked_ = 0;
  refused_ = 0;
}

}  // namespace cirein::fabric
