// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cirein/status.h"

namespace cirein {

/// What a pool does with objects on their way, as a set of flags. "Local" is the node that calls,
/// "remote" the node that owns the key, "IOM" a backing store. At the owner the remote flags act as
/// the local ones. Kelpie's flags, names and combinations.
class Behavior {
 public:
  enum Flag : std::uint8_t {
    kWriteToLocal = 0x01,      ///< A publish leaves a copy at the caller.
    kWriteToRemote = 0x02,     ///< A publish leaves the object in the owner's memory.
    kWriteToIom = 0x04,        ///< A publish writes through to the backing store.
    kReadToLocal = 0x08,       ///< An object that was fetched stays at the caller.
    kReadToRemote = 0x10,      ///< An object read from the backing store stays at the owner.
    kEnableOverwrites = 0x80,  ///< A second publish replaces the first.
  };
  static constexpr std::uint8_t kAllFlags = 0x9F;
  static constexpr std::uint8_t kDefaultLocal = 0x09;
  static constexpr std::uint8_t kDefaultRemote = 0x0A;
  static constexpr std::uint8_t kDefaultIom = 0x04;
  static constexpr std::uint8_t kDefaultLocalIom = 0x0D;
  static constexpr std::uint8_t kDefaultRemoteIom = 0x16;
  static constexpr std::uint8_t kDefaultCachingIom = 0x1F;

  constexpr Behavior() noexcept = default;
  /// Bits that are no flag are left out.
  constexpr explicit Behavior(std::uint8_t flags) noexcept : flags_(flags & kAllFlags) {}

  /// Names joined by '_', any case: WriteToLocal, WriteToRemote, WriteToIOM, ReadToLocal,
  /// ReadToRemote, EnableOverwrites, WriteAround, WriteMemory, WriteAll, ReadToNone, DefaultLocal,
  /// DefaultRemote, DefaultIOM, DefaultLocalIOM, DefaultRemoteIOM, DefaultCachingIOM.
  /// Errors (InvalidArgument): an empty text, or a name not among these.
  static Result<Behavior> Parse(std::string_view text);

  constexpr std::uint8_t flags() const noexcept { return flags_; }
  constexpr bool has(Flag flag) const noexcept { return (flags_ & flag) != 0; }
  constexpr Behavior with(Flag flag) const noexcept {
    return Behavior(static_cast<std::uint8_t>(flags_ | flag));
  }
  /// The flags as the owner applies them: remote ones become local ones.
  constexpr Behavior AtOwner() const noexcept {
    std::uint8_t flags = flags_ & (kWriteToIom | kEnableOverwrites);
    if (has(kWriteToRemote)) flags |= kWriteToLocal;
    if (has(kReadToRemote)) flags |= kReadToLocal;
    return Behavior(flags);
  }
  /// The single flags' names joined by '_'; "ReadToNone" for none.
  std::string ToString() const;

  friend constexpr bool operator==(Behavior, Behavior) noexcept = default;

 private:
  std::uint8_t flags_ = kDefaultLocal;
};

}  // namespace cirein
