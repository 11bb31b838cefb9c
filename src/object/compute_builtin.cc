// SPDX-License-Identifier: Apache-2.0
#include "object/compute_builtin.h"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstring>

#include <fmt/format.h>

#include "base/text.h"

namespace cirein {
namespace {

// With long arguments between a million small objects the result could be all of memory.
constexpr std::uint64_t kMaxConcatBytes = std::uint64_t{1} << 30;

// Each gives decimal text, so that the result reads the same in every language.
Result<DataObject> Number(auto value) { return DataObject::FromString(fmt::format("{}", value)); }

Result<DataObject> Pick(const ComputeInput& input) {
  const auto smaller = [](const NamedObject& a, const NamedObject& b) {
    return a.object.user_bytes() < b.object.user_bytes();
  };
  const auto objects = input.objects;
  if (input.args.empty() || input.args == "first") return objects.front().object;
  if (input.args == "last") return objects.back().object;
  if (input.args == "smallest") return std::ranges::min_element(objects, smaller)->object;
  if (input.args == "largest") return std::ranges::max_element(objects, smaller)->object;
  return InvalidArgument(fmt::format("pick does not know {}", QuoteForPeople(input.args)),
                         "give first, last, smallest or largest");
}

Result<DataObject> Concat(const ComputeInput& input) {
  std::uint64_t bytes = 0;
  for (const NamedObject& named : input.objects) {
    bytes += named.object.data_bytes();
    bytes += &named == &input.objects.front() ? 0 : input.args.size();
  }
  if (bytes > kMaxConcatBytes) {
    return ResourceExhausted(fmt::format("{} bytes are too many to join", bytes),
                             "join the columns of one prefix at a time");
  }
  CIREIN_ASSIGN_OR_RETURN(DataObject joined, DataObject::Allocate({.data_bytes = bytes}));
  std::byte* out = joined.mutable_data().data();
  const auto append = [&out](const void* from, std::size_t size) {
    if (size != 0) std::memcpy(out, from, size);
    out += size;
  };
  for (const NamedObject& named : input.objects) {
    if (&named != &input.objects.front()) append(input.args.data(), input.args.size());
    append(named.object.data().data(), named.object.data().size());
  }
  return joined;
}

Result<DataObject> Count(const ComputeInput& input) { return Number(input.objects.size()); }

Result<DataObject> Size(const ComputeInput& input) {
  std::uint64_t bytes = 0;
  for (const NamedObject& named : input.objects) bytes += named.object.user_bytes();
  return Number(bytes);
}

enum class Fold { kSum, kMin, kMax };

Status Overflow() {
  return Aborted("the sum does not fit the array's type", "sum it as f64, or as a wider type");
}

template <typename T>
Status Add(T& total, T value) {
  if constexpr (std::integral<T>) {
    if (__builtin_add_overflow(total, value, &total)) return Overflow();
  } else {
    total += value;
  }
  return OkStatus();
}

template <typename T>
bool IsNan(T value) {
  if constexpr (std::floating_point<T>) return std::isnan(value);
  return false;
}

// The data may stand anywhere in memory: each value is copied out before it is used.
template <typename T>
Result<DataObject> FoldArrays(const ComputeInput& input, Fold fold) {
  // Small integers are summed in the widest type of their kind.
  using Total =
      std::conditional_t<std::floating_point<T>, double,
                         std::conditional_t<std::signed_integral<T>, std::int64_t, std::uint64_t>>;
  Total sum = 0;
  T least{};
  T most{};
  std::uint64_t values = 0;
  for (const NamedObject& named : input.objects) {
    const auto bytes = named.object.data();
    if (bytes.size() % sizeof(T) != 0) {
      return InvalidArgument(
          fmt::format("\"{}\" has {} bytes, no whole number of values of {}", named.key.ToString(),
                      bytes.size(), sizeof(T)),
          "give the type of the array as argument: i32, i64, u32, u64, f32, f64");
    }
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(T), ++values) {
      T value;
      std::memcpy(&value, bytes.data() + at, sizeof(T));
      if (fold == Fold::kSum) CIREIN_RETURN_IF_ERROR(Add<Total>(sum, value));
      // What is no number gives way to any number.
      if (values == 0 || value < least || IsNan(least)) least = value;
      if (values == 0 || value > most || IsNan(most)) most = value;
    }
  }
  if (fold == Fold::kSum) return Number(sum);
  if (values == 0) {
    return NotFound("the arrays are all empty: they have no least or greatest value",
                    "publish values first");
  }
  return fold == Fold::kMin ? Number(least) : Number(most);
}

ComputeFunction Folder(Fold fold) {
  return [fold](const ComputeInput& input) -> Result<DataObject> {
    const std::string_view type = input.args;
    if (type.empty() || type == "f64") return FoldArrays<double>(input, fold);
    if (type == "f32") return FoldArrays<float>(input, fold);
    if (type == "i32") return FoldArrays<std::int32_t>(input, fold);
    if (type == "i64") return FoldArrays<std::int64_t>(input, fold);
    if (type == "u32") return FoldArrays<std::uint32_t>(input, fold);
    if (type == "u64") return FoldArrays<std::uint64_t>(input, fold);
    return InvalidArgument(fmt::format("{} is no type of numbers", QuoteForPeople(type)),
                           "give i32, i64, u32, u64, f32 or f64");
  };
}

}  // namespace

std::vector<std::pair<std::string, ComputeFunction>> BuiltInComputeFunctions() {
  return {{"pick", Pick},
          {"concat", Concat},
          {"count", Count},
          {"size", Size},
          {"sum", Folder(Fold::kSum)},
          {"min", Folder(Fold::kMin)},
          {"max", Folder(Fold::kMax)}};
}

}  // namespace cirein
