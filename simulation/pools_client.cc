// SPDX-License-Identifier: Apache-2.0
#include "simulation/pools_client.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "pool/member_route.h"
#include "pool/remote_pool.h"
#include "simulation/stored_value.h"

namespace cirein::simulation {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds kCallLimit = 5s;
// An end that was in time at the client's clock may be late by the world's, beside its pauses, of
// which one may follow another.
constexpr std::chrono::nanoseconds kCallSlack = 100ms;
constexpr std::uint64_t kOperationsMax = 10'000;
constexpr std::size_t kPatientWantsMax = 3;
constexpr std::string_view kRowPrefix = "row";

Key KeyAt(const std::string& row, const Column& column) {
  return column ? Key(row, *column) : Key(row);
}

Column ColumnOf(const Key& key) {
  return key.has_column() ? Column(std::string(key.column())) : std::nullopt;
}

bool MayHaveHappened(const Status& status) {
  return status.code() == StatusCode::kUnavailable ||
         status.code() == StatusCode::kDeadlineExceeded;
}

}  // namespace

MemberRoute PoolsWork::RouteOf(std::uint64_t rank) const {
  if (type == "rft") return RouteByRank(rank, members.size());
  return type == "tft" ? RouteByTag(options.bucket, members.size())
                       : RouteByHash(options.bucket, members.size());
}

std::string RowInHistory(std::string_view row, std::size_t member) {
  return fmt::format("{} at member{}", row, member);
}

std::size_t PoolsClientLedger::patient_wants() const {
  return static_cast<std::size_t>(std::count_if(
      open_wants.begin(), open_wants.end(), [](const auto& want) { return want.second.patient; }));
}

// Asks one thing after the other.
class PoolsClient::Lane {
 public:
  explicit Lane(PoolsClient& client) : client_(client), random_(client.process_.random.Fork()) {
    Rest();
  }

 private:
  using Ids = std::vector<OperationId>;
  using Calls = std::vector<std::pair<std::string, Call>>;  // With their rows.

  enum class Patience : std::uint8_t {
    kUntilDeadline,  ///< The next operations may be what answers it.
    kHere,           ///< The lane waits, as a need does.
    kGivenUp,        ///< Without deadline, and cancelled after some time.
    kToTheEnd,       ///< Without deadline.
  };

  PoolsWork& work() { return client_.work_; }
  World& world() { return client_.process_.world; }
  PoolsClientLedger& ledger() { return client_.ledger_; }
  PoolBackend& pool() { return *client_.pool_; }
  TimePoint now() const { return client_.process_.world.now(); }

  void After(std::chrono::nanoseconds pause, std::function<void()> work) {
    auto& environment = client_.environment_;
    environment.timers.RunAt(environment.clock.Now() + pause, std::move(work));
  }

  void Rest() {
    After(std::chrono::nanoseconds(
              1 + random_.Below(2 * static_cast<std::uint64_t>(work().pause.count()))),
          [this] { Next(); });
  }

  void Next() {
    if (!ledger().tasks.empty()) {
      task_ = std::move(ledger().tasks.front());
      ledger().tasks.pop_front();
      return Do(*task_);
    }
    if (ledger().begun >= ledger().wanted) return Rest();
    ++ledger().begun;
    const std::string row = work().rows[random_.Below(work().random_rows)];
    const Column column = work().columns[random_.Below(work().columns.size())];
    switch (random_.Below(16)) {
      default:
        return Publish(row, column);
      case 5:
        return PublishGroup(row);
      case 6:
      case 7:
        return Read(row, column);
      case 8:
        return random_.OneIn(3) ? DropRows(std::string(kRowPrefix)) : Drop(row, column);
      case 9:
        return random_.OneIn(2) ? Info(row, column) : RowInfo(row);
      case 10:
        return random_.OneIn(2) ? List(Pattern::Row(row)) : List(Pattern::RowPrefix("row"));
      case 11:
        return WantSome(row, column, Patience::kHere);
      case 12:
        return WantSome(row, column, Patience::kGivenUp);
      case 13:
        if (ledger().patient_wants() >= kPatientWantsMax) return Rest();
        return WantSome(row, column, Patience::kToTheEnd);
      case 14:
        return WantSome(row, column, Patience::kUntilDeadline);
    }
  }

