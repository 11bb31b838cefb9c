// SPDX-License-Identifier: Apache-2.0

// Two clients' sessions over a store in DRAM, which run what the input says. The first byte chooses
// one of three ways to read the rest:
//  - commands of a core set on a few keys: each reply is compared with a model's;
//  - any commands there are, with likely arguments: they must not crash, and give one well-formed
//    reply each, in order;
//  - bytes as they are: what comes back must be well-formed.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/logging.h"
#include "check.h"
#include "object/striped_store.h"
#include "resp/command_table.h"
#include "resp/server_state.h"
#include "resp/session.h"
#include "runtime/virtual_environment.h"
#include "simulation/redis_model.h"

namespace {

using cirein::resp::ClientCard;
using cirein::resp::CommandEntry;
using cirein::resp::CommandTable;
using cirein::resp::ServerState;
using cirein::resp::Session;
using cirein::simulation::RedisReply;
using cirein::simulation::RedisState;
using cirein::simulation::RedisWords;

constexpr std::size_t kSessions = 2;
constexpr std::size_t kMostCommands = 200;
constexpr std::size_t kMostArgs = 12;

/// Takes the input apart; at its end all is zero.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  bool empty() const { return at_ == size_; }
  std::uint8_t Byte() { return empty() ? std::uint8_t{0} : data_[at_++]; }
  std::size_t Below(std::size_t bound) { return Byte() % bound; }
  std::string Bytes(std::size_t most) {
    const std::size_t bytes = std::min(most, size_ - at_);
    at_ += bytes;
    return {reinterpret_cast<const char*>(data_) + at_ - bytes, bytes};
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

// Where the value that begins there ends; nullopt: it is not complete. Ends the program when it is
// none.
std::optional<std::size_t> EndOfValue(std::string_view bytes, std::size_t at, int depth = 0) {
  CIREIN_FUZZ_CHECK(depth < 16);
  const std::size_t line_end = bytes.find("\r\n", at);
  if (line_end == std::string_view::npos) return std::nullopt;
  const char type = bytes[at];
  const std::string_view word = bytes.substr(at + 1, line_end - at - 1);
  const std::size_t next = line_end + 2;
  CIREIN_FUZZ_CHECK(word.find_first_of("\r\n") == std::string_view::npos);
  if (type == '+' || type == '-' || type == ',' || type == '(') return next;
  if (type == '#') {
    CIREIN_FUZZ_CHECK(word == "t" || word == "f");
    return next;
  }
  if (type == '_') {
    CIREIN_FUZZ_CHECK(word.empty());
    return next;
  }
  std::int64_t number = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), number);
  CIREIN_FUZZ_CHECK(parsed.ec == std::errc() && parsed.ptr == word.data() + word.size());
  if (type == ':') return next;
  if ((type == '$' || type == '*') && number == -1) return next;
  CIREIN_FUZZ_CHECK(number >= 0);
  const auto count = static_cast<std::size_t>(number);
  if (type == '$' || type == '=') {
    if (bytes.size() - next < count + 2) return std::nullopt;
    CIREIN_FUZZ_CHECK(bytes.substr(next + count, 2) == "\r\n");
    return next + count + 2;
  }
  CIREIN_FUZZ_CHECK(type == '*' || type == '%' || type == '~' || type == '>');
  std::optional<std::size_t> end = next;
  for (std::size_t i = 0; i < count * (type == '%' ? 2 : 1); ++i) {
    end = EndOfValue(bytes, *end, depth + 1);
    if (!end) return std::nullopt;
  }
  return end;
}

class Server final : public Session::Host {
 public:
  Server()
      : store_(cirein::StripedStore::Create(world_.environment(),
                                            {.stripes = 4, .memory_limit_bytes = 0})),
        state_({.store = store_,
                .bucket = cirein::Bucket(7),
                .clock = &world_.clock(),
                .fsync = "no",
                .prepare_bytes = 4096,
                .seed = 1,
                .shutdown = nullptr}),
        counters_(state_.AddCounters()) {
    state_.parameters().query_limit_bytes.store(1 << 20);
    for (std::unique_ptr<Session>& session : sessions_) {
      session = std::make_unique<Session>(
          state_, counters_, *this,
          std::make_shared<ClientCard>(state_.clients().NextId(), "a:1", "b:2", nullptr));
    }
  }
  ~Server() override {
    for (std::unique_ptr<Session>& session : sessions_) session.reset();
    store_->Close();
    world_.RunReady();
  }

