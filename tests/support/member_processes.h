// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pool/process.h"

namespace cirein::test {

/// Members of pools, each as a process would be, in this one: with a store, threads and a network of
/// its own, beside the library's. What one can do that needs another process is in tests/cli.
class MemberProcesses {
 public:
  using Settings = std::vector<std::pair<std::string, std::string>>;

  explicit MemberProcesses(std::size_t count, Settings settings = {});

  std::size_t size() const { return members_.size(); }
  Process& at(std::size_t i) { return *members_.at(i); }
  std::string address(std::size_t i) { return addresses_.at(i); }
  /// How many objects it has in its store.
  std::uint64_t ObjectsAt(std::size_t i);
  /// How many wait there.
  std::uint64_t WaitingAt(std::size_t i);

  /// "&num=...&ag0=...": these, then `more`.
  std::string UrlOptions(const std::vector<std::string>& more = {}) const;

  /// It is gone as if it had ended; what it had is lost.
  void Stop(std::size_t i);
  /// At its old address, with nothing in it. Only where its settings say the port.
  void StartAgain(std::size_t i);

 private:
  std::shared_ptr<Process> Make() const;

  const Settings settings_;
  std::vector<std::shared_ptr<Process>> members_;
  std::vector<std::string> addresses_;
};

/// A port of the loopback address that nobody listens at now.
std::uint16_t FreePort();

}  // namespace cirein::test