  void Do(const PoolsTask& task) {
    switch (task.kind) {
      case PoolsTask::Kind::kRead:
        return Read(task.row, task.column);
      case PoolsTask::Kind::kRowInfo:
        return RowInfo(task.row);
      case PoolsTask::Kind::kListAll:
        return List(Pattern::RowPrefix(""));
      case PoolsTask::Kind::kWant:
        return Want(KeyAt(task.row, task.column), task.row, task.column, Patience::kToTheEnd);
      case PoolsTask::Kind::kWantRows:
        return Want(Pattern::RowPrefix(task.row), task.row, task.column, Patience::kToTheEnd);
      case PoolsTask::Kind::kPublish:
        return Publish(task.row, task.column);
      case PoolsTask::Kind::kDropAll:
        return DropRows("");
    }
  }

  // --- How an operation begins and ends ---

  std::size_t OwnerOf(std::string_view row) const { return client_.route_.owner(row); }

  /// One operation of the pool, which is one on each of these rows to the history.
  Ids Begin(Calls calls) {
    ++ledger().under_way;
    Ids ids;
    for (auto& [row, call] : calls) {
      const OperationId id = work().history.Begin(ledger().id, RowInHistory(row, OwnerOf(row)),
                                                  std::move(call), now());
      ledger().open_operations.insert(id);
      ids.push_back(id);
      Say(id);
    }
    return ids;
  }
  Ids Begin(const std::string& row, Call call) {
    Calls calls;
    calls.emplace_back(row, std::move(call));
    return Begin(std::move(calls));
  }
  void Say(OperationId id) { world().scheduler().Say(work().history.records()[id].ToString()); }
  void Over() {
    --ledger().under_way;
    task_.reset();
    Rest();
  }
  void EndOne(OperationId id, Outcome outcome) {
    ledger().open_operations.erase(id);
    work().history.End(id, std::move(outcome), now());
    Say(id);
  }
  void End(const Ids& ids, const Outcome& outcome) {
    for (const OperationId id : ids) EndOne(id, outcome);
    Over();
  }
  /// A task is still to be done.
  void Fail(const Ids& ids, const Status& status) {
    if (task_) ledger().tasks.push_back(*task_);
    if (!MayHaveHappened(status)) {
      if (status.code() != StatusCode::kResourceExhausted) {
        client_.Unexpected(work().history.records()[ids.front()].ToString(), status);
      }
      return End(ids, Refused{});
    }
    if (status.code() == StatusCode::kUnavailable &&
        status.message().find("sim://member") == std::string_view::npos) {
      client_.Unexpected("the member that is away is not named", status);
    }
    for (const OperationId id : ids) {
      ledger().open_operations.erase(id);
      work().lost.push_back({id, now()});
      Say(id);
    }
    Over();
  }

  template <typename T>
  void Ask(const char* what, std::function<void(const Result<T>&)> done,
           const std::function<Operation(std::function<void(Result<T>)>)>& ask) {
    const TimePoint end = now() + kCallLimit;
    client_.Ask<T>(
        what, Deadline(kCallLimit),
        [this, what, end, done = std::move(done)](const Result<T>& result) {
          if (now() > end + kCallSlack + 2 * world().longest_pause()) {
            client_.Unexpected(fmt::format("{} was late", what), result.status());
          }
          done(result);
        },
        ask);
  }

  // --- What changes ---

  DataObject NewObject(ValueId* value) {
    *value = ++work().last_value;
    const std::uint64_t most = random_.OneIn(2) ? 20 : work().data_bytes_max;
    return *DataObject::FromString(BytesOfValue(*value, kValueBytesMin + random_.Below(most + 1)));
  }

