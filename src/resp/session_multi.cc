// SPDX-License-Identifier: Apache-2.0

// MULTI and EXEC: several commands as one transaction, and the watches that may forbid it.

#include <algorithm>
#include <utility>

#include "base/sabotage.h"
#include "resp/session.h"

namespace cirein::resp {

void Session::BeginMulti() { multi_ = std::make_unique<Multi>(); }

void Session::EndMulti() { multi_.reset(); }

void Session::set_reply_mode(ReplyMode mode) noexcept { reply_mode_ = mode; }

void Session::Watch(std::string_view row) {
  const auto same = [&](const Watched& watched) { return watched.row == row; };
  if (std::any_of(watched_.begin(), watched_.end(), same)) return;
  const KeyView view(bucket(), row);
  const std::uint64_t mark = store().Watch(view);
  Transaction look = store().Begin(std::span(&view, 1));
  const Result<RowState> state = look.GetRow(view);
  const bool was_there = state.ok() && state->exists();
  Keep(store().Commit(std::move(look)));
  watched_.push_back({std::string(row), mark, was_there});
}

void Session::UnwatchAll() {
  for (const Watched& watched : watched_) store().Unwatch(KeyView(bucket(), watched.row));
  watched_.clear();
}

void Session::Exec(ReplyWriter& reply) {
  if (multi_->is_dirty) {
    EndMulti();
    UnwatchAll();
    return reply.Error("EXECABORT Transaction discarded because of previous errors.");
  }
  std::vector<OwnedCommand> commands = std::move(multi_->commands);
  const bool many = multi_->bytes > state_.options().prepare_bytes;
  EndMulti();
  counters_.transactions.Add();
  const bool slow =
      many || std::any_of(commands.begin(), commands.end(), [this](const OwnedCommand& each) {
        return IsSlow(each.entry(), each.args());
      });
  if (!slow) return RunExec(commands, reply);
  auto run = std::make_shared<SlowRun>(
      SlowRun{OwnedCommand(*command_, {}), std::move(commands), reply, {.start = output_.size()}});
  StartSlow(run, [this, run] { RunExec(run->queued, run->reply); });
}

namespace {

using Rows = absl::InlinedVector<KeyView, 12>;

void AddRows(const OwnedCommand& command, Bucket bucket, Rows& rows) {
  if (command.entry().spec->data == nullptr) return;
  KeyIndices keys;
  FindKeys(*command.entry().spec, command.args().size(), keys);
  for (const std::uint32_t key : keys) rows.emplace_back(bucket, command.args()[key].text());
}

}  // namespace

void Session::RunExec(std::vector<OwnedCommand>& commands, ReplyWriter& reply) {
  const std::size_t start = output_.size();
  const CommandEntry* const exec = command_;
  Rows rows;
  bool of_all = false;
  for (const OwnedCommand& command : commands) {
    AddRows(command, bucket(), rows);
    of_all = of_all || command.entry().is(kAllRows);
  }
  if (rows.size() > 1) CountSlots(rows);
  for (const Watched& watched : watched_) rows.emplace_back(bucket(), watched.row);
  Transaction transaction = of_all ? store().BeginAll() : store().Begin(rows);
  const Result<bool> hold = WatchesHold(transaction);
  if (!hold.ok()) {
    WriteStatus(reply, hold.status());
  } else if (!*hold) {
    reply.NullArray();
  } else {
    reply.Array(commands.size());
    in_exec_ = true;
    for (const OwnedCommand& command : commands) RunQueued(transaction, command, reply);
    in_exec_ = false;
  }
  command_ = exec;
  Commit(std::move(transaction), reply, start);
  UnwatchAll();
}

Result<bool> Session::WatchesHold(Transaction& transaction) {
  if (Sabotaged(Sabotage::kIgnoreWatches)) return true;
  for (const Watched& watched : watched_) {
    const KeyView row(bucket(), watched.row);
    if (transaction.WatchMark(row) != watched.mark) return false;
    if (!watched.was_there) continue;
    // Its expiry is no write.
    CIREIN_ASSIGN_OR_RETURN(const RowState state, transaction.GetRow(row));
    if (!state.exists()) return false;
  }
  return true;
}

void Session::RunQueued(Transaction& transaction, const OwnedCommand& command, ReplyWriter& reply) {
  const CommandEntry& entry = command.entry();
  command_ = &entry;
  const std::uint64_t errors = reply.errors();
  if (entry.spec->data == nullptr) {
    RunSession(entry, command.args(), reply);
  } else {
    const std::size_t start = output_.size();
    const std::size_t changes = transaction.change_count();
    DataCall call{command.args(), reply, transaction, bucket(), state_.options().group_bytes};
    if (const Status status = entry.spec->data(call); !status.ok()) {
      transaction.RollBack(changes);
      output_.Truncate(start);
      WriteStatus(reply, status);
    }
  }
  if (in_slow_) return;  // The counters are another thread's.
  counters_.of_command[entry.id].calls.Add();
  counters_.commands.Add();
  if (reply.errors() != errors) counters_.of_command[entry.id].failed.Add();
}

}  // namespace cirein::resp
