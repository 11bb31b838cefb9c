// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "cirein/key.h"
#include "cirein/status.h"

namespace cirein {

/// The name of a pool or another resource: `type:<0xNODE>[bucket]/dir/.../name&k=v&k2=v2`.
///
/// Node and bucket are optional and may come in either order. The type is lower-cased; without one,
/// or with `ref`, the URL is a reference, resolved through the directory. `localkv` and `lkv` mean
/// `local`; a reference `/local` or `/local/...` is a `local` too. `local` and `null` need no
/// path. A trailing slash is dropped; `/` is the root. Options begin at the first '&', each needs
/// an '=', and any byte but '&' may stand in a value; "%26" and "%25" give '&' and '%', any other
/// '%' stands for itself. Types and option names are words of letters, digits, '_', '-' and '.'
/// that begin with a letter; parts of the path are not empty and have no control characters nor any
/// of
/// <>[]&. Parse and ToString round-trip. Which types exist is for the registry of pools to say.
/// Value type; distinct objects may be used from distinct threads.
class ResourceUrl {
 public:
  /// Longer text is refused.
  static constexpr std::size_t kMaxBytes = 8192;

  /// Names nothing; assign to it, or build it up with the setters.
  ResourceUrl() = default;
  /// Errors (InvalidArgument) say which part is wrong and show the shape.
  static Result<ResourceUrl> Parse(std::string_view text);
  /// Would Parse read back what ToString gives? Always so for what Parse gave; the setters do not
  /// check what they are given.
  Status Validate() const;

  /// "ref" for a reference, else the type.
  const std::string& type() const noexcept { return type_; }
  bool is_reference() const noexcept { return type_ == "ref"; }
  /// The node in `<0x...>`, if given.
  std::optional<std::uint64_t> node() const noexcept { return node_; }
  Bucket bucket() const noexcept { return bucket_; }
  /// "/dir/.../name"; "/" for the root; empty when there is no path.
  const std::string& path() const noexcept { return path_; }
  /// The path's last part, and what stands before it ("/" for a name at the root level).
  std::string name() const;
  std::string parent() const;
  bool is_root() const noexcept { return path_ == "/"; }
  bool is_root_level() const;
  /// The number of parts of the path; 0 for the root or no path.
  std::size_t depth() const;

  ResourceUrl& set_type(std::string type);
  ResourceUrl& set_node(std::optional<std::uint64_t> node);
  ResourceUrl& set_bucket(Bucket bucket);
  /// Appends one part to the path. Errors (InvalidArgument): a part that cannot stand in a path.
  Status PushDir(std::string_view part);
  /// Removes the last part of the path and returns it; empty at the root.
  std::string PopDir();
  /// The URL one level up, without options; the root's is the root.
  ResourceUrl Parent() const;

  std::optional<std::string> option(std::string_view name) const;
  ResourceUrl& set_option(std::string name, std::string value);
  ResourceUrl& remove_option(std::string_view name);
  /// Sorted by name; of a name given twice the last value counts.
  const std::map<std::string, std::string, std::less<>>& options() const noexcept {
    return options_;
  }

  /// The whole URL, options sorted by name. Parse gives an equal URL back.
  std::string ToString() const;
  /// "[0x..]/dir/name": what names the resource itself, without type, node and options. The path
  /// alone when the bucket is unspecified.
  std::string BucketPath() const;
  /// The path with '-' for '/', for file names: "/a/b" gives "-a-b".
  std::string Dashify() const;

  friend bool operator==(const ResourceUrl&, const ResourceUrl&) = default;

 private:
  class Parser;
  // Small letters, aliases, and references below /local: the one form that equality goes by.
  void Normalize();

  std::string type_ = "ref";
  std::optional<std::uint64_t> node_;
  Bucket bucket_;
  std::string path_;
  std::map<std::string, std::string, std::less<>> options_;
};

}  // namespace cirein
