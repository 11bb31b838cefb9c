// SPDX-License-Identifier: Apache-2.0
#include "node/object_service.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "base/sabotage.h"
#include "node/answer_loans.h"
#include "node/connection_holder.h"
#include "object/object_fetcher.h"
#include "object/object_messages.h"
#include "runtime/gate.h"

namespace cirein::node {
namespace {

using fabric::Connection;
using std::chrono::nanoseconds;

// More data than this may have to be brought to where it stays before the store takes it, which
// blocks.
constexpr std::uint64_t kPublishHereBytes = 64 * 1024;

// How long a client may take to let its objects be read: it ends that itself, by taking them back,
// and this is for one that stands still.
constexpr std::chrono::minutes kFetchLimit{5};

/// The objects of a publish, each of which may be lent.
std::vector<IncomingObject> ObjectsOf(wire::PublishRequest& request) {
  return {{&request.object, &request.lent}};
}
std::vector<IncomingObject> ObjectsOf(wire::GroupRequest& request) {
  std::vector<IncomingObject> objects;
  for (wire::GroupRequest::Item& item : request.items)
    objects.push_back({&item.object, &item.lent});
  return objects;
}

Deadline DeadlineOf(const std::optional<nanoseconds>& limit) {
  return limit ? Deadline(*limit) : kNoDeadline;
}

Availability FromOutside(Availability availability) {
  return availability == Availability::kLocalMemory ? Availability::kRemoteMemory : availability;
}

ObjectInfo FromOutside(ObjectInfo info) {
  info.availability = FromOutside(info.availability);
  return info;
}

std::vector<ObjectInfo> FromOutside(std::vector<ObjectInfo> infos) {
  for (ObjectInfo& info : infos) info = FromOutside(info);
  return infos;
}

NamedObject FromOutside(NamedObject named) {
  named.info = FromOutside(named.info);
  named.key.set_bucket(Bucket());
  return named;
}

wire::ComputedObject FromOutside(DataObject object) { return {std::move(object)}; }

RowInfo FromOutside(RowInfo info) {
  info.availability = FromOutside(info.availability);
  return info;
}

std::uint64_t FromOutside(std::uint64_t count) { return count; }
ListPage FromOutside(ListPage page) { return page; }

wire::MessageAnswer FromOutside(std::string answer) { return {std::move(answer)}; }

template <typename T>
wire::Reply ReplyOf(Result<T> result) {
  if (!result.ok()) return result.status();
  return FromOutside(std::move(*result));
}

}  // namespace

/// Invariant: a want is in its client's table until it is over, and whoever takes it out, under the
/// lock, is the one who answers it or lets it go.
class ObjectService::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(std::shared_ptr<StripedStore> store, const Environment& environment, Executor& executor,
       std::shared_ptr<ObjectTransfers> transfers, nanoseconds lease)
      : store_(std::move(store)),
        clock_(environment.clock),
        timers_(environment.timers),
        callbacks_(environment.callbacks),
        executor_(executor),
        transfers_(std::move(transfers)),
        lease_(lease) {}

  void Stop();
  std::size_t parked_wants() const;
  std::size_t lent_objects() const;
  MessageHandlers& handlers() { return handlers_; }
  std::uint64_t repeated_answers() const { return repeated_answers_.load(); }
  void Connected(const std::shared_ptr<Connection>& connection);
  void Request(const std::shared_ptr<Connection>& connection, fabric::RequestId request,
               std::span<const std::byte> message);
  void Forget(const Connection& connection);

 private:
  struct ParkedWant;
  using Wants = std::unordered_map<std::uint64_t, std::shared_ptr<ParkedWant>>;
  struct Client {
    Client(std::shared_ptr<Connection> connection_in, const Core& core)
        : connection(std::move(connection_in)),
          fetcher(
              std::make_shared<ObjectFetcher>(connection, core.clock_, core.object_bytes_max())),
          loans(std::make_shared<AnswerLoans>(core.transfers_, core.clock_, core.timers_)),
          holder(std::make_shared<ConnectionHolder>(connection, core.store_, core.lease_)) {}
    const std::shared_ptr<Connection> connection;
    const std::shared_ptr<ObjectFetcher> fetcher;  // The home's.
    const std::shared_ptr<AnswerLoans> loans;
    const std::shared_ptr<CopyHolder> holder;  // Of what it may keep.
    bool gone = false;                         // Guarded by mutex_, as the wants are.
    Wants wants;                               // By the client's number.
  };
  /// A request that is to be answered.
  struct Call {
    std::shared_ptr<Core> core;
    std::shared_ptr<Client> client;
    fabric::RequestId request = 0;

