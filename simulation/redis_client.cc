// SPDX-License-Identifier: Apache-2.0
#include "simulation/redis_client.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "fabric/transport.h"

namespace cirein::simulation {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds kConnectAgain = 20ms;
/// Longer than any wait that is asked for.
constexpr std::chrono::nanoseconds kAnswerBy = 10s;
constexpr std::uint64_t kNeedMaxMs = 1500;
constexpr std::string_view kStrings[] = {"s0", "s1", "n0"};
constexpr std::string_view kHashes[] = {"h0", "h1"};
constexpr std::string_view kPublished = "p0";

/// Draws commands on the keys of one group.
class CommandDraw {
 public:
  CommandDraw(RedisWork& work, Random& random, std::uint32_t group)
      : work_(work), random_(random), group_(group) {}

  /// One that may stand in MULTI.
  RedisWords Data() {
    switch (random_.Below(22)) {
      default:
        return Set();
      case 3:
      case 4:
        return {"GET", String()};
      case 5:
      case 6:
        return {"INCRBY", random_.OneIn(16) ? Any() : Key("n0"), Number()};
      case 7:
        return {"APPEND", String(), fmt::format("+{}", ++work_.last_value)};
      case 8:
        return random_.OneIn(2) ? RedisWords{"DEL", Any()} : RedisWords{"DEL", Any(), Any()};
      case 9:
        return {"MSET", Key("s0"), Value(), Key("s1"), Value()};
      case 10:
        return {"MSETNX", Key("s0"), Value(), Key("s1"), Value(), Key("n0"), Number()};
      case 11:
        return {"MGET", Key("s0"), Key("s1"), Key("n0"), Key("h0")};
      case 12:
      case 13:
        return HSet();
      case 14:
        return {"HGET", Hash(), Field()};
      case 15:
        return {"HDEL", Hash(), Field(), Field()};
      case 16:
        return {"HINCRBY", Hash(), "count", Number()};
      case 17:
        return {"HGETALL", Hash()};
      case 18:
        return random_.OneIn(2) ? RedisWords{"HLEN", Hash()} : RedisWords{"EXISTS", Any(), Any()};
      case 19:
        return Expiry();
      case 20:
        return Rename();
      case 21:
        return random_.OneIn(4) ? RedisWords{"KEYS", Key("*")} : RedisWords{"TYPE", Any()};
    }
  }
  /// Any one.
  RedisWords Alone() {
    if (!random_.OneIn(8)) return Data();
    const std::string key = Key(kPublished);
    switch (random_.Below(5)) {
      default:
        return {"CIREIN.NEED", key, "TIMEOUT", std::to_string(1 + random_.Below(kNeedMaxMs))};
      case 1:
      case 2: {
        RedisWords words{"CIREIN.PUBLISH", key, Value()};
        if (random_.OneIn(2)) words.emplace_back("OVERWRITE");
        if (work_.uses_ttl && random_.OneIn(3)) AddTtl(words);
        return words;
      }
      case 3:
        return {"DEL", key};
      case 4:
        return {"GET", key};
    }
  }
  std::string Any() {
    const std::vector<std::string> keys = RedisClient::KeysOf(group_);
    return keys[random_.Below(keys.size() - 1)];  // But not the published one.
  }
  std::string Value() {
    std::string value = fmt::format("v{}", ++work_.last_value);
    if (random_.OneIn(4)) value.resize(20 + random_.Below(300), 'x');
    if (work_.large_bytes != 0 && random_.OneIn(24)) value.resize(work_.large_bytes, 'y');
    return value;
  }
  std::string String() {
    if (random_.OneIn(20)) return Hash();
    return Key(kStrings[random_.Below(std::size(kStrings))]);
  }

