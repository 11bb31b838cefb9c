// SPDX-License-Identifier: Apache-2.0
#include "fabric/sim/cost_model.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/suggest.h"
#include "base/text.h"

namespace cirein::fabric {

using std::chrono::nanoseconds;

namespace {

constexpr std::uint64_t kCacheLineBytes = 64;
constexpr std::array<std::string_view, 4> kNames = {"cxl", "rdma", "shm", "tcp"};

CostModel Default(std::string_view name) { return CostModel::FromConfig(name, Config()).value(); }

}  // namespace

nanoseconds CostModel::WireTime(std::uint64_t bytes) const {
  if (bandwidth_bytes_per_s == 0) return nanoseconds(0);
  return nanoseconds(static_cast<std::int64_t>(static_cast<double>(bytes) * 1e9 /
                                               static_cast<double>(bandwidth_bytes_per_s)));
}

nanoseconds CostModel::PersistTime(std::uint64_t bytes) const {
  const std::uint64_t lines = bytes / kCacheLineBytes + (bytes % kCacheLineBytes != 0 ? 1 : 0);
  return persist_base + persist_line * static_cast<std::int64_t>(lines);
}

CostModel CostModel::Rdma() { return Default("rdma"); }
CostModel CostModel::Tcp() { return Default("tcp"); }
CostModel CostModel::Cxl() { return Default("cxl"); }
CostModel CostModel::Shm() { return Default("shm"); }

Result<CostModel> CostModel::FromConfig(std::string_view name, const Config& config) {
  if (std::find(kNames.begin(), kNames.end(), name) == kNames.end()) {
    return InvalidArgument(fmt::format("there is no cost model {}", QuoteForPeople(name)),
                           DidYouMean(name, kNames, "it is one of cxl, rdma, shm, tcp"));
  }
  const auto key = [name](std::string_view figure) {
    return fmt::format("simulation.{}.{}", name, figure);
  };
  CostModel model;
  model.name = name;
  model.latency = config.GetDuration(key("latency"));
  model.bandwidth_bytes_per_s = config.GetBytes(key("bandwidth"));
  model.message_cpu = config.GetDuration(key("message_cpu"));
  model.kib_cpu = config.GetDuration(key("kib_cpu"));
  model.one_sided_cpu = config.GetDuration(key("one_sided_cpu"));
  model.persist_base = config.GetDuration(key("persist_base"));
  model.persist_line = config.GetDuration(key("persist_line"));
  return model;
}

}  // namespace cirein::fabric
