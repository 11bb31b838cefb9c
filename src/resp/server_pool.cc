// SPDX-License-Identifier: Apache-2.0
#include "resp/server_pool.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "pool/process.h"
#include "resp/server_link.h"
#include "resp/server_requests.h"
#include "resp/server_wants.h"
#include "runtime/file.h"
#include "runtime/reactor_thread.h"
#include "runtime/real_clock.h"

namespace cirein::resp {
namespace {

// An operation under way. The first one to end it calls the callback.
template <typename T>
class Call final : public Operation::Impl {
 public:
  explicit Call(std::function<void(Result<T>)> callback) : callback_(std::move(callback)) {}

  bool Cancel() override { return End(Cancelled("the operation was given up")); }
  bool done() const override { return over_.load(); }
  bool End(Result<T> result) {
    if (over_.exchange(true)) return false;
    const auto callback = std::exchange(callback_, nullptr);
    callback(std::move(result));
    return true;
  }

 private:
  std::atomic<bool> over_{false};
  std::function<void(Result<T>)> callback_;  // Of the one who ends it.
};

// The connections, and the thread they live on. Operations may hold it longer than the pool does:
// what they ask for after Stop is not run.
class Client final : public ServerLink::Listener {
 public:
  Client(std::shared_ptr<ReactorThread> thread, const ServerLink::Options& options)
      : thread_(std::move(thread)),
        link_(thread_->reactor(), *this, options),
        compute_link_(thread_->reactor(), compute_listener_, options),
        wants_(thread_->reactor(), link_),
        address_(options.address.ToString()) {}

  void Stop() { thread_->Stop(); }
  const std::string& address() const noexcept { return address_; }
  ServerLink& link() noexcept { return link_; }
  /// A function holds up what comes behind it on its connection, so these have their own.
  ServerLink& compute_link() noexcept { return compute_link_; }
  ServerWants& wants() noexcept { return wants_; }

  /// Runs `work` on the thread, and then sends what it gave the links. Thread-safe; does not block.
  void Run(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    work_.push_back(std::move(work));
    if (work_.size() > 1) return;  // It is posted.
    // Refused only once it was stopped: at most one waits.
    if (!thread_->reactor().Post([this] { RunAll(); }).ok()) work_.clear();
  }

  void OnPush(Reply push) override { wants_.OnPush(std::move(push)); }
  void OnBroken() override { wants_.OnBroken(); }

 private:
  class ComputeListener final : public ServerLink::Listener {
   public:
    void OnPush(Reply /*push*/) override {}
    void OnBroken() override {}
  };

  void RunAll() {
    std::vector<std::function<void()>> work;
    {
      const std::lock_guard lock(mutex_);
      work.swap(work_);
    }
    for (const std::function<void()>& piece : work) piece();
    link_.Flush();
    compute_link_.Flush();
  }

  const std::shared_ptr<ReactorThread> thread_;
  ComputeListener compute_listener_;
  ServerLink link_;
  ServerLink compute_link_;
  ServerWants wants_;
  const std::string address_;
  std::mutex mutex_;
  std::vector<std::function<void()>> work_;  // Guarded by mutex_.
};

class WantCall final : public Operation::Impl,
                       public ServerWants::Waiter,
                       public std::enable_shared_from_this<WantCall> {
 public:
  WantCall(const std::shared_ptr<Client>& client, const Pattern& pattern, WantCallback callback)
      : client_(client), pattern_(pattern), call_(std::move(callback)) {}

  bool Cancel() override {
    if (!call_.Cancel()) return false;
    const std::shared_ptr<Client> client = client_.lock();
    if (client == nullptr) return true;
    client->Run(
        [client = client.get(), self = shared_from_this()] { client->wants().GiveUp(self); });
    return true;
  }
  bool done() const override { return call_.done(); }

  const Pattern& pattern() const override { return pattern_; }
  bool is_over() const override { return call_.done(); }
  void End(Result<NamedObject> result) override { call_.End(std::move(result)); }

 private:
  const std::weak_ptr<Client> client_;
  const Pattern pattern_;
  Call<NamedObject> call_;
};

struct ServerPoolOptions {
  ServerLink::Options link;
  Overwrite overwrite = Overwrite::kNo;  // Of a publish that leaves it to the pool.
};

enum class Effect : std::uint8_t { kReads, kChanges };

class ServerPool final : public PoolBackend {
 public:
  ServerPool(std::shared_ptr<Client> client, const ServerPoolOptions& options)
      : client_(std::move(client)), overwrite_(options.overwrite) {}
  ~ServerPool() override { client_->Stop(); }
  ServerPool(const ServerPool&) = delete;
  ServerPool& operator=(const ServerPool&) = delete;

