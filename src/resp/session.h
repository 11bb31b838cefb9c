// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "object/striped_store.h"
#include "resp/client_card.h"
#include "resp/command_table.h"
#include "resp/output_buffer.h"
#include "resp/reply_writer.h"
#include "resp/request_parser.h"
#include "resp/server_counters.h"
#include "resp/server_state.h"
#include "resp/session_link.h"
#include "runtime/clock.h"
#include "runtime/timers.h"

namespace cirein::resp {

/// A command with arguments of its own, that outlive the input they came in.
class OwnedCommand {
 public:
  OwnedCommand(const CommandEntry& entry, Args args);
  OwnedCommand(OwnedCommand&&) noexcept = default;
  OwnedCommand& operator=(OwnedCommand&&) noexcept = default;

  const CommandEntry& entry() const noexcept { return *entry_; }
  Args args() const noexcept { return args_; }
  bool has_body() const noexcept { return has_body_; }
  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  const CommandEntry* entry_;
  std::unique_ptr<char[]> storage_;
  std::vector<Arg> args_;
  std::uint64_t bytes_ = 0;
  bool has_body_ = false;
};

/// One client's connection without its socket: bytes in, bytes out. It understands requests, runs
/// them one after the other, and holds back replies until what they tell is kept (SAFETY 3).
///
/// Belongs to one thread, its host's. Everything the host calls runs to completion; what may take
/// long it gives to Host::RunSlow, and is busy until that has come back: meanwhile the host keeps
/// away from its input and output.
///
/// In a round the host receives for some sessions; then, for each that did something, it takes
/// round_ticket(), sees to it that all up to these tickets is kept, tells by ReleaseRound (or
/// HoldRound, and Release when it is), and sends sendable_bytes() of output().
class Session {
 public:
  /// Whoever has the connection.
  class Host {
   public:
    virtual ~Host() = default;
    virtual TimePoint now() const = 0;  ///< As of this round.
    /// Timers that call back on the session's thread. A session cancels its own at its end.
    virtual TimerService& timers() = 0;
    /// Runs `work` where it may block, after what is ready of the output was sent; then calls
    /// SlowDone on the session's thread, also if it could not be run (then `refused` says why).
    virtual void RunSlow(Session& session, std::function<void()> work) = 0;
    /// There is output, or input to go on with, outside of Receive.
    virtual void Wake(Session& session) = 0;
    /// Somebody waits for what `committed` is about: Tell, when it is kept.
    virtual void TellWhenKept(StripedStore::Committed committed) = 0;
  };

  Session(ServerState& state, ServerCounters& counters, Host& host,
          std::shared_ptr<ClientCard> card);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // ---- For its host. ----

  /// Bytes from the client; they need not stay. Runs what is complete.
  void Receive(std::string_view bytes);
  /// Where the bytes that come next belong, before any that are given to Receive; empty: nowhere.
  std::span<std::byte> body_window() noexcept { return parser_.body_window(); }
  void BodyReceived(std::size_t bytes);
  /// Goes on with input that waits; true when some of it was run.
  void Resume();
  /// False while its input must wait: it is busy, blocked, its output is not taken, or it ends.
  /// A blocked one takes some, so that it is noticed when the client goes.
  bool wants_input() const noexcept;
  bool has_pending_input() const noexcept { return !pending_.empty(); }
  bool can_run() const noexcept { return CanRun(); }
  bool has_holds() const noexcept { return !holds_.empty(); }
  bool busy() const noexcept { return busy_; }
  void SlowDone(const Status& refused);

  OutputBuffer& output() noexcept { return output_; }
  /// So many bytes may be sent now.
  std::size_t sendable_bytes() const noexcept;
  /// So many were.
  void Sent(std::size_t bytes);
  /// To be closed once its output is sent.
  bool closing() const noexcept { return closing_; }
  /// To be closed without that.
  bool broken() const noexcept { return broken_; }

  std::uint64_t round_ticket() const noexcept { return round_.ticket; }
  Keeper* round_keeper() const noexcept { return round_.keeper; }
  /// All of this round is kept.
  void ReleaseRound() noexcept { round_ = {}; }
  /// It is not kept yet: its host has asked for it, and this is the number of the question. (Not of
  /// the ticket: what was only seen has the same one in every round.)
  void HoldRound(std::uint64_t number);
  /// The question of this number was answered: what was held for it is kept. Output goes on in
  /// order, as far as all is kept.
  void Kept(std::uint64_t number);
  /// It will never be: nobody may hear what was to be told. A busy one ends when it is not any
  /// more.
  void Break() noexcept;
  /// At the end of a round: what others may know of it.
  void UpdateCard();
  /// Gives back memory that an idle client needs not.
  void Shrink();

