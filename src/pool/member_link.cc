// SPDX-License-Identifier: Apache-2.0
#include "pool/member_link.h"

#include <utility>

#include <fmt/format.h>

namespace cirein {
namespace {

Status CannotReach(const fabric::Address& address, const Status& why) {
  return Unavailable(fmt::format("the member {} cannot be reached: {}", address, why.message()),
                     "start that member again; the pool's other members go on");
}

}  // namespace

MemberLink::~MemberLink() {
  if (client_ != nullptr) client_->Close();
}

void MemberLink::With(Use use) {
  Client client;
  {
    const std::lock_guard lock(mutex_);
    client = client_;
    if (client == nullptr) {
      waiting_.push_back(std::move(use));
      if (connecting_) return;
      connecting_ = true;
    }
  }
  if (client != nullptr) return use(client);
  const Status begun =
      network_.Connect(address_, kConnectLimit, [weak = weak_from_this()](Result<Client> made) {
        const std::shared_ptr<MemberLink> link = weak.lock();
        if (link != nullptr) link->Connected(made);
      });
  if (!begun.ok()) Connected(begun);
}

MemberLink::Client MemberLink::client() const {
  const std::lock_guard lock(mutex_);
  return client_;
}

void MemberLink::Lost(const Client& client) {
  Client ended;
  const std::lock_guard lock(mutex_);
  if (client_ == client) ended.swap(client_);
}

void MemberLink::Connected(const Result<Client>& client) {
  std::vector<Use> waiting;
  {
    const std::lock_guard lock(mutex_);
    connecting_ = false;
    if (client.ok()) client_ = *client;
    waiting.swap(waiting_);
  }
  const Result<Client> told =
      client.ok() ? client : Result<Client>(CannotReach(address_, client.status()));
  for (const Use& use : waiting) use(told);
}

}  // namespace cirein
