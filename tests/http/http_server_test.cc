// SPDX-License-Identifier: Apache-2.0
#include "http/http_server.h"

#include <array>
#include <atomic>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/http_client.h"
#include "runtime/notification.h"
#include "runtime/real_clock.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein::http {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class HttpServerTest : public testing::Test {
 protected:
  void Start(HttpServer::Options options = {}) {
    if (options.addresses.empty()) {
      options.addresses = {{.host = "127.0.0.1", .port = 0, .path = {}}};
    }
    auto started = HttpServer::Start(RealClock::Instance(), std::move(options));
    ASSERT_OK(started);
    server_ = std::move(*started);
    server_->SetReady();
    ASSERT_OK(server_->AddPage("/echo", "Echo", [](const HttpRequest& request) {
      return HttpResponse::Text(200, request.Parameter("say").value_or("nothing"));
    }));
  }

  HttpAnswer Get(const std::string& target, const std::string& password = "") {
    HttpQuestion question{.target = target, .password = password, .time = test::kPatience};
    auto answer = HttpGet(RealClock::Instance(), server_->addresses().front(), question);
    EXPECT_OK(answer);
    return answer.ok() ? *answer : HttpAnswer{};
  }
  int StatusOf(const std::string& target, const std::string& password = "") {
    return Get(target, password).status;
  }

  StreamSocket Connect() {
    auto socket = ConnectStream(server_->addresses().front());
    EXPECT_OK(socket);
    return socket.ok() ? std::move(*socket) : StreamSocket();
  }
  static void Send(StreamSocket& socket, std::string_view text) {
    const std::array<std::span<const std::byte>, 1> parts = {
        std::as_bytes(std::span(text.data(), text.size()))};
    EXPECT_EQ(socket.Send(parts).bytes, text.size());
  }
  // All that comes until the server ends the connection.
  static std::string Rest(StreamSocket& socket) {
    std::string text;
    const bool ended = test::Eventually([&] {
      std::array<std::byte, 4096> buffer;
      const StreamResult result = socket.Receive(buffer);
      text.append(reinterpret_cast<const char*>(buffer.data()), result.bytes);
      return result.code == StreamResult::Code::kEnded;
    });
    EXPECT_TRUE(ended);
    return text;
  }

  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersPagesAndSaysWhatIsNotThere) {
  Start();
  EXPECT_EQ(Get("/echo?say=a%3Cb").body, "a<b\n");
  EXPECT_EQ(StatusOf("/none"), 404);
  EXPECT_EQ(StatusOf("/echo/"), 404);
  EXPECT_EQ(server_->AddPage("/echo", "", [](const HttpRequest&) { return HttpResponse(); }).code(),
            StatusCode::kAlreadyExists);
  EXPECT_EQ(
      server_->AddPage("/healthz", "", [](const HttpRequest&) { return HttpResponse(); }).code(),
      StatusCode::kAlreadyExists);
  EXPECT_EQ(server_->AddPage("x y", "", [](const HttpRequest&) { return HttpResponse(); }).code(),
            StatusCode::kInvalidArgument);
  ASSERT_EQ(server_->pages().size(), 1u);
  EXPECT_EQ(server_->pages().front().title, "Echo");
}

TEST_F(HttpServerTest, SaysWhyItIsNotReady) {
  Start();
  EXPECT_EQ(Get("/healthz").body, "ready\n");
  server_->SetNotReady("closing the pool");
  const HttpAnswer health = Get("/healthz");
  EXPECT_EQ(health.status, 503);
  EXPECT_EQ(health.body, "closing the pool\n");
  EXPECT_EQ(StatusOf("/echo"), 503);
}

