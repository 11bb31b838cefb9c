// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "cirein/backing_store.h"

namespace cirein {

/// Which store: "TYPE:PATH", and its options behind that, "?name=value,name=value".
struct BackingSpec {
  std::string type;
  std::string path;
  std::map<std::string, std::string, std::less<>> options;

  /// InvalidArgument for what is not of this form.
  static Result<BackingSpec> Parse(std::string_view text);
  std::string ToString() const;
};

/// The store, opened if it is not open in this process; it closes when nobody has it any more.
/// NotFound for a type that nobody registered, InvalidArgument for an option that it does not take,
/// and whatever the type says. Blocks. Thread-safe.
Result<std::shared_ptr<BackingStore>> OpenBackingStore(const BackingSpec& spec);

}  // namespace cirein
