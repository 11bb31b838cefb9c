// SPDX-License-Identifier: Apache-2.0
#include "memory/arena_state.h"

#include <new>

#include <fmt/format.h>

namespace cirein {
namespace {

// Big blocks are mapped in multiples of this, so that nearly equal ones can serve for each other.
constexpr std::uint64_t kBigGranuleBytes = std::uint64_t{32} << 10;
// More than this cannot be addressed with room to spare; keeps the arithmetic from overflowing.
constexpr std::uint64_t kMaxBigBytes = std::uint64_t{1} << 47;

// Threads get numbers as they come, and so spread over the stripes.
std::size_t ThreadNumber() noexcept {
  static std::atomic<std::uint32_t> next{1};
  [[gnu::tls_model("initial-exec")]] static thread_local std::uint32_t number = 0;
  if (number == 0) [[unlikely]]
    number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

}  // namespace

void Arena::State::Counters::AddTo(ArenaStats* stats) const noexcept {
  const std::uint64_t allocations = allocations_.load(std::memory_order_relaxed);
  stats->allocations += allocations;
  stats->live_blocks += allocations - frees_.load(std::memory_order_relaxed);
  stats->used_bytes += used_bytes_.load(std::memory_order_relaxed);
}

// ---- Allocation

Arena::State::Block Arena::State::Allocate(std::size_t bytes, Status* error) {
  if (bytes > kMaxClassBytes) return AllocateBig(bytes, error);
  const std::uint8_t size_class = SizeClassOf(bytes);
  void* memory = size_class < kStripedClasses ? AllocateFromStripe(size_class) : nullptr;
  if (memory == nullptr) [[unlikely]]
    memory = AllocateCentral(size_class, error);
  if (memory != nullptr) UnpoisonMemory(memory, bytes);
  return {memory, size_class};
}

// The thread's own stripe, or one that is not taken; null when all are.
Arena::State::Stripe* Arena::State::LockSomeStripe() noexcept {
  const std::size_t first = ThreadNumber();
  for (std::size_t i = 0; i < kStripes; ++i) {
    Stripe& stripe = stripes_[(first + i) % kStripes];
    if (stripe.lock.TryLock()) [[likely]]
      return &stripe;
  }
  return nullptr;
}

void* Arena::State::AllocateFromStripe(std::uint8_t size_class) noexcept {
  Stripe* const stripe = LockSomeStripe();
  if (stripe == nullptr) return nullptr;
  Chain& chain = stripe->free[size_class];
  void* const block = chain.head;
  if (block != nullptr) {
    chain.head = LoadLink(block);
    --chain.blocks;
    stripe->counters.CountAllocation(kClassBytes[size_class]);
  }
  stripe->lock.Unlock();
  return block;
}

// One block from the heap, and for the stripe, which was found empty, some more.
void* Arena::State::AllocateCentral(std::uint8_t size_class, Status* error) {
  const bool striped = size_class < kStripedClasses;
  Chain chain = TakeCentral(size_class, striped ? kBatchBlocks[size_class] : 1, error);
  void* const block = chain.head;
  if (block == nullptr) return nullptr;
  chain.head = LoadLink(block);
  --chain.blocks;
  if (chain.blocks == 0) return block;
  Stripe* const stripe = LockSomeStripe();
  if (stripe == nullptr) {
    ReturnChain(chain);
    return block;
  }
  Chain& free = stripe->free[size_class];
  while (chain.blocks > 0) {
    void* const next = LoadLink(chain.head);
    StoreLink(chain.head, free.head);
    free.head = chain.head;
    ++free.blocks;
    chain.head = next;
    --chain.blocks;
  }
  stripe->lock.Unlock();
  return block;
}

Arena::State::Chain Arena::State::TakeCentral(std::uint8_t size_class, std::uint32_t blocks,
                                              Status* error) {
  for (bool refused = false;;) {
    {
      const std::lock_guard lock(mutex_);
      const Chain chain = heap_.Take(size_class, blocks);
      if (chain.blocks > 0) {
        outside_ += chain.blocks;
        counters_.CountAllocation(kClassBytes[size_class]);
        return chain;
      }
    }
    // Even when no chunk can be had the heap deserves a second look: on the way to the refusal the
    // stripes gave their blocks back.
    if (refused) return {};
    Chunk* const chunk = MapChunk(kChunkBytes, error);
    refused = chunk == nullptr;
    if (refused) continue;
    const std::lock_guard lock(mutex_);
    heap_.AddSlab(chunk);
  }
}

Arena::State::Block Arena::State::AllocateBig(std::size_t bytes, Status* error) {
  if (bytes > kMaxBigBytes) {
    *error = ResourceExhausted(
        fmt::format("a block of {} bytes is more than any machine has", bytes), "ask for less");
    return {};
  }
  const std::uint64_t mapped_bytes =
      (bytes + kBigBlockOffset + kBigGranuleBytes - 1) / kBigGranuleBytes * kBigGranuleBytes;
  std::unique_lock lock(mutex_);
  Chunk* chunk = big_.Take(mapped_bytes);
  if (chunk == nullptr) {
    lock.unlock();
    chunk = MapChunk(mapped_bytes, error);
    if (chunk == nullptr) return {};
    lock.lock();
  }
  ++outside_;
  counters_.CountAllocation(chunk->mapped_bytes);
  lock.unlock();
  UnpoisonMemory(BigBlockOf(chunk), bytes);
  return {BigBlockOf(chunk), kNoSizeClass};
}

// A new chunk, registered if it must be; null, and why, when there is none.
Chunk* Arena::State::MapChunk(std::size_t bytes, Status* error) {
  if (!Reserve(bytes, error)) return nullptr;
  Chunk* const chunk = MapReserved(bytes, error);
  if (chunk == nullptr) {
    const std::lock_guard lock(mutex_);
    mapped_bytes_ -= bytes;
  }
  return chunk;
}

Chunk* Arena::State::MapReserved(std::size_t bytes, Status* error) {
  auto pages = MapPages(bytes);
  // What the cache has may help, but not when so much was asked for that it could not suffice.
  for (bool may_help = bytes <= Stats().cached_bytes; !pages.ok() && may_help;) {
    may_help = ReclaimSome();
    pages = MapPages(bytes);
  }
  if (!pages.ok()) {
    *error = pages.status().WithContext(fmt::format("arena '{}'", options_.name));
    return nullptr;
  }
  UnpoisonMemory(*pages, sizeof(Chunk));
  auto* const chunk = new (*pages) Chunk{this, bytes, 0, nullptr, nullptr, nullptr, nullptr};
  if (options_.registration == DataObject::Registration::kEager) {
    if (const auto handle = CallRegistrar(chunk); !handle.ok()) {
      *error = handle.status();
      UnmapPages(reinterpret_cast<std::byte*>(chunk), bytes);
      return nullptr;
    }
  }
  return chunk;
}

// Counts `bytes` as mapped if the limit allows it, after giving back what nobody uses if need be.
bool Arena::State::Reserve(std::uint64_t bytes, Status* error) {
  std::uint64_t mapped_bytes = 0;
  for (bool stripes_emptied = false; bytes <= options_.limit_bytes;) {
    {
      const std::lock_guard lock(mutex_);
      mapped_bytes = mapped_bytes_;
      if (bytes <= options_.limit_bytes - mapped_bytes_) {
        mapped_bytes_ += bytes;
        return true;
      }
    }
    if (ReclaimSome()) continue;
    if (stripes_emptied) break;
    EmptyStripes();
    stripes_emptied = true;
  }
  *error = ResourceExhausted(
      fmt::format("arena '{}' needs {} bytes more, but {} of its limit of {} bytes are mapped",
                  options_.name, bytes, mapped_bytes, options_.limit_bytes),
      "drop objects, or raise the arena's limit_bytes");
  return false;
}

// Gives back one unused chunk; false when there is none.
bool Arena::State::ReclaimSome() noexcept {
  std::unique_lock lock(mutex_);
  Chunk* const chunk = TakeCached();
  if (chunk == nullptr) return false;
  ChunkList unneeded;
  unneeded.PushFront(chunk);
  Leave(std::move(lock), 0, unneeded);
  return true;
}

// ---- Release

void Arena::State::Free(Block block) noexcept {
  State* const owner = Chunk::Of(block.memory)->owner;
  if (block.size_class == kNoSizeClass) {
    PoisonMemory(block.memory, BlockBytes(block) - kBigBlockOffset);
  } else {
    PoisonMemory(block.memory, kClassBytes[block.size_class]);
    if (block.size_class < kStripedClasses && owner->FreeToStripe(block)) [[likely]]
      return;
  }
  owner->FreeCentral(block);
}

std::uint64_t Arena::State::BlockBytes(Block block) noexcept {
  return block.size_class == kNoSizeClass ? Chunk::Of(block.memory)->mapped_bytes
                                          : kClassBytes[block.size_class];
}

// False when all stripes are taken, or closed.
bool Arena::State::FreeToStripe(Block block) noexcept {
  Stripe* const stripe = LockSomeStripe();
  if (stripe == nullptr) return false;
  if (stripe->closed) [[unlikely]] {
    stripe->lock.Unlock();
    return false;
  }
  Chain& free = stripe->free[block.size_class];
  StoreLink(block.memory, free.head);
  free.head = block.memory;
  ++free.blocks;
  stripe->counters.CountFree(kClassBytes[block.size_class]);
  Chain surplus;
  if (free.blocks > 2 * kBatchBlocks[block.size_class]) [[unlikely]] {
    surplus = {free.head, kBatchBlocks[block.size_class]};
    for (std::uint32_t i = 0; i < surplus.blocks; ++i) free.head = LoadLink(free.head);
    free.blocks -= surplus.blocks;
  }
  stripe->lock.Unlock();
  // From here on the state may be gone, unless there is a surplus, which keeps it.
  if (surplus.blocks > 0) [[unlikely]]
    ReturnChain(surplus);
  return true;
}

void Arena::State::FreeCentral(Block block) noexcept {
  std::unique_lock lock(mutex_);
  counters_.CountFree(BlockBytes(block));
  if (block.size_class == kNoSizeClass) {
    big_.Put(Chunk::Of(block.memory));
  } else {
    heap_.Return(block.memory);
  }
  Leave(std::move(lock), 1, TakeAboveBound());
}

void Arena::State::ReturnChain(Chain chain) noexcept {
  std::unique_lock lock(mutex_);
  void* block = chain.head;
  for (std::uint32_t i = 0; i < chain.blocks; ++i) {
    void* const next = LoadLink(block);
    heap_.Return(block);
    block = next;
  }
  Leave(std::move(lock), chain.blocks, TakeAboveBound());
}

// Returns what the stripes have to the heap.
void Arena::State::EmptyStripes(StripeFate fate) noexcept {
  for (Stripe& stripe : stripes_) {
    stripe.lock.Lock();
    if (fate == StripeFate::kClosed) stripe.closed = true;
    std::array<Chain, kStripedClasses> free{};
    std::swap(free, stripe.free);
    stripe.lock.Unlock();
    for (const Chain& chain : free) {
      if (chain.blocks > 0) ReturnChain(chain);
    }
  }
}

Chunk* Arena::State::TakeCached() noexcept {
  Chunk* const chunk = big_.TakeOldest();
  return chunk != nullptr ? chunk : heap_.TakeEmptySlab();
}

Arena::State::ChunkList Arena::State::TakeAboveBound() noexcept {
  const std::uint64_t bound = closed_ ? 0 : options_.cache_bytes;
  ChunkList list;
  while (big_.bytes() + heap_.empty_slab_bytes() > bound) list.PushFront(TakeCached());
  return list;
}

// Unmaps what is not needed, then counts `leaving` as back from outside. May end the state.
void Arena::State::Leave(std::unique_lock<std::mutex> lock, std::uint64_t leaving,
                         ChunkList unneeded) noexcept {
  if (!unneeded.empty()) {
    // Unmapping is slow, so others may go on meanwhile; what leaves only later keeps the state.
    lock.unlock();
    std::uint64_t bytes = 0;
    while (!unneeded.empty()) {
      Chunk* const chunk = unneeded.front();
      unneeded.Remove(chunk);
      bytes += chunk->mapped_bytes;
      UnmapChunk(chunk);
    }
    lock.lock();
    mapped_bytes_ -= bytes;
  }
  outside_ -= leaving;
  const bool ends = closed_ && outside_ == 0;
  lock.unlock();
  if (ends) delete this;
}

void Arena::State::UnmapChunk(Chunk* chunk) noexcept {
  const std::uint64_t handle = chunk->registration.load(std::memory_order_acquire);
  if (handle != 0) options_.registrar->Deregister(handle);
  UnmapPages(reinterpret_cast<std::byte*>(chunk), chunk->mapped_bytes);
}

void Arena::State::Close() noexcept {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    ++outside_;  // This call.
  }
  EmptyStripes(StripeFate::kClosed);
  std::unique_lock lock(mutex_);
  Leave(std::move(lock), 1, TakeAboveBound());
}

// ---- The rest

Result<std::uint64_t> Arena::State::Register(Chunk* chunk) {
  std::uint64_t handle = chunk->registration.load(std::memory_order_acquire);
  if (handle != 0) return handle;
  const std::lock_guard lock(registration_mutex_);
  handle = chunk->registration.load(std::memory_order_relaxed);
  if (handle != 0) return handle;
  return CallRegistrar(chunk);
}

Result<std::uint64_t> Arena::State::CallRegistrar(Chunk* chunk) {
  const auto handle = options_.registrar->Register(chunk, chunk->mapped_bytes);
  if (!handle.ok()) {
    return handle.status().WithContext(
        fmt::format("cannot register {} bytes of arena '{}'", chunk->mapped_bytes, options_.name));
  }
  if (*handle == 0) return Internal("a memory registrar gave the handle 0, which means none");
  chunk->registration.store(*handle, std::memory_order_release);
  return *handle;
}

ArenaStats Arena::State::Stats() const {
  ArenaStats stats;
  for (const Stripe& stripe : stripes_) stripe.counters.AddTo(&stats);
  const std::lock_guard lock(mutex_);
  counters_.AddTo(&stats);
  stats.mapped_bytes = mapped_bytes_;
  stats.cached_bytes = mapped_bytes_ > stats.used_bytes ? mapped_bytes_ - stats.used_bytes : 0;
  return stats;
}

std::uint64_t Arena::State::Trim() noexcept {
  EmptyStripes();
  std::unique_lock lock(mutex_);
  ChunkList unneeded;
  std::uint64_t bytes = 0;
  while (Chunk* const chunk = TakeCached()) {
    bytes += chunk->mapped_bytes;
    unneeded.PushFront(chunk);
  }
  Leave(std::move(lock), 0, unneeded);
  return bytes;
}

}  // namespace cirein
