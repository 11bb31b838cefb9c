// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "runtime/file_descriptor.h"

namespace cirein::fabric {

/// Runs a command of the system, quietly; true when it ended well.
bool RunCommand(const std::string& command);

/// Carries what is sent into one tun device out of the other, a while later, both ways. The kernels
/// of some machines have nothing that delays packets.
class DelayRelay {
 public:
  DelayRelay(FileDescriptor one, FileDescriptor other, std::chrono::nanoseconds delay);
  ~DelayRelay();
  DelayRelay(const DelayRelay&) = delete;
  DelayRelay& operator=(const DelayRelay&) = delete;

  std::uint64_t carried() const { return carried_.load(); }

 private:
  void Run();

  const std::array<FileDescriptor, 2> ends_;
  const std::chrono::nanoseconds delay_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> carried_{0};
  std::thread thread_;
};

/// Two network namespaces, of this test alone, and the cable between them. What a killed run has
/// left of its own is removed first.
class TwoHosts {
 public:
  enum class Cable : std::uint8_t {
    kVeth,  ///< The kernel's, on which nft and tc can lose packets and be slow.
    kTun,   ///< Needs a relay to carry anything.
  };
  explicit TwoHosts(Cable cable = Cable::kVeth);
  ~TwoHosts();
  TwoHosts(const TwoHosts&) = delete;
  TwoHosts& operator=(const TwoHosts&) = delete;

  bool made() const { return made_; }
  std::string host(int i) const { return "cirein" + id_ + "ab"[i]; }
  std::string cable(int i) const { return "cv" + id_ + "ab"[i]; }
  static std::string ip(int i) { return "10.77.0." + std::to_string(i + 1); }
  /// Of `ip`, in a host.
  std::string At(int i) const { return "ip -n " + host(i) + " "; }
  /// Any command, in a host.
  std::string In(int i) const { return "ip netns exec " + host(i) + " "; }
  /// The calling thread is there from now on.
  bool Enter(int i) const;
  /// Of a kTun cable: carries from now on. Once.
  void Relay(std::chrono::nanoseconds delay) {
    relay_.emplace(std::move(tuns_[0]), std::move(tuns_[1]), delay);
  }
  const DelayRelay& relay() const { return *relay_; }

 private:
  bool MakeTun(int i);

  // Of the process that made them, also in its children.
  const std::string id_;
  bool made_ = false;
  std::array<FileDescriptor, 2> tuns_;
  std::optional<DelayRelay> relay_;
};

}  // namespace cirein::fabric
