// SPDX-License-Identifier: Apache-2.0
#include "bench/pool_opening.h"

#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <vector>

#include <fmt/format.h>

#include "base/units.h"
#include "bench/turns.h"
#include "runtime/file_descriptor.h"

namespace cirein::bench {
namespace {

constexpr BatchShape kShape{64, 64};

// So that reads come from the disk, as they do after a start of the machine.
void ForgetCached(const std::string& path) {
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    const FileDescriptor file(open(entry.path().c_str(), O_RDWR));
    fsync(file.get());
    posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
  }
}

void CheckKeys(const dpm::Dpm& pool, std::uint64_t keys) {
  const std::uint64_t found = pool.GetStats().index.keys;
  if (found != keys) Must(Internal(fmt::format("{} of {} keys are there", found, keys)));
}

struct Opens {
  std::vector<double> after_kill, after_power_cut;
};

// A pool that goes without Close is as its process would leave it if it were killed.
Opens MeasureOn(const Medium& medium, std::span<const BenchKey> keys, int turns) {
  const Scratch scratch(medium.parent);
  const std::string path = scratch.path() + "/pool";
  const std::uint64_t bytes = keys.size() * LogBytes(kShape) / kShape.count;
  auto pool = CreatePool(medium, path, {.log_bytes = bytes + bytes / 2 + (256U << 20)});
  {
    PoolWriter writer(*pool, 0);
    writer.BeginTurn(1);
    FillPool(*pool, keys, writer, kShape);
  }
  Must(pool->Sync());
  Opens opens;
  for (int turn = 0; turn < turns; ++turn) {
    // The segment that was open is begun anew each time: something to look for.
    const auto leave = [&] {
      {
        PoolWriter writer(*pool, 0);
        const std::vector<std::byte> value = MakeValue(kShape.value_bytes);
        for (std::uint64_t i = 0; i < kShape.count; ++i) writer.Stage(keys[i], value);
        writer.Commit();
      }
      pool.reset();
    };
    leave();
    const std::string boot_id = fmt::format("turn {}", turn);
    opens.after_power_cut.push_back([&] {
      if (!medium.on_tmpfs()) ForgetCached(path);
      return Time([&] { pool = OpenPool(medium, path, boot_id); });
    }());
    CheckKeys(*pool, keys.size());
    leave();
    opens.after_kill.push_back(Time([&] { pool = OpenPool(medium, path, boot_id); }));
    CheckKeys(*pool, keys.size());
  }
  return opens;
}

void PrintSizes(const Medium& medium, std::uint64_t key_count, BatchShape shape) {
  const std::vector<BenchKey> keys = MakeKeys(key_count);
  const Scratch scratch(medium.parent);
  const std::uint64_t bytes = keys.size() * LogBytes(shape) / shape.count;
  const auto pool =
      CreatePool(medium, scratch.path() + "/pool", {.log_bytes = bytes + bytes / 4 + (256U << 20)});
  PoolWriter writer(*pool, 0);
  writer.BeginTurn(1);
  FillPool(*pool, keys, writer, shape);
  const dpm::Dpm::Stats stats = pool->GetStats();
  const auto per_key = [&](std::uint64_t all) { return double(all) / double(key_count); };
  const double log = per_key(stats.written_bytes);
  const double index = per_key(stats.index.used_bytes);
  fmt::print("| {} | {} | {} | {:.0f} | {:.0f} | **{:.0f}** | {:.0f} |\n",
             FormatBytes(shape.value_bytes), shape.count, key_count, log, index, log + index,
             log + index - double(shape.value_bytes + BenchKey::kBytes));
  std::fflush(stdout);
}

}  // namespace

void MeasureOpens(const Media& media, std::uint64_t max_keys, int turns) {
  fmt::print(
      "\nMilliseconds to open a pool of objects of 64 B that was not closed: after `kill -9` (the "
      "index is kept), and after a power cut, when the index is made anew from the log, which on a "
      "disk is read cold; only where the medium keeps an index of flushed lines is it kept. Median "
      "of {} turns.\n\n"
      "| medium | keys | after kill -9 | after a power cut |\n|---|---|---|---|\n",
      turns);
  for (std::uint64_t count = std::min<std::uint64_t>(max_keys, 1'000'000); count <= max_keys;
       count *= 10) {
    const std::vector<BenchKey> keys = MakeKeys(count);
    for (const Medium* medium :
         {&media.tmpfs_process, &media.tmpfs_power, &media.disk_process, &media.disk_power}) {
      fmt::print(stderr, "open: {} keys on {}\n", count, medium->name);
      const Opens opens = MeasureOn(*medium, keys, turns);
      fmt::print("| {} | {} | {:.1f} | {:.1f} |\n", medium->name, count,
                 1e3 * Median(opens.after_kill), 1e3 * Median(opens.after_power_cut));
      std::fflush(stdout);
    }
  }
}

void MeasureSizes(const Media& media, std::uint64_t keys) {
  fmt::print(
      "\nBytes of the pool for each key of 16 bytes, each written once.\n\n"
      "| object | batch | keys | log | index | together | beside key and object |\n"
      "|---|---|---|---|---|---|---|\n");
  for (const std::size_t value : {std::size_t{64}, std::size_t{1024}}) {
    for (const std::size_t batch : {std::size_t{1}, std::size_t{64}}) {
      PrintSizes(media.tmpfs_process, keys, {value, batch});
    }
  }
}

}  // namespace cirein::bench
