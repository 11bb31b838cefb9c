// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cirein/status.h"

namespace cirein {

enum class OutputFormat : std::uint8_t { kTable, kJson, kCsv };

/// "table", "json" or "csv". Errors: InvalidArgument.
Result<OutputFormat> ParseOutputFormat(std::string_view name);

/// The data a verb prints: named, typed columns and rows of cells, which one function each makes
/// into a table for people, JSON or CSV for programs. Units end the names of columns ("p50_ns");
/// people see `title` and values with units of a fitting size.
class Report {
 public:
  enum class Type : std::uint8_t {
    kText,
    kVerdict,  ///< Text: PASS or WARN, coloured where that is wanted.
    kCount,    ///< A number of things.
    kBytes,
    kDuration,  ///< Nanoseconds.
    kRate,      ///< Things in a second.
  };
  struct Column {
    std::string name;   ///< For programs: a word, with its unit.
    std::string title;  ///< For people.
    Type type = Type::kText;
  };
  /// Monostate is an empty cell: null in JSON.
  using Cell = std::variant<std::monostate, std::string, std::uint64_t, double>;

  Report(std::string name, std::vector<Column> columns)
      : name_(std::move(name)), columns_(std::move(columns)) {}

  /// As many cells as there are columns; missing ones are empty.
  void AddRow(std::vector<Cell> cells);

  const std::string& name() const noexcept { return name_; }
  const std::vector<Column>& columns() const noexcept { return columns_; }
  const std::vector<std::vector<Cell>>& rows() const noexcept { return rows_; }

 private:
  std::string name_;
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

enum class TableColors : std::uint8_t { kPlain, kColored };

/// Columns side by side, numbers at the right, a line of titles; an empty line between reports.
std::string RenderTables(std::span<const Report> reports, TableColors colors = TableColors::kPlain);
/// One object: {"schema":1, "<name>":[{column: cell, ...}, ...], ...}, with a line break at its
/// end. A change that would break a reader raises the schema.
std::string RenderJson(std::span<const Report> reports);
/// RFC 4180 with a line of names, but lines end in "\n", as other tools expect. CSV holds one
/// table: it is made of the first report.
std::string RenderCsv(std::span<const Report> reports);

/// One report that is too long to be held at once, in the same forms: JSON and CSV are the same to
/// the byte, and a table's columns keep the widths that they had, or become wider. For one thread.
class ReportStream {
 public:
  explicit ReportStream(OutputFormat format, TableColors colors = TableColors::kPlain)
      : format_(format), colors_(colors) {}

  /// The text of the next rows. All parts have the same name and columns; the first one brings the
  /// head, and may be without rows.
  std::string Part(const Report& part);
  /// What stands behind the last part. There was at least one.
  std::string End() const;

 private:
  const OutputFormat format_;
  const TableColors colors_;
  bool begun_ = false;
  bool has_rows_ = false;
  std::vector<std::size_t> widths_;  // Of a table's columns, so far.
};

}  // namespace cirein
