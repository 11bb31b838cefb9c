// SPDX-License-Identifier: Apache-2.0
#include "http/status_pages.h"

#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "http/html.h"
#include "http/http_client.h"
#include "http/server_status.h"
#include "resp/command_harness.h"
#include "runtime/file.h"
#include "runtime/real_clock.h"
#include "runtime/temporary_directory.h"
#include "support/project_file.h"
#include "support/status_matchers.h"
#include "support/waiting.h"

namespace cirein::http {
namespace {

using testing::HasSubstr;
using testing::Not;

// A node in virtual time with its pages, which are asked over a real socket.
class StatusPagesTest : public testing::Test {
 protected:
  StatusPagesTest() {
    dpm::CreateOptions create;
    create.segment_bytes = 256 * 1024;
    create.log_bytes = 32 * create.segment_bytes;
    create.index_bytes = 4 << 20;
    create.extent_limit_bytes = 64 << 20;
    create.large_bytes = 4096;
    create.pool_id = 1;
    create.created_ms = 1;
    auto space = std::make_unique<ShadowSpace>(ShadowSpace::Medium::kFlushable);
    EXPECT_OK(dpm::Dpm::Create(*space, create));
    auto node = node::Node::Open(std::move(space), world_.environment(), executor_,
                                 {.shards = 2, .cache_bytes = 1 << 20, .shared_log = true});
    EXPECT_OK(node);
    node_ = std::move(*node);
    state_ =
        std::make_shared<resp::ServerState>(resp::ServerState::Options{.store = node_->store(),
                                                                       .bucket = resp::kBucket,
                                                                       .clock = &world_.clock(),
                                                                       .fsync = "everysec",
                                                                       .prepare_bytes = UINT64_MAX,
                                                                       .seed = 1,
                                                                       .shutdown = nullptr});
    HttpServer::Options options;
    options.addresses = {{.host = "127.0.0.1", .port = 0, .path = {}}};
    server_ = std::move(*HttpServer::Start(RealClock::Instance(), options));
    source_ = {.server = state_, .node = node_, .directory = "/a<b>", .version = "0.1"};
    pages_ = std::move(*StatusPages::Add(*server_, source_));
    server_->SetReady();
  }
  ~StatusPagesTest() override {
    server_->Stop();
    EXPECT_OK(node_->Close());
  }

  void Put(const Key& key, const std::string& data) {
    const KeyView view(resp::kBucket, key);
    Transaction transaction = state_->store().Begin(std::span(&view, 1));
    transaction.Put(view, DataObject::FromString(data).value());
    auto committed = state_->store().Commit(std::move(transaction));
    ASSERT_OK(committed.status);
    StripedStore::Tell(committed, OkStatus());
  }

  HttpAnswer Get(const std::string& target) {
    HttpQuestion question{.target = target, .password = {}, .time = test::kPatience};
    auto answer = HttpGet(RealClock::Instance(), server_->addresses().front(), question);
    EXPECT_OK(answer);
    return answer.ok() ? *answer : HttpAnswer{};
  }

  // The target of the link with this text; empty when there is none.
  static std::string LinkOf(const std::string& page, const std::string& text) {
    const std::size_t end = page.find("\">" + text + "</a>");
    if (end == std::string::npos) return "";
    const std::size_t begin = page.rfind('"', end - 1) + 1;
    std::string target = page.substr(begin, end - begin);
    for (std::size_t at; (at = target.find("&amp;")) != std::string::npos;)
      target.replace(at, 5, "&");
    return target;
  }

