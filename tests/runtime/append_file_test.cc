// SPDX-License-Identifier: Apache-2.0
#include "runtime/append_file.h"

#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/file.h"
#include "runtime/temporary_directory.h"

namespace cirein {
namespace {

class AppendFileTest : public testing::Test {
 protected:
  std::string Text() const { return *ReadFile(path_, 1 << 20); }

  const TemporaryDirectory directory_ = *TemporaryDirectory::Create();
  const std::string path_ = directory_.File("log");
};

TEST_F(AppendFileTest, BeginsAnewOrGoesOn) {
  {
    auto file = AppendFile::Open(path_, AppendFile::Mode::kTruncate);
    ASSERT_TRUE(file.ok());
    EXPECT_TRUE((*file)->Append("one\n").ok());
    EXPECT_TRUE((*file)->Sync().ok());
  }
  {
    auto file = AppendFile::Open(path_, AppendFile::Mode::kAppend);
    ASSERT_TRUE(file.ok());
    EXPECT_TRUE((*file)->Append("two\n").ok());
    EXPECT_EQ(Text(), "one\ntwo\n");
  }
  ASSERT_TRUE(AppendFile::Open(path_, AppendFile::Mode::kTruncate).ok());
  EXPECT_EQ(Text(), "");
}

TEST_F(AppendFileTest, TheFirstErrorSticks) {
  auto file = AppendFile::Open("/dev/full", AppendFile::Mode::kAppend);
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE((*file)->status().ok());
  const Status full = (*file)->Append("x\n");
  EXPECT_EQ(full.code(), StatusCode::kIoError);
  EXPECT_NE(full.message().find("/dev/full"), std::string_view::npos);
  EXPECT_EQ((*file)->Append("").message(), full.message());
  EXPECT_EQ((*file)->Sync().message(), full.message());
  EXPECT_EQ((*file)->status().message(), full.message());
  EXPECT_EQ(AppendFile::Open(directory_.path(), AppendFile::Mode::kAppend).code(),
            StatusCode::kIoError);
}

TEST_F(AppendFileTest, LinesOfManyThreadsStayWhole) {
  auto file = AppendFile::Open(path_, AppendFile::Mode::kTruncate);
  ASSERT_TRUE(file.ok());
  std::vector<std::thread> writers;
  for (char name : {'a', 'b', 'c'}) {
    writers.emplace_back([&, name] {
      const std::string line = std::string(100, name) + "\n";
      for (int i = 0; i < 200; ++i) EXPECT_TRUE((*file)->Append(line).ok());
    });
  }
  for (auto& writer : writers) writer.join();
  const std::string text = Text();
  ASSERT_EQ(text.size(), 3U * 200 * 101);
  for (std::size_t at = 0; at < text.size(); at += 101) {
    EXPECT_EQ(text.substr(at, 101), std::string(100, text[at]) + "\n");
  }
}

}  // namespace
}  // namespace cirein
