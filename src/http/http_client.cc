// SPDX-License-Identifier: Apache-2.0
#include "http/http_client.h"

#include <array>
#include <memory>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "base/text.h"
#include "base/units.h"
#include "http/http_message.h"
#include "runtime/reactor.h"

namespace cirein::http {
namespace {

class Asker final : public FdHandler {
 public:
  Asker(Reactor& reactor, StreamSocket socket, std::string request, std::uint64_t max_bytes)
      : reactor_(reactor),
        socket_(std::move(socket)),
        request_(std::move(request)),
        max_bytes_(max_bytes) {}
  ~Asker() override { static_cast<void>(reactor_.Unwatch(socket_.fd()).ok()); }

  // Drives the reactor until there is an answer, or `after` is over.
  Result<std::string> Ask(std::chrono::nanoseconds after) {
    CIREIN_RETURN_IF_ERROR(reactor_.Watch(socket_.fd(), FdInterest::kReadableOrWritable, *this));
    reactor_.RunAt(reactor_.clock().Now() + after, [this, after] {
      Finish(DeadlineExceeded(fmt::format("no whole answer came in {}", FormatDuration(after)),
                              "look at what the server does: its log, top"));
    });
    reactor_.Run();
    CIREIN_RETURN_IF_ERROR(status_);
    return std::move(answer_);
  }

  void OnReady(FdReadiness readiness) override {
    if (readiness.writable && sent_ < request_.size()) Send();
    if (readiness.readable || readiness.failed) Receive();
  }

 private:
  void Send() {
    const std::array<std::span<const std::byte>, 1> parts = {
        std::as_bytes(std::span(request_)).subspan(sent_)};
    const StreamResult result = socket_.Send(parts);
    sent_ += result.bytes;
    // A server that refuses does not wait for the whole of it; its answer may be there.
    const bool done = sent_ == request_.size() || result.code == StreamResult::Code::kEnded;
    if (done) static_cast<void>(reactor_.SetInterest(socket_.fd(), FdInterest::kReadable).ok());
  }
  void Receive() {
    std::array<std::byte, std::size_t{64} << 10> buffer;
    const StreamResult result = socket_.Receive(buffer);
    if (result.code == StreamResult::Code::kWouldBlock) return;
    if (result.code == StreamResult::Code::kEnded) return Finish(OkStatus());
    answer_.append(reinterpret_cast<const char*>(buffer.data()), result.bytes);
    if (answer_.size() > max_bytes_) Finish(ResourceExhausted("the answer is too long"));
  }
  void Finish(Status status) {
    status_ = std::move(status);
    static_cast<void>(reactor_.SetInterest(socket_.fd(), FdInterest::kNothing).ok());
    reactor_.Stop();
  }

  Reactor& reactor_;
  StreamSocket socket_;
  const std::string request_;
  const std::uint64_t max_bytes_;
  std::size_t sent_ = 0;
  std::string answer_;
  Status status_;
};

std::string RequestText(const StreamAddress& address, const HttpQuestion& question) {
  return fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}\r\n", question.target,
      address.is_path() ? "localhost" : address.ToString(),
      question.password.empty()
          ? ""
          : fmt::format("Authorization: {}\r\n", BasicAuthorization(question.password)));
}

}  // namespace

Result<HttpAnswer> ParseAnswer(std::string_view text) {
  constexpr std::string_view kStart = "HTTP/1.1 ";
  constexpr std::size_t kStatusDigits = 3;
  const std::optional<std::size_t> end = EndOfHead(text, 0);
  if (!end || !text.starts_with(kStart)) {
    return DataLoss("what came is no whole answer of HTTP/1.1", "does cirein listen there?");
  }
  const auto status = ParseUint64(text.substr(kStart.size(), kStatusDigits));
  if (!status.ok()) return DataLoss("the answer has no status", "does cirein listen there?");
  HttpAnswer answer;
  answer.status = static_cast<int>(*status);
  answer.head = text.substr(0, *end);
  answer.body = text.substr(*end);
  const std::string lower = AsciiLower(answer.head);
  constexpr std::string_view kLength = "\r\ncontent-length: ";
  const std::size_t at = lower.find(kLength);
  if (at != std::string::npos) {
    const std::size_t from = at + kLength.size();
    const auto length =
        ParseUint64(std::string_view(lower).substr(from, lower.find('\r', from) - from));
    if (!length.ok() || *length != answer.body.size()) {
      return DataLoss("the answer was cut short", "ask again");
    }
  }
  return answer;
}

Result<HttpAnswer> HttpGet(Clock& clock, const StreamAddress& address,
                           const HttpQuestion& question) {
  CIREIN_ASSIGN_OR_RETURN(const std::unique_ptr<Reactor> reactor, Reactor::Create(clock));
  CIREIN_ASSIGN_OR_RETURN(StreamSocket socket, ConnectStream(address));
  Asker asker(*reactor, std::move(socket), RequestText(address, question), question.max_bytes);
  CIREIN_ASSIGN_OR_RETURN(const std::string text, asker.Ask(question.time));
  return ParseAnswer(text);
}

}  // namespace cirein::http
