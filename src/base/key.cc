// SPDX-License-Identifier: Apache-2.0
#include "cirein/key.h"

#include <array>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"

namespace cirein {
namespace {

constexpr std::string_view kBucketShape = "give a label such as \"sensors\", or an id such as 0x2a";
// What a ResourceUrl puts around its parts.
constexpr std::string_view kUrlDelimiters = "<>[]/&";

// Slicing by 8: kCrcTables[k][b] is the CRC of the byte b with k zero bytes behind it, so that
// eight bytes cost eight independent loads in place of a chain of eight.
constexpr std::size_t kSlices = 8;
using CrcTables = std::array<std::array<std::uint16_t, 256>, kSlices>;

constexpr CrcTables MakeCrcTables() {
  constexpr unsigned kPolynomial = 0x1021;
  CrcTables tables{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) {
      crc = ((crc << 1) ^ ((crc & 0x8000U) != 0 ? kPolynomial : 0U)) & 0xFFFFU;
    }
    tables[0][byte] = static_cast<std::uint16_t>(crc);
  }
  for (std::size_t slice = 1; slice < kSlices; ++slice) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const unsigned before = tables[slice - 1][byte];
      const unsigned after = ((before << 8) & 0xFFFFU) ^ tables[0][before >> 8];
      tables[slice][byte] = static_cast<std::uint16_t>(after);
    }
  }
  return tables;
}

constexpr CrcTables kCrcTables = MakeCrcTables();

unsigned CrcStep(unsigned crc, std::string_view eight) {
  const auto byte = [&eight](std::size_t i) -> unsigned {
    return static_cast<unsigned char>(eight[i]);
  };
  return static_cast<unsigned>(
      kCrcTables[7][byte(0) ^ (crc >> 8)] ^ kCrcTables[6][byte(1) ^ (crc & 0xFFU)] ^
      kCrcTables[5][byte(2)] ^ kCrcTables[4][byte(3)] ^ kCrcTables[3][byte(4)] ^
      kCrcTables[2][byte(5)] ^ kCrcTables[1][byte(6)] ^ kCrcTables[0][byte(7)]);
}

// CRC16/XMODEM: polynomial 0x1021, nothing reflected, starts at 0.
unsigned Crc16(std::string_view bytes) {
  unsigned crc = 0;
  for (; bytes.size() >= kSlices; bytes.remove_prefix(kSlices)) crc = CrcStep(crc, bytes);
  for (const char c : bytes) {
    const unsigned index = (crc >> 8) ^ static_cast<unsigned char>(c);
    crc = ((crc << 8) & 0xFFFFU) ^ kCrcTables[0][index];
  }
  return crc;
}

std::string_view HashTagOrRow(std::string_view row) {
  const std::size_t open = row.find('{');
  if (open == std::string_view::npos) return row;
  const std::size_t close = row.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return row;
  return row.substr(open + 1, close - open - 1);
}

Result<Bucket> ParseBucketId(std::string_view text) {
  const std::string_view digits = text.substr(2);
  const auto refuse = [text](std::string_view why) {
    return InvalidArgument(fmt::format("bucket {} {}", QuoteForPeople(text), why),
                           std::string(kBucketShape));
  };
  if (digits.empty() || digits.size() > 8) return refuse("has not one to eight hex digits");
  const Result<std::uint64_t> id = ParseHex64(digits);
  if (!id.ok()) return refuse("has a digit that is not hexadecimal");
  if (*id == 0) return refuse("is the id of no bucket");
  return Bucket(static_cast<std::uint32_t>(*id));
}

// Where the tag of a row begins; its end when there is none.
std::size_t TagBegin(std::string_view row) {
  constexpr std::string_view kOpen = "{0x";
  const std::size_t begin = row.rfind(kOpen);
  if (begin == std::string_view::npos || !row.ends_with('}')) return row.size();
  const std::string_view digits = row.substr(begin + kOpen.size(), row.size() - begin - kOpen.size() - 1);
  return digits.size() <= 8 && ParseHex64(digits).ok() ? begin : row.size();
}

}  // namespace

Bucket Bucket::FromLabel(std::string_view label) {
  const auto id = static_cast<std::uint32_t>(Hash64(label));
  return Bucket(id == 0 ? 1 : id);
}

Result<Bucket> Bucket::Parse(std::string_view text) {
  if (text.empty()) return InvalidArgument("the bucket is empty", std::string(kBucketShape));
  if (text.starts_with("0x") || text.starts_with("0X")) return ParseBucketId(text);
  if (text.size() > kMaxLabelBytes) {
    return InvalidArgument(
        fmt::format("bucket {} is longer than {} bytes", QuoteForPeople(text), kMaxLabelBytes),
        "choose a shorter label");
  }
  for (const char c : text) {
    if (IsControlByte(c) || kUrlDelimiters.find(c) != std::string_view::npos) {
      return InvalidArgument(
          fmt::format("bucket {} has the character {}, which a URL cannot carry",
                      QuoteForPeople(text), QuoteForPeople(std::string_view(&c, 1))),
          "leave out control characters and any of < > [ ] / &");
    }
  }
  return FromLabel(text);
}

std::string Bucket::ToString() const { return fmt::format("{:#x}", id_); }

std::optional<std::uint32_t> RowTag(std::string_view row) {
  const std::size_t begin = TagBegin(row);
  if (begin == row.size()) return std::nullopt;
  return static_cast<std::uint32_t>(*ParseHex64(row.substr(begin + 3, row.size() - begin - 4)));
}

std::string WithRowTag(std::string_view row, std::uint32_t tag) {
  return fmt::format("{}{{0x{:x}}}", row.substr(0, TagBegin(row)), tag);
}

std::uint16_t SlotOfRow(std::string_view row) {
  return static_cast<std::uint16_t>(Crc16(HashTagOrRow(row)) % kSlotCount);
}

Status Key::Validate() const {
  if (row_.empty()) return InvalidArgument("the key has no row", "name at least a row");
  if (row_.size() > kMaxRowBytes) {
    return InvalidArgument(
        fmt::format("the row of key {} is longer than {} bytes", ToString(), kMaxRowBytes),
        "choose a shorter row");
  }
  if (column_.size() > kMaxColumnBytes) {
    return InvalidArgument(
        fmt::format("the column of key {} is longer than {} bytes", ToString(), kMaxColumnBytes),
        "choose a shorter column");
  }
  return OkStatus();
}

std::string Key::ToString() const {
  if (!has_column_) return EscapeForPeople(row_);
  return fmt::format("{}|{}", EscapeForPeople(row_), EscapeForPeople(column_));
}

}  // namespace cirein
