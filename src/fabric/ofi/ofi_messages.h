// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "cirein/status.h"

#include "fabric/ofi/ofi_port.h"
#include "fabric/packet/handshake_messages.h"
#include "fabric/packet/packet_head.h"

/// What goes over a port of libfabric, and the last step of the handshake before it.
/// docs/design-notes.md, "libfabric between hosts".
namespace cirein::fabric {

/// Bytes of packets beyond what a message holds go in parts of at most so many, each read by the
/// other side out of memory that it is shown.
inline constexpr std::uint64_t kShownBytesMax = std::uint64_t{1} << 20;

enum class OfiPart : std::uint8_t {
  kFirst = 1,  ///< A packet begins.
  kMore,       ///< It goes on.
  kAck,        ///< No packet: tells what was read, and how far this side has written.
};

/// In front of every message.
struct OfiHead {
  static constexpr std::uint32_t kMagic = 0x6f66'6963;  // "cifo"
  std::uint32_t magic = kMagic;
  OfiPart part{};
  std::uint8_t kind = 0;    ///< As the packet's, of kFirst.
  std::uint8_t status = 0;  ///< Likewise.
  std::uint8_t is_shown = 0;
  std::uint64_t token = 0;       ///< Of the receiving side's connection.
  std::uint64_t sequence = 0;    ///< Of this side's parts, from 1; of kAck the last one's.
  std::uint64_t read_up_to = 0;  ///< The other side's part that was read last.
  std::uint64_t number = 0;
  std::uint64_t bytes = 0;  ///< Of the whole packet.
  std::uint64_t word = 0;
  std::uint64_t part_bytes = 0;  ///< What follows; if it is shown, what is to be read.
};
static_assert(sizeof(OfiHead) == 64);

/// Follows the head of a part that is shown.
struct OfiShown {
  std::uint64_t address = 0;
  std::uint64_t key = 0;
};

/// A message taken apart. `bytes` lie in it.
struct OfiMessage {
  OfiHead head;
  OfiPort::RemoteBuffer shown;
  std::span<const std::byte> bytes;
};
/// InvalidArgument: no message of a connection.
Result<OfiMessage> ReadOfiMessage(std::span<const std::byte> message);

/// The names of ports that fit into a handshake.
inline constexpr std::size_t kPortNameBytesMax = 256;
using ProviderName = std::array<char, 64>;

/// From each side, once it believes the other one: where its messages go.
struct OfiCardMessage {
  static constexpr HandshakeKind kKind = HandshakeKind::kWelcome;
  HandshakeHead head{.kind = kKind};
  std::uint64_t token = 0;
  std::uint64_t message_bytes_max = 0;  ///< Of the port.
  std::uint64_t name_bytes = 0;
  std::array<std::uint8_t, kPortNameBytesMax> name{};
  ProviderName provider{};
};
static_assert(sizeof(OfiCardMessage) == 360);

}  // namespace cirein::fabric