    void Answer(wire::Reply reply) const { core->Answer(*this, std::move(reply)); }
  };
  struct ParkedWant {
    std::shared_ptr<Client> client;
    fabric::RequestId request = 0;
    std::uint64_t number = 0;  // The client's.
    std::uint64_t place = 0;   // In the order in which all were parked.
    Operation operation;
    TimerService::TimerId timer = 0;
  };

  std::shared_ptr<Client> ClientOf(const std::shared_ptr<Connection>& connection);
  void Answer(const Call& call, wire::Reply reply);
  /// Has it run where it may block. ResourceExhausted when that cannot be.
  Status SubmitWork(std::function<void()> work);
  void SubmitWork(const Call& call, std::function<void()> work);
  void Submit(const Call& call, std::function<wire::Reply()> work);

  void Do(const Call& call, wire::PublishRequest&& request);
  void Do(const Call& call, wire::GroupRequest&& request);
  void Do(const Call& call, wire::GetRequest&& request);
  void Do(const Call& call, wire::WantRequest&& request);
  void Do(const Call& call, wire::DropRequest&& request);
  void Do(const Call& call, wire::InfoRequest&& request);
  void Do(const Call& call, wire::RowInfoRequest&& request);
  void Do(const Call& call, wire::ListRequest&& request);
  void Do(const Call& call, wire::CancelRequest&& request);
  void Do(const Call& call, wire::ComputeRequest&& request);
  void Do(const Call& call, wire::MessageRequest&& request);
  void Do(const Call& call, wire::ReleaseRequest&& request);
  void Do(const Call& call, wire::RecallRequest&& request);

  std::uint64_t object_bytes_max() const {
    return transfers_ != nullptr ? transfers_->options().object_bytes_max
                                 : DataObject::kMaxDataBytes;
  }
  /// Reads what of the request's objects is lent, and then publishes them. Of the home.
  template <typename Publishes>
  void FetchAndPublish(const Call& call, Publishes&& request);
  template <typename Publishes>
  PutRequest PutOf(DataObject object, const Publishes& request) const;
  void Publish(const Call& call, wire::PublishRequest&& request);
  void Publish(const Call& call, wire::GroupRequest&& request);
  /// Has it published here, or where it may block.
  template <typename Publishes>
  void PublishSomewhere(const Call& call, Publishes&& request);

  void Lend(const std::shared_ptr<ParkedWant>& want, const Pattern& pattern, TimePoint end);
  void Park(const std::shared_ptr<ParkedWant>& want, const Pattern& pattern, TimePoint end);
  std::shared_ptr<ParkedWant> AddWant(const Call& call, std::uint64_t number);
  void ArmWant(const std::shared_ptr<ParkedWant>& want, Operation operation, TimePoint end);
  /// Under the lock.
  static bool IsParked(const ParkedWant& want);
  /// True for the one who has taken it out.
  bool TakeOut(ParkedWant& want);
  void FinishWant(const std::shared_ptr<ParkedWant>& want, wire::Reply reply);
  /// Nobody hears of them any more. By who has taken them out.
  void LetGo(const ParkedWant& want);
  void LetGo(std::vector<std::shared_ptr<ParkedWant>> wants);
  /// Of a client that is gone. Under the lock.
  static void TakeAll(Client& client, std::vector<std::shared_ptr<ParkedWant>>& wants);

  const std::shared_ptr<StripedStore> store_;
  const Clock& clock_;
  TimerService& timers_;
  Executor& callbacks_;
  Executor& executor_;
  MessageHandlers handlers_;
  const std::shared_ptr<ObjectTransfers> transfers_;
  const nanoseconds lease_;
  std::atomic<std::uint64_t> repeated_answers_{0};
  Gate gate_;  // Whoever uses any of the above is inside.

  mutable std::mutex mutex_;  // Of all below.
  std::unordered_map<const Connection*, std::shared_ptr<Client>> clients_;
  std::uint64_t last_place_ = 0;
};

// Connections.

std::shared_ptr<ObjectService::Core::Client> ObjectService::Core::ClientOf(
    const std::shared_ptr<Connection>& connection) {
  const std::lock_guard lock(mutex_);
  const auto found = clients_.find(connection.get());
  return found == clients_.end() ? nullptr : found->second;
}