 private:
  std::string Key(std::string_view key) const { return RedisClient::NameOf(group_, key); }
  std::string Hash() {
    if (random_.OneIn(20)) return Key("s0");
    return Key(kHashes[random_.Below(std::size(kHashes))]);
  }
  std::string Field() {
    static constexpr std::string_view kFields[] = {"", "a", "b", "count"};
    return std::string(kFields[random_.Below(std::size(kFields))]);
  }
  std::string Number() {
    return std::to_string(static_cast<std::int64_t>(1 + random_.Below(9)) *
                          (random_.OneIn(4) ? -1 : 1));
  }
  void AddTtl(RedisWords& words) {
    words.emplace_back("PX");
    words.push_back(std::to_string(1 + random_.Below(random_.OneIn(3) ? 3000 : 300)));
  }
  RedisWords Set() {
    RedisWords words{"SET", String(), Value()};
    if (random_.OneIn(2)) return words;
    if (random_.OneIn(3)) words.emplace_back(random_.OneIn(2) ? "NX" : "XX");
    if (random_.OneIn(3)) words.emplace_back("GET");
    if (work_.uses_ttl && random_.OneIn(2)) {
      if (random_.OneIn(3)) {
        words.emplace_back("KEEPTTL");
      } else {
        AddTtl(words);
      }
    }
    return words;
  }
  RedisWords HSet() {
    RedisWords words{"HSET", Hash(), "a", Value()};
    if (random_.OneIn(2)) words.insert(words.end(), {"b", Value()});
    if (random_.OneIn(4)) words.insert(words.end(), {"", Value()});
    return words;
  }
  RedisWords Expiry() {
    if (!work_.uses_ttl || random_.OneIn(3)) return {"PTTL", Any()};
    if (random_.OneIn(3)) return {"PERSIST", Any()};
    return {"PEXPIRE", Any(), std::to_string(1 + random_.Below(random_.OneIn(3) ? 3000 : 300))};
  }
  RedisWords Rename() {
    if (random_.OneIn(3)) return {"RENAME", Any(), Any()};
    return random_.OneIn(2) ? RedisWords{"RENAME", Key("s0"), Key("s1")}
                            : RedisWords{"RENAME", Key("h0"), Key("h1")};
  }

  RedisWork& work_;
  Random& random_;
  const std::uint32_t group_;
};

}  // namespace

std::string RedisClient::NameOf(std::uint32_t group, std::string_view key) {
  return fmt::format("g{}:{}", group, key);
}

std::vector<std::string> RedisClient::KeysOf(std::uint32_t group) {
  std::vector<std::string> keys;
  for (const std::string_view key : kStrings) keys.push_back(NameOf(group, key));
  for (const std::string_view key : kHashes) keys.push_back(NameOf(group, key));
  keys.push_back(NameOf(group, kPublished));
  return keys;
}

// One connection, on which it asks one thing after the other.
class RedisClient::Lane final : public fabric::Service {
 public:
  Lane(Process& process, RedisWork& work, RedisClientLedger& ledger)
      : process_(process),
        environment_(process.host.environment()),
        work_(work),
        ledger_(ledger),
        random_(process.random.Fork()) {
    Rest();
  }

  // fabric::Service.
  void Connected(const std::shared_ptr<fabric::Connection>& /*connection*/) override {}
  void Request(const std::shared_ptr<fabric::Connection>& /*connection*/,
               fabric::RequestId /*request*/, std::span<const std::byte> /*message*/) override {}
  void Message(const std::shared_ptr<fabric::Connection>& connection,
               std::span<const std::byte> message) override {
    if (connection != connection_) return;
    parser_.Append({reinterpret_cast<const char*>(message.data()), message.size()});
    while (connection_ != nullptr) {
      auto reply = parser_.Next();
      if (!reply.ok()) return Unexpected(reply.status().ToString());
      if (!*reply) break;
      Take(**reply);
    }
  }
  void Closed(const std::shared_ptr<fabric::Connection>& connection,
              const Status& /*why*/) override {
    if (connection == connection_) Lose();
  }

 private:
  /// What the next reply is about.
  struct Expected {
    enum class Kind : std::uint8_t { kOk, kQueued, kAnswer };
    Kind kind = Kind::kOk;
    OperationId id = 0;
    std::optional<RedisTask> task = std::nullopt;
  };

  TimePoint now() const { return work_.world.now(); }
  void Unexpected(const std::string& what) {
    work_.world.Violate(fmt::format("client{} {}: {}", ledger_.id.number, name_, what));
    Lose();
  }
  void Say(OperationId id) { work_.world.scheduler().Say(work_.history.records()[id].ToString()); }

