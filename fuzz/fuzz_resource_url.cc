// SPDX-License-Identifier: Apache-2.0

// Any bytes as a ResourceUrl: what parses must read back equal, and so must what its parts make.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cirein/resource_url.h"

#include "check.h"

namespace {

using cirein::ResourceUrl;

void CheckReadsBack(const ResourceUrl& url) {
  const std::string text = url.ToString();
  const cirein::Result<ResourceUrl> again = ResourceUrl::Parse(text);
  CIREIN_FUZZ_CHECK(again.ok());
  CIREIN_FUZZ_CHECK(*again == url);
  CIREIN_FUZZ_CHECK(again->ToString() == text);
}

void CheckPath(ResourceUrl url) {
  const std::string path = url.path();
  const std::size_t depth = url.depth();
  CIREIN_FUZZ_CHECK(url.Dashify().size() == path.size());
  if (depth == 0) {
    CIREIN_FUZZ_CHECK(url.PopDir().empty());
    return;
  }
  CIREIN_FUZZ_CHECK(url.Parent().depth() == depth - 1);
  const std::string last = url.PopDir();
  CIREIN_FUZZ_CHECK(url.depth() == depth - 1);
  CIREIN_FUZZ_CHECK(url.PushDir(last).ok());
  CIREIN_FUZZ_CHECK(url.path() == path);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  const cirein::Result<ResourceUrl> url = ResourceUrl::Parse(text);
  if (!url.ok()) {
    CIREIN_FUZZ_CHECK(url.code() == cirein::StatusCode::kInvalidArgument);
    CIREIN_FUZZ_CHECK(!url.status().hint().empty());
    return 0;
  }
  CIREIN_FUZZ_CHECK(url->Validate().ok());
  CheckReadsBack(*url);
  CheckPath(*url);
  for (const auto& [name, value] : url->options()) {
    CIREIN_FUZZ_CHECK(url->option(name) == value);
  }
  return 0;
}
