// SPDX-License-Identifier: Apache-2.0
#include "cirein/status.h"

#include <array>
#include <cstddef>

#include <fmt/format.h>

namespace cirein {
namespace {

struct CodeText {
  std::string_view name;
  std::string_view hint;
};

// In the order of StatusCode.
constexpr std::array<CodeText, 15> kCodeTexts{{
    {"OK", ""},
    {"INVALID_ARGUMENT", "change the request: it cannot work as it is"},
    {"NOT_FOUND", "check the name, or wait for it to be published with Want or Need"},
    {"ALREADY_EXISTS", "ask for overwriting, drop the old object first, or choose another key"},
    {"FAILED_PRECONDITION", "read the present state and decide anew"},
    {"DEADLINE_EXCEEDED", "give a longer deadline, or find out why nobody answered"},
    {"CANCELLED", "nothing to do: the operation was given up on request"},
    {"RESOURCE_EXHAUSTED", "free some of what is used up, or raise the limit in the configuration"},
    {"UNAVAILABLE", "try again in a moment; check that the service is running"},
    {"PERMISSION_DENIED", "ask for the right, or use an account that has it"},
    {"UNIMPLEMENTED", "use a pool type that offers the operation"},
    {"DATA_LOSS", "restore the data from where it came from, and check the medium"},
    {"IO_ERROR", "check the path, its permissions and the space left"},
    {"ABORTED", "look at the function or callback that failed"},
    {"INTERNAL", "this is a bug in Cirein: please report it with this message"},
}};

static_assert(kCodeTexts.size() == static_cast<std::size_t>(StatusCode::kInternal) + 1);

// Codes may come from outside (a message of another version): none beyond the table is trusted.
const CodeText& TextOf(StatusCode code) {
  const auto index = static_cast<std::size_t>(code);
  return index < kCodeTexts.size() ? kCodeTexts[index] : kCodeTexts.back();
}

}  // namespace

std::string_view StatusCodeName(StatusCode code) { return TextOf(code).name; }

std::string_view DefaultHint(StatusCode code) { return TextOf(code).hint; }

Status::Status(StatusCode code, std::string message, std::string hint) {
  if (code == StatusCode::kOk) {
    code = StatusCode::kInternal;
    message = "an error was made with the code OK: " + message;
  }
  if (hint.empty()) hint = DefaultHint(code);
  rep_ = std::make_shared<const Rep>(Rep{code, std::move(message), std::move(hint)});
}

std::string Status::ToString() const {
  if (ok()) return "OK";
  return fmt::format("{}: {} ({})", StatusCodeName(code()), message(), hint());
}

Status Status::WithContext(std::string_view context) const {
  if (ok()) return *this;
  return Status(code(), fmt::format("{}: {}", context, message()), std::string(hint()));
}

Status InvalidArgument(std::string message, std::string hint) {
  return Status(StatusCode::kInvalidArgument, std::move(message), std::move(hint));
}
Status NotFound(std::string message, std::string hint) {
  return Status(StatusCode::kNotFound, std::move(message), std::move(hint));
}
Status AlreadyExists(std::string message, std::string hint) {
  return Status(StatusCode::kAlreadyExists, std::move(message), std::move(hint));
}
Status FailedPrecondition(std::string message, std::string hint) {
  return Status(StatusCode::kFailedPrecondition, std::move(message), std::move(hint));
}
Status DeadlineExceeded(std::string message, std::string hint) {
  return Status(StatusCode::kDeadlineExceeded, std::move(message), std::move(hint));
}
Status Cancelled(std::string message, std::string hint) {
  return Status(StatusCode::kCancelled, std::move(message), std::move(hint));
}
Status ResourceExhausted(std::string message, std::string hint) {
  return Status(StatusCode::kResourceExhausted, std::move(message), std::move(hint));
}
Status Unavailable(std::string message, std::string hint) {
  return Status(StatusCode::kUnavailable, std::move(message), std::move(hint));
}
Status PermissionDenied(std::string message, std::string hint) {
  return Status(StatusCode::kPermissionDenied, std::move(message), std::move(hint));
}
Status Unimplemented(std::string message, std::string hint) {
  return Status(StatusCode::kUnimplemented, std::move(message), std::move(hint));
}
Status DataLoss(std::string message, std::string hint) {
  return Status(StatusCode::kDataLoss, std::move(message), std::move(hint));
}
Status IoError(std::string message, std::string hint) {
  return Status(StatusCode::kIoError, std::move(message), std::move(hint));
}
Status Aborted(std::string message, std::string hint) {
  return Status(StatusCode::kAborted, std::move(message), std::move(hint));
}
Status Internal(std::string message, std::string hint) {
  return Status(StatusCode::kInternal, std::move(message), std::move(hint));
}

}  // namespace cirein
