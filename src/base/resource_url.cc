// SPDX-License-Identifier: Apache-2.0
#include "cirein/resource_url.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace cirein {
namespace {

constexpr std::string_view kShape =
    "the shape is type:<0xNODE>[bucket]/dir/name&option=value, such as local:/scratch or "
    "dht:[sim]/my/pool&min_members=4";
constexpr std::string_view kReference = "ref";
constexpr std::string_view kLocal = "local";
constexpr std::string_view kNull = "null";

Status Refuse(std::string_view url, std::string_view what) {
  return InvalidArgument(fmt::format("resource URL {}: {}", QuoteForPeople(url), what),
                         std::string(kShape));
}

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsNameCharacter(char c) {
  return IsLetter(c) || IsDigit(c) || c == '_' || c == '-' || c == '.';
}

// Types and option names are words: they are typed by hand and shown in tables.
bool IsWord(std::string_view text) {
  return !text.empty() && IsLetter(text.front()) &&
         std::all_of(text.begin(), text.end(), IsNameCharacter);
}

bool NeedsNoPath(std::string_view type) { return type == kLocal || type == kNull; }

// Why `part` cannot be a part of a path; empty when it can.
std::string_view WhyBadPart(std::string_view part) {
  if (part.empty()) return "the path has an empty part";
  for (const char c : part) {
    if (IsControlByte(c)) return "the path has a control character";
    if (c == '/') return "a part of the path has a '/'";
    if (c == '&') return "the path has an '&', which begins the options";
    if (c == '<' || c == '>' || c == '[' || c == ']') {
      return "the path has one of < > [ ]; node and bucket stand before the path";
    }
  }
  return {};
}

// `path` is empty, "/", or "/part/part" without a slash at its end.
std::string_view WhyBadPath(std::string_view path) {
  if (path.empty() || path == "/") return {};
  if (path.front() != '/') return "the path does not begin with '/'";
  for (std::string_view rest = path; !rest.empty();) {
    rest.remove_prefix(1);
    const std::size_t end = std::min(rest.find('/'), rest.size());
    if (const std::string_view why = WhyBadPart(rest.substr(0, end)); !why.empty()) return why;
    rest.remove_prefix(end);
  }
  return {};
}

// The canonical name of a type: small letters, aliases resolved, none means a reference.
std::string CanonicalType(std::string_view type) {
  std::string name = AsciiLower(type);
  if (name.empty()) return std::string(kReference);
  if (name == "localkv" || name == "lkv") return std::string(kLocal);
  return name;
}

// A reference below /local needs no directory to be resolved.
bool IsLocalPath(std::string_view path) { return path == "/local" || path.starts_with("/local/"); }

// In a value "%26" is '&' and "%25" is '%'; any other '%' stands for itself, so that values which
// were escaped for another purpose pass through as they are.
std::string DecodeValue(std::string_view text) {
  std::string value;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::string_view escape = text.substr(at, 3);
    if (escape == "%26" || escape == "%25") {
      value.push_back(escape == "%26" ? '&' : '%');
      at += 2;
    } else {
      value.push_back(text[at]);
    }
  }
  return value;
}

std::string EncodeValue(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '&') {
      text += "%26";
    } else if (c == '%') {
      text += "%25";
    } else {
      text.push_back(c);
    }
  }
  return text;
}

// Takes the text up to `close` off the front of `*rest`, which begins with an opening bracket.
std::optional<std::string_view> TakeBracketed(std::string_view* rest, char close) {
  const std::size_t end = rest->find(close);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view inside = rest->substr(1, end - 1);
  rest->remove_prefix(end + 1);
  return inside;
}

}  // namespace

/// Takes a URL apart from left to right; each step takes its part off the front of `rest_`.
class ResourceUrl::Parser {
 public:
  explicit Parser(std::string_view text) : text_(text), rest_(text) {}

  Result<ResourceUrl> Parse() {
    if (text_.empty()) return InvalidArgument("the resource URL is empty", std::string(kShape));
    if (text_.size() > kMaxBytes) {
      return Refuse(text_, fmt::format("it is longer than {} bytes", kMaxBytes));
    }
    CIREIN_RETURN_IF_ERROR(TakeType());
    CIREIN_RETURN_IF_ERROR(TakeNodeAndBucket());
    CIREIN_RETURN_IF_ERROR(TakePath());
    CIREIN_RETURN_IF_ERROR(TakeOptions());
    url_.Normalize();
    CIREIN_RETURN_IF_ERROR(url_.Validate());
    return std::move(url_);
  }

