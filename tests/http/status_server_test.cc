// SPDX-License-Identifier: Apache-2.0
#include "cirein/status_server.h"

#include <array>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cirein/cirein.h"

#include "base/logging.h"
#include "http/html.h"
#include "http/http_client.h"
#include "runtime/notification.h"
#include "runtime/real_clock.h"
#include "runtime/temporary_directory.h"
#include "support/library_test.h"
#include "support/objects.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein {
namespace {

using http::HttpAnswer;
using namespace std::string_literals;
using test::MakeObject;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

PageResponse Text(std::string text) {
  return {.body = std::move(text), .content_type = "text/plain"};
}

class StatusServerTest : public test::LibraryTest {
 protected:
  void SetUp() override {
    LibraryTest::SetUp();
    auto started = StatusServer::Start();
    ASSERT_OK(started);
    server_ = std::move(*started);
  }
  void TearDown() override {
    server_.reset();
    LibraryTest::TearDown();
  }

  StreamAddress Address() const {
    return {.host = "127.0.0.1", .port = server_->port(), .path = {}};
  }
  HttpAnswer Get(const std::string& target, const std::string& password = "") const {
    const http::HttpQuestion question{
        .target = target, .password = password, .time = test::kPatience};
    auto answer = http::HttpGet(RealClock::Instance(), Address(), question);
    EXPECT_OK(answer) << target;
    return answer.ok() ? *answer : HttpAnswer{};
  }

  // A connection that has sent these bytes.
  StreamSocket Ask(std::string_view text) const {
    auto socket = ConnectStream(Address());
    EXPECT_OK(socket);
    if (!socket.ok()) return {};
    const std::array<std::span<const std::byte>, 1> parts = {std::as_bytes(std::span(text))};
    EXPECT_EQ(socket->Send(parts).bytes, text.size());
    return std::move(*socket);
  }
  static std::string Rest(StreamSocket& socket) {
    std::string text;
    EXPECT_TRUE(test::Eventually([&] {
      std::array<std::byte, 4096> buffer;
      const StreamResult result = socket.Receive(buffer);
      text.append(reinterpret_cast<const char*>(buffer.data()), result.bytes);
      return result.code == StreamResult::Code::kEnded;
    }));
    return text;
  }

