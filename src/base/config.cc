// SPDX-License-Identifier: Apache-2.0
#include "cirein/config.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/config_table.h"
#include "base/fatal.h"
#include "base/suggest.h"
#include "base/text.h"
#include "base/units.h"

namespace cirein {
namespace {

using Type = ConfigKey::Type;

// The value of a TOML file, with its dotted name and its place.
struct Leaf {
  std::string name;
  const toml::node* node = nullptr;
  toml::source_position place;
};

std::string PlaceText(std::string_view origin, toml::source_position place) {
  return fmt::format("{}:{}:{}", origin, place.line, place.column);
}

bool IsTableOfSettings(std::string_view name) {
  const std::span<const ConfigKey> keys = SettingKeys();
  return std::any_of(keys.begin(), keys.end(), [name](const ConfigKey& key) {
    return key.name.starts_with(name) && key.name.substr(name.size()).starts_with('.');
  });
}

// All that is no table, and the empty tables that hold no settings. A part of a name that has a dot
// itself ("memory.limit" in quotes) is quoted, so that it is not taken for two parts.
void CollectLeaves(const toml::table& table, const std::string& prefix, std::vector<Leaf>* leaves) {
  for (const auto& [key, node] : table) {
    const std::string_view part = key.str();
    const bool plain = part.find('.') == std::string_view::npos;
    const std::string name = prefix + (plain ? std::string(part) : fmt::format("\"{}\"", part));
    const toml::table* const inner = node.as_table();
    const bool descend = inner != nullptr && FindSetting(name) == nullptr &&
                         (!inner->empty() || IsTableOfSettings(name));
    if (descend) {
      CollectLeaves(*inner, name + ".", leaves);
    } else {
      leaves->push_back({name, &node, key.source().begin});
    }
  }
}

std::vector<std::string_view> SettingNames() {
  std::vector<std::string_view> names;
  for (const ConfigKey& key : SettingKeys()) names.push_back(key.name);
  return names;
}

Status UnknownSetting(std::string_view name) {
  return InvalidArgument(fmt::format("there is no setting {}", QuoteForPeople(name)),
                         DidYouMean(name, SettingNames(), "`cirein config` lists the settings"));
}

Status UnknownVariable(std::string_view variable) {
  std::vector<std::string> names;
  for (const ConfigKey& key : SettingKeys()) names.push_back(EnvironmentName(key.name));
  const std::vector<std::string_view> views(names.begin(), names.end());
  return InvalidArgument("this environment variable sets nothing",
                         DidYouMean(variable, views,
                                    "unset it: names beginning with CIREIN_ are settings, which "
                                    "`cirein config` lists"));
}

std::string_view TomlShape(Type type) {
  switch (type) {
    case Type::kString:
      return "a string in quotes";
    case Type::kBool:
      return "true or false";
    case Type::kInteger:
      return "a whole number without quotes";
    case Type::kBytes:
      return "a size in quotes such as \"64MiB\", or a whole number of bytes";
    case Type::kDuration:
      return "a duration in quotes with its unit, such as \"250ms\"";
  }
  return "a value";
}

// The value as the text that a user would give to Set; nullopt when TOML's type does not fit.
std::optional<std::string> TextOf(const toml::node& node, Type type) {
  const bool takes_string =
      type == Type::kString || type == Type::kBytes || type == Type::kDuration;
  if (const auto* const text = node.as_string(); text != nullptr && takes_string) {
    return text->get();
  }
  const bool takes_integer = type == Type::kInteger || type == Type::kBytes;
  if (const auto* const number = node.as_integer(); number != nullptr && takes_integer) {
    return fmt::format("{}", number->get());
  }
  if (const auto* const truth = node.as_boolean(); truth != nullptr && type == Type::kBool) {
    return truth->get() ? "true" : "false";
  }
  return std::nullopt;
}

Result<std::string> CanonicalLeaf(const Leaf& leaf) {
  const Setting* const setting = FindSetting(leaf.name);
  if (setting == nullptr) return UnknownSetting(leaf.name);
  const std::optional<std::string> text = TextOf(*leaf.node, setting->key.type);
  if (!text) {
    return InvalidArgument(fmt::format("setting {} has a value of the wrong type", leaf.name),
                           fmt::format("it takes {}", TomlShape(setting->key.type)));
  }
  return CanonicalValue(*setting, *text);
}

Result<toml::table> ParseToml(std::string_view text, std::string_view origin) {
  if (text.size() > Config::kMaxTomlBytes) {
    return InvalidArgument(
        fmt::format("{}: the file is longer than {} bytes", origin, Config::kMaxTomlBytes),
        "is this the right file?");
  }
  try {
    return toml::parse(text, origin);
  } catch (const toml::parse_error& error) {
    return InvalidArgument(fmt::format("{}: {}", PlaceText(origin, error.source().begin),
                                       EscapeForPeople(error.description(), 400)),
                           "correct the TOML: https://toml.io shows its forms");
  }
}

const Setting& RequireSetting(std::string_view name, std::optional<Type> type) {
  const Setting* const setting = FindSetting(name);
  if (setting == nullptr) Fatal(fmt::format("the program reads the unknown setting {}", name));
  if (type && setting->key.type != *type) {
    Fatal(fmt::format("the program reads the setting {} as another type than it has", name));
  }
  return *setting;
}

// `text` has been checked when it was set, so that this cannot fail.
template <typename T>
T Checked(Result<T> result) {
  if (!result.ok()) Fatal(result.status().ToString());
  return *std::move(result);
}

}  // namespace

std::span<const ConfigKey> Config::Keys() { return SettingKeys(); }

Status Config::AddToml(std::string_view text, std::string_view origin) {
  CIREIN_ASSIGN_OR_RETURN(const toml::table table, ParseToml(text, origin));
  std::vector<Leaf> leaves;
  CollectLeaves(table, "", &leaves);
  // The error that is reported shall be the first one in the file.
  std::sort(leaves.begin(), leaves.end(), [](const Leaf& a, const Leaf& b) {
    return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column);
  });
  Values values = values_;
  for (const Leaf& leaf : leaves) {
    const std::string place = PlaceText(origin, leaf.place);
    Result<std::string> value = CanonicalLeaf(leaf);
    if (!value.ok()) return value.status().WithContext(place);
    values.insert_or_assign(leaf.name, Value{*std::move(value), place});
  }
  values_ = std::move(values);
  return OkStatus();
}

