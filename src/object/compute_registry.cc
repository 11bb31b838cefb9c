// SPDX-License-Identifier: Apache-2.0
#include "object/compute_registry.h"

#include <algorithm>
#include <exception>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/suggest.h"
#include "base/text.h"
#include "object/compute_builtin.h"

namespace cirein {
namespace {

constexpr std::size_t kMaxNameBytes = 64;

class Registry {
 public:
  // Never destroyed, so that a function which never ends can still be running at exit.
  static Registry& Instance() {
    static Registry& registry = *new Registry;
    return registry;
  }

  Status Add(std::vector<NamedComputeFunction> functions) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < functions.size(); ++i) {
      const bool taken =
          functions_.contains(functions[i].first) ||
          std::any_of(functions.begin(), functions.begin() + static_cast<std::ptrdiff_t>(i),
                      [&](const auto& other) { return other.first == functions[i].first; });
      if (!taken) continue;
      return AlreadyExists(
          fmt::format("a compute function \"{}\" is registered already", functions[i].first),
          "choose another name");
    }
    for (auto& [name, function] : functions) {
      functions_.emplace(std::move(name),
                         std::make_shared<const ComputeFunction>(std::move(function)));
    }
    return OkStatus();
  }

  std::shared_ptr<const ComputeFunction> Find(std::string_view name) {
    const std::lock_guard lock(mutex_);
    const auto entry = functions_.find(name);
    return entry == functions_.end() ? nullptr : entry->second;
  }

  std::vector<std::string> Names() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    names.reserve(functions_.size());
    for (const auto& [name, function] : functions_) names.push_back(name);
    return names;
  }

 private:
  Registry() {
    for (auto& [name, function] : BuiltInComputeFunctions()) {
      functions_.emplace(std::move(name),
                         std::make_shared<const ComputeFunction>(std::move(function)));
    }
  }

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const ComputeFunction>, std::less<>> functions_;
};

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.';
}

Status CheckFunction(std::string_view name, const ComputeFunction& function) {
  if (name.empty() || name.size() > kMaxNameBytes ||
      !std::all_of(name.begin(), name.end(), IsNameCharacter)) {
    return InvalidArgument(fmt::format("{} cannot name a compute function", QuoteForPeople(name)),
                           "use 1 to 64 letters, digits, '_', '-' and '.'");
  }
  if (!function) {
    return InvalidArgument(fmt::format("the compute function \"{}\" is empty", name),
                           "give a function that can be called");
  }
  return OkStatus();
}

}  // namespace

Status RegisterComputeFunction(std::string name, ComputeFunction function) {
  std::vector<NamedComputeFunction> one;
  one.emplace_back(std::move(name), std::move(function));
  return RegisterComputeFunctions(std::move(one));
}

Status RegisterComputeFunctions(std::vector<NamedComputeFunction> functions) {
  for (const auto& [name, function] : functions)
    CIREIN_RETURN_IF_ERROR(CheckFunction(name, function));
  return Registry::Instance().Add(std::move(functions));
}

std::vector<std::string> ComputeFunctionNames() { return Registry::Instance().Names(); }

Result<std::shared_ptr<const ComputeFunction>> FindComputeFunction(std::string_view name) {
  if (auto function = Registry::Instance().Find(name)) return function;
  const std::vector<std::string> names = ComputeFunctionNames();
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  return NotFound(
      fmt::format("there is no compute function {}", QuoteForPeople(name)),
      DidYouMean(name, candidates, fmt::format("known ones: {}", fmt::join(names, ", "))));
}

Result<DataObject> RunComputeFunction(std::string_view name, const ComputeFunction& function,
                                      const ComputeInput& input) {
  const std::string where =
      fmt::format("the compute function \"{}\" over \"{}\"", name, input.pattern.ToString());
  try {
    Result<DataObject> result = function(input);
    if (result.ok() && result->is_null()) {
      return Aborted(where + " gave no object", "make it return an object or an error");
    }
    return result;
  } catch (const std::exception& error) {
    return Aborted(fmt::format("{} threw: {}", where, error.what()),
                   "return an error instead of throwing");
  } catch (...) {
    return Aborted(where + " threw something that is no std::exception",
                   "return an error instead of throwing");
  }
}

}  // namespace cirein
