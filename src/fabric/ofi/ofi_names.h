// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "cirein/status.h"

#include "fabric/ofi/ofi_library.h"

/// Where ports are, as people write it and as peers say it.
namespace cirein::fabric {

/// Are a provider's names, of this libfabric format, IP addresses with ports?
bool IsIpFormat(std::uint32_t format);

/// What names of one provider look like.
struct OfiNames {
  std::span<const std::byte> own;  ///< That of this port.
  std::uint32_t format = 0;
};
/// May a peer have this name? The library believes what it is given, and would read beyond a short
/// one.
bool IsOfiName(std::span<const std::byte> name, const OfiNames& names);

/// "127.0.0.1", "127.0.0.1:7000", "::1", "[::1]", "[::1]:7000"; InvalidArgument for all else, also
/// for an address that means all of a host's.
Result<OfiPlace> ParseOfiPlace(const std::string& bind);

}  // namespace cirein::fabric
