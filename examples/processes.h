// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <iostream>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include <cirein/cirein.h>
#include <sys/wait.h>

// How the examples of several processes start them, and let them tell each other their addresses.
// Elsewhere a launcher such as mpirun does the one, and a directory (cirein serve) the other.
namespace examples {

/// The next line of a pipe, without its end; false when there is none any more.
inline bool ReadLine(int pipe, std::string* line) {
  line->clear();
  for (char byte = 0; read(pipe, &byte, 1) == 1; *line += byte) {
    if (byte == '\n') return true;
  }
  return false;
}
inline void Write(int pipe, std::string_view text) {
  if (write(pipe, text.data(), text.size()) != static_cast<ssize_t>(text.size())) _exit(2);
}

/// One of the processes.
struct Place {
  int rank = 0;
  int count = 0;
  int to_parent = -1;
  int from_parent = -1;

  /// What each says, by rank, once all have come here. A process ends here when another has failed.
  std::vector<std::string> Exchange(const std::string& mine = {}) const {
    Write(to_parent, std::to_string(rank) + " " + mine + "\n");
    std::vector<std::string> all(static_cast<std::size_t>(count));
    for (std::string& line : all) {
      if (!ReadLine(from_parent, &line)) _exit(3);
    }
    return all;
  }
};

/// The options of a URL that name a pool's members.
inline std::string Members(const std::vector<std::string>& addresses) {
  std::string options = "&num=" + std::to_string(addresses.size());
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    options += "&ag" + std::to_string(i) + "=" + addresses[i];
  }
  return options;
}

/// Runs `body` in `count` processes; 0 when all went well. Before the library is started: a copy of
/// a process has none of its threads.
inline int RunProcesses(int count, const std::function<cirein::Status(const Place&)>& body) {
  int up[2];              // From all of them; a line is short enough to be written as one.
  std::vector<int> down;  // To each.
  if (pipe(up) != 0) return 1;
  for (int rank = 0; rank < count; ++rank) {
    int ends[2];
    if (pipe(ends) != 0) return 1;
    if (fork() == 0) {
      for (const int other : down) close(other);
      close(ends[1]);
      close(up[0]);
      const cirein::Status status = body({rank, count, up[1], ends[0]});
      std::cout.flush();
      if (status.ok()) _exit(0);
      std::cerr << "process " << rank << ": " << status.ToString() << '\n';
      Write(up[1], "failed\n");
      _exit(1);
    }
    close(ends[0]);
    down.push_back(ends[1]);
  }
  close(up[1]);
  std::vector<std::string> said(down.size());
  std::string line;
  for (std::size_t heard = 0; ReadLine(up[0], &line) && line != "failed";) {
    const std::size_t blank = line.find(' ');
    said[std::stoul(line)] = line.substr(blank + 1) + "\n";
    if (++heard % said.size() != 0) continue;
    for (const int child : down) {
      for (const std::string& each : said) Write(child, each);
    }
  }
  for (const int child : down) close(child);  // Who still waits has to end.
  int failed = 0;
  for (int status = 0; wait(&status) > 0;) failed |= status;
  return failed == 0 ? 0 : 1;
}

}  // namespace examples
