// SPDX-License-Identifier: Apache-2.0
#include "node/connection_holder.h"

#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "object/object_messages.h"

namespace cirein::node {
namespace {

bool IsGone(const Result<std::span<const std::byte>>& answer) {
  if (!answer.ok()) return false;
  const Result<wire::Reply> reply = wire::DecodeReply(*answer);
  return reply.ok() && std::holds_alternative<std::uint64_t>(*reply);
}

}  // namespace

void ConnectionHolder::Recall(const Key& key, std::uint64_t lease) {
  const std::shared_ptr<fabric::Connection> connection = connection_.lock();
  if (connection == nullptr) return;
  const Result<std::vector<std::byte>> bytes = wire::Encode(wire::RecallRequest{key});
  if (!bytes.ok()) return;  // A key that came in a message can be sent in one.
  const std::array<std::span<const std::byte>, 1> parts = {*bytes};
  (void)connection->Request(
      parts, Deadline(longest_),
      [store = store_, key, lease](const Result<std::span<const std::byte>>& answer) {
        const std::shared_ptr<StripedStore> held = store.lock();
        if (held != nullptr && IsGone(answer)) held->Returned(key, lease);
      });
}

}  // namespace cirein::node
