// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

#include "cirein/arena.h"

#include "memory/big_block_cache.h"
#include "memory/chunk.h"
#include "memory/size_class.h"
#include "memory/span_heap.h"
#include "memory/spin_lock.h"

namespace cirein {

/// What is behind an Arena, and stays until its last block is free.
///
/// Small blocks pass through stripes: each has lists of free blocks under a lock of its own, and
/// each thread prefers one stripe, so that threads seldom meet. Nobody ever waits for a stripe on a
/// hot path: when one is taken the next does as well. Stripes fetch and return blocks in batches
/// from the central heap, which also has the big blocks, under a mutex.
///
/// Lifetime: `outside_` counts what the central heap has handed out and not got back (blocks in
/// users' hands, in stripes and on their way between) and the calls that still need the state.
/// Closed and nothing outside means that nobody can come any more; whoever sees that, under the
/// mutex, deletes it.
///
/// Lock order: a stripe's lock, never with another; the central mutex, never with a stripe's. No
/// lock is held while memory is mapped, unmapped, registered or deregistered, but for the mutex
/// that keeps lazy registrations of one chunk from meeting.
class Arena::State {
 public:
  struct Block {
    void* memory = nullptr;  ///< Aligned to 16 bytes; null when there is none.
    std::uint8_t size_class = kNoSizeClass;
  };

  explicit State(ArenaOptions options) : options_(std::move(options)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// An uninitialised block of at least `bytes`. Null, and the reason in `*error`, when the limit
  /// is reached, the system has no memory, or it cannot be registered.
  Block Allocate(std::size_t bytes, Status* error);
  /// Takes a block back, which may be the end of the state. Called by any thread.
  static void Free(Block block) noexcept;
  /// What a block takes from its arena.
  static std::uint64_t BlockBytes(Block block) noexcept;

  /// The registrar's handle for the chunk, which is registered now if it was not.
  Result<std::uint64_t> Register(Chunk* chunk);

  /// No more allocations: the state ends with its last block, perhaps now.
  void Close() noexcept;

  const ArenaOptions& options() const noexcept { return options_; }
  ArenaStats Stats() const;
  std::uint64_t Trim() noexcept;

 private:
  using Chain = SpanHeap::Chain;
  using ChunkList = IntrusiveList<Chunk, &Chunk::next, &Chunk::previous>;

  // Written under the lock of whoever has it, read by anybody.
  class Counters {
   public:
    void CountAllocation(std::uint64_t bytes) noexcept {
      Add(allocations_, 1);
      Add(used_bytes_, bytes);
    }
    void CountFree(std::uint64_t bytes) noexcept {
      Add(frees_, 1);
      Add(used_bytes_, -bytes);
    }
    void AddTo(ArenaStats* stats) const noexcept;

   private:
    static void Add(std::atomic<std::uint64_t>& counter, std::uint64_t n) noexcept {
      counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    std::atomic<std::uint64_t> allocations_{0};
    std::atomic<std::uint64_t> frees_{0};
    std::atomic<std::uint64_t> used_bytes_{0};  // Modulo 2^64: blocks may end in another stripe.
  };

  // 128: the neighbour line is fetched along.
  struct alignas(128) Stripe {
    SpinLock lock;
    bool closed = false;
    Counters counters;
    std::array<Chain, kStripedClasses> free;
  };
  static constexpr std::size_t kStripes = 8;
  enum class StripeFate : std::uint8_t { kOpen, kClosed };

  Stripe* LockSomeStripe() noexcept;
  void* AllocateFromStripe(std::uint8_t size_class) noexcept;
  void* AllocateCentral(std::uint8_t size_class, Status* error);
  Chain TakeCentral(std::uint8_t size_class, std::uint32_t blocks, Status* error);
  Block AllocateBig(std::size_t bytes, Status* error);
  Chunk* MapChunk(std::size_t bytes, Status* error);
  bool Reserve(std::uint64_t bytes, Status* error);
  bool ReclaimSome() noexcept;
  Chunk* MapReserved(std::size_t bytes, Status* error);
  Result<std::uint64_t> CallRegistrar(Chunk* chunk);

  bool FreeToStripe(Block block) noexcept;
  void FreeCentral(Block block) noexcept;
  void ReturnChain(Chain chain) noexcept;
  void EmptyStripes(StripeFate fate = StripeFate::kOpen) noexcept;
  void UnmapChunk(Chunk* chunk) noexcept;

  // The following are called with the central mutex held; Leave gives it up.
  Chunk* TakeCached() noexcept;
  ChunkList TakeAboveBound() noexcept;
  void Leave(std::unique_lock<std::mutex> lock, std::uint64_t leaving, ChunkList unneeded) noexcept;

  const ArenaOptions options_;
  std::array<Stripe, kStripes> stripes_;

  mutable std::mutex mutex_;  // For all below it but the last.
  SpanHeap heap_;
  BigBlockCache big_;
  Counters counters_;
  std::uint64_t mapped_bytes_ = 0;
  std::uint64_t outside_ = 0;
  bool closed_ = false;

  std::mutex registration_mutex_;  // Held while a lazy chunk is registered.
};

}  // namespace cirein
