// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cirein/deadline.h"
#include "cirein/resource_url.h"
#include "cirein/status.h"

namespace cirein {

/// Processes that work together, counted by rank: who they are and which one this is, however they
/// were started. Pools whose URL does not name their members have the group's. Value type.
class Group {
 public:
  /// This process's group; the first call tells the others where this process is, and blocks until
  /// all are known, at most until the deadline (default: default.deadline). The group is kept until
  /// the library finishes. `form` is that of the setting group.form, which counts when it is empty:
  ///
  ///  - list: group.members has the addresses; nobody is waited for.
  ///  - mpi, slurm: rank, size and run are what mpirun or srun said in the environment.
  ///  - file, directory: as the settings group.rank, group.size and group.run say, else as the
  ///    launcher does; the processes meet in group.folder, or in the directory.
  ///  - auto: the first of list, file, directory, mpi and slurm for which there is what it needs.
  ///
  /// With mpi and slurm they meet in group.folder, in the directory, or, when all of them are on
  /// one host, in a folder of the user's below /tmp.
  ///
  /// Errors: DeadlineExceeded, which names the ranks that have not come; AlreadyExists (another
  /// process of this rank is there); InvalidArgument (settings that make no sense, or that differ
  /// between processes); FailedPrecondition (library not started, no network, nobody said which
  /// group); those of files and of the directory. Thread-safe.
  static Result<Group> Join(std::string_view form = {}, Deadline deadline = {});

  /// Of addresses (OwnAddress of each) that were exchanged otherwise. InvalidArgument: there is no
  /// such rank, an address is none or stands twice.
  static Result<Group> Of(std::optional<std::size_t> rank, std::vector<std::string> addresses);

  /// This process's; nullopt: it is none of the group, and only uses its pools.
  std::optional<std::size_t> rank() const noexcept { return rank_; }
  std::size_t size() const noexcept { return addresses_.size(); }
  /// Of all processes, by rank.
  const std::vector<std::string>& addresses() const noexcept { return addresses_; }
  /// The URL with the group as the pool's members, for a process outside of it too.
  ResourceUrl WithMembers(ResourceUrl url) const;

 private:
  Group(std::optional<std::size_t> rank, std::vector<std::string> addresses)
      : rank_(rank), addresses_(std::move(addresses)) {}

  std::optional<std::size_t> rank_;
  std::vector<std::string> addresses_;
};

}  // namespace cirein
