// SPDX-License-Identifier: Apache-2.0
#include "cirein/status.h"

#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace cirein {
namespace {

constexpr int kLastCode = static_cast<int>(StatusCode::kInternal);

TEST(StatusTest, OkIsEmptyAndHasNoHint) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kOk);
  EXPECT_EQ(status.message(), "");
  EXPECT_EQ(status.hint(), "");
  EXPECT_EQ(status.ToString(), "OK");
  EXPECT_EQ(status, OkStatus());
}

TEST(StatusTest, EveryCodeHasItsOwnNameAndErrorsHaveHints) {
  std::set<std::string_view> names;
  for (int code = 0; code <= kLastCode; ++code) {
    names.insert(StatusCodeName(static_cast<StatusCode>(code)));
    EXPECT_EQ(DefaultHint(static_cast<StatusCode>(code)).empty(), code == 0) << code;
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kLastCode) + 1);
  EXPECT_EQ(StatusCodeName(StatusCode::kDeadlineExceeded), "DEADLINE_EXCEEDED");
}

TEST(StatusTest, UnknownCodeIsShownAsInternal) {
  EXPECT_EQ(StatusCodeName(static_cast<StatusCode>(200)), "INTERNAL");
}

TEST(StatusTest, FactoriesGiveTheirCodes) {
  EXPECT_EQ(InvalidArgument("m").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(NotFound("m").code(), StatusCode::kNotFound);
  EXPECT_EQ(AlreadyExists("m").code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(FailedPrecondition("m").code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(DeadlineExceeded("m").code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Cancelled("m").code(), StatusCode::kCancelled);
  EXPECT_EQ(ResourceExhausted("m").code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(Unavailable("m").code(), StatusCode::kUnavailable);
  EXPECT_EQ(PermissionDenied("m").code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(Unimplemented("m").code(), StatusCode::kUnimplemented);
  EXPECT_EQ(DataLoss("m").code(), StatusCode::kDataLoss);
  EXPECT_EQ(IoError("m").code(), StatusCode::kIoError);
  EXPECT_EQ(Aborted("m").code(), StatusCode::kAborted);
  EXPECT_EQ(Internal("m").code(), StatusCode::kInternal);
}

TEST(StatusTest, TextHasCodeMessageAndHint) {
  EXPECT_EQ(NotFound("no pool \"x\"", "connect first").ToString(),
            "NOT_FOUND: no pool \"x\" (connect first)");
  EXPECT_EQ(NotFound("no pool").hint(), DefaultHint(StatusCode::kNotFound));
}

TEST(StatusTest, ContextComesBeforeTheMessageAndKeepsTheHint) {
  const Status status = IoError("disk full", "free space").WithContext("a.toml");
  EXPECT_EQ(status.ToString(), "IO_ERROR: a.toml: disk full (free space)");
  EXPECT_TRUE(OkStatus().WithContext("a.toml").ok());
}

TEST(StatusTest, AnErrorCannotBeOk) {
  EXPECT_EQ(Status(StatusCode::kOk, "what").code(), StatusCode::kInternal);
}

TEST(ResultTest, HoldsAValue) {
  Result<std::string> result = std::string("value");
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result.status().ok());
  EXPECT_EQ(*result, "value");
  EXPECT_EQ(result->size(), 5U);
  EXPECT_EQ(result.value_or("other"), "value");
  EXPECT_EQ(std::move(result).value(), "value");
}

TEST(ResultTest, HoldsAnErrorAndThrowsItWhenAskedForTheValue) {
  const Result<int> result = NotFound("nothing");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.code(), StatusCode::kNotFound);
  EXPECT_EQ(result.value_or(7), 7);
  try {
    EXPECT_EQ(result.value(), 0);
    FAIL() << "value() did not throw";
  } catch (const StatusError& error) {
    EXPECT_EQ(error.status(), NotFound(""));
    EXPECT_NE(std::string(error.what()).find("nothing"), std::string::npos);
  }
}

TEST(ResultTest, AnOkStatusIsNoResult) {
  EXPECT_EQ(Result<int>(OkStatus()).code(), StatusCode::kInternal);
}

TEST(ResultTest, MacrosPassErrorsOnAndMoveValues) {
  const auto run = [](Result<std::unique_ptr<int>> input, Status check) -> Result<int> {
    CIREIN_RETURN_IF_ERROR(check);
    CIREIN_ASSIGN_OR_RETURN(const std::unique_ptr<int> value, std::move(input));
    return *value;
  };
  EXPECT_EQ(*run(std::make_unique<int>(3), OkStatus()), 3);
  EXPECT_EQ(run(NotFound("x"), OkStatus()).code(), StatusCode::kNotFound);
  EXPECT_EQ(run(std::make_unique<int>(3), Aborted("y")).code(), StatusCode::kAborted);
}

}  // namespace
}  // namespace cirein
