// SPDX-License-Identifier: Apache-2.0
#include "simulation/redis_model.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/random.h"
#include "base/text.h"

namespace cirein::simulation {

namespace {

constexpr std::string_view kWrongType =
    "-WRONGTYPE Operation against a key holding the wrong kind of value";
constexpr std::string_view kNotAnInteger = "-ERR value is not an integer or out of range";
constexpr std::string_view kOverflow = "-ERR increment or decrement would overflow";

std::string Bulk(std::string_view text) { return "\"" + EscapeForPeople(text, text.size()) + "\""; }
std::string Integer(std::int64_t value) { return ":" + std::to_string(value); }

std::string List(const std::vector<std::string>& elements) {
  std::string line = "[";
  for (const std::string& element : elements) {
    if (line.size() > 1) line += ", ";
    line += element;
  }
  return line + "]";
}

// As Redis reads a number that it has written itself: no sign or zero too many.
std::optional<std::int64_t> ToInteger(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return std::to_string(value) == text ? std::optional(value) : std::nullopt;
}

std::optional<std::int64_t> Sum(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::nullopt : std::optional(sum);
}

// One command on its way.
class Step {
 public:
  Step(RedisState& state, const RedisWords& words, ExpiryId expiry)
      : state_(state), words_(words), expiry_(expiry) {}

  RedisAnswer Run();

 private:
  using Handler = std::string (*)(Step& step);
  template <std::string (Step::*kRun)()>
  static std::string Call(Step& step) {
    return (step.*kRun)();
  }
  struct Entry {
    std::string_view name;
    Handler handler;
  };
  friend bool cirein::simulation::KnowsCommand(const RedisWords& words);
  static const Entry* Find(std::string_view name);

  const std::string& key() const { return words_[1]; }
  RedisValue* Look(const std::string& name) {
    const auto found = state_.keys.find(name);
    return found == state_.keys.end() ? nullptr : &found->second;
  }
  void Touch(const std::string& name) {
    changed_ = true;
    for (auto& [id, watch] : state_.watches) {
      if (watch.keys.contains(name)) watch.touched = true;
    }
  }
  void PutString(const std::string& name, std::string text, ExpiryId expiry) {
    state_.keys[name] = {.is_hash = false, .text = std::move(text), .fields = {}, .expiry = expiry};
    Touch(name);
  }
  bool Erase(const std::string& name) {
    if (state_.keys.erase(name) == 0) return false;
    Touch(name);
    return true;
  }
  bool HasOption(std::string_view word, std::size_t from) const {
    return std::find(words_.begin() + static_cast<std::ptrdiff_t>(from), words_.end(), word) !=
           words_.end();
  }

  std::string Get() { return GetOf(key()); }
  std::string GetOf(const std::string& name) {
    const RedisValue* const value = Look(name);
    if (value == nullptr) return "nil";
    return value->is_hash ? std::string(kWrongType) : Bulk(value->text);
  }
  std::string Set();
  std::string SetNx() {
    if (Look(key()) != nullptr) return ":0";
    PutString(key(), words_[2], 0);
    return ":1";
  }
  std::string GetSet() {
    std::string old = Get();
    if (old != kWrongType) PutString(key(), words_[2], 0);
    return old;
  }
  std::string GetDel() {
    std::string old = Get();
    if (old != kWrongType) Erase(key());
    return old;
  }
  std::string Increase(std::int64_t by);
  std::string Incr() { return Increase(1); }
  std::string Decr() { return Increase(-1); }
  std::string IncrBy() {
    const auto by = ToInteger(words_[2]);
    return by ? Increase(*by) : std::string(kNotAnInteger);
  }
  std::string Append() {
    RedisValue* const value = Look(key());
    if (value != nullptr && value->is_hash) return std::string(kWrongType);
    const std::string text = (value == nullptr ? "" : value->text) + words_[2];
    PutString(key(), text, value == nullptr ? 0 : value->expiry);
    return Integer(static_cast<std::int64_t>(text.size()));
  }
  std::string StrLen() {
    const RedisValue* const value = Look(key());
    if (value == nullptr) return ":0";
    if (value->is_hash) return std::string(kWrongType);
    return Integer(static_cast<std::int64_t>(value->text.size()));
  }
  std::string Del() {
    std::int64_t count = 0;
    for (std::size_t i = 1; i < words_.size(); ++i) count += Erase(words_[i]) ? 1 : 0;
    return Integer(count);
  }
  std::string Exists() {
    std::int64_t count = 0;
    for (std::size_t i = 1; i < words_.size(); ++i) count += Look(words_[i]) != nullptr ? 1 : 0;
    return Integer(count);
  }
  std::string Type() {
    const RedisValue* const value = Look(key());
    if (value == nullptr) return "+none";
    return value->is_hash ? "+hash" : "+string";
  }
  std::string MSet() {
    for (std::size_t i = 1; i + 1 < words_.size(); i += 2) PutString(words_[i], words_[i + 1], 0);
    return "+OK";
  }
  std::string MSetNx() {
    for (std::size_t i = 1; i < words_.size(); i += 2) {
      if (Look(words_[i]) != nullptr) return ":0";
    }
    MSet();
    return ":1";
  }
  std::string MGet() {
    std::vector<std::string> values;
    for (std::size_t i = 1; i < words_.size(); ++i) {
      std::string value = GetOf(words_[i]);
      values.push_back(value == kWrongType ? "nil" : std::move(value));
    }
    return List(values);
  }

