// SPDX-License-Identifier: Apache-2.0
#include "fabric/packet/packet_head.h"

#include <algorithm>
#include <cstring>

namespace cirein::fabric {

void PacketCursor::CopyTo(std::span<std::byte> to) {
  begun_ = true;
  written_ += to.size();
  while (!to.empty()) {
    const std::span<const std::byte> left = parts_[part_].subspan(offset_);
    const std::size_t bytes = std::min(left.size(), to.size());
    if (bytes > 0) std::memcpy(to.data(), left.data(), bytes);
    to = to.subspan(bytes);
    offset_ += bytes;
    if (bytes == left.size()) {
      ++part_;
      offset_ = 0;
    }
  }
}

}  // namespace cirein::fabric
