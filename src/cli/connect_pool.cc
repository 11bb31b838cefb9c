// SPDX-License-Identifier: Apache-2.0
#include "cli/connect_pool.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>

#include "cli/object_text.h"
#include "pool/pool_types.h"
#include "runtime/file.h"

namespace cirein {
namespace {

// An error when the URL begins with a type and nobody knows it.
Status CheckType(std::string_view url) {
  const std::size_t colon = url.find(':');
  if (colon == std::string_view::npos) return OkStatus();
  const auto shortest = ResourceUrl::Parse(std::string(url.substr(0, colon)) + ":/path");
  if (!shortest.ok() || shortest->is_reference()) return OkStatus();
  return FindPoolType(shortest->type()).status();
}

bool IsPath(std::string_view text) {
  const std::string_view first = text.substr(0, text.find('/'));
  return text.starts_with('/') || first == "." || first == "..";
}

bool IsHostCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-';
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// "host:6380" or "[::1]:6380", which no URL looks like: behind a type comes a path or a bracket.
bool IsHostAndPort(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) return false;
  const std::string_view port = text.substr(colon + 1);
  const std::string_view host = text.substr(0, colon);
  return std::all_of(port.begin(), port.end(), IsDigit) &&
         ((host.front() == '[' && host.back() == ']') ||
          std::all_of(host.begin(), host.end(), IsHostCharacter));
}

// As the value of a URL's option.
std::string OptionValue(std::string_view text) {
  std::string value;
  for (const char c : text) {
    if (c == '%') {
      value += "%25";
    } else {
      value += c;
    }
  }
  return value;
}

std::optional<std::string> ServerUrlOf(std::string_view where) {
  constexpr std::string_view kTcp = "tcp://";
  constexpr std::string_view kUnix = "unix:";
  if (where.starts_with(kUnix)) {
    return "server:/&unix=" + OptionValue(where.substr(kUnix.size()));
  }
  if (where.starts_with(kTcp)) {
    where.remove_prefix(kTcp.size());
  } else if (!IsHostAndPort(where)) {
    return std::nullopt;
  }
  if (where.find_first_of("[]") == std::string_view::npos && IsHostAndPort(where)) {
    return "server:/" + std::string(where);
  }
  return "server:/&address=" + OptionValue(where);  // Brackets cannot stand in a path.
}

// Without "." and empty parts, which a URL cannot have. A ".." stays: what it leads to, behind a
// symbolic link, is for the system to say.
std::string PlainPath(std::string_view path) {
  std::string plain;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (!part.empty() && part != ".") plain.append("/").append(part);
  }
  return plain.empty() ? "/" : plain;
}

}  // namespace

Result<Pool> ConnectPool(std::string_view url) {
  const std::size_t end = std::min(url.find('&'), url.size());
  if (auto server = ServerUrlOf(url.substr(0, end))) {
    return Connect(server->append(url.substr(end)));
  }
  const Result<ResourceUrl> parsed = ResourceUrl::Parse(url);
  if (parsed.ok()) return Connect(*parsed);
  CIREIN_RETURN_IF_ERROR(CheckType(url));
  return parsed.status();
}

void AddPoolArgument(OptionSet* options, std::string* target) {
  options->AddArgument({"POOL", "", "its URL, the path of its directory, or HOST:PORT of a server"},
                       OptionSet::Presence::kRequired, target);
}

Result<std::string> PoolUrlOf(std::string_view text) {
  const std::size_t end = std::min(text.find('&'), text.size());
  const std::string_view path = text.substr(0, end);
  const std::string_view options = text.substr(end);
  if (auto server = ServerUrlOf(path)) return server->append(options);
  if (!IsPath(path)) return std::string(text);
  std::string absolute(path);
  if (!path.starts_with('/')) {
    CIREIN_ASSIGN_OR_RETURN(const std::string base, WorkingDirectory());
    absolute = base + "/" + absolute;
  }
  return "elastic:" + PlainPath(absolute).append(options);
}

Result<Pool> ConnectNamedPool(std::string_view text, MissingPool missing) {
  CIREIN_ASSIGN_OR_RETURN(const std::string given, PoolUrlOf(text));
  Result<ResourceUrl> url = ResourceUrl::Parse(given);
  if (!url.ok()) {
    const Status status = ConnectPool(given).status();  // Which says what is wrong with it.
    if (given.find_first_of(":[<&") != std::string::npos) return status;
    return WithHint(status,
                    "give a URL such as elastic:/path/to/pool, or the path of a pool's "
                    "directory, which begins with / or ./, such as ./" +
                        given);
  }
  const bool is_elastic = url->type() == "elastic";
  if (is_elastic && missing == MissingPool::kRefuse && !url->option("create")) {
    url->set_option("create", "no");
  }
  Result<Pool> pool = Connect(*url);
  if (!is_elastic || pool.code() != StatusCode::kNotFound) return pool;
  return WithHint(pool.status(), "check the path, or make the pool with cirein pool create");
}

}  // namespace cirein