  std::string_view type() const override { return "server"; }

  Operation Publish(const Key& key, DataObject object, const PublishOptions& options,
                    PublishCallback done) override {
    PublishOptions sent = options;
    if (sent.overwrite == Overwrite::kPoolDefault) sent.overwrite = overwrite_;
    return Ask<ObjectInfo>(client_->link(), Effect::kChanges,
                           PublishRequest(key, std::move(object), sent), std::move(done),
                           [key](const Reply& reply) { return ReadInfo(key, reply); });
  }

  Operation Want(const Pattern& pattern, const WantOptions& /*options*/,
                 WantCallback done) override {
    const auto want = std::make_shared<WantCall>(client_, pattern, std::move(done));
    client_->Run([client = client_.get(), want] { client->wants().Park(want); });
    return Operation(want);
  }

  Operation Drop(const Pattern& pattern, Deadline /*deadline*/, DropCallback done) override {
    return Ask<std::uint64_t>(client_->link(), Effect::kChanges, DropRequest(pattern),
                              std::move(done), ReadCount);
  }

  Operation Info(const Key& key, Deadline /*deadline*/, InfoCallback done) override {
    return Ask<ObjectInfo>(client_->link(), Effect::kReads, InfoRequest(key), std::move(done),
                           [key](const Reply& reply) { return ReadInfo(key, reply); });
  }

  Operation GetRowInfo(const Key& row, Deadline /*deadline*/, RowInfoCallback done) override {
    return Ask<RowInfo>(client_->link(), Effect::kReads, RowInfoRequest(row.row()), std::move(done),
                        [row](const Reply& reply) { return ReadRowInfo(row, reply); });
  }

  Operation List(const Pattern& pattern, const ListOptions& options, ListCallback done) override {
    return Ask<ListPage>(client_->link(), Effect::kReads, ListRequest(pattern, options),
                         std::move(done), [pattern, most = options.page_size](Reply reply) {
                           return ReadPage(pattern, most, std::move(reply));
                         });
  }

  Operation Compute(const ComputeRequest& request, Deadline deadline,
                    ComputeCallback done) override {
    // The server lets the connection go on at the deadline.
    std::int64_t timeout_ms = 0;
    if (!deadline.is_none()) {
      timeout_ms =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline.after()).count() + 1;
    }
    return Ask<DataObject>(client_->compute_link(), Effect::kReads,
                           ComputeCommand(request, timeout_ms), std::move(done), ReadComputed);
  }

 private:
  template <typename T>
  Operation Ask(ServerLink& link, Effect effect, const RequestBytes& bytes,
                std::function<void(Result<T>)> done, std::function<Result<T>(Reply)> read) {
    const auto call = std::make_shared<Call<T>>(std::move(done));
    const auto answered = [call, read = std::move(read), effect, client = client_.get()](
                              Result<Reply> reply, ServerLink::Fate fate) {
      if (fate == ServerLink::Fate::kAnswered) return void(call->End(read(std::move(*reply))));
      if (fate == ServerLink::Fate::kNotSent || effect == Effect::kReads) {
        return void(call->End(reply.status()));
      }
      call->End(OutcomeUnknown(client->address(), reply.status()));
    };
    auto request = std::make_shared<ServerLink::Request>(ServerLink::Request{
        .bytes = bytes, .is_wanted = [call] { return !call->done(); }, .done = answered});
    client_->Run([&link, request] { link.Send(std::move(*request)); });
    return Operation(call);
  }

