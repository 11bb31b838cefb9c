// SPDX-License-Identifier: Apache-2.0
#include "pool/object_client.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <type_traits>
#include <variant>

#include <fmt/format.h>

#include "base/sabotage.h"

namespace cirein {
namespace {

using std::chrono::nanoseconds;

constexpr Deadline kCancelDeadline = std::chrono::seconds(60);

/// Nodes send clients nothing but answers, and how a connection ends every request is told by
/// itself. One for the process, because a service must outlive its transport.
class NoService final : public fabric::Service {
 public:
  static NoService& Instance() {
    static NoService service;
    return service;
  }
  void Connected(const std::shared_ptr<fabric::Connection>& /*connection*/) override {}
  void Message(const std::shared_ptr<fabric::Connection>& /*connection*/,
               std::span<const std::byte> /*message*/) override {}
  void Request(const std::shared_ptr<fabric::Connection>& connection, fabric::RequestId request,
               std::span<const std::byte> /*message*/) override {
    const std::vector<std::byte> bytes = wire::Encode(Unimplemented("a client serves nobody"));
    const std::array<std::span<const std::byte>, 1> parts = {bytes};
    (void)connection->Reply(request, parts);
  }
  void Closed(const std::shared_ptr<fabric::Connection>& /*connection*/,
              const Status& /*why*/) override {}
};

Status OutcomeUnknown(const fabric::Address& peer, const Status& why) {
  const std::string message = fmt::format(
      "the operation was sent to {}, whether it took effect is unknown: {}", peer, why.message());
  if (why.code() == StatusCode::kDeadlineExceeded) return DeadlineExceeded(message);
  return Unavailable(message, "connect anew, and look at what is there before you repeat it");
}

Status NotSent(const fabric::Address& peer, const Status& why) {
  return why.WithContext(fmt::format("the operation was not sent to {}", peer));
}

/// The callback of a one-sided operation, in whose errors the member is named.
fabric::DoneCallback Told(const fabric::Address& peer, fabric::DoneCallback done) {
  return [peer, done = std::move(done)](const Status& status) {
    const bool unknown =
        status.code() == StatusCode::kUnavailable || status.code() == StatusCode::kDeadlineExceeded;
    done(unknown ? OutcomeUnknown(peer, status) : status);
  };
}

template <typename T>
using Fits = std::function<bool(const T&)>;

template <typename T>
Result<T> ResultOf(const fabric::Address& peer, const Result<std::span<const std::byte>>& answer,
                   const Fits<T>& fits) {
  if (!answer.ok()) return OutcomeUnknown(peer, answer.status());
  Result<wire::Reply> reply = wire::DecodeReply(*answer);
  if (!reply.ok()) return OutcomeUnknown(peer, reply.status());
  if (const Status* const error = std::get_if<Status>(&*reply)) return *error;
  if constexpr (std::is_same_v<T, wire::LeasedObject>) {
    // Not lent: a lease of nothing.
    if (auto* const found = std::get_if<wire::FoundObject>(&*reply)) {
      wire::LeasedObject unlent(std::move(*found), nanoseconds::zero());
      *reply = std::move(unlent);
    }
  }
  T* const value = std::get_if<T>(&*reply);
  if (value != nullptr && (!fits || fits(*value))) return std::move(*value);
  return OutcomeUnknown(peer, Internal("the answer is one to something else"));
}

// Keys of answers have no bucket.
bool MatchesName(const Pattern& pattern, const Key& key) {
  return pattern.MatchesRow(key.row()) &&
         pattern.MatchesColumn(key.has_column() ? std::optional<std::string_view>(key.column())
                                                : std::nullopt);
}

Fits<wire::FoundObject> NamedBy(const Pattern& pattern) {
  return [pattern](const wire::FoundObject& found) { return MatchesName(pattern, found.key); };
}

template <typename Found>
Result<NamedObject> NamedOf(Result<Found> found) {
  if (!found.ok()) return found.status();
  return NamedObject(std::move(*found));
}

/// Is it a kind of answer whose object may be lent?
template <typename T>
constexpr bool kMayBeLent = requires(T answer) {
  answer.lent;
};

/// Tells the node that what it lent is not needed any more. Not sent, it stays there until its end.
void Release(fabric::Connection& connection, const fabric::Grant& grant) {
  const Result<std::vector<std::byte>> bytes =
      wire::Encode(wire::ReleaseRequest{grant.id, grant.key});
  const std::array<std::span<const std::byte>, 1> parts = {*bytes};
  (void)connection.Request(parts, kCancelDeadline, [](const auto& /*answer*/) {});
}

// The node's answer was good; what it stands for is not there any more, or was never.
Status NotRead(const fabric::Address& peer, const Status& why) {
  const std::string message = fmt::format("the object's data could not be read from {}", peer);
  const bool refused =
      why.code() == StatusCode::kPermissionDenied || why.code() == StatusCode::kInvalidArgument;
  return refused ? Unavailable(fmt::format("{}: {}", message, why.message()), "ask for it again")
                 : why.WithContext(message);
}

std::optional<nanoseconds> LimitOf(Deadline deadline) {
  return deadline.is_none() ? std::nullopt : std::optional(deadline.after());
}

}  // namespace

struct ObjectClient::Answering {
  explicit Answering(std::shared_ptr<fabric::Connection> connection_in)
      : connection(std::move(connection_in)) {}
  const std::shared_ptr<fabric::Connection> connection;
  /// Null: the client has no transfers. Of the home.
  std::shared_ptr<ObjectFetcher> fetcher;
  Counter late = 0;
};

/// An operation under way. The first one to end it calls the callback.
template <typename T>
class ObjectClient::Call : public Operation::Impl {
 public:
  explicit Call(std::function<void(Result<T>)> done) : done_(std::move(done)) {}

