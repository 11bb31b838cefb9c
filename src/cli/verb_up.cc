// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cirein/library.h"

#include "base/logging.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/build_info.h"
#include "cli/server_file.h"
#include "cli/verb_table.h"
#include "dpm/dpm.h"
#include "http/http_server.h"
#include "http/status_pages.h"
#include "node/node.h"
#include "pool/process.h"
#include "region/directory_space.h"
#include "resp/server.h"
#include "runtime/entropy.h"
#include "runtime/file.h"
#include "runtime/interrupt_flag.h"
#include "runtime/open_files.h"
#include "runtime/real_clock.h"

namespace cirein {
namespace {

constexpr std::uint64_t kMaxPort = 65'535;
// With one thread nobody else is kept out by a partition.
constexpr std::uint32_t kShards = 16;
// Besides connections: the pool's files and large objects, and whatever else a process has open.
constexpr std::uint64_t kOtherFiles = 1024;
// Objects of more than such a part of a segment have an extent of their own, and what drops all
// keys writes no more than such a part at once.
constexpr std::uint64_t kLargeOfSegment = 8;

// The password as HTTP asks for it: that of the option until the server's state is there, which may
// change it. Thread-safe.
class CurrentPassword {
 public:
  explicit CurrentPassword(std::string first) : first_(std::move(first)) {}
  const std::string& first() const noexcept { return first_; }
  std::string Get() const {
    const std::lock_guard lock(mutex_);
    return state_ != nullptr ? state_->parameters().password() : first_;
  }
  void Follow(std::shared_ptr<resp::ServerState> state) {
    const std::lock_guard lock(mutex_);
    state_ = std::move(state);
  }

 private:
  const std::string first_;
  mutable std::mutex mutex_;
  std::shared_ptr<resp::ServerState> state_;  // Guarded by mutex_.
};

class UpVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    options->AddText({"--dir", "DIR", "the pool's directory; made if there is none"}, &directory_);
    options->AddNumber({"-p,--port", "PORT", "of TCP, for Redis clients; 0: any that is free"},
                       {.least = 0, .most = kMaxPort}, &port_);
    options->AddList({"--bind", "ADDR", "listen here; may be given several times"}, &bind_);
    options->AddText({"--unixsocket", "PATH", "listen at this path too"}, &path_);
    options->AddNumber({"--http-port", "PORT", "of HTTP, for metrics and status"},
                       {.least = 0, .most = kMaxPort}, &http_port_);
    options->AddChoice({"--durability", "LEVEL", "of a new pool: what an answered write survives"},
                       {"process", "power"}, "process", [this](std::string_view word) {
                         durability_ =
                             word == "power" ? dpm::Durability::kPower : dpm::Durability::kProcess;
                         return OkStatus();
                       });
    options->AddBytes({"--size", "SIZE", "of a new pool's log"}, {.least = 1 << 20}, &size_bytes_);
    options->AddNumber({"--threads", "N", "that serve connections"}, {.least = 1, .most = 64},
                       &threads_);
    options->AddText({"--requirepass-file", "FILE", "its first line is the password"},
                     &password_file_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    InterruptFlag& interrupt = InterruptFlag::Install();
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    CIREIN_ASSIGN_OR_RETURN(const std::shared_ptr<Process> process, Process::Start(config));
    const Status served = Serve(context, interrupt, *process);
    http_.reset();
    process->Stop();
    if (!served.ok()) return served;
    return ExitCode::kOk;
  }

 private:
  Status Serve(const VerbContext& context, InterruptFlag& interrupt, Process& process) {
    CIREIN_ASSIGN_OR_RETURN(std::string first, ReadPassword());
    password_ = std::make_shared<CurrentPassword>(std::move(first));
    // It answers while the pool is being opened, and until it is closed.
    CIREIN_RETURN_IF_ERROR(StartHttp(process));
    CIREIN_ASSIGN_OR_RETURN(const std::shared_ptr<node::Node> node, OpenNode(process));
    const Status served = ServeNode(context, interrupt, process, node);
    const Status closed = node->Close();
    return served.ok() ? closed : served;
  }

