// SPDX-License-Identifier: Apache-2.0
#include "resp/session.h"

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "object/striped_store.h"
#include "runtime/virtual_environment.h"

namespace cirein::resp {
namespace {

using std::chrono::milliseconds;

// A session without a socket: what it is to send is taken as a text.
class TestClient final : public Session::Host {
 public:
  TestClient(ServerState& state, VirtualEnvironment& world)
      : world_(world),
        counters_(state.AddCounters()),
        session_(
            state, counters_, *this,
            std::make_shared<ClientCard>(state.clients().NextId(), "test:1", "test:2", nullptr)) {}

  TimePoint now() const override { return world_.clock().Now(); }
  TimerService& timers() override { return world_.timers(); }
  void RunSlow(Session& /*session*/, std::function<void()> work) override {
    slow_ = std::move(work);
  }
  void Wake(Session& /*session*/) override { ++wakes_; }
  void TellWhenKept(StripedStore::Committed committed) override {
    StripedStore::Tell(committed, OkStatus());
  }

  /// Gives it bytes, and what may be sent then.
  std::string Say(std::string_view bytes) {
    session_.Receive(bytes);
    return Hear();
  }
  std::string Hear() {
    session_.ReleaseRound();
    std::string text;
    std::array<std::span<const std::byte>, 4> parts;
    while (const std::size_t ready = session_.sendable_bytes()) {
      const std::size_t count = session_.output().Parts(parts, ready);
      std::size_t bytes = 0;
      for (std::size_t i = 0; i < count; ++i) {
        text.append(reinterpret_cast<const char*>(parts[i].data()), parts[i].size());
        bytes += parts[i].size();
      }
      session_.Sent(bytes);
    }
    return text;
  }
  bool RunSlowWork() {
    if (slow_ == nullptr) return false;
    std::exchange(slow_, nullptr)();
    session_.SlowDone(OkStatus());
    session_.Resume();
    return true;
  }
  void RefuseSlowWork() {
    slow_ = nullptr;
    session_.SlowDone(Unavailable("no thread"));
    session_.Resume();
  }

  Session& session() { return session_; }
  ServerCounters& counters() { return counters_; }
  int wakes() const { return wakes_; }

 private:
  VirtualEnvironment& world_;
  ServerCounters& counters_;
  std::function<void()> slow_;
  int wakes_ = 0;
  Session session_;
};

class SessionTest : public testing::Test {
 protected:
  SessionTest()
      : store_(StripedStore::Create(world_.environment(), {.stripes = 8, .memory_limit_bytes = 0})),
        state_({.store = store_,
                .bucket = Bucket(7),
                .clock = &world_.clock(),
                .fsync = "no",
                .prepare_bytes = 64 << 10,
                .seed = 1,
                .shutdown = [this] { ended_ = true; }}) {}
  ~SessionTest() override { store_->Close(); }

