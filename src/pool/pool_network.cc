// SPDX-License-Identifier: Apache-2.0
#include "cirein/pool_network.h"

#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/logging.h"
#include "base/text.h"
#include "pool/member_link.h"
#include "pool/member_list.h"
#include "pool/pending.h"
#include "pool/process.h"
#include "runtime/notification.h"

namespace cirein {
namespace {

constexpr std::string_view kReadOnly = "r";
constexpr std::string_view kReadWrite = "rw";

fabric::Grant GrantOf(const RemoteMemory& memory) {
  return {.id = memory.id,
          .key = memory.key,
          .bytes = memory.bytes,
          .access = memory.access == MemoryAccess::kRead
                        ? fabric::Access::kRead
                        : fabric::Access::kRead | fabric::Access::kWrite};
}

Status CheckRange(const RemoteMemory& memory, MemoryRange range) {
  if (range.bytes == 0 || range.bytes > PoolNetwork::kMaxTransferBytes) {
    return InvalidArgument(
        fmt::format("{} bytes cannot be read or written at once", range.bytes),
        fmt::format("give 1 to {}, and more in several pieces", PoolNetwork::kMaxTransferBytes));
  }
  if (range.offset > memory.bytes || range.bytes > memory.bytes - range.offset) {
    return InvalidArgument(fmt::format("{} bytes at {} are not in memory of {} bytes", range.bytes,
                                       range.offset, memory.bytes));
  }
  return OkStatus();
}

}  // namespace

std::string RemoteMemory::ToString() const {
  return fmt::format("{:x}.{:x}.{:x}.{}", id, key, bytes,
                     access == MemoryAccess::kRead ? kReadOnly : kReadWrite);
}

Result<RemoteMemory> RemoteMemory::Parse(std::string_view text) {
  RemoteMemory memory;
  std::string_view rest = text;
  bool ok = true;
  for (std::uint64_t* const number : {&memory.id, &memory.key, &memory.bytes}) {
    const std::size_t end = rest.find('.');
    const Result<std::uint64_t> read = ParseHex64(rest.substr(0, end));
    ok = ok && read.ok() && end != std::string_view::npos;
    if (!ok) break;
    *number = *read;
    rest.remove_prefix(end + 1);
  }
  if (!ok || (rest != kReadOnly && rest != kReadWrite)) {
    return InvalidArgument(fmt::format("{} is no memory of a process", QuoteForPeople(text)),
                           "give what RemoteMemory::ToString made");
  }
  if (rest == kReadWrite) memory.access = MemoryAccess::kReadWrite;
  return memory;
}

class ExposedMemory::State {
 public:
  State(std::shared_ptr<Process> process, ProcessNetwork& network,
        const ProcessNetwork::Exposed& exposed, RemoteMemory memory)
      : process_(std::move(process)), network_(network), exposed_(exposed), memory_(memory) {}
  ~State() {
    const Status taken = network_.TakeBack(exposed_);
    if (!taken.ok()) LogWarn("network", "exposed memory: {}", taken.ToString());
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  const RemoteMemory& memory() const noexcept { return memory_; }

 private:
  const std::shared_ptr<Process> process_;
  ProcessNetwork& network_;  // The process's.
  const ProcessNetwork::Exposed exposed_;
  const RemoteMemory memory_;
};

const RemoteMemory& ExposedMemory::memory() const noexcept { return state_->memory(); }

class MessageHandler::State {
 public:
  State(std::shared_ptr<Process> process, ProcessNetwork& network,
        std::shared_ptr<node::MessageHandlers::Handler> handler)
      : process_(std::move(process)), network_(network), handler_(std::move(handler)) {}
  ~State() { network_.handlers().Remove(handler_); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

 private:
  const std::shared_ptr<Process> process_;
  ProcessNetwork& network_;  // The process's.
  const std::shared_ptr<node::MessageHandlers::Handler> handler_;
};

/// The connections, one for each member that was asked.
class PoolNetwork::State : public std::enable_shared_from_this<State> {
 public:
  /// Asks a member that is connected to: what ObjectClient's calls say.
  template <typename T>
  using Ask = std::function<Status(ObjectClient& client, Deadline deadline,
                                   std::function<void(Result<T>)> done)>;

  State(std::shared_ptr<Process> process, ProcessNetwork& network)
      : process_(std::move(process)), network_(network), address_(network.address()) {}

  const std::shared_ptr<Process>& process() const noexcept { return process_; }
  ProcessNetwork& network() const noexcept { return network_; }
  const std::string& address() const noexcept { return address_; }

