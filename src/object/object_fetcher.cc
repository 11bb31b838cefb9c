// SPDX-License-Identifier: Apache-2.0
#include "object/object_fetcher.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/units.h"

namespace cirein {
namespace {

Deadline Left(const Clock& clock, TimePoint end) {
  if (end == kEndOfTime) return kNoDeadline;
  return std::max(end - clock.Now(), std::chrono::nanoseconds(0));
}

}  // namespace

struct ObjectFetcher::Order {
  std::vector<IncomingObject> objects;
  TimePoint end;
  std::function<bool()> wanted;
  fabric::DoneCallback done;

  std::size_t at = 0;         // Of objects: the one that is fetched.
  DataObject whole;           // What it becomes.
  std::uint64_t begun = 0;    // Bytes of it that were asked for.
  std::size_t under_way = 0;  // Pieces.
  bool stands = false;        // In standing_.
  Status status;              // The first error.
};

void ObjectFetcher::Fetch(std::vector<IncomingObject> objects, TimePoint end,
                          std::function<bool()> wanted, fabric::DoneCallback done) {
  auto order = std::make_shared<Order>();
  order->objects = std::move(objects);
  order->end = end;
  order->wanted = std::move(wanted);
  order->done = std::move(done);
  if (under_way_ >= kObjectsAtOnce) {
    waiting_.push_back(std::move(order));
    return;
  }
  Begin(order);
}

void ObjectFetcher::Begin(const OrderPtr& order) {
  ++under_way_;
  if (!NextObject(*order)) return End(order);
  Continue(order);
}

bool ObjectFetcher::NextObject(Order& order) {
  while (order.at < order.objects.size() && !order.objects[order.at].lent->has_value()) ++order.at;
  if (order.at == order.objects.size()) return false;
  const DataObject& head = *order.objects[order.at].object;
  const std::uint64_t bytes = (*order.objects[order.at].lent)->bytes;
  order.begun = 0;
  if (bytes > object_bytes_max_) {
    order.status =
        InvalidArgument(fmt::format("an object has {} bytes of data, {} at most are taken", bytes,
                                    object_bytes_max_),
                        "split it into columns of a row, or raise memory.object_limit here");
    return true;
  }
  Result<DataObject> whole = DataObject::Allocate(
      {.meta_bytes = head.meta_bytes(), .data_bytes = bytes, .type = head.type()});
  if (!whole.ok()) {
    order.status = whole.status();
    return true;
  }
  order.whole = std::move(*whole);
  std::ranges::copy(head.meta(), order.whole.mutable_meta().begin());
  return true;
}

void ObjectFetcher::Continue(const OrderPtr& order) {
  for (;;) {
    if (order->status.ok()) BeginPieces(order);
    if (order->under_way > 0 || order->stands) return;
    if (!order->status.ok()) return End(order);
    *order->objects[order->at].object = std::exchange(order->whole, DataObject());
    order->objects[order->at].lent->reset();
    if (!NextObject(*order)) return End(order);
  }
}

void ObjectFetcher::BeginPieces(const OrderPtr& order) {
  const fabric::Grant& grant = **order->objects[order->at].lent;
  while (order->under_way < kPiecesAtOnce && order->begun < grant.bytes) {
    if (!order->wanted()) {
      order->status = Cancelled("nobody waits for the object any more");
      return;
    }
    const std::uint64_t bytes = std::min(kPieceBytes, grant.bytes - order->begun);
    const auto into = order->whole.mutable_data().subspan(static_cast<std::size_t>(order->begun),
                                                          static_cast<std::size_t>(bytes));
    const Status begun = connection_->Read(grant, order->begun, into, Left(clock_, order->end),
                                           [self = shared_from_this(), order](const Status& read) {
                                             --order->under_way;
                                             --self->pieces_;
                                             if (order->status.ok()) order->status = read;
                                             self->Continue(order);
                                             self->ContinueStanding();
                                           });
    // Each piece that ends makes room, of this order or of another.
    if (begun.code() == StatusCode::kResourceExhausted && pieces_ > 0) {
      order->stands = order->under_way == 0;
      if (order->stands) standing_.push_back(order);
      return;
    }
    if (!begun.ok()) {
      order->status = begun;
      return;
    }
    order->begun += bytes;
    ++order->under_way;
    ++pieces_;
  }
}

void ObjectFetcher::ContinueStanding() {
  for (const OrderPtr& order : std::exchange(standing_, {})) {
    order->stands = false;
    Continue(order);
  }
}

void ObjectFetcher::End(const OrderPtr& order) {
  const auto self = shared_from_this();
  --under_way_;
  order->whole = DataObject();
  std::exchange(order->done, nullptr)(order->status);
  while (under_way_ < kObjectsAtOnce && !waiting_.empty()) {
    const OrderPtr next = std::move(waiting_.front());
    waiting_.pop_front();
    Begin(next);
  }
}

}  // namespace cirein
