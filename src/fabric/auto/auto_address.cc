// SPDX-License-Identifier: Apache-2.0
#include "fabric/auto/auto_address.h"

#include <cerrno>

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/text.h"
#include "runtime/file.h"
#include "runtime/system_error.h"

namespace cirein::fabric {
namespace {

constexpr std::string_view kScheme = "auto://";
constexpr const char* kNetwork = "/proc/self/ns/net";
constexpr const char* kBoot = "/proc/sys/kernel/random/boot_id";

}  // namespace

bool IsAutoAddress(const Address& address) { return address.starts_with(kScheme); }

Address ToAddress(const AutoAddress& places) {
  return fmt::format("{}{},{},{}", kScheme, places.host, places.ofi, places.shm);
}

Result<AutoAddress> AutoAddressIn(const Address& address) {
  const std::string_view all = address;
  const std::size_t host_end = all.find(',', kScheme.size());
  const std::size_t ofi_end =
      host_end == std::string_view::npos ? host_end : all.find(',', host_end + 1);
  const bool no_host = host_end == kScheme.size();
  const bool no_ofi = ofi_end == host_end + 1;
  if (!IsAutoAddress(address) || ofi_end == std::string_view::npos || (no_host && no_ofi)) {
    return InvalidArgument(fmt::format("{} is no address of a process", QuoteForPeople(address)),
                           "give it as the other process says it");
  }
  AutoAddress places;
  places.host = all.substr(kScheme.size(), host_end - kScheme.size());
  places.ofi = all.substr(host_end + 1, ofi_end - host_end - 1);
  places.shm = all.substr(ofi_end + 1);
  return places;
}

Result<Address> AddressFor(std::string_view fabric, const Address& address) {
  if (!IsAutoAddress(address)) return address;
  CIREIN_ASSIGN_OR_RETURN(const AutoAddress places, AutoAddressIn(address));
  const std::string& place = fabric == "shm" ? places.shm : places.ofi;
  if (place.empty()) {
    return InvalidArgument(fmt::format("{} cannot be reached over {}", address, fabric),
                           "let both sides use the same fabric");
  }
  return fmt::format("{}://{}", fabric, place);
}

Result<std::string> ThisHost() {
  constexpr std::size_t kIdBytesMax = 128;
  CIREIN_ASSIGN_OR_RETURN(std::string id, ReadFile(kBoot, kIdBytesMax));
  // Names of sockets that leave nothing behind are a network namespace's.
  struct stat network {};
  if (stat(kNetwork, &network) != 0) {
    return IoError(fmt::format("cannot look at {}: {}", kNetwork, SystemErrorText(errno)));
  }
  id += std::to_string(network.st_ino);
  return fmt::format("{:016x}", Hash64(id));
}

}  // namespace cirein::fabric