  template <typename T>
  Operation Begin(const std::string& member, Status refusal, Deadline deadline, Ask<T> ask,
                  std::function<void(Result<T>)> done, Delivery delivery) {
    Result<std::shared_ptr<MemberLink>> link = LinkTo(member);
    if (refusal.ok()) refusal = link.status();
    if (!refusal.ok()) {
      CallInPlace<T>(done, refusal);
      return Operation();
    }
    const Environment& environment = process_->environment();
    const TimePoint end = environment.clock.EndOf(deadline.Or(process_->default_deadline()));
    const auto pending =
        std::make_shared<Pending<T>>(shared_from_this(), process_->pending(), environment,
                                     "member " + member, std::move(done), delivery);
    if (!pending->Begin()) return Operation();
    const auto answer = pending->Sink();
    (*link)->With([link = *link, ask = std::move(ask), pending, answer, end,
                   &clock = environment.clock](const Result<MemberLink::Client>& client) {
      if (!client.ok()) return answer(client.status());
      if (pending->done()) return;  // Too late, or given up.
      const Deadline left = end == kEndOfTime
                                ? kNoDeadline
                                : Deadline(std::max(end - clock.Now(), TimePoint::zero()));
      const Status sent = ask(**client, left, [link, answer, client = *client](Result<T> result) {
        if (result.code() == StatusCode::kUnavailable) link->Lost(client);
        answer(std::move(result));
      });
      if (sent.ok()) return;
      if (sent.code() == StatusCode::kUnavailable) link->Lost(*client);
      answer(sent);
    });
    return pending->Started(Operation(), end);
  }

  /// The same for a thread that waits.
  template <typename T>
  Result<T> Wait(const std::string& member, Status refusal, Deadline deadline, Ask<T> ask) {
    struct Answer {
      Notification arrived;
      std::optional<Result<T>> result;
    };
    const auto answer = std::make_shared<Answer>();
    Begin<T>(
        member, std::move(refusal), deadline, std::move(ask),
        [answer](Result<T> result) {
          answer->result.emplace(std::move(result));
          answer->arrived.Notify();
        },
        Delivery::kInPlace);
    answer->arrived.WaitUntil(kEndOfTime);
    return std::move(*answer->result);
  }

 private:
  Result<std::shared_ptr<MemberLink>> LinkTo(const std::string& member) {
    CIREIN_ASSIGN_OR_RETURN(fabric::Address address, MemberAddress(member));
    const std::lock_guard lock(mutex_);
    std::shared_ptr<MemberLink>& link = links_[address];
    if (link == nullptr) link = std::make_shared<MemberLink>(network_, address);
    return link;
  }

