// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What is asked and answered over HTTP/1.1, as far as a server of read-only pages needs it: GET
/// without a body. Pure functions, safe from any thread.
namespace cirein::http {

/// A request line and its headers may have so many bytes: the longest row and column,
/// percent-encoded, and some more.
inline constexpr std::size_t kMaxHeadBytes = std::size_t{448} << 10;
inline constexpr std::size_t kMaxHeaders = 100;

struct HttpRequest {
  std::string path;  ///< Decoded: any bytes behind its first '/'.
  /// Decoded, in their order.
  std::vector<std::pair<std::string, std::string>> parameters;
  std::string host;           ///< Of the Host header, as it came.
  std::string authorization;  ///< Of that header, as it came.

  /// The first of that name; nullopt when there is none. Lives as long as this.
  std::optional<std::string_view> Parameter(std::string_view name) const;
};

/// The first value of that name; nullopt when there is none. Lives as long as the parameters.
std::optional<std::string_view> FindParameter(
    const std::vector<std::pair<std::string, std::string>>& parameters, std::string_view name);

inline constexpr std::string_view kHtmlType = "text/html; charset=utf-8";
inline constexpr std::string_view kTextType = "text/plain; charset=utf-8";
inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

struct HttpResponse {
  int status = 200;
  std::string content_type{kHtmlType};
  std::string body;
  /// What a browser may do for the page: nothing but show it.
  std::string content_security =
      "default-src 'none'; style-src 'unsafe-inline'; "
      "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

  /// One line of text.
  static HttpResponse Text(int status, std::string_view line);
};

struct ParsedRequest {
  int error = 0;  ///< The status to refuse it with; 0: it is good.
  std::string why;
  HttpRequest request;
};

/// Where the head of the first request ends in what came so far, its empty line included; nullopt
/// when it is not there yet. `seen` bytes were looked at before.
std::optional<std::size_t> EndOfHead(std::string_view received, std::size_t seen);

/// Understands one whole head. Nothing of it is believed.
ParsedRequest ParseRequest(std::string_view head);

/// As it is sent; the connection ends behind it.
std::string RenderResponse(const HttpResponse& response);

/// The password of "Basic ..."; nullopt when it is not that.
std::optional<std::string> BasicPassword(std::string_view authorization);

/// "Basic ..." for any user with this password.
std::string BasicAuthorization(std::string_view password);

/// Is this (a Host header) an address, "localhost" or nothing, with or without a port? A name may
/// be anybody's, who leads a browser here with it.
bool IsHostOfThisMachine(std::string_view host);

}  // namespace cirein::http
