// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/units.h"
#include "runtime/real_clock.h"

namespace cirein {
namespace {

constexpr std::chrono::milliseconds kBetween{100};
constexpr std::uint64_t kBarWidth = 30;
constexpr std::string_view kClearLine = "\r\x1b[K";

}  // namespace

Progress::Progress(Console& console, std::string label, std::uint64_t total)
    : console_(console),
      label_(std::move(label)),
      total_(total),
      shown_(console.animates()),
      start_(RealClock::MonotonicNow()),
      drawn_(start_ - kBetween) {}  // The first piece of work is shown at once.

Progress::~Progress() {
  if (dirty_) console_.Tell(kClearLine);
}

void Progress::Add(std::uint64_t done) {
  if (!shown_) return;
  done_.fetch_add(done, std::memory_order_relaxed);
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;  // Another thread is drawing.
  const TimePoint now = RealClock::MonotonicNow();
  if (now - drawn_ >= kBetween) Draw(now);
}

void Progress::Draw(TimePoint now) {
  drawn_ = now;
  dirty_ = true;
  const std::uint64_t done = done_.load(std::memory_order_relaxed);
  const double seconds = std::chrono::duration<double>(now - start_).count();
  std::string bar;
  if (total_ > 0) {
    const std::uint64_t filled = std::min(done, total_) * kBarWidth / total_;
    bar = fmt::format(" [{}{}]", std::string(filled, '#'), std::string(kBarWidth - filled, '.'));
  }
  console_.Tell(fmt::format("{}{}{} {} {:.0f}/s", kClearLine, label_, bar, done,
                            static_cast<double>(done) / seconds));
}

}  // namespace cirein
