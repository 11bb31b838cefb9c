// SPDX-License-Identifier: Apache-2.0
#include "resp/server.h"

#include <array>
#include <memory>
#include <poll.h>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/real_clock.h"
#include "runtime/temporary_directory.h"
#include "runtime/worker_pool.h"

namespace cirein::resp {
namespace {

// A client that waits for what it is told.
class Client {
 public:
  explicit Client(const StreamAddress& address) {
    auto socket = ConnectStream(address);
    EXPECT_TRUE(socket.ok()) << socket.status().ToString();
    if (socket.ok()) socket_ = std::move(*socket);
  }

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::array<std::span<const std::byte>, 1> parts = {
          std::as_bytes(std::span(bytes.data(), bytes.size()))};
      const StreamResult result = socket_.Send(parts);
      if (result.code == StreamResult::Code::kEnded) return;
      if (result.code == StreamResult::Code::kWouldBlock) Await(POLLOUT);
      bytes.remove_prefix(result.bytes);
    }
  }
  /// So many bytes, fewer if the server ends the connection.
  std::string Receive(std::size_t bytes) {
    std::string text(bytes, '\0');
    std::size_t have = 0;
    while (have < bytes) {
      const StreamResult result =
          socket_.Receive(std::as_writable_bytes(std::span(text)).subspan(have));
      if (result.code == StreamResult::Code::kEnded) break;
      if (result.code == StreamResult::Code::kWouldBlock) Await(POLLIN);
      have += result.bytes;
    }
    text.resize(have);
    return text;
  }
  std::string Ask(std::string_view request, std::string_view expected) {
    Send(request);
    return Receive(expected.size());
  }
  /// Until the connection ends.
  std::string ReceiveAll() { return Receive(std::size_t{1} << 20); }
  void Close() { socket_.Close(); }

