// SPDX-License-Identifier: Apache-2.0
#include "bench/pool_merge.h"

#include <cstdio>
#include <vector>

#include <fmt/format.h>

#include "base/random.h"
#include "base/units.h"
#include "bench/turns.h"

namespace cirein::bench {
namespace {

// Large segments, so that a writer is not made to wait for the merger meanwhile.
constexpr std::uint64_t kSegmentBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kLogBytes = 24 * kSegmentBytes;

struct Rates {
  std::vector<double> write, merge;
};

void MeasureTurn(dpm::Dpm& pool, PoolWriter& writer, std::span<const BenchKey> keys,
                 BatchShape shape, std::uint64_t turn, Rates* rates) {
  const std::vector<std::byte> value = MakeValue(shape.value_bytes);
  // Two segments' worth: what a shard may have unmerged.
  const std::uint64_t objects = 2 * kSegmentBytes * 9 / 10 / LogBytes(shape) * shape.count;
  std::vector<BenchKey> draws(std::min<std::uint64_t>(objects, 1'000'000));
  Random random(turn);
  for (BenchKey& draw : draws) draw = keys[random.Below(keys.size())];
  writer.BeginTurn(turn);
  // Cleaning is no part of either.
  while (Must(pool.Work(dpm::Dpm::Urgency::kUrgent)).any()) {
  }
  const std::uint64_t probed = pool.GetStats().index.probed_buckets;
  const double write_seconds = Time([&] {
    for (std::size_t i = 0; i < draws.size(); ++i) {
      writer.Stage(draws[i], value);
      if ((i + 1) % shape.count == 0) writer.Commit();
    }
    writer.Commit();
  });
  if (pool.GetStats().index.probed_buckets != probed) {
    Must(Internal("the writer had to wait for the merger"));
  }
  const double merge_seconds = Time([&] { Must(pool.MergeAll()); });
  rates->write.push_back(double(draws.size()) / write_seconds);
  rates->merge.push_back(double(draws.size()) / merge_seconds);
}

void Compare(const Medium& medium, std::uint64_t key_count, BatchShape shape, int turns) {
  const std::vector<BenchKey> keys = MakeKeys(key_count);
  const Scratch scratch(medium.parent);
  const auto pool = CreatePool(medium, scratch.path() + "/pool",
                               {.log_bytes = kLogBytes, .segment_bytes = kSegmentBytes});
  PoolWriter writer(*pool, 0);
  writer.BeginTurn(1);
  // Every segment is written once: first touches are not what is measured.
  const std::vector<BenchKey> few = MakeKeys(100);
  while (writer.bytes_written() < kLogBytes) FillPool(*pool, few, writer, {65536, 8});
  FillPool(*pool, keys, writer, shape);
  Rates rates;
  for (int i = 0; i < turns; ++i) {
    MeasureTurn(*pool, writer, keys, shape, static_cast<std::uint64_t>(i) + 2, &rates);
  }
  const double write = Median(rates.write) / 1e6;
  const double merge = Median(rates.merge) / 1e6;
  fmt::print("| {} | {} | {} | {} | {:.2f} | {:.2f} | **{:.2f}** |\n", medium.name,
             FormatBytes(shape.value_bytes), shape.count, key_count, write, merge, merge / write);
  std::fflush(stdout);
}

}  // namespace

void MeasureMerge(const Media& media, std::uint64_t max_keys, int turns) {
  fmt::print(
      "\nMillions of objects a second: one writer with nothing beside it, then the merger over "
      "what "
      "it wrote (at most 1 M objects, drawn evenly from the keys); median of {} turns.\n\n"
      "| medium | object | batch | keys | written | merged | ratio |\n"
      "|---|---|---|---|---|---|---|\n",
      turns);
  for (const Medium* medium : {&media.tmpfs_process, &media.tmpfs_power}) {
    for (const std::size_t batch : {std::size_t{1}, std::size_t{64}}) {
      for (std::uint64_t keys = 10'000; keys <= std::min<std::uint64_t>(max_keys, 1'000'000);
           keys *= 10) {
        fmt::print(stderr, "merge: {} keys on {}\n", keys, medium->name);
        Compare(*medium, keys, {64, batch}, turns);
      }
    }
  }
  Compare(media.tmpfs_process, 100'000, {1024, 64}, turns);
}

}  // namespace cirein::bench
