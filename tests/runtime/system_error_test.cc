// SPDX-License-Identifier: Apache-2.0
#include "runtime/system_error.h"

#include <cerrno>

#include <gtest/gtest.h>

namespace cirein {
namespace {

TEST(SystemError, SaysWhatFailedWithWhichFileAndWhatToDo) {
  const Status full = FileError("write", "/data/x\n", ENOSPC);
  EXPECT_EQ(full.code(), StatusCode::kIoError);
  EXPECT_EQ(full.message(), "cannot write '/data/x\\x0a': No space left on device");
  EXPECT_NE(full.hint().find("df -h"), std::string_view::npos);
}

TEST(SystemError, TellsTheKindsApart) {
  EXPECT_EQ(FileError("open", "x", ENOENT).code(), StatusCode::kNotFound);
  EXPECT_EQ(FileError("open", "x", EEXIST).code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(FileError("open", "x", EACCES).code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(FileError("open", "x", EROFS).code(), StatusCode::kPermissionDenied);
  for (int error = 1; error < 140; ++error) {
    EXPECT_FALSE(FileError("open", "x", error).ok());
    EXPECT_FALSE(FileError("open", "x", error).hint().empty());
  }
}

}  // namespace
}  // namespace cirein
