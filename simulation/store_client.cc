// SPDX-License-Identifier: Apache-2.0
#include "simulation/store_client.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "simulation/stored_value.h"

namespace cirein::simulation {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds kConnectAgain = 20ms;

Key KeyOf(const std::string& row, const Column& column) {
  Key key = column ? Key(row, *column) : Key(row);
  key.set_bucket(StoreClient::bucket());
  return key;
}

// Whether it took effect is not known.
bool IsUnknown(const Status& status) {
  return status.code() == StatusCode::kUnavailable ||
         status.code() == StatusCode::kDeadlineExceeded;
}

}  // namespace

// Asks one thing after the other.
class StoreClient::Lane {
 public:
  explicit Lane(StoreClient& client) : client_(client), random_(client.process_.random.Fork()) {
    Rest();
  }

 private:
  StoreWork& work() { return client_.work_; }
  StoreClientLedger& ledger() { return client_.ledger_; }
  TimePoint now() const { return client_.process_.world.now(); }

  void Rest() {
    const auto pause = std::chrono::nanoseconds(
        1 + random_.Below(2 * static_cast<std::uint64_t>(work().pause.count())));
    auto& environment = client_.environment_;
    environment.timers.RunAt(environment.clock.Now() + pause, [this] { Next(); });
  }

  void Next() {
    if (client_.client_ == nullptr) {
      client_.Connect();
      return Rest();
    }
    if (!ledger().tasks.empty()) {
      task_ = std::move(ledger().tasks.front());
      ledger().tasks.pop_front();
      return Do(*task_);
    }
    if (ledger().begun >= ledger().wanted) return Rest();
    ++ledger().begun;
    const std::string row = fmt::format("row{}", random_.Below(work().rows));
    switch (random_.Below(12)) {
      default:
        return Publish(row, RandomColumn());
      case 4:
        return PublishGroup(row);
      case 5:
      case 6:
      case 7:
        return Get(row, RandomColumn());
      case 8:
        return Drop(row);
      case 9:
        return random_.OneIn(2) ? Info(row, RandomColumn()) : RowInfo(row);
      case 10:
        return Want(row, RandomColumn());
    }
  }

  void Do(const StoreTask& task) {
    switch (task.kind) {
      case StoreTask::Kind::kGet:
        return Get(task.row, task.column);
      case StoreTask::Kind::kRowInfo:
        return RowInfo(task.row);
      case StoreTask::Kind::kWant:
        return Want(task.row, task.column);
      case StoreTask::Kind::kPublish:
        return Publish(task.row, task.column);
    }
  }

  Column RandomColumn() {
    const std::uint64_t column = random_.Below(work().columns + 2);
    if (column == 0) return std::nullopt;
    return column == 1 ? "" : fmt::format("c{}", column);
  }

  DataObject NewObject(ValueId* value) {
    *value = ++work().last_value;
    const std::uint64_t most = random_.OneIn(16)  ? work().large_bytes
                               : random_.OneIn(2) ? 20
                                                  : work().data_bytes_max;
    return *DataObject::FromString(BytesOfValue(*value, kValueBytesMin + random_.Below(most + 1)));
  }

  std::optional<std::chrono::nanoseconds> RandomTtl() {
    if (!work().uses_ttl || random_.OneIn(2)) return std::nullopt;
    return std::chrono::milliseconds(1 + random_.Below(random_.OneIn(4) ? 3000 : 300));
  }

  OperationId Begin(const std::string& row, Call call) {
    ++ledger().under_way;
    const OperationId id = work().history.Begin(ledger().id, row, std::move(call), now());
    Say(id);
    return id;
  }
  void Say(OperationId id) {
    client_.process_.world.scheduler().Say(work().history.records()[id].ToString());
  }
  void Over() {
    --ledger().under_way;
    task_.reset();
    Rest();
  }
  void End(OperationId id, Outcome outcome) {
    work().history.End(id, std::move(outcome), now());
    Say(id);
    Over();
  }
  // Nothing was sent, or the node has said that it did nothing; a task is still to be done.
  void Refuse(OperationId id) {
    if (task_) ledger().tasks.push_back(*task_);
    End(id, Refused{});
  }
  void Lose(OperationId id) {
    if (task_) ledger().tasks.push_back(*task_);
    work().history.Unknown(id);
    Say(id);
    Over();
  }
  /// What was begun with this did not leave here.
  void CheckSent(OperationId id, const Status& sent) {
    if (sent.ok()) return;
    if (sent.code() == StatusCode::kUnavailable) {
      client_.client_.reset();
    } else if (sent.code() != StatusCode::kResourceExhausted) {
      client_.Unexpected("sending", sent);
    }
    Refuse(id);
  }
  /// How an operation ended that was not done.
  void Fail(OperationId id, const Status& status) {
    if (IsUnknown(status)) return Lose(id);
    if (status.code() == StatusCode::kAlreadyExists) return End(id, Existed{});
    if (status.code() == StatusCode::kFailedPrecondition) return End(id, VersionDiffered{});
    if (status.code() != StatusCode::kResourceExhausted) {
      client_.Unexpected(work().history.records()[id].ToString(), status);
    }
    Refuse(id);
  }

