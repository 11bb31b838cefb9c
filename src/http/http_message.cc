// SPDX-License-Identifier: Apache-2.0
#include "http/http_message.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <fmt/format.h>

#include "base/text.h"

namespace cirein::http {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsTokenPart(char c) {
  return IsLetter(c) || IsDigit(c) ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenPart);
}

std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The part before `separator`, which is taken away with it; all when there is none.
std::string_view Next(std::string_view& rest, std::string_view separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view part = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + separator.size());
  return part;
}

ParsedRequest Refuse(int status, std::string why) {
  ParsedRequest refused;
  refused.error = status;
  refused.why = std::move(why);
  return refused;
}

// Forms send a blank as '+'.
std::optional<std::string> DecodeParameter(std::string_view text) {
  std::string plain(text);
  std::replace(plain.begin(), plain.end(), '+', ' ');
  Result<std::string> decoded = PercentDecode(plain);
  if (!decoded.ok()) return std::nullopt;
  return std::move(*decoded);
}

bool ParseTarget(std::string_view target, HttpRequest& request) {
  if (target.empty() || target.front() != '/') return false;
  if (!std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c <= '~'; })) {
    return false;
  }
  std::string_view query = target;
  Result<std::string> path = PercentDecode(Next(query, "?"));
  if (!path.ok()) return false;
  request.path = std::move(*path);
  while (!query.empty()) {
    std::string_view value = Next(query, "&");
    std::optional<std::string> name = DecodeParameter(Next(value, "="));
    std::optional<std::string> decoded = DecodeParameter(value);
    if (!name || !decoded) return false;
    request.parameters.emplace_back(std::move(*name), std::move(*decoded));
  }
  return true;
}

ParsedRequest ParseRequestLine(std::string_view line) {
  std::string_view rest = line;
  const std::string_view method = Next(rest, " ");
  const std::string_view target = Next(rest, " ");
  if (!IsToken(method) || target.empty()) return Refuse(400, "this is no HTTP request");
  if (rest != "HTTP/1.1" && rest != "HTTP/1.0") {
    return Refuse(rest.starts_with("HTTP/") ? 505 : 400, "only HTTP/1.1 is spoken here");
  }
  if (method != "GET") return Refuse(405, "only GET is answered here");
  ParsedRequest parsed;
  if (!ParseTarget(target, parsed.request)) return Refuse(400, "the path is malformed");
  return parsed;
}

// Takes one header; what it may not be is put into `parsed`.
void ParseHeader(std::string_view line, ParsedRequest& parsed) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) {
    parsed = Refuse(400, "a header is malformed");
    return;
  }
  const std::string name = AsciiLower(line.substr(0, colon));
  const std::string_view value = TrimBlanks(line.substr(colon + 1));
  if (std::any_of(value.begin(), value.end(),
                  [](char c) { return IsControlByte(c) && c != '\t'; })) {
    parsed = Refuse(400, "a header has a control character");
  } else if (name == "transfer-encoding" || (name == "content-length" && value != "0")) {
    parsed = Refuse(413, "a GET has no body here");
  } else if (name == "host") {
    if (!parsed.request.host.empty()) parsed = Refuse(400, "there are two hosts");
    parsed.request.host = value;
  } else if (name == "authorization") {
    parsed.request.authorization = value;
  }
}

std::string_view Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return status < 400 ? "OK" : "Error";
  }
}

std::string_view MoreHeaders(int status) {
  if (status == 401) return "WWW-Authenticate: Basic realm=\"cirein\", charset=\"UTF-8\"\r\n";
  if (status == 405) return "Allow: GET\r\n";
  if (status == 503) return "Retry-After: 1\r\n";
  return "";
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string bytes;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const std::size_t value = kBase64.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xFFFFFF;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes.push_back(static_cast<char>(bits >> held & 0xFF));
  }
  return bytes;
}

std::string EncodeBase64(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text.push_back(k <= count ? kBase64[bits >> (18 - 6 * k) & 63] : '=');
    }
  }
  return text;
}

}  // namespace

std::optional<std::string_view> FindParameter(
    const std::vector<std::pair<std::string, std::string>>& parameters, std::string_view name) {
  const auto found = std::find_if(parameters.begin(), parameters.end(),
                                  [name](const auto& each) { return each.first == name; });
  if (found == parameters.end()) return std::nullopt;
  return found->second;
}

std::optional<std::string_view> HttpRequest::Parameter(std::string_view name) const {
  return FindParameter(parameters, name);
}

HttpResponse HttpResponse::Text(int status, std::string_view line) {
  HttpResponse response;
  response.status = status;
  response.content_type = kTextType;
  response.body = fmt::format("{}\n", line);
  return response;
}

std::optional<std::size_t> EndOfHead(std::string_view received, std::size_t seen) {
  const std::size_t from = seen < kHeadEnd.size() ? 0 : seen - kHeadEnd.size() + 1;
  const std::size_t at = received.find(kHeadEnd, from);
  if (at == std::string_view::npos) return std::nullopt;
  return at + kHeadEnd.size();
}

ParsedRequest ParseRequest(std::string_view head) {
  std::string_view rest = head;
  ParsedRequest parsed = ParseRequestLine(Next(rest, kLineEnd));
  for (std::size_t headers = 0; parsed.error == 0; ++headers) {
    const std::string_view line = Next(rest, kLineEnd);
    if (line.empty()) break;
    if (headers == kMaxHeaders) return Refuse(431, "there are too many headers");
    ParseHeader(line, parsed);
  }
  return parsed;
}

std::string RenderResponse(const HttpResponse& response) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n"
      "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
      "Referrer-Policy: no-referrer\r\nContent-Security-Policy: {}\r\n{}\r\n{}",
      response.status, Reason(response.status), response.content_type, response.body.size(),
      response.content_security, MoreHeaders(response.status), response.body);
}

std::optional<std::string> BasicPassword(std::string_view authorization) {
  constexpr std::string_view kScheme = "basic ";
  if (AsciiLower(authorization.substr(0, kScheme.size())) != kScheme) return std::nullopt;
  authorization.remove_prefix(kScheme.size());
  const std::optional<std::string> pair = DecodeBase64(TrimBlanks(authorization));
  if (!pair) return std::nullopt;
  const std::size_t colon = pair->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return pair->substr(colon + 1);
}

std::string BasicAuthorization(std::string_view password) {
  return "Basic " + EncodeBase64(fmt::format("default:{}", password));
}

bool IsHostOfThisMachine(std::string_view host) {
  if (host.starts_with('[')) return host.find(']') != std::string_view::npos;  // An IPv6 address.
  const std::string name = AsciiLower(host.substr(0, host.find(':')));
  if (name.empty() || name == "localhost") return true;
  // No name of the public tree ends in a label of digits alone.
  return std::all_of(name.begin(), name.end(), [](char c) { return IsDigit(c) || c == '.'; });
}

}  // namespace cirein::http
