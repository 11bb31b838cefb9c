// SPDX-License-Identifier: Apache-2.0
#include "bench/elastic_scale.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <sys/stat.h>

#include "bench/turns.h"

namespace cirein::bench {
namespace {

constexpr std::size_t kValueBytes = 64;

// This process's own memory: what it has mapped of the pool is the pool's.
std::uint64_t PrivateBytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  std::uint64_t kibibytes = 0;
  while (status >> word) {
    if (word == "RssAnon:" && status >> kibibytes) return kibibytes << 10;
  }
  Must(IoError("/proc/self/status does not tell RssAnon"));
  return 0;
}

// What the files of a directory take, holes not counted.
std::uint64_t TakenBytes(const std::string& directory) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    struct stat status {};
    if (stat(entry.path().c_str(), &status) == 0) bytes += std::uint64_t(status.st_blocks) * 512;
  }
  return bytes;
}

double PerKey(std::uint64_t after, std::uint64_t before, std::uint64_t keys) {
  return (double(after) - double(before)) / double(keys);
}

}  // namespace

void PrintScaleHead() {
  fmt::print(
      "\nObjects of 64 B by one thread in a pool on tmpfs, `process`, with the default cache, each "
      "object made for its publish: millions of operations a second; and the bytes for each key "
      "that "
      "the process's own memory and the pool's files have grown by when all were published. One "
      "run.\n\n"
      "| keys | publish new | overwrite | need, uniform | memory, bytes a key | pool, bytes a key "
      "|\n"
      "|---|---|---|---|---|---|\n");
}

void MeasureScale(const Places& places, std::uint64_t keys) {
  fmt::print(stderr, "{} keys\n", keys);
  const StoreSettings settings{.directory = places.tmpfs + "/scale",
                               .log_bytes = LogBytesFor(keys, kValueBytes)};
  // Ahead of what is counted.
  const std::uint64_t reads = std::clamp<std::uint64_t>(keys, 200'000, 2'000'000);
  const std::vector<std::uint32_t> draws = Draw({Spread::kUniform, keys, reads}, 1);
  const auto store = MakeElasticStore(settings);
  const std::uint64_t memory = PrivateBytes();
  const std::uint64_t taken = TakenBytes(settings.directory);
  Content content{.number = 0, .stamp = 1, .bytes = kValueBytes};
  const auto publish_all = [&] {
    return Time([&] {
      for (content.number = 0; content.number < keys; ++content.number) {
        store->Publish(KeyText(content.number), MakeObject(content));
      }
    });
  };
  const double publish = publish_all();
  const double memory_per_key = PerKey(PrivateBytes(), memory, keys);
  const double taken_per_key = PerKey(TakenBytes(settings.directory), taken, keys);
  content.stamp = 2;
  const double overwrite = publish_all();
  NeedAll(*store, keys, content);
  const double need = Time([&] {
    for (const std::uint32_t draw : draws) {
      content.number = draw;
      store->Need(KeyText(draw), content, KeyStore::Look::kEdges);
    }
  });
  fmt::print("| {} | {:.2f} | {:.2f} | {:.2f} | {:.0f} | {:.0f} |\n", keys,
             double(keys) / publish / 1e6, double(keys) / overwrite / 1e6,
             double(reads) / need / 1e6, memory_per_key, taken_per_key);
  std::fflush(stdout);
}

}  // namespace cirein::bench
