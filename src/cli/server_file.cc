// SPDX-License-Identifier: Apache-2.0
#include "cli/server_file.h"

#include <cstdint>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "base/text.h"
#include "runtime/file.h"

namespace cirein {
namespace {

constexpr std::string_view kFirstLine = "cirein-server 1";
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{64} << 10;
constexpr std::size_t kMaxAddresses = 64;

std::string_view NextLine(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

Status NoServer(const std::string& directory) {
  return NotFound(fmt::format("no server is up in '{}'", directory),
                  fmt::format("start one with cirein up --dir {}, or name the directory of the one "
                              "you mean with --dir",
                              directory));
}

Status TakeLine(std::string_view line, ServerFile& file) {
  const std::size_t blank = line.find(' ');
  const std::string_view name = line.substr(0, blank);
  if (blank == std::string_view::npos) return InvalidArgument("a line has no value");
  const std::string_view value = line.substr(blank + 1);
  if (name == "pid" || name == "start-ticks") {
    CIREIN_ASSIGN_OR_RETURN((name == "pid" ? file.process.pid : file.process.start_ticks),
                            ParseUint64(value));
    return OkStatus();
  }
  if (name != "resp" && name != "http") return OkStatus();  // Of a later version.
  std::vector<StreamAddress>& addresses = name == "resp" ? file.resp : file.http;
  if (addresses.size() == kMaxAddresses) return InvalidArgument("there are too many addresses");
  CIREIN_ASSIGN_OR_RETURN(const std::string text, PercentDecode(value));
  CIREIN_ASSIGN_OR_RETURN(StreamAddress address, ParseStreamAddress(text));
  addresses.push_back(std::move(address));
  return OkStatus();
}

}  // namespace

std::string ServerFile::ToString() const {
  std::string text =
      fmt::format("{}\npid {}\nstart-ticks {}\n", kFirstLine, process.pid, process.start_ticks);
  for (const StreamAddress& address : resp) {
    text += fmt::format("resp {}\n", PercentEncode(address.ToString()));
  }
  for (const StreamAddress& address : http) {
    text += fmt::format("http {}\n", PercentEncode(address.ToString()));
  }
  return text;
}

Result<ServerFile> ServerFile::Parse(std::string_view text) {
  if (NextLine(text) != kFirstLine) return InvalidArgument("this is no file of a server");
  ServerFile file;
  while (!text.empty()) CIREIN_RETURN_IF_ERROR(TakeLine(NextLine(text), file));
  if (file.process.pid == 0) return InvalidArgument("the file does not name a process");
  return file;
}

std::string ServerFilePath(const std::string& directory) { return directory + "/server"; }

Result<ServerFile> FindServer(const std::string& directory) {
  const std::string path = ServerFilePath(directory);
  const Result<std::string> text = ReadFile(path, kMaxFileBytes);
  if (text.code() == StatusCode::kNotFound) return NoServer(directory);
  CIREIN_RETURN_IF_ERROR(text.status());
  Result<ServerFile> file = ServerFile::Parse(*text);
  if (!file.ok()) {
    return InvalidArgument(fmt::format("'{}' is damaged: {}", path, file.status().message()),
                           "remove it, once no server is up there");
  }
  const auto found = OtherProcess::Find(file->process);
  if (found.code() == StatusCode::kNotFound) return NoServer(directory);
  CIREIN_RETURN_IF_ERROR(found.status());
  return file;
}

Result<std::unique_ptr<ServerFileHolder>> ServerFileHolder::Write(const std::string& directory,
                                                                  ServerFile file) {
  CIREIN_ASSIGN_OR_RETURN(file.process, OwnProcessIdentity());
  std::string path = ServerFilePath(directory);
  // A socket's path is as its server sees it; the file is for everybody.
  for (StreamAddress& address : file.resp) {
    if (!address.is_path() || address.path.starts_with('/')) continue;
    CIREIN_ASSIGN_OR_RETURN(const std::string here, WorkingDirectory());
    address.path = here + "/" + address.path;
  }
  CIREIN_RETURN_IF_ERROR(WriteFileAtomically(path, file.ToString()));
  return std::unique_ptr<ServerFileHolder>(new ServerFileHolder(std::move(path)));
}

ServerFileHolder::~ServerFileHolder() {
  if (const Status removed = RemoveFile(path_); !removed.ok()) {
    LogWarn("server", "{}", removed.ToString());
  }
}

}  // namespace cirein
