// SPDX-License-Identifier: Apache-2.0
#include "bench/elastic_store.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "base/random.h"
#include "base/scatter.h"
#include "base/zipf.h"

namespace cirein::bench {
namespace {

constexpr std::size_t kWord = sizeof(std::uint64_t);

void Fill(const Content& content, std::span<std::byte> bytes) {
  std::uint64_t state = content.number ^ (content.stamp << 40);
  for (std::size_t at = 0; at < bytes.size(); at += kWord) {
    std::uint64_t word = SplitMix64(&state);
    if (at == 0) word = content.number;
    if (at == kWord) word = content.stamp;
    std::memcpy(bytes.data() + at, &word, std::min(kWord, bytes.size() - at));
  }
}

std::uint64_t WordAt(std::span<const std::byte> bytes, std::size_t at) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data() + at, kWord);
  return word;
}

[[noreturn]] void Wrong(const Content& content) {
  fmt::print(stderr, "the object under {} is not value {} of {} bytes that was published\n",
             KeyText(content.number), content.stamp, content.bytes);
  std::fflush(stdout);
  _exit(1);  // On any thread, at once: nothing that is measured can be saved.
}

class PoolStore final : public KeyStore {
 public:
  explicit PoolStore(const std::string& url) : pool_(Must(Connect(url))) {}
  ~PoolStore() override {
    if (pool_.type() == "local") (void)pool_.Drop(Pattern::RowPrefix(""), kNoDeadline);
  }
  void Publish(std::string key, const DataObject& object) override {
    const auto published = pool_.Publish(Key(std::move(key)), object);
    if (!published.ok()) Must(published.status());
  }
  void Need(std::string key, const Content& content, Look look) override {
    const auto found = pool_.Need(Key(std::move(key)));
    if (!found.ok()) Must(found.status());
    (look == Look::kWhole ? MustBeWhole : MustBe)(found->data(), content);
  }

 private:
  Pool pool_;
};

}  // namespace

void Must(const Status& status) {
  if (status.ok()) return;
  fmt::print(stderr, "{}\n", status.ToString());
  std::fflush(stdout);
  _exit(1);  // On any thread, at once: nothing that is measured can be saved.
}

std::string KeyText(std::uint64_t number) {
  std::string text = "user00000000000";
  for (std::size_t at = text.size(); number != 0; number /= 10) {
    text[--at] = static_cast<char>('0' + number % 10);
  }
  return text;
}

DataObject MakeObject(const Content& content) {
  auto object = Must(
      DataObject::Allocate({.meta_bytes = 0, .data_bytes = content.bytes, .type = 0}, nullptr));
  Fill(content, object.mutable_data());
  return object;
}

std::vector<DataObject> MakeObjects(std::uint64_t count, Content content) {
  std::vector<DataObject> objects;
  objects.reserve(count);
  for (content.number = 0; content.number < count; ++content.number) {
    objects.push_back(MakeObject(content));
  }
  return objects;
}

void MustBe(std::span<const std::byte> found, const Content& content) {
  if (found.size() != content.bytes || WordAt(found, 0) != content.number ||
      WordAt(found, kWord) != content.stamp) {
    Wrong(content);
  }
}

void MustBeWhole(std::span<const std::byte> found, const Content& content) {
  std::vector<std::byte> expected(content.bytes);
  Fill(content, expected);
  if (!std::ranges::equal(found, expected)) Wrong(content);
}

std::uint64_t LogBytesFor(std::uint64_t keys, std::size_t value_bytes) {
  constexpr std::uint64_t kPerEntry = 160;  // Headers, key, rounding, and some to spare.
  constexpr std::uint64_t kLeast = std::uint64_t{64} << 20;
  return kLeast + keys * (value_bytes + kPerEntry) * 5 / 2;
}

std::uint64_t CacheBytesFor(std::uint64_t keys, std::size_t value_bytes) {
  constexpr std::uint64_t kPerRecord = 512;
  // A shard takes no value larger than a part of its budget.
  constexpr std::uint64_t kLeast = std::uint64_t{256} << 20;
  return kLeast + keys * (value_bytes + kPerRecord);
}

std::string ElasticUrl(const StoreSettings& settings) {
  std::string url = fmt::format(
      "elastic:{}&size={}B&durability={}&behavior={}",
      std::filesystem::absolute(settings.directory).string(), settings.log_bytes,
      settings.promise == Promise::kPower ? "power" : "process", "DefaultLocal_EnableOverwrites");
  if (settings.cache_bytes != StoreSettings::kOwnDefault) {
    url += fmt::format("&cache={}B", settings.cache_bytes);
  }
  return url;
}

std::unique_ptr<KeyStore> MakeElasticStore(const StoreSettings& settings) {
  return std::make_unique<PoolStore>(ElasticUrl(settings));
}

std::unique_ptr<KeyStore> MakeLocalStore() {
  return std::make_unique<PoolStore>("local:&behavior=DefaultLocal_EnableOverwrites");
}

void NeedAll(KeyStore& store, std::uint64_t count, Content content) {
  for (content.number = 0; content.number < count; ++content.number) {
    store.Need(KeyText(content.number), content, KeyStore::Look::kWhole);
  }
}

std::vector<std::uint32_t> Draw(const DrawPlan& plan, std::uint64_t seed) {
  Random random(seed);
  const Zipf zipf(plan.keys, 0.99);
  const Scatter scatter(plan.keys);
  std::vector<std::uint32_t> draws(plan.draws);
  for (std::uint32_t& draw : draws) {
    draw = static_cast<std::uint32_t>(
        plan.spread == Spread::kZipf ? scatter.Place(zipf.Draw(&random)) : random.Below(plan.keys));
  }
  return draws;
}

}  // namespace cirein::bench
