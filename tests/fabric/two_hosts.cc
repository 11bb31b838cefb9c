// SPDX-License-Identifier: Apache-2.0
#include "fabric/two_hosts.h"

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sched.h>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include "base/text.h"

namespace cirein::fabric {
namespace {

constexpr std::string_view kPrefix = "cirein";
constexpr const char* kNames = "/run/netns";
constexpr std::size_t kPacketBytesMax = 65536;

// Names of namespaces stay when the process that made them is killed.
void RemoveLeftovers() {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kNames, error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kPrefix) || name.size() < kPrefix.size() + 2) continue;
    const auto pid = ParseUint64(
        std::string_view(name).substr(kPrefix.size(), name.size() - kPrefix.size() - 1));
    if (!pid.ok() || kill(static_cast<pid_t>(*pid), 0) == 0 || errno != ESRCH) continue;
    RunCommand("ip netns del " + name);
  }
}

}  // namespace

bool RunCommand(const std::string& command) {
  return std::system((command + " 2>/dev/null >/dev/null").c_str()) == 0;  // NOLINT: a tool's words
}

// --- The relay ---

DelayRelay::DelayRelay(FileDescriptor one, FileDescriptor other, std::chrono::nanoseconds delay)
    : ends_{std::move(one), std::move(other)}, delay_(delay), thread_([this] { Run(); }) {}

DelayRelay::~DelayRelay() {
  stop_.store(true);
  thread_.join();
}

void DelayRelay::Run() {
  using Clock = std::chrono::steady_clock;
  struct Packet {
    Clock::time_point due;
    std::size_t to;
    std::vector<std::byte> bytes;
  };
  std::deque<Packet> on_their_way;
  std::vector<std::byte> bytes(kPacketBytesMax);
  while (!stop_.load()) {
    const auto now = Clock::now();
    while (!on_their_way.empty() && on_their_way.front().due <= now) {
      const Packet& first = on_their_way.front();
      const ssize_t put = write(ends_[first.to].get(), first.bytes.data(), first.bytes.size());
      carried_ += put > 0;
      on_their_way.pop_front();
    }
    std::chrono::nanoseconds wait = std::chrono::milliseconds(10);
    if (!on_their_way.empty())
      wait = std::clamp<std::chrono::nanoseconds>(on_their_way.front().due - now,
                                                  std::chrono::nanoseconds(0), wait);
    std::array<pollfd, 2> polls{{{ends_[0].get(), POLLIN, 0}, {ends_[1].get(), POLLIN, 0}}};
    const timespec time{.tv_sec = 0, .tv_nsec = wait.count()};
    if (ppoll(polls.data(), polls.size(), &time, nullptr) <= 0) continue;
    for (const std::size_t from : {0U, 1U}) {
      const ssize_t got = read(ends_[from].get(), bytes.data(), bytes.size());
      if (got <= 0) continue;
      on_their_way.push_back(
          {Clock::now() + delay_, 1 - from, {bytes.begin(), bytes.begin() + got}});
    }
  }
}

// --- The hosts ---

TwoHosts::TwoHosts(Cable cable_kind) : id_(std::to_string(getpid())) {
  RemoveLeftovers();
  made_ = RunCommand("ip netns add " + host(0)) && RunCommand("ip netns add " + host(1));
  if (cable_kind == Cable::kVeth) {
    made_ = made_ && RunCommand("ip link add " + cable(0) + " netns " + host(0) +
                                " type veth peer name " + cable(1) + " netns " + host(1));
  } else {
    made_ = made_ && MakeTun(0) && MakeTun(1);
  }
  for (const int i : {0, 1}) {
    made_ = made_ && RunCommand(At(i) + "addr add " + ip(i) + "/24 dev " + cable(i)) &&
            RunCommand(At(i) + "link set lo up") &&
            RunCommand(At(i) + "link set " + cable(i) + " up");
  }
}

TwoHosts::~TwoHosts() {
  relay_.reset();
  for (const int i : {0, 1}) RunCommand("ip netns del " + host(i));
}

bool TwoHosts::Enter(int i) const {
  const FileDescriptor there(
      open((std::string(kNames) + "/" + host(i)).c_str(), O_RDONLY | O_CLOEXEC));
  return there.is_open() && setns(there.get(), CLONE_NEWNET) == 0;
}

bool TwoHosts::MakeTun(int i) {
  const FileDescriptor before(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!before.is_open() || !Enter(i)) return false;
  FileDescriptor tun(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  ifreq wanted{};
  wanted.ifr_flags = IFF_TUN | IFF_NO_PI;
  cable(i).copy(wanted.ifr_name, IFNAMSIZ - 1);
  const bool made = tun.is_open() && ioctl(tun.get(), TUNSETIFF, &wanted) == 0;
  tuns_[static_cast<std::size_t>(i)] = std::move(tun);
  return setns(before.get(), CLONE_NEWNET) == 0 && made;
}

}  // namespace cirein::fabric
