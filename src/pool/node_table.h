// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "node/node.h"

namespace cirein {

/// The embedded nodes of a process, by the path of their pool: all connections to one pool share
/// its node, which is closed when the last of them has gone.
///
/// Thread-safe. Opening and closing a pool block the others that want to: a pool that is being
/// closed cannot be opened yet.
class NodeTable : public std::enable_shared_from_this<NodeTable> {
 public:
  using Open = std::function<Result<std::shared_ptr<node::Node>>()>;
  /// The node of this pool, opened by `open` if there is none. Unavailable after CloseAll.
  Result<std::shared_ptr<node::Node>> Share(const std::string& path, const Open& open);

  /// Closes all nodes; those who still hold one find it closed.
  void CloseAll();
  /// Visits each that is open, with the path of its pool. None is opened or closed meanwhile, and
  /// nobody keeps one alive who does not use it; so `visit` must not come back here.
  using Visit = std::function<void(const std::string& path, node::Node& node)>;
  void Each(const Visit& visit) const;

 private:
  struct Entry {
    std::shared_ptr<node::Node> node;
    std::weak_ptr<node::Node> users;
  };
  void Release(const std::string& path);

  mutable std::mutex mutex_;
  std::map<std::string, Entry> nodes_;
  bool closed_ = false;
};

}  // namespace cirein
