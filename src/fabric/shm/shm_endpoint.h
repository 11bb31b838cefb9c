// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "fabric/grant_table.h"
#include "fabric/shm/handshake.h"
#include "fabric/shm/shm_connection.h"
#include "fabric/shm/shm_transport.h"
#include "fabric/transport.h"
#include "runtime/entropy.h"
#include "runtime/reactor.h"

namespace cirein::fabric {

/// What one process's transport over shared memory and its connections share. Stays for as long as
/// anything refers to it; its home only until Shut.
class ShmEndpoint : public std::enable_shared_from_this<ShmEndpoint> {
 public:
  ShmEndpoint(Reactor& home, ShmOptions options);

  const Address& address() const { return terms_.address; }
  const ShmOptions& options() const { return options_; }
  /// False once the transport is destroyed.
  bool alive() const { return alive_.load(std::memory_order_acquire); }
  /// Only while alive.
  Reactor& home() { return home_; }
  /// 0 when the deadline never ends, or the home is closed.
  TimerService::TimerId RunAtEndOf(Deadline deadline, std::function<void()> work);
  void CancelTimer(TimerService::TimerId timer);
  /// A piece of work of the home, in the order of these calls. Thread-safe.
  void Submit(std::function<void()> work);
  /// Makes the home look, when it may be blocked.
  void Wake();

  /// What is granted, for as long as the lock is held.
  std::unique_lock<std::recursive_mutex> LockGrants() { return std::unique_lock(grants_mutex_); }
  GrantTable& grants() { return grants_; }

  Status Listen(Service& service);
  Status Connect(const Address& address, Service& service, Deadline deadline, ConnectCallback done);

  // What follows belongs to the home.

  void Start();
  /// The connection has ended.
  void Forget(const ShmConnection& connection);
  void Shut();
  void Die();

 private:
  struct Attempt {
    ConnectCallback done;
    Service* service = nullptr;
    TimerService::TimerId timer = 0;
    std::unique_ptr<Handshake> handshake;  // The home's.
  };
  struct Guest {
    std::unique_ptr<Handshake> handshake;
    TimerService::TimerId timer = 0;
  };

  bool Poll();
  bool PrepareToBlock();
  bool RunWork();
  void BeginConnect(std::uint64_t id, const Address& address);
  void FinishConnect(std::uint64_t id, Result<Agreement> result);
  void WatchListener();
  void OnListener();
  void PauseListener();
  void Welcome(FileDescriptor fd);
  void FinishWelcome(std::uint64_t id, Result<Agreement> result);
  /// May there be one more?
  Status CheckRoom();
  Result<std::shared_ptr<ShmConnection>> Open(Agreement agreement, Service& service);
  void LeaveListener();

  Reactor& home_;
  const ShmOptions options_;
  HandshakeTerms terms_;
  Entropy entropy_ = Entropy::FromSystem();
  std::atomic<bool> alive_{true};

  std::recursive_mutex grants_mutex_;  // What is registered may call back when it is let go.
  GrantTable grants_;                  // Guarded by grants_mutex_.

  std::mutex mutex_;
  // Guarded by mutex_.
  bool shut_ = false;
  std::vector<std::function<void()>> work_;
  Service* listening_ = nullptr;
  std::optional<ControlListener> listener_;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, Attempt> attempts_;
  std::uint64_t connected_ = 0;  // Connections that are there.
  std::atomic<bool> has_work_{false};

  // The home's.
  bool blocked_ = false;
  bool watching_listener_ = false;
  Reactor::PollerId poller_ = 0;
  TimerService::TimerId pause_ = 0;
  std::map<std::uint64_t, Guest> guests_;
  std::vector<std::shared_ptr<ShmConnection>> connections_;  // Null: has ended.
};

}  // namespace cirein::fabric
