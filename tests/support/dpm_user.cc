// SPDX-License-Identifier: Apache-2.0
#include "support/dpm_user.h"

#include <array>
#include <cstring>
#include <utility>

namespace cirein::test {

using dpm::EntryFields;
using dpm::EntryKind;
using dpm::EntryView;
using dpm::Index;
using dpm::Location;
using dpm::LogWriter;
using dpm::ReadEpochs;

namespace {

constexpr Bucket kBucket{7};

KeyView ViewOf(std::string_view row, const std::optional<std::string>& column) {
  KeyView key(kBucket, row);
  key.has_column = column.has_value();
  if (column) key.column = *column;
  return key;
}

}  // namespace

DpmUser::DpmUser(dpm::Dpm& pool, std::uint32_t shard)
    : pool_(pool), writer_(pool.NewWriter(shard)), reader_(pool.read_epochs().NewReader()) {}

DpmUser::~DpmUser() = default;

std::string DpmUser::Name(std::string_view row, const std::optional<std::string>& column) {
  std::string name(row);
  if (column) (name += '\0') += *column;
  return name;
}

Status DpmUser::Stage(const std::vector<Write>& group) {
  std::vector<EntryFields> fields;
  std::vector<dpm::RowRecord> rows(group.size());
  for (std::size_t i = 0; i < group.size(); ++i) {
    const Write& write = group[i];
    EntryFields entry{.kind = EntryKind::kObject,
                      .key = ViewOf(write.row, write.column),
                      .slot = SlotOfRow(write.row),
                      .version = {pool_.epoch(), ++counter_},
                      .expiry_ms = write.expiry_ms};
    if (write.kind == Write::Kind::kDrop) {
      entry.kind = EntryKind::kGone;
    } else if (write.kind != Write::Kind::kPut) {
      entry.kind = EntryKind::kRow;
      // An expiry alone hides nothing that is there, and goes on hiding what is hidden.
      Version& hidden = hide_below_.try_emplace(write.row, HiddenIn(write.row)).first->second;
      if (write.kind == Write::Kind::kDropRow) hidden = entry.version;
      rows[i] = {hidden.counter, static_cast<std::uint32_t>(hidden.epoch), 0};
      entry.data = std::as_bytes(std::span(&rows[i], 1));
    } else if (write.data.size() > pool_.superblock().large_bytes) {
      auto extent = pool_.extents().Create(entry.key, write.data.size());
      if (!extent.ok()) return extent.status();
      std::uint64_t checksum = 0;
      Status status = (*extent)->Append(std::as_bytes(std::span(write.data)));
      if (status.ok()) status = (*extent)->Finish(&checksum);
      if (!status.ok()) return status;
      entry.extent = (*extent)->number();
      entry.extent_bytes = write.data.size();
      entry.payload_checksum = checksum;
    } else {
      entry.data = std::as_bytes(std::span(write.data));
    }
    fields.push_back(entry);
  }
  std::vector<Location> locations(fields.size());
  auto staged = writer_->Stage(fields, locations);
  if (staged.ok() && *staged == LogWriter::Staged::kFull) {
    if (Status status = Commit(); !status.ok()) return status;
    staged = writer_->Stage(fields, locations);
  }
  if (staged.ok()) return OkStatus();
  for (const EntryFields& entry : fields) {
    if (entry.extent) static_cast<void>(pool_.extents().Remove(*entry.extent).ok());
  }
  return staged.status();
}

Version DpmUser::HiddenIn(const std::string& row) {
  if (!pool_.MergeAll().ok()) return {};
  const ReadEpochs::Guard guard(reader_);
  Version hidden;
  pool_.index().WalkSlot(SlotOfRow(row), [&](const Index::Found& found) {
    if (found.entry.row() == row && found.row_entry) hidden = found.row_entry.hide_below();
    return true;
  });
  return hidden;
}

Status DpmUser::Commit() { return writer_->Commit(); }

Status DpmUser::Apply(const std::vector<Write>& group) {
  if (Status status = Stage(group); !status.ok()) return status;
  return Commit();
}

Status DpmUser::Put(std::string_view row, std::string_view data) {
  return Apply({{Write::Kind::kPut, std::string(row), {}, std::string(data), {}}});
}

Status DpmUser::Drop(std::string_view row) {
  return Apply({{Write::Kind::kDrop, std::string(row), {}, {}, {}}});
}

Result<std::string> DpmUser::DataOf(const EntryView& entry) {
  if (const auto extent = entry.extent()) {
    const auto data = pool_.extents().Open(*extent, entry.data_bytes());
    if (!data.ok()) return data.status();
    if (dpm::PayloadChecksum(data->bytes) != *entry.payload_checksum()) {
      return DataLoss("an extent's bytes are not those that were written");
    }
    return std::string(reinterpret_cast<const char*>(data->bytes.data()),  // NOLINT
                       data->bytes.size());
  }
  if (!entry.PayloadIntact()) return DataLoss("a payload was damaged");
  const auto data = entry.data();
  return std::string(reinterpret_cast<const char*>(data.data()), data.size());  // NOLINT
}

Result<std::optional<std::string>> DpmUser::Get(std::string_view row,
                                                const std::optional<std::string>& column,
                                                std::uint64_t now_ms) {
  if (Status status = pool_.MergeAll(); !status.ok()) return status;
  const ReadEpochs::Guard guard(reader_);
  const auto found = pool_.Find(ViewOf(row, column), SlotOfRow(row), now_ms);
  if (!found) return std::optional<std::string>();
  const Result<std::string> data = DataOf(found->entry);
  if (!data.ok()) return data.status();
  return std::optional(*data);
}

Result<std::map<std::string, std::string>> DpmUser::All(std::uint64_t now_ms) {
  if (Status status = pool_.MergeAll(); !status.ok()) return status;
  const ReadEpochs::Guard guard(reader_);
  std::map<std::string, std::string> all;
  Status status;
  for (std::uint16_t slot = 0; slot < kSlotCount && status.ok(); ++slot) {
    pool_.index().WalkSlot(slot, [&](const Index::Found& found) {
      if (!pool_.Visible(found, slot, now_ms)) return true;
      const Result<std::string> data = DataOf(found.entry);
      if (!data.ok()) {
        status = data.status();
        return false;
      }
      std::optional<std::string> column;
      if (found.entry.has_column()) column = std::string(found.entry.column());
      if (!all.emplace(Name(found.entry.row(), column), *data).second) {
        status = Internal("the index has a key twice");
      }
      return status.ok();
    });
  }
  if (!status.ok()) return status;
  return all;
}

}  // namespace cirein::test
