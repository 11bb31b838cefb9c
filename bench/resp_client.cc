// SPDX-License-Identifier: Apache-2.0
#include "bench/resp_client.h"

#include <array>

#include <fmt/format.h>

namespace cirein::bench::resp {
namespace {

// Of so many batches the first value is looked at.
constexpr std::uint64_t kSampleEvery = 64;

ReplyCounter::Expected ExpectedOf(const Workload& workload) {
  return {workload.protocol, workload.value_bytes, KeysPerRequest(workload.operation)};
}

bool Reads(Operation operation) {
  return operation == Operation::kGet || operation == Operation::kHget ||
         operation == Operation::kMget10;
}

}  // namespace

Client::Client(const Server& server, const LoopPlan& plan, std::uint64_t seed)
    : workload_(plan.workload),
      check_values_(plan.check_values && Reads(plan.workload.operation) &&
                    plan.workload.value_bytes >= RequestEncoder::kKeyBytes),
      socket_(Connect(server.address)),
      encoder_(plan.workload, seed),
      replies_(ExpectedOf(plan.workload)) {
  encoder_.keys().StartAt(plan.first_key);
  Enter(server);
}

void Client::Enter(const Server& server) {
  if (workload_.protocol == Protocol::kMemcached) return;
  if (!server.password.empty()) {
    const std::string user = server.user.empty() ? "default" : server.user;
    AskOnce(fmt::format("*3\r\n$4\r\nAUTH\r\n${}\r\n{}\r\n${}\r\n{}\r\n", user.size(), user,
                        server.password.size(), server.password));
  }
  if (workload_.protocol == Protocol::kResp3) AskOnce("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n");
}

void Client::AskOnce(std::string_view request) {
  ReplyCounter counter({workload_.protocol, {}, 1});
  SendAll(socket_, request);
  std::array<char, 4096> buffer{};
  while (counter.replies() == 0) {
    const Received received = Receive(socket_, buffer);
    if (received.bytes.empty()) Fail("the server does not let in");
    if (!counter.Feed(received.bytes)) Fail(counter.error());
  }
}

void Client::NextBatch(Clock::time_point now, std::size_t requests) {
  unsent_ = encoder_.Next(requests);
  batch_requests_ = requests;
  expected_replies_ += requests;
  sent_at_ = now;
  if (check_values_ && ++batches_ % kSampleEvery == 1) replies_.KeepNext();
}

void Client::SendBlocking() {
  SendAll(socket_, unsent_);
  unsent_ = {};
}

bool Client::SendMore() {
  unsent_.remove_prefix(SendSome(socket_, unsent_));
  return unsent_.empty();
}

bool Client::ReceiveMore(std::span<char> buffer) {
  const Received received = Receive(socket_, buffer);
  if (received.closed) Fail("the server has closed a connection");
  if (!replies_.Feed(received.bytes)) Fail(replies_.error());
  if (replies_.replies() < expected_replies_) return false;
  if (!unsent_.empty() || replies_.replies() > expected_replies_) {
    Fail("more replies than requests");
  }
  CheckCounts();
  if (check_values_ && batches_ % kSampleEvery == 1) CheckValue();
  return true;
}

void Client::CheckValue() const {
  // A first key that is missing leaves nothing, or the value of another key.
  if (replies_.missing() == 0 && replies_.kept() != encoder_.first_key()) {
    Fail(fmt::format("the value of {} begins with {}", encoder_.first_key(), replies_.kept()));
  }
}

void Client::CheckCounts() const {
  if (workload_.operation == Operation::kMixed) return;
  const std::uint64_t values = replies_.values() + replies_.missing();
  const std::uint64_t asked =
      Reads(workload_.operation) ? expected_replies_ * KeysPerRequest(workload_.operation) : 0;
  if (values != asked) Fail(fmt::format("{} values, where {} were asked for", values, asked));
}

}  // namespace cirein::bench::resp
