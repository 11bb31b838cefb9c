// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fabric/transport.h"
#include "object/striped_store.h"
#include "pool/member_link.h"
#include "pool/pending.h"
#include "pool/routed_pool.h"
#include "pool/store_pool.h"
#include "simulation/history.h"
#include "simulation/want_ledger.h"
#include "simulation/world.h"

namespace cirein::simulation {

/// What all clients of a pool's run share: the pool, how it is used, and what they saw.
struct PoolsWork {
  World& world;
  /// The pool. To let the seed choose more of it, add to these, and to PoolsClient::MakePool.
  std::string_view type = "dht";
  StorePoolOptions options = {};
  std::vector<fabric::Address> members = {};  ///< "sim://" with the machine's name.

  std::vector<std::string> rows = {};
  std::size_t random_rows = 1;       ///< So many of them are used at random, the others by tasks.
  std::vector<Column> columns = {};  ///< Of each row.
  std::uint32_t lanes = 1;           ///< Operations that a client has under way at once.
  std::uint64_t data_bytes_max = 1;
  bool uses_ttl = false;
  std::chrono::nanoseconds pause{1};  ///< Between two operations of a lane, on average.

  History history = {};
  WantLedger wants = {};
  ValueId last_value = 0;
  WantId last_want = 0;

  /// Operations whose end was never learnt. Nothing of them was sent after `given_up`.
  struct Lost {
    OperationId id = 0;
    TimePoint given_up{};
  };
  std::vector<Lost> lost = {};

  /// Which member owns a row, for a client of this rank.
  MemberRoute RouteOf(std::uint64_t rank) const;
};

/// A row's name in the history: rows of one name at two members are two rows.
std::string RowInHistory(std::string_view row, std::size_t member);

/// One thing that a client is told to do until it knows how it ended.
struct PoolsTask {
  enum class Kind : std::uint8_t {
    kRead,
    kRowInfo,
    kListAll,
    kWant,
    kWantRows,
    kPublish,
    kDropAll
  };
  Kind kind = Kind::kRead;
  std::string row = {};  ///< Of kWantRows: what they begin with.
  Column column = {};
};

/// What is known of a client over its processes.
struct PoolsClientLedger {
  ClientId id = {};
  std::uint64_t rank = 0;
  std::uint32_t begun = 0;
  std::uint32_t wanted = 0;  ///< Random operations, before it is done.
  std::uint32_t under_way = 0;
  struct OpenWant {
    TimePoint deadline = kEndOfTime;
    bool patient = false;  ///< Waits until the end of the run.
    std::string row = {};  ///< A key that would answer it.
    Column column = {};
  };
  std::map<WantId, OpenWant> open_wants = {};
  std::set<OperationId> open_operations = {};
  std::deque<PoolsTask> tasks = {};  ///< Come before random operations.

  std::size_t patient_wants() const;
  /// But for its patient wants.
  bool done() const {
    return under_way == 0 && open_wants.size() == patient_wants() && tasks.empty() &&
           begun >= wanted;
  }
};

/// A user of a pool with members in other processes: the shipped backends and the shipped
/// deadlines, without the process around them. Asks at random, several things at once, and writes
/// down what it sees.
class PoolsClient {
 public:
  /// A member of the pool in this very process.
  struct OwnMember {
    std::size_t place = 0;
    std::shared_ptr<StripedStore> store;
  };

  /// The others outlive it.
  PoolsClient(Process& process, PoolsWork& work, PoolsClientLedger& ledger,
              std::optional<OwnMember> own);
  ~PoolsClient();
  PoolsClient(const PoolsClient&) = delete;
  PoolsClient& operator=(const PoolsClient&) = delete;

  static Bucket bucket() { return Bucket(9); }

  /// Operations that nobody has answered yet: at the user's side of deadlines, and behind it.
  std::uint64_t pending() const { return table_.count(); }
  std::uint64_t unanswered() const { return unanswered_; }

 private:
  class Lane;
  friend class Lane;

  /// The simulated network as pools see it: ends what is under way when the process leaves it.
  class SimulatedNetwork final : public Network {
   public:
    explicit SimulatedNetwork(fabric::Transport& transport) : transport_(transport) {}
    Status Connect(const fabric::Address& address, Deadline deadline,
                   ObjectClient::ConnectCallback done) override;
    void Leave();

   private:
    fabric::Transport& transport_;
    std::uint64_t last_attempt_ = 0;
    std::map<std::uint64_t, ObjectClient::ConnectCallback> attempts_;
  };

  std::shared_ptr<PoolBackend> MakePool(const std::optional<OwnMember>& own);
  /// As a handle does it: `ask` is given to the backend, which must answer once; `done` hears of
  /// that, or of the deadline.
  template <typename T>
  Operation Ask(const char* what, Deadline deadline, std::function<void(Result<T>)> done,
                const std::function<Operation(std::function<void(Result<T>)>)>& ask);
  void Unexpected(const std::string& what, const Status& status);

  Process& process_;
  const Environment environment_;
  PoolsWork& work_;
  PoolsClientLedger& ledger_;
  const MemberRoute route_;
  PendingTable table_;
  SimulatedNetwork network_;
  std::shared_ptr<PoolBackend> pool_;
  std::uint64_t unanswered_ = 0;
  bool ending_ = false;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace cirein::simulation
