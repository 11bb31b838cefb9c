// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "cirein/status.h"

#include "http/http_server.h"
#include "http/server_status.h"

namespace cirein::http {

/// The pages of a server that is up: /, /pools, /rows, /row, /functions, /status.json, /metrics.
/// Each looks at a bounded number of rows, and shows no values. Thread-safe.
class StatusPages {
 public:
  /// Adds them. `server` outlives it. Errors: those of HttpServer::AddPage.
  static Result<std::unique_ptr<StatusPages>> Add(HttpServer& server, StatusSource source);
  /// Closes.
  ~StatusPages();
  StatusPages(const StatusPages&) = delete;
  StatusPages& operator=(const StatusPages&) = delete;

  /// The pages are answered with 503 from now on. Blocks until those under way are done; then
  /// nothing of the source is used any more.
  void Close();

 private:
  class Maker;
  explicit StatusPages(std::shared_ptr<Maker> maker) : maker_(std::move(maker)) {}
  const std::shared_ptr<Maker> maker_;
};

}  // namespace cirein::http