 private:
  Status TakeType() {
    const std::size_t end = rest_.find_first_of(":<[/&");
    if (end == std::string_view::npos || rest_[end] != ':') {
      if (end != 0) {
        return Refuse(text_,
                      fmt::format("{} is neither a type with its ':' nor a path with its '/'",
                                  QuoteForPeople(rest_.substr(0, end))));
      }
      return OkStatus();
    }
    const std::string_view type = rest_.substr(0, end);
    if (!type.empty() && !IsWord(type)) {
      return Refuse(text_, fmt::format("the type {} is not a word of letters, digits, '_', '-' and "
                                       "'.' that begins with a letter",
                                       QuoteForPeople(type)));
    }
    url_.type_ = CanonicalType(type);
    rest_.remove_prefix(end + 1);
    return OkStatus();
  }

  Status TakeNodeAndBucket() {
    while (!rest_.empty() && (rest_.front() == '<' || rest_.front() == '[')) {
      CIREIN_RETURN_IF_ERROR(rest_.front() == '<' ? TakeNode() : TakeBucket());
    }
    return OkStatus();
  }

  Status TakeNode() {
    if (url_.node_) return Refuse(text_, "it names two nodes");
    const std::optional<std::string_view> inside = TakeBracketed(&rest_, '>');
    if (!inside) return Refuse(text_, "the node has no closing '>'");
    if (!inside->starts_with("0x") && !inside->starts_with("0X")) return RefuseNode(*inside);
    const std::string_view digits = inside->substr(2);
    const Result<std::uint64_t> node = ParseHex64(digits);
    if (!node.ok() || digits.size() > 16) return RefuseNode(*inside);
    url_.node_ = *node;
    return OkStatus();
  }

  Status RefuseNode(std::string_view inside) const {
    return Refuse(text_, fmt::format("the node {} is not 0x and one to sixteen hex digits",
                                     QuoteForPeople(inside)));
  }

  Status TakeBucket() {
    if (url_.bucket_.specified()) return Refuse(text_, "it names two buckets");
    const std::optional<std::string_view> inside = TakeBracketed(&rest_, ']');
    if (!inside) return Refuse(text_, "the bucket has no closing ']'");
    const Result<Bucket> bucket = Bucket::Parse(*inside);
    if (!bucket.ok()) {
      return bucket.status().WithContext(fmt::format("resource URL {}", QuoteForPeople(text_)));
    }
    url_.bucket_ = *bucket;
    return OkStatus();
  }

  Status TakePath() {
    const std::size_t end = std::min(rest_.find('&'), rest_.size());
    std::string_view path = rest_.substr(0, end);
    rest_.remove_prefix(end);
    if (path.size() > 1 && path.ends_with('/') && !path.ends_with("//")) path.remove_suffix(1);
    if (const std::string_view why = WhyBadPath(path); !why.empty()) return Refuse(text_, why);
    url_.path_ = path;
    return OkStatus();
  }

  Status TakeOptions() {
    while (!rest_.empty()) {
      rest_.remove_prefix(1);  // The '&' that begins the option.
      const std::size_t end = std::min(rest_.find('&'), rest_.size());
      const std::string_view option = rest_.substr(0, end);
      rest_.remove_prefix(end);
      const std::size_t equals = option.find('=');
      if (equals == std::string_view::npos) {
        return Refuse(text_, fmt::format("the option {} has no '='", QuoteForPeople(option)));
      }
      const std::string_view name = option.substr(0, equals);
      if (!IsWord(name)) {
        return Refuse(text_,
                      fmt::format("the option name {} is not a word of letters, digits, '_', "
                                  "'-' and '.' that begins with a letter",
                                  QuoteForPeople(name)));
      }
      url_.options_.insert_or_assign(std::string(name), DecodeValue(option.substr(equals + 1)));
    }
    return OkStatus();
  }

  std::string_view text_;
  std::string_view rest_;
  ResourceUrl url_;
};

