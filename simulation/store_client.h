// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pool/object_client.h"
#include "simulation/history.h"
#include "simulation/want_ledger.h"
#include "simulation/world.h"

namespace cirein::simulation {

/// What all clients of a store's run share: what they use, and what they saw.
struct StoreWork {
  World& world;
  std::uint32_t rows = 1;
  std::uint32_t columns = 1;  ///< Of each row, beside the object without one.
  std::uint32_t lanes = 1;    ///< Operations that a client has under way at once.
  std::uint64_t data_bytes_max = 1;
  std::uint64_t large_bytes = 0;  ///< Rarely an object has up to so many.
  bool uses_ttl = false;
  std::chrono::nanoseconds pause{0};  ///< Between two operations of a lane, on average.

  History history = {};
  WantLedger wants = {};
  ValueId last_value = 0;
  WantId last_want = 0;
};

/// One thing that a client is told to do until it knows how it ended.
struct StoreTask {
  enum class Kind : std::uint8_t { kGet, kRowInfo, kWant, kPublish };
  Kind kind = Kind::kGet;
  std::string row;
  Column column = {};
};

/// What is known of a client over its processes.
struct StoreClientLedger {
  ClientId id = {};
  std::uint32_t begun = 0;
  std::uint32_t wanted = 0;  ///< Random operations, before it is done.
  std::uint32_t under_way = 0;
  std::map<WantId, TimePoint> open_wants = {};  ///< With their deadlines.
  std::deque<StoreTask> tasks = {};             ///< Come before random operations.

  bool done() const noexcept {
    return under_way == 0 && open_wants.empty() && tasks.empty() && begun >= wanted;
  }
};

/// A client of a store: asks at random, several things at once, writes down what it sees, and
/// connects anew when a connection has ended. A value says which it is; what comes back is compared
/// byte by byte.
class StoreClient final : public Program {
 public:
  /// The others outlive it. The node is the machine "node".
  StoreClient(Process& process, StoreWork& work, StoreClientLedger& ledger);
  ~StoreClient() override;

  static constexpr std::chrono::nanoseconds kDeadline = std::chrono::seconds(5);
  static Bucket bucket() { return Bucket(9); }

 private:
  class Lane;
  friend class Lane;

  void Connect();
  void Unexpected(const std::string& what, const Status& status);

  Process& process_;
  const Environment environment_;
  StoreWork& work_;
  StoreClientLedger& ledger_;
  std::shared_ptr<ObjectClient> client_;
  bool connecting_ = false;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace cirein::simulation
