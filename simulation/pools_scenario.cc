// SPDX-License-Identifier: Apache-2.0
#include "simulation/pools_scenario.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "node/object_service.h"
#include "simulation/linearizability.h"

namespace cirein::simulation {

namespace {

using namespace std::chrono_literals;

/// How far the end of a time to live may be off: clocks of members run faster or slower.
constexpr std::chrono::nanoseconds kMemberExpiryMargin = 50ms;
/// An answer that was in time at the client's clock may be late by the world's, beside the time
/// that the client is paused: twice, if one pause follows another.
constexpr std::chrono::nanoseconds kWantSlack = 100ms;
/// After the faults, before everything is dropped.
constexpr std::chrono::nanoseconds kSettle = 3s;
constexpr std::string_view kRowOfLast = "last";
constexpr std::uint32_t kWantsOfLast = 8;
/// Members are numbered from here where clients are.
constexpr std::uint32_t kMemberIds = 1000;

}  // namespace

// A process of an HPC workflow: its memory is a part of the pool, or it uses the pool, or both.
class PoolsScenario::PeerProgram final : public Program {
 public:
  PeerProgram(Process& process, std::uint32_t stripes)
      : store_(StripedStore::Create(process.host.environment(), {.stripes = stripes})),
        service_(store_, process.host.environment(), process.host.executor()) {}
  ~PeerProgram() override {
    client_.reset();
    service_.Stop();
  }

  void Use(Process& process, PoolsWork& work, PoolsClientLedger& ledger,
           std::optional<std::size_t> own_place) {
    std::optional<PoolsClient::OwnMember> own;
    if (own_place) own = PoolsClient::OwnMember{*own_place, store_};
    client_.emplace(process, work, ledger, std::move(own));
  }

  StripedStore& store() { return *store_; }
  node::ObjectService& service() { return service_; }
  const std::optional<PoolsClient>& client() const { return client_; }

 private:
  const std::shared_ptr<StripedStore> store_;
  node::ObjectService service_;
  std::optional<PoolsClient> client_;
};

PoolsScenario::PoolsScenario() = default;
PoolsScenario::~PoolsScenario() = default;

RunSize PoolsScenario::DrawSize(Random& random) {
  return {.clients = static_cast<std::uint32_t>(1 + random.Below(5)),
          .operations = static_cast<std::uint32_t>(20 + random.Below(random.OneIn(4) ? 150 : 50)),
          .faults = random.OneIn(8) ? 0U : 12U,
          .length = std::chrono::milliseconds(200 + random.Below(3000))};
}

void PoolsScenario::DrawWork(const RunSize& size, Random& random) {
  constexpr std::string_view kTypes[] = {"dht", "rft", "tft"};
  work_ = std::make_unique<PoolsWork>(PoolsWork{.world = *world_});
  work_->type = kTypes[random.Below(std::size(kTypes))];
  work_->options.bucket = PoolsClient::bucket();
  work_->options.behavior = Behavior(Behavior::kDefaultRemote);
  if (random.OneIn(2)) {
    work_->options.behavior = work_->options.behavior.with(Behavior::kEnableOverwrites);
  }
  work_->random_rows = 1 + random.Below(4);
  for (std::size_t i = 0; i < work_->random_rows; ++i) {
    std::string row = fmt::format("row{}", i);
    const bool tagged = work_->type == "tft" && !random.OneIn(4);
    work_->rows.push_back(tagged ? WithRowTag(row, static_cast<std::uint32_t>(random.Below(8)))
                                 : std::move(row));
  }
  work_->rows.emplace_back(kRowOfLast);
  work_->columns = {std::nullopt, "", "c2"};
  if (random.OneIn(2)) work_->columns.emplace_back("c3");
  work_->lanes = static_cast<std::uint32_t>(1 + random.Below(3));
  work_->data_bytes_max = random.OneIn(3) ? 100'000 : 200;
  work_->uses_ttl = random.OneIn(2);
  work_->pause = size.length * work_->lanes / std::max(size.operations, 1U);
  stripes_ = 1U << random.Below(4);
}

void PoolsScenario::Build(World& world, const RunSize& size, Random random) {
  world_ = &world;
  DrawWork(size, random);
  members_.resize(1 + random.Below(4));
  clients_.resize(size.clients);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    work_->members.push_back(fmt::format("sim://member{}", i));
  }
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    clients_[i].ledger = std::make_unique<PoolsClientLedger>();
    clients_[i].ledger->id = {static_cast<std::uint32_t>(i)};
    clients_[i].ledger->rank = random.Below(2 * members_.size());
    clients_[i].ledger->wanted = size.operations;
  }
  // Some clients are in a member's process.
  const std::size_t both = random.Below(std::min(members_.size(), clients_.size()) + 1);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    AddPeer(&members_[i], i < both ? &clients_[i] : nullptr, fmt::format("member{}", i));
  }
  for (std::size_t i = both; i < clients_.size(); ++i) {
    AddPeer(nullptr, &clients_[i], fmt::format("client{}", i));
  }
}

