// SPDX-License-Identifier: Apache-2.0
#include "cli/exit_code.h"

#include <array>

namespace cirein {
namespace {

constexpr std::array<ExitCodeMeaning, 8> kExitCodes = {{
    {ExitCode::kOk, "it worked"},
    {ExitCode::kUsage, "usage: a flag, URL, pattern, key, file or setting that cannot be"},
    {ExitCode::kNotFound, "what was named is not there"},
    {ExitCode::kDeadline, "the deadline passed"},
    {ExitCode::kUnavailable,
     "unavailable: finishing, not reachable, or the system failed; may work later"},
    {ExitCode::kPartial, "some checks or requests failed, or the run was interrupted"},
    {ExitCode::kRefused, "refused: write-once, permission, or a stated limit is reached"},
    {ExitCode::kInternal, "a defect in Cirein: please report it"},
}};

}  // namespace

ExitCode ExitCodeOf(const Status& status) noexcept {
  switch (status.code()) {
    case StatusCode::kOk:
      return ExitCode::kOk;
    case StatusCode::kInvalidArgument:
    case StatusCode::kUnimplemented:
      return ExitCode::kUsage;
    case StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case StatusCode::kDeadlineExceeded:
      return ExitCode::kDeadline;
    case StatusCode::kUnavailable:
    case StatusCode::kIoError:
      return ExitCode::kUnavailable;
    case StatusCode::kCancelled:
    case StatusCode::kDataLoss:
    case StatusCode::kAborted:
      return ExitCode::kPartial;
    case StatusCode::kAlreadyExists:
    case StatusCode::kFailedPrecondition:
    case StatusCode::kPermissionDenied:
    case StatusCode::kResourceExhausted:
      return ExitCode::kRefused;
    case StatusCode::kInternal:
      return ExitCode::kInternal;
  }
  return ExitCode::kInternal;
}

std::span<const ExitCodeMeaning> ExitCodes() { return kExitCodes; }

}  // namespace cirein
