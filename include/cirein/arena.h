// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "cirein/data_object.h"
#include "cirein/status.h"

namespace cirein {

/// What memory an arena holds, in bytes.
struct ArenaStats {
  std::uint64_t mapped_bytes = 0;  ///< Taken from the system.
  std::uint64_t used_bytes = 0;    ///< In living blocks, with the allocator's rounding.
  std::uint64_t cached_bytes = 0;  ///< The rest: free and used again, or the arena's own.
  std::uint64_t allocations = 0;   ///< Blocks handed out since the start.
  std::uint64_t live_blocks = 0;
};

/// Makes memory known to a network card, which is slow: so arenas register big chunks once and use
/// them again. A fabric implements it; it must outlive the arenas it is given to and all their
/// objects. Thread-safe; called with no lock of the arena held that allocation needs.
class MemoryRegistrar {
 public:
  virtual ~MemoryRegistrar() = default;
  /// A handle for the memory, not 0.
  virtual Result<std::uint64_t> Register(void* memory, std::size_t bytes) = 0;
  virtual void Deregister(std::uint64_t handle) = 0;
};

struct ArenaOptions {
  std::string name = "arena";
  /// Of mapped memory; ResourceExhausted beyond it. At least kMinLimitBytes.
  std::uint64_t limit_bytes = UINT64_MAX;
  /// Freed memory kept for use again: fresh pages cost five times a copy into warm ones. 0 gives
  /// back what can be given back as soon as it is free.
  std::uint64_t cache_bytes = 1ull << 30;
  MemoryRegistrar* registrar = nullptr;  ///< Not owned; null: no registration.
  DataObject::Registration registration = DataObject::Registration::kNone;
};

/// Memory for objects, taken from the system in big chunks and used again. Blocks of up to 256 KiB
/// come from chunks of 2 MiB in sizes at most 12.5 % apart; larger ones have a mapping each.
///
/// Thread-safe; allocation and release take a lock that is rarely contended. An arena may be
/// dropped before its objects: its memory goes with the last of them.
class Arena {
 public:
  /// The smallest limit: one chunk, without which no small object has a place.
  static constexpr std::uint64_t kMinLimitBytes = 2ull << 20;

  /// InvalidArgument for a limit that is too small, or registration without a registrar.
  static Result<std::shared_ptr<Arena>> Create(ArenaOptions options = {});
  /// The process's own, without limit; lives until the process ends.
  static Arena& Default();

  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  const std::string& name() const noexcept;
  /// A sum over parts that change meanwhile: exact only while no other thread uses the arena.
  ArenaStats Stats() const;
  /// Gives cached memory back to the system, except what shares a chunk with living objects.
  /// Returns the bytes given back. May take milliseconds for each GiB.
  std::uint64_t Trim();

  class State;
  /// For the inside of the library.
  State* state() const noexcept { return state_; }

 private:
  explicit Arena(State* state) noexcept : state_(state) {}
  State* state_;
};

}  // namespace cirein
