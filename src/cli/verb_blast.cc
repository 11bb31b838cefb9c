// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cirein/library.h"

#include "base/units.h"
#include "cli/blast.h"
#include "cli/connect_pool.h"
#include "cli/machine.h"
#include "cli/verb_table.h"
#include "runtime/entropy.h"

namespace cirein {
namespace {

// Short enough to be typed again.
constexpr std::uint64_t kSeedMax = 0xFFFF'FFFF;

std::uint64_t Count(std::chrono::nanoseconds time) {
  return static_cast<std::uint64_t>(time.count());
}

// A load that does not fit would not fail: the system would kill the process, or another one.
Status CheckMemory(const BlastPlan& plan, const Pool& pool) {
  constexpr std::uint64_t kBytesPerKey = 200;  // Of names, tables and headers, roughly.
  const auto available = Machine().Field("/proc/meminfo", "MemAvailable");
  if (!available || pool.type() != "local") return OkStatus();
  const double value = static_cast<double>(plan.value_bytes_least + plan.value_bytes_most) / 2;
  const double needed =
      static_cast<double>(plan.keys) * (value + static_cast<double>(plan.key_bytes + kBytesPerKey));
  if (needed <= static_cast<double>(*available)) return OkStatus();
  return ResourceExhausted(fmt::format("{} keys would take about {:.1f} GiB, and {} are available",
                                       plan.keys, needed / 0x1p30, BytesForPeople(*available)),
                           "give fewer --keys or a smaller --value-size");
}

class BlastVerbCommand final : public Verb {
 public:
  void Declare(OptionSet* options) override {
    options->AddArgument({"URL", "", "the pool to load"}, OptionSet::Presence::kOptional, &url_);
    DeclareWorkload(options);
    DeclareKeys(options);
    DeclarePace(options);
  }

  Result<ExitCode> Run(const VerbContext& context) override {
    CIREIN_RETURN_IF_ERROR(CompletePlan());
    CIREIN_RETURN_IF_ERROR(plan_.Validate());
    CIREIN_ASSIGN_OR_RETURN(const Config config, context.LoadConfig());
    const Library library(config);
    CIREIN_RETURN_IF_ERROR(library.status());
    CIREIN_ASSIGN_OR_RETURN(const Pool pool, ConnectPool(url_));
    CIREIN_RETURN_IF_ERROR(CheckMemory(plan_, pool));
    context.console.Tell(fmt::format("cirein: seed {}\n", plan_.seed));
    CIREIN_ASSIGN_OR_RETURN(const BlastResult result, RunBlast(plan_, pool, context.console));
    const std::array<Report, 2> reports = {RequestsReport(result),
                                           RunReport(result, pool.url().ToString())};
    context.Print(reports);
    return Verdict(result, context.console);
  }

 private:
  void DeclareWorkload(OptionSet* options) {
    options->AddChoice({"-w,--workload", "NAME", "a mix of requests and their keys"},
                       {"ycsb-a", "ycsb-b", "ycsb-c", "ycsb-d", "ycsb-e", "ycsb-f"}, "ycsb-a",
                       [this](std::string_view word) {
                         workload_ = word;
                         return OkStatus();
                       });
    const RealRange share{0, 1e6};
    options->AddReal({"--read", "SHARE", "instead: a share of reads"}, share, &shares_[0]);
    options->AddReal({"--update", "SHARE", "a share of overwrites"}, share, &shares_[1]);
    options->AddReal({"--insert", "SHARE", "a share of new keys"}, share, &shares_[2]);
    options->AddReal({"--scan", "SHARE", "a share of listings of a row"}, share, &shares_[3]);
    options->AddReal({"--rmw", "SHARE", "a share of read-modify-writes by version"}, share,
                     &shares_[4]);
    options->AddChoice(
        {"--distribution", "NAME", "which keys are hot; the workload's unless given"},
        {"zipf", "uniform", "latest"}, "", [this](std::string_view word) {
          distribution_ = word == "zipf"      ? Distribution::kZipf
                          : word == "uniform" ? Distribution::kUniform
                                              : Distribution::kLatest;
          return OkStatus();
        });
    options->AddReal({"--theta", "X", "how uneven zipf and latest are"}, {0, Zipf::kMaxTheta},
                     &plan_.theta);
    options->AddFlag({"--verify", "", "check every value read against its key and stamp"},
                     &verify_);
  }

  void DeclareKeys(OptionSet* options) {
    options->AddNumber({"-k,--keys", "N", "objects at the start"}, {1, BlastPlan::kMaxKeys},
                       &plan_.keys);
    options->AddNumber({"--key-size", "BYTES", "of a row's name"}, {1, BlastPlan::kMaxKeyBytes},
                       &plan_.key_bytes);
    options->AddNumber(
        {"--columns", "N", "keys in a row; 1: rows without columns [100 for ycsb-e]"},
        {1, BlastPlan::kMaxColumns}, &columns_);
    Option size;
    size.kind = Option::Kind::kValue;
    size.names = "-s,--value-size";
    size.value = "SIZE";
    size.help = "of values: fixed, or a range as in 64-4KiB";
    size.fallback = fmt::format("{}", plan_.value_bytes_least);
    size.set = [this](std::string_view text) { return ParseValueSize(text, &plan_); };
    options->Add(std::move(size));
    options->AddNumber({"--scan-length", "N", "objects in a scan: 1 to this"},
                       {1, BlastPlan::kMaxScan}, &plan_.scan_most);
  }

