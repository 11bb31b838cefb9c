// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace cirein::test {

/// Hosts of a test, which are network namespaces, and the switch that joins them. They are this
/// process's alone, and go with it; what a killed run has left is removed first.
class NetworkHosts {
 public:
  /// At most 18.
  explicit NetworkHosts(int count);
  ~NetworkHosts();
  NetworkHosts(const NetworkHosts&) = delete;
  NetworkHosts& operator=(const NetworkHosts&) = delete;

  /// False where namespaces, or cables, cannot be made.
  bool made() const { return made_; }
  static std::string ip(int host) { return "10.78.0." + std::to_string(host + 1); }
  /// The words before a command that make it run on that host.
  std::vector<std::string> In(int host) const { return {"ip", "netns", "exec", name(host)}; }
  /// Nothing goes to it or comes from it any more, and nobody is told.
  bool CutOff(int host) const;
  bool Restore(int host) const;

 private:
  std::string name(int host) const;
  std::string cable(int host) const;
  std::string port(int host) const;
  std::string the_switch() const;
  bool Join(int host) const;

  const std::string id_;
  const int count_;
  bool made_ = false;
};

}  // namespace cirein::test
