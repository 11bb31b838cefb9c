// SPDX-License-Identifier: Apache-2.0
#include "resp/server_shard.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/logging.h"
#include "runtime/notification.h"

namespace cirein::resp {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{64} << 10;
// To one client in one round, so that the others have their turn.
constexpr std::size_t kSendBytes = std::size_t{4} << 20;
constexpr std::chrono::seconds kHousekeepingPeriod{1};
// A client that has said nothing for so long gives its buffers back.
constexpr std::chrono::seconds kShrinkAfter{2};

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

// What other threads have of a shard; outlives it.
class ServerShard::Link final : public ClientCard::Home {
 public:
  explicit Link(ServerShard& shard) : shard_(&shard) {}

  bool Post(std::uint64_t session, std::function<void(Session&)> work) override;
  /// Runs `work` on the reactor, whatever waits there already. False when it is closed.
  bool Run(std::function<void(ServerShard&)> work) {
    const std::lock_guard lock(mutex_);
    if (shard_ == nullptr) return false;
    arrived_.push_back(std::move(work));
    has_arrived_.store(true, std::memory_order_release);
    // If its queue is full it is awake.
    if (arrived_.size() == 1) static_cast<void>(shard_->reactor_.Post([] {}).ok());
    return true;
  }
  void RunArrived(ServerShard& shard) {
    if (!has_arrived_.load(std::memory_order_acquire)) return;
    std::vector<std::function<void(ServerShard&)>> arrived;
    {
      const std::lock_guard lock(mutex_);
      arrived.swap(arrived_);
      has_arrived_.store(false, std::memory_order_relaxed);
    }
    for (const auto& work : arrived) work(shard);
  }
  void Close() {
    const std::lock_guard lock(mutex_);
    shard_ = nullptr;
    arrived_.clear();
  }

 private:
  std::mutex mutex_;
  ServerShard* shard_;
  std::vector<std::function<void(ServerShard&)>> arrived_;
  std::atomic<bool> has_arrived_{false};
};

class ServerShard::Connection final : public FdHandler {
 public:
  Connection(ServerShard& shard, StreamSocket socket_in, std::shared_ptr<ClientCard> card)
      : stream(std::move(socket_in)),
        session(shard.state_, shard.counters_, shard, std::move(card)),
        shard_(shard) {}
  void OnReady(FdReadiness readiness) override { shard_.OnReady(*this, readiness); }

  StreamSocket stream;
  Session session;
  FdInterest interest = FdInterest::kReadable;
  TimePoint active{};
  bool is_dirty = false;
  bool is_full = false;  // The socket takes no more output now.
  bool has_ended = false;
  bool is_shrunk = true;