void ObjectService::Core::Connected(const std::shared_ptr<Connection>& connection) {
  const Gate::Holder inside = gate_.TryEnter();
  if (!inside) return;
  const std::lock_guard lock(mutex_);
  clients_.insert_or_assign(connection.get(), std::make_shared<Client>(connection, *this));
}

void ObjectService::Core::Forget(const Connection& connection) {
  const Gate::Holder inside = gate_.TryEnter();
  if (!inside) return;  // Stop forgets all of them.
  std::shared_ptr<Client> client;
  std::vector<std::shared_ptr<ParkedWant>> wants;
  {
    const std::lock_guard lock(mutex_);
    const auto found = clients_.find(&connection);
    if (found == clients_.end()) return;
    client = std::move(found->second);
    clients_.erase(found);
    TakeAll(*client, wants);
  }
  client->loans->Clear();
  LetGo(std::move(wants));
}

void ObjectService::Core::Stop() {
  gate_.CloseAndWait();
  std::unordered_map<const Connection*, std::shared_ptr<Client>> clients;
  std::vector<std::shared_ptr<ParkedWant>> wants;
  {
    const std::lock_guard lock(mutex_);
    clients.swap(clients_);
    for (const auto& [connection, client] : clients) {
      TakeAll(*client, wants);
    }
  }
  for (const auto& [connection, client] : clients) client->loans->Clear();
  LetGo(std::move(wants));
}

std::size_t ObjectService::Core::parked_wants() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& [connection, client] : clients_) count += client->wants.size();
  return count;
}

std::size_t ObjectService::Core::lent_objects() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& [connection, client] : clients_) count += client->loans->size();
  return count;
}

// Requests and answers.

void ObjectService::Core::Request(const std::shared_ptr<Connection>& connection,
                                  fabric::RequestId request, std::span<const std::byte> message) {
  const Gate::Holder inside = gate_.TryEnter();
  if (!inside) return;
  // One that was closed here has no client any more, though its last requests still come.
  const std::shared_ptr<Client> client = ClientOf(connection);
  if (client == nullptr) return;
  const Call call{shared_from_this(), client, request};
  Result<wire::Request> decoded = wire::DecodeRequest(message);
  if (!decoded.ok()) return call.Answer(decoded.status());
  std::visit([&](auto& verb) { Do(call, std::move(verb)); }, *decoded);
}

void ObjectService::Core::Answer(const Call& call, wire::Reply reply) {
  const Gate::Holder inside = gate_.TryEnter();
  if (!inside) return;
  Connection& connection = *call.client->connection;
  const auto say = [&](const wire::Reply& answer) {
    const std::vector<std::byte> bytes = wire::Encode(answer);
    const std::array<std::span<const std::byte>, 1> parts = {bytes};
    return connection.Reply(call.request, parts);
  };
  call.client->loans->LendLarge(reply);
  Status sent = say(reply);
  if (!sent.ok()) call.client->loans->TakeBack(reply);
  if (sent.code() == StatusCode::kInvalidArgument) {
    sent = say(
        ResourceExhausted(fmt::format("the answer is too long for a message: {}", sent.message()),
                          "ask for smaller pages, or publish smaller objects"));
  }
  if (sent.code() == StatusCode::kNotFound)
    repeated_answers_.fetch_add(1, std::memory_order_relaxed);
  if (sent.code() != StatusCode::kResourceExhausted) return;
  connection.Close();
  Forget(connection);
}

Status ObjectService::Core::SubmitWork(std::function<void()> work) {
  const Status submitted = executor_.Submit([core = shared_from_this(), work = std::move(work)] {
    const Gate::Holder inside = core->gate_.TryEnter();
    if (inside) work();
  });
  if (submitted.ok()) return submitted;
  return ResourceExhausted(
      fmt::format("the node has no thread for the request: {}", submitted.message()),
      "send fewer requests at a time");
}

void ObjectService::Core::SubmitWork(const Call& call, std::function<void()> work) {
  if (const Status submitted = SubmitWork(std::move(work)); !submitted.ok()) call.Answer(submitted);
}

void ObjectService::Core::Submit(const Call& call, std::function<wire::Reply()> work) {
  SubmitWork(call, [call, work = std::move(work)] { call.Answer(work()); });
}

// Verbs.

template <typename Publishes>
PutRequest ObjectService::Core::PutOf(DataObject object, const Publishes& request) const {
  PutRequest put;
  put.object = std::move(object);
  put.mode = request.mode;
  if (request.ttl) put.expires = clock_.EndOf(*request.ttl);
  put.keep = request.keep;
  put.store = request.store;
  put.to_backing = request.to_backing;
  return put;
}

