// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cirein/data_object.h"

#include "resp/output_buffer.h"

namespace cirein::resp {

/// Which form of Redis's protocol a client speaks.
enum class Protocol : std::uint8_t { kResp2 = 2, kResp3 = 3 };

/// Writes replies in the client's form. What RESP2 does not have becomes what Redis makes of it
/// there: a map an array of twice as many, a null an empty bulk, a double a bulk, a boolean an
/// integer, a push an array. Not thread-safe; does not block.
class ReplyWriter {
 public:
  /// `output` outlives it.
  ReplyWriter(OutputBuffer& output, Protocol protocol) : output_(output), protocol_(protocol) {}

  Protocol protocol() const noexcept { return protocol_; }
  void set_protocol(Protocol protocol) noexcept { protocol_ = protocol; }
  OutputBuffer& output() noexcept { return output_; }

  void Ok() { output_.Append("+OK\r\n"); }
  /// Without line ends in it.
  void Simple(std::string_view text);
  /// With its code first, such as "ERR ..."; line ends in it become spaces.
  void Error(std::string_view text);
  /// How many errors were written, and what stands before the last one's first blank, as far as it
  /// is short.
  std::uint32_t errors() const noexcept { return errors_; }
  std::string_view error_code() const noexcept {
    return {error_code_.data(), errors_ == 0 ? std::size_t{0} : error_code_bytes_};
  }
  void Integer(std::int64_t value);
  void Bulk(std::string_view bytes);
  /// The object's data; large ones are not copied but held until they are sent.
  void Bulk(const DataObject& object);
  void BulkInteger(std::int64_t value);  ///< As decimal digits.
  void Null();                           ///< "$-1" or "_".
  void NullArray();                      ///< "*-1" or "_".
  void Array(std::size_t elements);
  void Map(std::size_t pairs);
  void Set(std::size_t elements);
  void Push(std::size_t elements);
  void Double(double value);
  void Boolean(bool value);
  /// `format` of three letters, such as "txt"; a bulk in RESP2.
  void Verbatim(std::string_view format, std::string_view text);

 private:
  void Header(char type, std::int64_t value);

  OutputBuffer& output_;
  Protocol protocol_;
  std::uint32_t errors_ = 0;
  std::uint8_t error_code_bytes_;  // This and the next mean something after an error.
  std::array<char, 31> error_code_;
};

}  // namespace cirein::resp
