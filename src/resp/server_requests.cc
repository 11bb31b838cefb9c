// SPDX-License-Identifier: Apache-2.0
#include "resp/server_requests.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "resp/cirein_arguments.h"

namespace cirein::resp {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// Of an error that is worded as Redis words them.
constexpr std::size_t kShownErrorBytes = 1024;
// The longest time that both sides can say in nanoseconds.
constexpr std::int64_t kMaxTtlMs =
    std::chrono::duration_cast<milliseconds>(nanoseconds::max()).count();

// The words of one command.
class Words {
 public:
  Words& Add(std::string_view word) {
    ++count_;
    AddLength(word.size());
    text_.append(word).append("\r\n");
    return *this;
  }
  Words& Add(std::int64_t number) { return Add(std::string_view(std::to_string(number))); }
  // The object's data: once in a command.
  Words& Add(DataObject object) {
    ++count_;
    AddLength(object.data_bytes());
    split_ = text_.size();
    object_ = std::move(object);
    text_.append("\r\n");
    return *this;
  }
  Words& AddColumns(const Pattern& pattern) {
    using Match = Pattern::ColumnMatch;
    switch (pattern.column_match()) {
      case Match::kNone:
        break;
      case Match::kExact:
        Add("COLUMN").Add(pattern.column());
        break;
      case Match::kPrefix:
        Add("COLUMNS").Add(pattern.column());
        break;
      case Match::kAll:
        Add("ALL");
        break;
    }
    return pattern.row_is_prefix() ? Add("PREFIX") : *this;
  }
  RequestBytes Take() {
    RequestBytes request;
    const std::size_t split = object_.is_null() ? text_.size() : split_;
    request.head = fmt::format("*{}\r\n", count_).append(text_, 0, split);
    request.tail = text_.substr(split);
    request.data = std::move(object_);
    return request;
  }

 private:
  void AddLength(std::uint64_t bytes) {
    text_ += '$';
    text_ += std::to_string(bytes);
    text_ += "\r\n";
  }

  std::size_t count_ = 0;
  std::string text_;
  std::size_t split_ = 0;
  DataObject object_;
};

Status Nonsense(std::string_view command) {
  return DataLoss(fmt::format("the server's answer to {} means nothing", command),
                  "is it a cirein server, of the same version?");
}

std::optional<StatusCode> CodeNamed(std::string_view name) {
  for (int code = 1; code <= static_cast<int>(StatusCode::kInternal); ++code) {
    if (StatusCodeName(static_cast<StatusCode>(code)) == name) return static_cast<StatusCode>(code);
  }
  return std::nullopt;
}

// "message (hint)": the last parentheses, if the text ends with them.
std::pair<std::string, std::string> SplitHint(std::string_view text) {
  if (!text.ends_with(')')) return {std::string(text), ""};
  int depth = 0;
  for (std::size_t at = text.size(); at-- > 0;) {
    if (text[at] == ')') ++depth;
    if (text[at] == '(') --depth;
    if (depth != 0) continue;
    if (at < 2 || text[at - 1] != ' ') break;
    return {std::string(text.substr(0, at - 1)),
            std::string(text.substr(at + 1, text.size() - at - 2))};
  }
  return {std::string(text), ""};
}

// Errors that are worded as Redis words them.
Status ParseRedisError(std::string_view code, std::string_view text) {
  const std::string message = fmt::format("the server says: {}", text);
  if (code == "OOM") return ResourceExhausted(message, "the pool is full: drop something");
  if (code == "NOAUTH" || code == "WRONGPASS" || code == "NOPERM") {
    return PermissionDenied(message,
                            "the server needs its password: append &password-file=FILE, whose "
                            "first line it is, to the URL");
  }
  if (code == "LOADING" || code == "BUSY") return Unavailable(message, "try again later");
  if (code == "WRONGTYPE" || code == "MISCONF" || code == "READONLY") {
    return FailedPrecondition(message);
  }
  if (text.find("unknown command") != std::string_view::npos) {
    return Unimplemented(message, "is it a cirein server, of the same version?");
  }
  if (text.find("max number of clients") != std::string_view::npos) {
    return Unavailable(message, "end other clients, or raise the server's maxclients");
  }
  return InvalidArgument(message);
}

std::optional<std::int64_t> NumberIn(const Reply& map, std::string_view name, std::int64_t least) {
  const Reply* const reply = map.Find(name);
  if (reply == nullptr || reply->kind != Reply::Kind::kInteger || reply->integer < least) {
    return std::nullopt;
  }
  return reply->integer;
}

std::optional<Version> VersionIn(const Reply& map) {
  const Reply* const reply = map.Find("version");
  return reply == nullptr ? std::nullopt : ParseVersion(reply->text());
}

bool IsText(const Reply* reply) { return reply != nullptr && reply->kind == Reply::Kind::kBulk; }

std::optional<nanoseconds> TtlOf(std::int64_t ms) {
  if (ms < 0) return std::nullopt;
  return milliseconds(std::min(ms, kMaxTtlMs));
}

Availability AvailabilityNamed(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Availability::kDisk); ++i) {
    if (AvailabilityName(static_cast<Availability>(i)) == name) return static_cast<Availability>(i);
  }
  return Availability::kPersistentMemory;
}

