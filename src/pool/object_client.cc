// SPDX-License-Identifier: Apache-2.0
#include "pool/object_client.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <type_traits>
#include <variant>

#include <fmt/format.h>

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
    if (auto* const named = std::get_if<NamedObject>(&*reply)) {
      *reply = wire::LeasedObject{std::move(*named), nanoseconds::zero()};
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

Fits<NamedObject> NamedBy(const Pattern& pattern) {
  return [pattern](const NamedObject& named) { return MatchesName(pattern, named.key); };
}

std::optional<nanoseconds> LimitOf(Deadline deadline) {
  return deadline.is_none() ? std::nullopt : std::optional(deadline.after());
}

}  // namespace

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
class ObjectClient::WantCall final : public Call<NamedObject> {
 public:
  WantCall(std::weak_ptr<fabric::Connection> connection, std::uint64_t number, WantCallback done)
      : Call(std::move(done)), connection_(std::move(connection)), number_(number) {}

  bool Cancel() override {
    if (!Call::Cancel()) return false;
    const std::shared_ptr<fabric::Connection> connection = connection_.lock();
    if (connection == nullptr) return true;
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
                             Deadline deadline, ConnectCallback done, CopyCache* copies) {
  fabric::Service& service =
      copies != nullptr ? static_cast<fabric::Service&>(*copies) : NoService::Instance();
  return transport.Connect(
      address, service, deadline,
      [done = std::move(done), copies](Result<std::shared_ptr<fabric::Connection>> connection) {
        if (!connection.ok()) return done(connection.status());
        done(std::shared_ptr<ObjectClient>(new ObjectClient(std::move(*connection), copies)));
      });
}

ObjectClient::~ObjectClient() { Close(); }

void ObjectClient::Close() { connection_->Close(); }

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
  const Status sent =
      connection_->Request(parts, deadline,
                           [call, fits = std::move(fits), late = late_answers_,
                            peer = peer()](const Result<std::span<const std::byte>>& answer) {
                             if (!call->End(ResultOf<T>(peer, answer, fits)) && answer.ok())
                               late->fetch_add(1);
                           });
  return sent.ok() ? OkStatus() : NotSent(peer(), sent);
}

Status ObjectClient::Publish(const wire::PublishRequest& request, Deadline deadline,
                             PublishCallback done) {
  return Send(request, deadline, std::move(done));
}

Status ObjectClient::PublishGroup(const wire::GroupRequest& request, Deadline deadline,
                                  GroupCallback done) {
  const auto fits = [count = request.items.size()](const std::vector<ObjectInfo>& infos) {
    return infos.size() == count;
  };
  return Send<std::vector<ObjectInfo>>(request, deadline, std::move(done), fits);
}

Status ObjectClient::Get(const Key& key, Deadline deadline, WantCallback done) {
  return Send<NamedObject>(wire::GetRequest{key}, deadline, std::move(done), NamedBy(key));
}

Result<Operation> ObjectClient::Want(const Pattern& pattern, Deadline deadline, WantCallback done) {
  const std::uint64_t number = ++last_want_;
  const auto call = std::make_shared<WantCall>(connection_, number, std::move(done));
  CIREIN_RETURN_IF_ERROR(Send<NamedObject>(wire::WantRequest{number, pattern, LimitOf(deadline)},
                                           deadline, call, NamedBy(pattern)));
  return Operation(call);
}

Result<Operation> ObjectClient::WantToKeep(const Key& key, Deadline deadline, WantCallback done) {
  if (kept_ == nullptr) return Want(key, deadline, std::move(done));
  const std::uint64_t number = ++last_want_;
  const auto call = std::make_shared<WantCall>(connection_, number, std::move(done));
  const auto lent = std::make_shared<Call<wire::LeasedObject>>(
      [call, kept = kept_, key, reading = kept_->Begin(key)](Result<wire::LeasedObject> leased) {
        if (!leased.ok()) return void(call->End(leased.status()));
        if (leased->lease > nanoseconds::zero()) {
          kept->Keep(key, reading, leased->named, leased->lease);
        }
        call->End(std::move(leased->named));
      });
  CIREIN_RETURN_IF_ERROR(
      Send<wire::LeasedObject>(wire::WantRequest{number, key, LimitOf(deadline), true}, deadline,
                               lent, [named_by = NamedBy(key)](const wire::LeasedObject& leased) {
                                 return named_by(leased.named);
                               }));
  return Operation(call);
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

}  // namespace cirein
