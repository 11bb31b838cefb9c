// SPDX-License-Identifier: Apache-2.0
#include "runtime/input_file.h"

#include <array>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "runtime/file.h"
#include "runtime/temporary_directory.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

class InputFileTest : public testing::Test {
 protected:
  std::string Path(std::string_view name = "f") const { return directory_.File(name); }

  static std::string ReadAll(const InputFile& file) {
    std::string text(file.bytes(), '\0');
    EXPECT_OK(file.ReadAt(0, std::as_writable_bytes(std::span(text))));
    return text;
  }

  TemporaryDirectory directory_ = TemporaryDirectory::Create().value();
};

TEST_F(InputFileTest, ReadsAnyPart) {
  ASSERT_OK(WriteFileAtomically(Path(), "0123456789"));
  const InputFile file = InputFile::Open(Path()).value();
  EXPECT_EQ(file.bytes(), 10u);
  EXPECT_EQ(ReadAll(file), "0123456789");
  std::array<char, 3> part{};
  ASSERT_OK(file.ReadAt(7, std::as_writable_bytes(std::span(part))));
  EXPECT_EQ(std::string_view(part.data(), 3), "789");
  EXPECT_CODE(file.ReadAt(8, std::as_writable_bytes(std::span(part))), kDataLoss);
  EXPECT_OK(file.ReadAt(100, {}));
}

TEST_F(InputFileTest, StaysWithTheFileItOpened) {
  ASSERT_OK(WriteFileAtomically(Path(), "old"));
  const InputFile file = InputFile::Open(Path()).value();
  ASSERT_OK(WriteFileAtomically(Path(), "something new"));
  EXPECT_EQ(ReadAll(file), "old");
  EXPECT_EQ(ReadAll(InputFile::Open(Path()).value()), "something new");
}

TEST_F(InputFileTest, OnlyOrdinaryFilesCanBeOpened) {
  EXPECT_CODE(InputFile::Open(Path("none")), kNotFound);
  EXPECT_CODE(InputFile::Open(directory_.path()), kInvalidArgument);
  EXPECT_CODE(InputFile::Open("/dev/null"), kInvalidArgument);
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  EXPECT_CODE(InputFile::Open(Path("pipe")), kInvalidArgument);  // And does not wait for a writer.
}

}  // namespace
}  // namespace cirein
