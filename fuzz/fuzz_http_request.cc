// SPDX-License-Identifier: Apache-2.0

// Any bytes as a question over HTTP: its end is found however it is cut, what is understood of it
// is no larger than it was and comes out again of what is written from it, and its refusal is an
// answer.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "check.h"
#include "http/html.h"
#include "http/http_message.h"

namespace {

using cirein::http::EndOfHead;
using cirein::http::HttpRequest;
using cirein::http::HttpResponse;
using cirein::http::ParsedRequest;
using cirein::http::ParseRequest;

// As a server finds it, to which the bytes come in parts.
std::optional<std::size_t> EndInParts(std::string_view bytes, std::size_t part_bytes) {
  for (std::size_t seen = 0; seen < bytes.size(); seen += part_bytes) {
    const auto end = EndOfHead(bytes.substr(0, seen + part_bytes), seen);
    if (end) return end;
  }
  return std::nullopt;
}

bool HasControlByte(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return cirein::IsControlByte(c) && c != '\t'; });
}

std::string Write(const HttpRequest& request) {
  std::vector<std::string_view> parameters;
  for (const auto& [name, value] : request.parameters) {
    parameters.push_back(name);
    parameters.push_back(value);
  }
  const std::string path = "/" + cirein::PercentEncode(request.path.substr(1));
  return "GET " + cirein::http::Target(path, parameters) + " HTTP/1.1\r\nHost: " + request.host +
         "\r\nAuthorization: " + request.authorization + "\r\n\r\n";
}

void CheckRequest(const HttpRequest& request, std::size_t head_bytes) {
  CIREIN_FUZZ_CHECK(request.path.starts_with('/'));
  std::size_t bytes = request.path.size() + request.host.size() + request.authorization.size();
  for (const auto& [name, value] : request.parameters) bytes += name.size() + value.size() + 1;
  CIREIN_FUZZ_CHECK(bytes <= head_bytes);
  CIREIN_FUZZ_CHECK(!HasControlByte(request.host) && !HasControlByte(request.authorization));
  if (!request.parameters.empty()) {
    const auto& [name, value] = request.parameters.front();
    CIREIN_FUZZ_CHECK(request.Parameter(name) == value);
  }
  const ParsedRequest again = ParseRequest(Write(request));
  CIREIN_FUZZ_CHECK(again.error == 0);
  CIREIN_FUZZ_CHECK(again.request.path == request.path);
  CIREIN_FUZZ_CHECK(again.request.parameters == request.parameters);
  CIREIN_FUZZ_CHECK(again.request.host == request.host);
  CIREIN_FUZZ_CHECK(again.request.authorization == request.authorization);
}

void CheckRefusal(const ParsedRequest& parsed) {
  CIREIN_FUZZ_CHECK(parsed.error >= 400 && parsed.error <= 599 && !parsed.why.empty());
  const std::string answer = RenderResponse(HttpResponse::Text(parsed.error, parsed.why));
  const auto end = EndOfHead(answer, 0);
  CIREIN_FUZZ_CHECK(end && answer.substr(*end) == parsed.why + "\n");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::optional<std::size_t> end = EndOfHead(bytes, 0);
  CIREIN_FUZZ_CHECK(!end || (*end >= 4 && *end <= size));
  CIREIN_FUZZ_CHECK(EndInParts(bytes, 1) == end);
  CIREIN_FUZZ_CHECK(EndInParts(bytes, 3) == end);
  const std::string_view head = bytes.substr(0, end.value_or(size));
  const ParsedRequest parsed = ParseRequest(head);
  if (parsed.error == 0) {
    CheckRequest(parsed.request, head.size());
  } else {
    CheckRefusal(parsed);
  }
  static_cast<void>(cirein::http::IsHostOfThisMachine(bytes));
  static_cast<void>(cirein::http::BasicPassword(bytes));
  const std::string password(bytes);
  CIREIN_FUZZ_CHECK(cirein::http::BasicPassword(cirein::http::BasicAuthorization(password)) ==
                    password);
  return 0;
}