// A key that the pattern may have meant; nullopt for any other.
std::optional<Key> KeyOf(const Pattern& pattern, const Reply& row, const Reply& column) {
  if (!IsText(&row)) return std::nullopt;
  const bool has_column = column.kind == Reply::Kind::kBulk;
  if (!has_column && column.kind != Reply::Kind::kNull) return std::nullopt;
  Key key = has_column ? Key(std::string(row.text()), std::string(column.text()))
                       : Key(std::string(row.text()));
  if (!key.Validate().ok() || !pattern.MatchesRow(key.row()) ||
      !pattern.MatchesColumn(has_column ? std::optional<std::string_view>(key.column())
                                        : std::nullopt)) {
    return std::nullopt;
  }
  return key;
}

// The object of a map with data, meta and type. What is large stays where it was received.
Result<DataObject> TakeObject(Reply& map, std::string_view command) {
  Reply* const data = const_cast<Reply*>(map.Find("data"));
  const Reply* const meta = map.Find("meta");
  const auto type = NumberIn(map, "type", 0);
  if (!IsText(data) || !IsText(meta) || !type ||
      *type > std::numeric_limits<std::uint16_t>::max()) {
    return Nonsense(command);
  }
  const auto tag = static_cast<std::uint16_t>(*type);
  if (data->body.is_null()) return DataObject::FromString(data->bytes, meta->text(), tag);
  DataObject body = std::exchange(data->body, DataObject());
  if (meta->text().empty()) {
    body.set_type(tag);
    return body;
  }
  const auto owner = std::make_shared<const DataObject>(std::move(body));
  const std::string_view text = meta->text();
  return DataObject::View(owner->data(), owner, std::as_bytes(std::span(text.data(), text.size())),
                          tag);
}

}  // namespace

void RequestBytes::AppendTo(OutputBuffer& output) const {
  output.Append(head);
  if (data.is_null()) return;
  if (data.data_bytes() > OutputBuffer::kHeldBytes) {
    output.Append(data);
  } else {
    output.Append(data.text());
  }
  output.Append(tail);
}

RequestBytes HelloRequest(std::string_view password) {
  Words words;
  words.Add("HELLO").Add("3");
  if (!password.empty()) words.Add("AUTH").Add("default").Add(password);
  return words.Take();
}

RequestBytes PublishRequest(const Key& key, DataObject object, const PublishOptions& options) {
  Words words;
  words.Add("CIREIN.PUBLISH").Add(key.row());
  const std::string meta(object.meta_text());
  const std::uint16_t type = object.type();
  words.Add(std::move(object));
  if (key.has_column()) words.Add("COLUMN").Add(key.column());
  if (!meta.empty()) words.Add("META").Add(meta);
  if (type != 0) words.Add("TYPE").Add(type);
  if (options.ttl) {
    const auto ms = std::chrono::ceil<milliseconds>(std::min<nanoseconds>(
        *options.ttl, nanoseconds::max() - milliseconds(1)));  // Which ceil can still say.
    words.Add("PX").Add(std::max<std::int64_t>(ms.count(), 1));
  }
  if (options.if_version) {
    words.Add("IFVERSION").Add(options.if_version->ToString());
  } else if (options.overwrite == Overwrite::kYes) {
    words.Add("OVERWRITE");
  }
  return words.Take();
}

