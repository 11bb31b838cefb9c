// SPDX-License-Identifier: Apache-2.0
#include "runtime/file.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/text.h"
#include "runtime/file_descriptor.h"
#include "runtime/system_error.h"

namespace cirein {
namespace {

// The most that Linux moves in one call, a little rounded down.
constexpr std::size_t kMaxTransferBytes = std::size_t{1} << 30;

template <typename Call>
auto RetryInterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

FileDescriptor OpenToRead(const std::string& path) {
  return FileDescriptor(RetryInterrupted([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
}

// 0, or an errno value.
int WriteAll(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = RetryInterrupted(
        [&] { return write(fd, bytes.data(), std::min(bytes.size(), kMaxTransferBytes)); });
    if (written < 0) return errno;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return 0;
}

std::string ParentOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

// A new file beside `path`, removed again unless it took its place.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& path) : target_(path) {}
  ~TemporaryFile() {
    if (fd_.is_open()) unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  Status Open() {
    static std::atomic<std::uint64_t> next_number{0};
    constexpr int kAttempts = 100;  // Names are taken only by what a crash left behind.
    int error = EEXIST;
    for (int attempt = 0; attempt < kAttempts && error == EEXIST; ++attempt) {
      path_ = fmt::format("{}.tmp-{}-{}", target_, getpid(), next_number++);
      fd_ = FileDescriptor(RetryInterrupted(
          [&] { return open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); }));
      if (fd_.is_open()) {
        // As long as it is being filled: see RemoveIfLeftBehind.
        if (flock(fd_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) continue;
        KeepMode();
        return OkStatus();
      }
      error = errno;
    }
    return FileError("create", path_, error);
  }

  Status Fill(std::span<const std::span<const std::byte>> parts, FileKept kept) {
    for (const auto part : parts) {
      if (const int error = WriteAll(fd_.get(), part)) return FileError("write", target_, error);
    }
    if (kept == FileKept::kOnMedium && fsync(fd_.get()) != 0) {
      return FileError("sync", target_, errno);
    }
    return OkStatus();
  }

  Status TakePlace() {
    if (rename(path_.c_str(), target_.c_str()) != 0) return FileError("replace", target_, errno);
    fd_.Close();
    return OkStatus();
  }

 private:
  void KeepMode() {
    struct stat old {};
    if (stat(target_.c_str(), &old) != 0 || !S_ISREG(old.st_mode)) return;
    // Somebody else's file may refuse; the new one then has the mode of any new file.
    [[maybe_unused]] const int ignored = fchmod(fd_.get(), old.st_mode & 07777);
  }

  const std::string target_;
  std::string path_;
  FileDescriptor fd_;
};

// All that `fd` still gives; `name` is for errors.
Result<std::string> ReadAll(int fd, const std::string& name, std::uint64_t max_bytes) {
  // The size is only a hint: files in /proc say 0, and a file may grow meanwhile. One byte more
  // than it shows the end without another round.
  struct stat facts {};
  std::uint64_t expected = 4096;
  if (fstat(fd, &facts) == 0 && facts.st_size > 0) {
    expected = static_cast<std::uint64_t>(facts.st_size) + 1;
  }
  std::string text;
  std::size_t used = 0;
  for (;;) {
    if (used == text.size()) {
      const std::uint64_t most = std::max(max_bytes, max_bytes + 1);  // The sum may wrap.
      text.resize(std::min(std::max(used * 2, std::min(expected, max_bytes) + 1), most));
    }
    const ssize_t count = RetryInterrupted([&] {
      return read(fd, text.data() + used, std::min(text.size() - used, kMaxTransferBytes));
    });
    if (count < 0) return FileError("read", name, errno);
    if (count == 0) break;
    used += static_cast<std::size_t>(count);
    if (used > max_bytes) {
      return ResourceExhausted(fmt::format("'{}' is larger than the {} bytes allowed",
                                           EscapeForPeople(name, 4096), max_bytes),
                               "is it the right file?");
    }
  }
  text.resize(used);
  return text;
}

DirectoryEntry Describe(const std::filesystem::directory_entry& found) {
  DirectoryEntry entry;
  entry.name = found.path().filename().string();
  std::error_code ignored;
  if (found.is_regular_file(ignored)) {
    entry.kind = DirectoryEntry::Kind::kFile;
    const std::uintmax_t bytes = found.file_size(ignored);
    if (!ignored) entry.bytes = bytes;
  } else if (found.is_directory(ignored)) {
    entry.kind = DirectoryEntry::Kind::kDirectory;
  }
  return entry;
}

}  // namespace

Result<std::string> ReadFile(const std::string& path, std::uint64_t max_bytes) {
  const FileDescriptor file = OpenToRead(path);
  if (!file.is_open()) return FileError("open", path, errno);
  return ReadAll(file.get(), path, max_bytes);
}

Result<std::string> ReadFirstLine(const std::string& path, std::string_view hint) {
  constexpr std::uint64_t kMaxBytes = 4096;
  CIREIN_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxBytes));
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  if (!text.empty()) return text;
  return InvalidArgument(
      fmt::format("the first line of '{}' is empty", EscapeForPeople(path, 4096)),
      std::string(hint));
}

Result<std::string> ReadStandardInput(std::uint64_t max_bytes) {
  return ReadAll(STDIN_FILENO, "standard input", max_bytes);
}

void ReserveStandardFiles() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
    // The lowest free number is this one. Opened the wrong way round, it fails as a closed one
    // does.
    const int mode = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    [[maybe_unused]] const int reserved = open("/dev/null", mode);
  }
}

