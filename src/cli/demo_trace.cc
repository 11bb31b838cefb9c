// SPDX-License-Identifier: Apache-2.0

// The step of the demonstration that records requests and plays them back.

#include <chrono>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/demo.h"
#include "cli/trace_player.h"
#include "runtime/file.h"

namespace cirein {
namespace {

// Everything in a pool, with sizes, each as one text.
Result<std::set<std::string>> Contents(Pool& pool) {
  std::set<std::string> contents;
  ListOptions options;
  do {
    CIREIN_ASSIGN_OR_RETURN(ListPage page, pool.List(Pattern::RowPrefix(""), options));
    for (const ListedObject& object : page.objects) {
      contents.insert(fmt::format("{}|{} {} {}", object.key.row(), object.key.column(),
                                  object.meta_bytes, object.data_bytes));
    }
    options.cursor = std::move(page.next);
  } while (!options.cursor.empty());
  return contents;
}

Status Record(DemoStage& stage, Pool& recorder) {
  for (const DemoFile& file : stage.files) {
    CIREIN_ASSIGN_OR_RETURN(DataObject object, DataObject::FromString(file.bytes, file.path()));
    CIREIN_RETURN_IF_ERROR(recorder.Publish(file.key(), std::move(object)).status());
    CIREIN_RETURN_IF_ERROR(recorder.Need(file.key()).status());
  }
  return recorder.Drop(stage.first().key()).status();
}

}  // namespace

Result<std::string> DemoTrace(DemoStage& stage) {
  const std::string path = stage.scratch + "/trace";
  ResourceUrl url;
  url.set_type("trace").set_option("file", path).set_option("next_pool", "local:[demo-recorded]");
  CIREIN_RETURN_IF_ERROR(url.PushDir("demo"));
  CIREIN_ASSIGN_OR_RETURN(Pool recorder, Connect(url));
  CIREIN_RETURN_IF_ERROR(Record(stage, recorder));

  CIREIN_ASSIGN_OR_RETURN(const TraceReader trace, TraceReader::Open(path + ".0"));
  CIREIN_ASSIGN_OR_RETURN(Pool replica, Connect("local:[demo-played]"));
  TracePlayer player(replica, std::chrono::seconds(10), InterruptFlag::Install());
  const TracePlayResult played = player.Play(trace, TracePlayer::Speed::kFull);
  CIREIN_RETURN_IF_ERROR(played.first_error);

  CIREIN_ASSIGN_OR_RETURN(const auto recorded, Contents(recorder));
  CIREIN_ASSIGN_OR_RETURN(const auto replayed, Contents(replica));
  if (recorded != replayed || recorded.size() != stage.files.size() - 1) {
    return Internal(fmt::format("{} objects were recorded and {} played back", recorded.size(),
                                replayed.size()));
  }
  stage.say(fmt::format("   {} requests recorded and played: the same {} names and sizes",
                        trace.count(), replayed.size()));
  return fmt::format("{} requests, {} objects", trace.count(), replayed.size());
}

}  // namespace cirein
