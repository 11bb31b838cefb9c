// SPDX-License-Identifier: Apache-2.0
#include "simulation/row_model.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

namespace cirein::simulation {
namespace {

static_assert(std::has_unique_object_representations_v<RowCell>);

using Kind = RowStep::Kind;

std::vector<Column> ColumnsOf(const Call& call) {
  return std::visit(
      Overloaded{[](const PublishCall& publish) { return std::vector<Column>{publish.column}; },
                 [](const GroupCall& group) {
                   std::vector<Column> columns;
                   for (const GroupItem& item : group.items) columns.push_back(item.column);
                   return columns;
                 },
                 [](const GetCall& get) { return std::vector<Column>{get.column}; },
                 [](const InfoCall& info) { return std::vector<Column>{info.column}; },
                 [](const auto&) { return std::vector<Column>{}; }},
      call);
}

// The versions that answers show together with values. Of two that contradict each other the
// writer's own counts: the other is then seen not to fit.
KnownVersions VersionsIn(const std::vector<Record>& records) {
  KnownVersions versions;
  for (const Record& record : records) {
    const auto* const published =
        record.outcome ? std::get_if<Published>(&*record.outcome) : nullptr;
    if (published == nullptr) continue;
    if (const auto* const publish = std::get_if<PublishCall>(&record.call);
        publish != nullptr && published->versions.size() == 1) {
      versions.emplace(publish->value, published->versions[0]);
    }
    if (const auto* const group = std::get_if<GroupCall>(&record.call);
        group != nullptr && published->versions.size() == group->items.size()) {
      for (std::size_t i = 0; i < group->items.size(); ++i) {
        versions.emplace(group->items[i].value, published->versions[i]);
      }
    }
  }
  for (const Record& record : records) {
    const auto* const got = record.outcome ? std::get_if<Got>(&*record.outcome) : nullptr;
    if (got != nullptr && got->value != kNoValue && got->version) {
      versions.emplace(got->value, *got->version);
    }
  }
  return versions;
}

bool IsThere(const RowState& state, std::uint32_t column) {
  return state[column].value != kNoValue;
}

// May the value in the cell have this version, as far as is known?
bool MayHave(const RowCell& cell, Version version) {
  return cell.version_known != 0 ? cell.version == version : version > cell.highest;
}

void Learn(RowCell& cell, Version version) {
  cell.version_known = 1;
  cell.version = version;
  cell.highest = std::max(cell.highest, version);
}

// A cell without an object has the version zero.
bool MayCompareEqual(const RowCell& cell, Version version) {
  if (cell.value == kNoValue) return version == Version{};
  return version != Version{} && MayHave(cell, version);
}

// Is there a doubt that comparing tells equal? Where the version is unknown both answers may be.
bool MayDiffer(const RowCell& cell, Version version) {
  if (cell.value == kNoValue) return version != Version{};
  return cell.version_known == 0 || cell.version != version;
}

Effect CheckWrite(const RowState& state, const RowStep& step) {
  for (const RowStep::Item& item : step.items) {
    const RowCell& cell = state[item.column];
    if (step.mode == WriteMode::kOnce && cell.value != kNoValue) return Effect::kImpossible;
    Version highest = cell.highest;
    if (step.mode == WriteMode::kIfVersion) {
      if (!MayCompareEqual(cell, step.version)) return Effect::kImpossible;
      highest = std::max(highest, step.version);
    }
    if (item.version && *item.version <= highest) return Effect::kImpossible;
  }
  return step.items.empty() ? Effect::kUnchanged : Effect::kChanges;
}

void ApplyWrite(RowState& state, const RowStep& step) {
  for (const RowStep::Item& item : step.items) {
    RowCell& cell = state[item.column];
    // What it was compared with may have been unknown; the next version is higher.
    if (step.mode == WriteMode::kIfVersion) cell.highest = std::max(cell.highest, step.version);
    cell.value = item.value;
    cell.version_known = 0;
    cell.version = {};
    if (item.version) Learn(cell, *item.version);
  }
}

Effect CheckInfo(const RowCell& cell, Version version) {
  if (!MayCompareEqual(cell, version)) return Effect::kImpossible;
  const bool learns = cell.value != kNoValue && cell.version_known == 0;
  return learns ? Effect::kChanges : Effect::kUnchanged;
}

Effect CheckGet(const RowCell& cell, const RowStep::Item& item) {
  if (cell.value != item.value) return Effect::kImpossible;
  if (item.value == kNoValue || !item.version) return Effect::kUnchanged;
  if (!MayHave(cell, *item.version)) return Effect::kImpossible;
  return cell.version_known != 0 ? Effect::kUnchanged : Effect::kChanges;
}

std::uint64_t CountOf(const RowState& state, const std::vector<std::uint32_t>& columns) {
  std::uint64_t count = 0;
  for (const std::uint32_t column : columns)
    if (IsThere(state, column)) ++count;
  return count;
}

Effect CheckDrop(const RowState& state, const RowStep& step) {
  const std::uint64_t count = CountOf(state, step.columns);
  if (step.count && *step.count != count) return Effect::kImpossible;
  return count == 0 ? Effect::kUnchanged : Effect::kChanges;
}

// The object without column is counted apart: what is left of the count are the columns.
bool RowInfoFits(const RowState& state, const RowStep& step) {
  std::uint64_t expected = *step.count;
  bool has_object = false;
  for (const RowStep::Item& without : step.items) has_object = IsThere(state, without.column);
  if (has_object != step.has_object) return false;
  if (has_object) ++expected;
  return CountOf(state, step.columns) == expected;
}

void ClearCell(RowCell& cell) {
  cell.value = kNoValue;
  cell.version_known = 0;
  cell.version = {};
}

void MakeImpossible(RowStep& step) {
  step.kind = Kind::kImpossible;
  step.items.clear();
}

void AddPublished(RowStep& step, const Published& published) {
  if (step.kind != Kind::kWrite) return MakeImpossible(step);
  if (published.versions.empty()) return;
  if (published.versions.size() != step.items.size()) return MakeImpossible(step);
  for (std::size_t i = 0; i < step.items.size(); ++i) {
    step.items[i].version = published.versions[i];
  }
}

void AddOutcome(RowStep& step, const Outcome& outcome) {
  const auto expect = [&step](bool fits) {
    if (!fits) MakeImpossible(step);
  };
  std::visit(Overloaded{[&](const Published& published) { AddPublished(step, published); },
                        [&](const Existed&) {
                          expect(step.kind == Kind::kWrite && step.mode == WriteMode::kOnce);
                          if (step.kind == Kind::kWrite) step.kind = Kind::kExists;
                        },
                        [&](const VersionDiffered&) {
                          expect(step.kind == Kind::kWrite && step.mode == WriteMode::kIfVersion);
                          if (step.kind == Kind::kWrite) step.kind = Kind::kDiffers;
                        },
                        [&](const Got& got) {
                          expect(step.kind == Kind::kGet);
                          if (step.kind != Kind::kGet) return;
                          step.items[0].value = got.value;
                          step.items[0].version = got.version;
                        },
                        [&](const DroppedObjects& dropped) {
                          expect(step.kind == Kind::kDrop);
                          step.count = dropped.count;
                        },
                        [&](const DroppedUncounted&) { expect(step.kind == Kind::kDrop); },
                        [&](const InfoSeen& info) {
                          expect(step.kind == Kind::kInfo);
                          step.version = info.version;
                        },
                        [&](const RowSeen& row) {
                          expect(step.kind == Kind::kRowInfo);
                          step.count = row.columns;
                          step.has_object = row.has_object;
                        },
                        [&](const Refused&) { step = RowStep(); }},
             outcome);
}

}  // namespace

RowModel::RowModel(const std::vector<Record>& records) : versions_(VersionsIn(records)) {
  std::set<Column> columns;
  for (const Record& record : records) {
    for (Column& column : ColumnsOf(record.call)) columns.insert(std::move(column));
  }
  columns_.assign(columns.begin(), columns.end());
}

std::optional<std::uint32_t> RowModel::NumberOf(const Column& column) const {
  const auto place = std::lower_bound(columns_.begin(), columns_.end(), column);
  if (place == columns_.end() || *place != column) return std::nullopt;
  return static_cast<std::uint32_t>(place - columns_.begin());
}

std::optional<Version> RowModel::VersionOf(ValueId value) const {
  const auto known = versions_.find(value);
  if (known == versions_.end()) return std::nullopt;
  return known->second;
}

std::vector<std::uint32_t> RowModel::Matching(const DropCall& drop) const {
  std::vector<std::uint32_t> matching;
  for (std::uint32_t number = 0; number < columns_.size(); ++number) {
    const Column& column = columns_[number];
    const bool matches = [&] {
      switch (drop.match) {
        case Pattern::ColumnMatch::kNone:
          return !column.has_value();
        case Pattern::ColumnMatch::kExact:
          return column == drop.column;
        case Pattern::ColumnMatch::kPrefix:
          return column.has_value() && column->starts_with(drop.column);
        case Pattern::ColumnMatch::kAll:
          return true;
      }
      return false;
    }();
    if (matches) matching.push_back(number);
  }
  return matching;
}

bool RowModel::AddItem(RowStep& step, const Column& column, ValueId value) const {
  const auto number = NumberOf(column);
  if (!number) return false;
  step.items.push_back({*number, value, VersionOf(value)});
  const auto place = std::lower_bound(step.columns.begin(), step.columns.end(), *number);
  if (place != step.columns.end() && *place == *number) return false;
  step.columns.insert(place, *number);
  return true;
}

RowStep RowModel::CompileCall(const Call& call) const {
  RowStep step;
  bool fits = true;
  std::visit(Overloaded{[&](const PublishCall& publish) {
                          step.kind = Kind::kWrite;
                          step.mode = publish.mode;
                          step.version = publish.mode == WriteMode::kIfVersion ? publish.if_version
                                                                               : Version{};
                          fits = AddItem(step, publish.column, publish.value);
                        },
                        [&](const GroupCall& group) {
                          step.kind = Kind::kWrite;
                          step.mode = group.mode;
                          fits = group.mode != WriteMode::kIfVersion;
                          for (const GroupItem& item : group.items) {
                            fits = AddItem(step, item.column, item.value) && fits;
                          }
                        },
                        [&](const GetCall& get) {
                          step.kind = Kind::kGet;
                          fits = AddItem(step, get.column, kNoValue);
                        },
                        [&](const DropCall& drop) {
                          step.kind = Kind::kDrop;
                          step.columns = Matching(drop);
                        },
                        [&](const InfoCall& info) {
                          step.kind = Kind::kInfo;
                          fits = AddItem(step, info.column, kNoValue);
                        },
                        [&](const RowInfoCall&) {
                          step.kind = Kind::kRowInfo;
                          step.columns = Matching({});
                          if (const auto without = NumberOf(std::nullopt)) {
                            step.items.push_back({*without});
                          }
                        }},
             call);
  if (!fits) MakeImpossible(step);
  return step;
}

RowStep RowModel::Compile(const Call& call, const std::optional<Outcome>& outcome) const {
  RowStep step = CompileCall(call);
  if (outcome) {
    if (step.kind != Kind::kImpossible) AddOutcome(step, *outcome);
  } else if (step.kind == Kind::kGet || step.kind == Kind::kInfo || step.kind == Kind::kRowInfo) {
    step = RowStep();
  }
  return step;
}

RowStep RowModel::Expiry(const Column& column, ValueId value) const {
  RowStep step{.kind = Kind::kExpire, .items = {}, .columns = {}};
  if (!AddItem(step, column, value)) MakeImpossible(step);
  return step;
}

Effect RowModel::Check(const RowState& state, const RowStep& step) {
  const auto possible_if = [](bool possible) {
    return possible ? Effect::kUnchanged : Effect::kImpossible;
  };
  switch (step.kind) {
    case Kind::kImpossible:
      return Effect::kImpossible;
    case Kind::kNothing:
      return Effect::kUnchanged;
    case Kind::kWrite:
      return CheckWrite(state, step);
    case Kind::kExists:
      return possible_if(CountOf(state, step.columns) != 0);
    case Kind::kDiffers:
      return possible_if(MayDiffer(state[step.items[0].column], step.version));
    case Kind::kGet:
      return CheckGet(state[step.items[0].column], step.items[0]);
    case Kind::kInfo:
      return CheckInfo(state[step.items[0].column], step.version);
    case Kind::kDrop:
      return CheckDrop(state, step);
    case Kind::kRowInfo:
      return possible_if(RowInfoFits(state, step));
    case Kind::kExpire:
      return state[step.items[0].column].value == step.items[0].value ? Effect::kChanges
                                                                      : Effect::kUnchanged;
  }
  return Effect::kImpossible;
}

void RowModel::Apply(RowState& state, const RowStep& step) {
  switch (step.kind) {
    case Kind::kWrite:
      ApplyWrite(state, step);
      break;
    case Kind::kGet:
    case Kind::kInfo: {
      RowCell& cell = state[step.items[0].column];
      const auto version =
          step.kind == Kind::kInfo ? std::optional(step.version) : step.items[0].version;
      if (cell.value != kNoValue && version) Learn(cell, *version);
      break;
    }
    case Kind::kDrop:
      for (const std::uint32_t column : step.columns) ClearCell(state[column]);
      break;
    case Kind::kExpire: {
      RowCell& cell = state[step.items[0].column];
      if (cell.value == step.items[0].value) ClearCell(cell);
      break;
    }
    default:
      break;
  }
}

std::string RowModel::ToString(const RowState& state) const {
  std::string text;
  for (std::size_t i = 0; i < columns_.size() && i < state.size(); ++i) {
    const RowCell& cell = state[i];
    if (cell.value == kNoValue) continue;
    text += fmt::format(
        "{}{}={} @{}", text.empty() ? "" : ", ", ColumnText(columns_[i]),
        cell.value == kUnseenValue ? "an unknown write" : fmt::format("#{}", cell.value),
        cell.version_known != 0 ? cell.version.ToString() : "?");
  }
  return "{" + text + "}";
}

}  // namespace cirein::simulation
