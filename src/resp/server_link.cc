// SPDX-License-Identifier: Apache-2.0
#include "resp/server_link.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <utility>

#include <fmt/format.h>

namespace cirein::resp {
namespace {

// For the connection and the server's greeting.
constexpr std::chrono::seconds kPatience{10};
// Until a server that says nothing is asked whether it is there.
constexpr std::chrono::seconds kKeepAlive{60};
// At most so much goes out or comes in before the reactor looks at something else.
constexpr std::size_t kRoundBytes = std::size_t{8} << 20;

}  // namespace

ServerLink::ServerLink(Reactor& reactor, Listener& listener, Options options)
    : reactor_(reactor), listener_(listener), options_(std::move(options)) {}

ServerLink::~ServerLink() {
  if (socket_.is_open()) static_cast<void>(reactor_.Unwatch(socket_.fd()).ok());
  if (patience_ != 0) reactor_.CancelTimer(patience_);
}

void ServerLink::Send(Request request) {
  if (state_ == State::kUp) return Append(std::move(request));
  waiting_.push_back(std::move(request));
}

void ServerLink::Flush() {
  if (state_ == State::kDown && !waiting_.empty()) Connect();
  if (state_ == State::kDown || state_ == State::kConnecting || is_deaf_) return;
  std::array<std::span<const std::byte>, StreamSocket::kMaxParts> parts;
  std::size_t sent = 0;
  while (!output_.empty() && sent < kRoundBytes) {
    const std::size_t count = output_.Parts(parts, kRoundBytes);
    const StreamResult result = socket_.Send(std::span(parts).first(count));
    if (result.code == StreamResult::Code::kEnded) {
      // What it has said before it went is still to be heard; its end is heard there too.
      is_deaf_ = true;
      return SetInterest(FdInterest::kReadable);
    }
    if (result.code == StreamResult::Code::kWouldBlock) break;
    output_.Consume(result.bytes);
    taken_ += result.bytes;
    sent += result.bytes;
  }
  SetInterest(output_.empty() ? FdInterest::kReadable : FdInterest::kReadableOrWritable);
}

void ServerLink::Append(Request request) {
  if (request.is_wanted && !request.is_wanted()) return;
  request.bytes.AppendTo(output_);
  appended_ += request.bytes.size();
  sent_.push_back({std::move(request.done), appended_});
}

void ServerLink::SetInterest(FdInterest interest) {
  if (std::exchange(interest_, interest) == interest) return;
  static_cast<void>(reactor_.SetInterest(socket_.fd(), interest).ok());
}

// What goes wrong at once is told later, so that no callback runs inside of the caller's call.
void ServerLink::Connect() {
  state_ = State::kConnecting;
  Result<StreamSocket> socket = BeginConnectStream(options_.address);
  Status status = socket.status();
  if (status.ok()) {
    socket_ = std::move(*socket);
    socket_.KeepAlive(kKeepAlive);
    interest_ = FdInterest::kReadableOrWritable;
    status = reactor_.Watch(socket_.fd(), interest_, *this);
    if (!status.ok()) socket_.Close();
  }
  const TimePoint now = reactor_.clock().Now();
  if (!status.ok()) {
    patience_ = reactor_.RunAt(now, [this, status] {
      patience_ = 0;
      Break(Unavailable(std::string(status.message()), "is the server running there?"));
    });
    return;
  }
  patience_ = reactor_.RunAt(now + kPatience, [this] {
    patience_ = 0;
    Break(Unavailable(fmt::format("{} does not greet", options_.address.ToString()),
                      "is the server alive? Is it one that speaks Redis's protocol?"));
  });
}

void ServerLink::Connected() {
  if (const Status status = socket_.TakeError(); !status.ok()) {
    return Break(Unavailable(
        fmt::format("cannot connect to {}: {}", options_.address.ToString(), status.message()),
        "is the server running there?"));
  }
  state_ = State::kGreeting;
  parser_.emplace();
  const RequestBytes hello = HelloRequest(options_.password);
  hello.AppendTo(output_);
  appended_ += hello.size();
  Flush();
}

void ServerLink::OnReady(FdReadiness readiness) {
  if (state_ == State::kConnecting) return Connected();
  if (readiness.readable || readiness.failed) ReceiveSome();
  if (state_ != State::kDown) Flush();
}

void ServerLink::ReceiveSome() {
  for (std::size_t received = 0; received < kRoundBytes;) {
    const StreamResult result = socket_.Receive(parser_->window());
    if (result.code == StreamResult::Code::kWouldBlock) return;
    if (result.code == StreamResult::Code::kEnded) {
      return Break(
          Unavailable(fmt::format("{} ended the connection", options_.address.ToString())));
    }
    parser_->Received(result.bytes);
    received += result.bytes;
    if (!TakeReplies()) return;
  }
}

bool ServerLink::TakeReplies() {
  Reply reply;
  for (;;) {
    switch (parser_->Next(&reply)) {
      case ReplyParser::Outcome::kMore:
        return true;
      case ReplyParser::Outcome::kError:
        Break(Unavailable(fmt::format("{} does not speak Redis's protocol: {}",
                                      options_.address.ToString(), parser_->error()),
                          "is this the server's port?"));
        return false;
      case ReplyParser::Outcome::kReply:
        Handle(std::move(reply));
        if (state_ == State::kDown) return false;
    }
  }
}

void ServerLink::Handle(Reply reply) {
  if (reply.kind == Reply::Kind::kPush) return listener_.OnPush(std::move(reply));
  if (state_ == State::kGreeting) return Greeted(reply);
  if (sent_.empty()) {
    const Status said = ErrorOf(reply);
    return Break(
        Unavailable(fmt::format("{} answers what nobody asked{}{}", options_.address.ToString(),
                                said.ok() ? "" : ": ", said.message())));
  }
  const Done done = std::move(sent_.front().done);
  sent_.pop_front();
  done(std::move(reply), Fate::kAnswered);
}

void ServerLink::Greeted(const Reply& reply) {
  if (const Status refused = ErrorOf(reply); !refused.ok()) return Break(refused);
  if (reply.kind != Reply::Kind::kMap) {
    return Break(Unavailable(
        fmt::format("{} does not greet as a server does", options_.address.ToString())));
  }
  reactor_.CancelTimer(std::exchange(patience_, 0));
  state_ = State::kUp;
  std::deque<Request> waiting = std::exchange(waiting_, {});
  for (Request& request : waiting) Append(std::move(request));
}

Status ServerLink::Refusal(const Status& why) const {
  return why.WithContext(fmt::format("it was not sent to {}", options_.address.ToString()));
}

void ServerLink::Break(const Status& why) {
  if (socket_.is_open()) static_cast<void>(reactor_.Unwatch(socket_.fd()).ok());
  socket_.Close();
  if (patience_ != 0) reactor_.CancelTimer(std::exchange(patience_, 0));
  const bool was_up = std::exchange(state_, State::kDown) == State::kUp;
  output_.Clear();
  std::deque<Sent> sent = std::exchange(sent_, {});
  std::deque<Request> waiting = std::exchange(waiting_, {});
  const std::uint64_t taken = std::exchange(taken_, 0);
  appended_ = 0;
  is_deaf_ = false;
  for (const Sent& request : sent) {
    if (request.end <= taken) {
      request.done(why, Fate::kLost);
    } else {
      request.done(Refusal(why), Fate::kNotSent);
    }
  }
  for (const Request& request : waiting) request.done(Refusal(why), Fate::kNotSent);
  if (was_up) listener_.OnBroken();
}

}  // namespace cirein::resp