  void DeclarePace(OptionSet* options) {
    options->AddNumber({"-t,--threads", "N", "that ask at the same time"},
                       {1, BlastPlan::kMaxThreads}, &plan_.threads);
    options->AddNumber({"-n,--ops", "N", "end after this many requests"}, {1, UINT64_MAX},
                       &plan_.ops);
    options->AddDuration({"-d,--duration", "TIME", "end after this long [5s without --ops]"},
                         &plan_.duration);
    options->AddReal({"--rate", "N", "open loop: begin this many requests a second"}, {0.001, 1e9},
                     &plan_.rate_per_s);
    options->AddDuration({"--deadline", "TIME", "of each request"}, &plan_.deadline);
    options->AddNumber({"--seed", "N", "repeat the run that printed this seed"}, {}, &seed_);
  }

  Status CompletePlan() {
    CIREIN_RETURN_IF_ERROR(ApplyWorkload(workload_, &plan_));
    const bool own_mix = std::any_of(shares_.begin(), shares_.end(),
                                     [](const auto& share) { return share.has_value(); });
    if (own_mix) {
      workload_ = "own";
      for (std::size_t i = 0; i < kBlastVerbCount; ++i) plan_.mix[i] = shares_[i].value_or(0);
      plan_.distribution = Distribution::kZipf;
      plan_.columns = plan_.share(BlastVerb::kScan) > 0 ? kScanColumns : 1;
    }
    if (distribution_) plan_.distribution = *distribution_;
    if (columns_) plan_.columns = *columns_;
    if (verify_) plan_.checks = BlastPlan::Checks::kEveryValue;
    if (!plan_.ops && !plan_.duration) plan_.duration = std::chrono::seconds(5);
    plan_.seed = seed_ ? *seed_ : Entropy::FromSystem().Seed() & kSeedMax;
    return OkStatus();
  }

  static Report RequestsReport(const BlastResult& result) {
    using Type = Report::Type;
    Report report("requests", {{"request", "request"},
                               {"count", "count", Type::kCount},
                               {"errors", "errors", Type::kCount},
                               {"retries", "retries", Type::kCount},
                               {"wrong", "wrong", Type::kCount},
                               {"per_s", "rate", Type::kRate},
                               {"mean_ns", "mean", Type::kDuration},
                               {"p50_ns", "p50", Type::kDuration},
                               {"p90_ns", "p90", Type::kDuration},
                               {"p99_ns", "p99", Type::kDuration},
                               {"p999_ns", "p99.9", Type::kDuration},
                               {"max_ns", "max", Type::kDuration}});
    BlastCounts all;
    for (std::size_t i = 0; i < kBlastVerbCount; ++i) {
      const BlastCounts& counts = result.counts[i];
      all.Merge(counts);
      if (counts.latency_ns.count() + counts.errors == 0) continue;
      AddRequests(std::string(BlastVerbName(static_cast<BlastVerb>(i))), counts, result, &report);
    }
    AddRequests("all", all, result, &report);
    return report;
  }

  static void AddRequests(std::string name, const BlastCounts& counts, const BlastResult& result,
                          Report* report) {
    const Histogram& latency = counts.latency_ns;
    const double seconds = std::chrono::duration<double>(result.run_time).count();
    const double rate = seconds > 0 ? static_cast<double>(latency.count()) / seconds : 0;
    std::vector<Report::Cell> cells = {std::move(name), latency.count(), counts.errors,
                                       counts.retries,  counts.wrong,    rate};
    if (latency.count() > 0) {
      cells.insert(cells.end(), {latency.mean(), latency.Percentile(50), latency.Percentile(90),
                                 latency.Percentile(99), latency.Percentile(99.9), latency.max()});
    }
    report->AddRow(std::move(cells));
  }

  Report RunReport(const BlastResult& result, std::string url) const {
    using Type = Report::Type;
    Report report("run", {{"pool", "pool"},
                          {"workload", "workload"},
                          {"loop", "loop"},
                          {"keys", "keys", Type::kCount},
                          {"threads", "threads", Type::kCount},
                          {"seed", "seed"},
                          {"load_ns", "load", Type::kDuration},
                          {"run_ns", "run", Type::kDuration},
                          {"lateness_max_ns", "late by", Type::kDuration}});
    report.AddRow({std::move(url), workload_, std::string(plan_.rate_per_s ? "open" : "closed"),
                   plan_.keys, plan_.threads, fmt::format("{}", plan_.seed),
                   Count(result.load_time), Count(result.run_time),
                   plan_.rate_per_s ? Report::Cell(Count(result.lateness_max)) : Report::Cell()});
    return report;
  }

  static ExitCode Verdict(const BlastResult& result, Console& console) {
    if (result.end == BlastResult::End::kInterrupted) {
      console.Tell("cirein: interrupted; these are the figures so far\n");
    }
    if (!result.first_error.ok()) {
      console.Tell("cirein: the first failure was:\n");
      console.Tell(ErrorText(result.first_error, console));
    }
    const bool good = result.end == BlastResult::End::kComplete && result.first_error.ok();
    return good ? ExitCode::kOk : ExitCode::kPartial;
  }

  static constexpr std::uint64_t kScanColumns = 100;

  std::string url_ = "local:";
  std::string workload_ = "ycsb-a";
  std::array<std::optional<double>, kBlastVerbCount> shares_;
  std::optional<Distribution> distribution_;
  std::optional<std::uint64_t> columns_;
  std::optional<std::uint64_t> seed_;
  bool verify_ = false;
  BlastPlan plan_;
};

}  // namespace

std::unique_ptr<Verb> MakeBlastVerb() { return std::make_unique<BlastVerbCommand>(); }

}  // namespace cirein
