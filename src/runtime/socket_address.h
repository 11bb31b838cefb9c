// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include "cirein/status.h"

#include "runtime/stream_socket.h"

namespace cirein::internal {

/// An address as the system takes it.
struct SystemAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
};

/// InvalidArgument for a path that is too long and a host that is not known. May ask for names.
Result<SystemAddress> ToSystem(const StreamAddress& address);
StreamAddress FromSystem(const SystemAddress& address);
bool IsLoopback(const SystemAddress& address);

}  // namespace cirein::internal
