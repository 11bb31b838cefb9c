// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "fabric/grant_table.h"
#include "fabric/packet/packet_connection.h"
#include "fabric/transport.h"
#include "runtime/entropy.h"
#include "runtime/reactor.h"

namespace cirein::fabric {

struct PacketOptions {
  /// Both sides of a connection have the same ones for messages.
  Limits limits;
  /// Of calls that give none.
  std::chrono::nanoseconds default_deadline{};
  /// How long somebody who connects may take to say who it is.
  std::chrono::nanoseconds handshake_max{};
};

/// One side's part in making a connection; ends, without a word, when it is destroyed.
class ConnectionAttempt {
 public:
  virtual ~ConnectionAttempt() = default;
};

/// What is registered and granted, and its lock: of one transport, or of several.
struct SharedGrants {
  explicit SharedGrants(std::uint64_t grants_max)
      : table([this] { return entropy.Seed(); }, grants_max) {}
  Entropy entropy = Entropy::FromSystem();
  std::recursive_mutex mutex;  // What is registered may call back when it is let go.
  GrantTable table;            // Guarded by mutex.
};

/// What one process's transport and its connections share, whatever carries their packets: who may
/// come in, who is asked, the grants, the home's rounds. Stays for as long as anything refers to
/// it; its home only until Shut.
class PacketEndpoint : public std::enable_shared_from_this<PacketEndpoint> {
 public:
  virtual ~PacketEndpoint() = default;

  virtual const Address& address() const = 0;
  /// From now on it says that this is its address. Before it listens or connects.
  virtual void Rename(Address address) = 0;
  /// From now on it has the grants of another one. Before anything is registered.
  void ShareGrantsOf(const PacketEndpoint& other) { grants_ = other.grants_; }
  const PacketOptions& options() const { return options_; }
  /// False once the transport is destroyed.
  bool alive() const { return alive_.load(std::memory_order_acquire); }
  /// Only while alive.
  Reactor& home() { return home_; }
  /// Of one that begins now; the default deadline is the options'.
  TimePoint EndOf(Deadline deadline) const;
  /// 0 when `end` never comes, or the home is closed.
  TimerService::TimerId RunAt(TimePoint end, std::function<void()> work);
  /// 0 when the deadline never ends, or the home is closed.
  TimerService::TimerId RunAtEndOf(Deadline deadline, std::function<void()> work);
  void CancelTimer(TimerService::TimerId timer);
  /// A piece of work of the home, in the order of these calls. Thread-safe.
  void Submit(std::function<void()> work);
  /// Makes the home look, when it may be blocked.
  void Wake();

  /// What is granted, for as long as the lock is held.
  std::unique_lock<std::recursive_mutex> LockGrants() { return std::unique_lock(grants_->mutex); }
  GrantTable& grants() { return grants_->table; }
  /// These grants were taken back, and this region: OK when nothing more takes effect by them, else
  /// Unavailable. From any thread, without locks; may block.
  virtual Status AwaitRevoked(const GrantTable::Removed& /*removed*/) { return OkStatus(); }
  /// Is this the home's thread, or that of whoever drives it?
  bool on_home() const {
    return home_thread_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }

  Status Listen(Service& service);
  Status Connect(const Address& address, Service& service, Deadline deadline, ConnectCallback done);

  // What follows belongs to the home.

  void Start();
  /// Something waits for room to be sent.
  bool has_waiting() const;
  /// The connection has ended.
  void Forget(const PacketConnection& connection);
  void Shut();
  void Die();

 protected:
  /// Makes the connection that was agreed on, whose words go to the service.
  using Agreed = std::function<std::shared_ptr<PacketConnection>(Service&)>;
  /// Called once, in a later piece of work of the home, with what was agreed or why nothing was.
  using Ended = std::function<void(Result<Agreed>)>;

  PacketEndpoint(Reactor& home, PacketOptions options);

  Entropy& entropy() { return entropy_; }
  /// Hears one who has come, by what begins that.
  using Hearing = std::function<Result<std::unique_ptr<ConnectionAttempt>>(Ended)>;
  void Welcome(const Hearing& hear);
  /// May one more be heard who has not said who it is?
  bool has_guest_room() const;
  /// May there be one more connection?
  Status CheckRoom();
  template <typename Visit>
  void ForEachConnection(const Visit& visit) {
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (connections_[i] != nullptr) visit(*connections_[i]);
    }
  }

  // What the fabric that carries the packets says and does.

  /// InvalidArgument: no address of this fabric. Thread-safe.
  virtual Status CheckAddress(const Address& address) const = 0;
  /// A socket that others connect to; once, from any thread.
  virtual Status OpenListener() = 0;
  /// From now on gives each who comes to Welcome. Of the home.
  virtual void StartListener() = 0;
  enum class Leaves : std::uint8_t { kNothing, kItsName };
  /// Of the home; perhaps none was opened, or not started.
  virtual void CloseListener(Leaves leaves) = 0;
  /// Begins to introduce this side to another. Of the home.
  virtual Result<std::unique_ptr<ConnectionAttempt>> Ask(const Address& address, Ended ended) = 0;
  /// What all connections share, before each of them is asked the same.
  virtual bool PollShared() { return false; }
  virtual bool PrepareSharedToBlock() { return true; }
  /// The transport ends, or dies: its connections have left.
  virtual void LeaveShared() {}

 private:
  struct Attempt {
    ConnectCallback done;
    Service* service = nullptr;
    TimerService::TimerId timer = 0;
    std::unique_ptr<ConnectionAttempt> attempt;  // The home's.
  };
  struct Guest {
    std::unique_ptr<ConnectionAttempt> attempt;
    TimerService::TimerId timer = 0;
  };

  bool Poll();
  bool PrepareToBlock();
  bool RunWork();
  void BeginConnect(std::uint64_t id, const Address& address);
  void FinishConnect(std::uint64_t id, Result<Agreed> result);
  void FinishWelcome(std::uint64_t id, const Result<Agreed>& result);
  /// Of connections and those to come: ResourceExhausted when there are as many as may be.
  Status CheckRoomLocked() const;
  /// The connection is counted already; not any more when it cannot be opened.
  Result<std::shared_ptr<PacketConnection>> Open(const Agreed& agreed, Service& service);

  Reactor& home_;
  const PacketOptions options_;
  Entropy entropy_ = Entropy::FromSystem();
  std::atomic<bool> alive_{true};
  std::atomic<std::thread::id> home_thread_{std::this_thread::get_id()};

  std::shared_ptr<SharedGrants> grants_;

  std::mutex mutex_;
  // Guarded by mutex_.
  bool shut_ = false;
  std::vector<std::function<void()>> work_;
  Service* listening_ = nullptr;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, Attempt> attempts_;
  std::uint64_t connected_ = 0;  // Connections that are there, or being opened.
  std::atomic<bool> has_work_{false};

  // The home's.
  bool blocked_ = false;
  Reactor::PollerId poller_ = 0;
  std::map<std::uint64_t, Guest> guests_;
  std::vector<std::shared_ptr<PacketConnection>> connections_;  // Null: has ended.
};

}  // namespace cirein::fabric
