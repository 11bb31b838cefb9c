// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <sys/mount.h>

namespace cirein::test {

/// A new directory below `base`, removed at the end with all that is in it.
class ScratchDirectory {
 public:
  explicit ScratchDirectory(const std::string& base) {
    std::string path = base + "/cirein-region-XXXXXX";
    const char* const made = mkdtemp(path.data());
    EXPECT_NE(made, nullptr) << "no directory can be made below " << base;
    if (made != nullptr) path_ = made;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// A tmpfs of its own, where the process may mount one.
class SmallFileSystem {
 public:
  explicit SmallFileSystem(const char* options)
      : directory_("/tmp"),
        mounted_(mount("tmpfs", directory_.path().c_str(), "tmpfs", 0, options) == 0) {}
  ~SmallFileSystem() {
    if (mounted_) umount2(directory_.path().c_str(), MNT_DETACH);
  }
  SmallFileSystem(const SmallFileSystem&) = delete;
  SmallFileSystem& operator=(const SmallFileSystem&) = delete;

  bool mounted() const { return mounted_; }
  const std::string& path() const { return directory_.path(); }
  bool MakeReadOnly() {
    return mount("tmpfs", path().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0;
  }

 private:
  ScratchDirectory directory_;
  const bool mounted_;
};

}  // namespace cirein::test
