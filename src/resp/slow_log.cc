// SPDX-License-Identifier: Apache-2.0
#include "resp/slow_log.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace cirein::resp {
namespace {

// Of a command so many arguments are kept, and of each so many bytes.
constexpr std::size_t kMaxArgs = 32;
constexpr std::size_t kMaxArgBytes = 128;

std::string Shown(std::string_view arg) {
  if (arg.size() <= kMaxArgBytes) return std::string(arg);
  return fmt::format("{}... ({} more bytes)", arg.substr(0, kMaxArgBytes),
                     arg.size() - kMaxArgBytes);
}

std::vector<std::string> Shown(Args args) {
  std::vector<std::string> shown;
  const std::size_t count = std::min(args.size(), kMaxArgs);
  for (std::size_t i = 0; i < count; ++i) {
    if (args.size() != count && i == count - 1) {
      shown.push_back(fmt::format("... ({} more arguments)", args.size() - count + 1));
    } else {
      shown.push_back(Shown(args[i].text()));
    }
  }
  return shown;
}

}  // namespace

void SlowLog::Add(Entry entry, Args args, std::size_t max_entries) {
  if (max_entries == 0) return;
  entry.args = Shown(args);
  const std::lock_guard lock(mutex_);
  entry.id = next_id_++;
  entries_.push_back(std::move(entry));
  while (entries_.size() > max_entries) entries_.pop_front();
}

std::vector<SlowLog::Entry> SlowLog::Latest(std::size_t count) const {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> latest;
  for (auto entry = entries_.rbegin(); entry != entries_.rend() && latest.size() < count; ++entry) {
    latest.push_back(*entry);
  }
  return latest;
}

std::size_t SlowLog::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

void SlowLog::Reset() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
}

}  // namespace cirein::resp
