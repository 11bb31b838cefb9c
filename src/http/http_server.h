// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/status.h"

#include "http/http_message.h"
#include "runtime/clock.h"
#include "runtime/reactor_thread.h"
#include "runtime/stream_listener.h"
#include "runtime/worker_pool.h"

namespace cirein::http {

/// Pages over HTTP, GET only, one request a connection: what people, scripts and monitoring systems
/// ask a server. Connections cost no thread, so one that is slow, silent or gone keeps nobody
/// waiting; pages are made on threads of the server's own, and may block. Without anything to do it
/// uses no processor time. Thread-safe.
///
/// "/healthz" is the server's own: 200 and "ready", or 503 and why not. While it is not ready all
/// other pages are answered like it. It alone needs no password.
class HttpServer {
 public:
  static constexpr std::size_t kMaxPathBytes = 1024;
  using Handler = std::function<HttpResponse(const HttpRequest& request)>;

  struct Options {
    std::vector<StreamAddress> addresses;  ///< Where it listens; port 0: any that is free.
    /// The password that others must give by HTTP's basic authentication, with any user's name;
    /// empty: none. Asked for at each request, on the reactor's thread. Null: none.
    std::function<std::string()> password = nullptr;
    /// When there are more, the one that has been sending its request for longest has to go.
    std::size_t max_clients = 64;
    std::size_t max_threads = 8;  ///< That make pages; started when they are needed.
    /// To send the whole request, and to take the whole answer.
    std::chrono::nanoseconds request_time = std::chrono::seconds(10);
    std::chrono::nanoseconds answer_time = std::chrono::seconds(60);
  };

  /// Listens; not ready yet. `clock` outlives it. Errors: FailedPrecondition for an address that
  /// other machines reach without a password; those of StreamListener::Listen and
  /// ReactorThread::Start.
  static Result<std::unique_ptr<HttpServer>> Start(Clock& clock, Options options);
  /// Stops.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// As they really are.
  const std::vector<StreamAddress>& addresses() const noexcept { return addresses_; }

  /// Answers `path` with what `handler` gives, from several threads at once; an exception out of it
  /// is answered with 500. A title shows the page among others. Errors: AlreadyExists;
  /// InvalidArgument for no handler, and for a path that is not "/" and names with '/' between
  /// them, of what needs no escape in a URL, none empty, "." or "..", in at most kMaxPathBytes.
  Status AddPage(std::string path, std::string title, Handler handler);
  struct Page {
    std::string path;
    std::string title;
  };
  /// Those with a title, by path.
  std::vector<Page> pages() const;

  void SetReady();
  /// From now on; `why` is a phrase.
  void SetNotReady(std::string why);
  bool is_ready() const;

  /// Ends listening and all connections. Blocks until handlers have returned, or none has for some
  /// seconds. A second call does nothing.
  void Stop();

 private:
  class Connection;
  class Link;
  struct Listener {
    std::unique_ptr<StreamListener> listener;
    bool is_local = true;
  };

  HttpServer(Clock& clock, Options options);
  Status Listen();
  Status StartThreads();

  // On the reactor's thread.
  void Adopt(StreamSocket socket, bool is_local);
  bool MakeRoom();
  void OnReady(Connection& connection, FdReadiness readiness);
  void ReceiveSome(Connection& connection);
  void Answer(Connection& connection, const ParsedRequest& parsed);
  void Run(Connection& connection, const HttpRequest& request);
  HttpResponse Health() const;
  void Reply(Connection& connection, const HttpResponse& response);
  void Deliver(std::uint64_t id, const HttpResponse& response);
  void SendSome(Connection& connection);
  void SetTimer(Connection& connection, std::chrono::nanoseconds after);
  void End(std::uint64_t id);
  bool IsAllowed(const Connection& connection, const HttpRequest& request,
                 HttpResponse* refusal) const;

  Clock& clock_;
  const Options options_;
  std::vector<StreamAddress> addresses_;
  std::vector<Listener> listeners_;
  std::unique_ptr<ReactorThread> reactor_;
  std::unique_ptr<WorkerPool> workers_;
  const std::shared_ptr<Link> link_;

  // The reactor's.
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;  // By age.

  struct Entry {
    std::string title;
    std::shared_ptr<const Handler> handler;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Entry> pages_;      // Guarded by mutex_.
  std::string why_not_ready_ = "starting";  // Guarded by mutex_; empty: it is ready.
  bool stopped_ = false;                    // Guarded by mutex_.
};

}  // namespace cirein::http
