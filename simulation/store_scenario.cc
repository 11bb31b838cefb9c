// SPDX-License-Identifier: Apache-2.0
#include "simulation/store_scenario.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "node/node.h"
#include "node/object_service.h"
#include "simulation/linearizability.h"

namespace cirein::simulation {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kLargeBytes = NodeDisk::kLargeBytes;
/// How far the end of a time to live may be off: clocks of two processes differ by up to a second,
/// and run faster or slower meanwhile.
constexpr std::chrono::nanoseconds kExpiryMargin = 1100ms;
/// An answer that was in time at the client's clock may be late by the world's, beside the time
/// that the client is paused.
constexpr std::chrono::nanoseconds kDeadlineSlack = 100ms;
constexpr std::string_view kLastRow = "last";
constexpr std::uint32_t kLastWants = 8;

}  // namespace

// The shipped node with its service, as it would run in a process of its own.
class StoreScenario::NodeProgram final : public Program {
 public:
  static Result<std::unique_ptr<NodeProgram>> Start(Process& process, const Settings& settings) {
    CIREIN_ASSIGN_OR_RETURN(
        std::shared_ptr<node::Node> node,
        node::Node::Open(process.machine.OpenDisk(), process.host.environment(),
                         process.host.executor(),
                         {.shards = settings.shards, .cache_bytes = settings.cache_bytes}));
    auto program = std::make_unique<NodeProgram>(process, std::move(node));
    CIREIN_RETURN_IF_ERROR(process.transport.Listen(program->service_));
    return program;
  }

  NodeProgram(Process& process, std::shared_ptr<node::Node> node)
      : node_(std::move(node)),
        service_(node_->store(), process.host.environment(), process.host.executor()) {}
  ~NodeProgram() override { service_.Stop(); }

  node::Node& node() { return *node_; }
  const node::ObjectService& service() const { return service_; }

 private:
  const std::shared_ptr<node::Node> node_;
  node::ObjectService service_;
};

StoreScenario::StoreScenario() = default;
StoreScenario::~StoreScenario() = default;

RunSize StoreScenario::DrawSize(Random& random) {
  return {.clients = static_cast<std::uint32_t>(1 + random.Below(4)),
          .operations = static_cast<std::uint32_t>(20 + random.Below(random.OneIn(4) ? 200 : 60)),
          .faults = random.OneIn(8) ? 0U : 10U,
          .length = std::chrono::milliseconds(200 + random.Below(3000))};
}

void StoreScenario::Build(World& world, const RunSize& size, Random random) {
  world_ = &world;
  settings_.disk.medium =
      random.OneIn(2) ? ShadowSpace::Medium::kFile : ShadowSpace::Medium::kFlushable;
  settings_.disk.durability = random.OneIn(3) ? dpm::Durability::kProcess : dpm::Durability::kPower;
  settings_.shards = 1U << random.Below(3);
  settings_.cache_bytes = random.OneIn(2) ? 1 << 20 : random.Below(4) * 2048;
  settings_.disk.log_segments = (random.OneIn(3) ? 8 : 32) * settings_.shards;

  work_ = std::make_unique<StoreWork>(StoreWork{.world = world});
  work_->rows = static_cast<std::uint32_t>(1 + random.Below(4));
  work_->columns = static_cast<std::uint32_t>(1 + random.Below(3));
  work_->lanes = static_cast<std::uint32_t>(1 + random.Below(3));
  work_->data_bytes_max = random.OneIn(3) ? kLargeBytes - 256 : 200;
  work_->large_bytes = random.OneIn(2) ? 4 * kLargeBytes : 0;
  work_->uses_ttl = random.OneIn(2);
  work_->pause = size.length * work_->lanes / std::max(size.operations, 1U);

  machine_ = &world.AddMachine(
      {.name = "node",
       .start = [this](Process& process) -> Result<std::unique_ptr<Program>> {
         CIREIN_ASSIGN_OR_RETURN(auto program, NodeProgram::Start(process, settings_));
         Started(program->node().pool().epoch());
         return std::unique_ptr<Program>(std::move(program));
       },
       .medium = settings_.disk.medium,
       .disk = MakeNodeDisk(world, settings_.disk),
       // What is answered at the durability of the process may be lost with the power.
       .allowed = {.may_stop = true,
                   .may_lose_power = settings_.disk.durability == dpm::Durability::kPower,
                   .may_fill = true}});
  for (std::uint32_t i = 0; i < size.clients; ++i) {
    ledgers_.push_back(std::make_unique<StoreClientLedger>(
        StoreClientLedger{.id = {i}, .wanted = size.operations}));
    world.AddMachine({.name = fmt::format("client{}", i),
                      .start = [this, ledger = ledgers_.back().get()](
                                   Process& process) -> Result<std::unique_ptr<Program>> {
                        return std::unique_ptr<Program>(
                            std::make_unique<StoreClient>(process, *work_, *ledger));
                      },
                      .allowed = {.may_stop = true, .may_lose_power = true}});
  }
}