  std::unique_ptr<StatusServer> server_;
};

TEST_F(StatusServerTest, ShowsTheProgramAndItsObjects) {
  const Pool pool = Open("local:/weather");
  ASSERT_OK(pool.Publish(Key("today"), MakeObject("secret-value")));
  ASSERT_OK(pool.Publish(Key("week", "<monday>"), MakeObject("secret-value")));
  ASSERT_OK(pool.Publish(Key("week", "tuesday"), MakeObject("1234567")));

  const std::string overview = Get("/").body;
  EXPECT_THAT(overview, HasSubstr("A program that uses Cirein 0."));
  EXPECT_THAT(overview, HasSubstr("resident_bytes"));
  EXPECT_THAT(overview, Not(HasSubstr("refused_connections"))) << "there is no Redis server";
  EXPECT_THAT(overview, HasSubstr("<a href=\"/pools\">Pools</a>"));

  const std::string rows = Get("/rows").body;
  EXPECT_THAT(rows, HasSubstr(">today</a>"));
  EXPECT_THAT(rows, HasSubstr(">week</a>"));
  EXPECT_THAT(Get("/rows?prefix=we").body, Not(HasSubstr(">today</a>")));
  const std::string row = Get("/row?name=week").body;
  EXPECT_THAT(row, HasSubstr("&lt;monday&gt;"));
  EXPECT_THAT(row, HasSubstr(">7B<"));
  EXPECT_THAT(row, Not(HasSubstr("secret-value")));
  EXPECT_THAT(row, Not(HasSubstr("Redis")));
  EXPECT_EQ(Get("/row?name=none").status, 404);
  EXPECT_EQ(Get("/healthz").body, "ready\n");
}

TEST_F(StatusServerTest, ShowsObjectsOfOtherBuckets) {
  ASSERT_OK(Open("local:[mine]/").Publish(Key("here"), MakeObject("x")));
  EXPECT_THAT(Get("/rows").body, Not(HasSubstr(">here</a>")));
  EXPECT_THAT(Get("/rows?bucket=mine").body, HasSubstr(">here</a>"));
  EXPECT_EQ(Get("/row?bucket=mine&name=here").status, 200);
}

TEST_F(StatusServerTest, ShowsThePoolsThatAreOpen) {
  const TemporaryDirectory directory = std::move(*TemporaryDirectory::Create("status"));
  const std::string path = directory.File("a'b");
  EXPECT_THAT(Get("/pools").body, HasSubstr("local:</a>"));
  {
    const Pool pool = Open("elastic:" + path + "&size=16MiB");
    ASSERT_OK(pool.Publish(Key("a"), MakeObject("x")));
    EXPECT_THAT(Get("/pools").body, HasSubstr("elastic:" + EscapeHtml(path)));
    const auto json = nlohmann::json::parse(Get("/status.json").body);
    EXPECT_EQ(json.at("pools").at(0).at("path"), path);
    EXPECT_EQ(json.at("pools").at(0).at("durability"), "process");
    EXPECT_THAT(Get("/metrics").body, HasSubstr("cirein_elastic_publishes_total{pool="));
  }
  EXPECT_THAT(Get("/pools").body, Not(HasSubstr("elastic:")));
}

TEST_F(StatusServerTest, TellsScriptsAndMonitoring) {
  ASSERT_OK(Open("local:").Publish(Key("a"), MakeObject("x")));
  const auto json = nlohmann::json::parse(Get("/status.json").body);
  EXPECT_EQ(json.at("schema"), 1);
  EXPECT_EQ(json.at("server").at("ready"), true);
  EXPECT_EQ(json.at("store").at("objects"), 1);
  EXPECT_FALSE(json.contains("clients"));
  EXPECT_TRUE(json.at("pools").empty());
  const HttpAnswer metrics = Get("/metrics");
  EXPECT_THAT(metrics.head, HasSubstr("text/plain; version=0.0.4"));
  EXPECT_THAT(metrics.body, HasSubstr("cirein_store_objects 1\n"));
  EXPECT_THAT(metrics.body, HasSubstr("cirein_resident_bytes"));
  EXPECT_THAT(metrics.body, Not(HasSubstr("cirein_resp_")));
}

TEST_F(StatusServerTest, ShowsTheFunctionsOfTheProgram) {
  // There is no way to forget a function again: so it has a name that nobody else uses.
  ASSERT_OK(RegisterComputeFunction(
      "status-server-test", [](const ComputeInput&) { return DataObject::FromString(""); }));
  EXPECT_THAT(Get("/functions").body, HasSubstr("<code>status-server-test</code>"));
}

TEST_F(StatusServerTest, AnswersPagesOfTheProgram) {
  const Pool pool = Open("local:/mine");
  ASSERT_OK(pool.Publish(Key("state"), MakeObject("running")));
  ASSERT_OK(server_->AddPage("/mine/part", "My <part>", [pool](const PageRequest& request) {
    std::string text = request.path;
    for (const auto& [name, value] : request.parameters) text += ";" + name + "=" + value;
    text += ";" + std::string(request.Parameter("b").value_or("none"));
    return Result<PageResponse>(Text(text + ";" + std::string(pool.Need(Key("state"))->text())));
  }));
  const HttpAnswer answer = Get("/mine/part?a=1+2&a=%003%FF&b=");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body,
            "/mine/part;a=1 2;a=\0"
            "3\xff;b=;;running"s);
  EXPECT_THAT(answer.head, HasSubstr("Content-Type: text/plain\r\n"));
  EXPECT_THAT(Get("/").body, HasSubstr("<a href=\"/mine/part\">My &lt;part&gt;</a>"));
  EXPECT_EQ(Get("/mine").status, 404);
  EXPECT_EQ(Get("/mine/part?a=%zz").status, 400);
}

