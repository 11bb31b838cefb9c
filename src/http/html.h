// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Pages for people, without a script: they are as good in lynx as in any browser. Everything that
/// is not ours is escaped. Pure functions and values.
namespace cirein::http {

/// Any bytes as text of HTML, also inside quotes; what is not printable UTF-8 as \xNN. Of more than
/// `max_bytes` bytes only the first are shown.
std::string HtmlText(std::string_view bytes, std::size_t max_bytes = 200);

/// A link, or the text alone where its target would be too long to be asked for.
std::string HtmlLink(std::string_view target, std::string_view text);

/// `path`?`name`=`value`&..., percent-encoded, from names and values in turns.
std::string Target(std::string_view path, const std::vector<std::string_view>& parameters);

/// A table: a line of titles, and rows of cells that are HTML already.
class HtmlTable {
 public:
  enum class Align : std::uint8_t { kLeft, kRight };
  struct Column {
    std::string_view title;
    Align align = Align::kLeft;
  };
  explicit HtmlTable(std::vector<Column> columns);
  void AddRow(const std::vector<std::string>& cells);
  std::string ToString() const { return text_ + "</table>\n"; }

 private:
  std::vector<Column> columns_;
  std::string text_;
};

/// A whole page. `title` is text, `body` is HTML.
std::string HtmlPage(std::string_view title, std::string_view body);

}  // namespace cirein::http
