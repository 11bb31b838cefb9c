// SPDX-License-Identifier: Apache-2.0
#include "cirein/status_server.h"

#include <fmt/format.h>

#include "base/logging.h"
#include "base/text.h"
#include "http/html.h"
#include "http/http_message.h"
#include "http/http_server.h"
#include "http/status_pages.h"
#include "pool/process.h"
#include "resp/server_state.h"
#include "runtime/entropy.h"
#include "runtime/real_clock.h"

namespace cirein {
namespace {

using http::HttpRequest;
using http::HttpResponse;
using http::HttpServer;

constexpr std::size_t kMaxContentTypeBytes = 200;

int HttpStatusOf(StatusCode code) {
  switch (code) {
    case StatusCode::kInvalidArgument:
      return 400;
    case StatusCode::kPermissionDenied:
      return 403;
    case StatusCode::kNotFound:
      return 404;
    case StatusCode::kUnavailable:
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kResourceExhausted:
      return 503;
    default:
      return 500;
  }
}

// What is none could end the header it stands in, and begin others.
bool IsContentType(std::string_view text) {
  return !text.empty() && text.size() <= kMaxContentTypeBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

HttpResponse Make(const PageHandler& handler, const HttpRequest& request) {
  Result<PageResponse> made = handler({.path = request.path, .parameters = request.parameters});
  if (!made.ok()) {
    return HttpResponse::Text(HttpStatusOf(made.code()), made.status().ToString());
  }
  if (!IsContentType(made->content_type)) {
    LogWarn("http", "the page {} has no content type but {}", request.path,
            QuoteForPeople(made->content_type));
    return HttpResponse::Text(500, "the page has failed; the log says why");
  }
  HttpResponse response;
  response.content_type = std::move(made->content_type);
  response.body = std::move(made->body);
  return response;
}

// A server without connections, over the store that all `local:` pools share.
Result<http::StatusSource> SourceOf(const std::shared_ptr<Process>& process) {
  CIREIN_ASSIGN_OR_RETURN(const Bucket bucket,
                          Bucket::Parse(process->config().GetString("default.bucket")));
  http::StatusSource source;
  source.server = std::make_shared<resp::ServerState>(
      resp::ServerState::Options{.store = process->store(),
                                 .bucket = bucket,
                                 .clock = &RealClock::Instance(),
                                 .fsync = "no",
                                 .prepare_bytes = UINT64_MAX,
                                 .seed = Entropy::FromSystem().Seed(),
                                 .shutdown = nullptr});
  source.version = CIREIN_VERSION;
  source.more_metrics = [process] { return process->metrics().ToPrometheus(); };
  source.program = process;
  return source;
}

}  // namespace

std::optional<std::string_view> PageRequest::Parameter(std::string_view name) const {
  return http::FindParameter(parameters, name);
}

std::string EscapeHtml(std::string_view bytes, std::size_t max_bytes) {
  return http::HtmlText(bytes, max_bytes);
}

PageResponse MakeHtmlPage(std::string_view title, std::string_view body) {
  return {.body = http::HtmlPage(title, body), .content_type = std::string(http::kHtmlType)};
}

class StatusServer::State {
 public:
  std::string address;
  std::unique_ptr<HttpServer> server;
  std::unique_ptr<http::StatusPages> pages;  // Ends before the server does.
};

StatusServer::StatusServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

StatusServer::~StatusServer() { Stop(); }

Result<std::unique_ptr<StatusServer>> StatusServer::Start(const StatusServerOptions& options) {
  const std::shared_ptr<Process> process = Process::Current();
  if (process == nullptr) {
    return FailedPrecondition("there is nothing to show: the library is not started",
                              "call cirein::Start, or make a cirein::Library, first");
  }
  HttpServer::Options server;
  server.addresses = {{.host = options.host, .port = options.port, .path = {}}};
  server.password = [password = options.password] { return password; };
  auto started = HttpServer::Start(RealClock::Instance(), std::move(server));
  if (started.status().code() == StatusCode::kFailedPrecondition) {
    return FailedPrecondition(std::string(started.status().message()),
                              "give a password, or listen at 127.0.0.1 only");
  }
  if (!started.ok()) return started.status();
  auto state = std::make_unique<State>();
  state->server = std::move(*started);
  state->address = state->server->addresses().front().ToString();
  CIREIN_ASSIGN_OR_RETURN(http::StatusSource source, SourceOf(process));
  CIREIN_ASSIGN_OR_RETURN(state->pages, http::StatusPages::Add(*state->server, std::move(source)));
  state->server->SetReady();
  return std::unique_ptr<StatusServer>(new StatusServer(std::move(state)));
}

std::uint16_t StatusServer::port() const noexcept {
  return state_->server->addresses().front().port;
}

const std::string& StatusServer::address() const noexcept { return state_->address; }

Status StatusServer::AddPage(std::string path, std::string title, PageHandler handler) {
  if (handler == nullptr)
    return state_->server->AddPage(std::move(path), std::move(title), nullptr);
  return state_->server->AddPage(std::move(path), std::move(title),
                                 [handler = std::move(handler)](const HttpRequest& request) {
                                   return Make(handler, request);
                                 });
}

void StatusServer::Stop() {
  state_->pages->Close();
  state_->server->Stop();
}

}  // namespace cirein
