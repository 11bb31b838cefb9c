// SPDX-License-Identifier: Apache-2.0
#include "pool/copy_cache.h"

#include <array>
#include <iterator>
#include <utility>
#include <variant>
#include <vector>

#include "base/hash.h"
#include "object/object_messages.h"

namespace cirein {
namespace {

using std::chrono::nanoseconds;

// Two clocks may run this much apart: a copy is used for so much less than it is lent.
constexpr int kDriftPart = 64;
// What a copy takes besides its object and its name, about.
constexpr std::uint64_t kCopyBytes = 256;

std::string NameOf(const Key& key) {
  const std::uint32_t parts[] = {key.bucket().id(), key.has_column() ? 1U : 0U,
                                 static_cast<std::uint32_t>(key.row().size())};
  std::string name(reinterpret_cast<const char*>(parts), sizeof parts);  // NOLINT: bytes as text.
  return name.append(key.row()).append(key.column());
}

}  // namespace

CopyCache::OfConnection::OfConnection(const CopyCache& cache, const fabric::Connection& connection)
    : table_(cache.table_), connection_(&connection) {
  const std::lock_guard lock(table_->mutex);
  table_->homes.insert_or_assign(connection_, this);
}

CopyCache::OfConnection::~OfConnection() {
  Copies gone;
  const std::lock_guard lock(table_->mutex);
  // Another connection may be where this one was.
  if (const auto found = table_->homes.find(connection_);
      found != table_->homes.end() && found->second == this) {
    table_->homes.erase(found);
  }
  while (!copies_.empty()) table_->Remove(copies_.begin()->second, gone);
}

std::optional<NamedObject> CopyCache::OfConnection::Find(const Key& key) {
  Copies gone;
  const std::lock_guard lock(table_->mutex);
  if (copies_.empty()) return std::nullopt;
  const auto found = copies_.find(NameOf(key));
  if (found == copies_.end()) return std::nullopt;
  const TimePoint now = table_->own_clock.Now();
  const Copies::iterator copy = found->second;
  if (copy->end <= now) {
    table_->Remove(copy, gone);
    return std::nullopt;
  }
  table_->copies.splice(table_->copies.begin(), table_->copies, copy);
  ++table_->hits;
  NamedObject named = copy->named;
  // Its lease ends before it does.
  if (named.info.ttl) *named.info.ttl -= now - copy->kept;
  return named;
}

CopyCache::Reading CopyCache::OfConnection::Begin(const Key& key) {
  const std::size_t counter = Hash64(NameOf(key)) % kRecallCounters;
  const std::lock_guard lock(table_->mutex);
  return {table_->own_clock.Now(), recalls_[counter]};
}

void CopyCache::OfConnection::Keep(const Key& key, const Reading& reading, const NamedObject& named,
                                   nanoseconds lease) {
  std::string name = NameOf(key);
  const std::size_t counter = Hash64(name) % kRecallCounters;
  const std::uint64_t bytes = named.object.user_bytes() + name.size() + kCopyBytes;
  const std::uint64_t limit = table_->options.limit_bytes;
  Copies gone;
  const std::lock_guard lock(table_->mutex);
  if (recalls_[counter] != reading.recalls || bytes > limit) return;
  const TimePoint now = table_->own_clock.Now();
  const TimePoint end = reading.begun + (lease - lease / kDriftPart);
  if (end <= now) return;
  if (const auto old = copies_.find(name); old != copies_.end()) table_->Remove(old->second, gone);
  Copies& all = table_->copies;
  while (table_->bytes + bytes > limit) table_->Remove(std::prev(all.end()), gone);
  all.push_front({this, name, named, now, end, bytes});
  all.front().named.info.availability = Availability::kLocalMemory;
  table_->bytes += bytes;
  copies_.emplace(std::move(name), all.begin());
}

void CopyCache::Table::Remove(Copies::iterator copy, Copies& gone) {
  bytes -= copy->bytes;
  copy->home->copies_.erase(copy->name);
  gone.splice(gone.begin(), copies, copy);
}

CopyCache::CopyCache(const Clock& clock, const Options& options)
    : table_(std::make_shared<Table>(clock, options)) {}

CopyCache::~CopyCache() = default;

bool CopyCache::enabled() const noexcept { return table_->options.limit_bytes != 0; }

CopyCache::Stats CopyCache::GetStats() const {
  const std::lock_guard lock(table_->mutex);
  return {table_->copies.size(), table_->bytes, table_->hits, table_->recalls};
}

std::uint64_t CopyCache::Forget(const fabric::Connection& connection, const Key& key) {
  const std::string name = NameOf(key);
  Copies gone;
  const std::lock_guard lock(table_->mutex);
  ++table_->recalls;
  const auto home = table_->homes.find(&connection);
  if (home == table_->homes.end()) return 0;
  OfConnection& here = *home->second;
  ++here.recalls_[Hash64(name) % OfConnection::kRecallCounters];
  const auto found = here.copies_.find(name);
  if (found == here.copies_.end()) return 0;
  table_->Remove(found->second, gone);
  return 1;
}

void CopyCache::Connected(const std::shared_ptr<fabric::Connection>& /*connection*/) {}

void CopyCache::Message(const std::shared_ptr<fabric::Connection>& /*connection*/,
                        std::span<const std::byte> /*message*/) {}

void CopyCache::Request(const std::shared_ptr<fabric::Connection>& connection,
                        fabric::RequestId request, std::span<const std::byte> message) {
  wire::Reply reply = Unimplemented("a client serves nobody");
  const Result<wire::Request> decoded = wire::DecodeRequest(message);
  if (!decoded.ok()) {
    reply = decoded.status();
  } else if (const auto* recall = std::get_if<wire::RecallRequest>(&*decoded)) {
    reply = Forget(*connection, recall->key);
  }
  const std::vector<std::byte> bytes = wire::Encode(reply);
  const std::array<std::span<const std::byte>, 1> parts = {bytes};
  // Not sent, the owner waits for the end of the lease.
  (void)connection->Reply(request, parts);
}

// What is lent is lent until its time, though its owner can call it back no more.
void CopyCache::Closed(const std::shared_ptr<fabric::Connection>& /*connection*/,
                       const Status& /*why*/) {}

}  // namespace cirein
