// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "object/striped_store.h"
#include "resp/session.h"

namespace cirein::resp {

/// What a host of sessions does at the end of each round, so that nobody hears of a write before it
/// is kept (SAFETY 3): asks the keepers once for all sessions of the round, and lets go of what was
/// held when they have answered. The same for sockets and for the simulator.
///
/// Belongs to the host's thread.
class RoundKeeper {
 public:
  enum class Keeping : std::uint8_t {
    kAtOnce,  ///< Keepers are waited for: durability process, where one write keeps all.
    kLater,   ///< They answer from another thread, and rounds go on meanwhile: power.
  };
  /// A question was answered, on any thread, also after this is gone: to be brought to the host's
  /// thread, which gives it to Kept for each session.
  using Answered = std::function<void(std::uint64_t question, const Status& status)>;

  RoundKeeper(Keeping keeping, Answered answered)
      : keeping_(keeping), answered_(std::move(answered)) {}

  /// Somebody waits for what `committed` is about: told when it is kept.
  void TellWhenKept(StripedStore::Committed committed) { tells_.push_back(std::move(committed)); }
  bool idle() const noexcept { return tells_.empty(); }

  /// The round has ended in which these sessions did something. Blocks for the keepers with
  /// kAtOnce.
  void Keep(std::span<Session* const> round);
  /// True when the session has something to do because of it.
  static bool Kept(Session& session, std::uint64_t question, const Status& status);

 private:
  // How far a keeper must have come for a round.
  struct Due {
    Keeper* keeper = nullptr;
    std::uint64_t ticket = 0;
    std::uint64_t question = 0;
  };
  void KeepAtOnce(std::span<Session* const> round, std::span<const Due> due);
  void KeepLater(std::span<Session* const> round, std::span<Due> due);

  const Keeping keeping_;
  const Answered answered_;
  std::vector<StripedStore::Committed> tells_;
  std::uint64_t last_question_ = 0;
};

}  // namespace cirein::resp
