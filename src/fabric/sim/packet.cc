// SPDX-License-Identifier: Apache-2.0
#include "fabric/sim/packet.h"

namespace cirein::fabric {

const char* PacketName(PacketKind kind) {
  switch (kind) {
    case PacketKind::kHello:
      return "hello";
    case PacketKind::kWelcome:
      return "welcome";
    case PacketKind::kMessage:
      return "message";
    case PacketKind::kRequest:
      return "request";
    case PacketKind::kReply:
      return "reply";
    case PacketKind::kRead:
      return "read";
    case PacketKind::kWrite:
      return "write";
    case PacketKind::kSwap:
      return "swap";
    case PacketKind::kAdd:
      return "add";
    case PacketKind::kPersist:
      return "persist";
    case PacketKind::kDone:
      return "done";
    case PacketKind::kEnd:
      return "end";
  }
  return "unknown";
}

bool IsOneSided(PacketKind kind) {
  switch (kind) {
    case PacketKind::kRead:
    case PacketKind::kWrite:
    case PacketKind::kSwap:
    case PacketKind::kAdd:
    case PacketKind::kPersist:
      return true;
    case PacketKind::kHello:
    case PacketKind::kWelcome:
    case PacketKind::kMessage:
    case PacketKind::kRequest:
    case PacketKind::kReply:
    case PacketKind::kDone:
    case PacketKind::kEnd:
      return false;
  }
  return false;
}

}  // namespace cirein::fabric