  static Status OutcomeUnknown(const std::string& address, const Status& why) {
    return Unavailable(
        fmt::format("it was sent to {}, whether it took effect is unknown (outcome unknown): {}",
                    address, why.message()),
        "look at what is there before you repeat it");
  }

  const std::shared_ptr<Client> client_;
  const Overwrite overwrite_;
};

// "127.0.0.1:6380", "[::1]:6380", "host:6380".
Result<StreamAddress> ParseAddress(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon == std::string_view::npos ? 0 : colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    host = {};  // An IPv6 address without brackets: where does it end?
  }
  const Result<std::uint64_t> port =
      ParseUint64(colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1));
  if (host.empty() || !port.ok() || *port == 0 || *port > 65'535) {
    return InvalidArgument(fmt::format("{} is no address of a server", QuoteForPeople(text)),
                           "give HOST:PORT, such as 127.0.0.1:6380 or [::1]:6380");
  }
  return StreamAddress{
      .host = std::string(host), .port = static_cast<std::uint16_t>(*port), .path = {}};
}

Result<StreamAddress> AddressOf(const ResourceUrl& url) {
  const std::optional<std::string> address = url.option("address");
  const std::optional<std::string> path = url.option("unix");
  const int given = (url.is_root() ? 0 : 1) + (address ? 1 : 0) + (path ? 1 : 0);
  if (given != 1 || (path && path->empty())) {
    return InvalidArgument(
        fmt::format("\"{}\" does not say in one way where the server is", url.ToString()),
        "give server:/HOST:PORT, server:/&address=HOST:PORT or server:/&unix=PATH");
  }
  if (path) return StreamAddress{.host = {}, .port = 0, .path = *path};
  return ParseAddress(address ? *address : std::string_view(url.path()).substr(1));
}

Result<std::string> PasswordOf(const ResourceUrl& url) {
  const std::optional<std::string> file = url.option("password-file");
  if (!file) return std::string();
  return ReadFirstLine(*file, "write the server's password there");
}

Result<std::shared_ptr<PoolBackend>> MakeServerPool(const PoolContext& context) {
  const std::shared_ptr<Process> process = Process::Current();
  if (process == nullptr) return FailedPrecondition("the library is not started");
  CIREIN_ASSIGN_OR_RETURN(const Bucket usual,
                          Bucket::Parse(process->config().GetString("default.bucket")));
  if (context.url.bucket() != usual) {
    return InvalidArgument("a server: pool sees the bucket that its server serves, and no other",
                           "leave the bucket out");
  }
  ServerPoolOptions options;
  CIREIN_ASSIGN_OR_RETURN(const StreamAddress address, AddressOf(context.url));
  CIREIN_ASSIGN_OR_RETURN(options.link.address, ResolveStreamAddress(address));
  CIREIN_ASSIGN_OR_RETURN(options.link.password, PasswordOf(context.url));
  if (context.behavior && context.behavior->has(Behavior::kEnableOverwrites)) {
    options.overwrite = Overwrite::kYes;
  }
  // A clock that outlives the process's, as the pool may.
  CIREIN_ASSIGN_OR_RETURN(
      std::shared_ptr<ReactorThread> thread,
      ReactorThread::Start(RealClock::Instance(),
                           {.name = "server-pool", .idle = ReactorOptions::Idle::kBlocks}));
  return std::shared_ptr<PoolBackend>(std::make_shared<ServerPool>(
      std::make_shared<Client>(std::move(thread), options.link), options));
}

}  // namespace

PoolType ServerPoolType() {
  return {.name = "server",
          .description = "the pool of a server that is up, at an address",
          .options = {"behavior", "address", "unix", "password-file"},
          .factory = MakeServerPool};
}

void RegisterServerPoolType() {
  static const Status registered = RegisterPoolType(ServerPoolType());
  static_cast<void>(registered.ok());  // Else a program has its own of that name.
}

}  // namespace cirein::resp