  std::optional<std::chrono::nanoseconds> RandomTtl() {
    if (task_ || !work().uses_ttl || random_.OneIn(2)) return std::nullopt;
    return std::chrono::milliseconds(1 + random_.Below(random_.OneIn(4) ? 3000 : 300));
  }

  PublishOptions RandomOptions(WriteMode* mode) {
    PublishOptions options;
    options.deadline = kCallLimit;
    options.ttl = RandomTtl();
    const bool overwrite = task_ || random_.OneIn(2);
    *mode = overwrite ? WriteMode::kOverwrite : WriteMode::kOnce;
    const bool by_default = work().options.behavior.has(Behavior::kEnableOverwrites);
    if (overwrite != by_default || random_.OneIn(2)) {
      options.overwrite = overwrite ? Overwrite::kYes : Overwrite::kNo;
    }
    return options;
  }

  void Publish(const std::string& row, const Column& column) {
    PublishCall call{.column = column};
    const DataObject object = NewObject(&call.value);
    PublishOptions options = RandomOptions(&call.mode);
    if (!task_ && random_.OneIn(8)) {
      call.mode = WriteMode::kIfVersion;
      if (!random_.OneIn(3)) call.if_version = last_version_;
      options.if_version = call.if_version;
    }
    call.ttl = options.ttl;
    const Ids ids = Begin(row, call);
    Ask<ObjectInfo>(
        "a publish",
        [this, ids](const Result<ObjectInfo>& info) {
          if (info.code() == StatusCode::kAlreadyExists) return End(ids, Existed{});
          if (info.code() == StatusCode::kFailedPrecondition) return End(ids, VersionDiffered{});
          if (!info.ok()) return Fail(ids, info.status());
          last_version_ = info->version;
          End(ids, Published{{info->version}});
        },
        [&](PublishCallback done) {
          return pool().Publish(KeyAt(row, column), object, options, std::move(done));
        });
  }

  void PublishGroup(const std::string& row) {
    GroupCall call;
    PublishOptions options = RandomOptions(&call.mode);
    call.ttl = options.ttl;
    std::set<Column> columns;
    for (int i = 0; i < 3; ++i) {
      columns.insert(work().columns[random_.Below(work().columns.size())]);
    }
    std::vector<PublishItem> items;
    for (const Column& column : columns) {
      ValueId value = kNoValue;
      items.push_back({KeyAt(row, column), NewObject(&value)});
      call.items.push_back({column, value});
    }
    const Ids ids = Begin(row, call);
    Ask<std::vector<ObjectInfo>>(
        "a group",
        [this, ids](const Result<std::vector<ObjectInfo>>& infos) {
          if (infos.code() == StatusCode::kAlreadyExists) return End(ids, Existed{});
          if (!infos.ok()) return Fail(ids, infos.status());
          Published published;
          for (const ObjectInfo& info : *infos) published.versions.push_back(info.version);
          End(ids, std::move(published));
        },
        [&](GroupCallback done) { return pool().PublishGroup(items, options, std::move(done)); });
  }

  void Drop(const std::string& row, const Column& column) {
    DropCall call;
    Pattern pattern = Pattern::Row(row);
    if (random_.OneIn(3)) {
      // All of the row.
    } else if (column && random_.OneIn(2)) {
      call = {Pattern::ColumnMatch::kPrefix, "c"};
      pattern = Pattern::ColumnPrefix(row, "c");
    } else {
      call = column ? DropCall{Pattern::ColumnMatch::kExact, *column}
                    : DropCall{Pattern::ColumnMatch::kNone, {}};
      pattern = KeyAt(row, column);
    }
    const Ids ids = Begin(row, call);
    AskDrop(ids, pattern,
            [this, ids](std::uint64_t dropped) { End(ids, DroppedObjects{dropped}); });
  }

  /// All rows that begin so.
  void DropRows(const std::string& prefix) {
    Calls calls;
    for (const std::string& row : work().rows) {
      if (row.starts_with(prefix)) calls.emplace_back(row, DropCall{});
    }
    const Ids ids = Begin(std::move(calls));
    AskDrop(ids, Pattern::RowPrefix(prefix),
            [this, ids](std::uint64_t /*dropped*/) { End(ids, DroppedUncounted{}); });
  }

