// SPDX-License-Identifier: Apache-2.0
#include "pool/trace_pool.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/logging.h"
#include "base/text.h"
#include "pool/pool_state.h"
#include "pool/trace_record.h"
#include "runtime/append_file.h"

namespace cirein {
namespace {

/// The file and the time of the last request in it. Thread-safe: lines come in the order of their
/// times.
class TraceFile {
 public:
  /// Which connection writes it: the URL, in one life of the library.
  struct Owner {
    std::string url;
    const Process* process;
    bool operator==(const Owner&) const = default;
  };

  /// Begins the file anew.
  static Result<std::shared_ptr<TraceFile>> Open(const std::string& path, Owner owner) {
    CIREIN_ASSIGN_OR_RETURN(std::unique_ptr<AppendFile> file,
                            AppendFile::Open(path, AppendFile::Mode::kTruncate));
    const Clock& clock = owner.process->environment().clock;
    CIREIN_RETURN_IF_ERROR(file->Append(
        fmt::format("{}\n{}{}ns\n", kTraceHeader, kTraceBegan, clock.WallNow().count())));
    return std::make_shared<TraceFile>(std::move(file), std::move(owner), clock);
  }
  TraceFile(std::unique_ptr<AppendFile> file, Owner owner, const Clock& clock)
      : file_(std::move(file)), owner_(std::move(owner)), clock_(clock), last_(clock.Now()) {}

  const Owner& owner() const noexcept { return owner_; }

  void Add(TraceRecord record) { Add(std::span(&record, 1)); }

  // Requests of one instant, one after another. A full disk ends the trace, not the program that is
  // traced.
  void Add(std::span<TraceRecord> records) {
    const std::lock_guard lock(mutex_);
    if (failed_) return;
    const TimePoint now = clock_.Now();
    std::string lines;
    for (TraceRecord& record : records) {
      record.delay = now - std::exchange(last_, now);
      lines += record.ToString() + "\n";
    }
    const Status status = file_->Append(lines);
    if (status.ok()) return;
    failed_ = true;
    LogError("pool", "the trace ends here: {}", status.ToString());
  }

 private:
  std::mutex mutex_;
  const std::unique_ptr<AppendFile> file_;
  const Owner owner_;
  const Clock& clock_;
  TimePoint last_;
  bool failed_ = false;
};

/// The trace files that pools of this process write, so that none is begun anew under a pool that
/// writes it. Thread-safe; blocks while it opens one.
class TraceFiles {
 public:
  // Never destroyed: user code may connect while the process ends.
  static TraceFiles& Instance() {
    static TraceFiles& files = *new TraceFiles;
    return files;
  }

  Result<std::shared_ptr<TraceFile>> Open(const std::string& path, TraceFile::Owner owner) {
    const std::lock_guard lock(mutex_);
    std::erase_if(files_, [](const auto& entry) { return entry.second.expired(); });
    std::shared_ptr<TraceFile> file;
    if (const auto entry = files_.find(path); entry != files_.end()) file = entry->second.lock();
    if (file != nullptr) {
      // Two threads that connect to one URL at once both come here; one of the two pools will stay.
      if (file->owner() == owner) return file;
      return AlreadyExists(fmt::format("the trace {} is being written by the pool {}",
                                       QuoteForPeople(path), file->owner().url),
                           "give another file= or rank=, or let go of that pool first");
    }
    CIREIN_ASSIGN_OR_RETURN(file, TraceFile::Open(path, std::move(owner)));
    files_[path] = file;
    return file;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<TraceFile>> files_;
};

class TracePool final : public PoolBackend {
 public:
  TracePool(std::shared_ptr<TraceFile> file, std::shared_ptr<Pool::State> next)
      : next_(std::move(next)), trace_(std::move(file)) {}

  std::string_view type() const override { return "trace"; }

