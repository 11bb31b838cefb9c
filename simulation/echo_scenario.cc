// SPDX-License-Identifier: Apache-2.0
#include "simulation/echo_scenario.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include <fmt/format.h>

namespace cirein::simulation {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds kDeadline = 500ms;
constexpr std::chrono::nanoseconds kPauseMax = 20ms;
constexpr std::size_t kBytesMax = 2000;

}  // namespace

class EchoScenario::Server final : public Program, public fabric::Service {
 public:
  explicit Server(fabric::Transport& transport) : status_(transport.Listen(*this)) {}
  const Status& status() const { return status_; }

  void Connected(const std::shared_ptr<fabric::Connection>& /*connection*/) override {}
  void Message(const std::shared_ptr<fabric::Connection>& /*connection*/,
               std::span<const std::byte> /*message*/) override {}
  void Request(const std::shared_ptr<fabric::Connection>& connection, fabric::RequestId request,
               std::span<const std::byte> message) override {
    // One that cannot be answered ends at its deadline.
    static_cast<void>(connection->Reply(request, std::array{message}).ok());
  }
  void Closed(const std::shared_ptr<fabric::Connection>& /*connection*/,
              const Status& /*why*/) override {}

 private:
  Status status_;
};

class EchoScenario::Client final : public Program, public fabric::Service {
 public:
  Client(Process& process, Ledger& ledger)
      : process_(process), environment_(process.host.environment()), ledger_(ledger) {
    Wait();
  }

  void Connected(const std::shared_ptr<fabric::Connection>& /*connection*/) override {}
  void Message(const std::shared_ptr<fabric::Connection>& /*connection*/,
               std::span<const std::byte> /*message*/) override {}
  void Request(const std::shared_ptr<fabric::Connection>& /*connection*/,
               fabric::RequestId /*request*/, std::span<const std::byte> /*message*/) override {}
  void Closed(const std::shared_ptr<fabric::Connection>& /*connection*/,
              const Status& /*why*/) override {
    connection_.reset();
  }

 private:
  void Wait() {
    const auto pause = std::chrono::nanoseconds(
        process_.random.Below(static_cast<std::uint64_t>(kPauseMax.count())));
    environment_.timers.RunAt(environment_.clock.Now() + pause, [this] { Next(); });
  }

  void Next() {
    if (ledger_.ended >= ledger_.wanted) return Wait();
    if (connection_ != nullptr) return Ask();
    const Status begun =
        process_.transport.Connect("sim://server", *this, Deadline(kDeadline),
                                   [this](Result<std::shared_ptr<fabric::Connection>> connection) {
                                     if (connection.ok()) connection_ = *std::move(connection);
                                     Wait();
                                   });
    if (!begun.ok()) Wait();
  }

  void Ask() {
    bytes_.resize(process_.random.Below(kBytesMax));
    for (std::byte& each : bytes_) each = static_cast<std::byte>(process_.random.Below(256));
    const Status begun = connection_->Request(
        std::array{std::span<const std::byte>(bytes_)}, Deadline(kDeadline),
        [this, number = ++asked_](const Result<std::span<const std::byte>>& reply) {
          Answered(number, reply);
        });
    if (begun.ok()) return;
    connection_.reset();
    Wait();
  }

  void Answered(std::uint64_t number, const Result<std::span<const std::byte>>& reply) {
    World& world = process_.world;
    if (number <= answered_) {
      return world.Violate(fmt::format("{} was answered twice", process_.host.name()));
    }
    answered_ = number;
    ++ledger_.ended;
    if (reply.ok()) {
      ++ledger_.answered;
      if (!std::equal(reply->begin(), reply->end(), bytes_.begin(), bytes_.end())) {
        world.Violate(fmt::format("{} got other bytes than it sent", process_.host.name()));
      }
    }
    Wait();
  }

  Process& process_;
  const Environment environment_;
  Ledger& ledger_;
  std::shared_ptr<fabric::Connection> connection_;
  std::vector<std::byte> bytes_;
  std::uint64_t asked_ = 0;
  std::uint64_t answered_ = 0;
};

EchoScenario::EchoScenario() = default;
EchoScenario::~EchoScenario() = default;

RunSize EchoScenario::DrawSize(Random& random) {
  return {.clients = static_cast<std::uint32_t>(1 + random.Below(6)),
          .operations = static_cast<std::uint32_t>(10 + random.Below(40)),
          .faults = 8,
          .length = 1s};
}

void EchoScenario::Build(World& world, const RunSize& size, Random /*random*/) {
  world_ = &world;
  const FaultTarget allowed{.may_stop = true, .may_lose_power = true};
  world.AddMachine({.name = "server",
                    .start = [](Process& process) -> Result<std::unique_ptr<Program>> {
                      auto server = std::make_unique<Server>(process.transport);
                      CIREIN_RETURN_IF_ERROR(server->status());
                      return std::unique_ptr<Program>(std::move(server));
                    },
                    .allowed = allowed});
  for (std::uint32_t i = 0; i < size.clients; ++i) {
    ledgers_.push_back(std::make_unique<Ledger>(Ledger{.wanted = size.operations}));
    world.AddMachine({.name = fmt::format("client{}", i),
                      .start = [ledger = ledgers_.back().get()](
                                   Process& process) -> Result<std::unique_ptr<Program>> {
                        return std::unique_ptr<Program>(std::make_unique<Client>(process, *ledger));
                      },
                      .allowed = allowed});
  }
}

bool EchoScenario::Done() const {
  return std::all_of(ledgers_.begin(), ledgers_.end(),
                     [](const auto& ledger) { return ledger->ended >= ledger->wanted; });
}

// Now that nothing is wrong any more, each of them gets an answer.
void EchoScenario::Conclude() {
  constexpr std::uint32_t kLast = 5;
  for (const auto& ledger : ledgers_) {
    answered_before_.push_back(ledger->answered);
    ledger->wanted += kLast;
  }
}

bool EchoScenario::Concluded() const { return Done(); }

void EchoScenario::Judge(Ended ended) {
  if (ended == Ended::kEarly) return;
  for (std::size_t i = 0; i < answered_before_.size(); ++i) {
    if (ledgers_[i]->answered == answered_before_[i]) {
      world_->Violate(fmt::format("client{} gets no answer although nothing is wrong", i));
    }
  }
}

}  // namespace cirein::simulation
