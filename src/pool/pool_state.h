// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "cirein/pool.h"
#include "cirein/pool_backend.h"

#include "pool/process.h"

namespace cirein {

/// One connection: what all handles to one URL share, and the operations under way keep.
class Pool::State : public std::enable_shared_from_this<State> {
 public:
  State(ResourceUrl url, std::shared_ptr<PoolBackend> backend, std::shared_ptr<Process> process)
      : url_(backend->ResolvedUrl().value_or(std::move(url))), backend_(std::move(backend)), process_(std::move(process)) {}

  /// What a shared_ptr does with it at last: ends it here, or on another thread if this one gives
  /// answers, for a backend may wait in its destructor for the threads that it answers from.
  static void End(State* state);

  const ResourceUrl& url() const noexcept { return url_; }
  PoolBackend& backend() const noexcept { return *backend_; }
  Process& process() const noexcept { return *process_; }

 private:
  const ResourceUrl url_;
  const std::shared_ptr<PoolBackend> backend_;
  const std::shared_ptr<Process> process_;
};

/// Connect for the inside of the library: the connection without a handle.
Result<std::shared_ptr<Pool::State>> ConnectState(const ResourceUrl& url);

}  // namespace cirein