  void AskDrop(const Ids& ids, const Pattern& pattern, std::function<void(std::uint64_t)> done) {
    Ask<std::uint64_t>(
        "a drop",
        [this, ids, done = std::move(done)](const Result<std::uint64_t>& dropped) {
          if (!dropped.ok()) return Fail(ids, dropped.status());
          done(*dropped);
        },
        [&](DropCallback answered) {
          return pool().Drop(pattern, Deadline(kCallLimit), std::move(answered));
        });
  }

  // --- What looks ---

  // The value of an object that was seen; what is no value was never written.
  ValueId ValueOf(const DataObject& object) {
    const ValueId value = ValueOfBytes(object.text());
    if (value == kNoValue) {
      world().Violate(fmt::format("bytes that nobody wrote: {} of them, \"{}\"",
                                  object.data_bytes(),
                                  EscapeForPeople(object.text().substr(0, 100))));
    }
    return value;
  }

  // Pools have no call that gets and does not wait, but a function that picks does it.
  void Read(const std::string& row, const Column& column) {
    const Ids ids = Begin(row, GetCall{column});
    Ask<DataObject>(
        "a compute",
        [this, ids](const Result<DataObject>& object) {
          if (object.code() == StatusCode::kNotFound) return End(ids, Got{kNoValue});
          if (!object.ok()) return Fail(ids, object.status());
          End(ids, Got{ValueOf(*object)});
        },
        [&](ComputeCallback done) {
          return pool().Compute({KeyAt(row, column), "pick", ""}, Deadline(kCallLimit),
                                std::move(done));
        });
  }

  void Info(const std::string& row, const Column& column) {
    const Ids ids = Begin(row, InfoCall{column});
    Ask<ObjectInfo>(
        "an info",
        [this, ids](const Result<ObjectInfo>& info) {
          if (info.code() == StatusCode::kNotFound) return End(ids, InfoSeen{});
          if (!info.ok()) return Fail(ids, info.status());
          last_version_ = info->version;
          End(ids, InfoSeen{info->version});
        },
        [&](InfoCallback done) {
          return pool().Info(KeyAt(row, column), Deadline(kCallLimit), std::move(done));
        });
  }

  void RowInfo(const std::string& row) {
    const Ids ids = Begin(row, RowInfoCall{});
    Ask<cirein::RowInfo>(
        "a row info",
        [this, ids](const Result<cirein::RowInfo>& info) {
          if (info.code() == StatusCode::kNotFound) return End(ids, RowSeen{});
          if (!info.ok()) return Fail(ids, info.status());
          End(ids, RowSeen{info->columns, info->has_object});
        },
        [&](RowInfoCallback done) {
          return pool().GetRowInfo(Key(row), Deadline(kCallLimit), std::move(done));
        });
  }

  /// A listing from its first page to its last: an info of each key that there may be.
  struct Listing {
    Pattern pattern;
    ListOptions options;
    Ids ids;
    std::vector<Key> keys;  // Of the ids.
    std::map<std::pair<std::string, Column>, Version> seen;
  };

  void List(const Pattern& pattern) {
    const auto listing = std::make_shared<Listing>();
    listing->pattern = pattern;
    listing->options.deadline = kCallLimit;
    listing->options.page_size = static_cast<std::uint32_t>(1 + random_.Below(5));
    Calls calls;
    for (const std::string& row : work().rows) {
      if (!pattern.MatchesRow(row)) continue;
      for (const Column& column : work().columns) {
        calls.emplace_back(row, InfoCall{column});
        listing->keys.push_back(KeyAt(row, column));
      }
    }
    listing->ids = Begin(std::move(calls));
    NextPage(listing);
  }

