// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "resp/command.h"

/// What the tables of ConnectionCommands() and ServerCommands() have of other files.
namespace cirein::resp {

/// The version of Redis whose ways we have.
inline constexpr std::string_view kRedisVersion = "7.0.15";

inline constexpr std::string_view kBadName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

/// Each line of a command's HELP as Redis answers it; `lines` are about the subcommands, two for
/// each.
void WriteHelp(ReplyWriter& reply, std::string_view command,
               std::span<const std::string_view> lines);

CommandSpec ClientCommand();   ///< client_commands.cc
CommandSpec CommandCommand();  ///< command_commands.cc
CommandSpec ConfigCommand();   ///< config_commands.cc
CommandSpec InfoCommand();     ///< info_command.cc

}  // namespace cirein::resp
