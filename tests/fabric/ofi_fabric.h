// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fabric/conformance.h"
#include "fabric/ofi/ofi_transport.h"
#include "runtime/reactor.h"
#include "runtime/virtual_clock.h"

namespace cirein::fabric {

/// Several transports over libfabric in this process, for the conformance suite. The test's thread
/// runs each peer's home in turn. What goes through sockets of this machine arrives without a wait,
/// but libfabric takes several rounds to hand it over, and now and then a moment: so time passes
/// only after nobody has had anything to do for that long.
class OfiFabric final : public Fabric {
 public:
  static OfiOptions SmallOptions() {
    OfiOptions options;
    options.secret = "of the test";
    options.registered_bytes_max = 16U << 20;
    options.limits = {.message_bytes_max = 64U << 10,
                      .outstanding_bytes_max = 256U << 10,
                      .outstanding_max = 64,
                      .connections_max = 8,
                      .grants_max = 16};
    return options;
  }

  struct Made {
    std::unique_ptr<Transport> transport;
    std::function<void()> die;
    std::function<bool()> has_waiting;
  };
  using Make = std::function<Made(Reactor& home)>;

  explicit OfiFabric(std::string provider)
      : OfiFabric([provider = std::move(provider)](Reactor& home) {
          OfiOptions options = SmallOptions();
          options.provider = provider;
          return Hold(OfiTransport::Create(home, std::move(options)).value());
        }) {}
  /// The same of others that go through sockets of this machine.
  explicit OfiFabric(Make make) : make_(std::move(make)) {}
  template <typename Kind>
  static Made Hold(std::unique_ptr<Kind> transport) {
    Kind* const raw = transport.get();
    return {std::move(transport), [raw] { raw->Die(); }, [raw] { return raw->has_waiting(); }};
  }
  ~OfiFabric() override {
    for (std::size_t peer = 0; peer < peers_.size(); ++peer) Leave(peer);
  }

  std::size_t AddPeer() override {
    auto home = Reactor::Create(clock_, {.name = "p" + std::to_string(peers_.size())}).value();
    Made made = make_(*home);
    peers_.push_back({std::move(home), std::move(made), TimePoint::zero(), true});
    return peers_.size() - 1;
  }
  Transport* transport(std::size_t peer) override { return peers_[peer].made.transport.get(); }
  void Run(std::size_t peer, std::function<void()> work) override {
    auto ran = std::make_shared<bool>(false);
    EXPECT_TRUE(peers_[peer]
                    .home
                    ->Post([work = std::move(work), ran] {
                      *ran = true;
                      work();
                    })
                    .ok());
    EXPECT_TRUE(RunUntil(std::chrono::minutes(1), [ran] { return *ran; }));
  }
  bool RunUntil(std::chrono::nanoseconds limit, const std::function<bool()>& holds) override {
    const TimePoint end = clock_.Now() + limit;
    auto quiet_since = std::chrono::steady_clock::now();
    int quiet_rounds = 0;
    while (!holds()) {
      const bool did_something = RunHomes();
      const auto now = std::chrono::steady_clock::now();
      if (did_something) {
        quiet_since = now;
        quiet_rounds = 0;
      }
      // Rounds as well: this process may not have had a processor all the while.
      if (++quiet_rounds < kQuietRounds || now - quiet_since < Quiet()) continue;
      quiet_since = now;
      quiet_rounds = 0;
      const TimePoint next = NextInstant();
      if (next > end) {
        clock_.AdvanceTo(end);
        return holds();
      }
      clock_.AdvanceTo(next);
    }
    return true;
  }
  std::chrono::nanoseconds Now(std::size_t /*peer*/) override { return clock_.Now(); }
  void Kill(std::size_t peer) override {
    peers_[peer].alive = false;
    peers_[peer].made.die();
  }
  void Pause(std::size_t peer, std::chrono::nanoseconds time) override {
    peers_[peer].paused_until = clock_.Now() + time;
  }
  void Leave(std::size_t peer) override { peers_[peer].made.transport.reset(); }
  bool reaches_paused_memory() const override { return false; }

 private:
  static constexpr int kQuietRounds = 20;
  /// Who waits for room asks libfabric again by the real clock, first soon, in the end after 20 ms:
  /// a peer that will not take it for as long as the test wants is known by then.
  std::chrono::milliseconds Quiet() const {
    const bool waits = std::any_of(peers_.begin(), peers_.end(), [this](const Peer& peer) {
      return peer.alive && !IsPaused(peer) && peer.made.transport != nullptr &&
             peer.made.has_waiting();
    });
    return std::chrono::milliseconds(waits ? 15 : 3);
  }
  struct Peer {
    std::unique_ptr<Reactor> home;
    Made made;
    TimePoint paused_until{};
    bool alive = true;
  };

  bool IsPaused(const Peer& peer) const { return peer.paused_until > clock_.Now(); }
  /// One round of each; true when one of them did something.
  bool RunHomes() {
    bool did_something = false;
    // By index: what runs may add peers.
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      if (peers_[i].alive && !IsPaused(peers_[i])) did_something |= peers_[i].home->RunOnce();
    }
    return did_something;
  }
  TimePoint NextInstant() const {
    TimePoint next = kEndOfTime;
    for (const Peer& peer : peers_) {
      if (!peer.alive) continue;
      next = std::min(next, IsPaused(peer) ? peer.paused_until : peer.home->NextTimer());
    }
    return next;
  }

  const Make make_;
  VirtualClock clock_;
  std::deque<Peer> peers_;
};

}  // namespace cirein::fabric
