// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "cirein/status.h"

#include "runtime/clock.h"
#include "runtime/stream_socket.h"

namespace cirein::http {

struct HttpAnswer {
  int status = 0;
  std::string head;  ///< Status line and headers.
  std::string body;
};

struct HttpQuestion {
  std::string target = "/";  ///< Path and query, percent-encoded.
  std::string password;      ///< For basic authentication; empty: none.
  std::chrono::nanoseconds time = std::chrono::seconds(10);  ///< From the connection to the end.
  std::uint64_t max_bytes = std::uint64_t{64} << 20;         ///< Of the answer.
};

/// Asks a server that ends each connection behind its answer, as HttpServer does; blocks. Errors:
/// IoError when nobody is there, DeadlineExceeded, ResourceExhausted for too long an answer,
/// DataLoss for one that is cut short or no HTTP. An answer of any status is an answer.
Result<HttpAnswer> HttpGet(Clock& clock, const StreamAddress& address,
                           const HttpQuestion& question);

/// What came from a server until it ended the connection, taken apart. Errors: DataLoss.
Result<HttpAnswer> ParseAnswer(std::string_view text);

}  // namespace cirein::http
