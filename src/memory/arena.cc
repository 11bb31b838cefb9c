// SPDX-License-Identifier: Apache-2.0
#include "cirein/arena.h"

#include <utility>

#include <fmt/format.h>

#include "memory/arena_state.h"

namespace cirein {

Result<std::shared_ptr<Arena>> Arena::Create(ArenaOptions options) {
  if (options.limit_bytes < kMinLimitBytes) {
    return InvalidArgument(fmt::format("arena '{}' has a limit of {} bytes, but needs at least {}",
                                       options.name, options.limit_bytes, kMinLimitBytes),
                           "raise limit_bytes");
  }
  if (options.registration != DataObject::Registration::kNone && options.registrar == nullptr) {
    return InvalidArgument(
        fmt::format("arena '{}' is to be registered, but has no registrar", options.name),
        "set ArenaOptions::registrar, or registration to kNone");
  }
  return std::shared_ptr<Arena>(new Arena(new State(std::move(options))));
}

Arena& Arena::Default() {
  // Never destroyed: objects may outlive every static.
  static Arena* const arena = new Arena(new State({.name = "default"}));
  return *arena;
}

Arena::~Arena() { state_->Close(); }

const std::string& Arena::name() const noexcept { return state_->options().name; }

ArenaStats Arena::Stats() const { return state_->Stats(); }

std::uint64_t Arena::Trim() { return state_->Trim(); }

}  // namespace cirein
