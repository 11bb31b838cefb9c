// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace cirein {

/// The functions that the calling thread is in, innermost first, a line each; for people. Names are
/// known of what is exported. Allocates.
std::string StackText();

/// Writes the same, with names as the linker has them, from a signal handler; a first call outside
/// of one must have been made. DemangleStack makes it readable afterwards.
void WriteStackTo(int fd);
std::string DemangleStack(std::string_view text);

}  // namespace cirein
