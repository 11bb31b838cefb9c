// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>
#include <string>
#include <unistd.h>
#include <vector>

#include <sys/wait.h>

#include "cli/run_for_test.h"

namespace cirein {

/// The command in a process of its own, and what it prints. Killed at the end.
class CommandProcess {
 public:
  /// `before` are the words of a command that becomes this one, such as `env`.
  explicit CommandProcess(const std::vector<std::string>& arguments,
                          std::vector<std::string> before = {}) {
    int ends[2];
    if (pipe(ends) != 0) return;
    before.emplace_back(CIREIN_COMMAND);
    before.insert(before.end(), arguments.begin(), arguments.end());
    std::vector<char*> words;
    for (std::string& word : before) words.push_back(word.data());
    words.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      close(ends[0]);
      close(ends[1]);
      execvp(words[0], words.data());
      _exit(127);
    }
    close(ends[1]);
    output_ = ends[0];
  }
  ~CommandProcess() {
    End(SIGKILL);
    if (output_ >= 0) close(output_);
  }
  CommandProcess(const CommandProcess&) = delete;
  CommandProcess& operator=(const CommandProcess&) = delete;

  /// Up to the end of a line; what there was, if it ends before.
  std::string ReadLine() {
    std::string line;
    char byte = 0;
    while (read(output_, &byte, 1) == 1) {
      if (byte == '\n') return line;
      line += byte;
    }
    return line;
  }
  /// All it still prints, and then how it ended: 128 for a signal.
  CommandRun Wait() {
    CommandRun run;
    char bytes[4096];
    for (ssize_t got = 0; (got = read(output_, bytes, sizeof bytes)) > 0;) {
      run.out.append(bytes, static_cast<std::size_t>(got));
    }
    int status = 0;
    if (pid_ > 0 && waitpid(pid_, &status, 0) == pid_) {
      run.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    }
    pid_ = -1;
    return run;
  }
  void Signal(int signal) const {
    if (pid_ > 0) kill(pid_, signal);
  }
  void End(int signal) {
    if (pid_ <= 0) return;
    kill(pid_, signal);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  int output_ = -1;
};

}  // namespace cirein
