// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cirein/status.h"

namespace cirein {

enum class Color : std::uint8_t { kNone, kRed, kGreen, kYellow, kDim };

/// `text` in a colour of the terminal.
std::string Colored(Color color, std::string_view text);

/// Where the command speaks and listens: data for programs to read, messages for people, and what
/// it is given to read. Thread-safe.
class Console {
 public:
  virtual ~Console() = default;

  /// Data, to standard output. When nobody reads on, it is dropped without a word.
  virtual void Write(std::string_view data) = 0;
  /// For people, to standard error: whole lines, or a line that is drawn again and again.
  virtual void Tell(std::string_view message) = 0;
  /// Everything written is with the system. IoError when some of it could not be (a full disk), but
  /// not because the reader has gone.
  virtual Status Flush() = 0;
  /// Has the reader of the data gone? Then there is no use in making more of it.
  virtual bool reader_gone() const = 0;

  /// What standard input has, to its end; blocks. ResourceExhausted beyond `max_bytes`.
  virtual Result<std::string> ReadInput(std::uint64_t max_bytes) = 0;

  /// May lines on standard error be drawn again? Only a terminal takes that well.
  virtual bool animates() const = 0;
  /// May data, or messages, have colours?
  virtual bool colors_data() const = 0;
  virtual bool colors_messages() const = 0;
};

/// "error: message" and its next step, as Tell prints it.
std::string ErrorText(const Status& status, const Console& console);

}  // namespace cirein