 private:
  ServerShard& shard_;
};

bool ServerShard::Link::Post(std::uint64_t session, std::function<void(Session&)> work) {
  return Run([session, work = std::move(work)](ServerShard& shard) {
    const auto found = shard.connections_.find(session);
    if (found == shard.connections_.end() || found->second->has_ended) return;
    work(found->second->session);
    shard.MarkDirty(*found->second);
  });
}

ServerShard::ServerShard(ServerState& state, Reactor& reactor, Executor& executor, Keeping keeping)
    : state_(state),
      reactor_(reactor),
      executor_(executor),
      counters_(state.AddCounters()),
      link_(std::make_shared<Link>(*this)),
      keeper_(keeping,
              [link = link_](std::uint64_t question, const Status& status) {
                link->Run([question, status](ServerShard& shard) { shard.Kept(question, status); });
              }),
      buffer_(kBufferBytes) {}

// The reactor runs already, and its pollers are its own thread's.
Status ServerShard::Start() {
  Notification started;
  CIREIN_RETURN_IF_ERROR(reactor_.Post([&] {
    poller_ = reactor_.AddPoller([this] { return EndRound(); });
    started.Notify();
  }));
  started.WaitUntil(kEndOfTime);
  return OkStatus();
}

ServerShard::~ServerShard() { link_->Close(); }

// ---- Connections ----

void ServerShard::Adopt(StreamSocket socket) {
  auto shared = std::make_shared<StreamSocket>(std::move(socket));
  count_.fetch_add(1, std::memory_order_relaxed);
  link_->Run([shared](ServerShard& shard) { shard.AdoptHere(std::move(*shared)); });
}

void ServerShard::AdoptHere(StreamSocket socket) {
  const ServerParameters& parameters = state_.parameters();
  if (closing_ || state_.clients().size() >= parameters.max_clients.load()) {
    counters_.refused_connections.Add();
    count_.fetch_sub(1, std::memory_order_relaxed);
    const std::array<std::span<const std::byte>, 1> parts = {
        Bytes("-ERR max number of clients reached\r\n")};
    static_cast<void>(socket.Send(parts));
    return;
  }
  const StreamAddress local = socket.local();
  socket.KeepAlive(std::chrono::seconds(parameters.keepalive_s.load()));
  const std::string local_text = local.is_path() ? local.path + ":0" : local.ToString();
  auto card = std::make_shared<ClientCard>(state_.clients().NextId(),
                                           local.is_path() ? local_text : socket.peer().ToString(),
                                           local_text, link_);
  card->descriptor.store(socket.fd());
  card->is_path.store(local.is_path());
  card->created_ms.store(std::chrono::duration_cast<std::chrono::milliseconds>(now()).count());
  const std::uint64_t id = card->id();
  auto connection = std::make_unique<Connection>(*this, std::move(socket), std::move(card));
  connection->active = now();
  connection->session.UpdateCard();
  if (Status status = reactor_.Watch(connection->stream.fd(), FdInterest::kReadable, *connection);
      !status.ok()) {
    LogWarn("resp", "a connection is given up: {}", status.ToString());
    count_.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  counters_.connections.Add();
  connections_.emplace(id, std::move(connection));
  const std::uint64_t clients = state_.clients().size();
  if (clients > state_.peak_clients.load()) state_.peak_clients.store(clients);
  ArmHousekeeping();
}

void ServerShard::End(Connection& connection) {
  if (connection.has_ended) return;
  connection.has_ended = true;
  static_cast<void>(reactor_.Unwatch(connection.stream.fd()).ok());
  connection.stream.Close();
  if (!connection.session.busy()) ended_.push_back(connection.session.card().id());
}

void ServerShard::DestroyEnded() {
  // One that became dirty meanwhile waits for the next round.
  for (const std::uint64_t id : std::exchange(ended_, {})) {
    const auto found = connections_.find(id);
    if (found->second->is_dirty) {
      ended_.push_back(id);
      continue;
    }
    connections_.erase(found);
    count_.fetch_sub(1, std::memory_order_relaxed);
  }
}

// ---- A round ----

TimePoint ServerShard::now() const {
  if (now_ == TimePoint{}) now_ = state_.clock().Now();
  return now_;
}

void ServerShard::MarkDirty(Connection& connection) {
  if (std::exchange(connection.is_dirty, true)) return;
  dirty_.push_back(&connection);
}

void ServerShard::Wake(Session& session) {
  const auto found = connections_.find(session.card().id());
  if (found != connections_.end()) MarkDirty(*found->second);
}

void ServerShard::TellWhenKept(StripedStore::Committed committed) {
  keeper_.TellWhenKept(std::move(committed));
}

void ServerShard::OnReady(Connection& connection, FdReadiness readiness) {
  // What a client has sent before it went is run.
  const bool reads = readiness.readable && connection.session.wants_input();
  if (readiness.failed && !reads) return End(connection);
  if (readiness.writable) {
    connection.is_full = false;
    MarkDirty(connection);
  }
  if (reads) ReceiveFor(connection);
}

void ServerShard::ReceiveFor(Connection& connection) {
  Session& session = connection.session;
  const std::span<std::byte> window = session.body_window();
  const StreamResult result = window.empty() ? connection.stream.Receive(buffer_)
                                             : connection.stream.Receive(window, buffer_);
  if (result.code == StreamResult::Code::kWouldBlock) return;
  if (result.code == StreamResult::Code::kEnded) {
    // Perhaps it only says that it has nothing more to ask.
    if (session.output().empty() || session.closing()) return End(connection);
    return session.EndAfterReplies();
  }
  const std::size_t body_bytes = std::min(result.bytes, window.size());
  if (body_bytes != 0) session.BodyReceived(body_bytes);
  const std::size_t rest = result.bytes - body_bytes;
  if (rest != 0 || body_bytes == window.size()) {
    session.Receive({reinterpret_cast<const char*>(buffer_.data()), rest});
  }
  MarkDirty(connection);
}

bool ServerShard::EndRound() {
  link_->RunArrived(*this);
  if (dirty_.empty() && ended_.empty() && keeper_.idle()) {
    now_ = {};
    NotifyIfClosed();
    return false;
  }
  round_.swap(dirty_);
  for (Connection* const connection : round_) connection->is_dirty = false;
  round_sessions_.clear();
  for (Connection* const connection : round_) round_sessions_.push_back(&connection->session);
  keeper_.Keep(round_sessions_);
  for (Connection* const connection : round_) {
    if (!connection->has_ended) Flush(*connection);
  }
  round_.clear();
  for (SlowJob& job : std::exchange(slow_jobs_, {})) SubmitSlow(std::move(job));
  DestroyEnded();
  now_ = {};
  const bool goes_on = !dirty_.empty() || !ended_.empty();
  NotifyIfClosed();
  return goes_on;
}

void ServerShard::Kept(std::uint64_t number, const Status& status) {
  if (!status.ok()) LogError("resp", "replies cannot be given: {}", status.ToString());
  for (const auto& [id, connection] : connections_) {
    if (RoundKeeper::Kept(connection->session, number, status)) MarkDirty(*connection);
  }
}

// ---- Output ----

void ServerShard::Flush(Connection& connection) {
  Session& session = connection.session;
  if (session.busy()) return SetInterest(connection);
  if (session.broken() || !SendSome(connection)) return End(connection);
  const std::uint64_t limit = state_.parameters().output_limit_bytes.load();
  if (limit != 0 && session.output().size() > limit) {
    counters_.output_limit_closes.Add();
    LogWarn("resp", "client {} is closed: it does not take its replies, of which {} bytes wait",
            session.card().address(), session.output().size());
    return End(connection);
  }
  if (session.closing() && session.output().empty()) return End(connection);
  connection.active = now();
  connection.is_shrunk = false;
  if (session.has_pending_input() && session.can_run()) {
    session.Resume();
    MarkDirty(connection);
  }
  session.UpdateCard();
  SetInterest(connection);
}

// False when the client has gone.
bool ServerShard::SendSome(Connection& connection) {
  Session& session = connection.session;
  std::array<std::span<const std::byte>, StreamSocket::kMaxParts> parts;
  std::size_t sent = 0;
  while (!connection.is_full) {
    const std::size_t ready = session.sendable_bytes();
    if (ready == 0) return true;
    if (sent >= kSendBytes) {
      MarkDirty(connection);  // Goes on in the next round.
      return true;
    }
    const std::size_t count = session.output().Parts(parts, std::min(ready, kSendBytes));
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count; ++i) bytes += parts[i].size();
    const StreamResult result = connection.stream.Send(std::span(parts).first(count));
    if (result.code == StreamResult::Code::kEnded) return false;
    connection.is_full = result.code == StreamResult::Code::kWouldBlock || result.bytes < bytes;
    session.Sent(result.bytes);
    sent += result.bytes;
  }
  return true;
}

void ServerShard::SetInterest(Connection& connection) {
  const bool reads = connection.session.wants_input();
  FdInterest interest = reads ? FdInterest::kReadable : FdInterest::kNothing;
  if (connection.is_full) {
    interest = reads ? FdInterest::kReadableOrWritable : FdInterest::kWritable;
  }
  if (interest == connection.interest) return;
  connection.interest = interest;
  static_cast<void>(reactor_.SetInterest(connection.stream.fd(), interest).ok());
}

// ---- Work elsewhere ----

void ServerShard::RunSlow(Session& session, std::function<void()> work) {
  Connection& connection = *connections_.at(session.card().id());
  slow_jobs_.push_back({&connection, std::move(work)});
  MarkDirty(connection);
}

void ServerShard::SubmitSlow(SlowJob job) {
  Connection* const connection = job.connection;
  Status submitted = executor_.Submit([connection, work = std::move(job.work), link = link_] {
    work();
    link->Run([connection](ServerShard& shard) { shard.SlowDone(*connection, OkStatus()); });
  });
  if (!submitted.ok()) SlowDone(*connection, submitted);
}

void ServerShard::SlowDone(Connection& connection, const Status& refused) {
  connection.session.SlowDone(refused);
  if (connection.has_ended) {
    ended_.push_back(connection.session.card().id());
  } else {
    MarkDirty(connection);
  }
}

// ---- Housekeeping and the end ----

void ServerShard::ArmHousekeeping() {
  if (housekeeping_ != 0 || connections_.empty() || closing_) return;
  housekeeping_ = reactor_.RunAt(now() + kHousekeepingPeriod, [this] {
    housekeeping_ = 0;
    KeepHouse();
    ArmHousekeeping();
  });
}

void ServerShard::KeepHouse() {
  const std::chrono::seconds timeout(state_.parameters().idle_timeout_s.load());
  for (const auto& [id, connection] : connections_) {
    if (connection->has_ended || connection->session.busy()) continue;
    const TimePoint idle = now() - connection->active;
    if (timeout.count() != 0 && idle > timeout && !connection->session.is_blocked()) {
      End(*connection);
    } else if (!connection->is_shrunk && idle >= kShrinkAfter) {
      connection->session.Shrink();
      connection->is_shrunk = true;
    }
  }
}

void ServerShard::CloseHere(Notification* done) {
  closing_ = true;
  closed_ = done;
  for (const auto& [id, connection] : connections_) {
    // What is ready is tried to be sent: who has asked for the end is among them.
    if (!connection->has_ended && !connection->session.busy()) SendSome(*connection);
    End(*connection);
  }
}

void ServerShard::NotifyIfClosed() {
  if (closed_ == nullptr || !connections_.empty()) return;
  reactor_.RemovePoller(poller_);
  if (housekeeping_ != 0) reactor_.CancelTimer(housekeeping_);
  std::exchange(closed_, nullptr)->Notify();  // And this may be gone.
}

void ServerShard::Close() {
  if (poller_ == 0) return link_->Close();  // It was never started.
  Notification done;
  if (!link_->Run([&done](ServerShard& shard) { shard.CloseHere(&done); })) return;
  done.WaitUntil(kEndOfTime);
  link_->Close();
}

}  // namespace cirein::resp
