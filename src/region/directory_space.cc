// SPDX-License-Identifier: Apache-2.0
#include "region/directory_space.h"

#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <mutex>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/text.h"
#include "region/file_region.h"
#include "region/mapped_region.h"
#include "region/medium.h"
#include "region/region_name.h"
#include "runtime/entropy.h"
#include "runtime/file.h"
#include "runtime/file_descriptor.h"
#include "runtime/system_error.h"

namespace cirein {
namespace {

constexpr std::size_t kPathShown = 4096;

template <typename Call>
auto RetryInterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

Result<FileDescriptor> OpenDirectory(const std::string& path) {
  FileDescriptor directory(
      RetryInterrupted([&] { return open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!directory.is_open()) return FileError("open directory", path, errno);
  return directory;
}

Status SyncNames(int directory, const std::string& path) {
  // Some file systems cannot, and say EINVAL; they have nothing to sync.
  if (RetryInterrupted([&] { return fsync(directory); }) != 0 && errno != EINVAL) {
    return FileError("sync directory", path, errno);
  }
  return OkStatus();
}

std::string ParentOf(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool IsMissing(const std::string& path) {
  struct stat facts {};
  return stat(path.c_str(), &facts) != 0 && errno == ENOENT;
}

// With the names of all that it makes on the medium.
Status MakeDirectoryDurably(const std::string& path) {
  std::vector<std::string> parents;
  for (std::string made = path; IsMissing(made);) {
    parents.push_back(ParentOf(made));
    if (parents.back() == made) break;
    made = parents.back();
  }
  if (parents.empty()) return OkStatus();
  CIREIN_RETURN_IF_ERROR(MakeDirectories(path));
  for (const std::string& parent : parents) {
    CIREIN_ASSIGN_OR_RETURN(const FileDescriptor directory, OpenDirectory(parent));
    CIREIN_RETURN_IF_ERROR(SyncNames(directory.get(), parent));
  }
  return OkStatus();
}

std::string ReadBootId() {
  constexpr std::uint64_t kMaxBytes = 256;
  Result<std::string> text = ReadFile("/proc/sys/kernel/random/boot_id", kMaxBytes);
  if (text.ok()) {
    while (!text->empty() && (text->back() == '\n' || text->back() == ' ')) text->pop_back();
    if (!text->empty()) return *text;
  }
  // Not known: as if the machine had been started anew, which costs time but never data.
  return fmt::format("unknown-{:016x}", Entropy::FromSystem().Seed());
}

// 0, or an errno value: makes the first `bytes` bytes of the file the file's own. Not by
// posix_fallocate at once, which would write to each block where the file system cannot.
int Allocate(int file, std::uint64_t bytes) {
  if (bytes == 0) return 0;
  if (bytes > static_cast<std::uint64_t>(INT64_MAX)) return EFBIG;
  const auto length = static_cast<off_t>(bytes);
  return RetryInterrupted([&] { return fallocate(file, 0, 0, length); }) == 0 ? 0 : errno;
}

class DirectorySpace final : public RegionSpace {
 public:
  DirectorySpace(std::string path, FileDescriptor directory, DirectoryMedium medium,
                 std::string boot_id)
      : path_(std::move(path)),
        directory_(std::move(directory)),
        medium_(std::move(medium)),
        boot_id_(std::move(boot_id)) {}

  const std::string& path() const override { return path_; }
  const MediumTraits& traits() const override { return medium_.traits; }
  const std::string& boot_id() const override { return boot_id_; }

  Status Lock() override;
  void Unlock() override {
    const std::lock_guard guard(mutex_);
    lock_ = FileDescriptor();
  }
  Result<std::unique_ptr<Region>> Create(const std::string& name, std::uint64_t bytes,
                                         RegionUse use) override;
  Result<std::unique_ptr<Region>> Open(const std::string& name, RegionUse use,
                                       Access access) override;
  Status Remove(const std::string& name) override;
  Status PersistNames(PersistSite site) override;
  Result<std::vector<Entry>> List() const override;

 private:
  std::string PathOf(const std::string& name) const { return path_ + "/" + name; }
  Status Taken(int lock) const;
  Status NoRoom(const std::string& name, std::uint64_t bytes, int error) const;
  Status MakeRoom(int file, const std::string& name, std::uint64_t bytes) const;
  Result<std::unique_ptr<Region>> Make(const std::string& name, FileDescriptor file,
                                       std::uint64_t bytes, RegionUse use, Access access) const;

  const std::string path_;
  const FileDescriptor directory_;
  const DirectoryMedium medium_;
  const std::string boot_id_;
  std::mutex mutex_;
  FileDescriptor lock_;  // Guarded by mutex_; held for the space's life.
};

Status DirectorySpace::Lock() {
  const std::lock_guard guard(mutex_);
  if (lock_.is_open()) return OkStatus();
  FileDescriptor lock(RetryInterrupted([&] {
    return openat(directory_.get(), kLockName, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
  }));
  if (!lock.is_open()) return FileError("open", PathOf(kLockName), errno);
  if (RetryInterrupted([&] { return flock(lock.get(), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno == EWOULDBLOCK) return Taken(lock.get());
    return FileError("lock", PathOf(kLockName), errno);
  }
  // Only for the message to others: if it cannot be written, they learn less.
  const std::string holder = fmt::format("{}\n", getpid());
  if (ftruncate(lock.get(), 0) == 0) {
    [[maybe_unused]] const ssize_t ignored = pwrite(lock.get(), holder.data(), holder.size(), 0);
  }
  lock_ = std::move(lock);
  return OkStatus();
}

Status DirectorySpace::Taken(int lock) const {
  char text[32];
  const ssize_t bytes = RetryInterrupted([&] { return pread(lock, text, sizeof text, 0); });
  std::string holder = "another process";
  int pid = 0;
  if (bytes > 0 && std::from_chars(text, text + bytes, pid).ec == std::errc() && pid > 0) {
    holder = pid == getpid() ? fmt::format("this process already ({})", pid)
                             : fmt::format("process {}", pid);
  }
  return FailedPrecondition(
      fmt::format("'{}' is in use by {}", EscapeForPeople(path_, kPathShown), holder),
      "close it there first: a pool is opened by one process at a time");
}

Status DirectorySpace::NoRoom(const std::string& name, std::uint64_t bytes, int error) const {
  struct statvfs facts {};
  std::string room = SystemErrorText(error);
  if (error == ENOSPC && fstatvfs(directory_.get(), &facts) == 0) {
    room = fmt::format("the file system has {} bytes left",
                       static_cast<std::uint64_t>(facts.f_bavail) * facts.f_frsize);
  }
  return ResourceExhausted(fmt::format("cannot allocate {} bytes for '{}': {}", bytes,
                                       EscapeForPeople(PathOf(name), kPathShown), room),
                           error == EFBIG
                               ? "ask for less: the file system or the process limits the size of "
                                 "files (ulimit -f)"
                               : "ask for less, free space (df -h, quota -s), or choose another "
                                 "file system");
}

Status DirectorySpace::MakeRoom(int file, const std::string& name, std::uint64_t bytes) const {
  int error = Allocate(file, bytes);
  // Slower, because each block is written, but it is there then.
  if (error == EOPNOTSUPP) error = posix_fallocate(file, 0, static_cast<off_t>(bytes));
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) return NoRoom(name, bytes, error);
  if (error != 0) return FileError("allocate", PathOf(name), error);
  // Names go to the medium by themselves: none may come there before its file's length.
  if (medium_.names_persist && RetryInterrupted([&] { return fdatasync(file); }) != 0) {
    return FileError("sync", PathOf(name), errno);
  }
  return OkStatus();
}

Result<std::unique_ptr<Region>> DirectorySpace::Make(const std::string& name, FileDescriptor file,
                                                     std::uint64_t bytes, RegionUse use,
                                                     Access access) const {
  const std::string path = PathOf(name);
  // Who only reads needs the mapping: views of many large objects must not use up the descriptors.
  const bool keeps_file = access == Access::kReadWrite;
  if (medium_.mapped) {
    CIREIN_ASSIGN_OR_RETURN(PmemMapping mapping, PmemMapping::Map(file.get(), bytes, access, path));
    if (!keeps_file) file.Close();
    return std::unique_ptr<Region>(std::make_unique<MappedRegion>(
        name, bytes, std::move(file), std::move(mapping), medium_.flush, access));
  }
  CIREIN_ASSIGN_OR_RETURN(
      FileMapping mapping,
      FileMapping::Map(file.get(), bytes, FileRegion::MappingFor(use, access), path));
  if (!keeps_file) file.Close();
  return std::unique_ptr<Region>(
      std::make_unique<FileRegion>(name, path, std::move(file), std::move(mapping), use, access));
}

Result<std::unique_ptr<Region>> DirectorySpace::Create(const std::string& name, std::uint64_t bytes,
                                                       RegionUse use) {
  CIREIN_RETURN_IF_ERROR(CheckRegionName(name));
  FileDescriptor file(RetryInterrupted([&] {
    return openat(directory_.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  }));
  if (!file.is_open()) return FileError("create", PathOf(name), errno);
  const Status room = MakeRoom(file.get(), name, bytes);
  Result<std::unique_ptr<Region>> region =
      room.ok() ? Make(name, std::move(file), bytes, use, Access::kReadWrite) : room;
  if (!region.ok()) unlinkat(directory_.get(), name.c_str(), 0);
  return region;
}

Result<std::unique_ptr<Region>> DirectorySpace::Open(const std::string& name, RegionUse use,
                                                     Access access) {
  CIREIN_RETURN_IF_ERROR(CheckRegionName(name));
  const int flags = access == Access::kReadOnly ? O_RDONLY : O_RDWR;
  // Not blocking: of a pipe that somebody put there the open would never end.
  FileDescriptor file(RetryInterrupted(
      [&] { return openat(directory_.get(), name.c_str(), flags | O_CLOEXEC | O_NONBLOCK); }));
  if (!file.is_open()) return FileError("open", PathOf(name), errno);
  struct stat facts {};
  if (fstat(file.get(), &facts) != 0) return FileError("look at", PathOf(name), errno);
  if (!S_ISREG(facts.st_mode)) {
    return IoError(
        fmt::format("'{}' is not an ordinary file", EscapeForPeople(PathOf(name), kPathShown)),
        "name the directory of a pool; restore the file if something took its place");
  }
  const auto bytes = static_cast<std::uint64_t>(facts.st_size);
  // Copying may have made holes, which a store would have to find room for.
  constexpr std::uint64_t kBlockBytes = 512;
  if (access == Access::kReadWrite &&
      static_cast<std::uint64_t>(facts.st_blocks) * kBlockBytes < bytes) {
    const int error = Allocate(file.get(), bytes);
    if (error == ENOSPC || error == EDQUOT) return NoRoom(name, bytes, error);
    if (error != 0 && error != EOPNOTSUPP) return FileError("allocate", PathOf(name), error);
  }
  return Make(name, std::move(file), bytes, use, access);
}

Status DirectorySpace::Remove(const std::string& name) {
  CIREIN_RETURN_IF_ERROR(CheckRegionName(name));
  if (unlinkat(directory_.get(), name.c_str(), 0) == 0) return OkStatus();
  return FileError("remove", PathOf(name), errno);
}

Status DirectorySpace::PersistNames(PersistSite site) {
  if (!medium_.names_persist) return OkStatus();
  return SyncNames(directory_.get(), path_).WithContext(PersistSiteName(site));
}

Result<std::vector<RegionSpace::Entry>> DirectorySpace::List() const {
  CIREIN_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> found, ListDirectory(path_));
  std::vector<Entry> entries;
  for (const DirectoryEntry& entry : found) {
    if (entry.kind != DirectoryEntry::Kind::kFile || entry.name == kLockName) continue;
    entries.push_back({entry.name, entry.bytes});
  }
  return entries;
}

}  // namespace

Result<std::unique_ptr<RegionSpace>> OpenDirectorySpace(const std::string& path,
                                                        const DirectoryOptions& options) {
  if (options.missing == DirectoryOptions::Missing::kMake) {
    CIREIN_RETURN_IF_ERROR(MakeDirectoryDurably(path));
  }
  CIREIN_ASSIGN_OR_RETURN(FileDescriptor directory, OpenDirectory(path));
  CIREIN_ASSIGN_OR_RETURN(DirectoryMedium medium,
                          ProbeMedium(directory.get(), path, options.flush));
  return std::unique_ptr<RegionSpace>(
      std::make_unique<DirectorySpace>(path, std::move(directory), std::move(medium),
                                       options.boot_id.empty() ? ReadBootId() : options.boot_id));
}

}  // namespace cirein
