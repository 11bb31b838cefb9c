// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "simulation/scenario.h"

namespace cirein::simulation {

/// The smallest example of a scenario: a service that sends back what it gets, and clients that ask
/// it one thing after the other. Promises: a request is answered with its own bytes, and each comes
/// to an end, once, by its deadline.
class EchoScenario final : public Scenario {
 public:
  EchoScenario();
  ~EchoScenario() override;

  RunSize DrawSize(Random& random) override;
  void Build(World& world, const RunSize& size, Random random) override;
  bool Done() const override;
  void Conclude() override;
  bool Concluded() const override;
  void Judge(Ended ended) override;

 private:
  class Server;
  class Client;
  /// What is known of a client over its processes.
  struct Ledger {
    std::uint32_t ended = 0;     ///< Requests that have come to their end.
    std::uint32_t wanted = 0;    ///< Before the client is done.
    std::uint32_t answered = 0;  ///< Of these, those that were answered.
  };

  World* world_ = nullptr;
  std::vector<std::unique_ptr<Ledger>> ledgers_;
  std::vector<std::uint32_t> answered_before_;
};

}  // namespace cirein::simulation