  void Publish(const std::string& row, const Column& column) {
    wire::PublishRequest request;
    request.key = KeyOf(row, column);
    PublishCall call{.column = column};
    request.object = NewObject(&call.value);
    request.ttl = task_ ? std::nullopt : RandomTtl();
    call.ttl = request.ttl;
    const std::uint64_t kind = task_ ? 0 : random_.Below(8);
    if (kind < 4) {
      request.mode = PutMode::kOverwrite;
      call.mode = WriteMode::kOverwrite;
    } else if (kind == 7) {
      request.mode = PutMode::kIfVersion;
      call.mode = WriteMode::kIfVersion;
      if (!random_.OneIn(3)) request.if_version = last_version_;
      call.if_version = request.if_version;
    }
    const OperationId id = Begin(row, call);
    CheckSent(id, client_.client_->Publish(request, Deadline(kDeadline),
                                           [this, id](const Result<ObjectInfo>& info) {
                                             if (!info.ok()) return Fail(id, info.status());
                                             last_version_ = info->version;
                                             End(id, Published{{info->version}});
                                           }));
  }

  void PublishGroup(const std::string& row) {
    wire::GroupRequest request;
    request.bucket = bucket();
    request.row = row;
    GroupCall call;
    if (random_.OneIn(2)) {
      request.mode = PutMode::kOverwrite;
      call.mode = WriteMode::kOverwrite;
    }
    std::set<Column> columns;
    for (int i = 0; i < 3; ++i) columns.insert(RandomColumn());
    for (const Column& column : columns) {
      ValueId value = kNoValue;
      request.items.push_back({column, NewObject(&value)});
      call.items.push_back({column, value});
    }
    const OperationId id = Begin(row, call);
    CheckSent(
        id, client_.client_->PublishGroup(request, Deadline(kDeadline),
                                          [this, id](const Result<std::vector<ObjectInfo>>& infos) {
                                            if (!infos.ok()) return Fail(id, infos.status());
                                            Published published;
                                            for (const ObjectInfo& info : *infos) {
                                              published.versions.push_back(info.version);
                                            }
                                            End(id, std::move(published));
                                          }));
  }

  // The value of an object that was read; what is no value was never written.
  ValueId ValueOf(const NamedObject& named) {
    const ValueId value = ValueOfBytes(named.object.text());
    if (value == kNoValue) {
      client_.process_.world.Violate(fmt::format(
          "{} has bytes that nobody wrote: {} of them, \"{}\"", named.key.ToString(),
          named.object.data_bytes(), EscapeForPeople(named.object.text().substr(0, 100))));
    }
    return value;
  }

  void Get(const std::string& row, const Column& column) {
    const OperationId id = Begin(row, GetCall{column});
    CheckSent(id, client_.client_->Get(KeyOf(row, column), Deadline(kDeadline),
                                       [this, id](const Result<NamedObject>& named) {
                                         if (named.code() == StatusCode::kNotFound) {
                                           return End(id, Got{kNoValue});
                                         }
                                         if (!named.ok()) return Fail(id, named.status());
                                         End(id, Got{ValueOf(*named)});
                                       }));
  }

  void Drop(const std::string& row) {
    DropCall call;
    Pattern pattern = Pattern::Row(row);
    const Column column = RandomColumn();
    if (random_.OneIn(3)) {
      // All of the row.
    } else if (column && random_.OneIn(2)) {
      call = {Pattern::ColumnMatch::kPrefix, "c"};
      pattern = *Pattern::Parse(row, "c*");
    } else if (column) {
      call = {Pattern::ColumnMatch::kExact, *column};
      pattern = Pattern(Key(row, *column));
    } else {
      call = {Pattern::ColumnMatch::kNone, {}};
      pattern = Pattern(Key(row));
    }
    pattern.set_bucket(bucket());
    const OperationId id = Begin(row, call);
    CheckSent(id, client_.client_->Drop(pattern, Deadline(kDeadline),
                                        [this, id](const Result<std::uint64_t>& dropped) {
                                          if (!dropped.ok()) return Fail(id, dropped.status());
                                          End(id, DroppedObjects{*dropped});
                                        }));
  }

