// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cirein/status.h"

namespace cirein {

/// What somebody asks of a page. Nothing of it can be believed: it comes from outside.
struct PageRequest {
  std::string path;  ///< As the page was added.
  /// Names and values behind the '?', decoded, in their order: any bytes.
  std::vector<std::pair<std::string, std::string>> parameters;

  /// The first of that name; nullopt when there is none. Lives as long as this.
  std::optional<std::string_view> Parameter(std::string_view name) const;
};

/// What a page answers.
struct PageResponse {
  std::string body;
  /// Printable ASCII; else the page is answered with an error.
  std::string content_type = "text/html; charset=utf-8";
};

/// Makes a page: what it returns is answered with 200. An error is answered as text: with 400 for
/// InvalidArgument, 403 for PermissionDenied, 404 for NotFound, 503 for Unavailable,
/// DeadlineExceeded and ResourceExhausted, 500 for all others. An exception is logged and answered
/// with 500.
///
/// Runs on a thread of the server's, on several at once, and may block and use pools. It should
/// only look: whatever page a browser on this machine shows can make it ask, though not read the
/// answer.
using PageHandler = std::function<Result<PageResponse>(const PageRequest& request)>;

/// Any bytes as text of HTML, also inside quotes; what is not printable UTF-8, line ends too, as
/// \xNN. Of more than `max_bytes` bytes only the first are shown. Thread-safe.
std::string EscapeHtml(std::string_view bytes, std::size_t max_bytes = SIZE_MAX);

/// A whole page that looks like the others and leads to them. `title` is text, `body` is HTML.
/// Thread-safe.
PageResponse MakeHtmlPage(std::string_view title, std::string_view body);

struct StatusServerOptions {
  /// An address of this machine. With one that others reach a password is needed.
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: any that is free.
  /// To be given by HTTP's basic authentication, with any user's name, for all but /healthz; empty:
  /// none. Without one only questions to an address or "localhost" are answered, so that no web
  /// page leads a browser here by a name of its own. There is no TLS.
  std::string password = {};
};

/// Pages over HTTP about a program that uses the library, and pages of its own: for people, scripts
/// and monitoring. GET only.
///
///   /             an overview, and all pages
///   /pools        the local store and the elastic pools that are open, with their numbers
///   /rows, /row   objects of `local:` pools: names and sizes, never values
///   /functions    the compute functions that are known
///   /status.json  the same for scripts
///   /metrics      as MetricsText, and some of the process, in Prometheus' text form
///   /healthz      200 for as long as the server is there
///
/// Pages that tell numbers of pools may wait while one is opened or closed, /healthz never does.
///
/// It has threads of its own, which use no processor time while nobody asks. A client that is slow,
/// silent or gone holds nobody. A handler that runs for long takes one of 8 threads, and others may
/// wait half a second for the next one; when all are taken by such, further questions are answered
/// with 503, but for /healthz. An answer that is not there after 60 s is not sent any more.
/// Browsers are told to run no script of a page and to load nothing for it; styles and forms work.
///
/// Thread-safe. Not part of cirein/cirein.h.
class StatusServer {
 public:
  /// Serves from now on, about the library as it is started now. Does not count as a user of it:
  /// once the library has been finished the standard pages are answered with 503, and those of the
  /// program go on. Errors: FailedPrecondition when the library is not started, or a password is
  /// missing; AlreadyExists when somebody listens there; InvalidArgument for what is no address; as
  /// the system reports.
  static Result<std::unique_ptr<StatusServer>> Start(const StatusServerOptions& options = {});
  /// Stops.
  ~StatusServer();
  StatusServer(const StatusServer&) = delete;
  StatusServer& operator=(const StatusServer&) = delete;

  /// As it really is.
  std::uint16_t port() const noexcept;
  /// "127.0.0.1:8080".
  const std::string& address() const noexcept;

  /// Answers `path` with what `handler` makes, until Stop. A title that is not empty, any text,
  /// shows the page on "/". The handler goes with the server, or with the last call of it. Errors:
  /// InvalidArgument for a path that is not "/" and names with "/" between them, of letters, digits
  /// and -._~!$&'()*+,;=:@ and none of them empty, "." or "..", in at most 1024 bytes in all, and
  /// for an empty handler; AlreadyExists for a path that is taken, by a standard page too.
  Status AddPage(std::string path, std::string title, PageHandler handler);

  /// Ends listening and all connections. Waits for handlers until for some seconds none has
  /// returned; what runs longer is left to itself and logged, so a handler keeps
  /// what it uses alive. Not to be called from a handler. A second call does nothing.
  void Stop();

 private:
  class State;
  explicit StatusServer(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace cirein