StoreScenario::NodeProgram* StoreScenario::node() const {
  return static_cast<NodeProgram*>(machine_->program());
}

bool StoreScenario::ClientsDone() const {
  return std::all_of(ledgers_.begin(), ledgers_.end(),
                     [](const auto& ledger) { return ledger->done(); });
}

bool StoreScenario::Done() const { return ClientsDone(); }

void StoreScenario::CheckStep() {
  NodeProgram* const program = node();
  if (program == nullptr) return;
  if (program->service().repeated_answers() > 0) {
    world_->Violate("the node answered a request that it had answered before");
  }
  if (program->node().pool().segments().is_refused() && machine_->host()->alive()) {
    world_->Violate("the pool takes no more: " + program->node().pool().status().ToString());
  }
}

// SAFETY 7: each opening is a grant of its own, and a higher one.
void StoreScenario::Started(std::uint64_t epoch) {
  if (epoch <= last_epoch_) {
    world_->Violate(fmt::format("epoch {} was granted after epoch {}", epoch, last_epoch_));
  }
  last_epoch_ = epoch;
  node_starts_.push_back(world_->now());
}

// Every object is read, so that what was acknowledged and is gone is missed; and wants are parked
// before what they wait for is published.
void StoreScenario::Conclude() {
  std::deque<StoreTask>& tasks = ledgers_.front()->tasks;
  for (std::uint32_t i = 0; i < work_->rows; ++i) {
    const std::string row = fmt::format("row{}", i);
    tasks.push_back({StoreTask::Kind::kRowInfo, row});
    tasks.push_back({StoreTask::Kind::kGet, row, std::nullopt});
    tasks.push_back({StoreTask::Kind::kGet, row, ""});
    for (std::uint32_t column = 2; column < work_->columns + 2; ++column) {
      tasks.push_back({StoreTask::Kind::kGet, row, fmt::format("c{}", column)});
    }
  }
  const auto last = [](StoreTask::Kind kind, std::uint32_t number) {
    return StoreTask{kind, std::string(kLastRow), std::to_string(number)};
  };
  for (std::uint32_t i = 0; i < kLastWants; ++i) {
    ledgers_[i % ledgers_.size()]->tasks.push_back(last(StoreTask::Kind::kWant, i));
  }
  for (std::uint32_t i = 0; i < kLastWants; ++i) {
    ledgers_.back()->tasks.push_back(last(StoreTask::Kind::kPublish, i));
  }
}

bool StoreScenario::Concluded() const {
  // A want that its client has given up waits at the node until its deadline there.
  return ClientsDone() && node() != nullptr && node()->node().store()->GetStats().waiting == 0;
}

void StoreScenario::Judge(Ended ended) {
  if (ended == Ended::kFully) {
    for (const std::string& finding :
         work_->wants.Judge(kDeadlineSlack + world_->longest_pause())) {
      world_->Violate("a want: " + finding);
    }
  }
  // What was asked of a process that is dead took effect before the next one began, or never.
  work_->history.LimitUnknown(node_starts_);
  work_->wants.AddAnswersTo(work_->history);
  JudgeOptions options;
  options.expiry_margin = kExpiryMargin;
  const Verdict verdict = simulation::Judge(work_->history, options);
  if (verdict.code != VerdictCode::kLinearizable) {
    world_->Violate(
        fmt::format("the clients' history is {}:\n{}", VerdictName(verdict.code), verdict.report));
  }
  machine_->Stop();
  CheckNodeDisk(*world_, settings_.disk, machine_->disk());
}

std::string StoreScenario::Pending() const {
  std::string text;
  for (const auto& ledger : ledgers_) {
    text += fmt::format("client {}: {} of {} begun, {} under way, {} wants, {} tasks; ",
                        ledger->id.number, ledger->begun, ledger->wanted, ledger->under_way,
                        ledger->open_wants.size(), ledger->tasks.size());
  }
  if (node() == nullptr) return text + "no node";
  return text + fmt::format("at the node {} wait", node()->node().store()->GetStats().waiting);
}

std::string StoreScenario::HistoryText() const { return work_->history.ToString(); }

}  // namespace cirein::simulation