  void Rest() {
    if (std::exchange(rests_, true)) return;
    const auto pause = std::chrono::nanoseconds(
        1 + random_.Below(2 * static_cast<std::uint64_t>(work_.pause.count())));
    environment_.timers.RunAt(environment_.clock.Now() + pause, [this] { Next(); });
  }

  void Connect() {
    if (connecting_) return;
    connecting_ = true;
    const auto again = [this] {
      environment_.timers.RunAt(environment_.clock.Now() + kConnectAgain,
                                [this] { connecting_ = false; });
    };
    const Status begun = process_.transport.Connect(
        "sim://node", *this, Deadline(5s),
        [this, again](Result<std::shared_ptr<fabric::Connection>> connection) {
          if (connection.ok()) {
            connection_ = *std::move(connection);
            parser_ = {};
            name_ = work_.history.NewConnection();
            AppendRequest({"CLIENT", "SETNAME", name_}, output_);
            expected_.push_back({Expected::Kind::kOk});
          }
          again();
        });
    if (!begun.ok()) again();
  }

  void Next() {
    rests_ = false;
    if (connection_ == nullptr) {
      Connect();
      return Rest();
    }
    if (watch_) return ExecWatched();
    if (!ledger_.tasks.empty()) {
      RedisTask task = std::move(ledger_.tasks.front());
      ledger_.tasks.pop_front();
      Ask(task.group, task.call, task);
      return Send();
    }
    if (ledger_.begun >= ledger_.wanted) return Rest();
    ++ledger_.begun;
    const auto group = static_cast<std::uint32_t>(random_.Below(work_.groups));
    CommandDraw draw(work_, random_, group);
    const std::uint64_t kind = random_.Below(20);
    if (kind < 11) {
      Ask(group, {.commands = {draw.Alone()}});
    } else if (kind < 14) {
      const std::uint64_t count = 2 + random_.Below(4);
      for (std::uint64_t i = 0; i < count; ++i) Ask(group, {.commands = {draw.Alone()}});
    } else if (kind < 17) {
      Ask(group, Transaction(draw));
    } else if (kind == 17) {
      Discard(draw);
    } else {
      BeginWatch(group, draw);
    }
    Send();
  }

  RedisCall Transaction(CommandDraw& draw) {
    RedisCall call{.commands = {}, .is_exec = true};
    const std::uint64_t count = 2 + random_.Below(4);
    for (std::uint64_t i = 0; i < count; ++i) call.commands.push_back(draw.Data());
    return call;
  }

  // Nothing comes of it.
  void Discard(CommandDraw& draw) {
    AppendRequest({"MULTI"}, output_);
    AppendRequest(draw.Data(), output_);
    AppendRequest({"DISCARD"}, output_);
    expected_.push_back({Expected::Kind::kOk});
    expected_.push_back({Expected::Kind::kQueued});
    expected_.push_back({Expected::Kind::kOk});
  }

  void BeginWatch(std::uint32_t group, CommandDraw& draw) {
    RedisWords watch{"WATCH", draw.Any()};
    if (random_.OneIn(3)) watch.push_back(draw.Any());
    watch_ = Watch{Ask(group, {.commands = {std::move(watch)}}), group};
    Ask(group, {.commands = {{"GET", draw.String()}}});
    // Its own changes count too.
    if (random_.OneIn(8)) Ask(group, {.commands = {draw.Data()}});
  }
  void ExecWatched() {
    const Watch watch = *std::exchange(watch_, std::nullopt);
    CommandDraw draw(work_, random_, watch.group);
    RedisCall call = Transaction(draw);
    call.watch = watch.id;
    Ask(watch.group, std::move(call));
    Send();
  }

  OperationId Ask(std::uint32_t group, RedisCall call, std::optional<RedisTask> task = {}) {
    if (call.is_exec) {
      AppendRequest({"MULTI"}, output_);
      expected_.push_back({Expected::Kind::kOk});
    }
    for (const RedisWords& words : call.commands) {
      AppendRequest(words, output_);
      if (call.is_exec) expected_.push_back({Expected::Kind::kQueued});
    }
    if (call.is_exec) AppendRequest({"EXEC"}, output_);
    const OperationId id = work_.history.Begin({ledger_.id, name_, group}, std::move(call), now());
    Say(id);
    expected_.push_back({Expected::Kind::kAnswer, id, std::move(task)});
    return id;
  }

