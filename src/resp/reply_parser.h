// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/data_object.h"

namespace cirein::resp {

/// One reply of a server, or a push of its own accord.
struct Reply {
  enum class Kind : std::uint8_t {
    kNull,
    kSimple,   ///< Also a double and a big number: as their text.
    kError,    ///< With its code first.
    kInteger,  ///< Also a boolean: 0 or 1.
    kBulk,
    kArray,  ///< Also a set.
    kMap,    ///< Names and values in turn.
    kPush,
  };
  Kind kind = Kind::kNull;
  std::int64_t integer = 0;
  std::string bytes;            ///< Of a text that has no body.
  DataObject body;              ///< Of a large bulk: its data. Else null.
  std::vector<Reply> elements;  ///< Of an array, a map, a push.

  std::string_view text() const noexcept {
    return body.is_null() ? std::string_view(bytes) : body.text();
  }
  /// Of a map, the value with that name; null if there is none.
  const Reply* Find(std::string_view name) const noexcept;
};

/// Takes a server's replies apart as they come, in RESP2 or RESP3. A large bulk is received
/// straight into a body of its own. No length is believed: memory is set aside as bytes come, and
/// how deep, how many and how long things may be has bounds.
///
/// Receive into window(), tell Received, call Next until it needs more. Not thread-safe; does not
/// block.
class ReplyParser {
 public:
  /// A bulk of more than this has a body.
  static constexpr std::size_t kBodyBytes = std::size_t{32} << 10;
  /// Of a simple string or an error.
  static constexpr std::size_t kMaxLineBytes = std::size_t{64} << 10;

  struct Limits {
    /// Of all the bulks of one reply.
    std::uint64_t max_bytes = std::uint64_t{1} << 40;
    std::uint64_t max_elements = std::uint64_t{1} << 20;  ///< In one reply, at all depths.
    std::size_t max_depth = 8;
  };
  ReplyParser() noexcept : ReplyParser(Limits()) {}
  explicit ReplyParser(const Limits& limits) noexcept : limits_(limits) {}

  enum class Outcome : std::uint8_t {
    kReply,
    kMore,   ///< More bytes are needed.
    kError,  ///< These are no replies, or ones beyond the limits; error() says why. It stays so.
  };
  Outcome Next(Reply* reply);
  std::string_view error() const noexcept { return error_; }

  /// Where the next bytes go; never empty after kMore. Valid until the next call.
  std::span<std::byte> window();
  /// So many bytes were put there.
  void Received(std::size_t bytes) noexcept;

 private:
  // An array, map or push whose elements come.
  struct Frame {
    Reply* reply;
    std::uint64_t left;
  };
  enum class Step : std::uint8_t { kGoOn, kDone, kMore, kError };

  Step ParseHeader();
  Step ParseLine(char type, std::string_view line);
  Step ParseLength(char type, std::string_view digits);
  Step BeginElements(Reply::Kind kind, std::uint64_t count);
  Step ParseBulk();
  Step FillBody();
  Step FinishBulk(Reply reply);
  Step Place(Reply reply);
  Step CloseFrames();
  Step Fail(std::string why);
  bool GrowBody();
  std::string_view rest() const noexcept { return {buffer_.get() + begin_, end_ - begin_}; }

  const Limits limits_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0;  // Of the buffer: what is not parsed yet.
  std::size_t end_ = 0;
  std::size_t scanned_ = 0;  // So many bytes from begin_ on have no line end.

  Reply root_;
  std::vector<Frame> frames_;
  std::uint64_t elements_ = 0;  // Of this reply, told so far.
  std::uint64_t bytes_ = 0;

  bool in_bulk_ = false;
  Reply::Kind bulk_kind_ = Reply::Kind::kBulk;
  std::uint64_t length_ = 0;  // Of the bulk.
  DataObject body_;
  std::uint64_t body_bytes_ = 0;  // Of it that have come.
  std::string error_;
};

}  // namespace cirein::resp
