// SPDX-License-Identifier: Apache-2.0
#include "fabric/shm/shm_endpoint.h"

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
constexpr int kAcceptBatch = 16;
constexpr std::chrono::milliseconds kAcceptPause{100};

Status Gone() { return Unavailable("this process's transport has ended"); }

}  // namespace

ShmEndpoint::ShmEndpoint(Reactor& home, ShmOptions options)
    : home_(home),
      options_(std::move(options)),
      terms_{.address = ShmAddress(options_.name),
             .secret = options_.secret,
             .limits = options_.limits,
             .ring_bytes = options_.ring_bytes},
      grants_([this] { return entropy_.Seed(); }, options_.limits.grants_max) {}

void ShmEndpoint::Start() {
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

TimerService::TimerId ShmEndpoint::RunAtEndOf(Deadline deadline, std::function<void()> work) {
  const TimePoint end = home_.clock().EndOf(deadline.Or(options_.default_deadline));
  return end == kEndOfTime ? 0 : home_.RunAt(end, std::move(work));
}

void ShmEndpoint::CancelTimer(TimerService::TimerId timer) {
  if (timer != 0 && alive()) home_.CancelTimer(timer);
}

void ShmEndpoint::Submit(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (shut_) return;
  work_.push_back(std::move(work));
  has_work_.store(true, std::memory_order_release);
  Wake();
}

void ShmEndpoint::Wake() {
  // A post that finds no room finds the home awake.
  if (alive()) static_cast<void>(home_.Post([] {}).ok());
}

// --- What the user calls ---

Status ShmEndpoint::CheckRoom() {
  const std::lock_guard lock(mutex_);
  if (connected_ + attempts_.size() < options_.limits.connections_max) return OkStatus();
  return ResourceExhausted(address() + " has as many connections as it may");
}

Status ShmEndpoint::Listen(Service& service) {
  {
    const std::lock_guard lock(mutex_);
    if (shut_) return Gone();
    if (listening_ != nullptr) return FailedPrecondition(address() + " is listened on already");
    CIREIN_ASSIGN_OR_RETURN(ControlListener listener, ControlListener::Listen(options_.name));
    listener_.emplace(std::move(listener));
    listening_ = &service;
  }
  Submit([self = shared_from_this()] { self->WatchListener(); });
  return OkStatus();
}

Status ShmEndpoint::Connect(const Address& address, Service& service, Deadline deadline,
                            ConnectCallback done) {
  CIREIN_RETURN_IF_ERROR(SocketNameIn(address).status());
  CIREIN_RETURN_IF_ERROR(CheckRoom());
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (shut_) return Gone();
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

bool ShmEndpoint::RunWork() {
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

bool ShmEndpoint::Poll() {
  bool did_something = RunWork();
  const bool was_blocked = std::exchange(blocked_, false);
  bool has_gaps = false;
  // By index: what is called may end and make connections, and the transport.
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    const std::shared_ptr<ShmConnection> connection = connections_[i];
    has_gaps |= connection == nullptr;
    if (connection == nullptr) continue;
    if (was_blocked) connection->Awake();
    did_something |= connection->Poll();
  }
  if (has_gaps) std::erase(connections_, nullptr);
  return did_something;
}

bool ShmEndpoint::PrepareToBlock() {
  if (has_work_.load(std::memory_order_acquire)) return false;
  blocked_ = true;
  return std::all_of(connections_.begin(), connections_.end(), [](const auto& connection) {
    return connection == nullptr || connection->PrepareToBlock();
  });
}

Result<std::shared_ptr<ShmConnection>> ShmEndpoint::Open(Agreement agreement, Service& service) {
  auto connection =
      std::make_shared<ShmConnection>(shared_from_this(), std::move(agreement), service);
  const Status started = connection->Start();
  if (!started.ok()) {
    connection->Die();
    return started;
  }
  connections_.push_back(connection);
  const std::lock_guard lock(mutex_);
  ++connected_;
  return connection;
}

void ShmEndpoint::Forget(const ShmConnection& connection) {
  for (std::shared_ptr<ShmConnection>& one : connections_) {
    if (one.get() != &connection) continue;
    // Whoever calls this holds it.
    one = nullptr;
    const std::lock_guard lock(mutex_);
    --connected_;
    return;
  }
}

void ShmEndpoint::BeginConnect(std::uint64_t id, const Address& address) {
  {
    const std::lock_guard lock(mutex_);
    if (!attempts_.contains(id)) return;
  }
  auto begun = Handshake::Connect(home_, terms_, address, entropy_, [this, id](auto result) {
    FinishConnect(id, std::move(result));
  });
  if (!begun.ok()) return FinishConnect(id, begun.status());
  const std::lock_guard lock(mutex_);
  attempts_.at(id).handshake = std::move(*begun);
}

void ShmEndpoint::FinishConnect(std::uint64_t id, Result<Agreement> result) {
  const auto self = shared_from_this();
  Attempt attempt;
  {
    const std::lock_guard lock(mutex_);
    const auto found = attempts_.find(id);
    if (found == attempts_.end()) return;
    attempt = std::move(found->second);
    attempts_.erase(found);
  }
  CancelTimer(attempt.timer);
  attempt.handshake.reset();
  if (!result.ok()) {
    // Of another's words only some are promised.
    Status why = result.status();
    if (why.code() == StatusCode::kInvalidArgument) {
      why = Unavailable(std::string(why.message()), std::string(why.hint()));
    }
    return static_cast<void>(RunGuarded(home_.name(), [&] { attempt.done(why); }));
  }
  Result<std::shared_ptr<ShmConnection>> opened = Open(std::move(*result), *attempt.service);
  RunGuarded(home_.name(), [&] {
    if (!opened.ok()) return attempt.done(opened.status());
    attempt.done(std::shared_ptr<Connection>(*opened));
  });
}

void ShmEndpoint::WatchListener() {
  pause_ = 0;
  if (!listener_ || watching_listener_) return;
  const Status watched =
      home_.Watch(listener_->fd(), FdInterest::kReadable, [this](FdReadiness) { OnListener(); });
  watching_listener_ = watched.ok();
  if (!watched.ok())
    LogError("fabric", "{} cannot be listened on: {}", address(), watched.ToString());
}

void ShmEndpoint::OnListener() {
  for (int i = 0; i < kAcceptBatch; ++i) {
    if (guests_.size() >= kGuestsMax) return PauseListener();
    Result<FileDescriptor> fd = listener_->Accept();
    if (!fd.ok()) return PauseListener();
    if (!fd->is_open()) return;
    Welcome(std::move(*fd));
  }
}

void ShmEndpoint::PauseListener() {
  // They wait: a little later there may be room, or a descriptor.
  static_cast<void>(home_.Unwatch(listener_->fd()).ok());
  watching_listener_ = false;
  pause_ = home_.RunAt(home_.clock().Now() + kAcceptPause, [weak = weak_from_this()] {
    if (const auto self = weak.lock(); self != nullptr && self->alive()) self->WatchListener();
  });
}

void ShmEndpoint::Welcome(FileDescriptor fd) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = ++last_id_;
  }
  auto begun = Handshake::Accept(
      home_, terms_, std::move(fd), entropy_, [this] { return CheckRoom(); },
      [this, id](auto result) { FinishWelcome(id, std::move(result)); });
  if (!begun.ok()) return;
  Guest& guest = guests_[id];
  guest.handshake = std::move(*begun);
  guest.timer = RunAtEndOf(options_.handshake_max, [weak = weak_from_this(), id] {
    if (const auto self = weak.lock()) self->guests_.erase(id);
  });
}

