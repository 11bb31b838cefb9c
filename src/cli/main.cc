// SPDX-License-Identifier: Apache-2.0

// The command `cirein`.

#include <csignal>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/standard_console.h"
#include "runtime/file.h"

int main(int argc, char** argv) {
  // Else a pool's file could be standard output, and data be printed into it.
  cirein::ReserveStandardFiles();
  // A reader that has gone is an error of the write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const std::vector<std::string> environment = cirein::Environ();
  using Colors = cirein::StandardConsole::Colors;
  cirein::StandardConsole console(
      cirein::AsksForPlainText(arguments, environment) ? Colors::kNever : Colors::kOnTerminals);
  return static_cast<int>(cirein::RunCommand(arguments, environment, console));
}
