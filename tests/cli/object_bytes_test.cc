// SPDX-License-Identifier: Apache-2.0
#include "cli/object_bytes.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_for_test.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using ::testing::HasSubstr;

class ObjectBytesTest : public ::testing::Test {
 protected:
  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
  const std::string file_ = directory_.File("f");
  StringConsole console_{"input"};
};

TEST_F(ObjectBytesTest, ReadsEachSourceIntoTheSameShape) {
  const ObjectShape shape{.meta = "meta", .type = 7, .limit_bytes = 5};
  ASSERT_OK(WriteFileAtomically(file_, "input"));
  for (const DataSource& source :
       {DataSource{.text = "input"}, DataSource{.text = {}, .file = file_}, DataSource{}}) {
    const auto object = ReadObject(source, shape, console_);
    ASSERT_OK(object);
    EXPECT_EQ(object->text(), "input");
    EXPECT_EQ(object->meta_text(), "meta");
    EXPECT_EQ(object->type(), 7);
  }
}

TEST_F(ObjectBytesTest, OneByteTooMuchIsRefusedWithTheFile) {
  const ObjectShape shape{.meta = "", .type = 0, .limit_bytes = 4};
  ASSERT_OK(WriteFileAtomically(file_, "input"));
  const Status of_file = ReadObject({.text = {}, .file = file_}, shape, console_).status();
  EXPECT_EQ(of_file.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(of_file.message(), HasSubstr(file_));
  const Status of_input = ReadObject({}, shape, console_).status();
  EXPECT_EQ(of_input.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(of_input.hint(), HasSubstr("memory.object_limit"));
}

TEST_F(ObjectBytesTest, WritesToTheConsoleOrAFile) {
  const std::string text("a\0b", 3);
  const auto bytes = std::as_bytes(std::span(text));
  ASSERT_OK(WriteBytes(bytes, std::nullopt, console_));
  ASSERT_OK(WriteBytes(bytes, "-", console_));
  EXPECT_EQ(console_.out(), text + text);
  ASSERT_OK(WriteBytes(bytes, file_, console_));
  EXPECT_EQ(*ReadFile(file_, 100), text);
  EXPECT_EQ(console_.out(), text + text);
}

TEST_F(ObjectBytesTest, ReplacesNothingButOrdinaryFiles) {
  const auto bytes = std::as_bytes(std::span("x", 1));
  for (const std::string& path : {std::string("/dev/null"), directory_.path()}) {
    EXPECT_EQ(WriteBytes(bytes, path, console_).code(), StatusCode::kInvalidArgument) << path;
  }
  EXPECT_EQ(console_.out(), "");
}

}  // namespace
}  // namespace cirein