void ObjectService::Core::Publish(const Call& call, wire::PublishRequest&& request) {
  PutRequest put = PutOf(std::move(request.object), request);
  put.if_version = request.if_version;
  store_->Publish(KeyView(request.key.bucket(), request.key), std::move(put),
                  [call](Result<ObjectInfo> info) { call.Answer(ReplyOf(std::move(info))); });
}

void ObjectService::Core::Publish(const Call& call, wire::GroupRequest&& request) {
  std::vector<Key> keys;  // What the items see.
  keys.reserve(request.items.size());
  std::vector<PutItem> items;
  items.reserve(request.items.size());
  for (wire::GroupRequest::Item& item : request.items) {
    keys.push_back(item.column ? Key(request.row, std::move(*item.column)) : Key(request.row));
    items.push_back({KeyView(request.bucket, keys.back()), PutOf(std::move(item.object), request)});
  }
  store_->PublishGroup(std::move(items), [call](Result<std::vector<ObjectInfo>> infos) {
    call.Answer(ReplyOf(std::move(infos)));
  });
}

template <typename Publishes>
void ObjectService::Core::PublishSomewhere(const Call& call, Publishes&& request) {
  std::uint64_t largest_bytes = 0;
  for (const IncomingObject& one : ObjectsOf(request)) {
    largest_bytes = std::max(largest_bytes, one.object->data_bytes());
  }
  if (largest_bytes <= kPublishHereBytes) return Publish(call, std::move(request));
  const auto held = std::make_shared<Publishes>(std::move(request));
  SubmitWork(call, [this, call, held] { Publish(call, std::move(*held)); });
}

template <typename Publishes>
void ObjectService::Core::FetchAndPublish(const Call& call, Publishes&& request) {
  const auto held = std::make_shared<Publishes>(std::move(request));
  call.client->fetcher->Fetch(
      ObjectsOf(*held), clock_.EndOf(kFetchLimit), [] { return true; },
      [this, call, held](const Status& fetched) {
        const Gate::Holder inside = gate_.TryEnter();
        if (!inside) return;
        if (!fetched.ok()) {
          return call.Answer(fetched.WithContext("the object's data could not be read"));
        }
        PublishSomewhere(call, std::move(*held));
      });
}

void ObjectService::Core::Do(const Call& call, wire::PublishRequest&& request) {
  if (request.lent) return FetchAndPublish(call, std::move(request));
  PublishSomewhere(call, std::move(request));
}

void ObjectService::Core::Do(const Call& call, wire::GroupRequest&& request) {
  FetchAndPublish(call, std::move(request));
}

void ObjectService::Core::Do(const Call& call, wire::GetRequest&& request) {
  Submit(call, [this, key = std::move(request.key)]() -> wire::Reply {
    Result<DataObject> object = store_->Get(KeyView(key.bucket(), key));
    if (!object.ok()) return object.status();
    if (object->is_null()) return NotFound(fmt::format("\"{}\" is not there", key.ToString()));
    NamedObject named{key, std::move(*object), {}};
    named.info.meta_bytes = named.object.meta_bytes();
    named.info.data_bytes = named.object.data_bytes();
    named.info.availability = Availability::kRemoteMemory;
    return FromOutside(std::move(named));
  });
}

void ObjectService::Core::Do(const Call& call, wire::DropRequest&& request) {
  const TimePoint end = clock_.EndOf(DeadlineOf(request.deadline));
  SubmitWork(call, [this, call, pattern = std::move(request.pattern), end] {
    store_->Drop(pattern, end,
                 [call](Result<std::uint64_t> count) { call.Answer(ReplyOf(std::move(count))); });
  });
}

void ObjectService::Core::Do(const Call& call, wire::InfoRequest&& request) {
  Submit(call, [this, key = std::move(request.key)] {
    return ReplyOf(store_->Info(KeyView(key.bucket(), key)));
  });
}

void ObjectService::Core::Do(const Call& call, wire::RowInfoRequest&& request) {
  Submit(call, [this, request = std::move(request)] {
    return ReplyOf(store_->GetRowInfo(KeyView(request.bucket, request.row)));
  });
}

void ObjectService::Core::Do(const Call& call, wire::ListRequest&& request) {
  Submit(call, [this, request = std::move(request)] {
    ListOptions options;
    options.page_size = request.page_size;
    options.cursor = request.cursor;
    return ReplyOf(store_->List(request.pattern, options));
  });
}

