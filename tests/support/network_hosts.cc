// SPDX-License-Identifier: Apache-2.0
#include "support/network_hosts.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <unistd.h>

#include "base/text.h"

namespace cirein::test {
namespace {

constexpr std::string_view kPrefix = "cirein";

bool RunQuietly(const std::string& command) {
  return std::system((command + " 2>/dev/null >/dev/null").c_str()) == 0;  // NOLINT: a tool's words
}

// "cirein", the process, and a letter, as the hosts of fabric/two_hosts.h are called too. Names of
// namespaces stay when the process that made them is killed.
void RemoveLeftovers() {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/run/netns", error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kPrefix) || name.size() < kPrefix.size() + 2) continue;
    const auto pid = ParseUint64(
        std::string_view(name).substr(kPrefix.size(), name.size() - kPrefix.size() - 1));
    if (!pid.ok() || kill(static_cast<pid_t>(*pid), 0) == 0 || errno != ESRCH) continue;
    RunQuietly("ip netns del " + name);
  }
}

}  // namespace

NetworkHosts::NetworkHosts(int count) : id_(std::to_string(getpid())), count_(count) {
  RemoveLeftovers();
  const std::string at_switch = "ip -n " + the_switch() + " ";
  made_ = RunQuietly("ip netns add " + the_switch()) &&
          RunQuietly(at_switch + "link add bridge type bridge") &&
          RunQuietly(at_switch + "link set bridge up");
  for (int host = 0; host < count; ++host) made_ = made_ && Join(host);
}

NetworkHosts::~NetworkHosts() {
  for (int host = 0; host < count_; ++host) RunQuietly("ip netns del " + name(host));
  RunQuietly("ip netns del " + the_switch());
}

bool NetworkHosts::CutOff(int host) const {
  return RunQuietly("ip -n " + the_switch() + " link set " + port(host) + " nomaster");
}

bool NetworkHosts::Restore(int host) const {
  return RunQuietly("ip -n " + the_switch() + " link set " + port(host) + " master bridge");
}

std::string NetworkHosts::name(int host) const {
  return "cirein" + id_ + static_cast<char>('a' + host);
}
std::string NetworkHosts::cable(int host) const {
  return "cv" + id_ + static_cast<char>('a' + host);
}
std::string NetworkHosts::port(int host) const {
  return "cp" + id_ + static_cast<char>('a' + host);
}
std::string NetworkHosts::the_switch() const { return "cirein" + id_ + "s"; }

bool NetworkHosts::Join(int host) const {
  const std::string at_host = "ip -n " + name(host) + " ";
  const std::string at_switch = "ip -n " + the_switch() + " ";
  return RunQuietly("ip netns add " + name(host)) &&
         RunQuietly("ip link add " + cable(host) + " netns " + name(host) +
                    " type veth peer name " + port(host) + " netns " + the_switch()) &&
         RunQuietly(at_host + "addr add " + ip(host) + "/24 dev " + cable(host)) &&
         RunQuietly(at_host + "link set lo up") &&
         RunQuietly(at_host + "link set " + cable(host) + " up") &&
         RunQuietly(at_switch + "link set " + port(host) + " up") && Restore(host);
}

}  // namespace cirein::test
