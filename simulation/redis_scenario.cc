// SPDX-License-Identifier: Apache-2.0
#include "simulation/redis_scenario.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "node/node.h"
#include "simulation/redis_host.h"

namespace cirein::simulation {

namespace {

using namespace std::chrono_literals;

/// How far the end of a time to live may be off: clocks of two processes differ by up to a second,
/// and run faster or slower meanwhile.
constexpr std::chrono::nanoseconds kExpiryMargin = 1100ms;
/// More than a request's argument may have without a body of its own.
constexpr std::uint64_t kBodyBytes = 40'000;
constexpr std::uint32_t kLastNeeds = 2;
constexpr std::string_view kLastNeedMs = "5000";

}  // namespace

// The shipped node with its sessions, as `cirein up` has them.
class RedisScenario::ServerProgram final : public Program {
 public:
  static Result<std::unique_ptr<ServerProgram>> Start(Process& process, const Settings& settings,
                                                      RedisHost::ConnectionEnded ended) {
    CIREIN_ASSIGN_OR_RETURN(
        std::shared_ptr<node::Node> node,
        node::Node::Open(
            process.machine.OpenDisk(), process.host.environment(), process.host.executor(),
            {.shards = settings.shards, .cache_bytes = settings.cache_bytes, .shared_log = true}));
    auto program =
        std::make_unique<ServerProgram>(process, std::move(node), settings, std::move(ended));
    CIREIN_RETURN_IF_ERROR(process.transport.Listen(program->host_));
    return program;
  }

  ServerProgram(Process& process, std::shared_ptr<node::Node> node, const Settings& settings,
                RedisHost::ConnectionEnded ended)
      : node_(std::move(node)),
        environment_(process.host.environment()),
        state_({.store = node_->store(),
                .bucket = Bucket(9),
                .clock = &environment_.clock,
                .fsync = "no",
                .prepare_bytes = node_->pool().superblock().large_bytes,
                .group_bytes = node_->pool().superblock().segment_bytes / 8,
                .seed = process.random(),
                .shutdown = nullptr}),
        host_(state_, environment_, process.host.executor(),
              settings.disk.durability == dpm::Durability::kPower ? RedisHost::Keeping::kLater
                                                                  : RedisHost::Keeping::kAtOnce,
              process.random.Fork(), std::move(ended)) {}

  node::Node& node() { return *node_; }
  const RedisHost& host() const { return host_; }

