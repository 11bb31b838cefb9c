// SPDX-License-Identifier: Apache-2.0
// A closed loop of requests to a server that speaks RESP or memcached's text protocol:
//   resp_load --address 127.0.0.1:6379 --operation get --connections 50 --pipeline 16 --load
//   resp_load --ceiling ...    the same against a thread that does the least there is to do

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <pthread.h>
#include <sched.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "bench/resp_cpu.h"
#include "bench/resp_echo.h"
#include "bench/resp_encoder.h"
#include "bench/resp_loop.h"
#include "bench/resp_report.h"
#include "bench/resp_socket.h"

namespace cirein::bench::resp {
namespace {

struct Arguments {
  std::string address = "127.0.0.1:6379";
  Server server;
  Workload workload;
  std::string operation = "get";
  std::size_t connections = 1;
  std::size_t threads = 1;
  double warm_s = 0.1;
  double seconds = 1;
  std::uint64_t requests = 0;
  std::uint64_t seed = 1;
  pid_t server_pid = 0;
  bool load = false;
  bool load_only = false;
  bool ceiling = false;
  std::vector<std::size_t> ceiling_cpus;
  bool json = false;
};

// More would not fit the machine's memory.
constexpr std::size_t kMaxBatchBytes = std::size_t{4} << 30;

void AddTarget(CLI::App& app, Arguments& arguments) {
  app.add_option("--address", arguments.address, "host:port of the server");
  app.add_option("--unix", arguments.server.address.unix_path, "Unix socket, instead of --address");
  app.add_option("--user", arguments.server.user, "user for AUTH");
  app.add_option("--password", arguments.server.password, "password for AUTH");
  app.add_option("--server-pid", arguments.server_pid, "process whose CPU time is measured");
  const std::map<std::string, Protocol> protocols = {
      {"resp", Protocol::kResp2}, {"resp3", Protocol::kResp3}, {"memcached", Protocol::kMemcached}};
  app.add_option("--protocol", arguments.workload.protocol, "resp, resp3 or memcached")
      ->transform(CLI::Transformer(protocols));
  app.add_flag("--ceiling", arguments.ceiling, "answer by a thread of its own that does the least");
  app.add_option("--ceiling-cpus", arguments.ceiling_cpus, "processors of that thread: 0,1")
      ->delimiter(',')
      ->check(CLI::Range(0, CPU_SETSIZE - 1));
}

void AddWorkload(CLI::App& app, Arguments& arguments) {
  Workload& workload = arguments.workload;
  app.add_option("--operation", arguments.operation,
                 "get, set, incr, hset, hget, mget10 or mixed (GET and SET)");
  app.add_option("--get-percent", workload.get_percent, "of mixed requests")
      ->check(CLI::Range(0, 100));
  app.add_option("--value-bytes", workload.value_bytes)
      ->check(CLI::Range(std::size_t{0}, kMaxValueBytes));
  app.add_option("--keys", workload.keys)->check(CLI::Range(std::uint64_t{1}, kMaxKeys));
  app.add_option("--zipf", workload.theta, "keys by this theta instead of all alike")
      ->check(CLI::Range(0.0, Zipf::kMaxTheta));
  app.add_option("--pipeline", workload.pipeline)->check(CLI::Range(1, 100'000));
  app.add_option("--connections", arguments.connections)->check(CLI::Range(1, 10'000));
  app.add_option("--threads", arguments.threads)->check(CLI::Range(1, 64));
  app.add_option("--warm", arguments.warm_s, "seconds before the measured ones");
  app.add_option("--seconds", arguments.seconds);
  app.add_option("--requests", arguments.requests, "measure so many, instead of --seconds");
  app.add_option("--seed", arguments.seed);
  app.add_flag("--load", arguments.load, "write all keys first");
  app.add_flag("--load-only", arguments.load_only, "write all keys, and measure nothing else");
  app.add_flag("--json", arguments.json);
}

void Finish(const CLI::App& app, Arguments& arguments) {
  Workload& workload = arguments.workload;
  const std::optional<Operation> operation = OperationNamed(arguments.operation);
  if (!operation) Fail("there is no operation " + arguments.operation);
  workload.operation = *operation;
  const bool for_memcached = *operation == Operation::kGet || *operation == Operation::kSet ||
                             *operation == Operation::kMget10 || *operation == Operation::kMixed;
  if (workload.protocol == Protocol::kMemcached && !for_memcached) {
    Fail("memcached has no " + arguments.operation);
  }
  if (app.count("--zipf") > 0) workload.order = KeyOrder::kZipf;
  if (arguments.server.address.unix_path.empty()) {
    arguments.server.address = ParseAddress(arguments.address);
  }
  const std::size_t of_all = arguments.connections * workload.pipeline;
  if (of_all > kMaxBatchBytes / (workload.value_bytes + 512)) Fail("batches of too many bytes");
  arguments.threads = std::min(arguments.threads, arguments.connections);
}

/// Writes all keys, each thread its own range.
LoopResult Load(const Arguments& arguments) {
  const std::uint64_t keys = arguments.workload.keys;
  const std::size_t threads = std::min<std::uint64_t>(arguments.threads, keys);
  std::vector<LoopResult> results(threads);
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < threads; ++i) {
    const std::uint64_t first = keys * i / threads;
    const std::uint64_t last = keys * (i + 1) / threads;
    workers.emplace_back([&arguments, &result = results[i], first, last] {
      LoopPlan plan;
      plan.workload = LoadingOf(arguments.workload);
      plan.requests = last - first;
      plan.first_key = first;
      result = RunLoop(arguments.server, plan);
    });
  }
  LoopResult all;
  for (std::size_t i = 0; i < threads; ++i) {
    workers[i].join();
    all.latency.Merge(results[i].latency);
    all.requests += results[i].requests;
    all.seconds = std::max(all.seconds, results[i].seconds);
  }
  return all;
}

double OwnCpu() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Reads processor times as the measured part begins and ends.
struct CpuWindow {
  std::optional<CpuMeter> meter;
  CpuTime server;
  double own_s = 0;

  void Begin() {
    own_s = OwnCpu();
    if (meter) server = meter->Read();
  }
  void End() {
    if (meter) server = meter->Read() - server;
    own_s = OwnCpu() - own_s;
  }
};

LoopResult Measure(const Arguments& arguments, const Server& server, CpuWindow& cpu) {
  std::vector<LoopResult> results(arguments.threads);
  const auto work = [&](std::size_t thread) {
    LoopPlan plan;
    plan.workload = arguments.workload;
    plan.connections = arguments.connections * (thread + 1) / arguments.threads -
                       arguments.connections * thread / arguments.threads;
    plan.seed = arguments.seed + thread;
    plan.warm = std::chrono::duration<double>(arguments.warm_s);
    plan.measured = std::chrono::duration<double>(arguments.seconds);
    plan.requests = (arguments.requests + arguments.threads - 1) / arguments.threads;
    plan.check_values = !arguments.ceiling;
    if (thread == 0) {
      plan.begin = [&cpu] { cpu.Begin(); };
      plan.end = [&cpu] { cpu.End(); };
    }
    results[thread] = RunLoop(server, plan);
  };
  std::vector<std::thread> others;
  for (std::size_t thread = 1; thread < arguments.threads; ++thread) {
    others.emplace_back(work, thread);
  }
  work(0);
  LoopResult all = results[0];
  for (std::size_t thread = 1; thread < arguments.threads; ++thread) {
    others[thread - 1].join();
    all.latency.Merge(results[thread].latency);
    all.missing += results[thread].missing;
    // As many as this thread would have had in the time of the first.
    all.requests += static_cast<std::uint64_t>(results[thread].per_second() * results[0].seconds);
  }
  return all;
}

void RunOn(const std::vector<std::size_t>& processors, std::thread& thread) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const std::size_t processor : processors) CPU_SET(processor, &set);
  if (pthread_setaffinity_np(thread.native_handle(), sizeof set, &set) != 0) {
    Fail("there are no such processors");
  }
}

void Print(const Arguments& arguments, const Report& report) {
  fmt::print("{}\n", arguments.json ? JsonLine(report) : TextLine(report));
}

void Run(const Arguments& arguments) {
  if (arguments.load_only) {
    return Print(arguments,
                 {"load", arguments.workload, arguments.threads, Load(arguments), {}, 0});
  }
  if (arguments.load && !arguments.ceiling) Load(arguments);
  CpuWindow cpu;
  std::unique_ptr<Echo> echo;
  Server server = arguments.server;
  if (arguments.ceiling) {
    echo = std::make_unique<Echo>(arguments.workload, server.address.unix_path);
    if (!arguments.ceiling_cpus.empty()) RunOn(arguments.ceiling_cpus, echo->thread());
    server = {echo->address(), {}, {}};
    cpu.meter.emplace(echo->thread());
  } else if (arguments.server_pid != 0) {
    cpu.meter.emplace(arguments.server_pid);
  }
  Report report{arguments.ceiling ? "ceiling" : "server",
                arguments.workload,
                arguments.connections,
                Measure(arguments, server, cpu),
                {},
                0};
  report.own_cpu_s = cpu.own_s;
  if (cpu.meter) report.server = cpu.server;
  if (arguments.ceiling) report.own_cpu_s -= cpu.server.total_s;
  Print(arguments, report);
}

}  // namespace
}  // namespace cirein::bench::resp

int main(int argc, char** argv) {
  CLI::App app("A closed loop of requests to a server that speaks RESP or memcached's text");
  cirein::bench::resp::Arguments arguments;
  cirein::bench::resp::AddTarget(app, arguments);
  cirein::bench::resp::AddWorkload(app, arguments);
  CLI11_PARSE(app, argc, argv);
  cirein::bench::resp::Finish(app, arguments);
  cirein::bench::resp::Run(arguments);
  return 0;
}
