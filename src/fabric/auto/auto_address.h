// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cirein/status.h"

#include "fabric/transport.h"

/// Where a process is found that can be reached in more than one way:
/// "auto://<host>,<where ofi listens>,<where shm listens>". The last two may be empty, and the host
/// where only a HOST:PORT is known.
namespace cirein::fabric {

struct AutoAddress {
  /// The same for processes that can share memory: of one running system and one network namespace.
  /// Empty: nobody knows.
  std::string host;
  std::string ofi;  ///< HOST:PORT
  std::string shm;  ///< The name of a socket.
};

bool IsAutoAddress(const Address& address);
Address ToAddress(const AutoAddress& places);
/// InvalidArgument for what is none.
Result<AutoAddress> AutoAddressIn(const Address& address);

/// The address by which `fabric` ("shm", "ofi") reaches it: itself, or its part of an auto address.
/// InvalidArgument when that has none.
Result<Address> AddressFor(std::string_view fabric, const Address& address);

/// This host, as AutoAddress has it. IoError when the system does not tell.
Result<std::string> ThisHost();

}  // namespace cirein::fabric
