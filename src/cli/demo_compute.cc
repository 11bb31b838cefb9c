// SPDX-License-Identifier: Apache-2.0

// The steps of the demonstration that run functions where the objects are.

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "base/units.h"
#include "cli/demo.h"

namespace cirein {
namespace {

constexpr std::string_view kOwnFunction = "demo.count-lines";

std::uint64_t CountLines(std::string_view text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

// What the function sees are the objects; nothing is copied to it.
Result<DataObject> CountLinesOfRow(const ComputeInput& input) {
  std::uint64_t lines = 0;
  for (const NamedObject& named : input.objects) lines += CountLines(named.object.text());
  return DataObject::FromString(fmt::format("{}", lines));
}

// Runs a function over all columns of a row and compares what it gives.
Status Expect(DemoStage& stage, const std::string& row, std::string_view function,
              std::string_view args, std::string_view expected) {
  CIREIN_ASSIGN_OR_RETURN(const DataObject result,
                          stage.pool.Compute(Pattern::ColumnPrefix(row, ""), function, args));
  if (result.text() != expected) {
    return Internal(fmt::format("{} over \"{}\" gave {} instead of {}", function, row,
                                QuoteForPeople(result.text()), QuoteForPeople(expected)));
  }
  const bool is_short = expected.size() <= 20;
  stage.say(fmt::format("   {}({}) = {}", function, args,
                        is_short ? std::string(expected) : BytesForPeople(expected.size())));
  return OkStatus();
}

}  // namespace

Result<std::string> DemoCompute(DemoStage& stage) {
  const std::string row = stage.BusiestDirectory();
  const std::vector<const DemoFile*> files = stage.InDirectory(row);
  std::string all;
  std::uint64_t user_bytes = 0;
  const DemoFile* largest = files.front();
  for (const DemoFile* file : files) {
    all += file->bytes;
    const std::uint64_t size = file->bytes.size() + file->path().size();
    user_bytes += size;
    if (size > largest->bytes.size() + largest->path().size()) largest = file;
  }
  stage.say(fmt::format("   over the row \"{}\"", row));
  CIREIN_RETURN_IF_ERROR(Expect(stage, row, "count", "", fmt::format("{}", files.size())));
  CIREIN_RETURN_IF_ERROR(Expect(stage, row, "size", "", fmt::format("{}", user_bytes)));
  CIREIN_RETURN_IF_ERROR(Expect(stage, row, "concat", "", all));
  CIREIN_RETURN_IF_ERROR(Expect(stage, row, "pick", "largest", largest->bytes));
  return fmt::format("count, size, concat, pick over {} columns", files.size());
}

Result<std::string> DemoOwnFunction(DemoStage& stage) {
  const Status registered = RegisterComputeFunction(std::string(kOwnFunction), CountLinesOfRow);
  // Once registered it stays, as long as the process lives.
  if (!registered.ok() && registered.code() != StatusCode::kAlreadyExists) return registered;
  const std::string row = stage.BusiestDirectory();
  std::uint64_t lines = 0;
  for (const DemoFile* file : stage.InDirectory(row)) lines += CountLines(file->bytes);
  CIREIN_RETURN_IF_ERROR(Expect(stage, row, kOwnFunction, "", fmt::format("{}", lines)));
  return fmt::format("{} lines counted", lines);
}

}  // namespace cirein