// The function's turn comes on a compute thread, and it may take as long as it likes there.
void ObjectService::Core::Do(const Call& call, wire::ComputeRequest&& request) {
  store_->Compute(request.pattern, request.function, request.args,
                  [call](Result<DataObject> object) { call.Answer(ReplyOf(std::move(object))); });
}

void ObjectService::Core::Do(const Call& call, wire::ReleaseRequest&& request) {
  call.Answer(std::uint64_t{call.client->loans->Release(request) ? 1U : 0U});
}

// Not inside the gate while it runs, for user code may take as long as it likes.
void ObjectService::Core::Do(const Call& call, wire::MessageRequest&& request) {
  const Result<std::shared_ptr<MessageHandlers::Handler>> handler = handlers_.Find(request.handler);
  if (!handler.ok()) return call.Answer(handler.status());
  const Status submitted =
      callbacks_.Submit([call, handler = *handler, message = std::move(request.message)] {
        call.Answer(ReplyOf(handler->Run(message)));
      });
  if (!submitted.ok()) call.Answer(submitted);
}

// Wants.

void ObjectService::Core::Do(const Call& call, wire::WantRequest&& request) {
  const TimePoint end = clock_.EndOf(DeadlineOf(request.deadline));
  // At once, so that a cancel which comes next finds it.
  const std::shared_ptr<ParkedWant> want = AddWant(call, request.number);
  if (want == nullptr) return;
  if (request.lease && lease_ > nanoseconds::zero()) return Lend(want, request.pattern, end);
  if (!request.pattern.row_is_prefix()) return Park(want, request.pattern, end);
  // Looks through all rows first, and what it sees may not be kept yet.
  const Status submitted = SubmitWork(
      [this, want, pattern = std::move(request.pattern), end] { Park(want, pattern, end); });
  if (!submitted.ok()) FinishWant(want, submitted);
}

// What must be waited for is not lent: the client's time would have run from when it asked.
void ObjectService::Core::Lend(const std::shared_ptr<ParkedWant>& want, const Pattern& pattern,
                               TimePoint end) {
  const Key key = pattern.key();
  store_->Lend(KeyView(pattern.bucket(), key), want->client->holder, lease_,
               [weak = weak_from_this(), want, pattern, end](Result<LentObject> lent) {
                 const std::shared_ptr<Core> core = weak.lock();
                 if (core == nullptr) return;
                 const Gate::Holder inside = core->gate_.TryEnter();
                 if (!inside) return;
                 if (!lent.ok()) return core->FinishWant(want, lent.status());
                 if (lent->named.object.is_null()) return core->Park(want, pattern, end);
                 wire::FoundObject found = FromOutside(std::move(lent->named));
                 if (lent->lease == nanoseconds::zero()) {
                   return core->FinishWant(want, std::move(found));
                 }
                 core->FinishWant(want, wire::LeasedObject(std::move(found), lent->lease));
               });
}

void ObjectService::Core::Do(const Call& call, wire::RecallRequest&& /*request*/) {
  call.Answer(Unimplemented("a node holds no copies of its clients"));
}

void ObjectService::Core::Do(const Call& call, wire::CancelRequest&& request) {
  std::shared_ptr<ParkedWant> want;
  {
    const std::lock_guard lock(mutex_);
    const auto found = call.client->wants.find(request.number);
    if (found != call.client->wants.end()) want = found->second;
  }
  if (want != nullptr) FinishWant(want, Cancelled("its client gave it up"));
  call.Answer(std::uint64_t{want != nullptr ? 1U : 0U});
}

void ObjectService::Core::Park(const std::shared_ptr<ParkedWant>& want, const Pattern& pattern,
                               TimePoint end) {
  // The store keeps this as long as it is parked, and the core keeps the store.
  Operation operation =
      store_->Want(pattern, end, [weak = weak_from_this(), want](Result<NamedObject> named) {
        const std::shared_ptr<Core> core = weak.lock();
        if (core != nullptr) core->FinishWant(want, ReplyOf(std::move(named)));
      });
  ArmWant(want, std::move(operation), end);
}

