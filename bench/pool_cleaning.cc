// SPDX-License-Identifier: Apache-2.0
#include "bench/pool_cleaning.h"

#include <cstdio>
#include <vector>

#include <fmt/format.h>

#include "base/random.h"
#include "base/scatter.h"
#include "base/units.h"
#include "base/zipf.h"
#include "bench/turns.h"

namespace cirein::bench {
namespace {

constexpr std::size_t kSegments = 256;
constexpr BatchShape kShape{1024, 8};

enum class Spread : std::uint8_t { kUniform, kZipf };

class Overwriting {
 public:
  Overwriting(const Medium& medium, const CleaningPlan& plan, double full)
      : scratch_(medium.parent),
        pool_(
            CreatePool(medium, scratch_.path() + "/pool",
                       {.log_bytes = plan.log_bytes, .segment_bytes = plan.log_bytes / kSegments})),
        log_bytes_(plan.log_bytes),
        keys_(MakeKeys(KeysFor(full))),
        writer_(*pool_, 0),
        value_(MakeValue(kShape.value_bytes)) {
    writer_.BeginTurn(1);
    FillPool(*pool_, keys_, writer_, kShape);
  }

  struct Cost {
    double amplification;
    double objects_per_second;
  };
  /// Overwrites as many bytes as `rounds` times the log; the first half only brings the pool to
  /// where it stays.
  Cost Run(Spread spread, double rounds) {
    const double bytes_each = double(LogBytes(kShape)) / double(kShape.count);
    const auto objects = static_cast<std::uint64_t>(rounds / 2 * double(log_bytes_) / bytes_each);
    (void)Overwrite(spread, objects);
    const std::uint64_t copied = pool_->GetStats().copied_bytes;
    const std::uint64_t written = writer_.bytes_written();
    const double seconds = Overwrite(spread, objects);
    const auto user = double(writer_.bytes_written() - written);
    return {(user + double(pool_->GetStats().copied_bytes - copied)) / user,
            double(objects) / seconds};
  }
  double full() const { return double(pool_->GetStats().live_bytes) / double(UsableBytes()); }

 private:
  std::uint64_t UsableBytes() const {
    return kSegments * (log_bytes_ / kSegments - dpm::kFirstBatch);
  }
  std::uint64_t KeysFor(double full) const {
    return static_cast<std::uint64_t>(full * double(UsableBytes()) /
                                      (double(LogBytes(kShape)) / double(kShape.count)));
  }
  double Overwrite(Spread spread, std::uint64_t objects) {
    const Zipf zipf(keys_.size(), 0.99);
    const Scatter scatter(keys_.size());
    return Time([&] {
      for (std::uint64_t i = 0; i < objects; ++i) {
        const std::uint64_t key = spread == Spread::kZipf ? scatter.Place(zipf.Draw(&random_))
                                                          : random_.Below(keys_.size());
        writer_.Stage(keys_[key], value_);
        if ((i + 1) % kShape.count != 0) continue;
        writer_.Commit();
        // One thread in turn with itself: so the figures do not depend on who is faster.
        if ((i + 1) % 512 == 0) (void)Must(pool_->Work(dpm::Dpm::Urgency::kNormal));
      }
    });
  }

  Scratch scratch_;
  std::unique_ptr<dpm::Dpm> pool_;
  const std::uint64_t log_bytes_;
  const std::vector<BenchKey> keys_;
  PoolWriter writer_;
  const std::vector<std::byte> value_;
  Random random_{1};
};

}  // namespace

void MeasureCleaning(const Media& media, const CleaningPlan& plan) {
  fmt::print(
      "\nWhat cleaning adds: (bytes written by the user + bytes copied by the cleaner) / bytes "
      "written "
      "by the user, in the log. Objects of 1 KiB, batches of 8, {} segments of {}, tmpfs, "
      "`process`, "
      "{} times the log's size overwritten, of which the second half is counted. *Full*: live "
      "bytes "
      "of all the log can hold.\n\n"
      "| full | uniform | objects/s | zipf 0.99 | objects/s |\n|---|---|---|---|---|\n",
      kSegments, FormatBytes(plan.log_bytes / kSegments), plan.rounds);
  for (const double full : {0.5, 0.7, 0.9}) {
    Overwriting uniform(media.tmpfs_process, plan, full);
    fmt::print(stderr, "cleaning: {:.0f} % full\n", 100 * uniform.full());
    const auto even = uniform.Run(Spread::kUniform, plan.rounds);
    Overwriting skewed(media.tmpfs_process, plan, full);
    const auto zipf = skewed.Run(Spread::kZipf, plan.rounds);
    fmt::print("| {:.0f} % | **{:.2f}** | {:.0f} k | **{:.2f}** | {:.0f} k |\n", 100 * full,
               even.amplification, even.objects_per_second / 1e3, zipf.amplification,
               zipf.objects_per_second / 1e3);
    std::fflush(stdout);
  }
}

}  // namespace cirein::bench