void PoolsScenario::AddPeer(Member* member, Client* client, std::string name) {
  Machine& machine = world_->AddMachine(
      {.name = std::move(name),
       .start = [this, member, client](Process& process) -> Result<std::unique_ptr<Program>> {
         auto program = std::make_unique<PeerProgram>(process, stripes_);
         std::optional<std::size_t> place;
         if (member != nullptr) {
           CIREIN_RETURN_IF_ERROR(process.transport.Listen(program->service()));
           place = static_cast<std::size_t>(member - members_.data());
           member->lives.push_back({.started = world_->now()});
         }
         if (client != nullptr) program->Use(process, *work_, *client->ledger, place);
         return std::unique_ptr<Program>(std::move(program));
       },
       .allowed = {.may_stop = true, .may_lose_power = true},
       // What orders the versions of two lives of a memory.
       .clock_runs_on = true});
  if (member != nullptr) member->machine = &machine;
  if (client != nullptr) client->machine = &machine;
}

PoolsScenario::PeerProgram* PoolsScenario::ProgramOf(Machine& machine) {
  return static_cast<PeerProgram*>(machine.program());
}

bool PoolsScenario::ClientsDone() const {
  return std::all_of(clients_.begin(), clients_.end(),
                     [](const Client& client) { return client.ledger->done(); });
}

bool PoolsScenario::AnyoneWants() const {
  return std::any_of(clients_.begin(), clients_.end(),
                     [](const Client& client) { return !client.ledger->open_wants.empty(); });
}

bool PoolsScenario::Done() const { return ClientsDone(); }

void PoolsScenario::CheckStep() {
  for (Member& member : members_) {
    PeerProgram* const program = ProgramOf(*member.machine);
    if (program != nullptr && program->service().repeated_answers() > 0) {
      world_->Violate("a member answered a request that it had answered before");
    }
    if (program == nullptr && !member.lives.empty()) {
      member.lives.back().died = std::min(member.lives.back().died, world_->now());
    }
  }
  if (stage_ == Stage::kRandom || world_->now() < settled_ || !ClientsDone()) return;
  // Again, if need be: what was on its way when the faults ended may have undone it.
  if (AnyoneWants()) {
    AnswerOpenWants();
  } else if (stage_ == Stage::kQuestions || !Leftovers().empty()) {
    DropAll();
  }
}

std::vector<const PoolsScenario::Client*> PoolsScenario::Surveyors() const {
  if (work_->type != "rft") return {&clients_.front()};
  std::vector<const Client*> surveyors;
  std::set<std::size_t> seen;
  for (const Client& client : clients_) {
    if (seen.insert(work_->RouteOf(client.ledger->rank).owner("")).second) {
      surveyors.push_back(&client);
    }
  }
  return surveyors;
}

void PoolsScenario::Conclude() {
  stage_ = Stage::kQuestions;
  AskLastQuestions();
  AnswerOpenWants();
}

// Every object is read; and wants are parked before what they wait for is published.
void PoolsScenario::AskLastQuestions() {
  using Ask = PoolsTask::Kind;
  for (const Client* const client : Surveyors()) {
    std::deque<PoolsTask>& tasks = client->ledger->tasks;
    tasks.push_back({Ask::kListAll});
    for (const std::string& row : work_->rows) {
      tasks.push_back({Ask::kRowInfo, row});
      for (const Column& column : work_->columns) tasks.push_back({Ask::kRead, row, column});
    }
  }
  const std::string row(kRowOfLast);
  const auto column = [this](std::uint32_t i) { return work_->columns[i % work_->columns.size()]; };
  for (std::uint32_t i = 0; i < kWantsOfLast; ++i) {
    clients_[i % clients_.size()].ledger->tasks.push_back(
        {i % 4 == 3 ? Ask::kWantRows : Ask::kWant, row, column(i)});
  }
  for (const Client* const client : Surveyors()) {
    for (std::uint32_t i = 0; i < work_->columns.size(); ++i) {
      client->ledger->tasks.push_back({Ask::kPublish, row, column(i)});
    }
  }
}