  void Send() {
    if (!std::exchange(waits_, true)) ++ledger_.under_way;
    const std::uint64_t batch = ++batch_;
    environment_.timers.RunAt(environment_.clock.Now() + kAnswerBy, [this, batch] {
      if (waits_ && batch == batch_) Lose();
    });
    std::string_view rest = output_;
    while (!rest.empty() && connection_ != nullptr) {
      const std::size_t bytes = random_.OneIn(4) ? 1 + random_.Below(rest.size()) : rest.size();
      const auto part = std::as_bytes(std::span(rest.data(), bytes));
      if (!connection_->Send(std::array{part}).ok()) return Lose();
      rest.remove_prefix(bytes);
    }
    output_.clear();
  }

  void Take(const RedisReply& reply) {
    if (expected_.empty()) return Unexpected("a reply that nobody asked for: " + reply.ToString());
    const Expected expected = std::move(expected_.front());
    expected_.pop_front();
    switch (expected.kind) {
      case Expected::Kind::kOk:
        if (!reply.IsSimple("OK")) Unexpected("in place of OK: " + reply.ToString());
        break;
      case Expected::Kind::kQueued:
        if (!reply.IsSimple("QUEUED")) Unexpected("in place of QUEUED: " + reply.ToString());
        break;
      case Expected::Kind::kAnswer:
        Answered(expected, reply);
        break;
    }
    if (waits_ && expected_.empty()) Over();
  }

  void Answered(const Expected& expected, const RedisReply& reply) {
    const RedisCall& call = work_.history.records()[expected.id].call;
    std::vector<std::string> answers;
    if (call.is_exec && reply.kind == RedisReply::Kind::kArray) {
      if (reply.elements.size() != call.commands.size()) {
        return Unexpected("a transaction of other length: " + reply.ToString());
      }
      for (std::size_t i = 0; i < call.commands.size(); ++i) {
        answers.push_back(CanonicalText(call.commands[i], reply.elements[i]));
      }
    } else {
      answers.push_back(call.is_exec ? reply.ToString() : CanonicalText(call.commands[0], reply));
    }
    if (expected.task && call.commands[0][0] == "CIREIN.NEED" && answers[0] == "nil") {
      work_.world.Violate(
          fmt::format("what is needed was published, and not told: {}", call.commands[0][1]));
    }
    work_.history.End(expected.id, std::move(answers), now());
    Say(expected.id);
  }

  /// All that was asked is answered.
  void Over() {
    // A watch goes on to its EXEC.
    if (std::exchange(waits_, false)) --ledger_.under_way;
    ++batch_;
    if (watch_) {
      waits_ = true;
      ++ledger_.under_way;
    }
    Rest();
  }
  /// The connection is gone, with what was not answered.
  void Lose() {
    if (connection_ == nullptr) return;
    std::exchange(connection_, nullptr)->Close();
    for (Expected& expected : std::exchange(expected_, {})) {
      if (expected.task) ledger_.tasks.push_back(*std::move(expected.task));
    }
    output_.clear();
    watch_.reset();
    const bool waited = std::exchange(waits_, false);
    if (waited) --ledger_.under_way;
    ++batch_;
    if (waited) Rest();
  }

  Process& process_;
  const Environment environment_;
  RedisWork& work_;
  RedisClientLedger& ledger_;
  Random random_;
  std::shared_ptr<fabric::Connection> connection_;
  bool connecting_ = false;
  std::string name_;
  RedisReplyParser parser_;
  std::string output_;
  std::deque<Expected> expected_;
  struct Watch {
    OperationId id;
    std::uint32_t group;
  };
  std::optional<Watch> watch_;
  bool waits_ = false;
  bool rests_ = false;
  std::uint64_t batch_ = 0;
};

RedisClient::RedisClient(Process& process, RedisWork& work, RedisClientLedger& ledger) {
  // Nobody knows what became of what the process before it had under way.
  ledger.under_way = 0;
  for (std::uint32_t i = 0; i < work.lanes; ++i) {
    lanes_.push_back(std::make_unique<Lane>(process, work, ledger));
  }
}

RedisClient::~RedisClient() = default;

}  // namespace cirein::simulation
