// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <thread>

#include "cirein/status.h"

#include "runtime/reactor.h"

namespace cirein {

/// A reactor and the thread that runs it: in production the TimerService of a node.
class ReactorThread {
 public:
  /// `clock` outlives it. ResourceExhausted or IoError when the system refuses a thread or
  /// descriptors.
  static Result<std::unique_ptr<ReactorThread>> Start(Clock& clock, ReactorOptions options = {});
  /// Stops.
  ~ReactorThread();
  ReactorThread(const ReactorThread&) = delete;
  ReactorThread& operator=(const ReactorThread&) = delete;

  Reactor& reactor() noexcept { return *reactor_; }

  /// Lets posts that wait run, ends the thread and closes the reactor, which can still be asked and
  /// refuses everything. Blocks until the work under way has returned. Not to be called on the
  /// reactor's own thread. A second call does nothing.
  void Stop();

 private:
  explicit ReactorThread(std::unique_ptr<Reactor> reactor) : reactor_(std::move(reactor)) {}

  std::unique_ptr<Reactor> reactor_;
  std::thread thread_;
};

}  // namespace cirein
