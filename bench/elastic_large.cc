// SPDX-License-Identifier: Apache-2.0
#include "bench/elastic_large.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/mman.h>

#include "base/units.h"
#include "bench/turns.h"

namespace cirein::bench {
namespace {

constexpr int kRepeats = 101;

// A file on tmpfs, mapped and not touched yet; gone with the mapping.
class FreshMapping {
 public:
  FreshMapping(const std::string& path, std::size_t bytes) : bytes_(bytes) {
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good =
        file >= 0 && unlink(path.c_str()) == 0 && ftruncate(file, static_cast<off_t>(bytes)) == 0;
    if (good) {
      void* const mapping = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
      good = mapping != MAP_FAILED;
      data_ = static_cast<std::byte*>(mapping);
    }
    if (!good) Must(IoError(path + ": " + std::strerror(errno)));
    close(file);
  }
  ~FreshMapping() { munmap(data_, bytes_); }
  FreshMapping(const FreshMapping&) = delete;
  FreshMapping& operator=(const FreshMapping&) = delete;
  std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
  const std::size_t bytes_;
};

struct Times {
  std::vector<double> publish, fresh, touched, first, repeated, reopened;
};

void TimeCopies(const std::string& path, const std::vector<std::byte>& source, Times& times) {
  const FreshMapping mapping(path, source.size());
  const auto copy = [&] { std::memcpy(mapping.data(), source.data(), source.size()); };
  times.fresh.push_back(Time(copy));
  times.touched.push_back(Time(copy));
  if (mapping.data()[source.size() / 2] != source[source.size() / 2]) {
    Must(Internal("memcpy has copied nothing"));
  }
}

// Microseconds until the object is there and its first and last byte have been looked at.
double TimeNeed(const Pool& pool, const Key& key, const std::vector<std::byte>& source) {
  DataObject found;
  bool right = false;
  const double seconds = Time([&] {
    found = Must(pool.Need(key));
    right = found.data_bytes() == source.size() && found.data().front() == source.front() &&
            found.data().back() == source.back();
  });
  if (!right) Must(DataLoss("a large object is not what was published"));
  return seconds * 1e6;
}

void CheckWhole(const Pool& pool, const Key& key, const std::vector<std::byte>& source) {
  if (!std::ranges::equal(Must(pool.Need(key)).data(), source)) {
    Must(DataLoss("a large object is not what was published"));
  }
}

void MeasureRound(const std::string& directory, std::uint64_t pool_bytes,
                  std::vector<std::byte>& source, Times& times) {
  TimeCopies(directory + "/copy", source, times);
  const StoreSettings settings{.directory = directory + "/pool", .log_bytes = pool_bytes};
  std::optional<Pool> pool = Must(Connect(ElasticUrl(settings)));
  const Key key("large");
  times.publish.push_back(
      Time([&] { Must(pool->Publish(key, Must(DataObject::Wrap(source, {}))).status()); }));
  times.first.push_back(TimeNeed(*pool, key, source));
  std::vector<double> repeated(kRepeats);
  for (double& time : repeated) time = TimeNeed(*pool, key, source);
  times.repeated.push_back(Median(repeated));
  CheckWhole(*pool, key, source);
  pool.reset();  // The last handle: the pool is closed.
  pool = Must(Connect(ElasticUrl(settings)));
  times.reopened.push_back(TimeNeed(*pool, key, source));
  CheckWhole(*pool, key, source);
  if (Must(pool->Drop(Pattern::Row("large"))) != 1) Must(Internal("a large object is not there"));
}

}  // namespace

void MeasureLarge(const Places& places, Length length) {
  const bool quick = length == Length::kQuick;
  const int rounds = quick ? 3 : 7;
  const std::vector<std::size_t> sizes =
      quick ? std::vector<std::size_t>{1, 16, 128} : std::vector<std::size_t>{1, 64, 1024};
  // The same for all sizes, because what is large depends on the size of the pool.
  const std::uint64_t pool_bytes = (2 * sizes.back() + 64) << 20;
  fmt::print(
      "\nLarge objects in a pool on tmpfs, `process`; median of {} turns. Publish of the user's "
      "memory (wrapped) beside one memcpy of as many bytes into a new mapping of tmpfs, whose "
      "pages "
      "the kernel makes meanwhile, and into the same once more; **ratio** is memcpy / publish (the "
      "aim is 0.8). Need, and a look at the first and the last byte: the first one after the "
      "publish, {} more, and the first one after the pool was closed and opened (none of them is "
      "to "
      "grow with the size).\n\n"
      "| object | publish, ms | memcpy, new pages, ms | ratio | memcpy, touched, ms | ratio | "
      "first "
      "need, us | repeated, us | reopened, us |\n|---|---|---|---|---|---|---|---|---|\n",
      rounds, kRepeats);
  for (const std::size_t mebibytes : sizes) {
    fmt::print(stderr, "objects of {} MiB\n", mebibytes);
    std::vector<std::byte> source(mebibytes << 20);
    std::uint64_t word = 0;
    for (std::size_t at = 0; at < source.size(); at += sizeof word, ++word) {
      std::memcpy(source.data() + at, &word, sizeof word);
    }
    source.back() = std::byte{0x5A};
    Times times;
    for (int round = 0; round < rounds; ++round)
      MeasureRound(places.tmpfs, pool_bytes, source, times);
    const double publish = Median(times.publish);
    const double fresh = Median(times.fresh);
    const double touched = Median(times.touched);
    fmt::print(
        "| {} | {:.3g} | {:.3g} | **{:.2f}** | {:.3g} | **{:.2f}** | {:.2f} | {:.2f} | {:.2f} |\n",
        FormatBytes(source.size()), publish * 1e3, fresh * 1e3, fresh / publish, touched * 1e3,
        touched / publish, Median(times.first), Median(times.repeated), Median(times.reopened));
    std::fflush(stdout);
    std::filesystem::remove_all(places.tmpfs + "/pool");
  }
}

}  // namespace cirein::bench
