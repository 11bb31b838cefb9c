// SPDX-License-Identifier: Apache-2.0
#include "bench/resp_encoder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>

#include <fmt/format.h>

namespace cirein::bench::resp {
namespace {

constexpr std::size_t kDigits = 8;
constexpr std::string_view kField = "field";
// A batch that loads: many requests, but no more than a socket's buffers take well.
constexpr std::size_t kLoadRequests = 128;
constexpr std::size_t kLoadBytes = 256 * 1024;

constexpr std::array<char, 512> kHexPairs = [] {
  std::array<char, 512> pairs{};
  constexpr std::string_view kHex = "0123456789abcdef";
  for (std::size_t byte = 0; byte < 256; ++byte) {
    pairs[2 * byte] = kHex[byte >> 4];
    pairs[2 * byte + 1] = kHex[byte & 15];
  }
  return pairs;
}();

void PutDigits(std::uint64_t number, char* at) {
  for (std::size_t pair = 0; pair < kDigits / 2; ++pair) {
    const std::uint64_t byte = (number >> (24 - 8 * pair)) & 0xFF;
    std::memcpy(at + 2 * pair, &kHexPairs[2 * byte], 2);
  }
}

char Family(Operation operation) {
  if (operation == Operation::kIncr) return 'c';
  return operation == Operation::kHset || operation == Operation::kHget ? 'h' : 's';
}

/// The key of number 0.
std::string FirstKey(Operation operation, std::size_t value_bytes) {
  return fmt::format("{}{:07x}{:08x}", Family(operation), value_bytes, 0);
}

bool Writes(Operation operation) {
  return operation == Operation::kSet || operation == Operation::kHset;
}

std::string MakeValue(const std::string& key, std::size_t bytes) {
  // Printable, so that a dump can be read, and without a pattern that compresses.
  std::string value(bytes, ' ');
  Random random(1);
  for (char& byte : value) byte = static_cast<char>('0' + random.Below(75));
  if (bytes >= key.size()) value.replace(0, key.size(), key);
  return value;
}

std::string Array(std::initializer_list<std::string_view> parts) {
  std::string text = fmt::format("*{}\r\n", parts.size());
  for (const std::string_view part : parts) {
    text += fmt::format("${}\r\n", part.size());
    text += part;
    text += "\r\n";
  }
  return text;
}

std::string RespText(Operation operation, const std::string& key, const std::string& value) {
  switch (operation) {
    case Operation::kSet:
      return Array({"SET", key, value});
    case Operation::kIncr:
      return Array({"INCR", key});
    case Operation::kHset:
      return Array({"HSET", key, kField, value});
    case Operation::kHget:
      return Array({"HGET", key, kField});
    case Operation::kMget10:
      return Array({"MGET", key, key, key, key, key, key, key, key, key, key});
    case Operation::kGet:
    case Operation::kMixed:
      break;
  }
  return Array({"GET", key});
}

std::string MemcachedText(Operation operation, const std::string& key, const std::string& value) {
  if (operation == Operation::kSet) {
    return fmt::format("set {} 0 0 {}\r\n{}\r\n", key, value.size(), value);
  }
  std::string text = "get";
  for (std::size_t i = 0; i < KeysPerRequest(operation); ++i) text += " " + key;
  return text + "\r\n";
}

}  // namespace

KeySource::KeySource(const Workload& workload, std::uint64_t seed)
    : order_(workload.order),
      keys_(workload.keys),
      zipf_(workload.keys, workload.theta),
      scatter_(workload.keys),
      random_(seed) {}

std::uint64_t KeySource::Next() {
  switch (order_) {
    case KeyOrder::kUniform:
      return random_.Below(keys_);
    case KeyOrder::kZipf:
      return scatter_.Place(zipf_.Draw(&random_));
    case KeyOrder::kInTurn:
      break;
  }
  return next_++;
}

RequestEncoder::RequestEncoder(const Workload& workload, std::uint64_t seed)
    : workload_(workload), pipeline_(workload.pipeline), keys_(workload, seed), which_(~seed) {
  if (workload.operation == Operation::kMixed) {
    templates_ = {MakeTemplate(Operation::kGet), MakeTemplate(Operation::kSet)};
    buffer_.resize(request_bytes() * pipeline_);
    return;
  }
  templates_ = {MakeTemplate(workload.operation)};
  buffer_.reserve(request_bytes() * pipeline_);
  for (std::size_t i = 0; i < pipeline_; ++i) buffer_ += templates_[0].bytes;
}

RequestEncoder::Template RequestEncoder::MakeTemplate(Operation operation) const {
  const std::string key = FirstKey(operation, workload_.value_bytes);
  const std::string value =
      Writes(operation) ? MakeValue(key, workload_.value_bytes) : std::string();
  Template made;
  made.bytes = workload_.protocol == Protocol::kMemcached ? MemcachedText(operation, key, value)
                                                          : RespText(operation, key, value);
  std::size_t at = 0;
  for (std::size_t i = 0; i < KeysPerRequest(operation); ++i) {
    at = made.bytes.find(key, at) + kKeyBytes;
    made.digits_at.push_back(at - kDigits);
  }
  if (value.size() >= kKeyBytes) {
    made.digits_in_value_at = made.bytes.find(key, at) + kKeyBytes - kDigits;
  }
  return made;
}

void RequestEncoder::PutKeys(const Template& request, char* at) {
  for (const std::size_t digits_at : request.digits_at) PutDigits(keys_.Next(), at + digits_at);
  if (request.digits_in_value_at != 0) {
    std::memcpy(at + request.digits_in_value_at, at + request.digits_at[0], kDigits);
  }
}

std::string_view RequestEncoder::Next(std::size_t count) {
  if (templates_.size() > 1) return NextMixed(count);
  const Template& request = templates_[0];
  char* at = buffer_.data();
  for (std::size_t i = 0; i < count; ++i, at += request.bytes.size()) PutKeys(request, at);
  return {buffer_.data(), at};
}

std::string_view RequestEncoder::NextMixed(std::size_t count) {
  char* at = buffer_.data();
  for (std::size_t i = 0; i < count; ++i) {
    const Template& request = templates_[which_.Below(100) < workload_.get_percent ? 0 : 1];
    std::copy(request.bytes.begin(), request.bytes.end(), at);
    PutKeys(request, at);
    at += request.bytes.size();
  }
  return {buffer_.data(), at};
}

std::string_view RequestEncoder::first_key() const {
  return std::string_view(buffer_).substr(templates_[0].digits_at[0] + kDigits - kKeyBytes,
                                          kKeyBytes);
}

Workload LoadingOf(Workload workload) {
  const bool hash = Family(workload.operation) == 'h';
  workload.operation = hash ? Operation::kHset : Operation::kSet;
  workload.order = KeyOrder::kInTurn;
  workload.pipeline =
      std::clamp<std::size_t>(kLoadBytes / (workload.value_bytes + 64), 1, kLoadRequests);
  return workload;
}

std::string FixedReply(const Workload& workload) {
  const bool memcached = workload.protocol == Protocol::kMemcached;
  if (workload.operation == Operation::kSet) return memcached ? "STORED\r\n" : "+OK\r\n";
  if (workload.operation == Operation::kIncr) return ":1000\r\n";
  if (workload.operation == Operation::kHset) return ":0\r\n";
  const std::string key = FirstKey(workload.operation, workload.value_bytes);
  const std::string value = MakeValue(key, workload.value_bytes);
  const std::string one = memcached
                              ? fmt::format("VALUE {} 0 {}\r\n{}\r\n", key, value.size(), value)
                              : fmt::format("${}\r\n{}\r\n", value.size(), value);
  const std::size_t count = KeysPerRequest(workload.operation);
  std::string text = !memcached && count > 1 ? fmt::format("*{}\r\n", count) : std::string();
  for (std::size_t i = 0; i < count; ++i) text += one;
  return memcached ? text + "END\r\n" : text;
}

}  // namespace cirein::bench::resp