  // ---- For handlers. ----

  /// For those who answer later.
  const std::shared_ptr<SessionLink>& link() const noexcept { return link_; }
  /// Wants of this connection (CIREIN.WANT), by the ids it was told. They are given up at its end,
  /// and when it leaves RESP3, where alone their pushes are told from replies.
  struct Want {
    Operation operation;
    TimerService::TimerId timer = 0;  ///< Of its end; 0: none.
  };
  std::map<std::int64_t, Want>& wants() noexcept { return wants_; }
  std::int64_t NextWantId() noexcept { return ++last_want_; }
  /// Its answer is here, or nobody asks for it any more; false when that was so before.
  bool EndWant(std::int64_t id);
  ServerState& state() noexcept { return state_; }
  ServerCounters& counters() noexcept { return counters_; }
  StripedStore& store() noexcept { return state_.store(); }
  Bucket bucket() const noexcept { return state_.bucket(); }
  Host& host() noexcept { return host_; }
  ClientCard& card() noexcept { return *card_; }
  const std::shared_ptr<ClientCard>& shared_card() const noexcept { return card_; }
  /// The command that is being run.
  const CommandEntry& command() const noexcept { return *command_; }

  Protocol protocol() const noexcept { return protocol_; }
  void set_protocol(Protocol protocol) noexcept {
    protocol_ = protocol;
    card_->protocol.store(static_cast<std::uint8_t>(protocol), std::memory_order_relaxed);
  }
  bool authenticated() const noexcept {
    return authenticated_ || !state_.parameters().has_password();
  }
  void set_authenticated() noexcept { authenticated_ = true; }
  /// It ends after the replies so far, this one included.
  void CloseAfterReply() noexcept { closing_ = true; }
  /// The client sends nothing more: the same, at once if nothing waits to be sent. Not when busy.
  void EndAfterReplies();
  /// From another connection: at once, whatever waits to be sent.
  void Kill();
  enum class ReplyMode : std::uint8_t { kOn, kOff, kSkipNext };
  void set_reply_mode(ReplyMode mode) noexcept;
  /// As if it had just come.
  void Reset();

  /// Runs inside EXEC: it must not wait, nor begin a transaction.
  bool in_exec() const noexcept { return in_exec_; }
  bool in_multi() const noexcept { return multi_ != nullptr; }
  void BeginMulti();
  void EndMulti();
  /// EXEC: writes the reply, now or later.
  void Exec(ReplyWriter& reply);
  void Watch(std::string_view row);
  void UnwatchAll();

  /// The command has no reply yet: no more input is run until Unblock, or `end`, when `expired`
  /// runs and is to write the reply. However it ends but by Unblock, `give_up` runs: nobody waits
  /// for the answer any more. Not in_exec().
  using Continuation = std::function<void(Session& session, ReplyWriter& reply)>;
  void Block(TimePoint end, Continuation expired, std::function<void()> give_up = nullptr);
  /// The reply of the blocked command; false when it is not blocked (any more).
  bool Unblock(const Continuation& write);
  /// The same with another reply than the one it waits for, which is given up.
  bool InterruptBlocked(const Continuation& write);
  /// CLIENT UNBLOCK: ends as if `end` had come; false when it is not blocked.
  bool ExpireBlocked();
  bool is_blocked() const noexcept { return blocked_ != nullptr; }
  /// Counts up with each Block: who unblocks later can tell whether it is still the same.
  std::uint64_t block_count() const noexcept { return block_count_; }

  /// Something that is no reply, between replies: a push. Runs now, or when it is not busy any
  /// more.
  void WritePush(std::function<void(ReplyWriter& reply)> write);

  /// What a handler that commits on its own must do with the outcome, before its reply.
  void Keep(StripedStore::Committed committed);

 private:
  struct Round {
    std::uint64_t start = 0;  // Of all bytes ever appended, those before it may be sent.
    std::uint64_t ticket = 0;
    Keeper* keeper = nullptr;
    std::uint64_t number = 0;  // Of those that are held: the host's question.
    bool is_kept = false;
  };
  struct Multi {
    std::vector<OwnedCommand> commands;
    std::uint64_t bytes = 0;
    bool is_dirty = false;
  };
  struct Watched {
    std::string row;
    std::uint64_t mark = 0;
    bool was_there = false;
  };
  struct Blocked {
    TimerService::TimerId timer = 0;
    Continuation expired;
    std::function<void()> give_up;
  };

