// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace cirein {

/// What kind of thing went wrong. The set and its meanings are the ones users know from gRPC and
/// Abseil; programs decide by code, people read the message and the hint.
enum class StatusCode : std::uint8_t {
  kOk = 0,
  kInvalidArgument,     ///< The request makes no sense whatever the state: fix the request.
  kNotFound,            ///< The named object, pool type or function is not there.
  kAlreadyExists,       ///< Write-once: somebody published under this key before.
  kFailedPrecondition,  ///< The state forbids it (version differs, library not started).
  kDeadlineExceeded,    ///< The deadline passed first; the outcome of a remote write is unknown.
  kCancelled,           ///< The caller gave the operation up.
  kResourceExhausted,   ///< A stated limit is reached: memory, waiters, stuck workers.
  kUnavailable,         ///< The service is shutting down or cannot be reached; may work later.
  kPermissionDenied,    ///< The system or a policy refuses.
  kUnimplemented,       ///< This build or pool type does not offer the operation.
  kDataLoss,            ///< Stored bytes are damaged.
  kIoError,             ///< The operating system reported an input or output error.
  kAborted,             ///< User code (a compute function, a callback) failed or threw.
  kInternal,            ///< An invariant of Cirein is broken: please report it.
};

/// The name users see, such as "NOT_FOUND".
std::string_view StatusCodeName(StatusCode code);

/// The next step that fits most errors of this kind; never empty except for kOk.
std::string_view DefaultHint(StatusCode code);

/// The outcome of an operation: OK, or a code with a message (what failed, with which key, node or
/// file) and a hint (what to do next). OK is a null pointer, so success costs nothing.
/// Value type; distinct objects may be used from distinct threads.
class [[nodiscard]] Status {
 public:
  Status() noexcept = default;

  /// An error. Without a hint the code's DefaultHint is given. `code` must not be kOk.
  Status(StatusCode code, std::string message, std::string hint = {});

  bool ok() const noexcept { return rep_ == nullptr; }
  StatusCode code() const noexcept { return rep_ ? rep_->code : StatusCode::kOk; }
  std::string_view message() const noexcept { return rep_ ? std::string_view(rep_->message) : ""; }
  std::string_view hint() const noexcept { return rep_ ? std::string_view(rep_->hint) : ""; }

  /// "OK", or "CODE_NAME: message (hint)".
  std::string ToString() const;

  /// The same error with "context: " before its message. OK stays OK.
  Status WithContext(std::string_view context) const;

  /// Two statuses are equal when their codes are; messages are for people.
  friend bool operator==(const Status& a, const Status& b) noexcept { return a.code() == b.code(); }

 private:
  struct Rep {
    StatusCode code;
    std::string message;
    std::string hint;
  };
  std::shared_ptr<const Rep> rep_;
};

inline Status OkStatus() { return Status(); }
Status InvalidArgument(std::string message, std::string hint = {});
Status NotFound(std::string message, std::string hint = {});
Status AlreadyExists(std::string message, std::string hint = {});
Status FailedPrecondition(std::string message, std::string hint = {});
Status DeadlineExceeded(std::string message, std::string hint = {});
Status Cancelled(std::string message, std::string hint = {});
Status ResourceExhausted(std::string message, std::string hint = {});
Status Unavailable(std::string message, std::string hint = {});
Status PermissionDenied(std::string message, std::string hint = {});
Status Unimplemented(std::string message, std::string hint = {});
Status DataLoss(std::string message, std::string hint = {});
Status IoError(std::string message, std::string hint = {});
Status Aborted(std::string message, std::string hint = {});
Status Internal(std::string message, std::string hint = {});

/// Thrown by Result::value() alone, for programs that prefer an exception to a check.
class StatusError : public std::runtime_error {
 public:
  explicit StatusError(Status status)
      : std::runtime_error(status.ToString()), status_(std::move(status)) {}
  const Status& status() const noexcept { return status_; }

 private:
  Status status_;
};

/// A value, or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
  static_assert(!std::is_same_v<std::decay_t<T>, Status>, "return a Status instead");

 public:
  using value_type = T;

  // Implicit on purpose: `return object;` and `return NotFound(...);` are how results are made.
  Result(T value) : rep_(std::in_place_index<1>, std::move(value)) {}        // NOLINT
  Result(Status status) : rep_(std::in_place_index<0>, std::move(status)) {  // NOLINT
    if (std::get<0>(rep_).ok()) std::get<0>(rep_) = Internal("a result was made of an OK status");
  }

  bool ok() const noexcept { return rep_.index() == 1; }
  explicit operator bool() const noexcept { return ok(); }

  /// OK when there is a value.
  Status status() const { return ok() ? Status() : std::get<0>(rep_); }
  StatusCode code() const noexcept { return ok() ? StatusCode::kOk : std::get<0>(rep_).code(); }

  /// The value. Check ok() first: without one the program ends by a trap.
  T& operator*() & noexcept { return *Pointer(); }
  const T& operator*() const& noexcept { return *Pointer(); }
  T&& operator*() && noexcept { return std::move(*Pointer()); }
  T* operator->() noexcept { return Pointer(); }
  const T* operator->() const noexcept { return Pointer(); }

  /// The value; throws StatusError when there is none.
  T& value() & {
    Require();
    return **this;
  }
  const T& value() const& {
    Require();
    return **this;
  }
  T value() && {
    Require();
    return std::move(*Pointer());
  }

  T value_or(T fallback) const& { return ok() ? **this : std::move(fallback); }

 private:
  void Require() const {
    if (!ok()) throw StatusError(std::get<0>(rep_));
  }
  // Never null, and the compiler can see it: its warnings about null pointers keep their worth.
  T* Pointer() noexcept {
    T* const value = std::get_if<1>(&rep_);
    if (value == nullptr) [[unlikely]]
      __builtin_trap();
    return value;
  }
  const T* Pointer() const noexcept {
    const T* const value = std::get_if<1>(&rep_);
    if (value == nullptr) [[unlikely]]
      __builtin_trap();
    return value;
  }

  std::variant<Status, T> rep_;
};

}  // namespace cirein

/// Returns from the enclosing function with the error of `expression` (a Status), if it has one.
#define CIREIN_RETURN_IF_ERROR(expression)                                    \
  do {                                                                        \
    if (::cirein::Status cirein_status_ = (expression); !cirein_status_.ok()) \
      return cirein_status_;                                                  \
  } while (false)

#define CIREIN_CONCAT_INNER_(a, b) a##b
#define CIREIN_CONCAT_(a, b) CIREIN_CONCAT_INNER_(a, b)
/// Declares or assigns `lhs` from `expression` (a Result), or returns its error.
#define CIREIN_ASSIGN_OR_RETURN(lhs, expression) \
  CIREIN_ASSIGN_OR_RETURN_(CIREIN_CONCAT_(cirein_result_, __LINE__), lhs, expression)
#define CIREIN_ASSIGN_OR_RETURN_(result, lhs, expression) \
  auto result = (expression);                             \
  if (!result.ok()) return result.status();               \
  lhs = std::move(*result)