std::shared_ptr<ObjectService::Core::ParkedWant> ObjectService::Core::AddWant(
    const Call& call, std::uint64_t number) {
  bool twice = false;
  {
    const std::lock_guard lock(mutex_);
    if (call.client->gone) return nullptr;
    if (call.client->wants.size() < kWantsPerConnection) {
      auto want = std::make_shared<ParkedWant>();
      want->client = call.client;
      want->request = call.request;
      want->number = number;
      want->place = ++last_place_;
      twice = !call.client->wants.emplace(number, want).second;
      if (!twice) return want;
    }
  }
  if (twice) {
    call.Answer(
        InvalidArgument(fmt::format("a want with the number {} is parked already", number)));
    return nullptr;
  }
  call.Answer(
      ResourceExhausted(fmt::format("{} wants of this connection are waiting", kWantsPerConnection),
                        "let some be answered before the next"));
  return nullptr;
}

void ObjectService::Core::ArmWant(const std::shared_ptr<ParkedWant>& want, Operation operation,
                                  TimePoint end) {
  {
    const std::lock_guard lock(mutex_);
    if (IsParked(*want)) {
      want->operation = std::move(operation);
      if (end == kEndOfTime) return;
      want->timer = timers_.RunAt(end, [weak = weak_from_this(), want] {
        const std::shared_ptr<Core> core = weak.lock();
        if (core == nullptr) return;
        core->FinishWant(want, DeadlineExceeded("nothing was published that the want is for"));
      });
      return;
    }
  }
  // Answered already, or its connection ended meanwhile.
  operation.Cancel();
}

// One that is over may have given its number to another.
bool ObjectService::Core::IsParked(const ParkedWant& want) {
  const auto found = want.client->wants.find(want.number);
  return found != want.client->wants.end() && found->second.get() == &want;
}

bool ObjectService::Core::TakeOut(ParkedWant& want) {
  const std::lock_guard lock(mutex_);
  if (!IsParked(want)) return false;
  want.client->wants.erase(want.number);
  return true;
}

void ObjectService::Core::FinishWant(const std::shared_ptr<ParkedWant>& want, wire::Reply reply) {
  const Gate::Holder inside = gate_.TryEnter();
  if (!inside || !TakeOut(*want)) return;
  LetGo(*want);
  const Call call{shared_from_this(), want->client, want->request};
  if (Sabotaged(Sabotage::kAnswerTwice)) Answer(call, reply);
  Answer(call, std::move(reply));
}

void ObjectService::Core::TakeAll(Client& client, std::vector<std::shared_ptr<ParkedWant>>& wants) {
  client.gone = true;
  for (auto& [number, want] : client.wants) wants.push_back(std::move(want));
  client.wants.clear();
}

// By who has taken it out, so that nobody else sets what is read here.
void ObjectService::Core::LetGo(const ParkedWant& want) {
  if (want.timer != 0) timers_.CancelTimer(want.timer);
  // Its callback finds it taken out; when the store has answered it, this does nothing.
  Operation(want.operation).Cancel();
}

// In the order in which they were parked: every run the same.
void ObjectService::Core::LetGo(std::vector<std::shared_ptr<ParkedWant>> wants) {
  std::sort(wants.begin(), wants.end(),
            [](const auto& a, const auto& b) { return a->place < b->place; });
  for (const auto& want : wants) LetGo(*want);
}

ObjectService::ObjectService(std::shared_ptr<StripedStore> store, const Environment& environment,
                             Executor& executor, std::shared_ptr<ObjectTransfers> transfers,
                             std::chrono::nanoseconds lease)
    : core_(std::make_shared<Core>(std::move(store), environment, executor, std::move(transfers),
                                   lease)) {}

ObjectService::~ObjectService() { Stop(); }

void ObjectService::Stop() { core_->Stop(); }

std::size_t ObjectService::parked_wants() const { return core_->parked_wants(); }
MessageHandlers& ObjectService::handlers() { return core_->handlers(); }
std::size_t ObjectService::lent_objects() const { return core_->lent_objects(); }
std::uint64_t ObjectService::repeated_answers() const { return core_->repeated_answers(); }

void ObjectService::Connected(const std::shared_ptr<Connection>& connection) {
  core_->Connected(connection);
}

// Nothing of the protocol is a message without an answer.
void ObjectService::Message(const std::shared_ptr<Connection>& /*connection*/,
                            std::span<const std::byte> /*message*/) {}

void ObjectService::Request(const std::shared_ptr<Connection>& connection,
                            fabric::RequestId request, std::span<const std::byte> message) {
  core_->Request(connection, request, message);
}

void ObjectService::Closed(const std::shared_ptr<Connection>& connection, const Status& /*why*/) {
  core_->Forget(*connection);
}

}  // namespace cirein::node
