// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace cirein {

/// How long a call may take, counted from the call. Every call that can wait takes one; the default
/// is the configured `default.deadline`, and waiting for ever must be asked for by name.
///
///   pool.Need(key);                               // the configured default
///   pool.Need(key, {.deadline = 250ms});          // at most this long; 0 or less: do not wait
///   pool.Need(key, {.deadline = kNoDeadline});    // until it is there, or the library finishes
class Deadline {
 public:
  constexpr Deadline() noexcept = default;
  template <typename Rep, typename Period>
  constexpr Deadline(std::chrono::duration<Rep, Period> limit) noexcept  // NOLINT: reads well
      : kind_(Kind::kAfter), after_(Clamp(limit)) {}

  static constexpr Deadline None() noexcept {
    Deadline deadline;
    deadline.kind_ = Kind::kNone;
    return deadline;
  }

  constexpr bool is_default() const noexcept { return kind_ == Kind::kDefault; }
  constexpr bool is_none() const noexcept { return kind_ == Kind::kNone; }
  /// The limit; meaningful only when neither default nor none.
  constexpr std::chrono::nanoseconds after() const noexcept { return after_; }

  /// This deadline, or `fallback` when it is the default one.
  constexpr Deadline Or(Deadline fallback) const noexcept {
    return is_default() ? fallback : *this;
  }

 private:
  enum class Kind : unsigned char { kDefault, kNone, kAfter };

  // A limit too long for nanoseconds (292 years) becomes the longest one, a negative one zero.
  template <typename Rep, typename Period>
  static constexpr std::chrono::nanoseconds Clamp(std::chrono::duration<Rep, Period> limit) {
    using Seconds = std::chrono::duration<double>;
    if (limit <= limit.zero()) return std::chrono::nanoseconds::zero();
    if (std::chrono::duration_cast<Seconds>(limit) >=
        std::chrono::duration_cast<Seconds>(std::chrono::nanoseconds::max())) {
      return std::chrono::nanoseconds::max();
    }
    return std::chrono::duration_cast<std::chrono::nanoseconds>(limit);
  }

  Kind kind_ = Kind::kDefault;
  std::chrono::nanoseconds after_{0};
};

/// Wait until it happens or the library finishes.
inline constexpr Deadline kNoDeadline = Deadline::None();

}  // namespace cirein