TEST_F(HttpServerTest, TakesARequestByteByByteAndNothingButGet) {
  Start();
  StreamSocket slow = Connect();
  for (const char c : std::string_view("GET /echo?say=x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")) {
    Send(slow, std::string_view(&c, 1));
  }
  EXPECT_THAT(Rest(slow), testing::EndsWith("\r\n\r\nx\n"));
  StreamSocket poster = Connect();
  Send(poster, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_THAT(Rest(poster), StartsWith("HTTP/1.1 405 "));
  StreamSocket other = Connect();
  Send(other, "\x16\x03\x01\x02 hello\r\n\r\n");
  EXPECT_THAT(Rest(other), StartsWith("HTTP/1.1 400 "));
}

TEST_F(HttpServerTest, RefusesAHeadWithoutEnd) {
  Start();
  StreamSocket endless = Connect();
  const std::string part(4096, 'a');
  bool ended = false;
  ASSERT_TRUE(test::Eventually([&] {
    const std::array<std::span<const std::byte>, 1> parts = {std::as_bytes(std::span(part))};
    ended = endless.Send(parts).code == StreamResult::Code::kEnded;
    return ended;
  }));
}

TEST_F(HttpServerTest, SilentAndVanishedClientsHoldNobody) {
  Start({.addresses = {}, .max_clients = 8});
  std::vector<StreamSocket> silent;
  for (int i = 0; i < 30; ++i) {
    silent.push_back(Connect());
    Send(silent.back(), "GET /echo HTT");
    if (i % 3 == 0) silent.pop_back();
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(StatusOf("/echo"), 200);
}

TEST_F(HttpServerTest, EndsASlowRequestInTime) {
  Start({.addresses = {}, .request_time = std::chrono::milliseconds(20)});
  StreamSocket slow = Connect();
  Send(slow, "GET /");
  EXPECT_EQ(Rest(slow), "");
}

TEST_F(HttpServerTest, APageThatWaitsHoldsNoOther) {
  Start();
  auto let_go = std::make_shared<Notification>();
  auto inside = std::make_shared<Notification>();
  ASSERT_OK(server_->AddPage("/wait", "", [let_go, inside](const HttpRequest&) {
    inside->Notify();
    let_go->WaitUntil(test::EndOfPatience());
    return HttpResponse::Text(200, "at last");
  }));
  StreamSocket waits = Connect();
  Send(waits, "GET /wait HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(test::Await(*inside));
  EXPECT_EQ(StatusOf("/echo"), 200);
  EXPECT_EQ(StatusOf("/healthz"), 200);
  let_go->Notify();
  EXPECT_THAT(Rest(waits), HasSubstr("at last"));
}

TEST_F(HttpServerTest, AnswersAPageThatThrows) {
  Start();
  ASSERT_OK(server_->AddPage(
      "/bad", "", [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("no"); }));
  EXPECT_EQ(StatusOf("/bad"), 500);
  EXPECT_EQ(StatusOf("/echo"), 200);
}

TEST_F(HttpServerTest, AsksForThePassword) {
  auto password = std::make_shared<std::atomic<const char*>>("secret");
  Start({.addresses = {}, .password = [password] { return std::string(password->load()); }});
  EXPECT_EQ(StatusOf("/echo"), 401);
  EXPECT_EQ(StatusOf("/echo", "secreT"), 401);
  EXPECT_EQ(StatusOf("/echo", "secretsecret"), 401);
  EXPECT_EQ(StatusOf("/none"), 401);
  EXPECT_EQ(StatusOf("/echo", "secret"), 200);
  EXPECT_EQ(StatusOf("/healthz"), 200);
  password->store("other");
  EXPECT_EQ(StatusOf("/echo", "secret"), 401);
}

TEST_F(HttpServerTest, ListensBeyondThisMachineOnlyWithAPassword) {
  const std::vector<StreamAddress> any = {{.host = "0.0.0.0", .port = 0, .path = {}}};
  EXPECT_EQ(HttpServer::Start(RealClock::Instance(), {.addresses = any}).code(),
            StatusCode::kFailedPrecondition);
  auto password = std::make_shared<std::atomic<const char*>>("secret");
  Start({.addresses = any, .password = [password] { return std::string(password->load()); }});
  EXPECT_EQ(StatusOf("/echo", "secret"), 200);
  // Taken away while it is up.
  password->store("");
  EXPECT_EQ(StatusOf("/echo"), 403);
}

TEST_F(HttpServerTest, ANameThatAnybodyMayOwnIsRefused) {
  Start();
  StreamSocket led = Connect();
  Send(led, "GET /echo HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_THAT(Rest(led), StartsWith("HTTP/1.1 403 "));
}

TEST_F(HttpServerTest, SendsLongAnswersWhole) {
  Start();
  const std::string body(20 << 20, 'x');
  ASSERT_OK(server_->AddPage("/long", "", [&](const HttpRequest&) {
    HttpResponse response;
    response.body = body;
    return response;
  }));
  EXPECT_EQ(Get("/long").body.size(), body.size());
  server_->Stop();
}

TEST_F(HttpServerTest, EndsWhileClientsAreThere) {
  Start();
  std::vector<StreamSocket> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(Connect());
  Send(clients[0], "GET /echo HTTP/1.1\r\n");
  server_->Stop();
  server_->Stop();
  for (StreamSocket& client : clients) Rest(client);
}

TEST(HttpClientTest, TakesAnswersApartAndRefusesWhatIsCut) {
  const auto answer = ParseAnswer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab");
  ASSERT_OK(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "ab");
  for (const char* text : {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "-ERR no\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"}) {
    EXPECT_EQ(ParseAnswer(text).code(), StatusCode::kDataLoss) << text;
  }
}

}  // namespace
}  // namespace cirein::http
