// SPDX-License-Identifier: Apache-2.0
#include "http/http_server.h"

#include <algorithm>
#include <array>
#include <exception>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "base/text.h"
#include "runtime/notification.h"

namespace cirein::http {
namespace {

constexpr std::chrono::seconds kStopGrace{5};
constexpr std::size_t kReceiveBytes = std::size_t{16} << 10;

// In a time that does not tell where they differ.
bool IsSame(std::string_view given, std::string_view password) {
  unsigned difference = given.size() == password.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    difference |= static_cast<unsigned char>(given[i] ^ password[i % password.size()]);
  }
  return difference == 0;
}

HttpResponse Call(const HttpServer::Handler& handler, const HttpRequest& request) {
  try {
    return handler(request);
  } catch (const std::exception& error) {
    LogWarn("http", "the page {} has failed: {}", QuoteForPeople(request.path), error.what());
  } catch (...) {
    LogWarn("http", "the page {} has failed", QuoteForPeople(request.path));
  }
  return HttpResponse::Text(500, "the page has failed; the log says why");
}

Status NeedsPassword(const StreamAddress& address) {
  return FailedPrecondition(
      fmt::format("{} can be reached from other machines, and there is no password",
                  address.ToString()),
      "set one (--requirepass-file FILE), or listen at 127.0.0.1 only");
}

bool IsPathByte(char c) {
  const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return is_letter || (c >= '0' && c <= '9') ||
         std::string_view("-._~!$&'()*+,;=:@").find(c) != std::string_view::npos;
}

// Can a client ask for it, and only for it, with these bytes in a link? What a browser would take
// for a question, an escape, another host or another path cannot.
bool IsPagePath(std::string_view path) {
  if (path == "/") return true;
  if (path.size() > HttpServer::kMaxPathBytes) return false;
  for (std::string_view rest = path; !rest.empty();) {
    if (rest.front() != '/') return false;
    const std::string_view name = rest.substr(1, rest.find('/', 1) - 1);
    if (name.empty() || name == "." || name == "..") return false;
    if (!std::all_of(name.begin(), name.end(), IsPathByte)) return false;
    rest.remove_prefix(1 + name.size());
  }
  return !path.empty();
}

}  // namespace

// What the threads that make pages have of the server; outlives it.
class HttpServer::Link {
 public:
  explicit Link(HttpServer& server) : server_(&server) {}
  void Deliver(std::uint64_t id, HttpResponse response) {
    const std::lock_guard lock(mutex_);
    if (server_ == nullptr) return;
    // What cannot be delivered ends with its time.
    auto shared = std::make_shared<HttpResponse>(std::move(response));
    static_cast<void>(server_->reactor_->reactor()
                          .Post([server = server_, id, shared] { server->Deliver(id, *shared); })
                          .ok());
  }
  void Close() {
    const std::lock_guard lock(mutex_);
    server_ = nullptr;
  }

 private:
  std::mutex mutex_;
  HttpServer* server_;
};

class HttpServer::Connection final : public FdHandler {
 public:
  enum class State : std::uint8_t { kReceives, kWaits, kSends };

  Connection(HttpServer& server, std::uint64_t id_in, StreamSocket stream_in, bool is_local_in)
      : id(id_in), is_local(is_local_in), stream(std::move(stream_in)), server_(server) {}
  void OnReady(FdReadiness readiness) override { server_.OnReady(*this, readiness); }

  const std::uint64_t id;
  const bool is_local;  // Came to an address that only this machine reaches.
  StreamSocket stream;
  State state = State::kReceives;
  std::string text;      // Received, then what is to be sent.
  std::size_t sent = 0;  // Of it.
  TimerService::TimerId timer = 0;

 private:
  HttpServer& server_;
};

Result<std::unique_ptr<HttpServer>> HttpServer::Start(Clock& clock, Options options) {
  std::unique_ptr<HttpServer> server(new HttpServer(clock, std::move(options)));
  CIREIN_RETURN_IF_ERROR(server->Listen());
  CIREIN_RETURN_IF_ERROR(server->StartThreads());
  return server;
}

HttpServer::HttpServer(Clock& clock, Options options)
    : clock_(clock), options_(std::move(options)), link_(std::make_shared<Link>(*this)) {}

HttpServer::~HttpServer() { Stop(); }

Status HttpServer::Listen() {
  const bool has_password = options_.password != nullptr && !options_.password().empty();
  for (const StreamAddress& address : options_.addresses) {
    CIREIN_ASSIGN_OR_RETURN(const bool is_local, IsLocalAddress(address));
    if (!is_local && !has_password) return NeedsPassword(address);
    CIREIN_ASSIGN_OR_RETURN(auto listener, StreamListener::Listen(address));
    addresses_.push_back(listener->address());
    listeners_.push_back({std::move(listener), is_local});
  }
  return OkStatus();
}

