// SPDX-License-Identifier: Apache-2.0
#include "fabric/packet/packet_endpoint.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "runtime/guarded.h"

namespace cirein::fabric {
namespace {

// Who have connected, but have not said who they are: nobody is to fill this process with them.
constexpr std::size_t kGuestsMax = 64;

Status Gone() { return Unavailable("this process's transport has ended"); }

}  // namespace

PacketEndpoint::PacketEndpoint(Reactor& home, PacketOptions options)
    : home_(home),
      options_(options),
      grants_(std::make_shared<SharedGrants>(options_.limits.grants_max)) {}

void PacketEndpoint::Start() {
  // The poller must not hold what removes it.
  poller_ = home_.AddPoller(
      [weak = weak_from_this()] {
        const auto self = weak.lock();
        return self != nullptr && self->Poll();
      },
      [weak = weak_from_this()] {
        const auto self = weak.lock();
        return self == nullptr || self->PrepareToBlock();
      });
}

TimePoint PacketEndpoint::EndOf(Deadline deadline) const {
  return home_.clock().EndOf(deadline.Or(options_.default_deadline));
}

TimerService::TimerId PacketEndpoint::RunAt(TimePoint end, std::function<void()> work) {
  return end == kEndOfTime ? 0 : home_.RunAt(end, std::move(work));
}

TimerService::TimerId PacketEndpoint::RunAtEndOf(Deadline deadline, std::function<void()> work) {
  return RunAt(EndOf(deadline), std::move(work));
}

void PacketEndpoint::CancelTimer(TimerService::TimerId timer) {
  if (timer != 0 && alive()) home_.CancelTimer(timer);
}

void PacketEndpoint::Submit(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (shut_) return;
  work_.push_back(std::move(work));
  has_work_.store(true, std::memory_order_release);
  Wake();
}

void PacketEndpoint::Wake() {
  // A post that finds no room finds the home awake.
  if (alive()) static_cast<void>(home_.Post([] {}).ok());
}

// --- What the user calls ---

Status PacketEndpoint::CheckRoom() {
  const std::lock_guard lock(mutex_);
  return CheckRoomLocked();
}

Status PacketEndpoint::CheckRoomLocked() const {
  if (connected_ + attempts_.size() < options_.limits.connections_max) return OkStatus();
  return ResourceExhausted(address() + " has as many connections as it may");
}

Status PacketEndpoint::Listen(Service& service) {
  {
    const std::lock_guard lock(mutex_);
    if (shut_) return Gone();
    if (listening_ != nullptr) return FailedPrecondition(address() + " is listened on already");
    CIREIN_RETURN_IF_ERROR(OpenListener());
    listening_ = &service;
  }
  Submit([self = shared_from_this()] { self->StartListener(); });
  return OkStatus();
}

Status PacketEndpoint::Connect(const Address& address, Service& service, Deadline deadline,
                               ConnectCallback done) {
  CIREIN_RETURN_IF_ERROR(CheckAddress(address));
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (shut_) return Gone();
    CIREIN_RETURN_IF_ERROR(CheckRoomLocked());
    id = ++last_id_;
    Attempt& attempt = attempts_[id];
    attempt.done = std::move(done);
    attempt.service = &service;
    attempt.timer = RunAtEndOf(deadline, [weak = weak_from_this(), id, address] {
      if (const auto self = weak.lock()) {
        self->FinishConnect(id,
                            DeadlineExceeded(fmt::format("{} did not answer in time", address)));
      }
    });
  }
  Submit([self = shared_from_this(), id, address] { self->BeginConnect(id, address); });
  return OkStatus();
}

// --- The home ---

bool PacketEndpoint::RunWork() {
  if (!has_work_.load(std::memory_order_acquire)) return false;
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(work_);
    has_work_.store(false, std::memory_order_release);
  }
  for (const std::function<void()>& piece : work) {
    if (!alive()) break;
    RunGuarded(home_.name(), piece);
  }
  return !work.empty();
}

bool PacketEndpoint::Poll() {
  home_thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  bool did_something = RunWork();
  did_something |= PollShared();
  const bool was_blocked = std::exchange(blocked_, false);
  bool has_gaps = false;
  // By index: what is called may end and make connections, and the transport.
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    const std::shared_ptr<PacketConnection> connection = connections_[i];
    has_gaps |= connection == nullptr;
    if (connection == nullptr) continue;
    if (was_blocked) connection->Awake();
    did_something |= connection->Poll();
  }
  if (has_gaps) std::erase(connections_, nullptr);
  return did_something;
}

bool PacketEndpoint::PrepareToBlock() {
  if (has_work_.load(std::memory_order_acquire)) return false;
  blocked_ = true;
  return PrepareSharedToBlock() &&
         std::all_of(connections_.begin(), connections_.end(), [](const auto& connection) {
           return connection == nullptr || connection->PrepareToBlock();
         });
}

Result<std::shared_ptr<PacketConnection>> PacketEndpoint::Open(const Agreed& agreed,
                                                               Service& service) {
  const std::shared_ptr<PacketConnection> connection = agreed(service);
  const Status started = connection->Start();
  if (!started.ok()) {
    connection->Die();
    const std::lock_guard lock(mutex_);
    --connected_;
    return started;
  }
  connections_.push_back(connection);
  return connection;
}