  const std::shared_ptr<Process> process_;
  ProcessNetwork& network_;  // The process's.
  const std::string address_;
  std::mutex mutex_;
  std::map<fabric::Address, std::shared_ptr<MemberLink>> links_;  // Guarded by mutex_.
};

namespace {

using Nothing = std::monostate;
template <typename T>
using DoneWith = std::function<void(Result<T>)>;

fabric::DoneCallback DoneOf(DoneWith<Nothing> done, DataObject keeps) {
  return [done = std::move(done), keeps = std::move(keeps)](const Status& status) {
    done(status.ok() ? Result<Nothing>(Nothing()) : Result<Nothing>(status));
  };
}

Status CheckMessage(const PoolNetwork::Message& message) {
  if (message.text.size() > PoolNetwork::kMaxMessageBytes) {
    return InvalidArgument(fmt::format("a message has at most {} bytes, not {}",
                                       PoolNetwork::kMaxMessageBytes, message.text.size()),
                           "expose memory, and send where it is");
  }
  if (!message.handler.empty() && message.handler.size() <= PoolNetwork::kMaxHandlerNameBytes) {
    return OkStatus();
  }
  return InvalidArgument(fmt::format("{} names no handler", QuoteForPeople(message.handler)),
                         fmt::format("give 1 to {} bytes", PoolNetwork::kMaxHandlerNameBytes));
}

auto SendMessage(PoolNetwork::Message message) {
  return [request = wire::MessageRequest{std::move(message.handler), std::move(message.text)}](
             ObjectClient& client, Deadline deadline, DoneWith<std::string> done) {
    return client.Ask(request, deadline, std::move(done));
  };
}

auto SendRead(const RemoteMemory& memory, MemoryRange range) {
  return [memory, range](ObjectClient& client, Deadline deadline, DoneWith<DataObject> done) {
    Result<DataObject> into = DataObject::Allocate({.data_bytes = range.bytes});
    if (!into.ok()) return into.status();
    const std::span<std::byte> bytes = into->mutable_data();
    return client.Read(GrantOf(memory), range.offset, bytes, deadline,
                       [done = std::move(done), into = *into](const Status& status) {
                         done(status.ok() ? Result<DataObject>(into) : Result<DataObject>(status));
                       });
  };
}

Status CheckWrite(const RemoteMemory& memory, std::uint64_t offset, const DataObject& object) {
  if (object.is_null()) return InvalidArgument("the object to be written is null");
  if (memory.access != MemoryAccess::kReadWrite) {
    return PermissionDenied("the memory was exposed for reading alone",
                            "expose it with MemoryAccess::kReadWrite");
  }
  return CheckRange(memory, {.offset = offset, .bytes = object.data_bytes()});
}

auto SendWrite(const RemoteMemory& memory, std::uint64_t offset, DataObject object) {
  return [memory, offset, object = std::move(object)](ObjectClient& client, Deadline deadline,
                                                      DoneWith<Nothing> done) {
    return client.Write(GrantOf(memory), offset, object.data(), deadline,
                        DoneOf(std::move(done), object));
  };
}

}  // namespace

Result<PoolNetwork> PoolNetwork::Open() {
  std::shared_ptr<Process> process = Process::Current();
  if (process == nullptr) {
    return FailedPrecondition("the library is not started", "call cirein::Start first");
  }
  CIREIN_ASSIGN_OR_RETURN(ProcessNetwork* const network, process->network());
  return PoolNetwork(std::make_shared<State>(std::move(process), *network));
}

const std::string& PoolNetwork::address() const noexcept { return state_->address(); }

Result<MessageHandler> PoolNetwork::Handle(std::string name, Handler handler) const {
  CIREIN_RETURN_IF_ERROR(CheckMessage({name, {}}));
  if (!handler)
    return InvalidArgument(fmt::format("the handler {} is empty", QuoteForPeople(name)));
  CIREIN_ASSIGN_OR_RETURN(
      auto added, state_->network().handlers().Add(
                      std::move(name), [handler = std::move(handler)](std::string_view message) {
                        Result<std::string> answer = handler(message);
                        if (!answer.ok() || answer->size() <= kMaxMessageBytes) return answer;
                        return Result<std::string>(ResourceExhausted(
                            fmt::format("the handler's answer has {} bytes, more than {}",
                                        answer->size(), kMaxMessageBytes),
                            "expose memory, and answer where it is"));
                      }));
  return MessageHandler(std::make_shared<MessageHandler::State>(
      state_->process(), state_->network(), std::move(added)));
}

Operation PoolNetwork::Ask(const std::string& member, Message message, AnswerCallback done,
                           Deadline deadline) const {
  Status refusal = CheckMessage(message);
  return state_->Begin<std::string>(member, std::move(refusal), deadline,
                                    SendMessage(std::move(message)), std::move(done),
                                    Delivery::kOnCallbackThread);
}

Result<std::string> PoolNetwork::Ask(const std::string& member, Message message,
                                     Deadline deadline) const {
  Status refusal = CheckMessage(message);
  return state_->Wait<std::string>(member, std::move(refusal), deadline,
                                   SendMessage(std::move(message)));
}

Result<ExposedMemory> PoolNetwork::Expose(DataObject object, MemoryAccess access) const {
  if (object.is_null()) return InvalidArgument("a null object has no memory to be exposed");
  RemoteMemory memory{.access = access};
  CIREIN_ASSIGN_OR_RETURN(const ProcessNetwork::Exposed exposed,
                          state_->network().Expose(std::move(object), GrantOf(memory).access));
  memory.id = exposed.grant.id;
  memory.key = exposed.grant.key;
  memory.bytes = exposed.grant.bytes;
  return ExposedMemory(std::make_shared<ExposedMemory::State>(state_->process(), state_->network(),
                                                              exposed, memory));
}

Operation PoolNetwork::Read(const std::string& member, const RemoteMemory& memory,
                            MemoryRange range, ReadCallback done, Deadline deadline) const {
  return state_->Begin<DataObject>(member, CheckRange(memory, range), deadline,
                                   SendRead(memory, range), std::move(done),
                                   Delivery::kOnCallbackThread);
}

Result<DataObject> PoolNetwork::Read(const std::string& member, const RemoteMemory& memory,
                                     MemoryRange range, Deadline deadline) const {
  return state_->Wait<DataObject>(member, CheckRange(memory, range), deadline,
                                  SendRead(memory, range));
}

Operation PoolNetwork::Write(const std::string& member, const RemoteMemory& memory,
                             std::uint64_t offset, DataObject object, WriteCallback done,
                             Deadline deadline) const {
  Status refusal = CheckWrite(memory, offset, object);
  return state_->Begin<Nothing>(
      member, std::move(refusal), deadline, SendWrite(memory, offset, std::move(object)),
      [done = std::move(done)](const Result<Nothing>& result) { done(result.status()); },
      Delivery::kOnCallbackThread);
}

Status PoolNetwork::Write(const std::string& member, const RemoteMemory& memory,
                          std::uint64_t offset, DataObject object, Deadline deadline) const {
  Status refusal = CheckWrite(memory, offset, object);
  return state_
      ->Wait<Nothing>(member, std::move(refusal), deadline,
                      SendWrite(memory, offset, std::move(object)))
      .status();
}

}  // namespace cirein