  bool Cancel() override { return End(Cancelled("the wait was given up")); }
  bool done() const override { return over_.load(); }
  bool End(Result<T> result) {
    if (over_.exchange(true)) return false;
    const std::function<void(Result<T>)> done = std::move(done_);
    done_ = nullptr;
    if (done) done(std::move(result));
    return true;
  }

 private:
  std::atomic<bool> over_{false};
  std::function<void(Result<T>)> done_;  // Of the one who ends it.
};

/// Takes the want back at the node too. The answer of that is of no interest: the want's own comes
/// with it, or came before.
class ObjectClient::WantCall final : public Call<wire::LeasedObject> {
 public:
  WantCall(std::weak_ptr<fabric::Connection> connection, std::uint64_t number,
           std::function<void(Result<wire::LeasedObject>)> done)
      : Call(std::move(done)), connection_(std::move(connection)), number_(number) {}

  bool Cancel() override {
    if (!Call::Cancel()) return false;
    const std::shared_ptr<fabric::Connection> connection = connection_.lock();
    if (connection == nullptr || Sabotaged(Sabotage::kKeepGivenUpWants)) return true;
    const Result<std::vector<std::byte>> bytes = wire::Encode(wire::CancelRequest{number_});
    const std::array<std::span<const std::byte>, 1> parts = {*bytes};
    // Not sent, it stays there until its deadline.
    (void)connection->Request(parts, kCancelDeadline, [](const auto& /*answer*/) {});
    return true;
  }