 private:
  const std::shared_ptr<node::Node> node_;
  const Environment environment_;
  resp::ServerState state_;
  RedisHost host_;
};

RedisScenario::RedisScenario() = default;
RedisScenario::~RedisScenario() = default;

RunSize RedisScenario::DrawSize(Random& random) {
  return {.clients = static_cast<std::uint32_t>(1 + random.Below(4)),
          .operations = static_cast<std::uint32_t>(20 + random.Below(random.OneIn(4) ? 120 : 50)),
          .faults = random.OneIn(8) ? 0U : 10U,
          .length = std::chrono::milliseconds(200 + random.Below(3000))};
}

void RedisScenario::Build(World& world, const RunSize& size, Random random) {
  world_ = &world;
  settings_.disk.medium =
      random.OneIn(2) ? ShadowSpace::Medium::kFile : ShadowSpace::Medium::kFlushable;
  settings_.disk.durability = random.OneIn(3) ? dpm::Durability::kProcess : dpm::Durability::kPower;
  settings_.disk.log_segments = random.OneIn(3) ? 16 : 64;
  settings_.shards = 1U << random.Below(4);
  settings_.cache_bytes = random.OneIn(2) ? 1 << 20 : random.Below(4) * 2048;

  work_ = std::make_unique<RedisWork>(RedisWork{.world = world});
  work_->groups = static_cast<std::uint32_t>(1 + random.Below(3));
  work_->lanes = static_cast<std::uint32_t>(1 + random.Below(3));
  work_->large_bytes = random.OneIn(3)   ? kBodyBytes
                       : random.OneIn(2) ? NodeDisk::kLargeBytes + 1
                                         : 0;
  work_->uses_ttl = random.OneIn(2);
  work_->pause = size.length * work_->lanes / std::max(size.operations, 1U);

  machine_ = &world.AddMachine(
      {.name = "node",
       .start = [this](Process& process) -> Result<std::unique_ptr<Program>> {
         work_->history.ServerStarted(world_->now());
         CIREIN_ASSIGN_OR_RETURN(
             auto program,
             ServerProgram::Start(process, settings_, [this](const std::string& name) {
               work_->history.ConnectionEnded(name, world_->now());
             }));
         return std::unique_ptr<Program>(std::move(program));
       },
       .medium = settings_.disk.medium,
       .disk = MakeNodeDisk(world, settings_.disk),
       // What is answered at the durability of the process may be lost with the power.
       .allowed = {.may_stop = true,
                   .may_lose_power = settings_.disk.durability == dpm::Durability::kPower,
                   .may_fill = true}});
  AddClients(size);
}

void RedisScenario::AddClients(const RunSize& size) {
  for (std::uint32_t i = 0; i < size.clients; ++i) {
    ledgers_.push_back(std::make_unique<RedisClientLedger>(
        RedisClientLedger{.id = {i}, .wanted = size.operations}));
    world_->AddMachine({.name = fmt::format("client{}", i),
                        .start = [this, ledger = ledgers_.back().get()](
                                     Process& process) -> Result<std::unique_ptr<Program>> {
                          return std::unique_ptr<Program>(
                              std::make_unique<RedisClient>(process, *work_, *ledger));
                        },
                        .allowed = {.may_stop = true, .may_lose_power = true}});
  }
}

RedisScenario::ServerProgram* RedisScenario::server() const {
  return static_cast<ServerProgram*>(machine_->program());
}

bool RedisScenario::Done() const {
  return std::all_of(ledgers_.begin(), ledgers_.end(),
                     [](const auto& ledger) { return ledger->done(); });
}

void RedisScenario::CheckStep() {
  ServerProgram* const program = server();
  if (program == nullptr) return;
  if (program->node().pool().segments().is_refused() && machine_->host()->alive()) {
    world_->Violate("the pool takes no more: " + program->node().pool().status().ToString());
  }
}

// Every key is read, so that what was acknowledged and is gone is missed; all of a group at once.
void RedisScenario::Conclude() {
  for (std::uint32_t group = 0; group < work_->groups; ++group) {
    RedisCall all{.commands = {}, .is_exec = true};
    for (const std::string& key : RedisClient::KeysOf(group)) {
      all.commands.push_back({"GET", key});
      all.commands.push_back({"HGETALL", key});
    }
    ledgers_.front()->tasks.push_back({group, std::move(all)});
  }
  AskForWhatIsPublishedLast();
}

// One connection waits for something, another brings it.
void RedisScenario::AskForWhatIsPublishedLast() {
  const auto lanes = static_cast<std::uint32_t>(ledgers_.size()) * work_->lanes;
  const std::uint32_t needs = std::min(kLastNeeds, lanes - 1);
  for (std::uint32_t i = 0; i < needs; ++i) {
    const std::string key = fmt::format("last{}", i);
    ledgers_.front()->tasks.push_back(
        {work_->groups, {.commands = {{"CIREIN.NEED", key, "TIMEOUT", std::string(kLastNeedMs)}}}});
    ledgers_.back()->tasks.push_back(
        {work_->groups, {.commands = {{"CIREIN.PUBLISH", key, "at last"}}}});
  }
}

bool RedisScenario::Concluded() const {
  // What its client has given up is waited for until the server knows.
  return Done() && server() != nullptr && server()->node().store()->GetStats().waiting == 0;
}

void RedisScenario::Judge(Ended /*ended*/) {
  const std::string wrong = JudgeRedis(work_->history, {.expiry_margin = kExpiryMargin});
  if (!wrong.empty()) world_->Violate("what the clients were answered: " + wrong);
  machine_->Stop();
  CheckNodeDisk(*world_, settings_.disk, machine_->disk());
}

std::string RedisScenario::Pending() const {
  std::string text;
  for (const auto& ledger : ledgers_) {
    text += fmt::format("client {}: {} of {} begun, {} under way, {} tasks; ", ledger->id.number,
                        ledger->begun, ledger->wanted, ledger->under_way, ledger->tasks.size());
  }
  if (server() == nullptr) return text + "no server";
  return text + fmt::format("at the server {} wait, {} connections",
                            server()->node().store()->GetStats().waiting,
                            server()->host().connections());
}

std::string RedisScenario::HistoryText() const { return work_->history.ToString(); }

}  // namespace cirein::simulation
