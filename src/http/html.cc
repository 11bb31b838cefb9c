// SPDX-License-Identifier: Apache-2.0
#include "http/html.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace cirein::http {
namespace {

constexpr std::size_t kMaxLinkBytes = std::size_t{400} << 10;

constexpr std::string_view kStyle =
    "body{font:15px/1.45 system-ui,sans-serif;max-width:70em;margin:1.5em auto;padding:0 1em;"
    "color:#1c2430;background:#fff}"
    "h1{font-size:1.5em;margin:.6em 0}h2{font-size:1.1em;margin:1.4em 0 .4em}"
    "nav a{margin-right:1em}a{color:#0b5cad}"
    "table{border-collapse:collapse}th,td{padding:.2em .9em .2em 0;text-align:left;"
    "vertical-align:top;border-bottom:1px solid #dde3ea;overflow-wrap:anywhere}"
    "th{font-weight:600;white-space:nowrap}.n{text-align:right;white-space:nowrap;"
    "font-variant-numeric:tabular-nums}"
    "@media(prefers-color-scheme:dark){body{color:#dfe5ec;background:#14181d}a{color:#7fb5ee}"
    "th,td{border-color:#303945}}";

std::string EscapeHtml(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

}  // namespace

std::string HtmlText(std::string_view bytes, std::size_t max_bytes) {
  const bool plain = bytes.size() <= max_bytes && IsUtf8(bytes) &&
                     std::none_of(bytes.begin(), bytes.end(), IsControlByte);
  return EscapeHtml(plain ? std::string(bytes) : EscapeForPeople(bytes, max_bytes));
}

std::string HtmlLink(std::string_view target, std::string_view text) {
  if (target.size() > kMaxLinkBytes) return HtmlText(text);
  return fmt::format("<a href=\"{}\">{}</a>", EscapeHtml(target), HtmlText(text));
}

std::string Target(std::string_view path, const std::vector<std::string_view>& parameters) {
  std::string target(path);
  for (std::size_t i = 0; i + 1 < parameters.size(); i += 2) {
    target += fmt::format("{}{}={}", i == 0 ? '?' : '&', PercentEncode(parameters[i]),
                          PercentEncode(parameters[i + 1]));
  }
  return target;
}

HtmlTable::HtmlTable(std::vector<Column> columns)
    : columns_(std::move(columns)), text_("<table>\n<tr>") {
  for (const Column& column : columns_) {
    text_ += fmt::format("<th{}>{}</th>", column.align == Align::kRight ? " class=\"n\"" : "",
                         HtmlText(column.title));
  }
  text_ += "</tr>\n";
}

void HtmlTable::AddRow(const std::vector<std::string>& cells) {
  text_ += "<tr>";
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    text_ += fmt::format("<td{}>{}</td>", columns_[i].align == Align::kRight ? " class=\"n\"" : "",
                         i < cells.size() ? cells[i] : std::string());
  }
  text_ += "</tr>\n";
}

std::string HtmlPage(std::string_view title, std::string_view body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>{0} - Cirein</title>\n"
      "<style>{1}</style></head>\n<body>\n<nav><a href=\"/\">overview</a> <a "
      "href=\"/pools\">pool</a> <a href=\"/rows\">rows</a> <a href=\"/functions\">functions</a> <a "
      "href=\"/status.json\">status.json</a> <a href=\"/metrics\">metrics</a></nav>\n"
      "<h1>{0}</h1>\n{2}</body></html>\n",
      HtmlText(title), kStyle, body);
}

}  // namespace cirein::http
