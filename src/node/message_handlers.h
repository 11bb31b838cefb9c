// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "cirein/status.h"

#include "runtime/gate.h"

namespace cirein::node {

/// Code of users that answers messages of other processes, by name. Thread-safe.
class MessageHandlers {
 public:
  using Function = std::function<Result<std::string>(std::string_view message)>;

  /// One of them, for as long as somebody runs it.
  class Handler {
   public:
    Handler(std::string name, Function function)
        : name_(std::move(name)), function_(std::move(function)) {}

    const std::string& name() const noexcept { return name_; }
    /// What it answers; an exception becomes Aborted; NotFound once it was removed.
    Result<std::string> Run(std::string_view message);

   private:
    friend class MessageHandlers;
    const std::string name_;
    const Function function_;
    Gate gate_;  // Whoever runs it is inside.
  };

  /// AlreadyExists when the name is taken.
  Result<std::shared_ptr<Handler>> Add(std::string name, Function function);
  /// From when it returns the handler is not run any more. Blocks while it is; not from inside it.
  void Remove(const std::shared_ptr<Handler>& handler);
  /// NotFound, with the names that there are.
  Result<std::shared_ptr<Handler>> Find(std::string_view name) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Handler>, std::less<>> handlers_;  // Guarded by mutex_.
};

}  // namespace cirein::node