  Status StartHttp(Process& process) {
    if (!http_port_) return OkStatus();
    http::HttpServer::Options options;
    options.addresses = HostAddresses(static_cast<std::uint16_t>(*http_port_));
    options.password = [password = password_] { return password->Get(); };
    CIREIN_ASSIGN_OR_RETURN(http_, http::HttpServer::Start(process.environment().clock, options));
    http_->SetNotReady("starting: the pool is being opened");
    return OkStatus();
  }

  Result<std::unique_ptr<http::StatusPages>> AddPages(
      Process& process, const std::shared_ptr<node::Node>& node,
      const std::shared_ptr<resp::ServerState>& state) {
    if (http_ == nullptr) return std::unique_ptr<http::StatusPages>();
    return http::StatusPages::Add(
        *http_, {.server = state,
                 .node = node,
                 .directory = directory_,
                 .version = CurrentBuild().version,
                 .more_metrics = [&process] { return process.metrics().ToPrometheus(); }});
  }

  // None where it cannot be written, as on a full disk: clients are served all the same.
  std::unique_ptr<ServerFileHolder> WriteFile(const resp::Server& server) const {
    ServerFile file;
    file.resp = server.addresses();
    if (http_ != nullptr) file.http = http_->addresses();
    auto written = ServerFileHolder::Write(directory_, file);
    // The file of a server that was killed may have the last room.
    if (!written.ok() && RemoveFile(ServerFilePath(directory_)).ok()) {
      written = ServerFileHolder::Write(directory_, file);
    }
    if (written.ok()) return *std::move(written);
    LogWarn("server", "cirein status and cirein stop do not find this server: {}",
            written.status().ToString());
    return nullptr;
  }

  Status ServeNode(const VerbContext& context, InterruptFlag& interrupt, Process& process,
                   const std::shared_ptr<node::Node>& node) {
    const bool power = node->pool().durability() == dpm::Durability::kPower;
    if (durability_ && *durability_ != node->pool().durability()) {
      return FailedPrecondition(
          fmt::format("the pool in '{}' has durability {}", directory_,
                      power ? "power" : "process"),
          "leave the option out, or choose another directory: a pool's durability never changes");
    }
    CIREIN_ASSIGN_OR_RETURN(const Bucket bucket,
                            Bucket::Parse(process.config().GetString("default.bucket")));
    auto state = std::make_shared<resp::ServerState>(resp::ServerState::Options{
        .store = node->store(),
        .bucket = bucket,
        .clock = &process.environment().clock,
        .fsync = power ? "always" : "everysec",
        .prepare_bytes = node->pool().superblock().large_bytes,
        .group_bytes = node->pool().superblock().segment_bytes / kLargeOfSegment,
        .seed = Entropy::FromSystem().Seed(),
        .shutdown = [&interrupt] { interrupt.Raise(); }});
    state->parameters().set_password(password_->first());
    password_->Follow(state);
    state->parameters().Apply(process.config());
    RaiseLimit(*state);
    state->Tell("dir", directory_);
    CIREIN_ASSIGN_OR_RETURN(
        const auto server,
        resp::Server::Start(state, process.pool_executor(),
                            {.addresses = Addresses(),
                             .threads = static_cast<std::size_t>(threads_),
                             .keeping = power ? resp::ServerShard::Keeping::kLater
                                              : resp::ServerShard::Keeping::kAtOnce}));
    CIREIN_ASSIGN_OR_RETURN(const auto pages, AddPages(process, node, state));
    auto file = WriteFile(*server);
    if (http_ != nullptr) http_->SetReady();
    context.console.Write(ReadyLine(*server));
    CIREIN_RETURN_IF_ERROR(context.console.Flush());
    interrupt.WaitUntil(kEndOfTime);
    LogInfo("server", "closing");
    if (http_ != nullptr) http_->SetNotReady("closing");
    file.reset();
    server->Stop();
    return OkStatus();
  }