Status HttpServer::StartThreads() {
  CIREIN_ASSIGN_OR_RETURN(
      reactor_,
      ReactorThread::Start(
          clock_, {.name = "http", .queue_max = 1024, .idle = ReactorOptions::Idle::kBlocks}));
  Reactor& reactor = reactor_->reactor();
  workers_ =
      std::make_unique<WorkerPool>(WorkerPoolOptions{.name = "http-page",
                                                     .min_threads = 2,
                                                     .threads_max = options_.max_threads,
                                                     .queue_max = options_.max_clients,
                                                     .stuck_after = std::chrono::milliseconds(500),
                                                     .refuse_when_stuck = true},
                                   clock_, reactor);
  Status started;
  Notification done;
  CIREIN_RETURN_IF_ERROR(reactor.Post([&] {
    for (Listener& each : listeners_) {
      started =
          each.listener->Start(reactor, [this, is_local = each.is_local](StreamSocket socket) {
            Adopt(std::move(socket), is_local);
          });
      if (!started.ok()) break;
    }
    done.Notify();
  }));
  done.WaitUntil(kEndOfTime);
  return started;
}

void HttpServer::Stop() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true)) return;
  }
  if (reactor_ == nullptr) return;
  Notification done;
  const Status posted = reactor_->reactor().Post([&] {
    for (Listener& each : listeners_) each.listener->Stop();
    while (!connections_.empty()) End(connections_.begin()->first);
    done.Notify();
  });
  if (posted.ok()) done.WaitUntil(kEndOfTime);
  link_->Close();
  if (workers_ != nullptr) static_cast<void>(workers_->Close(kStopGrace).ok());  // It is logged.
  reactor_->Stop();
  listeners_.clear();
  connections_.clear();
}

// ---- Pages ----

Status HttpServer::AddPage(std::string path, std::string title, Handler handler) {
  if (!IsPagePath(path) || handler == nullptr) {
    return InvalidArgument(fmt::format("{} cannot be a page", QuoteForPeople(path)),
                           "give a handler, and a path such as /mine or /mine/part");
  }
  const std::lock_guard lock(mutex_);
  Entry entry{std::move(title), std::make_shared<const Handler>(std::move(handler))};
  if (path == "/healthz" || !pages_.try_emplace(path, std::move(entry)).second) {
    return AlreadyExists(fmt::format("there is a page {} already", path), "choose another path");
  }
  return OkStatus();
}

std::vector<HttpServer::Page> HttpServer::pages() const {
  const std::lock_guard lock(mutex_);
  std::vector<Page> pages;
  for (const auto& [path, entry] : pages_) {
    if (!entry.title.empty()) pages.push_back({path, entry.title});
  }
  return pages;
}

void HttpServer::SetReady() {
  const std::lock_guard lock(mutex_);
  why_not_ready_.clear();
}

void HttpServer::SetNotReady(std::string why) {
  const std::lock_guard lock(mutex_);
  why_not_ready_ = why.empty() ? "not ready" : std::move(why);
}

bool HttpServer::is_ready() const {
  const std::lock_guard lock(mutex_);
  return why_not_ready_.empty();
}

// ---- Connections, on the reactor ----

void HttpServer::Adopt(StreamSocket socket, bool is_local) {
  if (connections_.size() >= options_.max_clients && !MakeRoom()) {
    const std::string text = RenderResponse(HttpResponse::Text(503, "too many clients"));
    const std::array<std::span<const std::byte>, 1> parts = {std::as_bytes(std::span(text))};
    static_cast<void>(socket.Send(parts));
    return;
  }
  const std::uint64_t id = next_id_++;
  auto connection = std::make_unique<Connection>(*this, id, std::move(socket), is_local);
  Connection& added = *connections_.emplace(id, std::move(connection)).first->second;
  const Status watched = reactor_->reactor().Watch(added.stream.fd(), FdInterest::kReadable, added);
  if (!watched.ok()) {
    connections_.erase(id);
    return;
  }
  SetTimer(added, options_.request_time);
}

// One that has not even asked yet must go.
bool HttpServer::MakeRoom() {
  const auto slowest = std::find_if(connections_.begin(), connections_.end(), [](const auto& each) {
    return each.second->state == Connection::State::kReceives;
  });
  if (slowest == connections_.end()) return false;
  End(slowest->first);
  return true;
}

void HttpServer::SetTimer(Connection& connection, std::chrono::nanoseconds after) {
  Reactor& reactor = reactor_->reactor();
  if (connection.timer != 0) reactor.CancelTimer(connection.timer);
  connection.timer = reactor.RunAt(clock_.Now() + after, [this, id = connection.id] { End(id); });
}

void HttpServer::End(std::uint64_t id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& connection = *found->second;
  reactor_->reactor().CancelTimer(connection.timer);
  static_cast<void>(reactor_->reactor().Unwatch(connection.stream.fd()).ok());
  connections_.erase(found);
}

