// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/data_object.h"

#include "resp/command.h"

namespace cirein::resp {

/// Takes requests apart as they come: arrays of bulk strings, and lines. Small arguments are views
/// of the input; a large one becomes a body of its own, into which the rest of it can be received
/// without another copy. No length is believed beyond what a client may make us set aside.
///
/// The caller keeps the input: what Parse has not consumed is given again, at the front of what has
/// come since. Not thread-safe; does not block.
class RequestParser {
 public:
  /// An argument of more than this has a body.
  static constexpr std::size_t kBodyBytes = std::size_t{32} << 10;
  static constexpr std::size_t kMaxArgs = std::size_t{1} << 20;
  /// Of a line, of a length.
  static constexpr std::size_t kMaxLineBytes = std::size_t{64} << 10;

  enum class Trust : std::uint8_t {
    kUnknown,  ///< Who has not said the password yet may send small commands only.
    kKnown,
  };
  struct Limits {
    std::uint64_t max_bulk_bytes = std::uint64_t{512} << 20;
    Trust trust = Trust::kKnown;
  };

  enum class Outcome : std::uint8_t {
    kCommand,  ///< args() are a command; maybe an empty one.
    kMore,     ///< More bytes are needed.
    kError,    ///< error() is to be the last thing the client hears.
  };
  Outcome Parse(std::string_view input, const Limits& limits);

  /// Of the last command; valid until the input changes or the next Parse.
  Args args() const noexcept { return args_; }
  /// After kCommand: so many bytes of the input are done with. After kMore: so many are to be kept,
  /// and what is behind them was taken.
  std::size_t consumed() const noexcept { return position_; }
  std::size_t keep() const noexcept { return keep_; }
  std::string_view error() const noexcept { return error_; }

  /// Has any of them a body?
  bool has_bodies() const noexcept { return bodies_bytes_ != 0; }

  /// Where the next bytes of a large argument go, if one is being received; else empty.
  std::span<std::byte> body_window() noexcept;
  /// So many bytes were put there.
  void BodyReceived(std::size_t bytes);
  /// Of bodies that are not complete, and arguments that wait: what a half command takes besides
  /// its input.
  std::uint64_t held_bytes() const noexcept;

  /// Lets go of what large commands have left behind.
  void Shrink();

 private:
  enum class State : std::uint8_t { kStart, kCount, kLength, kArgument, kBody };

  Outcome ParseLine(std::string_view input);
  Outcome ParseCount(std::string_view input, const Limits& limits);
  Outcome ParseLength(std::string_view input, const Limits& limits);
  Outcome ParseArgument(std::string_view input);
  Outcome BeginBody(std::string_view input);
  Outcome FillBody(std::string_view input);
  Outcome Fail(std::string error);
  Outcome Wait(std::string_view input);
  Status GrowBody();
  void Rebase(std::string_view input);
  /// A number up to the line's end, at `position_` + 1. kCommand: it is in `number_`.
  Outcome ParseNumber(std::string_view input, std::string_view too_long);

  State state_ = State::kStart;
  std::size_t position_ = 0;  // In the input: all before is parsed.
  std::size_t keep_ = 0;
  std::int64_t number_ = 0;
  bool number_ok_ = false;
  std::uint64_t left_ = 0;    // Arguments to come.
  std::uint64_t length_ = 0;  // Of the next one.
  std::vector<Arg> args_;
  // Where the small arguments of a half command are in the input, which may move meanwhile.
  std::vector<std::size_t> offsets_;
  const char* base_ = nullptr;
  DataObject body_;
  std::uint64_t body_bytes_ = 0;    // Of it that have come.
  std::uint64_t bodies_bytes_ = 0;  // Of those that are complete.
  std::string line_;                // Of an inline command, its words without their quotes.
  std::string error_;
};

/// Cuts a line into words as Redis does: between blanks, with quotes and escapes. `words` are
/// appended as views of `storage`, which is replaced. False for quotes that are not closed.
bool SplitWords(std::string_view line, std::string& storage, std::vector<Arg>& words);

}  // namespace cirein::resp
