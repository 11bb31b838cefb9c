// SPDX-License-Identifier: Apache-2.0
#include "resp/slow_log.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "resp/command_table.h"

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

bool Is(Args args, std::size_t at, std::string_view word) {
  return at < args.size() && IsWord(args[at].text(), word);
}

// Which arguments are secrets: the user and password of HELLO's AUTH, and what CONFIG SET makes the
// password.
std::vector<bool> FindSecrets(Args args) {
  std::vector<bool> secrets(args.size(), false);
  if (Is(args, 0, "hello")) {
    for (std::size_t at = 2; at < args.size(); ++at) {
      if (Is(args, at, "setname")) {
        ++at;
      } else if (Is(args, at, "auth")) {
        std::fill_n(secrets.begin() + static_cast<std::ptrdiff_t>(at + 1),
                    std::min(args.size() - at - 1, std::size_t{2}), true);
        at += 2;
      }
    }
  } else if (Is(args, 0, "config") && Is(args, 1, "set")) {
    for (std::size_t at = 3; at < args.size(); at += 2) {
      secrets[at] = Is(args, at - 1, "requirepass");
    }
  }
  return secrets;
}

std::vector<std::string> Shown(Args args) {
  std::vector<std::string> shown;
  const std::vector<bool> secrets = FindSecrets(args);
  const std::size_t count = std::min(args.size(), kMaxArgs);
  for (std::size_t i = 0; i < count; ++i) {
    if (args.size() != count && i == count - 1) {
      shown.push_back(fmt::format("... ({} more arguments)", args.size() - count + 1));
    } else if (secrets[i]) {
      shown.emplace_back("(redacted)");
    } else {
      shown.push_back(Shown(args[i].text()));
    }
  }
  return shown;
}

}  // namespace

void SlowLog::Add(Entry entry, Args args, std::size_t max_entries) {
  if (max_entries == 0 || Is(args, 0, "auth")) return;
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
