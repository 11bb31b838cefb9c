// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/status.h"

#include "runtime/file_descriptor.h"

/// Files as the store needs them. Every function blocks, may be called from any thread, and fails
/// with the path, the system's words and a next step: NotFound, PermissionDenied, AlreadyExists, or
/// IoError (a full disk too).
namespace cirein {

/// The whole of a file, of one in /proc or a pipe too. ResourceExhausted when it has more than
/// `max_bytes`.
Result<std::string> ReadFile(const std::string& path, std::uint64_t max_bytes);
/// The first line of a file of 4 KiB at most, without its end: where secrets and addresses are
/// kept. InvalidArgument when it is empty, with `hint`.
Result<std::string> ReadFirstLine(const std::string& path, std::string_view hint);
/// The rest of what standard input has, to its end; otherwise as ReadFile.
Result<std::string> ReadStandardInput(std::uint64_t max_bytes);

/// Fills `into` with the bytes that begin at `offset`. DataLoss when the file ends before.
Status ReadFileInto(const std::string& path, std::uint64_t offset, std::span<std::byte> into);

/// The size of an ordinary file; InvalidArgument for anything else.
Result<std::uint64_t> FileBytes(const std::string& path);

/// What is kept when a write returns.
enum class FileKept : std::uint8_t {
  kOnMedium,  ///< The bytes, whatever happens to the machine.
  kBySystem,  ///< The bytes, if the machine goes on; else perhaps a part of them, or none.
};

/// Puts the parts one after another into `path`, replacing what is there (a symbolic link itself,
/// not its target) but keeping its mode. Whatever happens, also a crash of the machine, `path`
/// holds the old bytes or the new ones, and an error means the old ones; when it returns the new
/// ones are on the medium. They wait in a file beside it, "<path>.tmp-<pid>-<n>", which only a
/// crash leaves behind.
Status WriteFileAtomically(const std::string& path,
                           std::span<const std::span<const std::byte>> parts,
                           FileKept kept = FileKept::kOnMedium);
Status WriteFileAtomically(const std::string& path, std::string_view text);

struct DirectoryEntry {
  enum class Kind : std::uint8_t { kFile, kDirectory, kOther };
  std::string name;
  Kind kind = Kind::kOther;  ///< Of what it leads to, for a symbolic link; kOther if that is gone.
  std::uint64_t bytes = 0;   ///< Of a file.

  friend bool operator==(const DirectoryEntry&, const DirectoryEntry&) = default;
};
/// What a directory holds, without "." and "..", sorted by name.
Result<std::vector<DirectoryEntry>> ListDirectory(const std::string& path);

Status RemoveFile(const std::string& path);
/// Removes a file that WriteFileAtomically left beside another one when its process was killed;
/// leaves one that is still being filled, by any process. One that is gone is fine.
Status RemoveIfLeftBehind(const std::string& path);
/// Opens a file, making it if it is not there, and holds it alone until the descriptor is closed or
/// the process ends. FailedPrecondition when it is held already, by any process or by this one.
Result<FileDescriptor> HoldFile(const std::string& path);
/// Waits until the names in a directory are on the medium.
Status SyncDirectory(const std::string& path);
/// Makes a directory and those above it that are missing; one that exists is fine.
Status MakeDirectories(const std::string& path);
/// Puts something in the place of standard input, output and error where they are closed, so that
/// no file that is opened later gets their numbers, and with that what is printed. Reading and
/// writing them goes on to fail. For the beginning of a program, before it opens anything.
void ReserveStandardFiles();

/// The directory that relative paths begin at, as an absolute path.
Result<std::string> WorkingDirectory();

/// The process's environment as NAME=VALUE. Not while another thread changes it.
std::vector<std::string> Environ();

}  // namespace cirein
