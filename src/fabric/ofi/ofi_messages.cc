// SPDX-License-Identifier: Apache-2.0
#include "fabric/ofi/ofi_messages.h"

#include <cstring>

namespace cirein::fabric {
namespace {

Status NoMessage() { return InvalidArgument("bytes that are no message of a connection"); }

}  // namespace

Result<OfiMessage> ReadOfiMessage(std::span<const std::byte> message) {
  OfiMessage read;
  OfiHead& head = read.head;
  if (message.size() < sizeof head) return NoMessage();
  std::memcpy(&head, message.data(), sizeof head);
  message = message.subspan(sizeof head);
  if (head.magic != OfiHead::kMagic || head.part < OfiPart::kFirst || head.part > OfiPart::kAck ||
      head.is_shown > 1 || head.part_bytes > head.bytes ||
      (head.part == OfiPart::kAck && head.bytes != 0)) {
    return NoMessage();
  }
  if (head.is_shown == 0) {
    if (message.size() != head.part_bytes) return NoMessage();
    read.bytes = message;
    return read;
  }
  OfiShown shown;
  if (message.size() != sizeof shown || head.part_bytes == 0 || head.part_bytes > kShownBytesMax) {
    return NoMessage();
  }
  std::memcpy(&shown, message.data(), sizeof shown);
  read.shown = {.address = shown.address, .key = shown.key, .bytes = head.part_bytes};
  return read;
}

}  // namespace cirein::fabric
