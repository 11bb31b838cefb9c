// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace cirein::test {

/// The path of a file of the project that the tests were built from.
std::string ProjectFile(std::string_view path);

}  // namespace cirein::test
