// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cirein/behavior.h"
#include "cirein/resource_url.h"

namespace cirein {

class Process;

/// A URL names the store behind a pool by `store=TYPE:PATH?name=value,...`, or by `store=NAME` as
/// the setting backing.stores has it in each process. Kelpie's `iom=NAME`, `iom_type=TYPE` and
/// `iom_path=PATH` mean the same.

/// The names of these options, behind those of a pool type's own.
std::vector<std::string> BackedOptionNames(std::vector<std::string> own);

bool NamesBacking(const ResourceUrl& url);

/// Puts the store that the URL names behind its bucket in this process, until it ends; nothing
/// where it names none. Objects that are read stay in memory if any of those who say so has a
/// behavior that reads to memory. FailedPrecondition when another store is there; errors of opening
/// it; InvalidArgument, NotFound for names. Blocks.
Status BackBucket(Process& process, const ResourceUrl& url, Behavior behavior);

}  // namespace cirein