void PoolsScenario::AnswerOpenWants() {
  settled_ = world_->now() + kSettle;
  for (const Client& client : clients_) {
    for (const auto& [id, want] : client.ledger->open_wants) {
      client.ledger->tasks.push_back({PoolsTask::Kind::kPublish, want.row, want.column});
    }
  }
}

void PoolsScenario::DropAll() {
  stage_ = Stage::kDropping;
  settled_ = world_->now() + kSettle;
  for (const Client* const client : Surveyors()) {
    client->ledger->tasks.push_back({PoolsTask::Kind::kDropAll});
  }
}

bool PoolsScenario::Concluded() const {
  return stage_ == Stage::kDropping && ClientsDone() && Leftovers().empty();
}

std::string PoolsScenario::Leftovers() const {
  std::string text;
  const auto add = [&text](const Machine& machine, std::string_view what, std::uint64_t number) {
    if (number != 0) text += fmt::format("at {} {} {}; ", machine.name(), number, what);
  };
  for (const Member& member : members_) {
    PeerProgram* const program = ProgramOf(*member.machine);
    if (program == nullptr) return "a member is down; ";
    const Store::Stats stats = program->store().GetStats();
    add(*member.machine, "wait in the store", stats.waiting);
    add(*member.machine, "are parked for others", program->service().parked_wants());
    add(*member.machine, "objects", stats.engine.objects);
    add(*member.machine, "bytes", stats.engine.used_bytes);
  }
  for (const Client& client : clients_) {
    PeerProgram* const program = ProgramOf(*client.machine);
    if (program == nullptr) return "a client is down; ";
    add(*client.machine, "operations are pending", program->client()->pending());
    add(*client.machine, "are not answered by the pool", program->client()->unanswered());
  }
  if (world_->network().registrations() != 0) {
    text += fmt::format("{} registrations; ", world_->network().registrations());
  }
  return text;
}

// A member that starts again, empty, has dropped all its rows while it was away.
void PoolsScenario::TellRestarts() {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const std::vector<Member::Life>& lives = members_[i].lives;
    for (std::size_t life = 1; life < lives.size(); ++life) {
      for (const std::string& row : work_->rows) {
        const OperationId id =
            work_->history.Begin({kMemberIds + static_cast<std::uint32_t>(i)}, RowInHistory(row, i),
                                 DropCall{}, lives[life - 1].died);
        work_->history.End(id, DroppedUncounted{}, lives[life].started);
      }
    }
  }
}

void PoolsScenario::Judge(Ended ended) {
  if (ended == Ended::kFully) {
    for (const std::string& finding :
         work_->wants.Judge(kWantSlack + 2 * world_->longest_pause())) {
      world_->Violate("a want: " + finding);
    }
  }
  // What was sent to a process that is dead took effect before the next one began, or never.
  for (const PoolsWork::Lost& lost : work_->lost) {
    std::optional<TimePoint> latest;
    const std::string& row = work_->history.records()[lost.id].row;
    for (std::size_t i = 0; i < members_.size() && !latest; ++i) {
      if (!row.ends_with(fmt::format(" at member{}", i))) continue;
      for (const Member::Life& life : members_[i].lives) {
        if (life.started > lost.given_up && !latest) latest = life.started;
      }
    }
    work_->history.Unknown(lost.id, latest);
  }
  TellRestarts();
  work_->wants.AddAnswersTo(work_->history);
  JudgeOptions options;
  options.expiry_margin = kMemberExpiryMargin;
  const Verdict verdict = simulation::Judge(work_->history, options);
  if (verdict.code != VerdictCode::kLinearizable) {
    world_->Violate(fmt::format("what the clients of {} saw is {}:\n{}", work_->type,
                                VerdictName(verdict.code), verdict.report));
  }
}

std::string PoolsScenario::Pending() const {
  std::string text;
  for (const Client& client : clients_) {
    const PoolsClientLedger& ledger = *client.ledger;
    text += fmt::format("client {}: {} of {} begun, {} under way, {} wants, {} tasks; ",
                        ledger.id.number, ledger.begun, ledger.wanted, ledger.under_way,
                        ledger.open_wants.size(), ledger.tasks.size());
    for (const auto& [id, want] : ledger.open_wants) {
      text += fmt::format("want {} for such as {} {}; ", id, want.row, ColumnText(want.column));
    }
  }
  return text + Leftovers();
}

std::string PoolsScenario::HistoryText() const { return work_->history.ToString(); }

}  // namespace cirein::simulation