  void NextPage(const std::shared_ptr<Listing>& listing) {
    Ask<ListPage>(
        "a listing",
        [this, listing](const Result<ListPage>& page) {
          if (!page.ok()) return Fail(listing->ids, page.status());
          for (const ListedObject& object : page->objects) {
            const bool first =
                listing->seen
                    .emplace(std::pair(std::string(object.key.row()), ColumnOf(object.key)),
                             object.version)
                    .second;
            if (!first) world().Violate(object.key.ToString() + " was listed twice");
          }
          listing->options.cursor = page->next;
          page->next.empty() ? EndListing(*listing) : NextPage(listing);
        },
        [&](ListCallback done) {
          return pool().List(listing->pattern, listing->options, std::move(done));
        });
  }

  void EndListing(Listing& listing) {
    for (std::size_t i = 0; i < listing.ids.size(); ++i) {
      const auto seen = listing.seen.extract(
          std::pair(std::string(listing.keys[i].row()), ColumnOf(listing.keys[i])));
      EndOne(listing.ids[i], seen ? InfoSeen{seen.mapped()} : InfoSeen{});
    }
    for (const auto& [key, version] : listing.seen) {
      world().Violate(fmt::format("\"{}\" {} was listed, which nobody has written or asked for",
                                  key.first, ColumnText(key.second)));
    }
    Over();
  }

  // --- Who waits ---

  void WantSome(const std::string& row, const Column& column, Patience patience) {
    switch (random_.Below(8)) {
      default:
        return Want(KeyAt(row, column), row, column, patience);
      case 0:
      case 1:
        return Want(Pattern::RowPrefix(std::string(kRowPrefix)), row, column, patience);
      case 2:
        return Want(Pattern::Row(row), row, column, patience);
      case 3:
        return Want(Pattern::ColumnPrefix(row, "c"), row, "c2", patience);
    }
  }

  /// The key is one that answers it.
  void Want(const Pattern& pattern, const std::string& row, const Column& column,
            Patience patience) {
    const WantId id = ++work().last_want;
    const bool waits = patience == Patience::kGivenUp || patience == Patience::kToTheEnd;
    const std::chrono::nanoseconds limit =
        std::chrono::milliseconds(1 + random_.Below(patience == Patience::kHere ? 300 : 2000));
    const TimePoint end = waits ? kEndOfTime : now() + limit;
    world().scheduler().Say(fmt::format("want {} for {}", id, pattern.ToString()));
    work().wants.Parked(id, ledger().id, pattern.ToString(), {now(), end});
    ledger().open_wants.emplace(
        id, PoolsClientLedger::OpenWant{end, patience == Patience::kToTheEnd, row, column});
    const bool here = patience == Patience::kHere;
    if (here) ++ledger().under_way;
    const Deadline deadline = waits ? kNoDeadline : Deadline(limit);
    Operation operation = client_.Ask<NamedObject>(
        "a want", deadline,
        [this, id, pattern, patience, here](const Result<NamedObject>& named) {
          Answered(id, pattern, patience, named);
          if (here) Over();
        },
        [&](WantCallback done) {
          return pool().Want(pattern, {.deadline = deadline}, std::move(done));
        });
    if (patience == Patience::kGivenUp) {
      After(limit, [operation]() mutable { operation.Cancel(); });
    }
    if (here) return;
    task_.reset();
    Rest();
  }

  void Answered(WantId id, const Pattern& pattern, Patience patience,
                const Result<NamedObject>& named) {
    ledger().open_wants.erase(id);
    if (!named.ok()) {
      const StatusCode expected =
          patience == Patience::kGivenUp ? StatusCode::kCancelled : StatusCode::kDeadlineExceeded;
      if (named.code() != expected || patience == Patience::kToTheEnd) {
        client_.Unexpected(fmt::format("want {} for {}", id, pattern.ToString()), named.status());
      }
      return work().wants.Failed(id, named.status().ToString(), now());
    }
    const Key& key = named->key;
    if (!pattern.Matches(key)) {
      world().Violate(fmt::format("want {} for {} got {}", id, pattern.ToString(), key.ToString()));
    }
    work().wants.Answered(id,
                          {RowInHistory(key.row(), OwnerOf(key.row())), ColumnOf(key),
                           Got{ValueOf(named->object), named->info.version}},
                          now());
  }