  void Info(const std::string& row, const Column& column) {
    const OperationId id = Begin(row, InfoCall{column});
    CheckSent(id, client_.client_->Info(KeyOf(row, column), Deadline(kDeadline),
                                        [this, id](const Result<ObjectInfo>& info) {
                                          if (info.code() == StatusCode::kNotFound) {
                                            return End(id, InfoSeen{});
                                          }
                                          if (!info.ok()) return Fail(id, info.status());
                                          last_version_ = info->version;
                                          End(id, InfoSeen{info->version});
                                        }));
  }

  void RowInfo(const std::string& row) {
    const OperationId id = Begin(row, RowInfoCall{});
    CheckSent(id, client_.client_->GetRowInfo(KeyOf(row, std::nullopt), Deadline(kDeadline),
                                              [this, id](const Result<cirein::RowInfo>& info) {
                                                if (info.code() == StatusCode::kNotFound) {
                                                  return End(id, RowSeen{});
                                                }
                                                if (!info.ok()) return Fail(id, info.status());
                                                End(id, RowSeen{info->columns, info->has_object});
                                              }));
  }

  // Does not wait for its answer: the next operations may be what answers it.
  void Want(const std::string& row, const Column& column) {
    Pattern pattern(KeyOf(row, column));
    const bool prefix = !task_ && random_.OneIn(4);
    if (prefix) {
      pattern = Pattern::RowPrefix("row");
      pattern.set_bucket(bucket());
    }
    const WantId id = ++work().last_want;
    const std::chrono::nanoseconds deadline =
        task_ ? kDeadline : std::chrono::milliseconds(1 + random_.Below(2000));
    work().wants.Parked(id, ledger().id, pattern.ToString(), {now(), now() + deadline});
    ledger().open_wants.emplace(id, now() + deadline);
    const Result<Operation> sent = client_.client_->Want(
        pattern, Deadline(deadline),
        [this, id, task = task_](const Result<NamedObject>& named) { Answered(id, named, task); });
    if (!sent.ok()) {
      if (sent.code() == StatusCode::kUnavailable) client_.client_.reset();
      Answered(id, sent.status(), task_);
    }
    task_.reset();
    Rest();
  }

  void Answered(WantId id, const Result<NamedObject>& named, const std::optional<StoreTask>& task) {
    ledger().open_wants.erase(id);
    if (!named.ok()) {
      if (!IsUnknown(named.status()) && named.code() != StatusCode::kResourceExhausted) {
        client_.Unexpected("a want", named.status());
      }
      if (named.code() == StatusCode::kUnavailable && task) ledger().tasks.push_back(*task);
      if (named.code() == StatusCode::kDeadlineExceeded && task) {
        client_.process_.world.Violate(
            fmt::format("a want for {} was not answered although it was published", task->row));
      }
      return work().wants.Failed(id, named.status().ToString(), now());
    }
    const Column column =
        named->key.has_column() ? Column(std::string(named->key.column())) : std::nullopt;
    work().wants.Answered(
        id, {std::string(named->key.row()), column, Got{ValueOf(*named), named->info.version}},
        now());
  }

  StoreClient& client_;
  Random random_;
  std::optional<StoreTask> task_;
  Version last_version_;
};

StoreClient::StoreClient(Process& process, StoreWork& work, StoreClientLedger& ledger)
    : process_(process), environment_(process.host.environment()), work_(work), ledger_(ledger) {
  // What the process before it had under way has no end. Nobody was there when it would have come.
  for (const auto& [want, deadline] : std::exchange(ledger_.open_wants, {})) {
    work_.wants.Failed(want, "its client died", std::min(deadline, process_.world.now()));
  }
  ledger_.under_way = 0;
  for (std::uint32_t i = 0; i < work_.lanes; ++i) lanes_.push_back(std::make_unique<Lane>(*this));
}

StoreClient::~StoreClient() = default;

void StoreClient::Connect() {
  if (connecting_) return;
  connecting_ = true;
  const auto again = [this] {
    environment_.timers.RunAt(environment_.clock.Now() + kConnectAgain,
                              [this] { connecting_ = false; });
  };
  const Status begun =
      ObjectClient::Connect(process_.transport, "sim://node", Deadline(kDeadline),
                            [this, again](Result<std::shared_ptr<ObjectClient>> client) {
                              if (client.ok()) client_ = *std::move(client);
                              again();
                            });
  if (!begun.ok()) again();
}

void StoreClient::Unexpected(const std::string& what, const Status& status) {
  process_.world.Violate(fmt::format("{}: {}: {}", process_.host.name(), what, status.ToString()));
}

}  // namespace cirein::simulation
