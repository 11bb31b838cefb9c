// SPDX-License-Identifier: Apache-2.0
#include "dpm/read_epochs.h"

#include <utility>

#include "base/fatal.h"

namespace cirein::dpm {

// Why a reader that Passed did not see cannot see what was unlinked: a reader takes its seat and
// then looks at the epoch again; Retire raises the epoch and then Passed looks at the seat. All
// four are sequentially consistent, so if Passed missed the seat, the reader saw the raised epoch,
// and with it all that was stored before Retire.

ReadEpochs::Reader::Reader(Reader&& other) noexcept
    : epochs_(std::exchange(other.epochs_, nullptr)),
      seat_(std::exchange(other.seat_, -1)),
      depth_(std::exchange(other.depth_, 0)) {}

ReadEpochs::Reader& ReadEpochs::Reader::operator=(Reader&& other) noexcept {
  if (this == &other) return *this;
  GiveUp();
  epochs_ = std::exchange(other.epochs_, nullptr);
  seat_ = std::exchange(other.seat_, -1);
  depth_ = std::exchange(other.depth_, 0);
  return *this;
}

ReadEpochs::Reader::~Reader() { GiveUp(); }

void ReadEpochs::Reader::GiveUp() noexcept {
  if (epochs_ == nullptr) return;
  Seat& seat = epochs_->seats_[static_cast<std::size_t>(seat_)];
  seat.entered.store(0, std::memory_order_release);
  seat.taken.store(false, std::memory_order_release);
  epochs_ = nullptr;
}

void ReadEpochs::Reader::Enter() noexcept {
  if (epochs_ == nullptr) Fatal("a reader without a seat entered its epochs");
  if (depth_++ > 0) return;
  Seat& seat = epochs_->seats_[static_cast<std::size_t>(seat_)];
  // An epoch that is raised meanwhile does no harm: the older one holds up more, never less.
  seat.entered.store(epochs_->epoch_.load(std::memory_order_relaxed), std::memory_order_seq_cst);
  (void)epochs_->epoch_.load(std::memory_order_seq_cst);
}

void ReadEpochs::Reader::Leave() noexcept {
  if (--depth_ > 0) return;
  Seat& seat = epochs_->seats_[static_cast<std::size_t>(seat_)];
  seat.entered.store(0, std::memory_order_release);
}

ReadEpochs::Reader ReadEpochs::NewReader() {
  for (int i = 0; i < kMaxReaders; ++i) {
    bool taken = false;
    if (!seats_[static_cast<std::size_t>(i)].taken.compare_exchange_strong(taken, true)) continue;
    int used = seats_used_.load();
    while (used <= i && !seats_used_.compare_exchange_weak(used, i + 1)) {
    }
    return {this, i};
  }
  return {};
}

std::uint64_t ReadEpochs::Retire() noexcept {
  return epoch_.fetch_add(1, std::memory_order_seq_cst);
}

bool ReadEpochs::Passed(std::uint64_t stamp) const noexcept {
  // A seat beyond this was first taken by a reader that enters after this call, so after the
  // Retire.
  const int used = seats_used_.load(std::memory_order_seq_cst);
  for (int i = 0; i < used; ++i) {
    const std::uint64_t entered =
        seats_[static_cast<std::size_t>(i)].entered.load(std::memory_order_seq_cst);
    if (entered != 0 && entered <= stamp) return false;
  }
  return true;
}

}  // namespace cirein::dpm