TEST_F(StatusServerTest, GivesPagesTheLookOfTheOthers) {
  ASSERT_OK(server_->AddPage("/mine", "", [](const PageRequest& request) -> Result<PageResponse> {
    return MakeHtmlPage("Q&A", "<p>" + EscapeHtml(request.Parameter("q").value_or("")) + "</p>");
  }));
  const HttpAnswer answer = Get("/mine?q=%3Cscript%3E%22%0A");
  EXPECT_THAT(answer.head, HasSubstr("Content-Type: text/html; charset=utf-8\r\n"));
  EXPECT_THAT(answer.head, HasSubstr("Content-Security-Policy: default-src 'none'"));
  EXPECT_THAT(answer.body, HasSubstr("<h1>Q&amp;A</h1>"));
  EXPECT_THAT(answer.body, HasSubstr("<p>&lt;script&gt;&quot;\\x0a</p>"));
  EXPECT_THAT(answer.body, HasSubstr("<a href=\"/functions\">"));
  EXPECT_THAT(Get("/").body, Not(HasSubstr("/mine"))) << "it has no title";
}

TEST(StatusServerHtmlTest, EscapesAnyBytes) {
  EXPECT_EQ(EscapeHtml("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(EscapeHtml(std::string(1000, 'a')), std::string(1000, 'a'));
  EXPECT_THAT(EscapeHtml(std::string(1000, 'a'), 10), StartsWith("aaaaaaaaaa"));
  EXPECT_LT(EscapeHtml(std::string(1000, 'a'), 10).size(), 100u);
  EXPECT_EQ(EscapeHtml(std::string_view("\0\xff<", 3)), "\\x00\\xff&lt;");
}

TEST_F(StatusServerTest, AnswersErrorsOfPages) {
  const std::vector<std::pair<Status, int>> errors = {
      {InvalidArgument("odd"), 400},  {PermissionDenied("odd"), 403},
      {NotFound("odd"), 404},         {Unavailable("odd"), 503},
      {DeadlineExceeded("odd"), 503}, {ResourceExhausted("odd"), 503},
      {AlreadyExists("odd"), 500},    {Internal("odd"), 500}};
  for (std::size_t i = 0; i < errors.size(); ++i) {
    const std::string path = "/error-" + std::to_string(i);
    ASSERT_OK(server_->AddPage(path, "", [error = errors[i].first](const PageRequest&) {
      return Result<PageResponse>(error);
    }));
    const HttpAnswer answer = Get(path);
    EXPECT_EQ(answer.status, errors[i].second) << errors[i].first.ToString();
    EXPECT_THAT(answer.body, HasSubstr("odd"));
    EXPECT_THAT(answer.head, HasSubstr("text/plain"));
  }
}

TEST_F(StatusServerTest, SurvivesPagesThatThrowAndThoseThatForgeHeaders) {
  const LogCapture log;
  ASSERT_OK(server_->AddPage("/throws", "", [](const PageRequest&) -> Result<PageResponse> {
    throw std::runtime_error("page-is-broken");
  }));
  ASSERT_OK(server_->AddPage("/throws-odd", "",
                             [](const PageRequest&) -> Result<PageResponse> { throw 1; }));
  for (const std::string type : {"", "text/html\r\nSet-Cookie: a=b", "text/html\n", "\xff"}) {
    const std::string path = "/forged-" + std::to_string(type.size());
    ASSERT_OK(server_->AddPage(path, "", [type](const PageRequest&) {
      return Result<PageResponse>(PageResponse{.body = "x", .content_type = type});
    }));
    const HttpAnswer answer = Get(path);
    EXPECT_EQ(answer.status, 500);
    EXPECT_THAT(answer.head, Not(HasSubstr("Set-Cookie")));
  }
  EXPECT_EQ(Get("/throws").status, 500);
  EXPECT_THAT(Get("/throws").body, Not(HasSubstr("page-is-broken"))) << "it is for the log";
  EXPECT_EQ(Get("/throws-odd").status, 500);
  EXPECT_TRUE(log.Contains("page-is-broken"));
  EXPECT_EQ(Get("/pools").status, 200);
}

TEST_F(StatusServerTest, RefusesPathsThatNobodyCouldAskFor) {
  const PageHandler handler = [](const PageRequest&) { return Result<PageResponse>(Text("x")); };
  for (const std::string path :
       {"", "mine", "/mine/", "//", "//mine", "/a//b", "/.", "/..", "/a/../b", "/a b", "/a?b",
        "/a#b", "/a%20b", "/a\\b", "/a\nb", "/a<b", "/a\"b", "/\xc3\xa4"}) {
    EXPECT_CODE(server_->AddPage(path, "", handler), kInvalidArgument) << path;
  }
  EXPECT_CODE(server_->AddPage(std::string("/a\0b", 4), "", handler), kInvalidArgument);
  EXPECT_CODE(server_->AddPage("/" + std::string(1024, 'a'), "", handler), kInvalidArgument);
  EXPECT_CODE(server_->AddPage("/mine", "", nullptr), kInvalidArgument);
  for (const std::string& path : std::vector<std::string>{
           "/mine", "/a/b/c", "/...", "/a-b_c.d~e!$&'()*+,;=:@", "/" + std::string(1023, 'a')}) {
    EXPECT_OK(server_->AddPage(path, "", handler)) << path;
    EXPECT_EQ(Get(path).body, "x") << path;
  }
}

TEST_F(StatusServerTest, RefusesAPathThatIsTaken) {
  const PageHandler handler = [](const PageRequest&) { return Result<PageResponse>(Text("x")); };
  ASSERT_OK(server_->AddPage("/mine", "", handler));
  for (const char* path : {"/mine", "/", "/pools", "/rows", "/row", "/functions", "/status.json",
                           "/metrics", "/healthz"}) {
    EXPECT_CODE(server_->AddPage(path, "", handler), kAlreadyExists) << path;
  }
}

TEST_F(StatusServerTest, PagesThatWaitHoldNoOther) {
  auto let_go = std::make_shared<Notification>();
  auto inside = std::make_shared<test::Countdown>(3);
  ASSERT_OK(server_->AddPage("/waits", "", [let_go, inside](const PageRequest&) {
    inside->CountDown();
    let_go->WaitUntil(test::EndOfPatience());
    return Result<PageResponse>(Text("at last"));
  }));
  std::vector<StreamSocket> waiting;
  for (int i = 0; i < 3; ++i) waiting.push_back(Ask("GET /waits HTTP/1.1\r\n\r\n"));
  ASSERT_TRUE(inside->Wait());
  EXPECT_EQ(Get("/pools").status, 200);
  EXPECT_EQ(Get("/healthz").status, 200);
  let_go->Notify();
  for (StreamSocket& each : waiting) EXPECT_THAT(Rest(each), HasSubstr("at last"));
}

TEST_F(StatusServerTest, AnswersOnlyThisMachineWithoutAPassword) {
  EXPECT_THAT(server_->address(), StartsWith("127.0.0.1:"));
  EXPECT_CODE(StatusServer::Start({.host = "0.0.0.0"}), kFailedPrecondition);
  StreamSocket led = Ask("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_THAT(Rest(led), StartsWith("HTTP/1.1 403 "));
}

TEST_F(StatusServerTest, AsksForThePassword) {
  server_ = StatusServer::Start({.host = "0.0.0.0", .password = "secret"}).value();
  ASSERT_OK(server_->AddPage("/mine", "",
                             [](const PageRequest&) { return Result<PageResponse>(Text("x")); }));
  for (const char* path : {"/", "/mine", "/none"}) {
    EXPECT_EQ(Get(path).status, 401) << path;
    EXPECT_EQ(Get(path, "wrong").status, 401) << path;
  }
  EXPECT_EQ(Get("/mine", "secret").body, "x");
  EXPECT_EQ(Get("/", "secret").status, 200);
  EXPECT_EQ(Get("/healthz").status, 200);
}

TEST_F(StatusServerTest, SaysWhyItCannotListen) {
  EXPECT_CODE(StatusServer::Start({.port = server_->port()}), kAlreadyExists);
  EXPECT_FALSE(StatusServer::Start({.host = ""}).ok());
  EXPECT_FALSE(StatusServer::Start({.host = "no such host"}).ok());
}

TEST_F(StatusServerTest, OutlivesTheLibrary) {
  ASSERT_OK(Open("local:").Publish(Key("a"), MakeObject("x")));
  ASSERT_OK(server_->AddPage(
      "/mine", "", [](const PageRequest&) { return Result<PageResponse>(Text("still here")); }));
  FinishNow();
  for (const char* path :
       {"/", "/pools", "/rows", "/row?name=a", "/functions", "/status.json", "/metrics"}) {
    EXPECT_EQ(Get(path).status, 503) << path;
  }
  EXPECT_EQ(Get("/mine").body, "still here");
}

TEST_F(StatusServerTest, EndsWithItsPages) {
  auto kept = std::make_shared<int>(1);
  ASSERT_OK(server_->AddPage(
      "/mine", "", [kept](const PageRequest&) { return Result<PageResponse>(Text("x")); }));
  EXPECT_EQ(Get("/mine").status, 200);
  const StreamAddress address = Address();
  server_->Stop();
  server_->Stop();
  EXPECT_FALSE(ConnectStream(address).ok());
  server_.reset();
  EXPECT_EQ(kept.use_count(), 1);
}

// A page that waits until it is let go, however it ends.
struct WaitingPage {
  test::Countdown inside{1};
  Notification let_go;
  test::Countdown ended{1};
};

Status AddWaitingPage(StatusServer& server, const std::shared_ptr<WaitingPage>& page) {
  return server.AddPage("/waits", "", [page](const PageRequest&) {
    page->inside.CountDown();
    page->let_go.WaitUntil(test::EndOfPatience());
    page->ended.CountDown();
    return Result<PageResponse>(Text("at last"));
  });
}

TEST_F(StatusServerTest, WaitsForAPageUnderWay) {
  const auto page = std::make_shared<WaitingPage>();
  ASSERT_OK(AddWaitingPage(*server_, page));
  const StreamSocket asked = Ask("GET /waits HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(page->inside.Wait());
  std::thread stopper([this] { server_->Stop(); });
  const StreamAddress address = Address();
  // It listens no more, so it waits, or will.
  EXPECT_TRUE(test::Eventually([&] { return !ConnectStream(address).ok(); }));
  page->let_go.Notify();
  stopper.join();
  EXPECT_EQ(page->ended.left(), 0);
}

TEST_F(StatusServerTest, LeavesAPageThatDoesNotEndToItself) {
  const LogCapture log;
  const auto page = std::make_shared<WaitingPage>();
  ASSERT_OK(AddWaitingPage(*server_, page));
  const StreamSocket asked = Ask("GET /waits HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(page->inside.Wait());
  server_.reset();
  EXPECT_EQ(page->ended.left(), 1);
  EXPECT_TRUE(log.Contains("http-page"));
  FinishNow();
  // It ends when there is nothing left of the server and the library.
  page->let_go.Notify();
  EXPECT_TRUE(page->ended.Wait());
}

TEST(StatusServerStartTest, NeedsTheLibrary) {
  EXPECT_CODE(StatusServer::Start(), kFailedPrecondition);
}

}  // namespace
}  // namespace cirein
