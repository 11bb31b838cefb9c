// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/units.h"
#include "cli/server_file.h"
#include "cli/verb_table.h"
#include "http/http_client.h"
#include "runtime/file.h"
#include "runtime/real_clock.h"

namespace cirein {
namespace {

using Json = nlohmann::ordered_json;

// A number with the unit that ends its name, as people read it.
std::string ValueText(std::string_view name, const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (!value.is_number()) return value.dump();
  const double number = value.get<double>();
  if (name.ends_with("_bytes") && number >= 0) {
    return BytesForPeople(static_cast<std::uint64_t>(number));
  }
  if (name.ends_with("_s")) {
    return DurationForPeople(
        std::chrono::nanoseconds(static_cast<std::int64_t>(std::clamp(number, 0.0, 9e9) * 1e9)));
  }
  return value.dump();
}

// Sections of names and values become one table; lists of alike things one each.
std::vector<Report> ReportsOf(const Json& status) {
  Report facts("status", {{"section", "section"}, {"name", "name"}, {"value", "value"}});
  for (const auto& [section, members] : status.items()) {
    if (!members.is_object()) continue;
    for (const auto& [name, value] : members.items()) {
      facts.AddRow({section, name, ValueText(name, value)});
    }
  }
  std::vector<Report> reports = {std::move(facts)};
  const auto commands = status.find("commands");
  if (commands == status.end() || !commands->is_array() || commands->empty()) return reports;
  Report report("commands", {{"name", "command"},
                             {"calls", "calls", Report::Type::kCount},
                             {"usec", "time in all", Report::Type::kDuration},
                             {"rejected", "refused", Report::Type::kCount},
                             {"failed", "failed", Report::Type::kCount}});
  for (const Json& command : *commands) {
    const auto number = [&](const char* name) { return command.at(name).get<std::uint64_t>(); };
    constexpr std::uint64_t kNsPerUsec = 1000;
    report.AddRow({command.at("name").get<std::string>(), number("calls"),
                   number("usec") * kNsPerUsec, number("rejected"), number("failed")});
  }
  reports.push_back(std::move(report));
  return reports;
}

class StatusVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    options->AddText({"--http", "ADDRESS",
                      "where it answers HTTP, as HOST:PORT or PORT; else "
                      "found by its directory"},
                     &address_);
    options->AddText({"--dir", "DIR", "the directory of the server's pool"}, &directory_);
    options->AddText({"--requirepass-file", "FILE", "its first line is the password"},
                     &password_file_);
    options->AddDuration({"--deadline", "TIME", "wait so long for the answer"}, &deadline_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    CIREIN_ASSIGN_OR_RETURN(const StreamAddress address, Address());
    http::HttpQuestion question{.target = "/status.json", .password = {}, .time = deadline_};
    CIREIN_ASSIGN_OR_RETURN(question.password, Password());
    const auto answer = http::HttpGet(RealClock::Instance(), address, question);
    if (answer.code() == StatusCode::kIoError) {
      return Unavailable(std::string(answer.status().message()),
                         "is it up, with --http-port? cirein up --help says how");
    }
    CIREIN_RETURN_IF_ERROR(answer.status());
    CIREIN_RETURN_IF_ERROR(Check(*answer, address));
    if (context.options.output == OutputFormat::kJson) {
      context.console.Write(answer->body);
      return ExitCode::kOk;
    }
    try {
      const std::vector<Report> reports = ReportsOf(Json::parse(answer->body));
      context.Print(reports);
    } catch (const Json::exception& error) {
      return DataLoss(
          fmt::format("what {} answers is no status: {}", address.ToString(), error.what()),
          "is it a server of this version?");
    }
    return ExitCode::kOk;
  }

 private:
  Result<StreamAddress> Address() const {
    if (!address_.empty()) return ParseStreamAddress(address_);
    CIREIN_ASSIGN_OR_RETURN(ServerFile file, FindServer(directory_));
    if (file.http.empty()) {
      return Unavailable(fmt::format("the server in '{}' does not answer HTTP", directory_),
                         "start it with --http-port PORT; or ask INFO by a Redis client");
    }
    return std::move(file.http.front());
  }

  Result<std::string> Password() const {
    if (password_file_.empty()) return std::string();
    return ReadFirstLine(password_file_,
                         "write the password there, or leave --requirepass-file out");
  }

  static Status Check(const http::HttpAnswer& answer, const StreamAddress& address) {
    if (answer.status == 200) return OkStatus();
    const std::string said =
        QuoteForPeople(answer.body.substr(0, answer.body.find_first_of("\r\n")));
    if (answer.status == 401 || answer.status == 403) {
      return PermissionDenied(fmt::format("{} refuses to tell: {}", address.ToString(), said),
                              "give its password with --requirepass-file FILE");
    }
    return Unavailable(fmt::format("{} answers {}: {}", address.ToString(), answer.status, said),
                       answer.status == 503 ? "ask again in a while" : "does cirein answer there?");
  }

  std::string address_;
  std::string directory_ = "cirein-data";
  std::string password_file_;
  std::chrono::nanoseconds deadline_ = std::chrono::seconds(10);
};

}  // namespace

std::unique_ptr<Verb> MakeStatusVerb() { return std::make_unique<StatusVerb>(); }

}  // namespace cirein
