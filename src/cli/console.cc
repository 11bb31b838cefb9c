// SPDX-License-Identifier: Apache-2.0
#include "cli/console.h"

#include <fmt/format.h>

namespace cirein {

std::string Colored(Color color, std::string_view text) {
  switch (color) {
    case Color::kRed:
      return fmt::format("\x1b[31m{}\x1b[0m", text);
    case Color::kGreen:
      return fmt::format("\x1b[32m{}\x1b[0m", text);
    case Color::kYellow:
      return fmt::format("\x1b[33m{}\x1b[0m", text);
    case Color::kDim:
      return fmt::format("\x1b[2m{}\x1b[0m", text);
    case Color::kNone:
      break;
  }
  return std::string(text);
}

std::string ErrorText(const Status& status, const Console& console) {
  const Color color = console.colors_messages() ? Color::kRed : Color::kNone;
  std::string text = fmt::format("cirein: {}: {}\n", Colored(color, "error"), status.message());
  if (!status.hint().empty()) text += fmt::format("  next: {}\n", status.hint());
  return text;
}

}  // namespace cirein
