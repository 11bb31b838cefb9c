// SPDX-License-Identifier: Apache-2.0
#include "resp/session.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <utility>

#include <absl/container/inlined_vector.h>
#include <fmt/format.h>

#include "base/logging.h"
#include "resp/key_handlers.h"
#include "resp/look_ahead.h"

namespace cirein::resp {
namespace {

// With more output than this no further command is run until some of it was taken.
constexpr std::size_t kPauseOutputBytes = std::size_t{64} << 20;
// Of a client that has not said the password: it hears nothing but errors.
constexpr std::size_t kUnknownOutputBytes = std::size_t{4} << 10;
// So many rounds may wait to be kept.
constexpr std::size_t kMaxHolds = 1024;
// A blocked client may send so much ahead.
constexpr std::size_t kBlockedInputBytes = std::size_t{64} << 10;
constexpr std::size_t kKeptPendingBytes = 1024;
// What the allocations of a command that is kept take besides what is asked for, about.
constexpr std::uint64_t kOwnedCommandExtraBytes = 64;
// Of commands that are quick one in so many is measured, and stands for the others.
constexpr std::uint32_t kSample = 64;
// With a lower threshold of the slow log each command is measured.
constexpr std::int64_t kQuickUsec = 1000;

std::int64_t Usec(std::chrono::nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

}  // namespace

OwnedCommand::OwnedCommand(const CommandEntry& entry, Args args)
    : entry_(&entry), bytes_(sizeof(OwnedCommand) + kOwnedCommandExtraBytes) {
  std::size_t small_bytes = 0;
  for (const Arg& arg : args) {
    bytes_ += arg.bytes.size() + sizeof(Arg);
    if (arg.body.is_null()) small_bytes += arg.bytes.size();
  }
  storage_ = std::make_unique<char[]>(std::max(small_bytes, std::size_t{1}));
  args_.reserve(args.size());
  char* at = storage_.get();
  for (const Arg& arg : args) {
    if (!arg.body.is_null()) {
      args_.push_back(arg);
      has_body_ = true;
      continue;
    }
    if (!arg.bytes.empty()) std::memcpy(at, arg.bytes.data(), arg.bytes.size());
    args_.push_back({std::string_view(at, arg.bytes.size()), DataObject()});
    at += arg.bytes.size();
  }
}

void WriteStatus(ReplyWriter& reply, const Status& status) {
  if (status.code() == StatusCode::kResourceExhausted) {
    return reply.Error(
        fmt::format("OOM command not allowed when used memory > 'maxmemory'. {} ({})",
                    status.message(), status.hint()));
  }
  reply.Error(fmt::format("ERR {} ({})", status.message(), status.hint()));
}

Session::Session(ServerState& state, ServerCounters& counters, Host& host,
                 std::shared_ptr<ClientCard> card)
    : link_(std::make_shared<SessionLink>(*this, host.timers())),
      state_(state),
      counters_(counters),
      host_(host),
      card_(std::move(card)),
      authenticated_(!state.parameters().has_password()) {
  state_.clients().Add(card_);
}

Session::~Session() {
  link_->Cut();
  LeaveWants();
  state_.clients().Remove(card_->id());
  if (blocked_ != nullptr) {
    host_.timers().CancelTimer(blocked_->timer);
    state_.blocked_clients.fetch_sub(1, std::memory_order_relaxed);
    if (blocked_->give_up) blocked_->give_up();
  }
  UnwatchAll();
}

// ---- Input ----

bool Session::CanRun() const noexcept {
  return !closing_ && !broken_ && !busy_ && blocked_ == nullptr && holds_.size() < kMaxHolds &&
         output_.size() < (authenticated() ? kPauseOutputBytes : kUnknownOutputBytes);
}

bool Session::wants_input() const noexcept {
  if (blocked_ != nullptr) return !closing_ && pending_.size() < kBlockedInputBytes;
  return CanRun();
}

void Session::BodyReceived(std::size_t bytes) {
  counters_.input_bytes.Add(bytes);
  parser_.BodyReceived(bytes);
}

void Session::Receive(std::string_view bytes) {
  counters_.input_bytes.Add(bytes.size());
  if (!pending_.empty()) {
    pending_.append(bytes);
    return RunPending();
  }
  const Rest rest = Run(bytes);
  if (rest.begin != rest.end) pending_.assign(bytes.substr(rest.begin, rest.end - rest.begin));
}

void Session::RunPending() {
  const Rest rest = Run(pending_);
  pending_.resize(rest.end);
  pending_.erase(0, rest.begin);
  if (pending_.empty() && pending_.capacity() > kKeptPendingBytes) std::string().swap(pending_);
}

void Session::Resume() {
  if (!pending_.empty() && CanRun()) RunPending();
}

Session::Rest Session::Run(std::string_view input) {
  const ServerParameters& parameters = state_.parameters();
  std::size_t at = 0;
  std::size_t looked_at = 0;  // Commands from here on whose keys are near by now.
  while (CanRun()) {
    if (looked_at == 0) {
      looked_at = LookAhead(input.substr(at));
    } else {
      --looked_at;
    }
    const RequestParser::Limits limits = {
        .max_bulk_bytes = parameters.max_bulk_bytes.load(std::memory_order_relaxed),
        .trust = authenticated() ? RequestParser::Trust::kKnown : RequestParser::Trust::kUnknown};
    switch (parser_.Parse(input.substr(at), limits)) {
      case RequestParser::Outcome::kCommand:
        at += parser_.consumed();
        if (!parser_.args().empty()) Execute(parser_.args());
        // Whoever needs them has them: they must not wait here for the next command.
        if (parser_.has_bodies()) parser_.Shrink();
        break;
      case RequestParser::Outcome::kMore: {
        const std::size_t end = at + parser_.keep();
        if (end - at + parser_.held_bytes() >
            parameters.query_limit_bytes.load(std::memory_order_relaxed)) {
          LogWarn("resp", "client {} is closed: its request is larger than {} bytes",
                  card_->address(), parameters.query_limit_bytes.load());
          counters_.query_limit_closes.Add();
          broken_ = true;
        }
        return {at, end};
      }
      case RequestParser::Outcome::kError:
        ReplyWriter(output_, protocol_).Error(parser_.error());
        state_.CountError("ERR");
        counters_.errors.Add();
        closing_ = true;
        return {input.size(), input.size()};
    }
  }
  if (closing_ || broken_) return {input.size(), input.size()};
  return {at, input.size()};
}

// A pipeline's commands wait for memory one after the other, unless it is asked for before.
std::size_t Session::LookAhead(std::string_view input) const {
  constexpr std::size_t kShortestPipeline = 64;
  if (input.size() < kShortestPipeline) return 0;
  std::array<LikelyKey, kLookAhead> keys;
  const std::size_t found = FindLikelyKeys(input, keys);
  if (found < 2) return found;
  absl::InlinedVector<KeyView, 2 * kLookAhead> rows;
  for (const LikelyKey& key : std::span(keys).first(found)) {
    rows.emplace_back(state_.bucket(), key.row);
    if (!key.has_field) continue;
    rows.push_back(rows.back());
    rows.back().has_column = true;
    rows.back().column = key.field;
  }
  state_.store().Prefetch(rows);
  return found - 1;
}

// ---- Commands ----

void Session::Execute(Args args) {
  ++commands_run_;
  skip_this_ = reply_mode_ == ReplyMode::kSkipNext;
  if (skip_this_) reply_mode_ = ReplyMode::kOn;
  const std::size_t start = output_.size();
  command_start_ = appended();
  if (const CommandEntry* const entry = Admit(args)) {
    Dispatch(*entry, args);
  } else {
    FinishReply(start);
  }
}

const CommandEntry* Session::Admit(Args args) {
  const CommandEntry* const entry = state_.commands().FindFor(args);
  if (entry == nullptr) [[unlikely]] {
    if (IsWord(args[0].text(), "post") || IsWord(args[0].text(), "host:")) {
      LogWarn("resp", "client {} is closed: it speaks HTTP, or is made to by a browser",
              card_->address());
      broken_ = true;
      return nullptr;
    }
    Reject(nullptr, UnknownCommandError(state_.commands(), args));
    return nullptr;
  }
  if (!entry->has_arity(args.size())) [[unlikely]] {
    Reject(entry, fmt::format("ERR wrong number of arguments for '{}' command", entry->full_name));
    return nullptr;
  }
  if (!authenticated() && !entry->is(kNoAuth)) [[unlikely]] {
    Reject(entry, "NOAUTH Authentication required.");
    return nullptr;
  }
  if (multi_ != nullptr && entry->is(kNoMulti)) [[unlikely]] {
    Reject(entry, "ERR Command not allowed inside a transaction");
    return nullptr;
  }
  return entry;
}

void Session::Reject(const CommandEntry* entry, std::string_view error) {
  if (multi_ != nullptr) multi_->is_dirty = true;
  if (entry != nullptr && entry->spec->name == "exec") {
    EndMulti();
    UnwatchAll();
    const std::string abort = fmt::format("EXECABORT Transaction discarded because of: {}",
                                          error.substr(error.starts_with("ERR ") ? 4 : 0));
    counters_.of_command[entry->id].rejected.Add();
    counters_.errors.Add();
    state_.CountError(abort);
    return ReplyWriter(output_, protocol_).Error(abort);
  }
  if (entry != nullptr) counters_.of_command[entry->id].rejected.Add();
  counters_.errors.Add();
  state_.CountError(error);
  ReplyWriter(output_, protocol_).Error(error);
}

void Session::Dispatch(const CommandEntry& entry, Args args) {
  command_ = &entry;
  if (multi_ != nullptr && !entry.is(kNotQueued)) return Enqueue(entry, args);
  if (entry.is(kAllRows) || (parser_.has_bodies() && IsSlow(entry, args))) [[unlikely]] {
    return RunSlowly(OwnedCommand(entry, args));
  }
  const std::uint64_t calls = counters_.of_command[entry.id].calls.value();
  const std::int64_t slow_usec = state_.parameters().slowlog_usec.load(std::memory_order_relaxed);
  Ran ran{.start = output_.size(), .begin = {}, .end = {}, .weight = 0};
  if (entry.may_take_long || (slow_usec >= 0 && slow_usec < kQuickUsec)) {
    ran.weight = 1;
  } else if (calls % kSample == 0) {
    ran.weight = calls == 0 ? 1 : kSample;
  }
  if (ran.weight != 0) ran.begin = state_.clock().Now();
  ReplyWriter reply(output_, protocol_);
  if (entry.spec->data != nullptr) {
    RunData(entry, args, reply);
    if (busy_) [[unlikely]] {
      return;
    }
  } else {
    RunSession(entry, args, reply);
    if (busy_ || blocked_ != nullptr) return;  // It has no reply yet.
    if (protocol_ != Protocol::kResp3) LeaveWants();
  }
  if (ran.weight != 0) ran.end = state_.clock().Now();
  Finish(entry, args, ran, reply);
}

void Session::Finish(const CommandEntry& entry, Args args, const Ran& ran,
                     const ReplyWriter& reply) {
  ServerCounters::OfCommand& counter = counters_.of_command[entry.id];
  counter.calls.Add();
  counters_.commands.Add();
  if (reply.errors() != 0) [[unlikely]] {
    counter.failed.Add();
    counters_.errors.Add(reply.errors());
    state_.CountError(reply.error_code());
  }
  if (ran.weight != 0) {
    const std::int64_t usec = Usec(ran.end - ran.begin);
    counter.usec.Add(static_cast<std::uint64_t>(Usec((ran.end - ran.begin) * ran.weight)));
    const std::int64_t limit = state_.parameters().slowlog_usec.load(std::memory_order_relaxed);
    if (limit >= 0 && usec >= limit && multi_ == nullptr) {
      const auto wall =
          std::chrono::duration_cast<std::chrono::seconds>(state_.clock().WallNow()).count();
      state_.slow_log().Add({.id = 0,
                             .unix_s = wall,
                             .usec = usec,
                             .args = {},
                             .address = card_->address(),
                             .name = card_->names().name},
                            args, state_.parameters().slowlog_entries.load());
    }
  }
  FinishReply(ran.start);
}

void Session::FinishReply(std::size_t start) {
  if (skip_this_ || reply_mode_ == ReplyMode::kOff) output_.Truncate(start);
  skip_this_ = false;
}

void Session::Enqueue(const CommandEntry& entry, Args args) {
  multi_->bytes += multi_->commands.emplace_back(entry, args).bytes();
  const std::size_t start = output_.size();
  if (multi_->bytes > state_.parameters().query_limit_bytes.load(std::memory_order_relaxed)) {
    counters_.query_limit_closes.Add();
    broken_ = true;
  }
  ReplyWriter(output_, protocol_).Simple("QUEUED");
  FinishReply(start);
}

bool Session::IsSlow(const CommandEntry& entry, Args args) const noexcept {
  if (entry.is(kAllRows)) return true;
  // Of the others only those that write take what is brought to the store; the rest are the
  // session's own and must stay on its thread, however much they are given.
  if (entry.spec->data == nullptr && !entry.is(kDenyOom)) return false;
  return std::any_of(args.begin(), args.end(), [this](const Arg& arg) {
    return !arg.body.is_null() && arg.bytes.size() > state_.options().prepare_bytes;
  });
}

void Session::RunData(const CommandEntry& entry, Args args, ReplyWriter& reply) {
  const std::size_t start = output_.size();
  KeyIndices keys;
  FindKeys(*entry.spec, args.size(), keys);
  absl::InlinedVector<KeyView, 12> rows;
  for (const std::uint32_t key : keys) rows.emplace_back(state_.bucket(), args[key].text());
  if (rows.size() > 1) CountSlots(rows);
  std::vector<Arg> prepared_args;
  std::vector<Prepared> bodies;
  if (in_slow_ && !entry.is(kAllRows)) {
    prepared_args.assign(args.begin(), args.end());
    Result<std::vector<Prepared>> prepared = PrepareBodies(entry, &prepared_args);
    if (!prepared.ok()) return WriteStatus(reply, prepared.status());
    bodies = std::move(*prepared);
    args = prepared_args;
  }
  Transaction transaction = entry.is(kAllRows) ? store().BeginAll() : store().Begin(rows);
  if (rows.size() > 1) transaction.Prefetch(rows);
  for (Prepared& body : bodies) {
    transaction.Offer(body.key, body.object, std::move(body.how));
  }
  DataCall call{args, reply, transaction, state_.bucket(), state_.options().group_bytes};
  const Status status = entry.spec->data(call);
  if (!status.ok()) [[unlikely]] {
    output_.Truncate(start);
    WriteStatus(reply, status);
    transaction.RollBack(0);
  }
  if (IsTooLargeForHere(transaction)) [[unlikely]] {
    transaction.RollBack(0);
    Commit(std::move(transaction), reply, start);
    output_.Truncate(start);
    return RunSlowly(OwnedCommand(entry, args));
  }
  const bool done = Commit(std::move(transaction), reply, start);
  if (status.code() == StatusCode::kAborted && entry.is(kDropsInParts) && done) {
    output_.Truncate(start);
    DropAllInParts(reply, start);
  }
}

// The others wait for this thread: they should not while it writes what it has made of a large
// value (APPEND), has taken from elsewhere (RENAME, EXPIRE), or was given many of (MSET).
bool Session::IsTooLargeForHere(const Transaction& transaction) const noexcept {
  return !in_slow_ && transaction.unprepared_bytes() > state_.options().prepare_bytes;
}

// Of commands that store what they are given as it is: a string, or a field's value.
Result<std::vector<Session::Prepared>> Session::PrepareBodies(const CommandEntry& entry,
                                                              std::vector<Arg>* args) {
  std::vector<Prepared> bodies;
  for (std::size_t i = 2; i < args->size(); ++i) {
    Arg& arg = (*args)[i];
    if (arg.body.is_null() || arg.bytes.size() <= state_.options().prepare_bytes) continue;
    const bool is_field = entry.spec->group == "hash";
    if (!is_field && entry.spec->keys.last != 1) continue;
    Prepared body{KeyView(state_.bucket(), (*args)[1].text()), arg.body, nullptr};
    if (is_field) {
      body.key.has_column = true;
      body.key.column = (*args)[i - 1].text();
    }
    if (!body.key.ToKey().valid()) continue;  // The handler says so.
    CIREIN_RETURN_IF_ERROR(store().PrepareObject(body.key, &body.object, &body.how));
    arg.body = body.object;
    arg.bytes = body.object.text();
    bodies.push_back(std::move(body));
  }
  return bodies;
}

void Session::DropAllInParts(ReplyWriter& reply, std::size_t start) {
  for (std::optional<Engine::RowName> next = Engine::RowName{}; next;) {
    Transaction transaction = store().BeginAll();
    Result<std::optional<Engine::RowName>> rest =
        DropSomeRows(transaction, state_.bucket(), *next, state_.options().group_bytes);
    if (!rest.ok()) {
      WriteStatus(reply, rest.status());
      transaction.RollBack(0);
    }
    if (!Commit(std::move(transaction), reply, start) || !rest.ok()) return;
    next = std::move(*rest);
  }
  reply.Ok();
}

// Also of a transaction without changes: what it saw may not be kept yet.
bool Session::Commit(Transaction&& transaction, ReplyWriter& reply, std::size_t start) {
  StripedStore::Committed committed = store().Commit(std::move(transaction));
  const bool done = committed.status.ok();
  if (!done) {
    output_.Truncate(start);
    WriteStatus(reply, committed.status);
  }
  if (committed.ticket != 0 || committed.effects != nullptr) Keep(std::move(committed));
  return done;
}

void Session::Keep(StripedStore::Committed committed) {
  if (in_slow_) {
    // This thread may wait. What became of it is seen before anything is sent.
    const Status kept =
        committed.ticket == 0 ? OkStatus() : committed.keeper->Await(committed.ticket);
    if (!kept.ok()) broken_ = true;
    return StripedStore::Tell(committed, kept);
  }
  if (committed.ticket != 0) {
    if (round_.ticket == 0) {
      round_.start = command_start_;
    } else if (round_.keeper != committed.keeper) {
      // Stores whose partitions have keepers of their own are not served at full speed.
      if (!round_.keeper->Await(round_.ticket).ok()) broken_ = true;
      round_.ticket = 0;
    }
    round_.keeper = committed.keeper;
    round_.ticket = std::max(round_.ticket, committed.ticket);
  }
  if (committed.effects != nullptr) host_.TellWhenKept(std::move(committed));
}

void Session::CountSlots(std::span<const KeyView> rows) {
  if (in_slow_) return;  // Was counted before.
  const std::uint16_t first = SlotOfRow(rows[0].row);
  for (const KeyView& row : rows.subspan(1)) {
    if (SlotOfRow(row.row) != first) return counters_.cross_slot.Add();
  }
}

void Session::RunSession(const CommandEntry& entry, Args args, ReplyWriter& reply) {
  if (entry.spec->session == nullptr) {  // A container without its subcommand: its arity forbids.
    return reply.Error(kSyntaxError);
  }
  SessionCall call{args, reply, *this};
  entry.spec->session(call);
}

// ---- Work elsewhere ----

void Session::RunSlowly(OwnedCommand command) {
  auto run = std::make_shared<SlowRun>(
      SlowRun{std::move(command), {}, ReplyWriter(output_, protocol_), {.start = output_.size()}});
  StartSlow(run, [this, run] {
    const CommandEntry& entry = run->command.entry();
    if (entry.spec->data != nullptr) {
      RunData(entry, run->command.args(), run->reply);
    } else {
      RunSession(entry, run->command.args(), run->reply);
    }
  });
}

void Session::StartSlow(std::shared_ptr<SlowRun> run, std::function<void()> work) {
  busy_ = true;
  in_slow_ = true;
  slow_ = std::move(run);
  counters_.slow_work.Add();
  host_.RunSlow(*this, [this, work = std::move(work)] {
    slow_->ran.begin = state_.clock().Now();
    work();
    slow_->ran.end = state_.clock().Now();
    slow_->ran.weight = 1;
  });
}

void Session::SlowDone(const Status& refused) {
  const std::shared_ptr<SlowRun> run = std::exchange(slow_, nullptr);
  busy_ = false;
  in_slow_ = false;
  in_exec_ = false;
  if (breaks_when_done_) broken_ = true;
  if (!refused.ok()) {
    output_.Truncate(run->ran.start);
    WriteStatus(run->reply, refused);
  }
  Finish(run->command.entry(), run->command.args(), run->ran, run->reply);
  if (protocol_ != Protocol::kResp3) LeaveWants();
  for (auto& push : std::exchange(pushes_, {})) WritePush(std::move(push));
}

// ---- Output ----

std::size_t Session::sendable_bytes() const noexcept {
  if (busy_ || broken_) return 0;
  std::uint64_t end = appended();
  if (!holds_.empty()) {
    end = holds_.front().start;
  } else if (round_.ticket != 0) {
    end = round_.start;
  }
  return static_cast<std::size_t>(end - sent_bytes_);
}

void Session::Sent(std::size_t bytes) {
  output_.Consume(bytes);
  sent_bytes_ += bytes;
  counters_.output_bytes.Add(bytes);
}

void Session::HoldRound(std::uint64_t number) {
  if (round_.ticket == 0) return;
  round_.number = number;
  holds_.push_back(round_);
  counters_.held_replies.Add();
  round_ = {};
}

void Session::Kept(std::uint64_t number) {
  for (Round& hold : holds_) {
    if (hold.number == number) hold.is_kept = true;
  }
  const auto kept = [](const Round& hold) { return hold.is_kept; };
  holds_.erase(holds_.begin(), std::find_if_not(holds_.begin(), holds_.end(), kept));
}

void Session::Break() noexcept { (busy_ ? breaks_when_done_ : broken_) = true; }

void Session::UpdateCard() {
  if (busy_) return;
  constexpr auto kRelaxed = std::memory_order_relaxed;
  card_->active_ms.store(std::chrono::duration_cast<std::chrono::milliseconds>(host_.now()).count(),
                         kRelaxed);
  card_->queued.store(multi_ == nullptr ? -1 : static_cast<std::int32_t>(multi_->commands.size()),
                      kRelaxed);
  card_->watched.store(static_cast<std::uint32_t>(watched_.size()), kRelaxed);
  card_->protocol.store(static_cast<std::uint8_t>(protocol_), kRelaxed);
  card_->blocked.store(blocked_ != nullptr, kRelaxed);
  card_->closing.store(closing_, kRelaxed);
  card_->input_bytes.store(pending_.size(), kRelaxed);
  card_->output_bytes.store(output_.size(), kRelaxed);
  card_->total_commands.store(commands_run_, kRelaxed);
  card_->last_command.store(command_, kRelaxed);
}

void Session::Shrink() {
  if (busy_) return;
  parser_.Shrink();
  output_.Release();
  if (pending_.empty()) std::string().swap(pending_);
  if (holds_.empty()) std::vector<Round>().swap(holds_);
}

// ---- State ----

void Session::EndAfterReplies() {
  closing_ = true;
  host_.Wake(*this);
}

void Session::Kill() {
  Break();
  host_.Wake(*this);
}

void Session::Reset() {
  EndMulti();
  UnwatchAll();
  reply_mode_ = ReplyMode::kOn;
  set_protocol(Protocol::kResp2);
  authenticated_ = !state_.parameters().has_password();
  card_->set_name("");
  card_->no_evict.store(false);
  card_->no_touch.store(false);
}

void Session::Block(TimePoint end, Continuation expired, std::function<void()> give_up) {
  ++block_count_;
  blocked_ = std::make_unique<Blocked>();
  blocked_->expired = std::move(expired);
  blocked_->give_up = std::move(give_up);
  state_.blocked_clients.fetch_add(1, std::memory_order_relaxed);
  if (end != kEndOfTime) {
    blocked_->timer = host_.timers().RunAt(end, [this] { ExpireBlocked(); });
  }
}

bool Session::ExpireBlocked() {
  if (blocked_ == nullptr) return false;
  const Continuation expired = blocked_->expired;
  return InterruptBlocked(expired);
}

bool Session::InterruptBlocked(const Continuation& write) {
  if (blocked_ == nullptr) return false;
  const std::function<void()> give_up = std::move(blocked_->give_up);
  Unblock(write);
  if (give_up) give_up();
  return true;
}

bool Session::Unblock(const Continuation& write) {
  if (blocked_ == nullptr) return false;
  const std::unique_ptr<Blocked> blocked = std::move(blocked_);
  host_.timers().CancelTimer(blocked->timer);
  state_.blocked_clients.fetch_sub(1, std::memory_order_relaxed);
  ReplyWriter reply(output_, protocol_);
  const Ran ran{.start = output_.size(), .begin = {}, .end = {}, .weight = 0};
  write(*this, reply);
  Finish(*command_, {}, ran, reply);
  host_.Wake(*this);
  return true;
}

bool Session::EndWant(std::int64_t id) {
  const auto found = wants_.find(id);
  if (found == wants_.end()) return false;
  Want want = std::move(found->second);
  wants_.erase(found);
  if (want.timer != 0) host_.timers().CancelTimer(want.timer);
  want.operation.Cancel();  // Nothing happens to one that was answered.
  return true;
}

// Not inside a transaction, which may have for itself what they are parked at.
void Session::LeaveWants() {
  while (!wants_.empty()) EndWant(wants_.begin()->first);
  pushes_.clear();
}

void Session::WritePush(std::function<void(ReplyWriter& reply)> write) {
  if (busy_) return pushes_.push_back(std::move(write));
  ReplyWriter reply(output_, protocol_);
  write(reply);
  host_.Wake(*this);
}

}  // namespace cirein::resp
