// SPDX-License-Identifier: Apache-2.0
#include "cli/demo_files.h"

#include <algorithm>
#include <array>
#include <deque>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/file.h"

namespace cirein {
namespace {

// Whoever runs the demo as root does not expect it to open these.
bool HintsAtSecrets(std::string_view name) {
  constexpr std::array<std::string_view, 6> kHints = {"shadow", "secret",  "private",
                                                      "key",    "passwd-", "sudoers"};
  return std::any_of(kHints.begin(), kHints.end(), [name](std::string_view hint) {
    return name.find(hint) != std::string_view::npos;
  });
}

class Picker {
 public:
  explicit Picker(const DemoLimits& limits) : limits_(limits) {}

  // Looks into a directory and those below it.
  Status Walk(const std::string& root) {
    std::deque<std::string> to_visit = {root};
    bool first = true;
    for (std::size_t visited = 0; !to_visit.empty() && visited < limits_.directories; ++visited) {
      const std::string directory = std::move(to_visit.front());
      to_visit.pop_front();
      const auto entries = ListDirectory(directory);
      if (!entries.ok() && first) return entries.status();
      first = false;
      if (!entries.ok()) continue;
      std::size_t taken = 0;
      for (const DirectoryEntry& entry : *entries) {
        if (HintsAtSecrets(entry.name)) continue;
        if (entry.kind == DirectoryEntry::Kind::kDirectory) {
          to_visit.push_back(directory + "/" + entry.name);
        } else if (entry.kind == DirectoryEntry::Kind::kFile &&
                   taken < limits_.files_per_directory && Take(directory, entry)) {
          ++taken;
        }
      }
    }
    return OkStatus();
  }

  std::vector<DemoFile>& files() { return files_; }

 private:
  bool Take(const std::string& directory, const DirectoryEntry& entry) {
    if (files_.size() >= limits_.files || entry.bytes == 0 || entry.bytes > limits_.file_bytes ||
        total_bytes_ + entry.bytes > limits_.total_bytes) {
      return false;
    }
    DemoFile file{directory, entry.name, {}};
    Result<std::string> bytes = ReadFile(file.path(), limits_.file_bytes);
    if (!bytes.ok() || bytes->empty()) return false;
    file.bytes = *std::move(bytes);
    total_bytes_ += file.bytes.size();
    files_.push_back(std::move(file));
    return true;
  }

  const DemoLimits limits_;
  std::vector<DemoFile> files_;
  std::uint64_t total_bytes_ = 0;
};

}  // namespace

Result<std::vector<DemoFile>> PickDemoFiles(const std::vector<std::string>& roots,
                                            const DemoLimits& limits) {
  std::vector<DemoFile> files;
  Status first_error;
  for (std::string root : roots) {
    while (root.size() > 1 && root.ends_with('/')) root.pop_back();
    DemoLimits share = limits;
    share.files = limits.files / roots.size();
    share.total_bytes = limits.total_bytes / roots.size();
    Picker picker(share);
    const Status status = picker.Walk(root);
    if (!status.ok() && first_error.ok()) first_error = status;
    std::move(picker.files().begin(), picker.files().end(), std::back_inserter(files));
  }
  if (files.empty() && !first_error.ok()) return first_error;
  if (files.empty()) {
    return NotFound(fmt::format("there is no readable file of at most {} bytes below {}",
                                limits.file_bytes, fmt::join(roots, ", ")),
                    "name a directory that has some: cirein demo DIR");
  }
  std::sort(files.begin(), files.end(),
            [](const DemoFile& a, const DemoFile& b) { return a.key() < b.key(); });
  return files;
}

}  // namespace cirein