void PacketEndpoint::Forget(const PacketConnection& connection) {
  for (std::shared_ptr<PacketConnection>& one : connections_) {
    if (one.get() != &connection) continue;
    // Whoever calls this holds it.
    one = nullptr;
    const std::lock_guard lock(mutex_);
    --connected_;
    return;
  }
}

void PacketEndpoint::BeginConnect(std::uint64_t id, const Address& address) {
  {
    const std::lock_guard lock(mutex_);
    if (!attempts_.contains(id)) return;
  }
  auto begun =
      Ask(address, [this, id](Result<Agreed> result) { FinishConnect(id, std::move(result)); });
  if (!begun.ok()) return FinishConnect(id, begun.status());
  const std::lock_guard lock(mutex_);
  attempts_.at(id).attempt = std::move(*begun);
}

void PacketEndpoint::FinishConnect(std::uint64_t id, Result<Agreed> result) {
  const auto self = shared_from_this();
  Attempt attempt;
  {
    const std::lock_guard lock(mutex_);
    const auto found = attempts_.find(id);
    if (found == attempts_.end()) return;
    attempt = std::move(found->second);
    attempts_.erase(found);
    if (result.ok()) ++connected_;
  }
  CancelTimer(attempt.timer);
  attempt.attempt.reset();
  if (!result.ok()) {
    // Of another's words only some are promised.
    Status why = result.status();
    if (why.code() == StatusCode::kInvalidArgument) {
      why = Unavailable(std::string(why.message()), std::string(why.hint()));
    }
    return static_cast<void>(RunGuarded(home_.name(), [&] { attempt.done(why); }));
  }
  Result<std::shared_ptr<PacketConnection>> opened = Open(*result, *attempt.service);
  RunGuarded(home_.name(), [&] {
    if (!opened.ok()) return attempt.done(opened.status());
    attempt.done(std::shared_ptr<Connection>(*opened));
  });
}

bool PacketEndpoint::has_waiting() const {
  return std::any_of(connections_.begin(), connections_.end(), [](const auto& connection) {
    return connection != nullptr && connection->has_waiting();
  });
}

bool PacketEndpoint::has_guest_room() const { return guests_.size() < kGuestsMax; }

void PacketEndpoint::Welcome(const Hearing& hear) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = ++last_id_;
  }
  auto begun = hear([this, id](const Result<Agreed>& result) { FinishWelcome(id, result); });
  if (!begun.ok()) return;
  Guest& guest = guests_[id];
  guest.attempt = std::move(*begun);
  guest.timer = RunAtEndOf(options_.handshake_max, [weak = weak_from_this(), id] {
    if (const auto self = weak.lock()) self->guests_.erase(id);
  });
}

void PacketEndpoint::FinishWelcome(std::uint64_t id, const Result<Agreed>& result) {
  const auto self = shared_from_this();
  const auto found = guests_.find(id);
  CancelTimer(found->second.timer);
  const std::unique_ptr<ConnectionAttempt> over = std::move(found->second.attempt);
  guests_.erase(found);
  if (!result.ok()) {
    LogInfo("fabric", "{}: somebody could not connect: {}", address(), result.status().ToString());
    return;
  }
  {
    // Others may have come since it was admitted.
    const std::lock_guard lock(mutex_);
    const Status room = CheckRoomLocked();
    if (!room.ok()) {
      LogInfo("fabric", "{}: somebody could not connect: {}", address(), room.ToString());
      return;
    }
    ++connected_;
  }
  const Result<std::shared_ptr<PacketConnection>> opened = Open(*result, *listening_);
  if (!opened.ok()) {
    LogWarn("fabric", "{}: a connection could not be opened: {}", address(),
            opened.status().ToString());
    return;
  }
  RunGuarded(home_.name(), [&] { listening_->Connected(*opened); });
}

// --- The end ---

void PacketEndpoint::Die() {
  {
    const std::lock_guard lock(mutex_);
    shut_ = true;
    work_.clear();
  }
  CloseListener(Leaves::kItsName);
  for (const auto& connection : std::exchange(connections_, {})) {
    if (connection != nullptr) connection->Die();
  }
  LeaveShared();
  for (const auto& [id, guest] : guests_) CancelTimer(guest.timer);
  guests_.clear();
  std::map<std::uint64_t, Attempt> attempts;
  {
    const std::lock_guard lock(mutex_);
    attempts.swap(attempts_);
  }
  for (const auto& [id, attempt] : attempts) CancelTimer(attempt.timer);
}

void PacketEndpoint::Shut() {
  const auto self = shared_from_this();
  std::map<std::uint64_t, Attempt> attempts;
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(mutex_);
    shut_ = true;
    attempts.swap(attempts_);
    work.swap(work_);
  }
  home_.RemovePoller(poller_);
  CloseListener(Leaves::kNothing);
  for (const auto& [id, guest] : guests_) CancelTimer(guest.timer);
  guests_.clear();
  for (auto& [id, attempt] : attempts) {
    CancelTimer(attempt.timer);
    attempt.attempt.reset();
  }
  const auto connections = std::exchange(connections_, {});
  for (const auto& [id, attempt] : attempts) {
    RunGuarded(address(), [&done = attempt.done] { done(Gone()); });
  }
  for (const auto& connection : connections) {
    if (connection != nullptr) connection->Shut();
  }
  LeaveShared();
  alive_.store(false, std::memory_order_release);
  const auto lock = LockGrants();
  grants().Clear();
}

}  // namespace cirein::fabric