  VirtualEnvironment world_;
  ManualExecutor executor_{"pool"};
  std::shared_ptr<node::Node> node_;
  std::shared_ptr<resp::ServerState> state_;
  StatusSource source_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<StatusPages> pages_;
};

TEST_F(StatusPagesTest, ShowsEveryPageAndThoseOfOthers) {
  ASSERT_OK(server_->AddPage("/mine", "My <page>",
                             [](const HttpRequest&) { return HttpResponse::Text(200, "mine"); }));
  state_->CountError("WRONGTYPE Operation");
  for (const char* path : {"/", "/pools", "/rows", "/functions", "/status.json", "/metrics"}) {
    EXPECT_EQ(Get(path).status, 200) << path;
  }
  const std::string overview = Get("/").body;
  EXPECT_THAT(overview, HasSubstr("<a href=\"/mine\">My &lt;page&gt;</a>"));
  EXPECT_THAT(overview, HasSubstr("/a&lt;b&gt;"));
  EXPECT_THAT(overview, HasSubstr("WRONGTYPE"));
  EXPECT_THAT(overview, Not(HasSubstr("<script")));
  EXPECT_THAT(Get("/functions").body, HasSubstr("<code>concat</code>"));
  EXPECT_THAT(Get("/pools").body, HasSubstr("process"));
}

TEST_F(StatusPagesTest, ListsEveryRowOncePageByPage) {
  std::set<std::string> put;
  for (int i = 0; i < 333; ++i) {
    put.insert("row-" + std::to_string(i));
    Put(Key("row-" + std::to_string(i)), "value");
  }
  Put(Key("other"), "value");
  std::multiset<std::string> seen;
  std::string target = "/rows?prefix=row-";
  int pages = 0;
  for (; !target.empty() && pages < 1000; ++pages) {
    const std::string page = Get(target).body;
    EXPECT_LT(page.size(), 64u << 10);
    for (const std::string& name : put) {
      if (page.find(">" + name + "</a>") != std::string::npos) seen.insert(name);
    }
    EXPECT_THAT(page, Not(HasSubstr(">other<")));
    target = LinkOf(page, "go on");
  }
  EXPECT_GT(pages, 3);
  EXPECT_EQ(seen, std::multiset<std::string>(put.begin(), put.end()));
}

TEST_F(StatusPagesTest, ShowsARowOfAnyName) {
  const std::string name("<b>&\"'\0\xff /?#%", 13);
  Put(Key(name), "secret-value");
  Put(Key(name, ""), "1");
  Put(Key(name, "<i>\n"), "secret-value");
  const std::string rows = Get("/rows").body;
  EXPECT_THAT(rows, Not(HasSubstr("<b>")));
  const std::string target = "/row?bucket=0x7&name=" + Target("", {"", name}).substr(2);
  EXPECT_THAT(rows, HasSubstr(Target("/row", {"bucket", "0x7"})));
  const HttpAnswer row = Get(target);
  EXPECT_EQ(row.status, 200);
  EXPECT_THAT(row.body, HasSubstr("without column"));
  EXPECT_THAT(row.body, HasSubstr("the empty column"));
  EXPECT_THAT(row.body, HasSubstr("&lt;i&gt;\\x0a"));
  EXPECT_THAT(row.body, HasSubstr("a hash"));
  EXPECT_THAT(row.body, Not(HasSubstr("<i>\n")));
  EXPECT_THAT(row.body, Not(HasSubstr("secret-value")));
}

TEST_F(StatusPagesTest, ShowsEveryColumnOncePageByPage) {
  for (int i = 0; i < 250; ++i) Put(Key("hash", "c" + std::to_string(1000 + i)), "v");
  std::string target = "/row?name=hash";
  std::string all;
  int pages = 0;
  for (; !target.empty() && pages < 10; ++pages) {
    const std::string page = Get(target).body;
    all += page;
    target = LinkOf(page, "go on");
  }
  EXPECT_EQ(pages, 3);
  for (int i = 0; i < 250; ++i) {
    const std::string cell = "<code>c" + std::to_string(1000 + i) + "</code>";
    const std::size_t at = all.find(cell);
    EXPECT_NE(at, std::string::npos) << cell;
    EXPECT_EQ(all.find(cell, at + 1), std::string::npos) << cell;
  }
}

TEST_F(StatusPagesTest, AnswersWrongQuestions) {
  EXPECT_EQ(Get("/row").status, 400);
  EXPECT_EQ(Get("/row?name=none").status, 404);
  EXPECT_EQ(Get("/rows?cursor=xyz").status, 400);
  EXPECT_EQ(Get("/rows?bucket=0xfffffffff").status, 400);
  EXPECT_EQ(Get("/rows?cursor=ffffffffffffffff").status, 200);
  EXPECT_EQ(Get("/row?name=" + std::string(70'000, 'a')).status, 400);
}

TEST_F(StatusPagesTest, TellsScriptsEveryFact) {
  Put(Key("a"), "1");
  resp::ServerCounters& counters = state_->AddCounters();
  const resp::CommandEntry* const get = state_->commands().Find("get");
  ASSERT_NE(get, nullptr);
  counters.of_command[get->id].calls.Add(3);
  counters.cross_slot.Add(2);
  state_->CountError("ERR x");
  const auto json = nlohmann::json::parse(Get("/status.json").body);
  EXPECT_EQ(json.at("schema"), 1);
  for (const Fact& fact : Facts()) {
    EXPECT_TRUE(json.at(std::string(fact.section)).at(std::string(fact.name)).is_number())
        << fact.name;
  }
  EXPECT_EQ(json.at("server").at("ready"), true);
  EXPECT_EQ(json.at("server").at("directory"), "/a<b>");
  EXPECT_EQ(json.at("traffic").at("cross_slot"), 2);
  EXPECT_EQ(json.at("pool").at("segments"), 32);
  EXPECT_EQ(json.at("commands").at(0).at("name"), "get");
  EXPECT_EQ(json.at("commands").at(0).at("calls"), 3);
  EXPECT_EQ(json.at("errors").at(0).at("kind"), "ERR");
}

TEST_F(StatusPagesTest, EveryFactStandsInTheDocs) {
  const auto docs = ReadFile(test::ProjectFile("docs/operations.md"), 1 << 20);
  ASSERT_OK(docs);
  for (const Fact& fact : Facts()) {
    const std::string metric =
        fact.metric.empty() ? "see above" : "`" + std::string(fact.metric) + "`";
    EXPECT_THAT(*docs, HasSubstr("| `" + std::string(fact.section) + "." + std::string(fact.name) +
                                 "` | " + metric + " | " + std::string(fact.meaning) + " |\n"));
  }
}

TEST_F(StatusPagesTest, TellsMetricsThatPromtoolAccepts) {
  resp::ServerCounters& counters = state_->AddCounters();
  const resp::CommandEntry* const get = state_->commands().Find("get");
  ASSERT_NE(get, nullptr);
  counters.of_command[get->id].calls.Add(3);
  counters.of_command[get->id].usec.Add(1500);
  counters.cross_slot.Add(2);
  state_->CountError("ERR x");
  const HttpAnswer answer = Get("/metrics");
  EXPECT_THAT(answer.head, HasSubstr("text/plain; version=0.0.4"));
  EXPECT_THAT(answer.body, HasSubstr("cirein_resp_cross_slot_total 2\n"));
  EXPECT_THAT(answer.body, HasSubstr("cirein_resp_commands_total{command=\"get\"} 3\n"));
  EXPECT_THAT(answer.body,
              HasSubstr("cirein_resp_command_seconds_total{command=\"get\"} 0.0015\n"));
  EXPECT_THAT(answer.body, HasSubstr("cirein_resp_errors_total{kind=\"ERR\"} 1\n"));
  EXPECT_THAT(answer.body, HasSubstr("cirein_elastic_value_hits_total{pool=\"/a<b>\"} 0\n"));
  EXPECT_THAT(answer.body, HasSubstr("cirein_elastic_pinned_bytes"));

  if (std::system("command -v promtool >/dev/null") != 0) GTEST_SKIP() << "there is no promtool";
  const TemporaryDirectory directory = std::move(*TemporaryDirectory::Create("metrics"));
  const std::string path = directory.File("metrics");
  ASSERT_OK(WriteFileAtomically(path, answer.body));
  EXPECT_EQ(std::system(("promtool check metrics <" + path).c_str()), 0) << answer.body;
}

TEST_F(StatusPagesTest, AnswersNothingAfterItsClose) {
  pages_->Close();
  EXPECT_EQ(Get("/").status, 503);
  EXPECT_EQ(Get("/healthz").status, 200);
}

}  // namespace
}  // namespace cirein::http
