// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "resp/command.h"
#include "resp/keyspace.h"
#include "resp/number.h"
#include "resp/option_word.h"
#include "resp/string_handlers.h"

namespace cirein::resp {
namespace {

// What Redis's table takes for a pair of bytes. It is what bounds the work, so the same pairs of
// strings are refused here, where the table takes a bit.
constexpr std::uint64_t kRedisCellBytes = 4;
constexpr std::uint64_t kTooLongBytes = UINT32_MAX - 1;

enum class Form : std::uint8_t { kString, kLength, kMatches };

struct Options {
  bool length = false;
  bool matches = false;
  bool with_lengths = false;
  std::int64_t min_bytes = 0;
};

/// Bytes that the strings have in common, one after the other in both.
struct Match {
  std::size_t a = 0;  ///< Where it begins.
  std::size_t b = 0;
  std::size_t bytes = 0;
};

/// The longest common subsequence of two strings: among several the one that is found from the
/// ends, where the second string is shortened first unless that loses.
class Subsequence {
 public:
  Subsequence(std::string_view a, std::string_view b, Form form)
      : a_(a), b_(b), a_is_long_(a.size() > b.size()) {
    Measure(form);
    if (form != Form::kLength) Walk();
  }

  std::size_t length() const noexcept { return length_; }
  /// The last one first.
  const std::vector<Match>& matches() const noexcept { return matches_; }
  std::string Text() const {
    std::string text;
    text.reserve(length_);
    for (auto match = matches_.rbegin(); match != matches_.rend(); ++match) {
      text.append(a_.substr(match->a, match->bytes));
    }
    return text;
  }

 private:
  // The lengths of the common subsequences of all beginnings, of which one row is kept at a time,
  // along the shorter string; and for each pair of bytes that differ, which string to shorten.
  void Measure(Form form) {
    const std::string_view outer = a_is_long_ ? a_ : b_;
    const std::string_view inner = a_is_long_ ? b_ : a_;
    if (form != Form::kLength) shorten_a_.resize(outer.size() * inner.size());
    std::vector<std::uint32_t> lengths(inner.size() + 1);
    for (std::size_t o = 0; o < outer.size(); ++o) {
      std::uint32_t diagonal = 0;  // Without the last byte of either.
      for (std::size_t i = 0; i < inner.size(); ++i) {
        const std::uint32_t less_outer = lengths[i + 1];
        const std::uint32_t less_inner = lengths[i];
        if (outer[o] == inner[i]) {
          lengths[i + 1] = diagonal + 1;
        } else {
          lengths[i + 1] = std::max(less_outer, less_inner);
          if (form != Form::kLength &&
              (a_is_long_ ? less_outer > less_inner : less_inner > less_outer)) {
            shorten_a_[o * inner.size() + i] = true;
          }
        }
        diagonal = less_outer;
      }
    }
    length_ = lengths.back();
  }

  bool ShortensA(std::size_t a, std::size_t b) const {
    return a_is_long_ ? shorten_a_[a * b_.size() + b] : shorten_a_[b * a_.size() + a];
  }

  void Walk() {
    std::size_t a = a_.size();
    std::size_t b = b_.size();
    while (a > 0 && b > 0) {
      if (a_[a - 1] != b_[b - 1]) {
        --(ShortensA(a - 1, b - 1) ? a : b);
        continue;
      }
      Match match{.a = a, .b = b};
      do {
        --match.a, --match.b, ++match.bytes;
      } while (match.a > 0 && match.b > 0 && a_[match.a - 1] == b_[match.b - 1]);
      a = match.a;
      b = match.b;
      matches_.push_back(match);
    }
  }

