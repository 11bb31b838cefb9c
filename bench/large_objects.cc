// SPDX-License-Identifier: Apache-2.0
#include "bench/large_objects.h"

#include <atomic>
#include <cstring>
#include <malloc.h>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cirein/cirein.h"

#include "base/units.h"
#include "bench/turns.h"

namespace cirein::bench {
namespace {

constexpr int kRounds = 11;

}  // namespace

void MeasureLargeObjects() {
  Pool pool = Connect("local:[large]").value();
  fmt::print(
      "\nPublish of the user's memory (wrapped) and need of it, microseconds, median of {}; "
      "one memcpy of as many bytes beside it.\n\n"
      "| object | publish | need | memcpy |\n|---|---|---|---|\n",
      kRounds);
  for (const std::size_t mebibytes : {1ul, 16ul, 128ul, 1024ul}) {
    const std::size_t bytes = mebibytes << 20;
    std::vector<std::byte> memory(bytes, std::byte{1});
    std::vector<std::byte> copy(bytes, std::byte{2});
    std::vector<double> publish, need, memcpy_times;
    for (int round = 0; round < kRounds; ++round) {
      const Key key("big", std::to_string(round));
      publish.push_back(1e6 * Time([&] {
                          DataObject object = DataObject::Wrap(memory, {}).value();
                          (void)pool.Publish(key, std::move(object)).value();
                        }));
      DataObject found;
      need.push_back(1e6 * Time([&] { found = pool.Need(key).value(); }));
      if (found.data().data() != memory.data()) std::abort();  // The very same bytes.
      memcpy_times.push_back(1e6 * Time([&] { std::memcpy(copy.data(), memory.data(), bytes); }));
      if (copy[bytes / 2] != memory[bytes / 2]) std::abort();
    }
    (void)pool.Drop(Pattern::Row("big"));
    fmt::print("| {} | {:.2f} | {:.2f} | {:.0f} |\n", FormatBytes(bytes), Median(publish),
               Median(need), Median(memcpy_times));
  }
}

void MeasureWants() {
  constexpr std::size_t kWants = 100'000;
  fmt::print(
      "\n{} wants with a callback, each with the default deadline; per want.\n\n"
      "| wants | park, ns | memory, bytes | answer (publish to the last callback), ns |\n"
      "|---|---|---|---|\n",
      kWants);
  Pool pool = Connect("local:[wants]").value();
  const DataObject object = DataObject::FromString("found").value();
  for (const bool one_key : {true, false}) {
    std::vector<double> park, answer, memory;
    for (int round = 0; round < 5; ++round) {
      std::vector<Key> keys;
      for (std::size_t i = 0; i < kWants; ++i) {
        keys.emplace_back(fmt::format("want{}", one_key ? 0 : i));
      }
      std::atomic<std::size_t> answered{0};
      const std::size_t before = mallinfo2().uordblks;
      park.push_back(1e9 / kWants * Time([&] {
                       for (const Key& key : keys) {
                         (void)pool.Want(key, [&](const Result<NamedObject>&) {
                           answered.fetch_add(1, std::memory_order_release);
                         });
                       }
                     }));
      memory.push_back(double(mallinfo2().uordblks - before) / kWants);
      answer.push_back(1e9 / kWants * Time([&] {
                         for (const Key& key : keys) {
                           (void)pool.Publish(key, object);
                           if (one_key) break;
                         }
                         while (answered.load(std::memory_order_acquire) != kWants) {
                           std::this_thread::yield();
                         }
                       }));
      (void)pool.Drop(Pattern::RowPrefix("want"));
    }
    fmt::print("| {} | {:.0f} | {:.0f} | {:.0f} |\n", one_key ? "on one key" : "on as many keys",
               Median(park), Median(memory), Median(answer));
  }
}

}  // namespace cirein::bench
