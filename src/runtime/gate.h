// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "runtime/clock.h"

namespace cirein {

/// The door of something that will shut down: work enters and leaves; once closed nobody enters,
/// and whoever closes learns when the last one has left. Thread-safe. The gate may be destroyed as
/// soon as a Close has said that all have left.
class Gate {
 public:
  /// Being inside, as a scope. Move-only. A default one is outside.
  class Holder {
   public:
    Holder() noexcept = default;
    Holder(Holder&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Holder& operator=(Holder&& other) noexcept {
      if (this != &other) {
        Leave();
        gate_ = std::exchange(other.gate_, nullptr);
      }
      return *this;
    }
    ~Holder() { Leave(); }

    explicit operator bool() const noexcept { return gate_ != nullptr; }
    void Leave() noexcept {
      if (Gate* const gate = std::exchange(gate_, nullptr)) gate->Leave();
    }

   private:
    friend class Gate;
    explicit Holder(Gate* gate) noexcept : gate_(gate) {}
    Gate* gate_ = nullptr;
  };

  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// False, as a Holder, when the gate is closed. One atomic operation; does not block.
  [[nodiscard]] Holder TryEnter() noexcept;

  /// Closes, and calls `all_left` (must not throw) once nobody is inside: within this call, or on
  /// the thread that leaves last. May be called again; each caller is told. Does not block.
  void Close(std::function<void()> all_left);
  /// Closes, and blocks until all have left or the real monotonic clock shows `end`; true when they
  /// have. Not by somebody inside, who would wait for itself.
  bool CloseAndWait(TimePoint end = kEndOfTime);

  bool is_closed() const noexcept {
    return (state_.load(std::memory_order_acquire) & kClosed) != 0;
  }
  /// How many are inside, at some moment around the call.
  std::size_t count() const noexcept {
    return static_cast<std::size_t>(state_.load(std::memory_order_relaxed) & ~kClosed);
  }

 private:
  static constexpr std::uint64_t kClosed = std::uint64_t{1} << 63;

  void Leave() noexcept;
  void TellAll();

  std::atomic<std::uint64_t> state_{0};  // Who is inside, and the closed mark.
  std::mutex mutex_;
  std::vector<std::function<void()>> all_left_;  // Guarded by mutex_.
  bool told_ = false;                            // Guarded by mutex_.
};

}  // namespace cirein