void HttpServer::OnReady(Connection& connection, FdReadiness readiness) {
  switch (connection.state) {
    case Connection::State::kReceives:
      if (readiness.readable || readiness.failed) ReceiveSome(connection);
      return;
    case Connection::State::kWaits:
      if (readiness.failed) End(connection.id);
      return;
    case Connection::State::kSends:
      if (readiness.failed) return End(connection.id);
      if (readiness.writable) SendSome(connection);
      return;
  }
}

void HttpServer::ReceiveSome(Connection& connection) {
  std::array<std::byte, kReceiveBytes> buffer;
  const StreamResult result = connection.stream.Receive(buffer);
  if (result.code == StreamResult::Code::kWouldBlock) return;
  if (result.code == StreamResult::Code::kEnded) return End(connection.id);
  const std::size_t seen = connection.text.size();
  connection.text.append(reinterpret_cast<const char*>(buffer.data()), result.bytes);
  const std::optional<std::size_t> end = EndOfHead(connection.text, seen);
  if (end && *end <= kMaxHeadBytes) {
    return Answer(connection, ParseRequest(std::string_view(connection.text).substr(0, *end)));
  }
  if (connection.text.size() > kMaxHeadBytes) {
    Reply(connection, HttpResponse::Text(431, "the request is too long"));
  }
}

void HttpServer::Answer(Connection& connection, const ParsedRequest& parsed) {
  if (parsed.error != 0) return Reply(connection, HttpResponse::Text(parsed.error, parsed.why));
  HttpResponse refusal;
  if (parsed.request.path == "/healthz") return Reply(connection, Health());
  if (!IsAllowed(connection, parsed.request, &refusal)) return Reply(connection, refusal);
  if (!is_ready()) return Reply(connection, Health());
  Run(connection, parsed.request);
}

HttpResponse HttpServer::Health() const {
  const std::lock_guard lock(mutex_);
  if (why_not_ready_.empty()) return HttpResponse::Text(200, "ready");
  return HttpResponse::Text(503, why_not_ready_);
}

bool HttpServer::IsAllowed(const Connection& connection, const HttpRequest& request,
                           HttpResponse* refusal) const {
  const std::string password = options_.password != nullptr ? options_.password() : std::string();
  if (!password.empty()) {
    const std::optional<std::string> given = BasicPassword(request.authorization);
    if (given && IsSame(*given, password)) return true;
    *refusal = HttpResponse::Text(401, "a password is needed: any user's name, and the server's");
    return false;
  }
  if (!connection.is_local) {
    *refusal = HttpResponse::Text(403, "without a password only this machine is answered");
    return false;
  }
  if (IsHostOfThisMachine(request.host)) return true;
  *refusal = HttpResponse::Text(403, "ask by the address or as localhost");
  return false;
}

void HttpServer::Run(Connection& connection, const HttpRequest& request) {
  std::shared_ptr<const Handler> handler;
  {
    const std::lock_guard lock(mutex_);
    const auto found = pages_.find(request.path);
    if (found != pages_.end()) handler = found->second.handler;
  }
  if (handler == nullptr) {
    return Reply(connection, HttpResponse::Text(404, "there is no such page; / shows all"));
  }
  const Status submitted = workers_->Submit([link = link_, id = connection.id, handler, request] {
    link->Deliver(id, Call(*handler, request));
  });
  if (!submitted.ok()) return Reply(connection, HttpResponse::Text(503, "too much to do"));
  connection.state = Connection::State::kWaits;
  connection.text = {};
  static_cast<void>(
      reactor_->reactor().SetInterest(connection.stream.fd(), FdInterest::kNothing).ok());
  SetTimer(connection, options_.answer_time);
}

void HttpServer::Deliver(std::uint64_t id, const HttpResponse& response) {
  const auto found = connections_.find(id);
  if (found != connections_.end()) Reply(*found->second, response);
}

void HttpServer::Reply(Connection& connection, const HttpResponse& response) {
  connection.state = Connection::State::kSends;
  connection.text = RenderResponse(response);
  connection.sent = 0;
  SetTimer(connection, options_.answer_time);
  SendSome(connection);
}

void HttpServer::SendSome(Connection& connection) {
  const std::span<const std::byte> rest =
      std::as_bytes(std::span(connection.text)).subspan(connection.sent);
  const std::array<std::span<const std::byte>, 1> parts = {rest};
  const StreamResult result = connection.stream.Send(parts);
  if (result.code == StreamResult::Code::kEnded) return End(connection.id);
  connection.sent += result.bytes;
  if (connection.sent < connection.text.size()) {
    static_cast<void>(
        reactor_->reactor().SetInterest(connection.stream.fd(), FdInterest::kWritable).ok());
    return;
  }
  // What is left unread would make the system throw away what is still to be sent.
  std::array<std::byte, kReceiveBytes> unread;
  for (int rounds = 0; rounds < 64; ++rounds) {
    if (connection.stream.Receive(unread).code != StreamResult::Code::kDone) break;
  }
  End(connection.id);
}

}  // namespace cirein::http
