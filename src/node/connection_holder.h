// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "fabric/transport.h"
#include "object/striped_store.h"

namespace cirein::node {

/// Who is at the other end of a connection, as a holder of copies: called back with a request,
/// whose answer gives the copy back. One that ends, or gives another answer, leaves the lease to
/// its end. Thread-safe.
class ConnectionHolder final : public CopyHolder {
 public:
  /// `longest`: no lease is longer. Both may go before it.
  ConnectionHolder(std::weak_ptr<fabric::Connection> connection, std::weak_ptr<StripedStore> store,
                   std::chrono::nanoseconds longest)
      : connection_(std::move(connection)), store_(std::move(store)), longest_(longest) {}

  void Recall(const Key& key, std::uint64_t lease) override;

 private:
  const std::weak_ptr<fabric::Connection> connection_;
  const std::weak_ptr<StripedStore> store_;
  const std::chrono::nanoseconds longest_;
};

}  // namespace cirein::node
