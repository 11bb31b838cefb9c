// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cirein/status.h"

#include "resp/output_buffer.h"
#include "resp/reply_parser.h"
#include "resp/server_requests.h"
#include "runtime/reactor.h"
#include "runtime/stream_socket.h"

namespace cirein::resp {

/// A client's connection to a server: requests out, one after the other without waiting, and what
/// is answered back in. It connects when the first request comes, and anew with the first one after
/// it broke; it sends nothing twice.
///
/// Belongs to its reactor's thread. Nothing blocks.
class ServerLink final : private FdHandler {
 public:
  struct Options {
    StreamAddress address;  ///< With digits for its host.
    std::string password;   ///< Empty: none.
  };

  /// How far a request came.
  enum class Fate : std::uint8_t {
    kAnswered,  ///< The result is a reply; maybe an error.
    kNotSent,   ///< Not whole: it has no effect, and the result says why.
    kLost,      ///< Whole, but no answer came: the result says why.
  };
  using Done = std::function<void(Result<Reply> reply, Fate fate)>;
  struct Request {
    RequestBytes bytes;
    /// Asked before it is sent; false: it need not be, and `done` is not called. Null: it must be.
    std::function<bool()> is_wanted;
    Done done;  ///< Called once, by the link's own work, never inside of Send.
  };
  /// Who is told what nobody asked for.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void OnPush(Reply push) = 0;
    /// The connection, which was up, is no more. Called after the requests were told.
    virtual void OnBroken() = 0;
  };

  /// Both outlive it.
  ServerLink(Reactor& reactor, Listener& listener, Options options);
  /// Tells nobody.
  ~ServerLink() override;
  ServerLink(const ServerLink&) = delete;
  ServerLink& operator=(const ServerLink&) = delete;

  void Send(Request request);
  /// Sends what the system takes of what was given to Send: once for many.
  void Flush();
  bool is_up() const noexcept { return state_ == State::kUp; }

 private:
  enum class State : std::uint8_t { kDown, kConnecting, kGreeting, kUp };
  struct Sent {
    Done done;
    std::uint64_t end;  // Of all bytes ever appended on this connection.
  };

  void OnReady(FdReadiness readiness) override;
  void Connect();
  void Connected();
  void ReceiveSome();
  /// False when the connection has ended meanwhile.
  bool TakeReplies();
  void Handle(Reply reply);
  void Greeted(const Reply& reply);
  void Append(Request request);
  void SetInterest(FdInterest interest);
  void Break(const Status& why);
  Status Refusal(const Status& why) const;

  Reactor& reactor_;
  Listener& listener_;
  const Options options_;
  State state_ = State::kDown;
  StreamSocket socket_;
  FdInterest interest_ = FdInterest::kNothing;
  TimerService::TimerId patience_ = 0;  // Until it is up.
  std::deque<Request> waiting_;         // Until it is up.
  std::deque<Sent> sent_;
  OutputBuffer output_;
  std::optional<ReplyParser> parser_;
  std::uint64_t appended_ = 0;  // Bytes, on this connection.
  std::uint64_t taken_ = 0;     // Of these, by the system.
  bool is_deaf_ = false;        // The server takes nothing more; it may have said why.
};

}  // namespace cirein::resp
