// SPDX-License-Identifier: Apache-2.0

// The steps of the demonstration in which objects find their readers.

#include <chrono>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/units.h"
#include "cli/demo.h"
#include "runtime/file.h"
#include "runtime/real_clock.h"

namespace cirein {
namespace {

constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::milliseconds kMoment{50};

// The want's callback: notes what was found and when.
std::shared_ptr<DemoStage::Answer> WantAnswer(Pool& pool, const Pattern& pattern) {
  auto answer = std::make_shared<DemoStage::Answer>();
  pool.Want(pattern,
            [answer](Result<NamedObject> found) {
              answer->found = std::move(found);
              answer->when = RealClock::MonotonicNow();
              answer->arrived.Notify();
            },
            {.deadline = kPatience});
  return answer;
}

Status AwaitAnswer(DemoStage& stage, DemoStage::Answer& answer, TimePoint published) {
  answer.arrived.WaitUntil(RealClock::Instance().EndOf(kPatience));
  if (!answer.arrived.HasHappened()) return Internal("a want was not answered");
  CIREIN_RETURN_IF_ERROR(answer.found.status());
  const auto after = std::max(answer.when - published, std::chrono::nanoseconds::zero());
  stage.say(fmt::format(
      "   called back with \"{}\", {}, {} after its publish began", answer.found->key.ToString(),
      BytesForPeople(answer.found->object.data_bytes()), DurationForPeople(after)));
  return OkStatus();
}

}  // namespace

Result<std::string> DemoWant(DemoStage& stage) {
  stage.wanted_key = WantAnswer(stage.pool, stage.first().key());
  stage.wanted_prefix = WantAnswer(stage.pool, Pattern::ColumnPrefix(stage.last().directory, ""));
  stage.say(fmt::format("   wanted: \"{}\", and whatever comes first into \"{}\"",
                        stage.first().key().ToString(), stage.last().directory));
  if (stage.wanted_key->arrived.HasHappened() || stage.wanted_prefix->arrived.HasHappened()) {
    return Internal("a want was answered before anything was published");
  }
  return std::string("2 wants are waiting");
}

Result<std::string> DemoPublish(DemoStage& stage) {
  TimePoint first_publish{};
  TimePoint last_row_publish{};
  for (const DemoFile& file : stage.files) {
    CIREIN_ASSIGN_OR_RETURN(DataObject object, DataObject::FromString(file.bytes, file.path()));
    const TimePoint begin = RealClock::MonotonicNow();
    if (&file == &stage.first()) first_publish = begin;
    if (last_row_publish == TimePoint{} && file.directory == stage.last().directory) {
      last_row_publish = begin;
    }
    CIREIN_RETURN_IF_ERROR(stage.pool.Publish(file.key(), std::move(object)).status());
  }
  stage.say(fmt::format("   published {} files, {}, as row = directory, column = name",
                        stage.files.size(), BytesForPeople(stage.total_bytes())));
  CIREIN_RETURN_IF_ERROR(AwaitAnswer(stage, *stage.wanted_key, first_publish));
  CIREIN_RETURN_IF_ERROR(AwaitAnswer(stage, *stage.wanted_prefix, last_row_publish));
  if (stage.wanted_key->found->object.text() != stage.first().bytes) {
    return Internal("the want for the first file was answered with other bytes");
  }
  return fmt::format("{} published, 2 wants answered", stage.files.size());
}

Result<std::string> DemoNeed(DemoStage& stage) {
  std::size_t changed = 0;
  for (const DemoFile& file : stage.files) {
    CIREIN_ASSIGN_OR_RETURN(const DataObject object,
                            stage.pool.Need(file.key(), {.deadline = kPatience}));
    if (object.text() != file.bytes || object.meta_text() != file.path()) {
      return Internal(fmt::format("\"{}\" is not what was published", file.key().ToString()));
    }
    const Result<std::string> now =
        ReadFile(file.path(), std::max<std::size_t>(file.bytes.size() * 2, 4096));
    if (!now.ok() || *now != file.bytes) ++changed;
  }
  // The system may rewrite a file at any time; that is no fault of the store.
  std::string shown = fmt::format("{} are byte for byte the files", stage.files.size() - changed);
  if (changed > 0) shown += fmt::format(", {} changed on disk meanwhile", changed);
  stage.say("   " + shown);
  return shown;
}

Result<std::string> DemoList(DemoStage& stage) {
  ListOptions options;
  options.page_size = 10;
  std::set<std::string> listed;
  std::size_t pages = 0;
  std::uint64_t bytes = 0;
  do {
    CIREIN_ASSIGN_OR_RETURN(ListPage page, stage.pool.List(Pattern::RowPrefix("/"), options));
    for (const ListedObject& object : page.objects) {
      listed.insert(object.key.row() + "/" + object.key.column());
      bytes += object.data_bytes;
    }
    ++pages;
    options.cursor = std::move(page.next);
  } while (!options.cursor.empty());
  if (listed.size() != stage.files.size() || bytes != stage.total_bytes()) {
    return Internal(fmt::format("the list has {} objects with {} bytes", listed.size(), bytes));
  }
  for (const DemoFile& file : stage.files) {
    if (!listed.contains(file.path())) {
      return Internal(fmt::format("the list lacks \"{}\"", file.path()));
    }
  }
  std::string shown =
      fmt::format("{} objects on {} pages of up to {}", listed.size(), pages, options.page_size);
  stage.say("   " + shown);
  return shown;
}

Result<std::string> DemoInfo(DemoStage& stage) {
  CIREIN_ASSIGN_OR_RETURN(const ObjectInfo info, stage.pool.Info(stage.first().key()));
  stage.say(fmt::format("   \"{}\": meta {}, data {}, version {}, {}",
                        stage.first().key().ToString(), BytesForPeople(info.meta_bytes),
                        BytesForPeople(info.data_bytes), info.version.ToString(),
                        AvailabilityName(info.availability)));
  const std::string row = stage.BusiestDirectory();
  CIREIN_ASSIGN_OR_RETURN(const RowInfo row_info, stage.pool.RowInfo(Key(row)));
  stage.say(fmt::format("   row \"{}\": {} columns, {}", row, row_info.columns,
                        BytesForPeople(row_info.user_bytes)));
  if (info.data_bytes != stage.first().bytes.size() ||
      row_info.columns != stage.InDirectory(row).size()) {
    return Internal("sizes are not those of the files");
  }
  return fmt::format("sizes agree; the largest row has {} columns", row_info.columns);
}

Result<std::string> DemoWriteOnce(DemoStage& stage) {
  CIREIN_ASSIGN_OR_RETURN(DataObject other, DataObject::FromString("something else"));
  const Status refused = stage.pool.Publish(stage.first().key(), std::move(other)).status();
  if (refused.code() != StatusCode::kAlreadyExists) {
    return Internal("a second publish was not refused: " + refused.ToString());
  }
  stage.say("   " + refused.ToString());
  CIREIN_ASSIGN_OR_RETURN(const DataObject object, stage.pool.Need(stage.first().key()));
  if (object.text() != stage.first().bytes) return Internal("the refused publish left its bytes");
  return std::string(StatusCodeName(refused.code()));
}

Result<std::string> DemoDrop(DemoStage& stage) {
  const Key key = stage.first().key();
  CIREIN_ASSIGN_OR_RETURN(const std::uint64_t dropped, stage.pool.Drop(key));
  if (dropped != 1) return Internal(fmt::format("a drop took {} objects away", dropped));
  const Status late = stage.pool.Need(key, {.deadline = kMoment}).status();
  if (late.code() != StatusCode::kDeadlineExceeded) {
    return Internal("a need for a dropped object did not meet its deadline: " + late.ToString());
  }
  stage.say("   " + late.ToString());
  CIREIN_ASSIGN_OR_RETURN(DataObject again,
                          DataObject::FromString(stage.first().bytes, stage.first().path()));
  CIREIN_RETURN_IF_ERROR(stage.pool.Publish(key, std::move(again)).status());
  stage.say("   published again");
  return std::string(StatusCodeName(late.code()));
}

}  // namespace cirein
