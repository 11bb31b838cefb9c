// SPDX-License-Identifier: Apache-2.0
#include "fabric/sim/sim_network.h"

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cirein::fabric {
namespace {

using namespace std::chrono_literals;

std::string Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // NOLINT
}

struct One {
  explicit One(std::string_view text) : part(std::as_bytes(std::span(text))) {}
  operator Parts() const { return {&part, 1}; }  // NOLINT
  std::span<const std::byte> part;
};

struct EchoService : Service {
  void Connected(const std::shared_ptr<Connection>& c) override { connections.push_back(c); }
  void Message(const std::shared_ptr<Connection>&, std::span<const std::byte> m) override {
    messages.push_back(Text(m));
  }
  void Request(const std::shared_ptr<Connection>& c, RequestId id,
               std::span<const std::byte> m) override {
    EXPECT_TRUE(c->Reply(id, {&m, 1}).ok());
  }
  void Closed(const std::shared_ptr<Connection>&, const Status&) override { ++closed; }
  std::vector<std::shared_ptr<Connection>> connections;
  std::vector<std::string> messages;
  int closed = 0;
};

TEST(SimNetworkTest, EchoesARequestAndCloses) {
  VirtualScheduler world(1);
  VirtualHost a(world, {.name = "a"});
  VirtualHost b(world, {.name = "b"});
  SimNetwork network(world, CostModel::Tcp());
  EchoService at_a;
  EchoService at_b;
  const auto ta = network.Join(a);
  const auto tb = network.Join(b);
  ASSERT_TRUE(tb->Listen(at_b).ok());
  std::shared_ptr<Connection> connection;
  ASSERT_TRUE(ta->Connect("sim://b", at_a, 1s, [&](auto c) {
                  ASSERT_TRUE(c.ok()) << c.status().ToString();
                  connection = *c;
                }).ok());
  EXPECT_EQ(connection, nullptr);
  while (world.RunOne()) {
  }
  ASSERT_NE(connection, nullptr);
  std::string answer;
  ASSERT_TRUE(connection->Request(One("hello"), 1s, [&](auto r) { answer = Text(*r); }).ok());
  ASSERT_TRUE(connection->Send(One("bye")).ok());
  while (world.RunOne()) {
  }
  EXPECT_EQ(answer, "hello");
  EXPECT_EQ(at_b.messages, std::vector<std::string>{"bye"});
  connection->Close();
  while (world.RunOne()) {
  }
  EXPECT_EQ(at_b.closed, 1);
  EXPECT_EQ(at_a.closed, 0);
  EXPECT_EQ(network.connections(), 0U);
}

}  // namespace
}  // namespace cirein::fabric
