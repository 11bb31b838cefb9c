// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/status.h"

#include "runtime/other_process.h"
#include "runtime/stream_socket.h"

namespace cirein {

/// What a server that is up leaves in its pool's directory, so that others on this machine find it.
struct ServerFile {
  ProcessIdentity process;
  std::vector<StreamAddress> resp;  ///< Unix sockets as well.
  std::vector<StreamAddress> http;

  /// Lines of a name and a value.
  std::string ToString() const;
  /// InvalidArgument for text that ToString did not make.
  static Result<ServerFile> Parse(std::string_view text);
};

/// "DIR/server".
std::string ServerFilePath(const std::string& directory);

/// Of the server that is up in this directory. NotFound when there is none, or when the one that
/// wrote the file has ended without removing it.
Result<ServerFile> FindServer(const std::string& directory);

/// The file of this process's own server: there as long as this is.
class ServerFileHolder {
 public:
  /// Writes it, whole or not at all; `file.process` is filled in. For a server that is ready, while
  /// it has the pool open: then nobody else's file can be there. Errors: those of
  /// WriteFileAtomically.
  static Result<std::unique_ptr<ServerFileHolder>> Write(const std::string& directory,
                                                         ServerFile file);
  /// Removes it. To be ended before the pool is closed.
  ~ServerFileHolder();
  ServerFileHolder(const ServerFileHolder&) = delete;
  ServerFileHolder& operator=(const ServerFileHolder&) = delete;

 private:
  explicit ServerFileHolder(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

}  // namespace cirein