  PoolsClient& client_;
  Random random_;
  std::optional<PoolsTask> task_;
  Version last_version_;
};

PoolsClient::PoolsClient(Process& process, PoolsWork& work, PoolsClientLedger& ledger,
                         std::optional<OwnMember> own)
    : process_(process),
      environment_(process.host.environment()),
      work_(work),
      ledger_(ledger),
      route_(work.RouteOf(ledger.rank)),
      table_(kOperationsMax),
      network_(process.transport),
      pool_(MakePool(own)) {
  // What the process before it had under way has no end. Nobody was there when it would have come.
  for (const auto& [id, want] : std::exchange(ledger_.open_wants, {})) {
    work_.wants.Failed(id, "its client died", std::min(want.deadline, process_.world.now()));
  }
  for (const OperationId id : std::exchange(ledger_.open_operations, {})) {
    work_.lost.push_back({id, process_.world.now()});
  }
  ledger_.under_way = 0;
  for (std::uint32_t i = 0; i < work_.lanes; ++i) lanes_.push_back(std::make_unique<Lane>(*this));
}

// The process is dead: nobody hears of what is answered here.
PoolsClient::~PoolsClient() {
  ending_ = true;
  table_.Close(Unavailable("the process is dead"));
  network_.Leave();
}

Status PoolsClient::SimulatedNetwork::Connect(const fabric::Address& address, Deadline deadline,
                                              ObjectClient::ConnectCallback done) {
  const std::uint64_t attempt = ++last_attempt_;
  attempts_.emplace(attempt, std::move(done));
  const Status begun = ObjectClient::Connect(
      transport_, address, deadline, [this, attempt](Result<std::shared_ptr<ObjectClient>> client) {
        if (const auto ended = attempts_.extract(attempt)) ended.mapped()(std::move(client));
      });
  if (!begun.ok()) attempts_.erase(attempt);
  return begun;
}

void PoolsClient::SimulatedNetwork::Leave() {
  for (const auto& [attempt, done] : std::exchange(attempts_, {})) {
    done(Unavailable("the process is dead"));
  }
}

std::shared_ptr<PoolBackend> PoolsClient::MakePool(const std::optional<OwnMember>& own) {
  RoutedPool::Members members;
  for (std::size_t i = 0; i < work_.members.size(); ++i) {
    members.push_back(own && own->place == i
                          ? MakeStorePool(work_.type, own->store, environment_.clock, work_.options)
                          : MakeRemotePool(work_.type,
                                           std::make_shared<MemberLink>(network_, work_.members[i]),
                                           environment_.clock, environment_.timers, work_.options));
  }
  return std::make_shared<RoutedPool>(work_.type, std::move(members), route_);
}

template <typename T>
Operation PoolsClient::Ask(const char* what, Deadline deadline, std::function<void(Result<T>)> done,
                           const std::function<Operation(std::function<void(Result<T>)>)>& ask) {
  const auto pending = std::make_shared<Pending<T>>(
      pool_, table_, environment_, what,
      [this, done = std::move(done)](Result<T> result) {
        if (!ending_) done(std::move(result));
      },
      Delivery::kOnCallbackThread);
  if (!pending->Begin()) return Operation();
  ++unanswered_;
  const auto answered = [this, what, sink = pending->Sink(),
                         answers = std::make_shared<int>(0)](Result<T> result) {
    if (++*answers == 1) {
      --unanswered_;
    } else if (!ending_) {
      Unexpected(fmt::format("{} was answered again", what), result.status());
    }
    sink(std::move(result));
  };
  return pending->Started(ask(answered), environment_.clock.EndOf(deadline));
}

void PoolsClient::Unexpected(const std::string& what, const Status& status) {
  process_.world.Violate(fmt::format("{}: {}: {}", process_.host.name(), what, status.ToString()));
}

}  // namespace cirein::simulation
