// SPDX-License-Identifier: Apache-2.0

// The commands of Cirein's own: objects with meta and version, listings of rows and columns, and
// waiting for what is not there yet.

#include <array>
#include <chrono>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "object/list_cursor.h"
#include "resp/cirein_arguments.h"
#include "resp/number.h"
#include "resp/option_word.h"
#include "resp/session.h"

namespace cirein::resp {
namespace {

/// Wants that one connection may have parked.
constexpr std::size_t kMaxWants = 10'000;
constexpr std::int64_t kMaxTimeoutMs = std::int64_t{1} << 40;
constexpr std::uint32_t kDefaultPage = ListOptions::kDefaultPageSize;
constexpr std::uint32_t kMaxPage = ListOptions::kMaxPageSize;
/// Rows that one page looks at.
constexpr std::size_t kRowsPerPage = 200'000;
constexpr std::size_t kRowsAtOnce = 1024;
/// Names that one page may hold.
constexpr std::size_t kMaxPageBytes = std::size_t{4} << 20;

// The option `word` with a whole number from `least` on; nullopt with a reply when it is none.
std::optional<std::int64_t> TakeNumber(ReplyWriter& reply, Args args, std::size_t* at,
                                       std::int64_t least) {
  std::optional<std::int64_t> number;
  if (*at + 1 < args.size()) number = ParseInteger(args[*at + 1].text());
  if (!number || *number < least) {
    reply.Error(fmt::format("ERR {} needs a whole number of at least {}", args[*at].text(), least));
    return std::nullopt;
  }
  *at += 2;
  return number;
}

TimePoint EndOf(Session& session, std::int64_t timeout_ms) {
  if (timeout_ms <= 0) return kEndOfTime;
  return session.host().now() + std::chrono::milliseconds(std::min(timeout_ms, kMaxTimeoutMs));
}

// ---- Publish ----

struct PublishArguments {
  Selection selection{""};
  std::string_view meta;
  std::uint16_t type = 0;
  PutMode mode = PutMode::kWriteOnce;
  Version if_version;
  std::int64_t ttl_ms = 0;
};

std::optional<PublishArguments> ParsePublish(SessionCall& call) {
  PublishArguments parsed;
  parsed.selection = Selection(call.args[1].text());
  for (std::size_t at = 3; at < call.args.size();) {
    const std::string_view word = call.args[at].text();
    const bool has_value = at + 1 < call.args.size();
    if (IsWord(word, "overwrite")) {
      parsed.mode = PutMode::kOverwrite;
      ++at;
    } else if (has_value && IsWord(word, "meta")) {
      parsed.meta = call.args[at + 1].text();
      at += 2;
    } else if (has_value && IsWord(word, "ifversion")) {
      const auto version = ParseVersion(call.args[at + 1].text());
      if (!version) {
        call.reply.Error("ERR IFVERSION needs a version as another reply told it, such as 3.17");
        return std::nullopt;
      }
      parsed.mode = PutMode::kIfVersion;
      parsed.if_version = *version;
      at += 2;
    } else if (IsWord(word, "px") || IsWord(word, "type")) {
      const bool is_ttl = IsWord(word, "px");
      const auto number = TakeNumber(call.reply, call.args, &at, is_ttl ? 1 : 0);
      if (!number) return std::nullopt;
      if (!is_ttl && *number > UINT16_MAX) {
        call.reply.Error("ERR TYPE is a number up to 65535");
        return std::nullopt;
      }
      if (is_ttl) parsed.ttl_ms = std::min(*number, kMaxTimeoutMs);
      if (!is_ttl) parsed.type = static_cast<std::uint16_t>(*number);
    } else if (!parsed.selection.Take(call.args, &at)) {
      call.reply.Error(kSyntaxError);
      return std::nullopt;
    }
  }
  return parsed;
}

// What keeps the object from being published.
Status CheckPublish(const PublishArguments& arguments, const Key& key, const StoredObject& present,
                    bool there) {
  if (arguments.mode == PutMode::kWriteOnce && there) {
    return AlreadyExists(fmt::format("\"{}\" is published already, as version {}", key.ToString(),
                                     present.version.ToString()),
                         "say OVERWRITE to replace it");
  }
  const Version version = there ? present.version : Version{};
  if (arguments.mode == PutMode::kIfVersion && arguments.if_version != version) {
    return FailedPrecondition(fmt::format("\"{}\" has version {}, not {}", key.ToString(),
                                          version.ToString(), arguments.if_version.ToString()),
                              "somebody else published or dropped it meanwhile: read it again");
  }
  return OkStatus();
}

Result<DataObject> MakeObject(const Arg& data, const PublishArguments& arguments) {
  if (arguments.meta.empty() && arguments.type == 0) return data.ToObject();
  if (data.body.is_null()) {
    return DataObject::FromString(data.text(), arguments.meta, arguments.type);
  }
  // The meta lies beside the data that came from the network, which stay where they are.
  auto owner = std::make_shared<DataObject>(data.body);
  const auto meta = std::as_bytes(std::span(arguments.meta.data(), arguments.meta.size()));
  return DataObject::View(owner->data(), owner, meta, arguments.type);
}

Status PublishObject(SessionCall& call, const PublishArguments& arguments) {
  Session& session = call.session;
  CIREIN_ASSIGN_OR_RETURN(const Key key, arguments.selection.ToKey());
  CIREIN_ASSIGN_OR_RETURN(DataObject object, MakeObject(call.args[2], arguments));
  const KeyView view(session.bucket(), key);
  // A large one came to a thread that may block.
  std::shared_ptr<void> prepared;
  CIREIN_RETURN_IF_ERROR(session.store().PrepareObject(view, &object, &prepared));
  Transaction transaction = session.store().Begin(std::span(&view, 1));
  StoredObject present;
  Result<bool> there = transaction.Get(view, Load::kSizes, present);
  Status status = there.ok() ? CheckPublish(arguments, key, present, *there) : there.status();
  ObjectInfo info{.meta_bytes = object.meta_bytes(), .data_bytes = object.data_bytes()};
  if (status.ok()) {
    std::uint64_t expiry_ms = 0;
    if (arguments.ttl_ms != 0) {
      expiry_ms = transaction.now_ms() + static_cast<std::uint64_t>(arguments.ttl_ms);
      info.ttl = std::chrono::milliseconds(arguments.ttl_ms);
    }
    transaction.Offer(view, object, std::move(prepared));
    transaction.Put(view, std::move(object), expiry_ms);
  }
  StripedStore::Committed committed = session.store().Commit(std::move(transaction));
  if (status.ok()) status = committed.status;
  info.version = committed.version;
  info.availability = Availability::kPersistentMemory;
  session.Keep(std::move(committed));
  if (status.ok()) WriteInfo(call.reply, info);
  return status;
}

void Publish(SessionCall& call) {
  const auto arguments = ParsePublish(call);
  if (!arguments) return;
  if (const Status status = PublishObject(call, *arguments); !status.ok()) {
    WriteNativeError(call.reply, status);
  }
}

// ---- Want and need ----

struct WaitArguments {
  Pattern pattern;
  std::int64_t timeout_ms = 0;  // 0: as long as the connection lasts.
};

std::optional<WaitArguments> ParseWait(SessionCall& call) {
  WaitArguments parsed;
  Selection selection(call.args[1].text());
  for (std::size_t at = 2; at < call.args.size();) {
    if (IsWord(call.args[at].text(), "timeout")) {
      const auto number = TakeNumber(call.reply, call.args, &at, 0);
      if (!number) return std::nullopt;
      parsed.timeout_ms = *number;
    } else if (!selection.Take(call.args, &at)) {
      call.reply.Error(kSyntaxError);
      return std::nullopt;
    }
  }
  Result<Pattern> pattern = selection.ToPattern(call.session.bucket());
  if (!pattern.ok()) {
    WriteNativeError(call.reply, pattern.status());
    return std::nullopt;
  }
  parsed.pattern = std::move(*pattern);
  return parsed;
}

void WriteWanted(ReplyWriter& reply, const Result<NamedObject>& object) {
  if (object.ok()) {
    WriteObject(reply, *object);
  } else {
    WriteNativeError(reply, object.status());
  }
}

void PushWanted(Session& session, std::int64_t id, const Result<NamedObject>& object) {
  if (!session.EndWant(id)) return;  // Given up.
  session.WritePush([id, object](ReplyWriter& reply) {
    reply.Push(3);
    reply.Bulk("cirein.want");
    reply.Integer(id);
    if (object.ok()) {
      WriteObject(reply, *object);
    } else {
      reply.Bulk(fmt::format("{} {}", StatusCodeName(object.code()), object.status().message()));
    }
  });
}

// The reply is an id; the object comes as a push, once. The Operation of one that was answered
// already is over, and stands in the table until its push is written.
void Want(SessionCall& call) {
  Session& session = call.session;
  if (session.protocol() != Protocol::kResp3) {
    return call.reply.Error(
        "ERR CIREIN.WANT answers by push: say HELLO 3 first, or use CIREIN.NEED");
  }
  const auto arguments = ParseWait(call);
  if (!arguments) return;
  if (session.wants().size() >= kMaxWants) {
    return call.reply.Error(
        fmt::format("RESOURCE_EXHAUSTED {} wants of this connection wait already", kMaxWants));
  }
  const std::int64_t id = session.NextWantId();
  call.reply.Integer(id);
  session.wants().emplace(id, Session::Want());
  const TimePoint end = EndOf(session, arguments->timeout_ms);
  Operation want = session.store().Want(
      arguments->pattern, end, [link = session.link(), id](Result<NamedObject> object) {
        link->Post(
            [id, object = std::move(object)](Session& there) { PushWanted(there, id, object); });
      });
  Session::Want& parked = session.wants().at(id);
  parked.operation = std::move(want);
  if (end == kEndOfTime) return;
  // Whoever takes it out of the table ends the timer, also at the session's end.
  parked.timer = session.host().timers().RunAt(end, [&session, id] {
    PushWanted(session, id, DeadlineExceeded("nobody published it in time"));
  });
}

void Unwant(SessionCall& call) {
  const auto id = ParseInteger(call.args[1].text());
  if (!id) return call.reply.Error(kNotAnInteger);
  call.reply.Integer(call.session.EndWant(*id) ? 1 : 0);
}

void Need(SessionCall& call) {
  const auto arguments = ParseWait(call);
  if (!arguments) return;
  Session& session = call.session;
  const TimePoint end = EndOf(session, arguments->timeout_ms);
  auto want = std::make_shared<Operation>();
  session.Block(
      end, [](Session&, ReplyWriter& reply) { reply.Null(); }, [want] { want->Cancel(); });
  *want = session.store().Want(
      arguments->pattern, end,
      [link = session.link(), block = session.block_count()](Result<NamedObject> object) {
        link->Post([block, object = std::move(object)](Session& there) {
          if (there.block_count() != block) return;
          there.Unblock([&](Session&, ReplyWriter& reply) { WriteWanted(reply, object); });
        });
      });
}

// ---- What is there ----

ObjectInfo InfoOf(const Transaction& transaction, const StoredObject& stored) {
  ObjectInfo info{.meta_bytes = stored.meta_bytes,
                  .data_bytes = stored.data_bytes,
                  .version = stored.version,
                  .availability = Availability::kPersistentMemory};
  if (stored.expiry_ms != 0) {
    info.ttl = std::chrono::milliseconds(static_cast<std::int64_t>(
        stored.expiry_ms - std::min(stored.expiry_ms, transaction.now_ms())));
  }
  return info;
}

std::optional<Selection> ParseSelection(DataCall& call) {
  Selection selection(call.arg(1));
  for (std::size_t at = 2; at < call.args.size();) {
    if (selection.Take(call.args, &at)) continue;
    call.reply.Error(kSyntaxError);
    return std::nullopt;
  }
  return selection;
}

Status Info(DataCall& call) {
  const auto selection = ParseSelection(call);
  if (!selection) return OkStatus();
  const Result<Key> key = selection->ToKey();
  if (!key.ok()) {
    WriteNativeError(call.reply, key.status());
    return OkStatus();
  }
  StoredObject stored;
  CIREIN_ASSIGN_OR_RETURN(const bool there,
                          call.transaction.Get(KeyView(call.bucket, *key), Load::kSizes, stored));
  if (there) {
    WriteInfo(call.reply, InfoOf(call.transaction, stored));
  } else {
    call.reply.Null();
  }
  return OkStatus();
}

Status ShowRow(DataCall& call) {
  CIREIN_ASSIGN_OR_RETURN(const RowState row, call.transaction.GetRow(call.row(1)));
  if (!row.exists()) {
    call.reply.Null();
    return OkStatus();
  }
  std::uint64_t user_bytes = 0;
  CIREIN_RETURN_IF_ERROR(call.transaction.WalkRow(
      call.row(1), Load::kSizes, [&](const KeyView&, const StoredObject& stored) {
        user_bytes += stored.meta_bytes + stored.data_bytes;
        return true;
      }));
  call.reply.Map(4);
  call.reply.Bulk("columns");
  call.reply.Integer(static_cast<std::int64_t>(row.columns));
  call.reply.Bulk("has-object");
  call.reply.Boolean(row.has_object);
  call.reply.Bulk("user-bytes");
  call.reply.Integer(static_cast<std::int64_t>(user_bytes));
  call.reply.Bulk("expiry-ms");
  call.reply.Integer(row.expiry_ms == 0 ? -1 : static_cast<std::int64_t>(row.expiry_ms));
  return OkStatus();
}

// Calls `visit` with each row that matches, from a place on; false ends it. Where it stopped after
// looking at too many rows.
Result<std::optional<Engine::RowName>> EachRow(
    Transaction& transaction, const Pattern& pattern, Engine::RowName from,
    const std::function<Result<bool>(const KeyView& row)>& visit) {
  for (std::size_t looked_at = 0; looked_at < kRowsPerPage; looked_at += kRowsAtOnce) {
    CIREIN_ASSIGN_OR_RETURN(const Engine::RowPage page,
                            transaction.Rows(from, pattern, kRowsAtOnce));
    for (const Engine::RowName& row : page.rows) {
      CIREIN_ASSIGN_OR_RETURN(const bool goes_on, visit(KeyView(row.bucket, row.name)));
      if (!goes_on) return std::optional<Engine::RowName>();
    }
    if (!page.next) return std::optional<Engine::RowName>();
    from = *page.next;
  }
  return std::optional(std::move(from));
}

Status Drop(DataCall& call) {
  const auto selection = ParseSelection(call);
  if (!selection) return OkStatus();
  const Result<Pattern> pattern = selection->ToPattern(call.bucket);
  if (!pattern.ok()) {
    WriteNativeError(call.reply, pattern.status());
    return OkStatus();
  }
  std::int64_t dropped = 0;
  const auto drop = [&](const KeyView& row) -> Result<bool> {
    CIREIN_ASSIGN_OR_RETURN(const RowState state, call.transaction.GetRow(row));
    std::vector<std::pair<bool, std::string>> objects;
    CIREIN_RETURN_IF_ERROR(call.transaction.WalkRow(
        row, *pattern, std::nullopt, Load::kSizes, [&](const KeyView& key, const StoredObject&) {
          objects.emplace_back(key.has_column, key.column);
          return true;
        }));
    KeyView key(row.bucket, call.transaction.Keep(row.row));
    dropped += static_cast<std::int64_t>(objects.size());
    if (objects.size() == state.columns + (state.has_object ? 1 : 0)) {
      if (!objects.empty()) call.transaction.DropRow(key);
      return true;
    }
    for (const auto& [has_column, column] : objects) {
      key.has_column = has_column;
      key.column = call.transaction.Keep(column);
      call.transaction.Drop(key);
    }
    return true;
  };
  if (!pattern->row_is_prefix()) {
    CIREIN_RETURN_IF_ERROR(drop(call.row(1)).status());
  } else {
    // What was dropped is left out of the walk by then: it begins anew where it was.
    CIREIN_ASSIGN_OR_RETURN(const auto rest, EachRow(call.transaction, *pattern, {}, drop));
    if (rest) {
      return ResourceExhausted("too many rows for one drop",
                               "drop by longer prefixes, one after the other");
    }
  }
  call.reply.Integer(dropped);
  return OkStatus();
}

struct ListArguments {
  Pattern pattern;
  std::optional<ListCursor> cursor;
  std::size_t count = kDefaultPage;
};

std::optional<ListArguments> ParseList(DataCall& call) {
  ListArguments parsed;
  Selection selection(call.arg(1));
  for (std::size_t at = 2; at < call.args.size();) {
    const std::string_view word = call.arg(at);
    if (at + 1 < call.args.size() && IsWord(word, "cursor")) {
      auto cursor = ListCursor::Parse(call.arg(at + 1));
      if (!cursor.ok()) {
        WriteNativeError(call.reply, cursor.status());
        return std::nullopt;
      }
      parsed.cursor = std::move(*cursor);
      at += 2;
    } else if (IsWord(word, "count")) {
      const auto number = TakeNumber(call.reply, call.args, &at, 1);
      if (!number) return std::nullopt;
      parsed.count = std::min<std::size_t>(static_cast<std::size_t>(*number), kMaxPage);
    } else if (!selection.Take(call.args, &at)) {
      call.reply.Error(kSyntaxError);
      return std::nullopt;
    }
  }
  Result<Pattern> pattern = selection.ToPattern(call.bucket);
  if (!pattern.ok()) {
    WriteNativeError(call.reply, pattern.status());
    return std::nullopt;
  }
  parsed.pattern = std::move(*pattern);
  return parsed;
}

// One page of a listing, being filled.
struct Page {
  struct Object {
    std::string row;
    std::optional<std::string> column;
    std::uint64_t meta_bytes = 0;
    std::uint64_t data_bytes = 0;
    Version version;
  };
  std::vector<Object> objects;
  std::string next;
  std::size_t name_bytes = 0;
};

// The objects of a row; false when the page is full.
Result<bool> ListRow(Transaction& transaction, const ListArguments& arguments, const KeyView& row,
                     const std::optional<std::optional<std::string>>& after, Page* page) {
  bool goes_on = true;
  const auto visit = [&](const KeyView& key, const StoredObject& stored) {
    if (after && !*after && !key.has_column) return true;  // It was on the page before.
    if (page->objects.size() >= arguments.count || page->name_bytes > kMaxPageBytes) {
      const Page::Object& last = page->objects.back();
      page->next =
          last.row == row.row
              ? ListCursor{std::string(row.row), true, last.column, std::nullopt}.ToString()
              : ListCursor{std::string(row.row), false, std::nullopt, std::nullopt}.ToString();
      return goes_on = false;
    }
    Page::Object object{.row = std::string(row.row), .column = {}, .version = stored.version};
    if (key.has_column) object.column = key.column;
    object.meta_bytes = stored.meta_bytes;
    object.data_bytes = stored.data_bytes;
    page->name_bytes += row.row.size() + key.column.size();
    page->objects.push_back(std::move(object));
    return true;
  };
  std::optional<std::string_view> after_column;
  if (after && *after) after_column = **after;
  CIREIN_RETURN_IF_ERROR(
      transaction.WalkRow(row, arguments.pattern, after_column, Load::kSizes, visit));
  return goes_on;
}

Result<Page> FillPage(DataCall& call, const ListArguments& arguments) {
  Page page;
  const auto& cursor = arguments.cursor;
  if (!arguments.pattern.row_is_prefix()) {
    std::optional<std::optional<std::string>> after;
    if (cursor && cursor->inside) after = cursor->column;
    const KeyView row(call.bucket, arguments.pattern.row());
    CIREIN_RETURN_IF_ERROR(ListRow(call.transaction, arguments, row, after, &page).status());
    return page;
  }
  Engine::RowName from;
  if (cursor && cursor->place) from.place = *cursor->place;
  if (cursor && !cursor->place) {
    from = call.transaction.RowNameOf(KeyView(call.bucket, cursor->row));
  }
  const auto visit = [&](const KeyView& row) -> Result<bool> {
    std::optional<std::optional<std::string>> after;
    if (cursor && cursor->inside && row.row == cursor->row) after = cursor->column;
    return ListRow(call.transaction, arguments, row, after, &page);
  };
  CIREIN_ASSIGN_OR_RETURN(const auto rest,
                          EachRow(call.transaction, arguments.pattern, from, visit));
  if (rest) page.next = ListCursor{"", false, std::nullopt, rest->place}.ToString();
  return page;
}

Status List(DataCall& call) {
  const auto arguments = ParseList(call);
  if (!arguments) return OkStatus();
  CIREIN_ASSIGN_OR_RETURN(const Page page, FillPage(call, *arguments));
  ReplyWriter& reply = call.reply;
  reply.Array(2);
  reply.Bulk(page.next);
  reply.Array(page.objects.size());
  for (const Page::Object& object : page.objects) {
    reply.Array(5);
    reply.Bulk(object.row);
    if (object.column) {
      reply.Bulk(*object.column);
    } else {
      reply.Null();
    }
    reply.Integer(static_cast<std::int64_t>(object.meta_bytes));
    reply.Integer(static_cast<std::int64_t>(object.data_bytes));
    reply.Bulk(object.version.ToString());
  }
  return OkStatus();
}

// ---- Compute ----

void Compute(SessionCall& call) {
  Session& session = call.session;
  Selection selection(call.args[1].text());
  std::string_view arguments;
  std::int64_t timeout_ms = 0;
  for (std::size_t at = 3; at < call.args.size();) {
    if (at + 1 < call.args.size() && IsWord(call.args[at].text(), "args")) {
      arguments = call.args[at + 1].text();
      at += 2;
    } else if (IsWord(call.args[at].text(), "timeout")) {
      const auto number = TakeNumber(call.reply, call.args, &at, 0);
      if (!number) return;
      timeout_ms = *number;
    } else if (!selection.Take(call.args, &at)) {
      return call.reply.Error(kSyntaxError);
    }
  }
  const Result<Pattern> pattern = selection.ToPattern(session.bucket());
  if (!pattern.ok()) return WriteNativeError(call.reply, pattern.status());
  if (pattern->row_is_prefix()) {
    return call.reply.Error("INVALID_ARGUMENT compute runs over one row (leave PREFIX out)");
  }
  auto compute = std::make_shared<Operation>();
  session.Block(
      EndOf(session, timeout_ms),
      [](Session&, ReplyWriter& reply) {
        WriteNativeError(reply, DeadlineExceeded("the function did not end in time"));
      },
      [compute] { compute->Cancel(); });
  *compute = session.store().Compute(
      *pattern, call.args[2].text(), arguments,
      [link = session.link(), block = session.block_count()](Result<DataObject> result) {
        link->Post([block, result = std::move(result)](Session& there) {
          if (there.block_count() != block) return;
          there.Unblock([&](Session&, ReplyWriter& reply) {
            if (!result.ok()) return WriteNativeError(reply, result.status());
            reply.Map(3);
            reply.Bulk("data");
            reply.Bulk(*result);
            reply.Bulk("meta");
            reply.Bulk(result->meta_text());
            reply.Bulk("type");
            reply.Integer(result->type());
          });
        });
      });
}

constexpr KeyArguments kFirstKey{1, 1, 1};

constexpr auto kCommands = std::to_array<CommandSpec>({
    {.name = "cirein.publish",
     .arity = -3,
     .flags = kWrite | kDenyOom | kNoMulti,
     .keys = kFirstKey,
     .group = "cirein",
     .since = "",
     .summary = "Publishes an object, write-once unless asked otherwise, and answers who waits.",
     .syntax = "row data [COLUMN column] [META meta] [TYPE type] [PX milliseconds] "
               "[OVERWRITE | IFVERSION version]",
     .session = Publish},
    {.name = "cirein.want",
     .arity = -2,
     .flags = kReadOnly | kNoMulti,
     .keys = kFirstKey,
     .group = "cirein",
     .since = "",
     .summary = "Answers with an id, and pushes the object once, now or when it is published.",
     .syntax = "row [COLUMN column | COLUMNS prefix | ALL] [PREFIX] [TIMEOUT milliseconds]",
     .session = Want},
    {.name = "cirein.unwant",
     .arity = 2,
     .flags = kReadOnly | kFast | kNoMulti,
     .group = "cirein",
     .since = "",
     .summary = "Gives a want up: 1 when it was still waiting.",
     .syntax = "id",
     .session = Unwant},
    {.name = "cirein.need",
     .arity = -2,
     .flags = kReadOnly | kBlocking | kNoMulti,
     .keys = kFirstKey,
     .group = "cirein",
     .since = "",
     .summary = "Waits for an object; null when the time is over. Blocks this connection only.",
     .syntax = "row [COLUMN column | COLUMNS prefix | ALL] [PREFIX] [TIMEOUT milliseconds]",
     .session = Need},
    {.name = "cirein.drop",
     .arity = -2,
     .flags = kWrite | kAllRows | kNoMulti,
     .keys = kFirstKey,
     .group = "cirein",
     .since = "",
     .summary = "Removes objects, as one; tells how many.",
     .syntax = "row [COLUMN column | COLUMNS prefix | ALL] [PREFIX]",
     .data = Drop},
    {.name = "cirein.list",
     .arity = -2,
     .flags = kReadOnly | kAllRows | kNoMulti,
     .keys = kFirstKey,
     .group = "cirein",
     .since = "",
     .summary = "A page of objects: the cursor of the next one (empty: none), and for each row, "
                "column, meta bytes, data bytes, version.",
     .syntax = "row [COLUMN column | COLUMNS prefix | ALL] [PREFIX] [CURSOR cursor] [COUNT count]",
     .data = List},
    {.name = "cirein.info",
     .arity = -2,
     .flags = kReadOnly | kFast,
     .keys = kFirstKey,
     .group = "cirein",
     .since = "",
     .summary = "Sizes, version and time to live of an object; null when it is not there.",
     .syntax = "row [COLUMN column]",
     .data = Info},
    {.name = "cirein.rowinfo",
     .arity = 2,
     .flags = kReadOnly,
     .keys = kFirstKey,
     .group = "cirein",
     .since = "",
     .summary = "Columns and bytes of a row; null when it is not there.",
     .syntax = "row",
     .data = ShowRow},
    {.name = "cirein.compute",
     .arity = -3,
     .flags = kReadOnly | kBlocking | kNoMulti,
     .keys = kFirstKey,
     .group = "cirein",
     .since = "",
     .summary = "Runs a registered function over the objects of a row and answers what it gives.",
     .syntax = "row function [COLUMN column | COLUMNS prefix | ALL] [ARGS args] "
               "[TIMEOUT milliseconds]",
     .session = Compute},
});

}  // namespace

std::span<const CommandSpec> CireinCommands() { return kCommands; }

}  // namespace cirein::resp