Status Config::AddEnvironment(std::span<const std::string> environment) {
  Values values = values_;
  for (const std::string_view entry : environment) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos || !entry.starts_with("CIREIN_")) continue;
    const std::string_view variable = entry.substr(0, equals);
    if (variable == "CIREIN_CONFIG" || variable.starts_with("CIREIN_TEST_")) continue;
    const std::span<const Setting> settings = Settings();
    const auto setting =
        std::find_if(settings.begin(), settings.end(), [variable](const Setting& candidate) {
          return EnvironmentName(candidate.key.name) == variable;
        });
    const std::string origin = EscapeForPeople(variable);
    if (setting == settings.end()) return UnknownVariable(variable).WithContext(origin);
    Result<std::string> value = CanonicalValue(*setting, entry.substr(equals + 1));
    if (!value.ok()) return value.status().WithContext(origin);
    values.insert_or_assign(std::string(setting->key.name), Value{*std::move(value), origin});
  }
  values_ = std::move(values);
  return OkStatus();
}

Status Config::Set(std::string_view name, std::string_view value, std::string_view origin) {
  const Setting* const setting = FindSetting(name);
  if (setting == nullptr) return UnknownSetting(name).WithContext(origin);
  Result<std::string> canonical = CanonicalValue(*setting, value);
  if (!canonical.ok()) return canonical.status().WithContext(origin);
  values_.insert_or_assign(std::string(name), Value{*std::move(canonical), std::string(origin)});
  return OkStatus();
}

std::string Config::GetText(std::string_view name) const {
  const Setting& setting = RequireSetting(name, std::nullopt);
  const auto found = values_.find(name);
  if (found != values_.end()) return found->second.text;
  return Checked(CanonicalValue(setting, setting.key.default_value));
}

std::string Config::GetString(std::string_view name) const {
  RequireSetting(name, Type::kString);
  return GetText(name);
}

bool Config::GetBool(std::string_view name) const {
  RequireSetting(name, Type::kBool);
  return GetText(name) == "true";
}

std::int64_t Config::GetInteger(std::string_view name) const {
  RequireSetting(name, Type::kInteger);
  return Checked(ParseInt64(GetText(name)));
}

std::uint64_t Config::GetBytes(std::string_view name) const {
  RequireSetting(name, Type::kBytes);
  return Checked(ParseBytes(GetText(name)));
}

std::chrono::nanoseconds Config::GetDuration(std::string_view name) const {
  RequireSetting(name, Type::kDuration);
  return Checked(ParseDuration(GetText(name)));
}

std::string Config::Origin(std::string_view name) const {
  RequireSetting(name, std::nullopt);
  const auto found = values_.find(name);
  return found == values_.end() ? "default" : found->second.origin;
}

std::string Config::ToToml() const {
  const Config defaults;
  std::string text;
  for (const ConfigKey& key : Keys()) {
    const std::string value = GetText(key.name);
    if (value == defaults.GetText(key.name)) continue;
    const bool quoted = key.type != Type::kInteger && key.type != Type::kBool;
    // What JSON escapes in a string, TOML reads in the same way.
    text += fmt::format("{} = {}\n", key.name, quoted ? JsonString(value) : value);
  }
  return text;
}

bool operator==(const Config& a, const Config& b) {
  return std::all_of(Config::Keys().begin(), Config::Keys().end(), [&](const ConfigKey& key) {
    return a.GetText(key.name) == b.GetText(key.name);
  });
}

}  // namespace cirein
