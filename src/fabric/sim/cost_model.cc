// SPDX-License-Identifier: Apache-2.0
#include "fabric/sim/cost_model.h"

#include <array>

#include <fmt/format.h>

#include "base/suggest.h"
#include "base/text.h"

namespace cirein::fabric {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

namespace {

constexpr std::uint64_t kCacheLineBytes = 64;
constexpr std::uint64_t kGb = 1'000'000'000;

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

CostModel CostModel::Rdma() {
  CostModel model;
  model.name = "rdma";
  // Assumed: adapters of 100 Gbit/s answer a small read within 2 us, switch included.
  model.latency = nanoseconds(900);
  // Assumed: 100 Gbit/s, less what headers take.
  model.bandwidth_bytes_per_s = 12 * kGb;
  // Assumed: posting a work request and polling its completion, 100 to 200 ns each side.
  model.message_cpu = nanoseconds(150);
  // Measured here: memcpy of 1 MiB at 28 GB/s is 37 ns per KiB; a message is copied once a side.
  model.kib_cpu = nanoseconds(37);
  // The adapter does them.
  model.one_sided_cpu = nanoseconds(0);
  // Assumed: there is no remote flush yet; a small read behind the write takes its place.
  model.persist_base = nanoseconds(300);
  // Measured here: 4 KiB flushed in 0.36 us is 5.6 ns for each line.
  model.persist_line = nanoseconds(6);
  return model;
}

CostModel CostModel::Tcp() {
  CostModel model;
  model.name = "tcp";
  // Assumed: 20 us there and back in one rack, of which the processors' part stands below.
  // Measured here: a loopback round trip, all of it processor's work, is 6.8 us.
  model.latency = microseconds(8);
  // Assumed: 25 Gbit/s. Measured here: loopback reaches about 4 GB/s.
  model.bandwidth_bytes_per_s = 3 * kGb;
  // Measured here: half of a loopback round trip's 6.8 us is one message, its two sides together.
  model.message_cpu = nanoseconds(1700);
  // Measured here: loopback at 4 GB/s is 256 ns per KiB, shared by both sides.
  model.kib_cpu = nanoseconds(128);
  // Measured here: a read over libfabric's tcp provider costs 8 us where a round trip costs 6.8.
  model.one_sided_cpu = nanoseconds(1200);
  // Measured here: pwrite and fdatasync on ext4 take 127 to 190 us.
  model.persist_base = microseconds(150);
  // Measured here: 64 KiB take about 30 us longer than 512 bytes: 30 ns for each line.
  model.persist_line = nanoseconds(30);
  return model;
}

CostModel CostModel::Cxl() {
  CostModel model;
  model.name = "cxl";
  // Assumed: loads from CXL memory take 200 to 400 ns there and back.
  model.latency = nanoseconds(150);
  // Assumed: eight lanes of PCIe 5.
  model.bandwidth_bytes_per_s = 28 * kGb;
  // Measured here: a round trip through a ring in shared memory is 0.57 us, of which 0.275 us are
  // the cache line's way there and back.
  model.message_cpu = nanoseconds(75);
  // Measured here: memcpy of 1 MiB at 28 GB/s is 37 ns per KiB.
  model.kib_cpu = nanoseconds(37);
  // Loads and stores of the caller.
  model.one_sided_cpu = nanoseconds(0);
  // Measured here: 64 bytes flushed in 0.15 to 0.18 us.
  model.persist_base = nanoseconds(160);
  // Measured here: 4 KiB flushed in 0.36 us.
  model.persist_line = nanoseconds(6);
  return model;
}

CostModel CostModel::Shm() {
  CostModel model;
  model.name = "shm";
  // Measured here: a cache line goes between two cores and back in 275 ns.
  model.latency = nanoseconds(140);
  // Measured here: a ring moves 1 MiB pieces at 12.7 GB/s.
  model.bandwidth_bytes_per_s = 12'700'000'000;
  // Measured here: a round trip through a ring is 0.57 us; what the lines' ways leave of it.
  model.message_cpu = nanoseconds(75);
  // Measured here: memcpy of 1 MiB at 28 GB/s is 37 ns per KiB.
  model.kib_cpu = nanoseconds(37);
  // Plain loads and stores: the peer takes no part.
  model.one_sided_cpu = nanoseconds(0);
  // Measured here: 64 bytes flushed on tmpfs in 0.15 to 0.18 us, 4 KiB in 0.36 us.
  model.persist_base = nanoseconds(160);
  model.persist_line = nanoseconds(6);
  return model;
}

Result<CostModel> CostModel::FromConfig(std::string_view name, const Config& /*config*/) {
  for (const auto& model : {Rdma(), Tcp(), Cxl(), Shm()}) {
    if (model.name == name) return model;
  }
  return InvalidArgument(fmt::format("there is no cost model {}", QuoteForPeople(name)),
                         "it is one of rdma, tcp, cxl, shm");
}

}  // namespace cirein::fabric
