// SPDX-License-Identifier: Apache-2.0

// One process of a group, as a user would write it, linked as users link: started by mpirun, by
// srun, or by hand with settings, it finds the others by itself. Says on standard output what it
// saw; ends with 1 and the error on standard error.
//
//   group_member halo    each rank exchanges edges with its neighbours and sums up all ranks
//   group_member mirror  two ranks with a pool type of their own, which copies what is published
//   group_member killed  the same, and rank 1 is killed in the middle of messages and transfers

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include <cirein/cirein.h>

using namespace cirein;

namespace {

constexpr std::size_t kFieldBytes = std::size_t{8} << 20;

DataObject Text(std::string_view text) { return DataObject::FromString(text).value(); }
std::string EdgeOf(std::size_t rank) { return "edge of " + std::to_string(rank); }

void Require(bool condition, const std::string& what) {
  if (!condition) throw StatusError(Internal(what));
}

/// Comes back when all others need nothing more of this process.
void WaitForAll(const Group& group) {
  for (std::size_t i = 0; i < group.size(); ++i) {
    Connect("rft:[end]/end&rank=" + std::to_string(i))
        .value()
        .Publish(Key("end", std::to_string(*group.rank())), Text(""))
        .value();
  }
  Pool own = Connect("rft:[end]/end").value();
  for (std::size_t i = 0; i < group.size(); ++i) own.Need(Key("end", std::to_string(i))).value();
}

void RunHalo(const Group& group) {
  const std::size_t rank = group.rank().value();
  const std::size_t next = (rank + 1) % group.size();
  Pool own = Connect("rft:/halo&rank=self").value();
  Pool neighbour = Connect("rft:/halo&rank=" + std::to_string(next)).value();
  own.Publish(Key("edge"), Text(EdgeOf(rank))).value();
  Require(neighbour.Need(Key("edge")).value().text() == EdgeOf(next), "another edge");
  Pool all = Connect("dht:/ranks&min_members=" + std::to_string(group.size())).value();
  all.Publish(Key("rank" + std::to_string(rank)), Text(std::to_string(rank))).value();
  std::size_t sum = 0;
  for (std::size_t i = 0; i < group.size(); ++i) {
    sum += std::stoul(std::string(all.Need(Key("rank" + std::to_string(i))).value().text()));
  }
  WaitForAll(group);
  std::cout << "rank " + std::to_string(rank) + " of " + std::to_string(group.size()) + ": sum " +
                   std::to_string(sum) + "\n";
}

/// Keeps objects here, and a copy of each at the other process: that one is sent where the object
/// is, and reads it.
class MirrorPool : public PoolBackend {
 public:
  static constexpr const char* kHandler = "mirror";

  MirrorPool(PoolNetwork network, Pool here)
      : network_(std::move(network)),
        here_(std::move(here)),
        handler_(network_.Handle(kHandler, [this](std::string_view text) { return Copy(text); })
                     .value()) {}
  void SetOther(std::string other) { other_ = std::move(other); }

  std::string_view type() const override { return "mirror"; }
  Operation Publish(const Key& key, DataObject object, const PublishOptions& options,
                    PublishCallback done) override {
    auto exposed = network_.Expose(object, MemoryAccess::kRead);
    if (!exposed.ok()) return done(exposed.status()), Operation();
    const auto keeps = std::make_shared<ExposedMemory>(std::move(*exposed));
    const std::string text =
        network_.address() + " " + keeps->memory().ToString() + " " + key.row();
    return network_.Ask(other_, {kHandler, text},
                        [this, keeps, key, object, options,
                         done = std::move(done)](const Result<std::string>& answer) {
                          if (!answer.ok()) return done(answer.status());
                          here_.Publish(key, object, done, options);
                        });
  }
  Operation Want(const Pattern& what, const WantOptions& options, WantCallback done) override {
    return here_.Want(what, std::move(done), options);
  }
  Operation Drop(const Pattern& what, Deadline deadline, DropCallback done) override {
    return here_.Drop(what, std::move(done), deadline);
  }
  Operation Info(const Key& key, Deadline deadline, InfoCallback done) override {
    return here_.Info(key, std::move(done), deadline);
  }
  Operation GetRowInfo(const Key&, Deadline, RowInfoCallback done) override {
    return done(Unimplemented("mirror: pools know no rows")), Operation();
  }
  Operation List(const Pattern&, const ListOptions&, ListCallback done) override {
    return done(Unimplemented("mirror: pools do not list")), Operation();
  }
  Operation Compute(const ComputeRequest&, Deadline, ComputeCallback done) override {
    return done(Unimplemented("mirror: pools do not compute")), Operation();
  }

