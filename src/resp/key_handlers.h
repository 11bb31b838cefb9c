// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "resp/command.h"
#include "resp/keyspace.h"

/// The handlers of KeyCommands() that stand in other files than its table. Each is a DataHandler.
namespace cirein::resp {

/// As TYPE names it.
std::string_view TypeName(KeyType type) noexcept;

// move_commands.cc
Status Rename(DataCall& call);
Status RenameNx(DataCall& call);
Status Copy(DataCall& call);

// expire_commands.cc
Status Expire(DataCall& call);
Status PExpire(DataCall& call);
Status ExpireAt(DataCall& call);
Status PExpireAt(DataCall& call);
Status ExpireTime(DataCall& call);
Status PExpireTime(DataCall& call);
Status Ttl(DataCall& call);
Status PTtl(DataCall& call);
Status Persist(DataCall& call);

// scan_commands.cc
Status Keys(DataCall& call);
Status Scan(DataCall& call);
Status RandomKey(DataCall& call);
Status DbSize(DataCall& call);
Status Flush(DataCall& call);

/// Drops rows of a bucket from a place on, at least one and else so many as write `group_bytes`;
/// where to go on, null after the last one. FLUSHALL of more rows than that takes several
/// transactions.
Result<std::optional<Engine::RowName>> DropSomeRows(Transaction& transaction, Bucket bucket,
                                                    const Engine::RowName& from,
                                                    std::uint64_t group_bytes);

/// Of OBJECT; object_commands.cc.
std::span<const CommandSpec> ObjectSubcommands();

}  // namespace cirein::resp