void ShmEndpoint::FinishWelcome(std::uint64_t id, Result<Agreement> result) {
  const auto self = shared_from_this();
  const auto found = guests_.find(id);
  CancelTimer(found->second.timer);
  const std::unique_ptr<Handshake> over = std::move(found->second.handshake);
  guests_.erase(found);
  if (!result.ok()) {
    LogInfo("fabric", "{}: somebody could not connect: {}", address(), result.status().ToString());
    return;
  }
  const Result<std::shared_ptr<ShmConnection>> opened = Open(std::move(*result), *listening_);
  if (!opened.ok()) return;
  RunGuarded(home_.name(), [&] { listening_->Connected(*opened); });
}

// --- The end ---

void ShmEndpoint::LeaveListener() {
  if (watching_listener_) static_cast<void>(home_.Unwatch(listener_->fd()).ok());
  watching_listener_ = false;
  CancelTimer(pause_);
  const std::lock_guard lock(mutex_);
  listener_.reset();
}

void ShmEndpoint::Die() {
  {
    const std::lock_guard lock(mutex_);
    shut_ = true;
    work_.clear();
    if (listener_) listener_->Abandon();
  }
  LeaveListener();
  for (const auto& connection : std::exchange(connections_, {})) {
    if (connection != nullptr) connection->Die();
  }
  for (const auto& [id, guest] : guests_) CancelTimer(guest.timer);
  guests_.clear();
  std::map<std::uint64_t, Attempt> attempts;
  {
    const std::lock_guard lock(mutex_);
    attempts.swap(attempts_);
  }
  for (const auto& [id, attempt] : attempts) CancelTimer(attempt.timer);
}

void ShmEndpoint::Shut() {
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
  LeaveListener();
  for (const auto& [id, guest] : guests_) CancelTimer(guest.timer);
  guests_.clear();
  for (auto& [id, attempt] : attempts) {
    CancelTimer(attempt.timer);
    attempt.handshake.reset();
  }
  const auto connections = std::exchange(connections_, {});
  for (const auto& [id, attempt] : attempts) {
    RunGuarded(address(), [&done = attempt.done] { done(Gone()); });
  }
  for (const auto& connection : connections) {
    if (connection != nullptr) connection->Shut();
  }
  alive_.store(false, std::memory_order_release);
  const auto lock = LockGrants();
  grants_.Clear();
}

}  // namespace cirein::fabric