 private:
  const std::weak_ptr<fabric::Connection> connection_;
  const std::uint64_t number_;
};

Status ObjectClient::Connect(fabric::Transport& transport, const fabric::Address& address,
                             Deadline deadline, ConnectCallback done,
                             std::shared_ptr<ObjectTransfers> transfers, CopyCache* copies) {
  fabric::Service& service =
      copies != nullptr ? static_cast<fabric::Service&>(*copies) : NoService::Instance();
  return transport.Connect(address, service, deadline,
                           [done = std::move(done), transfers = std::move(transfers),
                            copies](Result<std::shared_ptr<fabric::Connection>> connection) {
                             if (!connection.ok()) return done(connection.status());
                             done(std::shared_ptr<ObjectClient>(
                                 new ObjectClient(std::move(*connection), transfers, copies)));
                           });
}

ObjectClient::ObjectClient(std::shared_ptr<fabric::Connection> connection,
                           std::shared_ptr<ObjectTransfers> transfers, CopyCache* copies)
    : connection_(std::move(connection)),
      transfers_(std::move(transfers)),
      answering_(std::make_shared<Answering>(connection_)) {
  if (copies != nullptr && copies->enabled()) {
    kept_ = std::make_shared<CopyCache::OfConnection>(*copies, *connection_);
  }
  if (transfers_ == nullptr) return;
  answering_->fetcher = std::make_shared<ObjectFetcher>(connection_, transfers_->clock(),
                                                        transfers_->options().object_bytes_max);
}

ObjectClient::~ObjectClient() { Close(); }

void ObjectClient::Close() { connection_->Close(); }

std::uint64_t ObjectClient::late_answers() const noexcept { return answering_->late.load(); }

template <typename T>
Status ObjectClient::Send(const wire::Request& request, Deadline deadline,
                          std::function<void(Result<T>)> done, std::function<bool(const T&)> fits) {
  return Send(request, deadline, std::make_shared<Call<T>>(std::move(done)), std::move(fits));
}

template <typename T>
Status ObjectClient::Send(const wire::Request& request, Deadline deadline,
                          const std::shared_ptr<Call<T>>& call,
                          std::function<bool(const T&)> fits) {
  if (deadline.is_default()) {
    return NotSent(peer(),
                   InvalidArgument("it has no deadline of its own", "give one, or kNoDeadline"));
  }
  const Result<std::vector<std::byte>> bytes = wire::Encode(request);
  if (!bytes.ok()) return NotSent(peer(), bytes.status());
  const std::array<std::span<const std::byte>, 1> parts = {*bytes};
  const TimePoint end = transfers_ != nullptr ? transfers_->clock().EndOf(deadline) : kEndOfTime;
  const Status sent = connection_->Request(parts, deadline,
                                           [call, fits = std::move(fits), answering = answering_,
                                            end](const Result<std::span<const std::byte>>& answer) {
                                             Answered(answering, end, call, answer, fits);
                                           });
  return sent.ok() ? OkStatus() : NotSent(peer(), sent);
}

template <typename T>
void ObjectClient::Answered(const std::shared_ptr<Answering>& answering, TimePoint end,
                            const std::shared_ptr<Call<T>>& call,
                            const Result<std::span<const std::byte>>& answer,
                            const std::function<bool(const T&)>& fits) {
  Result<T> result = ResultOf<T>(answering->connection->peer(), answer, fits);
  if constexpr (kMayBeLent<T>) {
    if (result.ok() && result->lent) {
      return TakeLent(answering, end, call, std::move(*result));
    }
  }
  if (!call->End(std::move(result)) && answer.ok()) answering->late.fetch_add(1);
}

template <typename T>
void ObjectClient::TakeLent(const std::shared_ptr<Answering>& answering, TimePoint end,
                            const std::shared_ptr<Call<T>>& call, T answer) {
  const auto held = std::make_shared<T>(std::move(answer));
  const auto finish = [answering, call, held, grant = *held->lent](const Status& fetched) {
    Release(*answering->connection, grant);
    const bool ended = fetched.ok() ? call->End(std::move(*held))
                                    : call->End(NotRead(answering->connection->peer(), fetched));
    if (!ended) answering->late.fetch_add(1);
  };
  if (answering->fetcher == nullptr) return finish(Unavailable("this client reads messages alone"));
  answering->fetcher->Fetch(
      {{&held->object, &held->lent}}, end, [call] { return !call->done(); }, finish);
}

Result<ObjectTransfers::LoanPtr> ObjectClient::LendIfLarge(const DataObject& object,
                                                           wire::Lent& lent,
                                                           ObjectTransfers::Room& room) {
  if (transfers_ == nullptr) return ObjectTransfers::LoanPtr();
  Result<ObjectTransfers::LoanPtr> loan = transfers_->LendIfLarge(object, room);
  if (!loan.ok()) return NotSent(peer(), loan.status());
  if (*loan != nullptr) lent = (*loan)->grant();
  return loan;
}

// Loans end before the callback is called: then the memory is the user's alone.

Status ObjectClient::Publish(const wire::PublishRequest& request, Deadline deadline,
                             PublishCallback done) {
  ObjectTransfers::Room room;
  wire::Lent lent;
  CIREIN_ASSIGN_OR_RETURN(ObjectTransfers::LoanPtr loan, LendIfLarge(request.object, lent, room));
  if (loan == nullptr) return Send(request, deadline, std::move(done));
  wire::PublishRequest lending = request;
  lending.lent = lent;
  return Send<ObjectInfo>(
      lending, deadline,
      [loan = std::move(loan), done = std::move(done)](Result<ObjectInfo> info) mutable {
        loan.reset();
        done(std::move(info));
      });
}

Status ObjectClient::PublishGroup(const wire::GroupRequest& request, Deadline deadline,
                                  GroupCallback done) {
  ObjectTransfers::Room room;
  wire::GroupRequest lending = request;
  std::vector<ObjectTransfers::LoanPtr> loans;
  for (wire::GroupRequest::Item& item : lending.items) {
    CIREIN_ASSIGN_OR_RETURN(ObjectTransfers::LoanPtr loan,
                            LendIfLarge(item.object, item.lent, room));
    if (loan != nullptr) loans.push_back(std::move(loan));
  }
  const auto fits = [count = request.items.size()](const std::vector<ObjectInfo>& infos) {
    return infos.size() == count;
  };
  return Send<std::vector<ObjectInfo>>(
      lending, deadline,
      [loans = std::move(loans),
       done = std::move(done)](Result<std::vector<ObjectInfo>> infos) mutable {
        loans.clear();
        done(std::move(infos));
      },
      fits);
}

Status ObjectClient::Get(const Key& key, Deadline deadline, WantCallback done) {
  return Send<wire::FoundObject>(
      wire::GetRequest{key}, deadline,
      [done = std::move(done)](Result<wire::FoundObject> found) {
        done(NamedOf(std::move(found)));
      },
      NamedBy(key));
}

Result<Operation> ObjectClient::SendWant(const Pattern& pattern, bool lease, Deadline deadline,
                                         std::function<void(Result<wire::LeasedObject>)> done) {
  const std::uint64_t number = ++last_want_;
  const auto call = std::make_shared<WantCall>(connection_, number, std::move(done));
  const auto fits = [lease, named_by = NamedBy(pattern)](const wire::LeasedObject& leased) {
    return named_by(leased) && (lease || leased.lease == nanoseconds::zero());
  };
  CIREIN_RETURN_IF_ERROR(Send<wire::LeasedObject>(
      wire::WantRequest{number, pattern, LimitOf(deadline), lease}, deadline, call, fits));
  return Operation(call);
}

Result<Operation> ObjectClient::Want(const Pattern& pattern, Deadline deadline, WantCallback done) {
  return SendWant(pattern, false, deadline,
                  [done = std::move(done)](Result<wire::LeasedObject> found) {
                    done(NamedOf(std::move(found)));
                  });
}

// The lease counts from before the request is sent, so what is large is fetched at its expense.
Result<Operation> ObjectClient::WantToKeep(const Key& key, Deadline deadline, WantCallback done) {
  if (kept_ == nullptr) return Want(key, deadline, std::move(done));
  return SendWant(key, true, deadline,
                  [kept = kept_, key, reading = kept_->Begin(key),
                   done = std::move(done)](Result<wire::LeasedObject> leased) {
                    if (leased.ok() && leased->lease > nanoseconds::zero()) {
                      kept->Keep(key, reading, *leased, leased->lease);
                    }
                    done(NamedOf(std::move(leased)));
                  });
}

std::optional<NamedObject> ObjectClient::FindKept(const Key& key) const {
  if (kept_ == nullptr) return std::nullopt;
  return kept_->Find(key);
}

Status ObjectClient::Drop(const Pattern& pattern, Deadline deadline, DropCallback done) {
  return Send(wire::DropRequest{pattern, LimitOf(deadline)}, deadline, std::move(done));
}

Status ObjectClient::Info(const Key& key, Deadline deadline, InfoCallback done) {
  return Send(wire::InfoRequest{key}, deadline, std::move(done));
}

Status ObjectClient::GetRowInfo(const Key& row, Deadline deadline, RowInfoCallback done) {
  return Send(wire::RowInfoRequest{row.bucket(), row.row()}, deadline, std::move(done));
}

Status ObjectClient::List(const Pattern& pattern, const ListOptions& options, ListCallback done) {
  const auto fits = [pattern, most = options.page_size](const ListPage& page) {
    return page.objects.size() <= most &&
           std::all_of(page.objects.begin(), page.objects.end(), [&](const ListedObject& object) {
             return MatchesName(pattern, object.key);
           });
  };
  return Send<ListPage>(wire::ListRequest{pattern, options.page_size, options.cursor},
                        options.deadline, std::move(done), fits);
}

Status ObjectClient::Compute(const wire::ComputeRequest& request, Deadline deadline,
                             ComputeCallback done) {
  return Send<wire::ComputedObject>(
      request, deadline, [done = std::move(done)](Result<wire::ComputedObject> computed) {
        if (!computed.ok()) return done(computed.status());
        done(std::move(computed->object));
      });
}

Status ObjectClient::Ask(const wire::MessageRequest& request, Deadline deadline,
                         std::function<void(Result<std::string>)> done) {
  return Send<wire::MessageAnswer>(request, deadline,
                                   [done = std::move(done)](Result<wire::MessageAnswer> answer) {
                                     if (!answer.ok()) return done(answer.status());
                                     done(std::move(answer->message));
                                   });
}

Status ObjectClient::Read(const fabric::Grant& grant, std::uint64_t offset,
                          std::span<std::byte> into, Deadline deadline, fabric::DoneCallback done) {
  const Status sent =
      connection_->Read(grant, offset, into, deadline, Told(peer(), std::move(done)));
  return sent.ok() ? OkStatus() : NotSent(peer(), sent);
}

Status ObjectClient::Write(const fabric::Grant& grant, std::uint64_t offset,
                           std::span<const std::byte> bytes, Deadline deadline,
                           fabric::DoneCallback done) {
  const Status sent =
      connection_->Write(grant, offset, bytes, deadline, Told(peer(), std::move(done)));
  return sent.ok() ? OkStatus() : NotSent(peer(), sent);
}

}  // namespace cirein