  cirein::TimePoint now() const override { return state_.clock().Now(); }
  cirein::TimerService& timers() override { return world_.timers(); }
  void RunSlow(Session& session, std::function<void()> work) override {
    slow_.emplace_back(&session, std::move(work));
  }
  void Wake(Session& /*session*/) override {}
  void TellWhenKept(cirein::StripedStore::Committed committed) override {
    tells_.push_back(std::move(committed));
  }

  Session& session(std::size_t i) { return *sessions_[i]; }

  /// What comes in the middle of an argument goes where the session says.
  void Receive(std::size_t i, std::string_view bytes) {
    Session& to = session(i);
    if (!to.wants_input()) return;
    const auto window = to.body_window();
    const std::size_t body_bytes = std::min(bytes.size(), window.size());
    if (body_bytes != 0) {
      std::memcpy(window.data(), bytes.data(), body_bytes);
      to.BodyReceived(body_bytes);
    }
    if (body_bytes < bytes.size() || body_bytes == window.size()) {
      to.Receive(bytes.substr(body_bytes));
    }
    EndRound();
  }
  void EndRound() {
    do {
      for (auto& tell : std::exchange(tells_, {})) {
        CIREIN_FUZZ_CHECK(tell.ticket == 0);
        cirein::StripedStore::Tell(tell, cirein::OkStatus());
      }
      for (auto& [session, work] : std::exchange(slow_, {})) {
        work();
        session->SlowDone(cirein::OkStatus());
      }
      for (const auto& session : sessions_) session->Resume();
      world_.RunReady();
    } while (!tells_.empty() || !slow_.empty());
  }
  void Pass(std::chrono::milliseconds time) {
    world_.RunFor(time);
    EndRound();
  }
  /// What may be sent.
  std::string Take(std::size_t i) {
    Session& from = session(i);
    std::string text;
    while (const std::size_t ready = from.sendable_bytes()) {
      std::span<const std::byte> parts[4];
      const std::size_t count = from.output().Parts(parts, ready);
      std::size_t bytes = 0;
      for (std::size_t p = 0; p < count; ++p) {
        text.append(reinterpret_cast<const char*>(parts[p].data()), parts[p].size());
        bytes += parts[p].size();
      }
      from.Sent(bytes);
    }
    return text;
  }

 private:
  cirein::VirtualEnvironment world_;
  std::shared_ptr<cirein::StripedStore> store_;
  ServerState state_;
  cirein::resp::ServerCounters& counters_;
  std::unique_ptr<Session> sessions_[kSessions];
  std::vector<std::pair<Session*, std::function<void()>>> slow_;
  std::vector<cirein::StripedStore::Committed> tells_;
};

// In as many pieces as the input says.
void SendInPieces(Server& server, std::size_t session, std::string_view bytes, Input& input) {
  while (!bytes.empty()) {
    const std::size_t cut = input.Below(4) == 3 ? input.Below(64) + 1 : bytes.size();
    server.Receive(session, bytes.substr(0, cut));
    bytes.remove_prefix(std::min(cut, bytes.size()));
  }
}

// ---- A model that knows every reply ----

