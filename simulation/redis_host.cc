// SPDX-License-Identifier: Apache-2.0
#include "simulation/redis_host.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace cirein::simulation {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kPieceBytes = 64 << 10;
/// A connection that takes no more is tried again after this.
constexpr std::chrono::nanoseconds kTryAgain = 1ms;

}  // namespace

struct RedisHost::Client {
  Client(RedisHost& host, std::shared_ptr<fabric::Connection> connection_in,
         std::shared_ptr<resp::ClientCard> card)
      : connection(std::move(connection_in)),
        session(host.state_, host.counters_, host, std::move(card)) {}

  std::uint64_t id() { return session.card().id(); }

  std::shared_ptr<fabric::Connection> connection;
  resp::Session session;
  std::deque<std::string> inbox;  // As in a socket's buffer.
  bool is_dirty = false;
  bool has_ended = false;
};

RedisHost::RedisHost(resp::ServerState& state, const Environment& environment, Executor& executor,
                     Keeping keeping, Random random, ConnectionEnded ended)
    : state_(state),
      environment_(environment),
      executor_(executor),
      random_(random),
      connection_ended_(std::move(ended)),
      counters_(state.AddCounters()),
      link_(std::make_shared<Link>(Link{this})),
      keeper_(keeping, [link = link_](std::uint64_t question, const Status& status) {
        if (link->host == nullptr) return;
        link->host->Soon([question, status](RedisHost& host) { host.Kept(question, status); });
      }) {}

RedisHost::~RedisHost() { link_->host = nullptr; }

void RedisHost::Soon(std::function<void(RedisHost& host)> work) {
  environment_.timers.RunAt(TimePoint::zero(), [link = link_, work = std::move(work)] {
    if (link->host != nullptr) work(*link->host);
  });
}

// ---- Connections ----

void RedisHost::Connected(const std::shared_ptr<fabric::Connection>& connection) {
  auto card = std::make_shared<resp::ClientCard>(state_.clients().NextId(), connection->peer(),
                                                 "sim", nullptr);
  const std::uint64_t id = card->id();
  ids_[connection.get()] = id;
  clients_.emplace(id, std::make_unique<Client>(*this, connection, std::move(card)));
}

RedisHost::Client* RedisHost::Find(const std::shared_ptr<fabric::Connection>& connection) {
  const auto found = ids_.find(connection.get());
  return found == ids_.end() ? nullptr : clients_.at(found->second).get();
}

void RedisHost::Message(const std::shared_ptr<fabric::Connection>& connection,
                        std::span<const std::byte> message) {
  Client* const client = Find(connection);
  if (client == nullptr || client->has_ended) return;
  client->inbox.emplace_back(reinterpret_cast<const char*>(message.data()), message.size());
  MarkDirty(*client);
}

void RedisHost::Request(const std::shared_ptr<fabric::Connection>& connection,
                        fabric::RequestId /*request*/, std::span<const std::byte> /*message*/) {
  connection->Close();
}

void RedisHost::Closed(const std::shared_ptr<fabric::Connection>& connection,
                       const Status& /*why*/) {
  Client* const client = Find(connection);
  if (client == nullptr) return;
  End(*client);
  PlanRound();
}

void RedisHost::End(Client& client) {
  if (std::exchange(client.has_ended, true)) return;
  client.inbox.clear();
  client.connection->Close();
}

void RedisHost::DestroyEnded() {
  for (auto at = clients_.begin(); at != clients_.end();) {
    Client& client = *at->second;
    if (!client.has_ended || client.session.busy() || client.is_dirty) {
      ++at;
      continue;
    }
    const std::string name = client.session.card().names().name;
    ids_.erase(client.connection.get());
    at = clients_.erase(at);
    connection_ended_(name);
  }
}

// ---- A round ----

void RedisHost::MarkDirty(Client& client) {
  if (!std::exchange(client.is_dirty, true)) dirty_.push_back(client.id());
  PlanRound();
}

void RedisHost::PlanRound() {
  if (std::exchange(round_planned_, true)) return;
  Soon([](RedisHost& host) { host.Round(); });
}

void RedisHost::Wake(resp::Session& session) {
  const auto found = clients_.find(session.card().id());
  if (found != clients_.end()) MarkDirty(*found->second);
}

