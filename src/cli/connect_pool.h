// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cirein/pool.h"

#include "cli/option_set.h"

namespace cirein {

/// Connect for a URL that a person typed, or the address of a server as PoolUrlOf takes it. Of
/// several things that are wrong with it, a type nobody knows is told first (NotFound): what else
/// its URL needs is then anybody's guess.
Result<Pool> ConnectPool(std::string_view url);

/// The argument that names a verb's pool: what ConnectNamedPool takes. `target` outlives `options`.
void AddPoolArgument(OptionSet* options, std::string* target);

/// The URL of a pool as the shell names it: text that begins with "/", "./" or "../", or is "." or
/// "..", is the path of a pool's directory and becomes "elastic:" with the absolute path; options
/// may follow it from the first '&' on. "HOST:PORT", "tcp://HOST:PORT" and "unix:PATH" are where a
/// server is, and become a "server:". Any other text is a URL already and comes back as it is.
/// Errors: those of finding the working directory.
Result<std::string> PoolUrlOf(std::string_view text);

/// What a verb does with a pool in files that is not there.
enum class MissingPool : std::uint8_t {
  kAsUrlSays,  ///< Where the URL does not forbid it, one is made.
  kRefuse,     ///< Unless the URL asks for it, none is: a new one has nothing to look for.
};

/// ConnectPool for what PoolUrlOf takes.
Result<Pool> ConnectNamedPool(std::string_view text, MissingPool missing);

}  // namespace cirein