  VirtualEnvironment world_;
  std::shared_ptr<StripedStore> store_;
  bool ended_ = false;
  ServerState state_;
  TestClient client_{state_, world_};
};

TEST_F(SessionTest, AnswersInOrder) {
  EXPECT_EQ(client_.Say("PING\r\nSET a 1\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\nincr a\r\nECHO x\r\n"),
            "+PONG\r\n+OK\r\n$1\r\n1\r\n:2\r\n$1\r\nx\r\n");
  EXPECT_EQ(client_.counters().commands.value(), 5U);
}

TEST_F(SessionTest, TakesBytesAsTheyCome) {
  const std::string_view request = "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\nGET key\r\n";
  std::string heard;
  for (const char byte : request) heard += client_.Say(std::string_view(&byte, 1));
  EXPECT_EQ(heard, "+OK\r\n$5\r\nvalue\r\n");
}

TEST_F(SessionTest, RefusesAsRedis) {
  EXPECT_EQ(client_.Say("foo a b\r\n"),
            "-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n");
  EXPECT_EQ(client_.Say("LPUSH a b\r\n"),
            "-ERR unknown command 'LPUSH', with args beginning with: 'a' 'b' , see docs/redis.md"
            "\r\n");
  EXPECT_EQ(client_.Say("get\r\n"), "-ERR wrong number of arguments for 'get' command\r\n");
  EXPECT_EQ(client_.Say("config get\r\n"),
            "-ERR wrong number of arguments for 'config|get' command\r\n");
  EXPECT_EQ(client_.Say("config\r\n"), "-ERR wrong number of arguments for 'config' command\r\n");
  EXPECT_EQ(client_.Say("config foo\r\n"), "-ERR unknown subcommand 'foo'. Try CONFIG HELP.\r\n");
  EXPECT_EQ(client_.Say("*a\r\n"), "-ERR Protocol error: invalid multibulk length\r\n");
  EXPECT_TRUE(client_.session().closing());
  EXPECT_EQ(client_.Say("PING\r\n"), "");
}

TEST_F(SessionTest, AsksForThePassword) {
  state_.parameters().set_password("secret");
  EXPECT_EQ(client_.Say("GET a\r\n"), "-NOAUTH Authentication required.\r\n");
  EXPECT_EQ(client_.Say("AUTH wrong\r\n"),
            "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
  EXPECT_EQ(client_.Say("AUTH secretsecret\r\n").substr(0, 10), "-WRONGPASS");
  EXPECT_EQ(client_.Say("HELLO 3\r\n").substr(0, 7), "-NOAUTH");
  EXPECT_EQ(client_.Say("HELLO 3 AUTH default secret SETNAME me\r\n").substr(0, 4), "%7\r\n");
  EXPECT_EQ(client_.Say("CLIENT GETNAME\r\n"), "$2\r\nme\r\n");
  EXPECT_EQ(client_.Say("GET a\r\n"), "_\r\n");
  EXPECT_EQ(client_.Say("RESET\r\nGET a\r\n"), "+RESET\r\n-NOAUTH Authentication required.\r\n");
}

TEST_F(SessionTest, RunsTransactions) {
  EXPECT_EQ(client_.Say("MULTI\r\nSET a 1\r\nINCR a\r\nHGET a f\r\nGET a\r\nPING\r\nEXEC\r\n"),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*5\r\n+OK\r\n:2\r\n"
            "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n$1\r\n2\r\n"
            "+PONG\r\n");
  EXPECT_EQ(client_.Say("MULTI\r\nSET a 5\r\nGET\r\nEXEC\r\nGET a\r\n"),
            "+OK\r\n+QUEUED\r\n-ERR wrong number of arguments for 'get' command\r\n"
            "-EXECABORT Transaction discarded because of previous errors.\r\n$1\r\n2\r\n");
  EXPECT_EQ(client_.Say("MULTI\r\nMULTI\r\nWATCH a\r\nSET a 6\r\nDISCARD\r\nGET a\r\n"),
            "+OK\r\n-ERR MULTI calls can not be nested\r\n-ERR WATCH inside MULTI is not allowed"
            "\r\n+QUEUED\r\n+OK\r\n$1\r\n2\r\n");
  EXPECT_EQ(client_.Say("EXEC\r\nDISCARD\r\n"),
            "-ERR EXEC without MULTI\r\n-ERR DISCARD without MULTI\r\n");
  EXPECT_EQ(client_.Say("MULTI\r\nUNWATCH\r\nMEMORY USAGE nothing\r\nEXEC\r\n"),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$-1\r\n");
  // What looks into the store must not wait for the transaction it is in.
  EXPECT_NE(client_.Say("MULTI\r\nINFO all\r\nEXEC\r\n").find("# Server"), std::string::npos);
  EXPECT_EQ(client_.Say("MULTI\r\nSET a 9\r\nEXEC a\r\nEXEC\r\n"),
            "+OK\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of: wrong number of "
            "arguments for 'exec' command\r\n-ERR EXEC without MULTI\r\n");
  EXPECT_EQ(client_.Say("MULTI\r\nEXEC\r\n"), "+OK\r\n*0\r\n");
}

TEST_F(SessionTest, WatchesKeys) {
  TestClient other(state_, world_);
  EXPECT_EQ(client_.Say("WATCH a b\r\n"), "+OK\r\n");
  EXPECT_EQ(other.Say("SET b 1\r\n"), "+OK\r\n");
  EXPECT_EQ(client_.Say("MULTI\r\nSET a 1\r\nEXEC\r\nGET a\r\n"),
            "+OK\r\n+QUEUED\r\n*-1\r\n$-1\r\n");
  // The watches ended with it.
  EXPECT_EQ(client_.Say("MULTI\r\nSET a 1\r\nEXEC\r\n"), "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
  EXPECT_EQ(client_.Say("WATCH a\r\n"), "+OK\r\n");
  EXPECT_EQ(other.Say("SET a 2\r\n"), "+OK\r\n");
  EXPECT_EQ(client_.Say("UNWATCH\r\nMULTI\r\nEXEC\r\n"), "+OK\r\n+OK\r\n*0\r\n");
  // Expiry is a change too.
  EXPECT_EQ(other.Say("SET c 1 PX 100\r\n"), "+OK\r\n");
  EXPECT_EQ(client_.Say("WATCH c\r\n"), "+OK\r\n");
  world_.RunFor(milliseconds(200));
  EXPECT_EQ(client_.Say("MULTI\r\nEXEC\r\n"), "+OK\r\n*-1\r\n");
}

TEST_F(SessionTest, CountsKeysOfSeveralSlots) {
  client_.Say("MGET a b\r\nMGET {x}a {x}b\r\nMULTI\r\nSET a 1\r\nSET b 1\r\nEXEC\r\n");
  EXPECT_EQ(client_.counters().cross_slot.value(), 2U);
}

TEST_F(SessionTest, AnswersOnlyWhereItIsWanted) {
  EXPECT_EQ(client_.Say("CLIENT REPLY SKIP\r\nPING\r\nPING\r\n"), "+PONG\r\n");
  EXPECT_EQ(client_.Say("CLIENT REPLY OFF\r\nPING\r\nfoo\r\nSET a 1\r\n"), "");
  EXPECT_EQ(client_.Say("CLIENT REPLY ON\r\nGET a\r\n"), "+OK\r\n$1\r\n1\r\n");
}

TEST_F(SessionTest, WaitsForSlowWork) {
  EXPECT_EQ(client_.Say("SET a 1\r\nKEYS *\r\nPING\r\n"), "");
  EXPECT_TRUE(client_.session().busy());
  EXPECT_FALSE(client_.session().wants_input());
  ASSERT_TRUE(client_.RunSlowWork());
  EXPECT_EQ(client_.Hear(), "+OK\r\n*1\r\n$1\r\na\r\n+PONG\r\n");
  EXPECT_EQ(client_.Say("KEYS *\r\n"), "");
  client_.RefuseSlowWork();
  EXPECT_EQ(client_.Hear().substr(0, 14), "-ERR no thread");
  EXPECT_EQ(client_.Say("MULTI\r\nSET b 1\r\nDBSIZE\r\nEXEC\r\n"), "");
  ASSERT_TRUE(client_.RunSlowWork());
  EXPECT_EQ(client_.Hear(), "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:2\r\n");
}

TEST_F(SessionTest, LargeValuesAreSlowWork) {
  const std::string large(100'000, 'x');
  const std::string request = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\n" + large + "\r\n";
  EXPECT_EQ(client_.Say(request), "");
  ASSERT_TRUE(client_.RunSlowWork());
  EXPECT_EQ(client_.Hear(), "+OK\r\n");
  EXPECT_EQ(client_.Say("STRLEN a\r\nGET a\r\n"), ":100000\r\n$100000\r\n" + large + "\r\n");
}

TEST_F(SessionTest, BlocksItsOwnClientOnly) {
  TestClient other(state_, world_);
  EXPECT_EQ(client_.Say("WAIT 0 0\r\nWAIT 1 100\r\nPING\r\n"), ":0\r\n");
  EXPECT_TRUE(client_.session().is_blocked());
  EXPECT_TRUE(client_.session().wants_input());
  EXPECT_EQ(other.Say("PING\r\n"), "+PONG\r\n");
  EXPECT_EQ(state_.blocked_clients.load(), 1U);
  world_.RunFor(milliseconds(100));
  EXPECT_FALSE(client_.session().is_blocked());
  EXPECT_GT(client_.wakes(), 0);
  client_.session().Resume();
  EXPECT_EQ(client_.Hear(), ":0\r\n+PONG\r\n");
}

TEST_F(SessionTest, MayGoWhileItIsBlocked) {
  auto other = std::make_unique<TestClient>(state_, world_);
  other->Say("WATCH a\r\nWAIT 1 100\r\n");
  other.reset();
  EXPECT_EQ(state_.blocked_clients.load(), 0U);
  world_.RunFor(milliseconds(200));
}

TEST_F(SessionTest, StopsRunningWhenOutputIsNotTaken) {
  const std::string value(10'000, 'x');
  client_.Say("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$10000\r\n" + value + "\r\n");
  std::string request;
  for (int i = 0; i < 10'000; ++i) request += "GET a\r\n";
  client_.session().Receive(request);
  EXPECT_FALSE(client_.session().wants_input());
  EXPECT_TRUE(client_.session().has_pending_input());
  EXPECT_LT(client_.session().output().size(), std::size_t{65} << 20);
  std::size_t heard = 0;
  while (const std::size_t bytes = client_.Hear().size()) {
    heard += bytes;
    client_.session().Resume();
  }
  EXPECT_EQ(heard, 10'000 * (value.size() + 10));
}

TEST_F(SessionTest, EndsWhoSendsTooMuch) {
  state_.parameters().query_limit_bytes.store(1 << 20);
  client_.session().Receive("*1000000\r\n");
  for (int i = 0; i < 100 && !client_.session().broken(); ++i) {
    std::string args;
    for (int j = 0; j < 1000; ++j) args += "$20\r\n01234567890123456789\r\n";
    client_.session().Receive(args);
  }
  EXPECT_TRUE(client_.session().broken());
  EXPECT_EQ(client_.counters().query_limit_closes.value(), 1U);
}

TEST_F(SessionTest, HoldsRepliesOfWhatIsNotKept) {
  // As if the store had said so of the first command.
  client_.session().Receive("PING\r\n");
  EXPECT_EQ(client_.Hear(), "+PONG\r\n");
  Keeper* const keeper = reinterpret_cast<Keeper*>(&client_);  // Only its place counts.
  client_.session().Receive("ECHO a\r\n");
  client_.session().Keep({.status = {}, .ticket = 5, .keeper = keeper, .effects = nullptr});
  EXPECT_EQ(client_.session().round_ticket(), 5U);
  EXPECT_EQ(client_.session().sendable_bytes(), 0U);
  client_.session().HoldRound();
  client_.session().Receive("PING\r\n");
  EXPECT_EQ(client_.Hear(), "");  // In order behind the one that is held.
  client_.session().Release(keeper, 4);
  EXPECT_EQ(client_.Hear(), "");
  client_.session().Release(keeper, 5);
  EXPECT_EQ(client_.Hear(), "$1\r\na\r\n+PONG\r\n");
}

TEST_F(SessionTest, TellsOfItself) {
  EXPECT_NE(client_.Say("INFO\r\n").find("\r\nredis_version:7."), std::string::npos);
  const std::string info = client_.Say("INFO commandstats\r\n");
  EXPECT_NE(info.find("cmdstat_info:calls=1,"), std::string::npos) << info;
  EXPECT_NE(client_.Say("CLIENT LIST\r\n").find("addr=test:1 laddr=test:2"), std::string::npos);
  EXPECT_EQ(client_.Say("CONFIG GET appendf*\r\n"), "*2\r\n$11\r\nappendfsync\r\n$2\r\nno\r\n");
  EXPECT_EQ(client_.Say("COMMAND GETKEYS mset a 1 b 2\r\n"), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  EXPECT_EQ(client_.Say("COMMAND INFO nothing\r\n"), "*1\r\n*-1\r\n");
  EXPECT_EQ(client_.Say("SELECT 1\r\n"), "-ERR DB index is out of range\r\n");
}

TEST_F(SessionTest, SetsParametersAllOrNone) {
  EXPECT_EQ(client_.Say("CONFIG SET timeout 5 maxclients x\r\n"),
            "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument "
            "couldn't be parsed into an integer\r\n");
  EXPECT_EQ(state_.parameters().idle_timeout_s.load(), 0U);
  EXPECT_EQ(client_.Say("CONFIG SET timeout 5 slowlog-log-slower-than 0\r\n"), "+OK\r\n");
  EXPECT_EQ(state_.parameters().idle_timeout_s.load(), 5U);
  client_.Say("SET a 1\r\n");
  EXPECT_NE(client_.Say("SLOWLOG GET\r\n").find("$3\r\nSET\r\n$1\r\na\r\n"), std::string::npos);
  EXPECT_EQ(client_.Say("CONFIG SET databases 2\r\n").substr(0, 4), "-ERR");
}

TEST_F(SessionTest, EndsOnRequest) {
  EXPECT_EQ(client_.Say("SHUTDOWN ABORT\r\n"), "-ERR No shutdown in progress.\r\n");
  EXPECT_EQ(client_.Say("SHUTDOWN NOSAVE SAVE\r\n"), "-ERR syntax error\r\n");
  EXPECT_FALSE(ended_);
  EXPECT_EQ(client_.Say("SHUTDOWN NOSAVE\r\n"), "");
  EXPECT_TRUE(ended_);
  EXPECT_TRUE(client_.session().closing());
}

}  // namespace
}  // namespace cirein::resp
