// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "simulation/pools_client.h"
#include "simulation/scenario.h"

namespace cirein::simulation {

/// A `dht:`, `rft:` or `tft:` pool over the memory of some processes, and its users, in processes
/// of their own or in a member's: all of them are killed, paused and cut off at any moment.
/// Promises: what the clients saw is linearizable for each row, where a member that starts again
/// has dropped all its rows; an operation ends by its deadline, and its error names the member;
/// each want is answered once, or fails by its deadline, however often its member starts again
/// meanwhile; at the end nobody waits, nothing is registered, and the memory of what was dropped is
/// given back.
class PoolsScenario final : public Scenario {
 public:
  PoolsScenario();
  ~PoolsScenario() override;

  RunSize DrawSize(Random& random) override;
  void Build(World& world, const RunSize& size, Random random) override;
  bool Done() const override;
  void CheckStep() override;
  void Conclude() override;
  bool Concluded() const override;
  void Judge(Ended ended) override;
  std::string Pending() const override;
  std::string HistoryText() const override;

 private:
  class PeerProgram;
  struct Member {
    Machine* machine = nullptr;
    struct Life {
      TimePoint started{};
      TimePoint died = kEndOfTime;
    };
    std::vector<Life> lives = {};
  };
  struct Client {
    Machine* machine = nullptr;
    std::unique_ptr<PoolsClientLedger> ledger;
  };

  void DrawWork(const RunSize& size, Random& random);
  void AddPeer(Member* member, Client* client, std::string name);
  static PeerProgram* ProgramOf(Machine& machine);
  bool ClientsDone() const;
  bool AnyoneWants() const;
  /// Clients that together see all members, each member once.
  std::vector<const Client*> Surveyors() const;
  void AskLastQuestions();
  void AnswerOpenWants();
  void DropAll();
  /// What is left over where nothing should be; empty when nothing is.
  std::string Leftovers() const;
  void TellRestarts();

  enum class Stage : std::uint8_t { kRandom, kQuestions, kDropping };

  World* world_ = nullptr;
  std::unique_ptr<PoolsWork> work_;
  std::uint32_t stripes_ = 1;
  std::vector<Member> members_;
  std::vector<Client> clients_;
  Stage stage_ = Stage::kRandom;
  TimePoint settled_{};  // By then what was asked last has taken effect.
};

}  // namespace cirein::simulation
