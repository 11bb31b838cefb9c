// SPDX-License-Identifier: Apache-2.0
#include "resp/session.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "object/striped_store.h"
#include "resp/command_harness.h"
#include "runtime/virtual_environment.h"
#include "support/status_matchers.h"

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

// As a store says it of what its keeper has not kept yet.
StripedStore::Committed Waiting(Keeper* keeper, std::uint64_t ticket) {
  StripedStore::Committed committed;
  committed.keeper = keeper;
  committed.ticket = ticket;
  return committed;
}

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
  TestClient stranger(state_, world_);
  EXPECT_EQ(stranger.Say("GET a\r\n"), "-NOAUTH Authentication required.\r\n");
  EXPECT_EQ(stranger.Say("AUTH wrong\r\n"),
            "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
  EXPECT_EQ(stranger.Say("AUTH secretsecret\r\n").substr(0, 10), "-WRONGPASS");
  EXPECT_EQ(stranger.Say("HELLO 3\r\n").substr(0, 7), "-NOAUTH");
  EXPECT_EQ(stranger.Say("HELLO 3 AUTH default secret SETNAME me\r\n").substr(0, 4), "%7\r\n");
  EXPECT_EQ(stranger.Say("CLIENT GETNAME\r\n"), "$2\r\nme\r\n");
  EXPECT_EQ(stranger.Say("GET a\r\n"), "_\r\n");
  EXPECT_EQ(stranger.Say("RESET\r\nGET a\r\n"), "+RESET\r\n-NOAUTH Authentication required.\r\n");
}

TEST_F(SessionTest, APasswordDoesNotLockOutWhoWasThereBefore) {
  EXPECT_EQ(client_.Say("CONFIG SET requirepass secret\r\nGET a\r\n"), "+OK\r\n$-1\r\n");
  TestClient stranger(state_, world_);
  EXPECT_EQ(stranger.Say("GET a\r\n"), "-NOAUTH Authentication required.\r\n");
  EXPECT_EQ(client_.Say("CONFIG SET requirepass \"\"\r\n"), "+OK\r\n");
  EXPECT_EQ(stranger.Say("GET a\r\n"), "$-1\r\n");
  EXPECT_EQ(client_.Say("CONFIG SET requirepass secret\r\n"), "+OK\r\n");
  EXPECT_EQ(stranger.Say("GET a\r\n"), "-NOAUTH Authentication required.\r\n");
  EXPECT_EQ(client_.Say("RESET\r\nGET a\r\n"), "+RESET\r\n-NOAUTH Authentication required.\r\n");
}

TEST_F(SessionTest, HelloChangesNothingForStrangers) {
  state_.parameters().set_password("secret");
  TestClient stranger(state_, world_);
  EXPECT_EQ(stranger.Say("HELLO 3 SETNAME one\r\n").substr(0, 7), "-NOAUTH");
  EXPECT_EQ(stranger.Say("HELLO 3 SETNAME one AUTH default wrong\r\n").substr(0, 10), "-WRONGPASS");
  EXPECT_EQ(stranger.Say("HELLO 3 SETNAME one bogus\r\n").substr(0, 4), "-ERR");
  EXPECT_EQ(stranger.Say("AUTH secret\r\nCLIENT GETNAME\r\n"), "+OK\r\n$-1\r\n");
  // For others a name is set, whatever is wrong behind it.
  EXPECT_EQ(stranger.Say("HELLO 3 SETNAME two AUTH somebody wrong\r\n").substr(0, 10),
            "-WRONGPASS");
  EXPECT_EQ(stranger.Say("CLIENT GETNAME\r\n"), "$3\r\ntwo\r\n");
}

TEST_F(SessionTest, StrangersAreNotToldMuchAtOnce) {
  state_.parameters().set_password("secret");
  TestClient stranger(state_, world_);
  std::string request;
  for (int i = 0; i < 5000; ++i) request += "GET a\r\n";
  stranger.session().Receive(request);
  EXPECT_FALSE(stranger.session().wants_input());
  EXPECT_LT(stranger.session().output().size(), std::size_t{5} << 10);
  std::size_t heard = 0;
  while (const std::size_t bytes = stranger.Hear().size()) {
    heard += bytes;
    stranger.session().Resume();
  }
  EXPECT_EQ(heard, 5000 * std::string_view("-NOAUTH Authentication required.\r\n").size());
}

