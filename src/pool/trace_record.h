// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cirein/operations.h"

namespace cirein {

/// One request to a pool, as a line of a trace file: what was asked, never the bytes.
///
///   1500ns publish row=run42 column=7 meta=0 data=65536 overwrite=yes
///
/// First the time since the request before, then the verb, then NAME=VALUE with values
/// percent-encoded; row and column are what Pattern::Parse reads. The file's first line is
/// kTraceHeader; lines that begin with '#' are passed over. Versions and cursors are another run's,
/// so a line says only that there was one: if_version=any, next=yes. A group of publishes is one
/// line for each object, one after another; group=N says how many of them are left, this one
/// included, so that the last has group=1.
struct TraceRecord {
  enum class Verb : std::uint8_t {
    kPublish,
    kWant,
    kNeed,
    kDrop,
    kInfo,
    kRowInfo,
    kList,
    kCompute
  };
  enum class Condition : std::uint8_t {
    kNone,
    kIfVersion,  ///< PublishOptions::if_version was given.
  };
  enum class Page : std::uint8_t {
    kFirst,
    kNext,  ///< A cursor was given.
  };

  std::chrono::nanoseconds delay{0};
  Verb verb = Verb::kPublish;
  Pattern pattern;  ///< The key, where the verb takes one.
  // Of a publish.
  std::uint64_t meta_bytes = 0;
  std::uint64_t data_bytes = 0;
  Overwrite overwrite = Overwrite::kPoolDefault;
  std::optional<std::chrono::nanoseconds> ttl;
  Condition condition = Condition::kNone;
  std::uint32_t group_left = 0;  ///< Of its group, itself included; 0: it was published alone.
  // Of a list.
  std::uint32_t page_size = ListOptions::kDefaultPageSize;
  Page page = Page::kFirst;
  // Of a compute.
  std::string function;
  std::string args;

  /// The line, without a line break.
  std::string ToString() const;
  /// InvalidArgument says what is wrong with the line.
  static Result<TraceRecord> Parse(std::string_view line);
};

inline constexpr std::string_view kTraceHeader = "# cirein trace 1";
/// How the second line of a recorded trace begins; then comes when that was, as a time since 1970,
/// so that what several processes recorded is played side by side as it was.
inline constexpr std::string_view kTraceBegan = "# began ";

/// "publish" and so on.
std::string_view TraceVerbName(TraceRecord::Verb verb);

}  // namespace cirein
