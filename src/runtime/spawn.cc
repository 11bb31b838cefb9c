// SPDX-License-Identifier: Apache-2.0
#include "runtime/spawn.h"

#include <coroutine>
#include <exception>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "runtime/guarded.h"
#include "runtime/one_shot.h"

namespace cirein {
namespace {

// A coroutine that starts at once and destroys itself at its end.
struct Detached {
  struct promise_type {
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }  // RunDetached catches all.
  };
};

Detached RunDetached(Gate::Holder inside, std::string name, Task<void> task) {
  {
    Task<void> running = std::move(task);  // Its frame goes before the gate is left.
    try {
      co_await std::move(running);
    } catch (...) {
      LogCaughtException(name);
    }
  }
  inside.Leave();
}

}  // namespace

Status Spawn(Gate& gate, std::string name, Task<void> task) {
  Gate::Holder inside = gate.TryEnter();
  if (!inside) {
    return Unavailable(fmt::format("cannot start '{}': its service is shutting down", name));
  }
  RunDetached(std::move(inside), std::move(name), std::move(task));
  return OkStatus();
}

Task<void> CloseGate(Gate& gate, TimerService& home) {
  const OneShot<std::monostate> all_left(home);
  gate.Close([all_left] { all_left.Set({}); });
  co_await all_left.Wait();
}

}  // namespace cirein
