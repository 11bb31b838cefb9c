// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cirein/library.h"

#include "cli/connect_pool.h"
#include "cli/trace_player.h"
#include "cli/verb_table.h"

namespace cirein {
namespace {

class PlayVerb final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    options->AddArgument({"FILE", "", "the trace"}, OptionSet::Presence::kRequired, &file_);
    options->AddText({"--pool", "URL", "the pool to ask"}, &url_);
    options->AddChoice({"--speed", "WHICH", "at the recorded times, or one after another"},
                       {"original", "full"}, "full", [this](std::string_view word) {
                         speed_ = word == "full" ? TracePlayer::Speed::kFull
                                                 : TracePlayer::Speed::kOriginal;
                         return OkStatus();
                       });
    options->AddNumber({"--rank", "N", "of the files of several processes, the one of this rank"},
                       {}, &rank_);
    options->AddDuration({"--deadline", "TIME", "of each request"}, &deadline_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    const std::string path = rank_ ? fmt::format("{}.{}", file_, *rank_) : file_;
    CIREIN_ASSIGN_OR_RETURN(const TraceReader trace, TraceReader::Open(path));
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    const Library library(config);
    CIREIN_RETURN_IF_ERROR(library.status());
    CIREIN_ASSIGN_OR_RETURN(const Pool pool, ConnectPool(url_));
    TracePlayResult result;
    {
      Progress progress(context.console, "play", trace.count());
      result =
          TracePlayer(pool, deadline_, InterruptFlag::Install(), &progress).Play(trace, speed_);
    }
    const std::array<Report, 2> reports = {RequestsReport(result),
                                           RunReport(result, path, pool.url().ToString())};
    context.Print(reports);
    return Verdict(result, context.console);
  }

 private:
  static Report RequestsReport(const TracePlayResult& result) {
    using Type = Report::Type;
    Report report("requests", {{"request", "request"},
                               {"count", "count", Type::kCount},
                               {"errors", "errors", Type::kCount},
                               {"p50_ns", "p50", Type::kDuration},
                               {"p99_ns", "p99", Type::kDuration},
                               {"max_ns", "max", Type::kDuration}});
    for (std::size_t i = 0; i < kTraceVerbCount; ++i) {
      const auto& [latency, errors] = result.counts[i];
      if (latency.count() + errors == 0) continue;
      std::vector<Report::Cell> cells = {
          std::string(TraceVerbName(static_cast<TraceRecord::Verb>(i))), latency.count() + errors,
          errors};
      if (latency.count() > 0) {
        cells.insert(cells.end(), {latency.Percentile(50), latency.Percentile(99), latency.max()});
      }
      report.AddRow(std::move(cells));
    }
    return report;
  }

  Report RunReport(const TracePlayResult& result, std::string path, std::string url) const {
    using Type = Report::Type;
    Report report("run", {{"file", "file"},
                          {"pool", "pool"},
                          {"speed", "speed"},
                          {"run_ns", "run", Type::kDuration},
                          {"lateness_p50_ns", "late by p50", Type::kDuration},
                          {"lateness_max_ns", "max", Type::kDuration}});
    const bool full = speed_ == TracePlayer::Speed::kFull;
    std::vector<Report::Cell> cells = {std::move(path), std::move(url),
                                       std::string(full ? "full" : "original"),
                                       static_cast<std::uint64_t>(result.time.count())};
    if (!full) {
      cells.insert(cells.end(), {result.lateness_ns.Percentile(50), result.lateness_ns.max()});
    }
    report.AddRow(std::move(cells));
    return report;
  }

  static ExitCode Verdict(const TracePlayResult& result, Console& console) {
    if (result.end == TracePlayResult::End::kInterrupted) {
      console.Tell("cirein: interrupted; these are the figures so far\n");
      if (result.given_up > 0) {
        console.Tell(
            fmt::format("cirein: wants that waited and were given up: {}\n", result.given_up));
      }
    }
    if (!result.first_error.ok()) {
      console.Tell("cirein: the first failure was:\n");
      console.Tell(ErrorText(result.first_error, console));
    }
    const bool good = result.end == TracePlayResult::End::kComplete && result.first_error.ok();
    return good ? ExitCode::kOk : ExitCode::kPartial;
  }

  std::string file_;
  std::string url_ = "local:";
  TracePlayer::Speed speed_ = TracePlayer::Speed::kFull;
  std::optional<std::uint64_t> rank_;
  std::chrono::nanoseconds deadline_ = std::chrono::seconds(10);
};

}  // namespace

std::unique_ptr<Verb> MakePlayVerb() { return std::make_unique<PlayVerb>(); }

}  // namespace cirein