 private:
  /// Of "ADDRESS MEMORY ROW", which the other process says.
  Result<std::string> Copy(std::string_view text) {
    const std::size_t memory_at = text.find(' ');
    const std::size_t row_at = text.find(' ', memory_at + 1);
    if (memory_at == text.npos || row_at == text.npos) return InvalidArgument("no such message");
    CIREIN_ASSIGN_OR_RETURN(const RemoteMemory memory, RemoteMemory::Parse(text.substr(
                                                           memory_at + 1, row_at - memory_at - 1)));
    CIREIN_ASSIGN_OR_RETURN(DataObject object,
                            network_.Read(std::string(text.substr(0, memory_at)), memory,
                                          {.offset = 0, .bytes = memory.bytes}));
    CIREIN_RETURN_IF_ERROR(
        here_.Publish(Key(std::string(text.substr(row_at + 1))), std::move(object)).status());
    return std::string();
  }

  PoolNetwork network_;
  Pool here_;
  std::string other_;
  MessageHandler handler_;  // Goes first: it uses the others.
};

Result<std::shared_ptr<PoolBackend>> MakeMirrorPool(const PoolContext& context) {
  CIREIN_ASSIGN_OR_RETURN(PoolNetwork network, PoolNetwork::Open());
  CIREIN_ASSIGN_OR_RETURN(Pool here, Connect("local:[mirror]" + std::string(context.url.path())));
  // Its handler is there before the other process knows of it.
  auto pool = std::make_shared<MirrorPool>(std::move(network), std::move(here));
  CIREIN_ASSIGN_OR_RETURN(const Group group, Group::Join());
  if (group.size() != 2) return FailedPrecondition("mirror: pools have two members");
  pool->SetOther(group.addresses()[1 - group.rank().value()]);
  return std::shared_ptr<PoolBackend>(std::move(pool));
}

DataObject Field(char fill) { return Text(std::string(kFieldBytes, fill)); }

void RunMirror(const Group& group, Pool& pool) {
  const bool first = group.rank() == std::size_t{0};
  const char* const own = first ? "a" : "b";
  const char* const other = first ? "b" : "a";
  pool.Publish(Key(own), Field(*own)).value();
  Require(pool.Need(Key(other)).value().text() == std::string(kFieldBytes, *other), "other bytes");
  WaitForAll(group);
  std::cout << "rank " + std::to_string(*group.rank()) + " has both\n";
}

/// Each of them must be answered.
struct Answers {
  std::mutex mutex;
  std::condition_variable changed;
  int left = 0;
  int failed = 0;

  void Add(const Status& status) {
    const std::lock_guard lock(mutex);
    --left;
    if (status.code() == StatusCode::kUnavailable) ++failed;
    changed.notify_all();
  }
};

/// Rank 1 shows memory and dies when it is told to; rank 0 reads, and asks, on and on meanwhile.
void RunKilled(const Group& group, Pool& pool) {
  const PoolNetwork network = PoolNetwork::Open().value();
  if (group.rank() == std::size_t{1}) {
    const ExposedMemory field = network.Expose(Field('f'), MemoryAccess::kRead).value();
    const MessageHandler show =
        network.Handle("show", [&](std::string_view) { return field.memory().ToString(); }).value();
    const MessageHandler die = network
                                   .Handle("die",
                                           [](std::string_view) -> Result<std::string> {
                                             raise(SIGKILL);
                                             return std::string();
                                           })
                                   .value();
    Connect("rft:/ready&rank=0").value().Publish(Key("ready"), Text("")).value();
    while (true) pause();
  }
  Connect("rft:/ready").value().Need(Key("ready")).value();
  const std::string other = group.addresses()[1];
  const RemoteMemory memory = RemoteMemory::Parse(network.Ask(other, {"show", ""}).value()).value();
  Answers answers;
  answers.left = 5;
  for (int i = 0; i < 4; ++i) {
    network.Read(other, memory, {.offset = 0, .bytes = memory.bytes},
                 [&](const Result<DataObject>& read) { answers.Add(read.status()); });
  }
  network.Ask(other, {"die", ""},
              [&](const Result<std::string>& answer) { answers.Add(answer.status()); });
  std::unique_lock lock(answers.mutex);
  answers.changed.wait(lock, [&] { return answers.left == 0; });
  Require(answers.failed >= 1, "nobody was killed");
  const Status gone = pool.Publish(Key("late"), Text("x")).status();
  Require(gone.code() == StatusCode::kUnavailable, "it is " + gone.ToString());
  Require(gone.message().find(other) != std::string_view::npos, "it does not say who");
  std::cout << "rank 0 was told that rank 1 is gone\n";
}

void Run(const std::string& what) {
  Config config;
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.emplace_back(*variable);
  }
  if (const Status set = config.AddEnvironment(environment); !set.ok()) throw StatusError(set);
  const Library library(config);
  if (!library.status().ok()) throw StatusError(library.status());
  if (what == "halo") return RunHalo(Group::Join().value());
  const Status known = RegisterPoolType({"mirror", "two copies", {}, MakeMirrorPool});
  if (!known.ok()) throw StatusError(known);
  Pool pool = Connect("mirror:/fields").value();
  const Group group = Group::Join().value();
  if (what == "mirror") return RunMirror(group, pool);
  Require(what == "killed", "halo, mirror or killed?");
  RunKilled(group, pool);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Run(argc > 1 ? argv[1] : "");
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
