// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cirein/library.h"

#include "cli/connect_pool.h"
#include "cli/rank_traces.h"
#include "cli/trace_player.h"
#include "cli/verb_table.h"
#include "runtime/thread_group.h"

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
    options->AddNumber(
        {"--of", "N", "be process --rank, counted from 0, of N that share all files"},
        {1, UINT32_MAX}, &processes_);
    options->AddDuration({"--deadline", "TIME", "of each request"}, &deadline_);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    CIREIN_ASSIGN_OR_RETURN(const std::vector<RankTrace> traces, OpenTraces());
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    const Library library(config);
    CIREIN_RETURN_IF_ERROR(library.status());
    CIREIN_ASSIGN_OR_RETURN(const Pool pool, ConnectPool(url_));
    CIREIN_ASSIGN_OR_RETURN(const TracePlayResult result, PlayAll(context.console, pool, traces));
    const std::array<Report, 2> reports = {RequestsReport(result),
                                           RunReport(result, traces.size(), pool.url().ToString())};
    context.Print(reports);
    return Verdict(result, context.console);
  }

 private:
  Result<std::vector<RankTrace>> OpenTraces() const {
    if (processes_) {
      const std::uint64_t index = rank_.value_or(0);
      if (index < *processes_ && (rank_ || processes_ == 1U)) {
        return OpenRankTraces(file_, {index, *processes_});
      }
      return InvalidArgument(fmt::format("--of {} needs the --rank of this process", *processes_),
                             fmt::format("give --rank 0 to {}", *processes_ - 1));
    }
    const std::string path = rank_ ? fmt::format("{}.{}", file_, *rank_) : file_;
    CIREIN_ASSIGN_OR_RETURN(TraceReader trace, TraceReader::Open(path));
    std::vector<RankTrace> traces;
    traces.push_back({path, std::move(trace)});
    return traces;
  }

  // Each on a thread of its own, as each was recorded by a process of its own.
  Result<TracePlayResult> PlayAll(Console& console, const Pool& pool,
                                  const std::vector<RankTrace>& traces) const {
    std::uint64_t requests = 0;
    for (const RankTrace& each : traces) requests += each.trace.count();
    InterruptFlag& interrupt = InterruptFlag::Install();
    Progress progress(console, "play", requests);
    std::vector<TracePlayResult> results(traces.size());
    CIREIN_RETURN_IF_ERROR(RunThreads(traces.size(), "play", [&](std::size_t i) {
      TracePlayer player(pool, deadline_, interrupt, &progress);
      results[i] = player.Play(traces[i].trace, speed_, traces[i].start);
      return OkStatus();
    }));
    TracePlayResult all;
    for (const TracePlayResult& result : results) all.Merge(result);
    return all;
  }

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

  Report RunReport(const TracePlayResult& result, std::uint64_t traces, std::string url) const {
    using Type = Report::Type;
    Report report("run", {{"file", "file"},
                          {"traces", "traces", Type::kCount},
                          {"pool", "pool"},
                          {"speed", "speed"},
                          {"run_ns", "run", Type::kDuration},
                          {"lateness_p50_ns", "late by p50", Type::kDuration},
                          {"lateness_max_ns", "max", Type::kDuration}});
    const bool full = speed_ == TracePlayer::Speed::kFull;
    std::vector<Report::Cell> cells = {file_, traces, std::move(url),
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
  std::optional<std::uint64_t> processes_;
  std::chrono::nanoseconds deadline_ = std::chrono::seconds(10);
};

}  // namespace

std::unique_ptr<Verb> MakePlayVerb() { return std::make_unique<PlayVerb>(); }

}  // namespace cirein