Status ReadFileInto(const std::string& path, std::uint64_t offset, std::span<std::byte> into) {
  const FileDescriptor file = OpenToRead(path);
  if (!file.is_open()) return FileError("open", path, errno);
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t count = RetryInterrupted([&] {
      return pread(file.get(), into.data() + done, std::min(into.size() - done, kMaxTransferBytes),
                   static_cast<off_t>(offset + done));
    });
    if (count < 0) return FileError("read", path, errno);
    if (count == 0) {
      return DataLoss(fmt::format("'{}' ends at byte {}, but {} bytes were to be read from byte {}",
                                  EscapeForPeople(path, 4096), offset + done, into.size(), offset),
                      "the file was cut short; restore it or write it anew");
    }
    done += static_cast<std::size_t>(count);
  }
  return OkStatus();
}

Result<std::uint64_t> FileBytes(const std::string& path) {
  struct stat facts {};
  if (stat(path.c_str(), &facts) != 0) return FileError("look at", path, errno);
  if (!S_ISREG(facts.st_mode)) {
    return InvalidArgument(fmt::format("'{}' is not an ordinary file", EscapeForPeople(path, 4096)),
                           "name a file with contents of its own");
  }
  return static_cast<std::uint64_t>(facts.st_size);
}

Status WriteFileAtomically(const std::string& path,
                           std::span<const std::span<const std::byte>> parts, FileKept kept) {
  TemporaryFile file(path);
  CIREIN_RETURN_IF_ERROR(file.Open());
  CIREIN_RETURN_IF_ERROR(file.Fill(parts, kept));
  CIREIN_RETURN_IF_ERROR(file.TakePlace());
  return kept == FileKept::kOnMedium ? SyncDirectory(ParentOf(path)) : OkStatus();
}

Status RemoveIfLeftBehind(const std::string& path) {
  const FileDescriptor file = OpenToRead(path);
  if (!file.is_open()) return errno == ENOENT ? OkStatus() : FileError("open", path, errno);
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) return OkStatus();
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return FileError("remove", path, errno);
  return OkStatus();
}

Result<FileDescriptor> HoldFile(const std::string& path) {
  FileDescriptor file(RetryInterrupted(
      [&] { return open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666); }));
  if (!file.is_open()) return FileError("open", path, errno);
  if (flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
  if (errno != EWOULDBLOCK) return FileError("lock", path, errno);
  return FailedPrecondition(fmt::format("'{}' is held already", path),
                            "find who has it open (fuser), or wait for its end");
}

Status SyncDirectory(const std::string& path) {
  const FileDescriptor directory(
      RetryInterrupted([&] { return open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!directory.is_open()) return FileError("open directory", path, errno);
  // Some file systems cannot, and say EINVAL; they have nothing to sync.
  if (fsync(directory.get()) != 0 && errno != EINVAL) {
    return FileError("sync directory", path, errno);
  }
  return OkStatus();
}

Status WriteFileAtomically(const std::string& path, std::string_view text) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
  return WriteFileAtomically(path, std::span(&bytes, 1));
}

Result<std::vector<DirectoryEntry>> ListDirectory(const std::string& path) {
  std::error_code error;
  std::vector<DirectoryEntry> entries;
  std::filesystem::directory_iterator it(path, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    entries.push_back(Describe(*it));
  }
  if (error) return FileError("list directory", path, error.value());
  std::sort(entries.begin(), entries.end(),
            [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
  return entries;
}

Status RemoveFile(const std::string& path) {
  if (unlink(path.c_str()) != 0) return FileError("remove", path, errno);
  return OkStatus();
}

Status MakeDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return FileError("make directory", path, error.value());
  return OkStatus();
}

Result<std::string> WorkingDirectory() {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::current_path(error);
  if (error) return FileError("find the working directory", ".", error.value());
  return path.string();
}

std::vector<std::string> Environ() {
  std::vector<std::string> variables;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  return variables;
}

}  // namespace cirein