 private:
  void Await(short events) {
    pollfd waiting{socket_.fd(), events, 0};
    ASSERT_EQ(poll(&waiting, 1, 30'000), 1) << "the server says nothing";
  }

  StreamSocket socket_;
};

#define EXPECT_ANSWER(client, request, expected) \
  EXPECT_EQ((client).Ask(request, expected), std::string_view(expected))

class ServerTest : public testing::Test {
 protected:
  ServerTest()
      : reactor_(std::move(*ReactorThread::Start(RealClock::Instance()))),
        workers_({}, RealClock::Instance(), reactor_->reactor()),
        environment_{RealClock::Instance(), reactor_->reactor(), workers_, workers_},
        store_(StripedStore::Create(environment_, {.stripes = 8, .memory_limit_bytes = 0})),
        state_(std::make_shared<ServerState>(ServerState::Options{.store = store_,
                                                                  .bucket = Bucket(7),
                                                                  .clock = &RealClock::Instance(),
                                                                  .fsync = "no",
                                                                  .prepare_bytes = 1 << 20,
                                                                  .seed = 1,
                                                                  .shutdown = nullptr})) {}
  ~ServerTest() override {
    server_.reset();
    store_->Close();
    EXPECT_TRUE(workers_.Close(std::chrono::seconds(10)).ok());
  }

  void Start(std::vector<StreamAddress> addresses, std::size_t threads = 1) {
    auto server =
        Server::Start(state_, workers_, {.addresses = std::move(addresses), .threads = threads});
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = std::move(*server);
  }
  void StartLocal(std::size_t threads = 1) {
    Start({{.host = "127.0.0.1", .port = 0, .path = {}}}, threads);
  }
  const StreamAddress& address() const { return server_->addresses().front(); }

  std::unique_ptr<ReactorThread> reactor_;
  WorkerPool workers_;
  Environment environment_;
  std::shared_ptr<StripedStore> store_;
  std::shared_ptr<ServerState> state_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, ServesOverTcpAndAPath) {
  const auto directory = TemporaryDirectory::Create("server");
  ASSERT_TRUE(directory.ok());
  Start({{.host = "127.0.0.1", .port = 0, .path = {}},
         {.host = {}, .port = 0, .path = directory->File("socket")}});
  Client tcp(server_->addresses()[0]);
  Client path(server_->addresses()[1]);
  EXPECT_ANSWER(tcp, "PING\r\n", "+PONG\r\n");
  EXPECT_ANSWER(tcp, "SET a 1\r\nINCR a\r\n", "+OK\r\n:2\r\n");
  EXPECT_ANSWER(path, "GET a\r\nKEYS *\r\n", "$1\r\n2\r\n*1\r\n$1\r\na\r\n");
  EXPECT_ANSWER(path, "QUIT\r\n", "+OK\r\n");
  EXPECT_EQ(path.ReceiveAll(), "");
}

TEST_F(ServerTest, ListensToOtherMachinesOnlyWithAPassword) {
  const StreamAddress everywhere{.host = "0.0.0.0", .port = 0, .path = {}};
  EXPECT_EQ(Server::Start(state_, workers_, {.addresses = {everywhere}}).status().code(),
            StatusCode::kFailedPrecondition);
  state_->parameters().set_password("secret");
  Start({everywhere});
}

TEST_F(ServerTest, CarriesLargeValuesBothWays) {
  StartLocal();
  Client client(address());
  std::string value(std::size_t{5} << 20, '\0');
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<char>(i * 31 >> 3);
  const std::string bulk = "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
  EXPECT_ANSWER(client, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n" + bulk, "+OK\r\n");
  EXPECT_TRUE(client.Ask("GET a\r\n", bulk) == bulk);
  EXPECT_ANSWER(client, "STRLEN a\r\n", ":5242880\r\n");
}

TEST_F(ServerTest, ASlowClientHoldsNobody) {
  StartLocal();
  Client slow(address());
  Client quick(address());
  const std::string value(1 << 20, 'x');
  const std::string bulk = "$1048576\r\n" + value + "\r\n";
  EXPECT_ANSWER(slow, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n" + bulk, "+OK\r\n");
  std::string many;
  for (int i = 0; i < 100; ++i) many += "GET a\r\n";
  slow.Send(many);
  for (int i = 0; i < 100; ++i) EXPECT_ANSWER(quick, "PING\r\n", "+PONG\r\n");
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(slow.Receive(bulk.size()) == bulk) << i;
}

TEST_F(ServerTest, RefusesTooManyClients) {
  StartLocal();
  state_->parameters().max_clients.store(2);
  Client first(address());
  Client second(address());
  EXPECT_ANSWER(first, "PING\r\n", "+PONG\r\n");
  EXPECT_ANSWER(second, "PING\r\n", "+PONG\r\n");
  Client third(address());
  EXPECT_EQ(third.ReceiveAll(), "-ERR max number of clients reached\r\n");
}

TEST_F(ServerTest, ClientsMayVanishAtAnyByte) {
  StartLocal(2);
  const std::string_view request =
      "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\nMULTI\r\nGET key\r\nEXEC\r\nKEYS *\r\n";
  for (std::size_t bytes = 0; bytes <= request.size(); ++bytes) {
    Client client(address());
    client.Send(request.substr(0, bytes));
    client.Close();
  }
  Client client(address());
  EXPECT_ANSWER(client, "PING\r\n", "+PONG\r\n");
}

TEST_F(ServerTest, KillsAndUnblocksOthers) {
  StartLocal(2);
  Client waiting(address());
  EXPECT_ANSWER(waiting, "CLIENT ID\r\n", ":1\r\n");
  Client other(address());  // Which of two at the same time is the first nobody can tell.
  waiting.Send("WAIT 1 0\r\n");
  while (state_->blocked_clients.load() == 0) {
    EXPECT_ANSWER(other, "PING\r\n", "+PONG\r\n");
  }
  std::string unblocked;
  do {
    // It is known as blocked at the end of its round.
    unblocked = other.Ask("CLIENT UNBLOCK 1 ERROR\r\n", ":1\r\n");
  } while (unblocked == ":0\r\n");
  const std::string_view error = "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n";
  EXPECT_EQ(waiting.Receive(error.size()), error);
  EXPECT_ANSWER(other, "CLIENT KILL ID 1\r\n", ":1\r\n");
  EXPECT_EQ(waiting.ReceiveAll(), "");
}

TEST_F(ServerTest, ManyIdleClients) {
  StartLocal();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 300; ++i) clients.push_back(std::make_unique<Client>(address()));
  for (const auto& client : clients) EXPECT_ANSWER(*client, "PING\r\n", "+PONG\r\n");
  EXPECT_EQ(state_->clients().size(), 300U);
}

TEST_F(ServerTest, StopsWithClientsAndSlowWork) {
  StartLocal(2);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<Client>(address()));
    clients.back()->Send("SET a 1\r\nKEYS *\r\nDBSIZE\r\nWAIT 1 0\r\n");
  }
  server_->Stop();
  EXPECT_EQ(state_->clients().size(), 0U);
}

}  // namespace
}  // namespace cirein::resp
