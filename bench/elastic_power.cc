// SPDX-License-Identifier: Apache-2.0
#include "bench/elastic_power.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "bench/turns.h"
#include "runtime/file_descriptor.h"

namespace cirein::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kKeys = 65'536;
constexpr Content kContent{.number = 0, .stamp = 1, .bytes = 64};
constexpr std::size_t kSides = 4;

// What the disk gives when each object has a place of its own in one file and each write waits for
// a sync of its own: some disks answer one sync at a time far slower than several at once, and then
// figures of few writers tell of the disk alone.
class BareDisk final : public KeyStore {
 public:
  explicit BareDisk(const std::string& path)
      : file_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    const std::vector<std::byte> all(kKeys * kPlaceBytes);
    Check(file_.get() >= 0 &&
          pwrite(file_.get(), all.data(), all.size(), 0) == static_cast<ssize_t>(all.size()));
    Check(fsync(file_.get()) == 0);
  }
  void Publish(std::string /*key*/, const DataObject& object) override {
    const std::span<const std::byte> data = object.data();
    std::uint64_t number = 0;
    std::memcpy(&number, data.data(), sizeof number);
    Check(pwrite(file_.get(), data.data(), data.size(), PlaceOf(number)) ==
          static_cast<ssize_t>(data.size()));
    Check(fdatasync(file_.get()) == 0);
  }
  void Need(std::string /*key*/, const Content& content, Look /*look*/) override {
    std::vector<std::byte> found(content.bytes);
    Check(pread(file_.get(), found.data(), found.size(), PlaceOf(content.number)) ==
          static_cast<ssize_t>(found.size()));
    MustBeWhole(found, content);
  }

 private:
  static constexpr std::size_t kPlaceBytes = 512;
  static off_t PlaceOf(std::uint64_t number) { return static_cast<off_t>(number * kPlaceBytes); }
  static void Check(bool good) {
    if (!good) Must(IoError(std::string("the bare disk: ") + std::strerror(errno)));
  }

  const FileDescriptor file_;
};

struct Plan {
  std::vector<std::size_t> writers;
  std::chrono::milliseconds turn;
  int turns;
};

Plan MakePlan(Length length) {
  if (length == Length::kQuick) return {{1, 8, 64}, std::chrono::milliseconds(150), 3};
  return {{1, 2, 4, 8, 16, 32, 64}, std::chrono::milliseconds(1000), 5};
}

// Publishes a second of all writers together. Each writes its own part of the keys.
double MeasureTurn(KeyStore& store, const std::vector<DataObject>& objects, std::size_t writers,
                   std::chrono::milliseconds length) {
  std::atomic<std::uint64_t> all{0};
  const std::uint64_t share = kKeys / writers;
  const double seconds = TimeThreads(writers, [&](std::size_t writer) {
    const auto end = Clock::now() + length;
    std::uint64_t done = 0;
    do {
      const std::uint64_t number = writer * share + done % share;
      store.Publish(KeyText(number), objects[number]);
      ++done;
    } while (Clock::now() < end);
    all += done;
  });
  return double(all.load()) / seconds;
}

// Publishes some keys by many writers and looks at them: a turn may be too short to reach all keys.
void Check(KeyStore& store, const std::vector<DataObject>& objects) {
  constexpr std::size_t kWriters = 16;
  constexpr std::uint64_t kChecked = 512;
  TimeThreads(kWriters, [&](std::size_t writer) {
    for (std::uint64_t i = writer; i < kChecked; i += kWriters) {
      store.Publish(KeyText(i), objects[i]);
    }
  });
  NeedAll(store, kChecked, kContent);
}

}  // namespace

void MeasurePower(const Places& places, Length length) {
  const Plan plan = MakePlan(length);
  fmt::print(
      "\nPublishes of 64 B a second on disk, `power`, all writers together, each of which waits "
      "for its answer; median of {} turns of {} ms. RocksDB syncs its log for each write, LMDB its "
      "file for each transaction; **how many times as many** the pool does (the aim is more than "
      "once from 8 writers on). Bare: each writer writes into one file and syncs it for itself.\n\n"
      "| writers | elastic: | RocksDB | times | LMDB | times | bare |\n"
      "|---|---|---|---|---|---|---|\n",
      plan.turns, plan.turn.count());
  const auto settings = [&](const char* name) {
    return StoreSettings{.directory = places.disk + name, .promise = Promise::kPower};
  };
  const std::array<std::unique_ptr<KeyStore>, kSides> stores = {
      MakeElasticStore(settings("/elastic")), MakeRocksStore(settings("/rocks")),
      MakeLmdbStore(settings("/lmdb")), std::make_unique<BareDisk>(places.disk + "/bare")};
  const std::vector<DataObject> objects = MakeObjects(kKeys, kContent);
  for (const std::size_t writers : plan.writers) {
    fmt::print(stderr, "{} writers with power durability\n", writers);
    std::array<std::vector<double>, kSides> rates;
    for (int turn = 0; turn < plan.turns; ++turn) {
      for (std::size_t side = 0; side < kSides; ++side) {
        rates[side].push_back(MeasureTurn(*stores[side], objects, writers, plan.turn));
      }
    }
    const double elastic = Median(rates[0]);
    const double rocks = Median(rates[1]);
    const double lmdb = Median(rates[2]);
    fmt::print("| {} | {:.0f} | {:.0f} | **{:.2f}** | {:.0f} | **{:.2f}** | {:.0f} |\n", writers,
               elastic, rocks, elastic / rocks, lmdb, elastic / lmdb, Median(rates[3]));
    std::fflush(stdout);
  }
  for (const auto& store : stores) Check(*store, objects);
}

}  // namespace cirein::bench
