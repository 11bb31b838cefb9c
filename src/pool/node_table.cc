// SPDX-License-Identifier: Apache-2.0
#include "pool/node_table.h"

#include <utility>

#include "object/finished.h"

namespace cirein {

Result<std::shared_ptr<node::Node>> NodeTable::Share(const std::string& path, const Open& open) {
  const std::lock_guard lock(mutex_);
  if (closed_) return LibraryFinished();
  Entry& entry = nodes_[path];
  if (auto shared = entry.users.lock()) return shared;
  if (entry.node == nullptr) {
    auto opened = open();
    if (!opened.ok()) {
      nodes_.erase(path);
      return opened.status();
    }
    entry.node = std::move(*opened);
  }
  std::shared_ptr<node::Node> users(
      entry.node.get(), [table = shared_from_this(), path](node::Node*) { table->Release(path); });
  entry.users = users;
  return users;
}

void NodeTable::Release(const std::string& path) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<node::Node> last;  // Gone before the lock is: then the pool can be opened again.
  const auto entry = nodes_.find(path);
  // Somebody may have asked for it again meanwhile, or it was closed with all others.
  if (entry == nodes_.end() || !entry->second.users.expired()) return;
  last = std::move(entry->second.node);
  nodes_.erase(entry);
  static_cast<void>(last->Close().ok());
}

void NodeTable::CloseAll() {
  std::vector<std::shared_ptr<node::Node>> all;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (const auto& [path, entry] : nodes_) all.push_back(entry.node);
  }
  // Without the lock: who waits is answered, and with him may go the last user of a node.
  for (const std::shared_ptr<node::Node>& each : all) static_cast<void>(each->Close().ok());
}

void NodeTable::Each(const Visit& visit) const {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  for (const auto& [path, entry] : nodes_) visit(path, *entry.node);
}

}  // namespace cirein