  const std::string_view a_;
  const std::string_view b_;
  const bool a_is_long_;
  std::size_t length_ = 0;
  std::vector<bool> shorten_a_;  // By the longer string's byte, then by the shorter one's.
  std::vector<Match> matches_;
};

// False when it replied.
bool ReadOptions(DataCall& call, Options& options) {
  for (std::size_t i = 3; i < call.args.size(); ++i) {
    const std::string_view word = call.arg(i);
    if (IsWord(word, "idx")) {
      options.matches = true;
    } else if (IsWord(word, "len")) {
      options.length = true;
    } else if (IsWord(word, "withmatchlen")) {
      options.with_lengths = true;
    } else if (IsWord(word, "minmatchlen") && i + 1 < call.args.size()) {
      const std::optional<std::int64_t> number = ParseInteger(call.arg(++i));
      if (!number) {
        call.reply.Error(kNotAnInteger);
        return false;
      }
      options.min_bytes = std::max<std::int64_t>(*number, 0);
    } else {
      call.reply.Error(kSyntaxError);
      return false;
    }
  }
  if (!options.matches || !options.length) return true;
  call.reply.Error("ERR If you want both the length and indexes, please just use IDX.");
  return false;
}

bool RequireBounded(std::string_view a, std::string_view b, ReplyWriter& reply) {
  if (a.size() >= kTooLongBytes || b.size() >= kTooLongBytes) {
    reply.Error("ERR String too long for LCS");
    return false;
  }
  const std::uint64_t cells = (std::uint64_t{a.size()} + 1) * (std::uint64_t{b.size()} + 1);
  if (cells <= kMaxStringBytes / kRedisCellBytes) return true;
  reply.Error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  return false;
}

void ReplyPlace(std::size_t first, std::size_t bytes, ReplyWriter& reply) {
  reply.Array(2);
  reply.Integer(static_cast<std::int64_t>(first));
  reply.Integer(static_cast<std::int64_t>(first + bytes - 1));
}

void ReplyMatches(const Subsequence& found, const Options& options, ReplyWriter& reply) {
  const auto counts = [&](const Match& match) {
    return match.bytes >= static_cast<std::uint64_t>(options.min_bytes);
  };
  reply.Map(2);
  reply.Bulk("matches");
  const auto& matches = found.matches();
  reply.Array(static_cast<std::size_t>(std::count_if(matches.begin(), matches.end(), counts)));
  for (const Match& match : matches) {
    if (!counts(match)) continue;
    reply.Array(options.with_lengths ? 3 : 2);
    ReplyPlace(match.a, match.bytes, reply);
    ReplyPlace(match.b, match.bytes, reply);
    if (options.with_lengths) reply.Integer(static_cast<std::int64_t>(match.bytes));
  }
  reply.Bulk("len");
  reply.Integer(static_cast<std::int64_t>(found.length()));
}

}  // namespace

Status Lcs(DataCall& call) {
  FoundKey a;
  FoundKey b;
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, call.row(1), Look::kValue, a));
  CIREIN_RETURN_IF_ERROR(FindKey(call.transaction, call.row(2), Look::kValue, b));
  if (a.type == KeyType::kHash || b.type == KeyType::kHash) {
    call.reply.Error("ERR The specified keys must contain string values");
    return OkStatus();
  }
  Options options;
  if (!ReadOptions(call, options)) return OkStatus();
  const std::string_view a_text = a.exists() ? a.text() : std::string_view();
  const std::string_view b_text = b.exists() ? b.text() : std::string_view();
  if (!RequireBounded(a_text, b_text, call.reply)) return OkStatus();
  const Form form = options.matches  ? Form::kMatches
                    : options.length ? Form::kLength
                                     : Form::kString;
  const Subsequence found(a_text, b_text, form);
  if (form == Form::kMatches) {
    ReplyMatches(found, options, call.reply);
  } else if (form == Form::kLength) {
    call.reply.Integer(static_cast<std::int64_t>(found.length()));
  } else {
    call.reply.Bulk(std::string_view(found.Text()));
  }
  return OkStatus();
}

}  // namespace cirein::resp