  Operation Publish(const Key& key, DataObject object, const PublishOptions& options,
                    PublishCallback done) override {
    trace_->Add(PublishRecord(key, object, options));
    return next().Publish(key, std::move(object), options, std::move(done));
  }
  std::optional<Result<ObjectInfo>> TryPublish(const Key& key, DataObject& object,
                                               const PublishOptions& options) override {
    TraceRecord record = PublishRecord(key, object, options);
    auto answer = next().TryPublish(key, object, options);
    if (answer) trace_->Add(std::move(record));
    return answer;
  }
  Operation PublishGroup(std::vector<PublishItem> items, const PublishOptions& options,
                         GroupCallback done) override {
    std::vector<TraceRecord> records;
    records.reserve(items.size());
    for (const PublishItem& item : items) {
      records.push_back(PublishRecord(item.key, item.object, options));
      records.back().group_left = static_cast<std::uint32_t>(items.size() - records.size() + 1);
    }
    trace_->Add(records);
    return next().PublishGroup(std::move(items), options, std::move(done));
  }
  Operation Want(const Pattern& pattern, const WantOptions& options, WantCallback done) override {
    trace_->Add(Record(TraceRecord::Verb::kWant, pattern));
    return next().Want(pattern, options, std::move(done));
  }
  std::optional<Result<DataObject>> TryNeed(const Key& key) override {
    auto answer = next().TryNeed(key);
    if (answer) trace_->Add(Record(TraceRecord::Verb::kNeed, key));
    return answer;
  }
  Operation Drop(const Pattern& pattern, Deadline deadline, DropCallback done) override {
    trace_->Add(Record(TraceRecord::Verb::kDrop, pattern));
    return next().Drop(pattern, deadline, std::move(done));
  }
  Operation Info(const Key& key, Deadline deadline, InfoCallback done) override {
    trace_->Add(Record(TraceRecord::Verb::kInfo, key));
    return next().Info(key, deadline, std::move(done));
  }
  Operation GetRowInfo(const Key& row, Deadline deadline, RowInfoCallback done) override {
    trace_->Add(Record(TraceRecord::Verb::kRowInfo, Key(row.row())));
    return next().GetRowInfo(row, deadline, std::move(done));
  }
  Operation List(const Pattern& pattern, const ListOptions& options, ListCallback done) override {
    TraceRecord record = Record(TraceRecord::Verb::kList, pattern);
    record.page_size = options.page_size;
    if (!options.cursor.empty()) record.page = TraceRecord::Page::kNext;
    trace_->Add(std::move(record));
    return next().List(pattern, options, std::move(done));
  }
  Operation Compute(const ComputeRequest& request, Deadline deadline,
                    ComputeCallback done) override {
    TraceRecord record = Record(TraceRecord::Verb::kCompute, request.pattern);
    record.function = request.function;
    record.args = request.args;
    trace_->Add(std::move(record));
    return next().Compute(request, deadline, std::move(done));
  }

 private:
  PoolBackend& next() { return next_->backend(); }

  static TraceRecord Record(TraceRecord::Verb verb, const Pattern& pattern) {
    TraceRecord record;
    record.verb = verb;
    record.pattern = pattern;
    return record;
  }
  static TraceRecord PublishRecord(const Key& key, const DataObject& object,
                                   const PublishOptions& options) {
    TraceRecord record = Record(TraceRecord::Verb::kPublish, key);
    record.meta_bytes = object.meta_bytes();
    record.data_bytes = object.data_bytes();
    record.overwrite = options.overwrite;
    record.ttl = options.ttl;
    if (options.if_version) record.condition = TraceRecord::Condition::kIfVersion;
    return record;
  }

  const std::shared_ptr<Pool::State> next_;
  const std::shared_ptr<TraceFile> trace_;
};

// Buckets are apart, so their traces are too.
std::string DefaultFile(const ResourceUrl& url) {
  return fmt::format("trace{}_{}", url.Dashify(), url.bucket().ToString());
}

Result<std::shared_ptr<PoolBackend>> MakeTracePool(const PoolContext& context) {
  std::string next_url = context.url.option("next_pool").value_or("null:");
  CIREIN_ASSIGN_OR_RETURN(ResourceUrl next, ResourceUrl::Parse(next_url));
  if (!next.bucket().specified() && !next.option("bucket")) next.set_bucket(context.url.bucket());
  std::string rank = context.url.option("rank").value_or("0");
  if (!ParseUint64(rank).ok()) {
    return InvalidArgument(fmt::format("rank={} is no number", QuoteForPeople(rank)),
                           "give 0, 1, 2, ...");
  }
  const std::string path =
      context.url.option("file").value_or(DefaultFile(context.url)) + "." + rank;
  CIREIN_ASSIGN_OR_RETURN(std::shared_ptr<Pool::State> state, ConnectState(next));
  CIREIN_ASSIGN_OR_RETURN(
      std::shared_ptr<TraceFile> file,
      TraceFiles::Instance().Open(path, {context.url.ToString(), &state->process()}));
  return std::shared_ptr<PoolBackend>(
      std::make_shared<TracePool>(std::move(file), std::move(state)));
}

}  // namespace

PoolType TracePoolType() {
  return {.name = "trace",
          .description = "records every request in a file and hands it on to another pool",
          .options = {"file", "next_pool", "rank"},
          .factory = MakeTracePool};
}

}  // namespace cirein
