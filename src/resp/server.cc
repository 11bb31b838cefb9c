// SPDX-License-Identifier: Apache-2.0
#include "resp/server.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "runtime/notification.h"

namespace cirein::resp {
namespace {

Status NeedsPassword(const StreamAddress& address) {
  return FailedPrecondition(
      fmt::format("{} can be reached from other machines, and there is no password",
                  address.ToString()),
      "set one (--requirepass-file FILE), or listen at 127.0.0.1 only");
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(std::shared_ptr<ServerState> state,
                                              Executor& executor, const Options& options) {
  std::unique_ptr<Server> server(new Server(std::move(state)));
  CIREIN_RETURN_IF_ERROR(server->Listen(options));
  CIREIN_RETURN_IF_ERROR(server->StartShards(executor, options));
  server->TellAddresses();
  return server;
}

Server::~Server() { Stop(); }

Status Server::Listen(const Options& options) {
  for (const StreamAddress& address : options.addresses) {
    CIREIN_ASSIGN_OR_RETURN(const bool is_local, IsLocalAddress(address));
    if (!is_local && !state_->parameters().has_password()) return NeedsPassword(address);
    CIREIN_ASSIGN_OR_RETURN(auto listener, StreamListener::Listen(address));
    addresses_.push_back(listener->address());
    listeners_.push_back(std::move(listener));
  }
  return OkStatus();
}

Status Server::StartShards(Executor& executor, const Options& options) {
  for (std::size_t i = 0; i < std::max(options.threads, std::size_t{1}); ++i) {
    CIREIN_ASSIGN_OR_RETURN(auto thread,
                            ReactorThread::Start(const_cast<Clock&>(state_->clock()),
                                                 {.name = fmt::format("resp-{}", i),
                                                  .queue_max = 16'384,
                                                  .idle = ReactorOptions::Idle::kBlocks}));
    shards_.push_back(
        std::make_unique<ServerShard>(*state_, thread->reactor(), executor, options.keeping));
    reactors_.push_back(std::move(thread));
    CIREIN_RETURN_IF_ERROR(shards_.back()->Start());
  }
  Status started;
  Notification done;
  Reactor& first = reactors_.front()->reactor();
  CIREIN_RETURN_IF_ERROR(first.Post([&] {
    for (const auto& listener : listeners_) {
      started =
          listener->Start(first, [this](StreamSocket socket) { Distribute(std::move(socket)); });
      if (!started.ok()) break;
    }
    done.Notify();
  }));
  done.WaitUntil(kEndOfTime);
  return started;
}

void Server::TellAddresses() {
  std::string bind;
  std::string port = "0";
  std::string path;
  for (const StreamAddress& address : addresses_) {
    if (address.is_path()) {
      path = address.path;
    } else {
      bind += (bind.empty() ? "" : " ") + address.host;
      port = std::to_string(address.port);
    }
  }
  const auto is_remote = [](const auto& listener) { return !listener->is_local(); };
  state_->Tell("remote",
               std::any_of(listeners_.begin(), listeners_.end(), is_remote) ? "yes" : "no");
  state_->Tell("io-threads", std::to_string(shards_.size()));
  state_->Tell("bind", bind);
  state_->Tell("port", port);
  state_->Tell("unixsocket", path);
}

void Server::Distribute(StreamSocket socket) {
  const auto least = std::min_element(
      shards_.begin(), shards_.end(),
      [](const auto& a, const auto& b) { return a->connections() < b->connections(); });
  (*least)->Adopt(std::move(socket));
}

void Server::Stop() {
  if (stopped_.exchange(true)) return;
  if (!shards_.empty()) {
    Notification done;
    const Status posted = reactors_.front()->reactor().Post([&] {
      for (const auto& listener : listeners_) listener->Stop();
      done.Notify();
    });
    if (posted.ok()) done.WaitUntil(kEndOfTime);
  }
  for (const auto& shard : shards_) shard->Close();
  for (const auto& reactor : reactors_) reactor->Stop();
  listeners_.clear();
  shards_.clear();
}

}  // namespace cirein::resp
