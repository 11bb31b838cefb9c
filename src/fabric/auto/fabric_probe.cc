// SPDX-License-Identifier: Apache-2.0
#include "fabric/auto/fabric_probe.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "runtime/real_clock.h"

namespace cirein::fabric {
namespace {

constexpr std::chrono::seconds kLimit{5};
constexpr std::size_t kRounds = 101;

/// Answers with the same bytes.
class Echo final : public Service {
 public:
  void Connected(const std::shared_ptr<Connection>& /*connection*/) override {}
  void Message(const std::shared_ptr<Connection>& /*connection*/,
               std::span<const std::byte> /*message*/) override {}
  void Request(const std::shared_ptr<Connection>& connection, RequestId request,
               std::span<const std::byte> message) override {
    static_cast<void>(connection->Reply(request, {&message, 1}).ok());
  }
  void Closed(const std::shared_ptr<Connection>& /*connection*/, const Status& /*why*/) override {}
};

/// Runs the home until something is there.
template <typename T>
Result<T> Await(Reactor& home, const std::shared_ptr<std::optional<Result<T>>>& there) {
  const TimePoint end = home.clock().Now() + 2 * kLimit;
  while (!there->has_value()) {
    if (home.clock().Now() >= end) return DeadlineExceeded("a fabric does not keep its deadlines");
    home.RunOnce();
  }
  return std::move(**there);
}

Result<std::chrono::nanoseconds> AskOnce(Reactor& home, Connection& connection) {
  auto answered = std::make_shared<std::optional<Result<TimePoint>>>();
  const std::span<const std::byte> nothing;
  const TimePoint begin = home.clock().Now();
  CIREIN_RETURN_IF_ERROR(connection.Request(
      {&nothing, 1}, kLimit, [answered, &home](const Result<std::span<const std::byte>>& reply) {
        *answered = reply.ok() ? Result<TimePoint>(home.clock().Now()) : reply.status();
      }));
  CIREIN_ASSIGN_OR_RETURN(const TimePoint end, Await(home, answered));
  return end - begin;
}

}  // namespace

Result<FabricProbe> ProbeFabric(const AutoOptions& options) {
  CIREIN_ASSIGN_OR_RETURN(const std::unique_ptr<Reactor> home,
                          Reactor::Create(RealClock::Instance()));
  Echo echo;
  CIREIN_ASSIGN_OR_RETURN(const auto listens, AutoTransport::Create(*home, options));
  AutoOptions other = options;
  other.shm.name.clear();
  other.ofi.listen.port = 0;
  // Not twice what one process would take.
  other.ofi.registered_bytes_at_start = 0;
  CIREIN_ASSIGN_OR_RETURN(const auto asks, AutoTransport::Create(*home, std::move(other)));
  CIREIN_RETURN_IF_ERROR(listens->Listen(echo));
  auto connected = std::make_shared<std::optional<Result<std::shared_ptr<Connection>>>>();
  CIREIN_RETURN_IF_ERROR(asks->Connect(listens->address(), echo, kLimit,
                                       [connected](Result<std::shared_ptr<Connection>> connection) {
                                         *connected = std::move(connection);
                                       }));
  CIREIN_ASSIGN_OR_RETURN(const std::shared_ptr<Connection> connection, Await(*home, connected));
  std::vector<std::chrono::nanoseconds> times;
  for (std::size_t i = 0; i < kRounds; ++i) {
    CIREIN_ASSIGN_OR_RETURN(const std::chrono::nanoseconds time, AskOnce(*home, *connection));
    times.push_back(time);
  }
  std::nth_element(times.begin(), times.begin() + kRounds / 2, times.end());
  return FabricProbe{.reason = listens->reason(), .round_trip = times[kRounds / 2]};
}

}  // namespace cirein::fabric
