// SPDX-License-Identifier: Apache-2.0
#include "http/status_pages.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cirein/compute.h"

#include "base/text.h"
#include "base/units.h"
#include "http/html.h"
#include "resp/keyspace.h"
#include "runtime/gate.h"

namespace cirein::http {
namespace {

using Align = HtmlTable::Align;
using RowName = Engine::RowName;

// Of one page.
constexpr std::size_t kShownRows = 50;
constexpr std::size_t kLookedAtRows = 4096;
constexpr std::size_t kRowsAtOnce = 64;  // While the store is held.
constexpr std::size_t kShownColumns = 100;
constexpr std::size_t kShownCommands = 12;

HttpResponse Page(std::string_view title, std::string_view body) {
  HttpResponse response;
  response.body = HtmlPage(title, body);
  return response;
}

HttpResponse ErrorPage(const Status& status) {
  const bool asked_wrong = status.code() == StatusCode::kInvalidArgument;
  HttpResponse response =
      Page("Not answered", fmt::format("<p>{}</p>\n", HtmlText(status.ToString(), 2000)));
  response.status = asked_wrong ? 400 : 503;
  return response;
}

std::string FactTable(const ServerStatus& status, std::string_view section) {
  HtmlTable table({{section}, {"", Align::kRight}, {""}});
  for (const Fact& fact : Facts()) {
    if (fact.section != section || !IsTold(fact, status)) continue;
    table.AddRow({HtmlText(fact.name), FactText(fact, fact.read(status)), HtmlText(fact.meaning)});
  }
  return "<p></p>\n" + table.ToString();
}

std::string CommandTableText(const ServerStatus& status) {
  std::vector<ServerStatus::Command> commands = status.command_list;
  std::sort(commands.begin(), commands.end(),
            [](const auto& a, const auto& b) { return a.sums.usec > b.sums.usec; });
  if (commands.size() > kShownCommands) commands.resize(kShownCommands);
  HtmlTable table({{"command"},
                   {"calls", Align::kRight},
                   {"time in all", Align::kRight},
                   {"refused", Align::kRight},
                   {"failed", Align::kRight}});
  for (const ServerStatus::Command& command : commands) {
    const auto time = std::chrono::microseconds(static_cast<std::int64_t>(command.sums.usec));
    table.AddRow({HtmlText(command.name), std::to_string(command.sums.calls),
                  DurationForPeople(time), std::to_string(command.sums.rejected),
                  std::to_string(command.sums.failed)});
  }
  return "<h2>Commands that took most time</h2>\n" + table.ToString();
}

std::string ErrorTable(const ServerStatus& status) {
  if (status.error_kinds.empty()) return "";
  HtmlTable errors({{"error"}, {"times", Align::kRight}});
  for (const auto& [kind, count] : status.error_kinds) {
    errors.AddRow({HtmlText(kind), std::to_string(count)});
  }
  return "<h2>Errors answered</h2>\n" + errors.ToString();
}

// What the overview tells of a server.
std::string ServerText(const ServerStatus& status) {
  HtmlTable server({{"server"}, {""}});
  server.AddRow({"version", HtmlText(status.version)});
  server.AddRow({"pool", HtmlText(status.directory)});
  server.AddRow({"durability", HtmlText(status.durability)});
  for (const auto& [name, value] : status.told) {
    if (!value.empty() && name != "dir") server.AddRow({HtmlText(name), HtmlText(value)});
  }
  std::string text = server.ToString();
  for (const std::string_view section : {"server", "clients", "traffic", "store"}) {
    text += FactTable(status, section);
  }
  return text + CommandTableText(status) + ErrorTable(status);
}

// What it tells of a program.
std::string ProgramText(const ServerStatus& status) {
  return fmt::format("<p>A program that uses Cirein {}.</p>\n", HtmlText(status.version)) +
         FactTable(status, "server") + "<h2>Local store</h2>\n" + FactTable(status, "store");
}

std::string OpenPoolTable(const ServerStatus& status) {
  HtmlTable table({{"pool"},
                   {"durability"},
                   {"objects", Align::kRight},
                   {"rows", Align::kRight},
                   {"memory", Align::kRight},
                   {"waiters", Align::kRight},
                   {"log in use", Align::kRight}});
  const auto add = [&](const std::string& name, const char* durability, const Store::Stats& store,
                       const std::string& in_use) {
    table.AddRow({name, durability, std::to_string(store.engine.objects),
                  std::to_string(store.engine.rows), BytesForPeople(store.engine.used_bytes),
                  std::to_string(store.waiting), in_use});
  };
  add(HtmlLink("/rows", "local:"), "-", status.store, "-");
  for (const ServerStatus::OpenPool& each : *status.open_pools) {
    const double used = each.pool.segments == 0
                            ? 0
                            : 100 - 100 * static_cast<double>(each.pool.free_segments) /
                                        static_cast<double>(each.pool.segments);
    add("elastic:" + HtmlText(each.path, 2000), each.is_power ? "power" : "process", each.store,
        fmt::format("{:.1f} %", used));
  }
  return "<p>All <code>local:</code> pools share one store, cut by buckets. Of other pools those "
         "that are open are shown.</p>\n" +
         table.ToString();
}

// Ends a look into the store: nobody may hear of what it saw before that is kept.
Status EndLook(StripedStore& store, Transaction&& transaction) {
  StripedStore::Committed committed = store.Commit(std::move(transaction));
  return committed.ticket == 0 ? OkStatus() : committed.keeper->Await(committed.ticket);
}

std::string ExpiryText(std::uint64_t expiry_ms, std::uint64_t now_ms) {
  if (expiry_ms == 0) return "-";
  const std::uint64_t left_ms = expiry_ms > now_ms ? expiry_ms - now_ms : 0;
  constexpr std::uint64_t kLongestShown_ms = std::uint64_t{1} << 43;  // 278 years.
  return DurationForPeople(
      std::chrono::milliseconds(static_cast<std::int64_t>(std::min(left_ms, kLongestShown_ms))));
}

}  // namespace

// Makes the pages; outlives StatusPages as long as one is being made.
class StatusPages::Maker {
 public:
  Maker(HttpServer& server, StatusSource source) : server_(server), source_(std::move(source)) {}