RequestBytes WantRequest(const Pattern& pattern) {
  return Words().Add("CIREIN.WANT").Add(pattern.row()).AddColumns(pattern).Take();
}

RequestBytes UnwantRequest(std::int64_t id) { return Words().Add("CIREIN.UNWANT").Add(id).Take(); }

RequestBytes DropRequest(const Pattern& pattern) {
  return Words().Add("CIREIN.DROP").Add(pattern.row()).AddColumns(pattern).Take();
}

RequestBytes InfoRequest(const Key& key) {
  return Words().Add("CIREIN.INFO").Add(key.row()).AddColumns(key).Take();
}

RequestBytes RowInfoRequest(const std::string& row) {
  return Words().Add("CIREIN.ROWINFO").Add(row).Take();
}

RequestBytes ListRequest(const Pattern& pattern, const ListOptions& options) {
  Words words;
  words.Add("CIREIN.LIST").Add(pattern.row()).AddColumns(pattern);
  if (!options.cursor.empty()) words.Add("CURSOR").Add(options.cursor);
  return words.Add("COUNT").Add(options.page_size).Take();
}

RequestBytes ComputeCommand(const ComputeRequest& request, std::int64_t timeout_ms) {
  Words words;
  words.Add("CIREIN.COMPUTE").Add(request.pattern.row()).Add(request.function);
  words.AddColumns(request.pattern);
  if (!request.args.empty()) words.Add("ARGS").Add(request.args);
  if (timeout_ms > 0) words.Add("TIMEOUT").Add(timeout_ms);
  return words.Take();
}

Status ParseError(std::string_view text) {
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view code = text.substr(0, end);
  const auto native = CodeNamed(code);
  if (!native) return ParseRedisError(code, EscapeForPeople(text, kShownErrorBytes));
  const std::string_view rest = text.substr(std::min(end + 1, text.size()));
  auto [message, hint] = SplitHint(rest);
  return Status(*native, std::move(message), std::move(hint));
}

Status ErrorOf(const Reply& reply) {
  return reply.kind == Reply::Kind::kError ? ParseError(reply.text()) : OkStatus();
}

Result<ObjectInfo> ReadInfo(const Key& key, const Reply& reply) {
  CIREIN_RETURN_IF_ERROR(ErrorOf(reply));
  if (reply.kind == Reply::Kind::kNull) {
    return NotFound(fmt::format("there is no object \"{}\"", key.ToString()));
  }
  const auto version = VersionIn(reply);
  const auto meta_bytes = NumberIn(reply, "meta-bytes", 0);
  const auto data_bytes = NumberIn(reply, "data-bytes", 0);
  const auto ttl_ms = NumberIn(reply, "ttl-ms", -1);
  const Reply* const availability = reply.Find("availability");
  if (!version || !meta_bytes || !data_bytes || !ttl_ms || !IsText(availability)) {
    return Nonsense("a question about an object");
  }
  return ObjectInfo{.meta_bytes = static_cast<std::uint64_t>(*meta_bytes),
                    .data_bytes = static_cast<std::uint64_t>(*data_bytes),
                    .version = *version,
                    .availability = AvailabilityNamed(availability->text()),
                    .ttl = TtlOf(*ttl_ms)};
}

Result<RowInfo> ReadRowInfo(const Key& row, const Reply& reply) {
  CIREIN_RETURN_IF_ERROR(ErrorOf(reply));
  if (reply.kind == Reply::Kind::kNull) {
    return NotFound(fmt::format("there is nothing in row \"{}\"", Key(row.row()).ToString()));
  }
  const auto columns = NumberIn(reply, "columns", 0);
  const auto has_object = NumberIn(reply, "has-object", 0);
  const auto user_bytes = NumberIn(reply, "user-bytes", 0);
  if (!columns || !has_object || !user_bytes) return Nonsense("CIREIN.ROWINFO");
  return RowInfo{.columns = static_cast<std::uint64_t>(*columns),
                 .has_object = *has_object != 0,
                 .user_bytes = static_cast<std::uint64_t>(*user_bytes),
                 .availability = Availability::kPersistentMemory};
}