  // The hash, or null; `wrong` when it is something else.
  RedisValue* Hash(bool* wrong) {
    RedisValue* const value = Look(key());
    *wrong = value != nullptr && !value->is_hash;
    return *wrong ? nullptr : value;
  }
  RedisValue& NewHash() {
    RedisValue& hash = state_.keys[key()];
    hash.is_hash = true;
    return hash;
  }
  std::string HSet();
  std::string HGet();
  std::string HDel();
  std::string HExists();
  std::string HLen();
  std::string HIncrBy();
  std::string HGetAll();

  std::string Expire() {
    RedisValue* const value = Look(key());
    if (value == nullptr) return ":0";
    value->expiry = expiry_;
    Touch(key());
    return ":1";
  }
  std::string Persist() {
    RedisValue* const value = Look(key());
    if (value == nullptr || value->expiry == 0) return ":0";
    value->expiry = 0;
    Touch(key());
    return ":1";
  }
  std::string PTtl() {
    const RedisValue* const value = Look(key());
    if (value == nullptr) return ":-2";
    if (value->expiry == 0) return ":-1";
    remaining_ = value->expiry;
    return {};
  }
  std::string Rename() {
    RedisValue* const value = Look(key());
    if (value == nullptr) return "-ERR no such key";
    if (words_[2] == key()) return "+OK";
    RedisValue moved = std::move(*value);
    Erase(key());
    state_.keys[words_[2]] = std::move(moved);
    Touch(words_[2]);
    return "+OK";
  }
  // Of "prefix*" alone.
  std::string Keys() {
    const std::string_view prefix = std::string_view(key()).substr(0, key().size() - 1);
    std::vector<std::string> names;
    for (const auto& [name, value] : state_.keys) {
      if (name.starts_with(prefix)) names.push_back(Bulk(name));
    }
    std::sort(names.begin(), names.end());
    return List(names);
  }
  std::string Publish() {
    if (!HasOption("OVERWRITE", 3) && Look(key()) != nullptr) return "-ALREADY_EXISTS";
    PutString(key(), words_[2], expiry_);
    return "+published";
  }