Result<ResourceUrl> ResourceUrl::Parse(std::string_view text) { return Parser(text).Parse(); }

Status ResourceUrl::Validate() const {
  const std::string text = ToString();
  if (text.size() > kMaxBytes) {
    return Refuse(text, fmt::format("written out in full it is longer than {} bytes", kMaxBytes));
  }
  if (!IsWord(type_)) return Refuse(text, "the type is not a word that begins with a letter");
  if (path_.empty() && !NeedsNoPath(type_)) {
    return Refuse(text, "it has no path, which only local: and null: may leave out");
  }
  if (const std::string_view why = WhyBadPath(path_); !why.empty()) return Refuse(text, why);
  for (const auto& [name, value] : options_) {
    if (!IsWord(name)) {
      return Refuse(text, fmt::format("the option name {} is not a word that begins with a letter",
                                      QuoteForPeople(name)));
    }
  }
  return OkStatus();
}

void ResourceUrl::Normalize() {
  type_ = CanonicalType(type_);
  if (is_reference() && IsLocalPath(path_)) type_ = kLocal;
}

std::string ResourceUrl::name() const {
  return path_.empty() ? std::string() : path_.substr(path_.rfind('/') + 1);
}

std::string ResourceUrl::parent() const {
  const std::size_t slash = path_.rfind('/');
  if (slash == std::string::npos) return {};
  return slash == 0 ? "/" : path_.substr(0, slash);
}

bool ResourceUrl::is_root_level() const { return depth() == 1; }

std::size_t ResourceUrl::depth() const {
  if (is_root()) return 0;
  return static_cast<std::size_t>(std::count(path_.begin(), path_.end(), '/'));
}

ResourceUrl& ResourceUrl::set_type(std::string type) {
  type_ = std::move(type);
  Normalize();
  return *this;
}

ResourceUrl& ResourceUrl::set_node(std::optional<std::uint64_t> node) {
  node_ = node;
  return *this;
}

ResourceUrl& ResourceUrl::set_bucket(Bucket bucket) {
  bucket_ = bucket;
  return *this;
}

Status ResourceUrl::PushDir(std::string_view part) {
  if (const std::string_view why = WhyBadPart(part); !why.empty()) {
    return InvalidArgument(
        fmt::format("cannot add {} to the path {}: {}", QuoteForPeople(part), path_, why),
        "add one part at a time, without a '/'");
  }
  if (path_.size() + 1 + part.size() > kMaxBytes) {
    return InvalidArgument(fmt::format("cannot add {} to the path {}: longer than {} bytes",
                                       QuoteForPeople(part), EscapeForPeople(path_), kMaxBytes),
                           "choose shorter names");
  }
  if (!is_root()) path_.push_back('/');
  path_ += part;
  Normalize();
  return OkStatus();
}

std::string ResourceUrl::PopDir() {
  std::string last = name();
  path_ = parent();
  return last;
}

ResourceUrl ResourceUrl::Parent() const {
  ResourceUrl url = *this;
  url.path_ = parent();
  url.options_.clear();
  return url;
}

std::optional<std::string> ResourceUrl::option(std::string_view name) const {
  const auto found = options_.find(name);
  if (found == options_.end()) return std::nullopt;
  return found->second;
}

ResourceUrl& ResourceUrl::set_option(std::string name, std::string value) {
  options_.insert_or_assign(std::move(name), std::move(value));
  return *this;
}

ResourceUrl& ResourceUrl::remove_option(std::string_view name) {
  if (const auto found = options_.find(name); found != options_.end()) options_.erase(found);
  return *this;
}

std::string ResourceUrl::ToString() const {
  std::string text = type_ + ":";
  if (node_) text += fmt::format("<{:#x}>", *node_);
  if (bucket_.specified()) text += fmt::format("[{}]", bucket_.ToString());
  text += path_;
  for (const auto& [name, value] : options_) {
    text += fmt::format("&{}={}", name, EncodeValue(value));
  }
  return text;
}

std::string ResourceUrl::BucketPath() const {
  return bucket_.specified() ? fmt::format("[{}]{}", bucket_.ToString(), path_) : path_;
}

std::string ResourceUrl::Dashify() const {
  std::string text = path_;
  std::replace(text.begin(), text.end(), '/', '-');
  return text;
}

}  // namespace cirein
