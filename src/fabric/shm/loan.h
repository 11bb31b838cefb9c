// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "fabric/transport.h"

/// What the two sides of a connection over shared memory say to each other of memory that one of
/// them lends the other, to be mapped: docs/design-notes.md, "Rings between processes of one host".
namespace cirein::fabric {

/// Grants that are lent to one side of a connection at once.
inline constexpr unsigned kLoansMax = 64;

/// What both sides see of one grant that is lent, in the segment's control pages.
struct LoanLine {
  alignas(64) std::uint32_t revoked;  ///< Set by the owner: no operation may begin any more.
  std::uint32_t in_use;               ///< Set by the holder while an operation is under way.
};
static_assert(sizeof(LoanLine) == 64);

enum class LoanKind : std::uint32_t { kAsk = 1, kLend, kRefuse, kWithdraw, kRelease };

/// All messages look alike; what a kind does not need is 0.
struct LoanMessage {
  static constexpr std::uint64_t kMagic = 0x6e61'6f6c'6e69'6572;  // "reinloan"
  std::uint64_t magic = kMagic;
  LoanKind kind{};
  std::uint32_t line = 0;
  std::uint64_t grant = 0;
  std::uint64_t key = 0;
  std::uint64_t bytes = 0;
  std::uint64_t access = 0;  ///< Bits of Access: what may be done in the mapping.
};
static_assert(sizeof(LoanMessage) == 48);

/// Instead of a LoanMessage, to one that sleeps: that it is to look at the rings.
inline constexpr std::byte kWakeUp{0x77};

/// What kinds of memory are mapped, both what this side lends and what it borrows.
enum class Mappings : std::uint8_t {
  kNone,         ///< Every operation is carried out by its target.
  kMemory,       ///< Sealed memory, which is nobody's after its owner.
  kFilesToRead,  ///< Files too, to be read.
  kFiles,        ///< Files too, as they are granted: see what a file is trusted for.
};

}  // namespace cirein::fabric