  RedisState& state_;
  const RedisWords& words_;
  const ExpiryId expiry_;
  ExpiryId remaining_ = 0;
  bool changed_ = false;
};

std::string Step::Set() {
  const RedisValue* const value = Look(key());
  const bool gets = HasOption("GET", 3);
  if (gets && value != nullptr && value->is_hash) return std::string(kWrongType);
  std::string old = gets ? Get() : "nil";
  const bool refused =
      (HasOption("NX", 3) && value != nullptr) || (HasOption("XX", 3) && value == nullptr);
  if (refused) return old;
  ExpiryId expiry = expiry_;
  if (value != nullptr && HasOption("KEEPTTL", 3)) expiry = value->expiry;
  PutString(key(), words_[2], expiry);
  return gets ? old : "+OK";
}

std::string Step::Increase(std::int64_t by) {
  RedisValue* const value = Look(key());
  if (value != nullptr && value->is_hash) return std::string(kWrongType);
  const auto before = value == nullptr ? std::optional<std::int64_t>(0) : ToInteger(value->text);
  if (!before) return std::string(kNotAnInteger);
  const auto sum = Sum(*before, by);
  if (!sum) return std::string(kOverflow);
  PutString(key(), std::to_string(*sum), value == nullptr ? 0 : value->expiry);
  return Integer(*sum);
}

std::string Step::HSet() {
  bool wrong = false;
  Hash(&wrong);
  if (wrong) return std::string(kWrongType);
  RedisValue& hash = NewHash();
  std::int64_t added = 0;
  for (std::size_t i = 2; i + 1 < words_.size(); i += 2) {
    added += hash.fields.insert_or_assign(words_[i], words_[i + 1]).second ? 1 : 0;
  }
  Touch(key());
  return Integer(added);
}

std::string Step::HGet() {
  bool wrong = false;
  const RedisValue* const hash = Hash(&wrong);
  if (wrong) return std::string(kWrongType);
  if (hash == nullptr || !hash->fields.contains(words_[2])) return "nil";
  return Bulk(hash->fields.at(words_[2]));
}

std::string Step::HDel() {
  bool wrong = false;
  RedisValue* const hash = Hash(&wrong);
  if (wrong) return std::string(kWrongType);
  if (hash == nullptr) return ":0";
  std::int64_t removed = 0;
  for (std::size_t i = 2; i < words_.size(); ++i) {
    removed += static_cast<std::int64_t>(hash->fields.erase(words_[i]));
  }
  if (hash->fields.empty()) {
    Erase(key());
  } else if (removed != 0) {
    Touch(key());
  }
  return Integer(removed);
}

std::string Step::HExists() {
  std::string value = HGet();
  if (value == kWrongType) return value;
  return value == "nil" ? ":0" : ":1";
}

std::string Step::HLen() {
  bool wrong = false;
  const RedisValue* const hash = Hash(&wrong);
  if (wrong) return std::string(kWrongType);
  return Integer(hash == nullptr ? 0 : static_cast<std::int64_t>(hash->fields.size()));
}

std::string Step::HIncrBy() {
  const auto by = ToInteger(words_[3]);
  if (!by) return std::string(kNotAnInteger);
  bool wrong = false;
  const RedisValue* const hash = Hash(&wrong);
  if (wrong) return std::string(kWrongType);
  std::optional<std::int64_t> before = 0;
  if (hash != nullptr && hash->fields.contains(words_[2])) {
    before = ToInteger(hash->fields.at(words_[2]));
  }
  if (!before) return "-ERR hash value is not an integer";
  const auto sum = Sum(*before, *by);
  if (!sum) return std::string(kOverflow);
  NewHash().fields[words_[2]] = std::to_string(*sum);
  Touch(key());
  return Integer(*sum);
}

std::string Step::HGetAll() {
  bool wrong = false;
  const RedisValue* const hash = Hash(&wrong);
  if (wrong) return std::string(kWrongType);
  std::vector<std::string> pairs;
  if (hash != nullptr) {
    for (const auto& [field, value] : hash->fields) {
      pairs.push_back(Bulk(field) + " " + Bulk(value));
    }
  }
  std::sort(pairs.begin(), pairs.end());
  return List(pairs);
}

const Step::Entry* Step::Find(std::string_view name) {
  static constexpr Entry kEntries[] = {
      {"GET", &Call<&Step::Get>},         {"SET", &Call<&Step::Set>},
      {"SETNX", &Call<&Step::SetNx>},     {"GETSET", &Call<&Step::GetSet>},
      {"GETDEL", &Call<&Step::GetDel>},   {"INCR", &Call<&Step::Incr>},
      {"DECR", &Call<&Step::Decr>},       {"INCRBY", &Call<&Step::IncrBy>},
      {"APPEND", &Call<&Step::Append>},   {"STRLEN", &Call<&Step::StrLen>},
      {"DEL", &Call<&Step::Del>},         {"EXISTS", &Call<&Step::Exists>},
      {"TYPE", &Call<&Step::Type>},       {"MSET", &Call<&Step::MSet>},
      {"MSETNX", &Call<&Step::MSetNx>},   {"MGET", &Call<&Step::MGet>},
      {"HSET", &Call<&Step::HSet>},       {"HGET", &Call<&Step::HGet>},
      {"HDEL", &Call<&Step::HDel>},       {"HEXISTS", &Call<&Step::HExists>},
      {"HLEN", &Call<&Step::HLen>},       {"HINCRBY", &Call<&Step::HIncrBy>},
      {"HGETALL", &Call<&Step::HGetAll>}, {"PEXPIRE", &Call<&Step::Expire>},
      {"PERSIST", &Call<&Step::Persist>}, {"PTTL", &Call<&Step::PTtl>},
      {"RENAME", &Call<&Step::Rename>},   {"KEYS", &Call<&Step::Keys>},
      {"CIREIN.NEED", &Call<&Step::Get>}, {"CIREIN.PUBLISH", &Call<&Step::Publish>},
  };
  const auto* const found = std::find_if(std::begin(kEntries), std::end(kEntries),
                                         [&](const Entry& entry) { return entry.name == name; });
  return found == std::end(kEntries) ? nullptr : found;
}

RedisAnswer Step::Run() {
  RedisAnswer answer;
  auto text = Find(words_[0])->handler(*this);
  answer.text = std::move(text);
  answer.remaining = remaining_;
  answer.changed = changed_;
  return answer;
}

// The bulk behind a name in a map.
const RedisReply* FindInMap(const RedisReply& map, std::string_view name) {
  for (std::size_t i = 0; i + 1 < map.elements.size(); i += 2) {
    if (map.elements[i].text == name) return &map.elements[i + 1];
  }
  return nullptr;
}

}  // namespace

std::uint64_t RedisState::Digest(std::uint64_t seed) const {
  std::uint64_t digest = seed;
  const auto add = [&digest](std::string_view text) { digest = Hash64(text, digest + 1); };
  const auto add_number = [&digest](std::uint64_t number) {
    digest ^= number;
    digest = SplitMix64(&digest);
  };
  for (const auto& [name, value] : keys) {
    add(name);
    add(value.text);
    add_number(value.expiry * 2 + (value.is_hash ? 1 : 0));
    for (const auto& [field, text] : value.fields) {
      add(field);
      add(text);
    }
  }
  for (const auto& [id, watch] : watches) add_number(id * 2 + (watch.touched ? 1 : 0));
  return digest;
}

std::string RedisState::ToString() const {
  std::string line;
  for (const auto& [name, value] : keys) {
    line += (line.empty() ? "" : ", ") + name + " = ";
    if (value.is_hash) {
      line += "{";
      for (const auto& [field, text] : value.fields) {
        line += fmt::format(" {}: \"{}\"", EscapeForPeople(field), EscapeForPeople(text));
      }
      line += " }";
    } else {
      line += "\"" + EscapeForPeople(value.text) + "\"";
    }
    if (value.expiry != 0) line += fmt::format(" (expires by {})", value.expiry);
  }
  for (const auto& [id, watch] : watches) {
    line += fmt::format("; watch {}{}", id, watch.touched ? " touched" : "");
  }
  return line;
}

bool KnowsCommand(const RedisWords& words) {
  return !words.empty() && Step::Find(words[0]) != nullptr;
}

RedisAnswer ApplyRedis(RedisState& state, const RedisWords& words, ExpiryId expiry) {
  return Step(state, words, expiry).Run();
}

std::uint64_t TtlOf(const RedisWords& words) {
  std::string_view text;
  if (words[0] == "PEXPIRE") text = words[2];
  if (words[0] == "SET" || words[0] == "CIREIN.PUBLISH") {
    const auto found = std::find(words.begin() + 3, words.end(), "PX");
    if (found != words.end()) text = *std::next(found);
  }
  const auto ttl = ToInteger(text);
  return ttl && *ttl > 0 ? static_cast<std::uint64_t>(*ttl) : 0;
}

void ApplyWatch(RedisState& state, WatchId watch, const std::set<std::string>& keys) {
  state.watches[watch] = {.keys = keys, .touched = false};
}

bool ApplyExpire(RedisState& state, ExpiryId expiry) {
  const auto found = std::find_if(state.keys.begin(), state.keys.end(),
                                  [&](const auto& each) { return each.second.expiry == expiry; });
  if (found == state.keys.end()) return false;
  for (auto& [id, watch] : state.watches) {
    if (watch.keys.contains(found->first)) watch.touched = true;
  }
  state.keys.erase(found);
  return true;
}

std::string CanonicalText(const RedisWords& words, const RedisReply& reply) {
  using Kind = RedisReply::Kind;
  const std::string& name = words[0];
  if (reply.is_error()) {
    // Beyond its code the text of an error of its own says which version there was.
    if (name.starts_with("CIREIN.")) return "-" + reply.text.substr(0, reply.text.find(' '));
    return reply.ToString();
  }
  if (reply.kind != Kind::kArray) return reply.ToString();
  if (name == "CIREIN.PUBLISH") return "+published";
  if (name == "CIREIN.NEED") {
    const RedisReply* const data = FindInMap(reply, "data");
    return data == nullptr ? reply.ToString() : data->ToString();
  }
  if (name != "HGETALL" && name != "KEYS") return reply.ToString();
  std::vector<std::string> parts;
  const std::size_t step = name == "HGETALL" ? 2 : 1;
  for (std::size_t i = 0; i + step <= reply.elements.size(); i += step) {
    parts.push_back(reply.elements[i].ToString());
    if (step == 2) parts.back() += " " + reply.elements[i + 1].ToString();
  }
  std::sort(parts.begin(), parts.end());
  return List(parts);
}

}  // namespace cirein::simulation