  HttpResponse Overview() const;
  HttpResponse Pools() const;
  HttpResponse Rows(const HttpRequest& request) const;
  HttpResponse Row(const HttpRequest& request) const;
  HttpResponse Json() const;
  HttpResponse Metrics() const;
  Gate& gate() noexcept { return gate_; }
  bool is_of_program() const { return source_.program != nullptr; }
  bool is_over() const { return is_of_program() && source_.program->stopped(); }

 private:
  struct RowsPage {
    std::vector<RowName> rows;
    std::optional<std::uint64_t> next;  // The place to go on from.
  };
  Result<RowsPage> FindRows(const Pattern& pattern, std::uint64_t from) const;
  Status AddRow(const RowName& row, HtmlTable& table) const;
  Result<Bucket> BucketOf(const HttpRequest& request) const;
  std::string ColumnTable(Transaction& transaction, const KeyView& row,
                          const std::optional<std::string_view>& after, Status& status) const;

  HttpServer& server_;
  const StatusSource source_;
  Gate gate_;
};

HttpResponse StatusPages::Maker::Overview() const {
  const ServerStatus status = AskStatus(source_);
  std::string body = status.open_pools ? ProgramText(status) : ServerText(status);
  body += "<h2>Pages</h2>\n<ul>\n";
  for (const HttpServer::Page& page : server_.pages()) {
    body += fmt::format("<li>{}</li>\n", HtmlLink(page.path, page.title));
  }
  return Page("Overview", body + "</ul>\n");
}

HttpResponse StatusPages::Maker::Pools() const {
  const ServerStatus status = AskStatus(source_);
  if (status.open_pools) return Page("Pools", OpenPoolTable(status));
  if (!status.pool) return Page("Pool", "<p>The store is in memory: there is no pool.</p>\n");
  const double used = status.pool->log_bytes == 0
                          ? 0
                          : 100 - 100 * static_cast<double>(status.pool->free_bytes) /
                                      static_cast<double>(status.pool->log_bytes);
  HtmlTable table({{"pool"}, {""}});
  table.AddRow({"directory", HtmlText(status.directory)});
  table.AddRow({"durability", HtmlText(status.durability)});
  table.AddRow({"log in use", fmt::format("{:.1f} %", used)});
  table.AddRow({"objects in files of their own",
                "those of more than " + BytesForPeople(status.pool->large_bytes)});
  return Page("Pool", table.ToString() + FactTable(status, "pool") + FactTable(status, "store"));
}

Result<Bucket> StatusPages::Maker::BucketOf(const HttpRequest& request) const {
  const std::string_view name = request.Parameter("bucket").value_or("");
  if (name.empty()) return source_.server->bucket();
  return Bucket::Parse(name);
}

// As SCAN does: a place tells where to go on, so rows of one place are shown together.
Result<StatusPages::Maker::RowsPage> StatusPages::Maker::FindRows(const Pattern& pattern,
                                                                  std::uint64_t from) const {
  RowsPage found;
  RowName at;
  at.place = from;
  for (std::size_t looked_at = 0;
       (found.rows.size() < kShownRows && looked_at < kLookedAtRows) || at.place == from;
       looked_at += kRowsAtOnce) {
    StripedStore& store = source_.server->store();
    Transaction transaction = store.BeginAll();
    Result<Engine::RowPage> looked = transaction.Rows(at, pattern, kRowsAtOnce);
    CIREIN_RETURN_IF_ERROR(EndLook(store, std::move(transaction)));
    CIREIN_ASSIGN_OR_RETURN(Engine::RowPage page, std::move(looked));
    for (RowName& row : page.rows) found.rows.push_back(std::move(row));
    if (!page.next) return found;
    at = std::move(*page.next);
  }
  while (!found.rows.empty() && found.rows.back().place == at.place) found.rows.pop_back();
  found.next = at.place;
  return found;
}

Status StatusPages::Maker::AddRow(const RowName& row, HtmlTable& table) const {
  const KeyView view(row.bucket, row.name);
  StripedStore& store = source_.server->store();
  Transaction transaction = store.Begin(std::span(&view, 1));
  const std::uint64_t now_ms = transaction.now_ms();
  resp::FoundKey found;
  const Status looked = resp::FindKey(transaction, view, resp::Look::kSizes, found);
  CIREIN_RETURN_IF_ERROR(EndLook(store, std::move(transaction)));
  CIREIN_RETURN_IF_ERROR(looked);
  if (!found.exists()) return OkStatus();  // Gone meanwhile.
  const std::string bucket = row.bucket.ToString();
  const std::string target = Target("/row", {"bucket", bucket, "name", row.name});
  const bool is_hash = found.type == resp::KeyType::kHash;
  table.AddRow({HtmlLink(target, row.name), is_hash ? "hash" : "object",
                is_hash ? std::to_string(found.row.columns) : "-",
                is_hash ? "-" : BytesForPeople(found.string.data_bytes + found.string.meta_bytes),
                ExpiryText(found.expiry_ms, now_ms)});
  return OkStatus();
}

HttpResponse StatusPages::Maker::Rows(const HttpRequest& request) const {
  const Result<Bucket> bucket = BucketOf(request);
  if (!bucket.ok()) return ErrorPage(bucket.status());
  const std::string prefix(request.Parameter("prefix").value_or(""));
  const std::string_view cursor = request.Parameter("cursor").value_or("");
  Pattern pattern = Pattern::RowPrefix(prefix);
  pattern.set_bucket(*bucket);
  if (const Status valid = pattern.Validate(); !valid.ok()) return ErrorPage(valid);
  const Result<std::uint64_t> from = cursor.empty() ? 0 : ParseHex64(cursor);
  if (!from.ok()) return ErrorPage(from.status());
  const Result<RowsPage> found = FindRows(pattern, *from);
  if (!found.ok()) return ErrorPage(found.status());

  HtmlTable table({{"row"},
                   {"is"},
                   {"columns", Align::kRight},
                   {"size", Align::kRight},
                   {"lives", Align::kRight}});
  for (const RowName& row : found->rows) {
    if (const Status added = AddRow(row, table); !added.ok()) return ErrorPage(added);
  }
  const std::string bucket_text = bucket->ToString();
  std::string body = fmt::format(
      "<form action=\"/rows\"><input type=\"hidden\" name=\"bucket\" value=\"{}\"><label>rows "
      "that begin with <input name=\"prefix\" value=\"{}\"></label> <input type=\"submit\" "
      "value=\"show\"></form>\n<p>Bucket {}; in the order of their places, not of their "
      "names.</p>\n",
      HtmlText(bucket_text), IsUtf8(prefix) ? HtmlText(prefix, kMaxRowBytes) : "",
      HtmlText(bucket_text));
  body += found->rows.empty() ? "<p>None in this part.</p>\n" : table.ToString();
  if (found->next) {
    const std::string next = fmt::format("{:x}", *found->next);
    body += fmt::format(
        "<p>{}</p>\n",
        HtmlLink(Target("/rows", {"bucket", bucket_text, "prefix", prefix, "cursor", next}),
                 "go on"));
  }
  return Page("Rows", body);
}

std::string StatusPages::Maker::ColumnTable(Transaction& transaction, const KeyView& row,
                                            const std::optional<std::string_view>& after,
                                            Status& status) const {
  HtmlTable table({{"column"},
                   {"meta", Align::kRight},
                   {"data", Align::kRight},
                   {"version", Align::kRight},
                   {"lives", Align::kRight}});
  Pattern all = Pattern::Row(std::string(row.row));
  all.set_bucket(row.bucket);
  std::size_t shown = 0;
  std::string last;
  bool more = false;
  const auto name_of = [](const KeyView& key) -> std::string {
    if (!key.has_column) return "<i>without column</i>";
    if (key.column.empty()) return "<i>the empty column</i>";
    return fmt::format("<code>{}</code>", HtmlText(key.column));
  };
  const auto show = [&](const KeyView& key, const StoredObject& stored) {
    more = shown == kShownColumns;
    if (more) return false;
    ++shown;
    last = key.column;
    table.AddRow({name_of(key), BytesForPeople(stored.meta_bytes),
                  BytesForPeople(stored.data_bytes), HtmlText(stored.version.ToString()),
                  ExpiryText(stored.expiry_ms, transaction.now_ms())});
    return true;
  };
  status = transaction.WalkRow(row, all, after, Load::kSizes, show);
  std::string text = table.ToString();
  if (more) {
    const std::string bucket = row.bucket.ToString();
    text += fmt::format(
        "<p>{}</p>\n",
        HtmlLink(Target("/row", {"bucket", bucket, "name", row.row, "after", last}), "go on"));
  }
  return text;
}

HttpResponse StatusPages::Maker::Row(const HttpRequest& request) const {
  const Result<Bucket> bucket = BucketOf(request);
  if (!bucket.ok()) return ErrorPage(bucket.status());
  const std::string name(request.Parameter("name").value_or(""));
  if (!resp::IsStorable(name)) {
    return ErrorPage(InvalidArgument("no row has such a name", "give /row?name=NAME"));
  }
  const KeyView row(*bucket, name);
  StripedStore& store = source_.server->store();
  Transaction transaction = store.Begin(std::span(&row, 1));
  const std::uint64_t now_ms = transaction.now_ms();
  resp::FoundKey found;
  Status looked = resp::FindKey(transaction, row, resp::Look::kSizes, found);
  std::string columns;
  if (looked.ok() && found.exists()) {
    columns = ColumnTable(transaction, row, request.Parameter("after"), looked);
  }
  if (const Status kept = EndLook(store, std::move(transaction)); looked.ok()) looked = kept;
  if (!looked.ok()) return ErrorPage(looked);
  if (!found.exists()) {
    HttpResponse response =
        Page("Row", fmt::format("<p>There is no row <code>{}</code>.</p>\n", HtmlText(name, 2000)));
    response.status = 404;
    return response;
  }
  HtmlTable facts({{"row"}, {""}});
  facts.AddRow({"name", fmt::format("<code>{}</code>", HtmlText(name, 2000))});
  facts.AddRow({"bucket", HtmlText(bucket->ToString())});
  facts.AddRow({"slot", std::to_string(SlotOfRow(name))});
  if (!is_of_program()) {
    facts.AddRow({"Redis sees", found.type == resp::KeyType::kHash ? "a hash" : "a string"});
  }
  facts.AddRow({"columns", std::to_string(found.row.columns)});
  facts.AddRow({"lives", ExpiryText(found.expiry_ms, now_ms)});
  return Page("Row", facts.ToString() + "<h2>Objects</h2>\n" + columns);
}

HttpResponse StatusPages::Maker::Json() const {
  HttpResponse response;
  response.content_type = kJsonType;
  response.body = StatusJson(AskStatus(source_), server_.is_ready());
  return response;
}

HttpResponse StatusPages::Maker::Metrics() const {
  HttpResponse response;
  response.content_type = kMetricsType;
  response.body = StatusMetrics(source_);
  return response;
}

namespace {

HttpResponse FunctionsPage() {
  std::string body =
      "<p>What a compute can run at the owner of a row, over its objects: those that are built in, "
      "and those that the server's program has registered.</p>\n<ul>\n";
  for (const std::string& name : ComputeFunctionNames()) {
    body += fmt::format("<li><code>{}</code></li>\n", HtmlText(name));
  }
  return Page("Compute functions", body + "</ul>\n");
}

}  // namespace

Result<std::unique_ptr<StatusPages>> StatusPages::Add(HttpServer& server, StatusSource source) {
  auto maker = std::make_shared<Maker>(server, std::move(source));
  const auto add = [&](const char* path, const char* title, auto make) {
    return server.AddPage(path, title, [maker, make](const HttpRequest& request) {
      const Gate::Holder inside = maker->gate().TryEnter();
      if (!inside) return HttpResponse::Text(503, "closing");
      if (maker->is_over()) return HttpResponse::Text(503, "the library has been finished");
      return make(*maker, request);
    });
  };
  using M = const Maker&;
  using Q = const HttpRequest&;
  CIREIN_RETURN_IF_ERROR(add("/", "", [](M m, Q) { return m.Overview(); }));
  const char* const pools = maker->is_of_program() ? "Pools" : "Pool";
  CIREIN_RETURN_IF_ERROR(add("/pools", pools, [](M m, Q) { return m.Pools(); }));
  CIREIN_RETURN_IF_ERROR(add("/rows", "Rows", [](M m, Q request) { return m.Rows(request); }));
  CIREIN_RETURN_IF_ERROR(add("/row", "", [](M m, Q request) { return m.Row(request); }));
  CIREIN_RETURN_IF_ERROR(
      add("/functions", "Compute functions", [](M, Q) { return FunctionsPage(); }));
  CIREIN_RETURN_IF_ERROR(
      add("/status.json", "Status for scripts", [](M m, Q) { return m.Json(); }));
  CIREIN_RETURN_IF_ERROR(
      add("/metrics", "Metrics for Prometheus", [](M m, Q) { return m.Metrics(); }));
  return std::unique_ptr<StatusPages>(new StatusPages(std::move(maker)));
}

StatusPages::~StatusPages() { Close(); }

void StatusPages::Close() { maker_->gate().CloseAndWait(); }

}  // namespace cirein::http
