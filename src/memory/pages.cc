// SPDX-License-Identifier: Apache-2.0
#include "memory/pages.h"

#include <cerrno>
#include <cstdint>
#include <system_error>

#include <fmt/format.h>
#include <sys/mman.h>

#ifdef CIREIN_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

namespace cirein {
namespace {

void* Map(std::size_t bytes) noexcept {
  // Without MAP_NORESERVE, so that the system refuses what it could never give.
  return mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

std::size_t BytesToAlign(const void* memory) noexcept {
  return (kChunkBytes - reinterpret_cast<std::uintptr_t>(memory) % kChunkBytes) % kChunkBytes;
}

// Null with errno when the system refuses.
std::byte* MapAligned(std::size_t bytes) noexcept {
  void* memory = Map(bytes);
  if (memory == MAP_FAILED) return nullptr;
  if (BytesToAlign(memory) == 0) return static_cast<std::byte*>(memory);
  munmap(memory, bytes);
  const std::size_t padded = bytes + kChunkBytes;
  memory = Map(padded);
  if (memory == MAP_FAILED) return nullptr;
  auto* const begin = static_cast<std::byte*>(memory);
  const std::size_t before = BytesToAlign(memory);
  if (before != 0) munmap(begin, before);
  if (before != kChunkBytes) munmap(begin + before + bytes, kChunkBytes - before);
  return begin + before;
}

}  // namespace

Result<std::byte*> MapPages(std::size_t bytes) {
  std::byte* const pages = MapAligned(bytes);
  if (pages == nullptr) {
    return ResourceExhausted(
        fmt::format("the system refused to map {} bytes: {}", bytes,
                    std::error_code(errno, std::generic_category()).message()),
        "free memory, or raise the limits of the process (ulimit -v, vm.max_map_count, cgroup)");
  }
  // Only a wish: without huge pages everything works, a little slower.
  if (bytes >= kChunkBytes) madvise(pages, bytes, MADV_HUGEPAGE);
  PoisonMemory(pages, bytes);
#ifdef CIREIN_ADDRESS_SANITIZER
  __lsan_register_root_region(pages, bytes);  // Bodies hold pointers, such as a view's owner.
#endif
  return pages;
}

void UnmapPages(std::byte* pages, std::size_t bytes) noexcept {
#ifdef CIREIN_ADDRESS_SANITIZER
  __lsan_unregister_root_region(pages, bytes);
#endif
  UnpoisonMemory(pages, bytes);
  munmap(pages, bytes);
}

#ifdef CIREIN_ADDRESS_SANITIZER
void PoisonMemory(const void* memory, std::size_t bytes) noexcept {
  __asan_poison_memory_region(memory, bytes);
}
void UnpoisonMemory(const void* memory, std::size_t bytes) noexcept {
  __asan_unpoison_memory_region(memory, bytes);
}
[[gnu::no_sanitize_address, gnu::noinline]] void* LoadLink(const void* block) noexcept {
  return *static_cast<void* const*>(block);
}
[[gnu::no_sanitize_address, gnu::noinline]] void StoreLink(void* block, void* link) noexcept {
  *static_cast<void**>(block) = link;
}
#endif

}  // namespace cirein
