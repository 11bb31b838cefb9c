// SPDX-License-Identifier: Apache-2.0
#include "fabric/ofi/ofi_names.h"

#include <cstring>
#include <string_view>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/text.h"

namespace cirein::fabric {
namespace {

Status NoPlace(const std::string& bind, std::string_view why) {
  return InvalidArgument(fmt::format("{} is not a place for a port: {}", QuoteForPeople(bind), why),
                         "write 127.0.0.1, 127.0.0.1:7000 or [::1]:7000");
}

}  // namespace

bool IsIpFormat(std::uint32_t format) {
  return format == FI_SOCKADDR || format == FI_SOCKADDR_IN || format == FI_SOCKADDR_IN6;
}

bool IsOfiName(std::span<const std::byte> name, const OfiNames& names) {
  if (name.size() != names.own.size()) return false;
  if (!IsIpFormat(names.format)) return true;
  sockaddr_storage address{};
  if (name.size() > sizeof address) return false;
  std::memcpy(&address, name.data(), name.size());
  sa_family_t family{};
  std::memcpy(&family, names.own.data(), sizeof family);
  if (address.ss_family != family) return false;
  if (family == AF_INET) {
    sockaddr_in ip{};
    std::memcpy(&ip, &address, sizeof ip);
    const std::uint32_t host = ntohl(ip.sin_addr.s_addr);
    return ip.sin_port != 0 && host != INADDR_ANY && !IN_MULTICAST(host) &&
           host != INADDR_BROADCAST;
  }
  sockaddr_in6 ip{};
  std::memcpy(&ip, &address, sizeof ip);
  return family == AF_INET6 && ip.sin6_port != 0 && !IN6_IS_ADDR_UNSPECIFIED(&ip.sin6_addr) &&
         !IN6_IS_ADDR_MULTICAST(&ip.sin6_addr);
}

Result<OfiPlace> ParseOfiPlace(const std::string& bind) {
  OfiPlace place{.host = bind, .service = {}};
  bool has_port = false;
  const std::size_t colon = bind.rfind(':');
  if (bind.starts_with('[')) {
    const std::size_t end = bind.find(']');
    if (end == std::string::npos) return NoPlace(bind, "a bracket is open");
    place.host = bind.substr(1, end - 1);
    if (end + 1 < bind.size()) {
      if (bind[end + 1] != ':') return NoPlace(bind, "what follows the bracket is no port");
      has_port = true;
      place.service = bind.substr(end + 2);
    }
  } else if (colon != std::string::npos && bind.find(':') == colon) {
    place.host = bind.substr(0, colon);
    has_port = true;
    place.service = bind.substr(colon + 1);
  }
  in_addr v4{};
  in6_addr v6{};
  const bool is_v4 = inet_pton(AF_INET, place.host.c_str(), &v4) == 1;
  if (!is_v4 && inet_pton(AF_INET6, place.host.c_str(), &v6) != 1) {
    return NoPlace(bind, "the host is no IP address");
  }
  if (is_v4 ? v4.s_addr == INADDR_ANY : IN6_IS_ADDR_UNSPECIFIED(&v6) != 0) {
    return NoPlace(bind, "others must be told one address of this host");
  }
  if (has_port) {
    const Result<std::uint64_t> port = ParseUint64(place.service);
    if (!port.ok() || *port == 0 || *port > 65535) return NoPlace(bind, "the port is none");
  }
  return place;
}

}  // namespace cirein::fabric
