// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_for_test.h"
#include "cli/server_file.h"
#include "http/http_server.h"
#include "runtime/file.h"
#include "runtime/real_clock.h"
#include "runtime/temporary_directory.h"
#include "support/status_matchers.h"

namespace cirein {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

constexpr const char* kStatus =
    R"({"schema":1,"server":{"version":"0.1","ready":true,"uptime_s":90.000000,)"
    R"("resident_bytes":1536},"commands":[{"name":"get","calls":3,"usec":1500,"rejected":0,)"
    R"("failed":1}],"errors":[]})";

class VerbStatusTest : public testing::Test {
 protected:
  void Start(std::string body, std::string password = "") {
    http::HttpServer::Options options;
    options.addresses = {{.host = "127.0.0.1", .port = 0, .path = {}}};
    options.password = [password] { return password; };
    auto started = http::HttpServer::Start(RealClock::Instance(), options);
    ASSERT_OK(started);
    server_ = std::move(*started);
    ASSERT_OK(server_->AddPage("/status.json", "", [body](const http::HttpRequest&) {
      http::HttpResponse response;
      response.body = body;
      return response;
    }));
    server_->SetReady();
    address_ = server_->addresses().front().ToString();
  }

  TemporaryDirectory directory_ = std::move(*TemporaryDirectory::Create("verb-status"));
  std::unique_ptr<http::HttpServer> server_;
  std::string address_;
};

TEST_F(VerbStatusTest, TellsPeopleAndPrograms) {
  Start(kStatus);
  const CommandRun table = RunForTest({"status", "--http", address_});
  EXPECT_EQ(table.code, 0) << table.err;
  EXPECT_THAT(table.out, ContainsRegex("server +resident_bytes +1.50 ?KiB"));
  EXPECT_THAT(table.out, ContainsRegex("server +ready +yes"));
  EXPECT_THAT(table.out, ContainsRegex("get +3 +1.50 ?ms +0 +1"));
  const CommandRun json = RunForTest({"status", "--http", address_, "-o", "json"});
  EXPECT_EQ(json.out, kStatus);
  const CommandRun csv = RunForTest({"status", "--http", address_, "-o", "csv"});
  EXPECT_THAT(csv.out, HasSubstr("server,version,0.1\n"));
}

TEST_F(VerbStatusTest, FindsTheServerByItsDirectory) {
  Start(kStatus);
  const std::string path = directory_.path();
  const CommandRun none = RunForTest({"status", "--dir", path});
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, HasSubstr("cirein up"));
  ServerFile file;
  {
    auto holder = ServerFileHolder::Write(path, file);
    ASSERT_OK(holder);
    const CommandRun silent = RunForTest({"status", "--dir", path});
    EXPECT_EQ(silent.code, 4);
    EXPECT_THAT(silent.err, HasSubstr("--http-port"));
  }
  file.http = server_->addresses();
  auto holder = ServerFileHolder::Write(path, file);
  ASSERT_OK(holder);
  EXPECT_EQ(RunForTest({"status", "--dir", path}).code, 0);
}

TEST_F(VerbStatusTest, SaysWhatToDoWhenItIsNotTold) {
  Start(kStatus, "secret");
  const CommandRun refused = RunForTest({"status", "--http", address_});
  EXPECT_EQ(refused.code, 6);
  EXPECT_THAT(refused.err, HasSubstr("--requirepass-file"));
  const std::string file = directory_.File("password");
  ASSERT_OK(WriteFileAtomically(file, "secret\nmore"));
  EXPECT_EQ(RunForTest({"status", "--http", address_, "--requirepass-file", file}).code, 0);
  server_->SetNotReady("closing");
  const CommandRun closing = RunForTest({"status", "--http", address_, "--requirepass-file", file});
  EXPECT_EQ(closing.code, 4);
  EXPECT_THAT(closing.err, HasSubstr("closing"));
  server_.reset();
  const CommandRun gone = RunForTest({"status", "--http", address_});
  EXPECT_EQ(gone.code, 4);
  EXPECT_THAT(gone.err, HasSubstr("is it up"));
  EXPECT_EQ(RunForTest({"status", "--http", "nonsense"}).code, 1);
}

TEST_F(VerbStatusTest, BelievesNothing) {
  for (const char* body : {"", "{", "no", R"({"commands":[{}]})", R"({"commands":[{"name":1}]})"}) {
    Start(body);
    const CommandRun run = RunForTest({"status", "--http", address_});
    EXPECT_NE(run.code, 0) << body;
    EXPECT_THAT(run.err, HasSubstr("is no status")) << body;
  }
}

}  // namespace
}  // namespace cirein
