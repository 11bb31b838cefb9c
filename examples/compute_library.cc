// SPDX-License-Identifier: Apache-2.0

// Compute functions in a shared library, for processes whose program is not one's own:
//
//   c++ -std=c++20 -shared -fPIC -o libwords.so compute_library.cc
//   cirein serve --set compute.libraries=$PWD/libwords.so --directory-file dir.txt --join
//   dht:/texts cirein compute --set directory.file=dir.txt dht:/texts 'letters|*' words 3

#include "cirein/compute_library.h"

#include <charconv>
#include <string>
#include <string_view>

namespace {

constexpr int kInvalidArgument = 1;

std::string_view TextOf(const cirein_bytes& bytes) {
  return {static_cast<const char*>(bytes.data), bytes.size};
}

std::size_t WordsIn(std::string_view text, std::size_t shortest) {
  std::size_t words = 0;
  std::size_t letters = 0;
  for (const char c : text) {
    if (c != ' ' && c != '\n') {
      if (++letters == shortest) ++words;
    } else {
      letters = 0;
    }
  }
  return words;
}

/// How many words the objects of the row have together; of so many letters at least as args say.
int32_t Words(const cirein_compute_input* input, cirein_compute_output* output) {
  const std::string_view args = TextOf(input->args);
  std::size_t shortest = 1;
  const auto [end, error] = std::from_chars(args.data(), args.data() + args.size(), shortest);
  if (!args.empty() &&
      (error != std::errc() || end != args.data() + args.size() || shortest == 0)) {
    output->explain(output, "words takes how many letters a word has at least, such as 3");
    return kInvalidArgument;
  }
  std::size_t words = 0;
  for (std::size_t i = 0; i < input->object_count; ++i) {
    words += WordsIn(TextOf(input->objects[i].data), shortest);
  }
  const std::string text = std::to_string(words);
  const int32_t refused = output->allocate(output, 0, text.size());
  if (refused != 0) return refused;
  text.copy(static_cast<char*>(output->data), text.size());
  return 0;
}

}  // namespace

extern "C" const cirein_compute_table* cirein_compute_library(void) {
  static const cirein_compute_entry functions[] = {{"words", Words}};
  static const cirein_compute_table table = {CIREIN_COMPUTE_VERSION, 1, functions};
  return &table;
}
