// SPDX-License-Identifier: Apache-2.0
#include "region/cache_flush.h"

#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace cirein {

#if defined(__x86_64__)
namespace {

const std::byte* FirstLine(const std::byte* begin) {
  return begin - (reinterpret_cast<std::uintptr_t>(begin) & (kCacheLineBytes - 1));
}

// The instructions change no byte, whatever their parameters say.
__attribute__((target("clwb"))) void WriteBack(const std::byte* begin, std::size_t bytes) {
  const std::byte* const end = begin + bytes;
  for (const std::byte* line = FirstLine(begin); line < end; line += kCacheLineBytes) {
    _mm_clwb(const_cast<std::byte*>(line));
  }
}

__attribute__((target("clflushopt"))) void FlushUnordered(const std::byte* begin,
                                                          std::size_t bytes) {
  const std::byte* const end = begin + bytes;
  for (const std::byte* line = FirstLine(begin); line < end; line += kCacheLineBytes) {
    _mm_clflushopt(const_cast<std::byte*>(line));
  }
}

void FlushOrdered(const std::byte* begin, std::size_t bytes) {
  const std::byte* const end = begin + bytes;
  for (const std::byte* line = FirstLine(begin); line < end; line += kCacheLineBytes) {
    _mm_clflush(line);
  }
}

using FlushRange = void (*)(const std::byte*, std::size_t);

FlushRange ChooseFlush() {
  unsigned int eax = 0;
  unsigned int ebx = 0;
  unsigned int ecx = 0;
  unsigned int edx = 0;
  // Leaf 7 names them. Not all compilers know these names for __builtin_cpu_supports.
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {
    if ((ebx & (1U << 24)) != 0) return WriteBack;
    if ((ebx & (1U << 23)) != 0) return FlushUnordered;
  }
  return FlushOrdered;
}

}  // namespace

bool CanFlushCacheLines() noexcept { return true; }

void FlushCacheLines(const std::byte* begin, std::size_t bytes) noexcept {
  static const FlushRange flush = ChooseFlush();
  flush(begin, bytes);
  _mm_sfence();
}

#else

bool CanFlushCacheLines() noexcept { return false; }
void FlushCacheLines(const std::byte* /*begin*/, std::size_t /*bytes*/) noexcept {}

#endif

}  // namespace cirein
