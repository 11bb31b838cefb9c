// SPDX-License-Identifier: Apache-2.0
#include "cli/server_file.h"

#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"
#include "support/seed.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

class ServerFileTest : public testing::Test {
 protected:
  TemporaryDirectory directory_ = std::move(*TemporaryDirectory::Create("server-file"));
  const std::string path_ = directory_.path();
};

ServerFile SomeFile() {
  ServerFile file;
  file.process = {.pid = 12, .start_ticks = 34};
  file.resp = {{.host = "127.0.0.1", .port = 6380, .path = {}},
               {.host = {}, .port = 0, .path = "/run/a b\n%"}};
  file.http = {{.host = "::1", .port = 8080, .path = {}}};
  return file;
}

TEST_F(ServerFileTest, ReadsWhatItWrites) {
  const auto read = ServerFile::Parse(SomeFile().ToString());
  ASSERT_OK(read);
  EXPECT_EQ(read->process, SomeFile().process);
  ASSERT_EQ(read->resp.size(), 2u);
  EXPECT_EQ(read->resp[0].ToString(), "127.0.0.1:6380");
  EXPECT_EQ(read->resp[1].path, "/run/a b\n%");
  ASSERT_EQ(read->http.size(), 1u);
  EXPECT_EQ(read->http[0].ToString(), "[::1]:8080");
}

TEST_F(ServerFileTest, TakesAnyBytesWithoutHarm) {
  Random random(test::Seed());
  const std::string whole = SomeFile().ToString();
  for (int round = 0; round < 3000; ++round) {
    std::string text = whole.substr(0, random.Below(whole.size() + 1));
    for (std::uint64_t changes = random.Below(4); changes > 0 && !text.empty(); --changes) {
      text[random.Below(text.size())] = static_cast<char>(random.Below(256));
    }
    static_cast<void>(ServerFile::Parse(text).ok());
  }
  EXPECT_EQ(ServerFile::Parse("").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ServerFile::Parse("cirein-server 1\n").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ServerFile::Parse("cirein-server 1\npid x\n").code(), StatusCode::kInvalidArgument);
}

TEST_F(ServerFileTest, IsThereAsLongAsItsHolder) {
  EXPECT_EQ(FindServer(path_).code(), StatusCode::kNotFound);
  {
    auto holder = ServerFileHolder::Write(path_, SomeFile());
    ASSERT_OK(holder);
    const auto found = FindServer(path_);
    ASSERT_OK(found);
    EXPECT_EQ(found->process, OwnProcessIdentity().value());
    EXPECT_EQ(found->http.size(), 1u);
  }
  EXPECT_EQ(FindServer(path_).code(), StatusCode::kNotFound);
  EXPECT_THAT(*ListDirectory(path_), testing::IsEmpty());
}

TEST_F(ServerFileTest, BelongsToNobodyWhoHasTheNumberNow) {
  ServerFile file = SomeFile();
  file.process = OwnProcessIdentity().value();
  --file.process.start_ticks;
  ASSERT_OK(WriteFileAtomically(ServerFilePath(path_), file.ToString()));
  EXPECT_EQ(FindServer(path_).code(), StatusCode::kNotFound);
  ASSERT_OK(WriteFileAtomically(ServerFilePath(path_), "something else"));
  EXPECT_EQ(FindServer(path_).code(), StatusCode::kInvalidArgument);
}

TEST_F(ServerFileTest, UnderstandsAddresses) {
  EXPECT_EQ(ParseStreamAddress("8080")->ToString(), "127.0.0.1:8080");
  EXPECT_EQ(ParseStreamAddress("host:1")->ToString(), "host:1");
  EXPECT_EQ(ParseStreamAddress("[::1]:2")->ToString(), "[::1]:2");
  EXPECT_EQ(ParseStreamAddress("./x")->path, "./x");
  for (const char* text : {"", "host", "host:", ":1", "host:0", "host:65536", "host:-1"}) {
    EXPECT_EQ(ParseStreamAddress(text).code(), StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace cirein
