// SPDX-License-Identifier: Apache-2.0
#include "bench/fabric_tables.h"

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "bench/fabric_bare_ring.h"
#include "bench/fabric_libfabric.h"
#include "bench/fabric_transport_side.h"
#include "bench/fabric_turn.h"
#include "bench/fabric_ucx.h"

namespace cirein::bench {
namespace {

using Carriers = std::vector<std::unique_ptr<Carrier>>;

/// What is measured of all carriers of a table at once.
struct Block {
  std::vector<Measure> measures;
  Cores cores = Cores::kOwn;
};

void Add(Carriers& carriers, std::unique_ptr<Carrier> carrier) {
  if (carrier != nullptr) carriers.push_back(std::move(carrier));
}

std::string SizeName(std::size_t bytes) {
  if (bytes >= std::size_t{1} << 20) return fmt::format("{} MiB", bytes >> 20);
  return bytes >= 1024 ? fmt::format("{} KiB", bytes >> 10) : fmt::format("{} B", bytes);
}

std::string Name(const Measure& measure) {
  switch (measure.cell) {
    case Cell::kRoundTrip:
      return "request and reply, 64 B";
    case Cell::kRate:
      return fmt::format("the same, {} outstanding", kOutstanding);
    case Cell::kRead:
      return "read " + SizeName(measure.bytes);
    case Cell::kWrite:
      return "write " + SizeName(measure.bytes);
    case Cell::kSwap:
      break;
  }
  return "compare and swap";
}

void PrintColumns(const Carriers& carriers) {
  std::string names = "| |";
  std::string line = "|---|";
  for (const auto& carrier : carriers) {
    names += " " + carrier->name() + " |";
    line += "---|";
  }
  fmt::print("\n{}\n{}\n", names, line);
}

void PrintBlock(const Carriers& carriers, const Block& block, const Effort& effort) {
  const auto all = RunRounds(carriers, block.measures, block.cores, effort.each, effort.rounds);
  for (std::size_t m = 0; m < block.measures.size(); ++m) {
    const Rounds& ours = all.front()[m];
    std::string row = Name(block.measures[m]);
    if (block.cores == Cores::kOne) row += ", both on one core";
    row = fmt::format("| {} | {} |", row, Figure(MedianOfRounds(ours) * 1e6));
    for (std::size_t c = 1; c < carriers.size(); ++c) {
      const Rounds& theirs = all[c][m];
      const double ratio = MedianRatio(ours, theirs);
      row += " " + Figure(MedianOfRounds(theirs) * 1e6);
      row += std::isnan(ratio) ? " |" : fmt::format(", **{:.2f}** |", ratio);
    }
    fmt::print("{}\n", row);
  }
  std::fflush(stdout);
}

std::vector<Measure> Messages() { return {{Cell::kRoundTrip}, {Cell::kRate}}; }

std::vector<Measure> OneSided() {
  std::vector<Measure> measures;
  for (const Cell cell : {Cell::kRead, Cell::kWrite}) {
    for (const std::size_t bytes : {std::size_t{64}, std::size_t{4} << 10, std::size_t{64} << 10,
                                    std::size_t{1} << 20, std::size_t{16} << 20}) {
      measures.push_back({cell, bytes});
    }
  }
  measures.push_back({Cell::kSwap, sizeof(std::uint64_t)});
  return measures;
}

}  // namespace

std::string Figure(double value) {
  if (std::isnan(value)) return "—";
  if (value == 0) return "0";
  if (value < 0.1) return fmt::format("{:.4f}", value);
  if (value < 1) return fmt::format("{:.3f}", value);
  if (value < 10) return fmt::format("{:.2f}", value);
  return value < 100 ? fmt::format("{:.1f}", value) : fmt::format("{:.0f}", value);
}

void PrintHead(const Effort& effort) {
  fmt::print(
      "Microseconds of one request or operation: the median of {} turns of {} s, and of each turn "
      "the\nmedian of its laps. In bold how many times as long as the peer Cirein takes: the "
      "median "
      "of the ratios of\nturns that stood side by side. Two processes, each on its own core where "
      "nothing else is said; who\nwaits polls, and yields where both are on one core. — is what a "
      "carrier does not offer.\n",
      effort.rounds, effort.each.count());
  if (MakeUcx() == nullptr) fmt::print("Built without UCX.\n");
  if (MakeLibfabric("shm") == nullptr) fmt::print("Built without libfabric.\n");
}

void MeasureShmMessages(const Effort& effort) {
  Carriers carriers;
  Add(carriers, MakeTransportCarrier({"shm", ""}));
  Add(carriers, MakeBareRing());
  Add(carriers, MakeLibfabric("shm"));
  Add(carriers, MakeUcx());
  PrintColumns(carriers);
  PrintBlock(carriers, {Messages(), Cores::kOwn}, effort);
  PrintBlock(carriers, {Messages(), Cores::kOne}, effort);
}

void MeasureShmOneSided(const Effort& effort) {
  Carriers carriers;
  Add(carriers, MakeTransportCarrier({"shm", ""}));
  Add(carriers, MakeMemoryCopy());
  Add(carriers, MakeLibfabric("shm"));
  Add(carriers, MakeUcx());
  PrintColumns(carriers);
  PrintBlock(carriers, {OneSided(), Cores::kOwn}, effort);
}

void MeasureOfi(const Effort& effort) {
  const std::string provider = "tcp;ofi_rxm";
  Carriers carriers;
  Add(carriers, MakeTransportCarrier({"ofi", provider}));
  Add(carriers, MakeLibfabric(provider));
  if (carriers.size() < 2) return fmt::print("\nThere is no libfabric `{}` here.\n", provider);
  PrintColumns(carriers);
  PrintBlock(carriers, {Messages(), Cores::kOwn}, effort);
  PrintBlock(carriers, {OneSided(), Cores::kOwn}, effort);
}

}  // namespace cirein::bench
