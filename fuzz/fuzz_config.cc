// SPDX-License-Identifier: Apache-2.0

// Any bytes as a TOML file of settings: an error changes nothing, and what was taken must read back
// equal, from TOML and value by value.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cirein/config.h"

#include "check.h"

namespace {

using cirein::Config;

void CheckReadsBack(const Config& config) {
  Config again;
  CIREIN_FUZZ_CHECK(again.AddToml(config.ToToml(), "again").ok());
  CIREIN_FUZZ_CHECK(again == config);
  Config one_by_one;
  for (const cirein::ConfigKey& key : Config::Keys()) {
    CIREIN_FUZZ_CHECK(one_by_one.Set(key.name, config.GetText(key.name)).ok());
  }
  CIREIN_FUZZ_CHECK(one_by_one == config);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  Config config;
  const cirein::Status status = config.AddToml(text, "fuzz");
  if (status.ok()) {
    CheckReadsBack(config);
  } else {
    CIREIN_FUZZ_CHECK(status.code() == cirein::StatusCode::kInvalidArgument);
    CIREIN_FUZZ_CHECK(status.message().starts_with("fuzz:"));
    CIREIN_FUZZ_CHECK(!status.hint().empty());
    CIREIN_FUZZ_CHECK(config == Config());
  }
  // The same bytes as the value of one setting or another, as a flag or a variable would give it.
  const std::size_t which = size == 0 ? 0 : data[0] % Config::Keys().size();
  const std::string_view value = std::string_view(text).substr(size == 0 ? 0 : 1);
  Config single;
  if (single.Set(Config::Keys()[which].name, value).ok()) CheckReadsBack(single);
  return 0;
}