std::string AnyValue(Input& input) {
  switch (input.Below(8)) {
    case 0:
      return input.Bytes(input.Byte());
    case 1:
      return std::string(std::size_t{40'000} + input.Byte(), 'x');  // A body of its own.
    case 2:
      return "9223372036854775807";
    case 3:
      return "-9223372036854775808";
    default:
      return std::to_string(static_cast<int>(input.Byte()) - 128);
  }
}

RedisWords CoreCommand(Input& input) {
  const auto key = [&] { return std::string(1, static_cast<char>('a' + input.Below(3))); };
  const auto field = [&] { return std::string(input.Below(3), 'f'); };
  switch (input.Below(20)) {
    default:
      return {"GET", key()};
    case 1:
      return {"SET", key(), AnyValue(input)};
    case 2: {
      RedisWords words{"SET", key(), AnyValue(input)};
      const std::size_t options = input.Below(8);
      if ((options & 1) != 0) words.emplace_back("NX");
      if ((options & 3) == 2) words.emplace_back("XX");
      if ((options & 4) != 0) words.emplace_back("GET");
      return words;
    }
    case 3:
      return {"DEL", key(), key()};
    case 4:
      return {"INCR", key()};
    case 5:
      return {"INCRBY", key(), AnyValue(input)};
    case 6:
      return {"HSET", key(), field(), AnyValue(input)};
    case 7:
      return {"HSET", key(), field(), AnyValue(input), field(), AnyValue(input)};
    case 8:
      return {"HGET", key(), field()};
    case 9:
      return {"HDEL", key(), field(), field()};
    case 10:
      return {"HLEN", key()};
    case 11:
      return {"EXISTS", key(), key()};
    case 12:
      return {"TYPE", key()};
    case 13:
      return {"APPEND", key(), AnyValue(input)};
    case 14:
      return {"HINCRBY", key(), field(), AnyValue(input)};
    case 15:
      return {"HGETALL", key()};
    case 16:
      return {"MSET", key(), AnyValue(input), key(), AnyValue(input)};
    case 17:
      return {"MGET", key(), key()};
    case 18:
      return {"RENAME", key(), key()};
    case 19:
      return {"MSETNX", key(), AnyValue(input), key(), AnyValue(input)};
  }
}

// One session of the two, as the model has it.
struct ModelSession {
  std::vector<RedisWords> queued;
  bool in_multi = false;
};

RedisReply TakeReply(Server& server, std::size_t session) {
  const std::string text = server.Take(session);
  cirein::simulation::RedisReplyParser parser;
  parser.Append(text);
  auto reply = parser.Next();
  CIREIN_FUZZ_CHECK(reply.ok() && reply->has_value() && !parser.has_rest());
  return **std::move(reply);
}

void RunModelled(Input& input) {
  Server server;
  RedisState model;
  ModelSession sessions[kSessions];
  for (std::size_t n = 0; n < kMostCommands && !input.empty(); ++n) {
    const std::size_t which = input.Below(kSessions);
    ModelSession& session = sessions[which];
    RedisWords words = CoreCommand(input);
    const std::size_t around = input.Below(12);
    if (around == 0) words = {session.in_multi ? "EXEC" : "MULTI"};
    if (around == 1 && session.in_multi) words = {"DISCARD"};
    std::string bytes;
    cirein::simulation::AppendRequest(words, bytes);
    SendInPieces(server, which, bytes, input);
    const RedisReply reply = TakeReply(server, which);
    if (words[0] == "MULTI" || words[0] == "DISCARD") {
      CIREIN_FUZZ_CHECK(reply.IsSimple("OK"));
      session.in_multi = words[0] == "MULTI";
      session.queued.clear();
    } else if (words[0] == "EXEC") {
      CIREIN_FUZZ_CHECK(reply.kind == RedisReply::Kind::kArray);
      CIREIN_FUZZ_CHECK(reply.elements.size() == session.queued.size());
      for (std::size_t i = 0; i < session.queued.size(); ++i) {
        const RedisWords& queued = session.queued[i];
        CIREIN_FUZZ_CHECK(cirein::simulation::ApplyRedis(model, queued, 0).text ==
                          cirein::simulation::CanonicalText(queued, reply.elements[i]));
      }
      session = {};
    } else if (session.in_multi) {
      CIREIN_FUZZ_CHECK(reply.IsSimple("QUEUED"));
      session.queued.push_back(std::move(words));
    } else {
      CIREIN_FUZZ_CHECK(cirein::simulation::ApplyRedis(model, words, 0).text ==
                        cirein::simulation::CanonicalText(words, reply));
    }
  }
}

// ---- Any commands ----

std::string AnyWord(Input& input) {
  static constexpr std::string_view kWords[] = {"a",          "b",
                                                "h",          "",
                                                "*",          "0",
                                                "1",          "-1",
                                                "10",         "NX",
                                                "XX",         "GT",
                                                "LT",         "GET",
                                                "EX",         "PX",
                                                "KEEPTTL",    "PERSIST",
                                                "COUNT",      "MATCH",
                                                "TYPE",       "hash",
                                                "string",     "LEN",
                                                "IDX",        "WITHMATCHLEN",
                                                "DB",         "COPY",
                                                "ON",         "OFF",
                                                "SKIP",       "REPLACE",
                                                "ASYNC",      "WITHVALUES",
                                                "2",          "3",
                                                "1e3",        "COLUMN",
                                                "COLUMNS",    "ALL",
                                                "PREFIX",     "TIMEOUT",
                                                "META",       "CURSOR",
                                                "ARGS",       "OVERWRITE",
                                                "IFVERSION",  "0.1",
                                                "LIST",       "ID",
                                                "USER",       "default",
                                                "SETNAME",    "AUTH",
                                                "maxclients", "*policy*",
                                                "[a-z]",      "9223372036854775807"};
  const std::size_t word = input.Below(std::size(kWords) + 6);
  if (word < std::size(kWords)) return std::string(kWords[word]);
  return AnyValue(input);
}

/// What has come of one session's replies.
struct Replies {
  std::string rest = {};
  std::size_t asked = 0;
  std::size_t answered = 0;
  bool counts = true;  ///< Until it was told not to answer.
};

void TakeReplies(Server& server, std::size_t session, Replies& replies) {
  replies.rest += server.Take(session);
  while (!replies.rest.empty()) {
    const bool is_push = replies.rest.front() == '>';
    const auto end = EndOfValue(replies.rest, 0);
    if (!end) break;
    replies.rest.erase(0, *end);
    replies.answered += is_push ? 0 : 1;
  }
  if (!replies.counts) return;
  CIREIN_FUZZ_CHECK(replies.answered <= replies.asked);
}

void RunAny(Input& input) {
  Server server;
  const auto commands = CommandTable::All().commands();
  Replies replies[kSessions];
  for (std::size_t n = 0; n < kMostCommands && !input.empty(); ++n) {
    const std::size_t which = input.Below(kSessions);
    const CommandEntry& entry = commands[input.Byte() % commands.size()];
    // FLUSHALL and the like are as likely as any; what stops the session ends its part.
    RedisWords words{entry.full_name};
    if (!entry.subcommands.empty()) {
      words.emplace_back(entry.subcommands[input.Below(entry.subcommands.size())].spec->name);
    }
    const auto arity = static_cast<std::size_t>(std::abs(entry.spec->arity));
    std::size_t count = std::max(arity, words.size()) + (input.Below(3) == 0 ? input.Below(5) : 0);
    count = std::min(count, kMostArgs);
    while (words.size() < count) words.push_back(AnyWord(input));
    if (entry.full_name == "client" && words.size() > 1) replies[which].counts = false;
    std::string bytes;
    cirein::simulation::AppendRequest(words, bytes);
    Session& session = server.session(which);
    if (!session.wants_input()) {
      if (session.is_blocked()) server.Pass(std::chrono::milliseconds(1 + input.Byte()));
      continue;
    }
    ++replies[which].asked;
    SendInPieces(server, which, bytes, input);
    for (std::size_t i = 0; i < kSessions; ++i) TakeReplies(server, i, replies[i]);
    const bool answers = replies[which].counts && session.wants_input() && !session.is_blocked() &&
                         !session.has_pending_input();
    if (answers) {
      CIREIN_FUZZ_CHECK(replies[which].answered == replies[which].asked);
      CIREIN_FUZZ_CHECK(replies[which].rest.empty());
    }
    if (input.Below(16) == 0) server.Pass(std::chrono::milliseconds(input.Byte()));
  }
}

// ---- Any bytes ----

void RunBytes(Input& input) {
  Server server;
  Replies replies;
  replies.counts = false;
  while (!input.empty()) {
    const std::string piece = input.Bytes(1 + input.Below(64));
    server.Receive(0, piece);
    TakeReplies(server, 0, replies);
    if (!server.session(0).wants_input()) break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cirein::SetLogLevel(cirein::LogLevel::kOff);
  Input input(data, size);
  switch (input.Below(3)) {
    case 0:
      RunModelled(input);
      break;
    case 1:
      RunAny(input);
      break;
    default:
      RunBytes(input);
      break;
  }
  return 0;
}