  // How long a command took, where that was looked at.
  struct Ran {
    std::size_t start = 0;  ///< Of its reply.
    TimePoint begin{};
    TimePoint end{};
    std::uint32_t weight = 0;  ///< Stands for so many calls; 0: not looked at.
  };
  // A command that runs outside of the session's thread, and what became of it.
  struct SlowRun {
    OwnedCommand command;
    std::vector<OwnedCommand> queued;  ///< Of EXEC.
    ReplyWriter reply;
    Ran ran;
  };
  // Of an input: what is before is done, what is behind was taken.
  struct Rest {
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  static constexpr std::size_t kLookAhead = 16;
  /// Asks for the memory of the first commands of the input; of how many after the first one.
  std::size_t LookAhead(std::string_view input) const;
  bool CanRun() const noexcept;
  Rest Run(std::string_view input);
  void RunPending();
  void Execute(Args args);
  void Dispatch(const CommandEntry& entry, Args args);
  /// Null when it is to be run.
  const CommandEntry* Admit(Args args);
  void Reject(const CommandEntry* entry, std::string_view error);
  void Enqueue(const CommandEntry& entry, Args args);
  bool IsSlow(const CommandEntry& entry, Args args) const noexcept;
  void RunSlowly(OwnedCommand command);
  /// May find that it is slow, and is busy then.
  void RunData(const CommandEntry& entry, Args args, ReplyWriter& reply);
  bool IsTooLargeForHere(const Transaction& transaction) const noexcept;
  /// Of a slow command: its bodies go to where they will stay before partitions are stopped.
  struct Prepared {
    KeyView key;
    DataObject object;
    std::shared_ptr<void> how;
  };
  Result<std::vector<Prepared>> PrepareBodies(const CommandEntry& entry, std::vector<Arg>* args);
  void DropAllInParts(ReplyWriter& reply, std::size_t start);
  void RunSession(const CommandEntry& entry, Args args, ReplyWriter& reply);
  void RunExec(std::vector<OwnedCommand>& commands, ReplyWriter& reply);
  void RunQueued(Transaction& transaction, const OwnedCommand& command, ReplyWriter& reply);
  Result<bool> WatchesHold(Transaction& transaction);
  /// False: the reply since `start` was replaced by the error.
  bool Commit(Transaction&& transaction, ReplyWriter& reply, std::size_t start);
  void CountSlots(std::span<const KeyView> rows);
  /// After a command: what is counted, and whether its reply is wanted at all.
  void Finish(const CommandEntry& entry, Args args, const Ran& ran, const ReplyWriter& reply);
  void FinishReply(std::size_t start);
  void StartSlow(std::shared_ptr<SlowRun> run, std::function<void()> work);
  void LeaveWants();
  std::uint64_t appended() const noexcept { return sent_bytes_ + output_.size(); }

  const std::shared_ptr<SessionLink> link_;
  std::map<std::int64_t, Want> wants_;
  std::int64_t last_want_ = 0;
  ServerState& state_;
  ServerCounters& counters_;
  Host& host_;
  const std::shared_ptr<ClientCard> card_;

  RequestParser parser_;
  std::string pending_;  // Input that is not run yet.
  OutputBuffer output_;
  std::uint64_t sent_bytes_ = 0;
  std::uint64_t command_start_ =
      0;  // Of all bytes ever appended, where the command's reply begins.
  Round round_;
  std::vector<Round> holds_;

  const CommandEntry* command_ = nullptr;
  Protocol protocol_ = Protocol::kResp2;
  ReplyMode reply_mode_ = ReplyMode::kOn;
  bool skip_this_ = false;
  bool authenticated_ = false;
  bool closing_ = false;
  bool broken_ = false;
  bool breaks_when_done_ = false;  // While it is busy broken_ may be another thread's.
  bool busy_ = false;
  bool in_exec_ = false;
  bool in_slow_ = false;  // This thread is not the session's own.
  std::uint64_t commands_run_ = 0;
  std::uint64_t block_count_ = 0;

  std::unique_ptr<Multi> multi_;
  std::vector<Watched> watched_;
  std::unique_ptr<Blocked> blocked_;
  std::shared_ptr<SlowRun> slow_;
  std::vector<std::function<void(ReplyWriter&)>> pushes_;  // That wait until it is not busy.
};

/// An error of the store as Redis would word it: "OOM ..." for a full pool, else "ERR ...".
void WriteStatus(ReplyWriter& reply, const Status& status);

}  // namespace cirein::resp
