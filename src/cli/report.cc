// SPDX-License-Identifier: Apache-2.0
#include "cli/report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "base/suggest.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/console.h"

namespace cirein {
namespace {

constexpr int kJsonSchema = 1;
constexpr std::string_view kGap = "  ";

bool IsNumeric(Report::Type type) {
  return type != Report::Type::kText && type != Report::Type::kVerdict;
}

std::string WithThousands(std::uint64_t number) {
  std::string digits = fmt::format("{}", number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

// Nothing a user chose may move the cursor or break the line.
std::string TextForPeople(const std::string& text) {
  const bool plain = IsUtf8(text) && std::none_of(text.begin(), text.end(), IsControlByte);
  return plain ? text : EscapeForPeople(text, text.size());
}

std::string NumberForPeople(double number, Report::Type type) {
  if (!std::isfinite(number) || number < 0) return "-";
  const auto whole = static_cast<std::uint64_t>(std::llround(number));
  if (type == Report::Type::kBytes) return BytesForPeople(whole);
  if (type == Report::Type::kDuration) {
    return DurationForPeople(std::chrono::nanoseconds(static_cast<std::int64_t>(whole)));
  }
  if (type == Report::Type::kRate) return fmt::format("{}/s", WithThousands(whole));
  return WithThousands(whole);
}

std::string CellForPeople(const Report::Cell& cell, Report::Type type) {
  if (const auto* text = std::get_if<std::string>(&cell)) return TextForPeople(*text);
  if (const auto* number = std::get_if<double>(&cell)) return NumberForPeople(*number, type);
  if (const auto* whole = std::get_if<std::uint64_t>(&cell)) {
    if (type == Report::Type::kText || type == Report::Type::kCount) return WithThousands(*whole);
    return NumberForPeople(static_cast<double>(*whole), type);
  }
  return "-";
}

// The number for programs; empty for no finite number.
std::string PlainNumber(const Report::Cell& cell) {
  if (const auto* whole = std::get_if<std::uint64_t>(&cell)) return fmt::format("{}", *whole);
  const auto* number = std::get_if<double>(&cell);
  if (number == nullptr || !std::isfinite(*number)) return "";
  return fmt::format("{:.12g}", *number);
}

std::string JsonCell(const Report::Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return JsonString(*text);
  std::string number = PlainNumber(cell);
  return number.empty() ? "null" : number;
}

std::string CsvCell(const Report::Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return CsvField(*text);
  return PlainNumber(cell);
}

// Columns on the screen that UTF-8 text takes, as far as each character takes one.
std::size_t DisplayWidth(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

Color VerdictColor(std::string_view verdict) {
  return verdict == "PASS" ? Color::kGreen : Color::kYellow;
}

std::string JsonHead() { return fmt::format("{{\"schema\":{}", kJsonSchema); }

std::string JsonRow(const Report& report, const std::vector<Report::Cell>& row) {
  std::string text = "{";
  for (std::size_t i = 0; i < report.columns().size(); ++i) {
    text += fmt::format("{}{}:{}", i == 0 ? "" : ",", JsonString(report.columns()[i].name),
                        JsonCell(row[i]));
  }
  return text + "}";
}

std::string CsvHead(const Report& report) {
  std::string text;
  for (std::size_t i = 0; i < report.columns().size(); ++i) {
    text += (i == 0 ? "" : ",") + CsvField(report.columns()[i].name);
  }
  return text + "\n";
}

std::string CsvRow(const std::vector<Report::Cell>& row) {
  std::string text;
  for (std::size_t i = 0; i < row.size(); ++i) text += (i == 0 ? "" : ",") + CsvCell(row[i]);
  return text + "\n";
}

class TableText {
 public:
  // Columns are at least as wide as `widths` says.
  TableText(const Report& report, TableColors colors, std::vector<std::size_t> widths = {})
      : report_(report), colors_(colors), widths_(std::move(widths)) {
    const auto& columns = report.columns();
    std::vector<std::string> titles;
    titles.reserve(columns.size());
    for (const Report::Column& column : columns) titles.push_back(column.title);
    lines_.push_back(std::move(titles));
    for (const auto& row : report.rows()) {
      std::vector<std::string> line;
      for (std::size_t i = 0; i < columns.size(); ++i) {
        line.push_back(CellForPeople(row[i], columns[i].type));
      }
      lines_.push_back(std::move(line));
    }
    widths_.resize(columns.size());
    for (const auto& line : lines_) {
      for (std::size_t i = 0; i < line.size(); ++i) {
        widths_[i] = std::max(widths_[i], DisplayWidth(line[i]));
      }
    }
  }

  std::string Render() const { return Line(0) + RenderRows(); }
  // Without the line of titles.
  std::string RenderRows() const {
    std::string text;
    for (std::size_t i = 1; i < lines_.size(); ++i) text += Line(i);
    return text;
  }
  const std::vector<std::size_t>& widths() const { return widths_; }

 private:
  std::string Line(std::size_t index) const {
    const std::vector<std::string>& cells = lines_[index];
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const Report::Type type = report_.columns()[i].type;
      const std::string padding(widths_[i] - DisplayWidth(cells[i]), ' ');
      const bool colored =
          colors_ == TableColors::kColored && type == Report::Type::kVerdict && index > 0;
      std::string cell = colored ? Colored(VerdictColor(cells[i]), cells[i]) : cells[i];
      if (i > 0) text += kGap;
      text += IsNumeric(type) ? padding + cell : std::move(cell) + padding;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text + "\n";
  }

  const Report& report_;
  const TableColors colors_;
  std::vector<std::vector<std::string>> lines_;  // The titles first.
  std::vector<std::size_t> widths_;
};

}  // namespace

Result<OutputFormat> ParseOutputFormat(std::string_view name) {
  constexpr std::array<std::string_view, 3> kNames = {"table", "json", "csv"};
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found != kNames.end()) return static_cast<OutputFormat>(found - kNames.begin());
  return InvalidArgument(fmt::format("{} is no form of output", QuoteForPeople(name)),
                         DidYouMean(name, kNames, "give table, json or csv"));
}

void Report::AddRow(std::vector<Cell> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string RenderTables(std::span<const Report> reports, TableColors colors) {
  std::string text;
  for (const Report& report : reports) {
    if (!text.empty()) text += "\n";
    text += TableText(report, colors).Render();
  }
  return text;
}

std::string RenderJson(std::span<const Report> reports) {
  std::string text = JsonHead();
  for (const Report& report : reports) {
    text += fmt::format(",\n{}:[", JsonString(report.name()));
    for (std::size_t r = 0; r < report.rows().size(); ++r) {
      text += (r == 0 ? "\n" : ",\n") + JsonRow(report, report.rows()[r]);
    }
    text += "]";
  }
  return text + "}\n";
}

std::string RenderCsv(std::span<const Report> reports) {
  if (reports.empty()) return "";
  const Report& report = reports.front();
  std::string text = CsvHead(report);
  for (const auto& row : report.rows()) text += CsvRow(row);
  return text;
}

std::string ReportStream::Part(const Report& part) {
  const bool first = !std::exchange(begun_, true);
  std::string text;
  switch (format_) {
    case OutputFormat::kTable: {
      const TableText table(part, colors_, std::move(widths_));
      widths_ = table.widths();
      return first ? table.Render() : table.RenderRows();
    }
    case OutputFormat::kJson:
      if (first) text = JsonHead() + fmt::format(",\n{}:[", JsonString(part.name()));
      for (const auto& row : part.rows()) {
        text += (std::exchange(has_rows_, true) ? ",\n" : "\n") + JsonRow(part, row);
      }
      return text;
    case OutputFormat::kCsv:
      if (first) text = CsvHead(part);
      for (const auto& row : part.rows()) text += CsvRow(row);
      return text;
  }
  return text;
}

std::string ReportStream::End() const { return format_ == OutputFormat::kJson ? "]}\n" : ""; }

}  // namespace cirein