Result<std::uint64_t> ReadCount(const Reply& reply) {
  CIREIN_RETURN_IF_ERROR(ErrorOf(reply));
  if (reply.kind != Reply::Kind::kInteger || reply.integer < 0) return Nonsense("CIREIN.DROP");
  return static_cast<std::uint64_t>(reply.integer);
}

Result<ListPage> ReadPage(const Pattern& pattern, std::uint32_t page_size, Reply reply) {
  CIREIN_RETURN_IF_ERROR(ErrorOf(reply));
  constexpr std::string_view kCommand = "CIREIN.LIST";
  constexpr std::size_t kFields = 5;
  if (reply.kind != Reply::Kind::kArray || reply.elements.size() != 2 ||
      !IsText(&reply.elements[0]) || reply.elements[1].kind != Reply::Kind::kArray ||
      reply.elements[1].elements.size() > page_size) {
    return Nonsense(kCommand);
  }
  ListPage page;
  page.next = reply.elements[0].text();
  page.objects.reserve(reply.elements[1].elements.size());
  for (const Reply& entry : reply.elements[1].elements) {
    if (entry.elements.size() != kFields) return Nonsense(kCommand);
    const std::vector<Reply>& fields = entry.elements;
    auto key = KeyOf(pattern, fields[0], fields[1]);
    const auto version = ParseVersion(fields[4].text());
    if (!key || !version || fields[2].integer < 0 || fields[3].integer < 0) {
      return Nonsense(kCommand);
    }
    page.objects.push_back({.key = std::move(*key),
                            .meta_bytes = static_cast<std::uint64_t>(fields[2].integer),
                            .data_bytes = static_cast<std::uint64_t>(fields[3].integer),
                            .version = *version});
  }
  return page;
}

Result<DataObject> ReadComputed(Reply reply) {
  CIREIN_RETURN_IF_ERROR(ErrorOf(reply));
  return TakeObject(reply, "CIREIN.COMPUTE");
}

Result<std::int64_t> ReadWantId(const Reply& reply) {
  CIREIN_RETURN_IF_ERROR(ErrorOf(reply));
  if (reply.kind != Reply::Kind::kInteger) return Nonsense("CIREIN.WANT");
  return reply.integer;
}

std::optional<WantPush> ReadWantPush(Reply push) {
  if (push.kind != Reply::Kind::kPush || push.elements.size() != 3 ||
      push.elements[0].text() != "cirein.want" || push.elements[1].kind != Reply::Kind::kInteger) {
    return std::nullopt;
  }
  return WantPush{push.elements[1].integer, std::move(push.elements[2])};
}

Result<NamedObject> ReadWanted(const Pattern& pattern, Reply answer) {
  CIREIN_RETURN_IF_ERROR(ErrorOf(answer));
  if (answer.kind == Reply::Kind::kBulk) return ParseError(answer.text());
  constexpr std::string_view kCommand = "CIREIN.WANT";
  const Reply* const row = answer.Find("row");
  const Reply* const column = answer.Find("column");
  const auto version = VersionIn(answer);
  const auto ttl_ms = NumberIn(answer, "ttl-ms", -1);
  if (row == nullptr || column == nullptr || !version || !ttl_ms) return Nonsense(kCommand);
  auto key = KeyOf(pattern, *row, *column);
  if (!key) return Nonsense(kCommand);
  CIREIN_ASSIGN_OR_RETURN(DataObject object, TakeObject(answer, kCommand));
  const ObjectInfo info{.meta_bytes = object.meta_bytes(),
                        .data_bytes = object.data_bytes(),
                        .version = *version,
                        .availability = Availability::kPersistentMemory,
                        .ttl = TtlOf(*ttl_ms)};
  return NamedObject{std::move(*key), std::move(object), info};
}

}  // namespace cirein::resp