TEST_F(SessionTest, TheSlowLogHoldsNoPasswords) {
  EXPECT_EQ(client_.Say("CONFIG SET slowlog-log-slower-than 0 requirepass secret\r\n"), "+OK\r\n");
  client_.Say("AUTH secret\r\nAUTH default secret\r\nHELLO 2 AUTH default secret SETNAME me\r\n");
  client_.Say("HELLO 2 SETNAME AUTH AUTH default secret\r\nHELLO 2 AUTH secret\r\n");
  client_.Say("CONFIG SET maxclients 10 requirepass secret\r\nconfig set requirepass secret\r\n");
  client_.Say("CONFIG SET maxclients 10 requirepass secret timeout\r\n");
  const std::string log = client_.Say("SLOWLOG GET -1\r\n");
  EXPECT_EQ(log.find("secret"), std::string::npos) << log;
  EXPECT_NE(log.find("$4\r\nAUTH\r\n$10\r\n(redacted)\r\n$10\r\n(redacted)\r\n$7\r\nSETNAME\r\n"),
            std::string::npos)
      << log;
  EXPECT_NE(log.find("$10\r\nmaxclients\r\n$2\r\n10\r\n$11\r\nrequirepass\r\n$10\r\n(redacted)"),
            std::string::npos)
      << log;
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

TEST_F(SessionTest, ManyValuesThatAreLargeTogetherAreSlowWork) {
  const std::string value = "$30000\r\n" + std::string(30'000, 'x') + "\r\n";
  const auto pair = [&](char key) { return fmt::format("$1\r\n{}\r\n{}", key, value); };
  const auto set = [&](char key) { return "*3\r\n$3\r\nSET\r\n" + pair(key); };
  EXPECT_EQ(client_.Say("*5\r\n$4\r\nMSET\r\n" + pair('a') + pair('b')), "+OK\r\n");
  EXPECT_EQ(client_.Say("*7\r\n$4\r\nMSET\r\n" + pair('a') + pair('b') + pair('c')), "");
  ASSERT_TRUE(client_.RunSlowWork());
  EXPECT_EQ(client_.Hear(), "+OK\r\n");
  EXPECT_EQ(client_.Say("STRLEN c\r\nMULTI\r\n" + set('a') + set('b') + set('d')),
            ":30000\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
  EXPECT_EQ(client_.Say("EXEC\r\nSTRLEN d\r\n"), "");
  ASSERT_TRUE(client_.RunSlowWork());
  EXPECT_EQ(client_.Hear(), "*3\r\n+OK\r\n+OK\r\n+OK\r\n:30000\r\n");
}

TEST_F(SessionTest, WhatIsMadeOfLargeValuesIsSlowWork) {
  const std::string large(100'000, 'x');
  client_.Say("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\n" + large + "\r\n");
  ASSERT_TRUE(client_.RunSlowWork());
  EXPECT_EQ(client_.Hear(), "+OK\r\n");
  for (const auto& [request, reply] : std::initializer_list<std::pair<const char*, const char*>>{
           {"APPEND a yz\r\nSTRLEN a\r\n", ":100002\r\n:100002\r\n"},
           {"SETRANGE a 100001 !\r\nGETRANGE a 99999 -1\r\n", ":100002\r\n$3\r\nxy!\r\n"},
           {"PEXPIRE a 1000\r\nPTTL a\r\n", ":1\r\n:1000\r\n"},
           {"RENAME a b\r\nEXISTS a b\r\n", "+OK\r\n:1\r\n"}}) {
    EXPECT_EQ(client_.Say(request), "") << request;
    ASSERT_TRUE(client_.RunSlowWork()) << request;
    EXPECT_EQ(client_.Hear(), reply) << request;
  }
  // Reading is not, nor is what becomes small.
  EXPECT_EQ(client_.Say("STRLEN b\r\nSET b 1\r\nAPPEND b 2\r\n"), ":100002\r\n+OK\r\n:2\r\n");
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

TEST_F(SessionTest, ANeedThatIsInterruptedIsGivenUp) {
  const auto waiting = [this] { return store_->GetStats().waiting; };
  const auto interrupt = [](Session&, ReplyWriter& reply) { reply.Error("UNBLOCKED"); };
  EXPECT_EQ(client_.Say("CIREIN.NEED r\r\n"), "");
  EXPECT_EQ(waiting(), 1U);
  EXPECT_TRUE(client_.session().InterruptBlocked(interrupt));
  EXPECT_FALSE(client_.session().InterruptBlocked(interrupt));
  EXPECT_EQ(client_.Hear(), "-UNBLOCKED\r\n");
  EXPECT_EQ(waiting(), 0U);
  EXPECT_EQ(client_.Say("CIREIN.NEED r\r\n"), "");
  world_.RunFor(milliseconds(1));  // The end of the first one is not that of the second.
  EXPECT_TRUE(client_.session().ExpireBlocked());
  EXPECT_EQ(client_.Hear(), "$-1\r\n");
  EXPECT_EQ(waiting(), 0U);
  auto other = std::make_unique<TestClient>(state_, world_);
  other->Say("CIREIN.NEED r TIMEOUT 1000\r\n");
  EXPECT_EQ(waiting(), 1U);
  other.reset();
  EXPECT_EQ(waiting(), 0U);
  world_.RunFor(milliseconds(2000));
}

TEST_F(SessionTest, WantsEndWithResp3) {
  TestClient other(state_, world_);
  const std::string want = "HELLO 3\r\nCIREIN.WANT r\r\nCIREIN.WANT r TIMEOUT 100\r\n";
  const auto publish = [&](std::string_view row) {
    other.Say("CIREIN.PUBLISH " + std::string(row) + " data OVERWRITE\r\n");
  };
  for (const std::string_view leave :
       {"RESET\r\n", "HELLO 2\r\n", "MULTI\r\nHELLO 2\r\nEXEC\r\n"}) {
    // Parked.
    EXPECT_NE(client_.Say(want).find("\r\n:"), std::string::npos);
    EXPECT_EQ(client_.session().wants().size(), 2U);
    EXPECT_EQ(store_->GetStats().waiting, 2U);
    client_.Say(leave);
    EXPECT_EQ(store_->GetStats().waiting, 0U) << leave;
    publish("r");
    world_.RunFor(milliseconds(200));
    EXPECT_EQ(client_.Say("PING\r\n"), "+PONG\r\n") << leave;
    // Answered, but not pushed yet.
    client_.Say(want);
    client_.Say(leave);
    world_.RunFor(milliseconds(200));
    EXPECT_EQ(client_.Say("PING\r\n"), "+PONG\r\n") << leave;
    other.Say("DEL r\r\n");
  }
  // The same from a transaction that runs elsewhere; the push comes meanwhile.
  client_.Say(want);
  client_.Say("MULTI\r\nHELLO 2\r\nDBSIZE\r\nEXEC\r\n");
  publish("r");
  world_.RunFor(milliseconds(1));
  ASSERT_TRUE(client_.RunSlowWork());
  EXPECT_EQ(client_.Hear().find("cirein.want"), std::string::npos);
  world_.RunFor(milliseconds(200));
  EXPECT_EQ(client_.Say("PING\r\n"), "+PONG\r\n");
  // HELLO 3 again leaves them.
  client_.Say("HELLO 3\r\nCIREIN.WANT s\r\nHELLO 3\r\n");
  publish("s");
  world_.RunFor(milliseconds(1));
  EXPECT_EQ(client_.Hear().substr(0, 4), ">3\r\n");
}

TEST_F(SessionTest, TheTimerOfAWantEndsWithIt) {
  TestClient other(state_, world_);
  const auto due = [this] { return world_.timers().NextTimer(); };
  const std::string hello = "HELLO 3\r\n";
  const std::string want = "CIREIN.WANT r TIMEOUT 1000000\r\n";
  client_.Say(hello);
  client_.Say(want);
  EXPECT_NE(due(), kEndOfTime);
  EXPECT_EQ(client_.Say("CIREIN.UNWANT 1\r\n"), ":1\r\n");
  world_.RunFor(milliseconds(1));
  EXPECT_EQ(due(), kEndOfTime);
  client_.Say(want);
  other.Say("CIREIN.PUBLISH r x\r\n");
  world_.RunFor(milliseconds(1));
  EXPECT_EQ(client_.Hear().substr(0, 4), ">3\r\n");
  EXPECT_EQ(due(), kEndOfTime);
  other.Say("DEL r\r\n");
  client_.Say(want + "RESET\r\n");
  world_.RunFor(milliseconds(1));
  EXPECT_EQ(due(), kEndOfTime);
  auto gone = std::make_unique<TestClient>(state_, world_);
  gone->Say(hello + want);
  gone.reset();
  world_.RunFor(milliseconds(1));
  EXPECT_EQ(due(), kEndOfTime);
  // And it comes when nothing else does.
  client_.Say(hello + "CIREIN.WANT r TIMEOUT 50\r\n");
  world_.RunFor(milliseconds(50));
  EXPECT_NE(client_.Hear().find("DEADLINE_EXCEEDED"), std::string::npos);
  EXPECT_EQ(store_->GetStats().waiting, 0U);
}

TEST_F(SessionTest, IsKilledAtOnceFromOutside) {
  client_.session().Receive("PING\r\n");
  client_.session().EndAfterReplies();
  EXPECT_TRUE(client_.session().closing());
  EXPECT_FALSE(client_.session().broken());
  client_.session().Kill();
  EXPECT_TRUE(client_.session().broken());
  EXPECT_EQ(client_.Hear(), "");
}

TEST_F(SessionTest, BreaksWhenItIsNotBusyAnyMore) {
  EXPECT_EQ(client_.Say("KEYS *\r\n"), "");
  client_.session().Break();
  EXPECT_FALSE(client_.session().broken());  // What is at work may be at it.
  ASSERT_TRUE(client_.RunSlowWork());
  EXPECT_TRUE(client_.session().broken());
  EXPECT_EQ(client_.Hear(), "");
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

TEST_F(SessionTest, EndsWhoQueuesTooMuch) {
  state_.parameters().query_limit_bytes.store(1 << 20);
  client_.Say("MULTI\r\n");
  // What is asked for is a fifth of what is kept for it.
  for (int i = 0; i < 10'000; ++i) client_.Say("PING\r\n");
  EXPECT_TRUE(client_.session().broken());
}

TEST_F(SessionTest, HoldsRepliesOfWhatIsNotKept) {
  // As if the store had said so of the first command.
  client_.session().Receive("PING\r\n");
  EXPECT_EQ(client_.Hear(), "+PONG\r\n");
  Keeper* const keeper = reinterpret_cast<Keeper*>(&client_);  // Only its place counts.
  client_.session().Receive("ECHO a\r\n");
  client_.session().Keep(Waiting(keeper, 5));
  EXPECT_EQ(client_.session().round_ticket(), 5U);
  EXPECT_EQ(client_.session().sendable_bytes(), 0U);
  client_.session().HoldRound(1);
  client_.session().Receive("PING\r\n");
  EXPECT_EQ(client_.Hear(), "");  // In order behind the one that is held.
  client_.session().Kept(2);      // Of others.
  EXPECT_EQ(client_.Hear(), "");
  client_.session().Kept(1);
  EXPECT_EQ(client_.Hear(), "$1\r\na\r\n+PONG\r\n");
}

TEST_F(SessionTest, ARoundIsNotReleasedByTheAnswerToAnother) {
  Keeper* const keeper = reinterpret_cast<Keeper*>(&client_);  // Only its place counts.
  // Of what was only seen the ticket is the same in every round.
  for (std::uint64_t number = 1; number <= 3; ++number) {
    client_.session().Receive("ECHO " + std::to_string(number) + "\r\n");
    client_.session().Keep(Waiting(keeper, 1));
    client_.session().HoldRound(number);
  }
  EXPECT_EQ(client_.Hear(), "");
  client_.session().Kept(1);
  EXPECT_EQ(client_.Hear(), "$1\r\n1\r\n");
  client_.session().Kept(3);
  EXPECT_EQ(client_.Hear(), "");
  client_.session().Kept(2);
  EXPECT_EQ(client_.Hear(), "$1\r\n2\r\n$1\r\n3\r\n");
  EXPECT_FALSE(client_.session().has_holds());
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

// Sessions over each store, with room for large transactions.
class SessionStoreTest : public testing::TestWithParam<StoreKind> {
 protected:
  SessionStoreTest()
      : host_(GetParam().make()),
        state_({.store = host_->store().shared_from_this(),
                .bucket = kBucket,
                .clock = &host_->world().clock(),
                .fsync = "no",
                .prepare_bytes = 4096,
                .seed = 1,
                .shutdown = nullptr}) {}

  void PutRows(int count) {
    constexpr int kAtOnce = 100;
    for (int i = 0; i < count; i += kAtOnce) {
      std::string request = "MSET";
      for (int j = i; j < std::min(i + kAtOnce, count); ++j) request += fmt::format(" row{} v", j);
      ASSERT_EQ(client_.Say(request + "\r\n"), "+OK\r\n");
    }
  }
  std::string Slowly(std::string_view request) {
    EXPECT_EQ(client_.Say(request), "");
    EXPECT_TRUE(client_.RunSlowWork());
    return client_.Hear();
  }

  const std::unique_ptr<StoreHost> host_;
  ServerState state_;
  TestClient client_{state_, host_->world()};
};

TEST_P(SessionStoreTest, FlushesMoreRowsThanOneTransactionDrops) {
  constexpr int kRows = 16'384 + 1'000;
  PutRows(kRows);
  const KeyView elsewhere(Bucket(8), "row");
  PutRequest request;
  request.object = DataObject::FromString("v").value();
  ASSERT_OK(host_->store().Publish(elsewhere, std::move(request)));
  EXPECT_EQ(Slowly("DBSIZE\r\n"), fmt::format(":{}\r\n", kRows));
  // As one it cannot be: then not at all.
  EXPECT_EQ(client_.Say("MULTI\r\nFLUSHALL\r\nSET row0 w\r\nEXEC\r\n"), "");
  ASSERT_TRUE(client_.RunSlowWork());
  EXPECT_NE(client_.Hear().find("flush outside of MULTI"), std::string::npos);
  EXPECT_EQ(Slowly("DBSIZE\r\n"), fmt::format(":{}\r\n", kRows));
  EXPECT_EQ(Slowly("FLUSHALL\r\n"), "+OK\r\n");
  EXPECT_EQ(Slowly("DBSIZE\r\n"), ":0\r\n");
  EXPECT_OK(host_->store().Info(elsewhere));
}

TEST_P(SessionStoreTest, CountsFewKeysAndEstimatesMany) {
  const auto keyspace = [this] { return client_.Say("INFO keyspace\r\n"); };
  EXPECT_EQ(keyspace().find("db0"), std::string::npos);
  PutRows(3000);
  EXPECT_NE(keyspace().find("db0:keys=3000,"), std::string::npos) << keyspace();
  client_.Say("PEXPIRE row0 10\r\n");
  host_->world().clock().Advance(milliseconds(20));
  EXPECT_NE(keyspace().find("db0:keys=2999,"), std::string::npos) << keyspace();
  PutRows(12'000);
  const std::string many = keyspace();
  const std::size_t at = many.find("db0:keys=1");
  ASSERT_NE(at, std::string::npos) << many;
  EXPECT_EQ(many.find(',', at) - at, std::string_view("db0:keys=10000").size()) << many;
}

const StoreKind kRoomyStores[] = {kStores[0],
                                  {"Node", []() -> std::unique_ptr<StoreHost> {
                                     return std::make_unique<NodeStoreHost>(std::uint64_t{2} << 20);
                                   }}};
INSTANTIATE_TEST_SUITE_P(Stores, SessionStoreTest, testing::ValuesIn(kRoomyStores), StoreKindName);

}  // namespace
}  // namespace cirein::resp
