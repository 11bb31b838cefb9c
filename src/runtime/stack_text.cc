// SPDX-License-Identifier: Apache-2.0
#include "runtime/stack_text.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cxxabi.h>
#include <execinfo.h>
#include <memory>

#include <fmt/format.h>

namespace cirein {

namespace {

constexpr int kMaxFrames = 64;

// "prog(_ZN6cirein3FooEv+0x12) [0x...]" with the name as people write it.
std::string Demangled(std::string_view line) {
  const std::size_t begin = line.find("(_Z");
  if (begin == std::string_view::npos) return std::string(line);
  const std::size_t end = std::min(line.find_first_of("+)", begin), line.size());
  int status = 0;
  const std::string name(line.substr(begin + 1, end - begin - 1));
  const std::unique_ptr<char, void (*)(void*)> plain(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), std::free);
  return status == 0 ? fmt::format("  {}", plain.get()) : std::string(line);
}

}  // namespace

std::string StackText() {
  std::array<void*, kMaxFrames> frames{};
  const int count = backtrace(frames.data(), kMaxFrames);
  const std::unique_ptr<char*, void (*)(void*)> names(backtrace_symbols(frames.data(), count),
                                                      std::free);
  std::string text;
  for (int i = 1; names != nullptr && i < count; ++i) {
    text += Demangled(names.get()[i]) + "\n";
  }
  return text;
}

void WriteStackTo(int fd) {
  std::array<void*, kMaxFrames> frames{};
  const int count = backtrace(frames.data(), kMaxFrames);
  backtrace_symbols_fd(frames.data(), count, fd);
}

std::string DemangleStack(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines += Demangled(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace cirein