  std::string ReadyLine(const resp::Server& server) const {
    std::string line = "cirein is ready:";
    std::string_view separator = " ";
    for (const StreamAddress& address : server.addresses()) {
      line += fmt::format("{}{} {}", separator, address.is_path() ? "unix" : "resp",
                          address.ToString());
      separator = ", ";
    }
    if (http_ != nullptr) {
      for (const StreamAddress& address : http_->addresses()) {
        line += fmt::format(", http {}", address.ToString());
      }
    }
    return line + "\n";
  }

  std::vector<StreamAddress> HostAddresses(std::uint16_t port) const {
    std::vector<StreamAddress> addresses;
    if (bind_.empty()) addresses.push_back({.host = "127.0.0.1", .port = port, .path = {}});
    for (const std::string& host : bind_) {
      addresses.push_back({.host = host, .port = port, .path = {}});
    }
    return addresses;
  }

  std::vector<StreamAddress> Addresses() const {
    std::vector<StreamAddress> addresses = HostAddresses(static_cast<std::uint16_t>(port_));
    if (!path_.empty()) addresses.push_back({.host = {}, .port = 0, .path = path_});
    return addresses;
  }

  Result<std::shared_ptr<node::Node>> OpenNode(Process& process) {
    const auto open = [&]() -> Result<std::shared_ptr<node::Node>> {
      CIREIN_ASSIGN_OR_RETURN(auto space, OpenDirectorySpace(directory_));
      return node::Node::Open(std::move(space), process.environment(), process.pool_executor(),
                              {.shards = threads_ == 1 ? 1U : kShards, .shared_log = true});
    };
    auto opened = open();
    if (opened.ok() || opened.status().code() != StatusCode::kNotFound) return opened;
    CIREIN_RETURN_IF_ERROR(CreatePool(process.environment().clock));
    return open();
  }

  Status CreatePool(const Clock& clock) const {
    CIREIN_ASSIGN_OR_RETURN(
        const auto space,
        OpenDirectorySpace(directory_, {.missing = DirectoryOptions::Missing::kMake}));
    Entropy entropy = Entropy::FromSystem();
    dpm::CreateOptions create;
    create.log_bytes = size_bytes_;
    create.segment_bytes = dpm::DefaultSegmentBytes(size_bytes_);
    // Of objects that clients send: an extent would cost each write three syncs, one of the file,
    // one of its size and one of its name, where the log has one for many, or none at all.
    create.large_bytes = create.segment_bytes / kLargeOfSegment;
    create.durability = durability_.value_or(dpm::Durability::kProcess);
    while (create.pool_id == 0) create.pool_id = entropy.Seed();
    create.created_ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(clock.WallNow()).count());
    return dpm::Dpm::Create(*space, create);
  }

  Result<std::string> ReadPassword() const {
    if (password_file_.empty()) return std::string();
    return ReadFirstLine(password_file_, "write the password there");
  }

  static void RaiseLimit(resp::ServerState& state) {
    const std::uint64_t clients = state.parameters().max_clients.load();
    const OpenFilesLimit limit = RaiseOpenFiles(clients + kOtherFiles);
    if (limit.now < clients + kOtherFiles) {
      LogWarn("server", "open files are limited to {}: only {} clients can be served", limit.now,
              limit.now > kOtherFiles ? limit.now - kOtherFiles : limit.now / 2);
    } else if (limit.now != limit.before) {
      LogInfo("server", "raised the limit of open files from {} to {}", limit.before, limit.now);
    }
  }

  std::string directory_ = "cirein-data";
  std::uint64_t port_ = 6380;
  std::vector<std::string> bind_;
  std::string path_;
  std::optional<std::uint64_t> http_port_;
  std::optional<dpm::Durability> durability_;
  std::uint64_t size_bytes_ = std::uint64_t{1} << 30;
  std::uint64_t threads_ = 1;
  std::string password_file_;
  std::shared_ptr<CurrentPassword> password_;
  std::unique_ptr<http::HttpServer> http_;
};

}  // namespace

std::unique_ptr<Verb> MakeUpVerb() { return std::make_unique<UpVerb>(); }

}  // namespace cirein