void RedisHost::TellWhenKept(StripedStore::Committed committed) {
  keeper_.TellWhenKept(std::move(committed));
  PlanRound();
}

void RedisHost::Receive(Client& client) {
  resp::Session& session = client.session;
  while (!client.has_ended && !client.inbox.empty() && session.wants_input()) {
    const std::string message = std::move(client.inbox.front());
    client.inbox.pop_front();
    const std::span<std::byte> window = session.body_window();
    const std::size_t body_bytes = std::min(message.size(), window.size());
    if (body_bytes != 0) {
      std::memcpy(window.data(), message.data(), body_bytes);
      session.BodyReceived(body_bytes);
    }
    const std::string_view rest = std::string_view(message).substr(body_bytes);
    if (!rest.empty() || body_bytes == window.size()) session.Receive(rest);
    // What is left comes in a later round, as from a socket.
    if (random_.OneIn(2)) break;
  }
}

void RedisHost::Round() {
  round_planned_ = false;
  const std::vector<std::uint64_t> round = std::exchange(dirty_, {});
  for (const std::uint64_t id : round) {
    Client& client = *clients_.at(id);
    client.is_dirty = false;
    Receive(client);
  }
  std::vector<resp::Session*> sessions;
  sessions.reserve(round.size());
  for (const std::uint64_t id : round) sessions.push_back(&clients_.at(id)->session);
  keeper_.Keep(sessions);
  for (const std::uint64_t id : round) {
    Client& client = *clients_.at(id);
    if (!client.has_ended) Flush(client);
  }
  for (auto& [id, work] : std::exchange(slow_jobs_, {})) SubmitSlow(id, std::move(work));
  DestroyEnded();
}

void RedisHost::Kept(std::uint64_t number, const Status& status) {
  for (const auto& [id, client] : clients_) {
    if (resp::RoundKeeper::Kept(client->session, number, status)) MarkDirty(*client);
  }
}

// ---- Output ----

void RedisHost::Flush(Client& client) {
  resp::Session& session = client.session;
  if (session.busy()) return;
  if (session.broken() || !SendSome(client)) return End(client);
  if (session.closing() && session.output().empty()) return End(client);
  if (session.has_pending_input() && session.can_run()) {
    session.Resume();
    MarkDirty(client);
  }
  if (!client.inbox.empty() && session.wants_input()) MarkDirty(client);
  session.UpdateCard();
}

// False when the client has gone.
bool RedisHost::SendSome(Client& client) {
  resp::Session& session = client.session;
  std::array<std::span<const std::byte>, 8> parts;
  while (const std::size_t ready = session.sendable_bytes()) {
    // Small pieces now and then: what a client gets of a stream ends anywhere.
    const std::size_t most = random_.OneIn(8) ? 1 + random_.Below(ready) : ready;
    const std::size_t count = session.output().Parts(parts, std::min(most, kPieceBytes));
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count; ++i) bytes += parts[i].size();
    const Status sent = client.connection->Send(std::span(parts).first(count));
    if (sent.code() == StatusCode::kResourceExhausted) {
      environment_.timers.RunAt(now() + kTryAgain, [link = link_, id = client.id()] {
        if (link->host == nullptr) return;
        const auto found = link->host->clients_.find(id);
        if (found != link->host->clients_.end()) link->host->MarkDirty(*found->second);
      });
      return true;
    }
    if (!sent.ok()) return false;
    session.Sent(bytes);
  }
  return true;
}

// ---- Work elsewhere ----

void RedisHost::RunSlow(resp::Session& session, std::function<void()> work) {
  const std::uint64_t id = session.card().id();
  slow_jobs_.emplace_back(id, std::move(work));
  MarkDirty(*clients_.at(id));
}

void RedisHost::SubmitSlow(std::uint64_t id, std::function<void()> work) {
  const Status submitted = executor_.Submit([id, work = std::move(work), link = link_] {
    if (link->host == nullptr) return;
    work();
    link->host->Soon([id](RedisHost& host) { host.SlowDone(id, OkStatus()); });
  });
  if (!submitted.ok()) SlowDone(id, submitted);
}

void RedisHost::SlowDone(std::uint64_t id, const Status& refused) {
  Client& client = *clients_.at(id);
  client.session.SlowDone(refused);
  MarkDirty(client);
}

}  // namespace cirein::simulation
