// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/inlined_vector.h>

#include "cirein/status.h"

#include "resp/command.h"

namespace cirein::resp {

/// A command, or a subcommand, as dispatch sees it.
struct CommandEntry {
  const CommandSpec* spec = nullptr;
  std::string full_name;       ///< "get", "config|get".
  std::uint32_t id = 0;        ///< Counted from 0 over all commands and subcommands.
  bool may_take_long = false;  ///< Is it worth a look at the clock?
  std::vector<CommandEntry> subcommands;

  bool has_arity(std::size_t args) const noexcept {
    return spec->arity >= 0 ? args == static_cast<std::size_t>(spec->arity)
                            : args >= static_cast<std::size_t>(-spec->arity);
  }
  bool is(std::uint32_t flag) const noexcept { return (spec->flags & flag) != 0; }
  /// The subcommand of that name in any case, or null.
  const CommandEntry* Subcommand(std::string_view name) const noexcept;
};

using KeyIndices = absl::InlinedVector<std::uint32_t, 16>;

/// All commands, by name. Immutable; thread-safe.
class CommandTable {
 public:
  /// Of all the commands there are.
  static const CommandTable& All();
  explicit CommandTable(std::span<const std::span<const CommandSpec>> files);

  /// By name in any case; null when there is none.
  const CommandEntry* Find(std::string_view name) const noexcept;
  /// Where there are subcommands and a second word, the one it names; null when there is none.
  const CommandEntry* FindFor(Args args) const noexcept;
  /// Without subcommands, in order of their files.
  std::span<const CommandEntry> commands() const noexcept { return commands_; }
  /// How many there are, with subcommands: ids are below it.
  std::size_t size() const noexcept { return ids_; }

 private:
  static constexpr std::size_t kLongestName = 32;
  static std::uint64_t HashOf(const char* lower, std::size_t bytes) noexcept;

  std::vector<CommandEntry> commands_;
  std::size_t ids_ = 0;
  // By hash of the name, open addressing; a power of two, at most a quarter full.
  std::vector<const CommandEntry*> slots_;
};

/// Which of the arguments are keys; none where there are too few arguments for any.
void FindKeys(const CommandSpec& spec, std::size_t args, KeyIndices& keys);

/// "unknown command ..." or "unknown subcommand ...", as Redis words it; and where Redis has the
/// command and we have not, where to read about that.
std::string UnknownCommandError(const CommandTable& table, Args args);

/// Does the word say this, which is in lower case?
bool IsWord(std::string_view word, std::string_view lower) noexcept;

}  // namespace cirein::resp
