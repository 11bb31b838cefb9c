// SPDX-License-Identifier: Apache-2.0
#include "object/row_table.h"

#include <cstring>
#include <new>
#include <tuple>

namespace cirein {
namespace {

constexpr unsigned kMinChainBits = 3;
// Shrinking only far below the size at which the table grew keeps a size that swings from
// rebuilding it again and again.
constexpr unsigned kShrinkBits = 3;

bool Before(const Row& row, std::uint64_t hash, Bucket bucket, std::string_view name) noexcept {
  if (row.hash != hash) return row.hash < hash;
  return std::forward_as_tuple(row.bucket, row.name()) < std::forward_as_tuple(bucket, name);
}

Row* NewRow(const KeyView& key) {
  void* memory = ::operator new(sizeof(Row) + key.row.size());
  Row* row = new (memory) Row;
  row->hash = key.row_hash;
  row->bucket = key.bucket;
  row->name_bytes = static_cast<std::uint32_t>(key.row.size());
  std::memcpy(static_cast<void*>(row + 1), key.row.data(), key.row.size());
  return row;
}

void FreeRow(Row* row) noexcept {
  row->~Row();
  ::operator delete(row);
}

}  // namespace

RowTable::RowTable(unsigned skip_bits)
    : skip_bits_(skip_bits), chain_bits_(kMinChainBits), chains_(std::size_t{1} << kMinChainBits) {}

RowTable::~RowTable() {
  for (Row* row : chains_) {
    while (row != nullptr) {
      Row* next = row->next;
      FreeRow(row);
      row = next;
    }
  }
}

Row* RowTable::Find(const KeyView& key) const noexcept {
  for (Row* row = chains_[ChainOf(key.row_hash)]; row != nullptr; row = row->next) {
    if (row->hash == key.row_hash && row->bucket == key.bucket && row->name() == key.row) {
      return row;
    }
  }
  return nullptr;
}

Row* RowTable::Insert(const KeyView& key) {
  if (size_ >= chains_.size()) Resize(chain_bits_ + 1);
  Row* row = NewRow(key);
  Row** link = &chains_[ChainOf(key.row_hash)];
  while (*link != nullptr && Before(**link, key.row_hash, key.bucket, key.row)) {
    link = &(*link)->next;
  }
  row->next = *link;
  *link = row;
  ++size_;
  return row;
}

void RowTable::Erase(Row* row) {
  Row** link = &chains_[ChainOf(row->hash)];
  while (*link != row) link = &(*link)->next;
  *link = row->next;
  FreeRow(row);
  --size_;
  if (chain_bits_ > kMinChainBits && size_ < (chains_.size() >> kShrinkBits)) {
    Resize(chain_bits_ - 1);
  }
}

Row* RowTable::Seek(const RowPosition& position) const noexcept {
  const std::size_t chain = ChainOf(position.hash);
  for (Row* row = chains_[chain]; row != nullptr; row = row->next) {
    if (!Before(*row, position.hash, position.bucket, position.name)) return row;
  }
  return FirstFrom(chain + 1);
}

Row* RowTable::Next(const Row* row) const noexcept {
  return row->next != nullptr ? row->next : FirstFrom(ChainOf(row->hash) + 1);
}

Row* RowTable::FirstFrom(std::size_t chain) const noexcept {
  for (; chain < chains_.size(); ++chain) {
    if (chains_[chain] != nullptr) return chains_[chain];
  }
  return nullptr;
}

void RowTable::Resize(unsigned chain_bits) {
  std::vector<Row*> chains(std::size_t{1} << chain_bits);
  chain_bits_ = chain_bits;
  // Rows come in table order, and table order is chain order: each goes to the end of its chain.
  Row** tail = nullptr;
  std::size_t tail_chain = 0;
  for (Row* row : chains_) {
    while (row != nullptr) {
      Row* next = row->next;
      const std::size_t chain = ChainOf(row->hash);
      if (tail == nullptr || chain != tail_chain) {
        tail = &chains[chain];
        tail_chain = chain;
      }
      row->next = nullptr;
      *tail = row;
      tail = &row->next;
      row = next;
    }
  }
  chains_.swap(chains);
}

std::uint64_t RowTable::RowBytes(std::size_t name_bytes) noexcept {
  constexpr std::uint64_t kAllocatorBytes = 16;     // What malloc adds and rounds, on average.
  constexpr std::uint64_t kChainBytes = 3 * 8 / 2;  // A pointer a chain, 1 to 2 chains a row.
  return sizeof(Row) + name_bytes + kAllocatorBytes + kChainBytes;
}

}  // namespace cirein
