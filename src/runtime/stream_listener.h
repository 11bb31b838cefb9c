// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "cirein/status.h"

#include "runtime/file_descriptor.h"
#include "runtime/reactor.h"
#include "runtime/stream_socket.h"

namespace cirein {

/// Accepts connections at one address, on a reactor. When the process has no descriptor left it
/// ends those who come, rather than let them wait for nothing. A Unix socket is open to its owner
/// alone, and its path is removed at the end.
///
/// Belongs to the reactor's thread; made and ended by whoever drives it, before Start also on
/// another thread.
class StreamListener final : private FdHandler {
 public:
  /// Listens; port 0 is any that is free. AlreadyExists when somebody listens there; what a Unix
  /// socket that nobody listens at has left is removed. InvalidArgument for what is no address.
  static Result<std::unique_ptr<StreamListener>> Listen(const StreamAddress& address);
  /// The same, but nobody can connect before Open: the address is taken, and known.
  static Result<std::unique_ptr<StreamListener>> Reserve(const StreamAddress& address);
  ~StreamListener() override;
  StreamListener(const StreamListener&) = delete;
  StreamListener& operator=(const StreamListener&) = delete;

  /// As it really is, with its port.
  const StreamAddress& address() const noexcept { return address_; }
  /// Can nobody come but from this machine?
  bool is_local() const noexcept { return is_local_; }

  /// Others may connect, and wait until Start. On any thread; IoError. Again does nothing.
  Status Open();
  /// From now on gives each connection to `accepted`, on the reactor, which outlives Stop. Where
  /// `has_room` says that there is no room for one, those who come wait in the system, and are
  /// looked at again in a moment; null: there always is.
  Status Start(Reactor& reactor, std::function<void(StreamSocket)> accepted,
               std::function<bool()> has_room = nullptr);
  /// No more connections; a second call does nothing.
  void Stop();
  std::uint64_t refused() const noexcept { return refused_; }

 private:
  StreamListener(FileDescriptor fd, StreamAddress address, bool is_local);
  void OnReady(FdReadiness readiness) override;
  /// True when another one may be waiting.
  bool AcceptOne();
  bool TurnAway();
  void Pause();

  FileDescriptor fd_;
  FileDescriptor spare_;  // Closed so that one can be accepted, and told that it cannot.
  const StreamAddress address_;
  const bool is_local_;
  Reactor* reactor_ = nullptr;
  TimerService::TimerId pause_ = 0;
  std::function<void(StreamSocket)> accepted_;
  std::function<bool()> has_room_;
  std::uint64_t refused_ = 0;
};

/// Does a listener at this host hear only this machine? Errors as StreamListener::Listen.
Result<bool> IsLocalAddress(const StreamAddress& address);

}  // namespace cirein
