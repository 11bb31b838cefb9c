// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cirein/operations.h"
#include "cirein/pool.h"
#include "cirein/resource_url.h"

namespace cirein {

/// Where other processes reach this one, as directories and the URLs of pools say it
/// (&ag0=ADDRESS). The first call begins to listen there, and blocks until it does. Errors:
/// FailedPrecondition before Start, and when the setting network forbids it; those of listening.
Result<std::string> OwnAddress();

/// A process that is one of a resource's members.
struct DirectoryMember {
  std::string name;     ///< What it calls itself: visible characters, at most kMaxNameBytes.
  std::string address;  ///< Where it is reached.

  static constexpr std::size_t kMaxNameBytes = 255;
  friend bool operator==(const DirectoryMember&, const DirectoryMember&) = default;
};

/// What the directory knows of a resource.
struct DirectoryInfo {
  /// As it was defined: type, bucket, path and options.
  ResourceUrl url;
  /// In the order in which they joined, which decides who owns what.
  std::vector<DirectoryMember> members;
  /// Grows by one with each change.
  std::uint64_t revision = 0;

  /// How many members it needs to be used: its option min_members, else 1.
  std::size_t min_members() const;
};

/// Where resources are found by name, such as pools with their members: Kelpie's DirMan. Any
/// process with a network hosts one, in its own memory: that of the address asked. Processes that
/// joined say so again when it was lost.
///
/// Names are bucket and path: two resources of one path are apart by bucket. Calls block until
/// answered, at most for the default deadline where none is given. Common errors: Unavailable
/// (cannot be reached), DeadlineExceeded, InvalidArgument. Thread-safe; copies share the
/// connection.
class Directory {
 public:
  /// The one hosted at `address` (HOST:PORT, or what a process says of itself); empty: the one that
  /// the settings directory.address or directory.file name. FailedPrecondition when there is none.
  static Result<Directory> Connect(std::string_view address = {});

  /// Makes it known, without members. Where it is known already this does nothing; AlreadyExists
  /// when that has another type, or another value of an option that the URL names.
  Status Define(const ResourceUrl& url) const;
  /// This process, or whoever is given, becomes a member; a member of that name gets this address
  /// in its old place. NotFound when nobody defined it, FailedPrecondition when it was dropped.
  Result<DirectoryInfo> Join(const ResourceUrl& url, const DirectoryMember& member) const;
  /// NotFound when there is no such resource or member.
  Result<DirectoryInfo> Leave(const ResourceUrl& url, std::string_view name) const;
  /// NotFound when nobody defined it.
  Result<DirectoryInfo> Lookup(const ResourceUrl& url) const;
  /// The same once it has min_members; waits for it, also to be defined, until the deadline.
  Result<DirectoryInfo> Await(const ResourceUrl& url, Deadline deadline = {}) const;
  /// Forgets it. NotFound when there is none.
  Status Drop(const ResourceUrl& url) const;
  /// All whose path begins so, by path.
  Result<std::vector<DirectoryInfo>> List(std::string_view path_prefix, Bucket bucket) const;

  /// Calls back once the entry has another revision than this one (0: it is not there); then it has
  /// to be looked up. Errors as Pool::Want.
  Operation Watch(const ResourceUrl& url, std::uint64_t revision, std::function<void(Status)> done,
                  Deadline deadline = kNoDeadline) const;

 private:
  struct Found;
  using Change = std::function<Status(DirectoryInfo& entry)>;

  explicit Directory(Pool pool) : pool_(std::move(pool)) {}
  Result<Found> Find(const ResourceUrl& url) const;
  Result<DirectoryInfo> Apply(const ResourceUrl& url, const Change& change) const;

  Pool pool_;
};

}  // namespace cirein
