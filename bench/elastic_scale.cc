// SPDX-License-Identifier: Apache-2.0
#include "bench/elastic_scale.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

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

// Bytes of the pages of a file that were ever written: a pool takes its space in the beginning, so
// what its files take tells nothing.
std::uint64_t WrittenBytes(const std::filesystem::path& path) {
  constexpr std::size_t kPageBytes = 4096;
  std::ifstream file(path, std::ios::binary);
  std::vector<char> page(kPageBytes);
  std::uint64_t bytes = 0;
  while (file.read(page.data(), kPageBytes) || file.gcount() != 0) {
    const auto end = page.begin() + file.gcount();
    if (std::any_of(page.begin(), end, [](char byte) { return byte != 0; })) bytes += kPageBytes;
  }
  return bytes;
}

std::uint64_t WrittenBelow(const std::string& directory) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.is_regular_file()) bytes += WrittenBytes(entry.path());
  }
  return bytes;
}

double PerKey(std::uint64_t after, std::uint64_t before, std::uint64_t keys) {
  return (double(after) - double(before)) / double(keys);
}

// Seconds; each object is made for its publish.
double TimePublish(KeyStore& store, std::uint64_t keys, std::uint64_t stamp) {
  return Time([&] {
    Content content{.number = 0, .stamp = stamp, .bytes = kValueBytes};
    for (; content.number < keys; ++content.number) {
      store.Publish(KeyText(content.number), MakeObject(content));
    }
  });
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
  MakeElasticStore(settings).reset();
  const std::uint64_t written = WrittenBelow(settings.directory);
  auto store = MakeElasticStore(settings);
  const std::uint64_t memory = PrivateBytes();
  const double publish = TimePublish(*store, keys, 1);
  const double memory_per_key = PerKey(PrivateBytes(), memory, keys);
  // Closed, because only then all is merged and stands in the index too.
  store.reset();
  const double written_per_key = PerKey(WrittenBelow(settings.directory), written, keys);
  store = MakeElasticStore(settings);
  const double overwrite = TimePublish(*store, keys, 2);
  Content content{.number = 0, .stamp = 2, .bytes = kValueBytes};
  NeedAll(*store, keys, content);
  const double need = Time([&] {
    for (const std::uint32_t draw : draws) {
      content.number = draw;
      store->Need(KeyText(draw), content, KeyStore::Look::kFront);
    }
  });
  fmt::print("| {} | {:.2f} | {:.2f} | {:.2f} | {:.0f} | {:.0f} |\n", keys,
             double(keys) / publish / 1e6, double(keys) / overwrite / 1e6,
             double(reads) / need / 1e6, memory_per_key, written_per_key);
  std::fflush(stdout);
}

}  // namespace cirein::bench
