// SPDX-License-Identifier: Apache-2.0
// What a program with hiredis does: hiredis_client PORT SOCKET_PATH. Says what differs from what it
// expects and ends with 1, or says nothing and ends with 0.
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <poll.h>
#include <string>
#include <string_view>

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

namespace {

constexpr int kPipelined = 1000;
constexpr int kAsynchronous = 1000;

[[noreturn]] void Fail(const char* what, std::string_view detail = {}) {
  std::fprintf(stderr, "hiredis_client: %s %.*s\n", what, static_cast<int>(detail.size()),
               detail.data());
  std::exit(1);
}

struct FreeContext {
  void operator()(redisContext* context) const { redisFree(context); }
};
struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Context = std::unique_ptr<redisContext, FreeContext>;
using Reply = std::unique_ptr<redisReply, FreeReply>;

Context Checked(redisContext* context) {
  if (context == nullptr || context->err != 0) Fail("cannot connect");
  timeval deadline{.tv_sec = 60, .tv_usec = 0};
  if (redisSetTimeout(context, deadline) != REDIS_OK) Fail("cannot set a deadline");
  return Context(context);
}

std::string_view Text(const redisReply* reply) { return {reply->str, reply->len}; }

// Formats as hiredis does: %b is a pointer and a length.
Reply Ask(const Context& context, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  Reply reply(static_cast<redisReply*>(redisvCommand(context.get(), format, arguments)));
  va_end(arguments);
  if (reply == nullptr) Fail("no reply to", format);
  return reply;
}

void ExpectText(const redisReply* reply, int type, std::string_view text) {
  if (reply->type != type) Fail("another type of reply instead of", text);
  if (Text(reply) != text) Fail("another reply:", Text(reply));
}

void ExpectNumber(const redisReply* reply, long long number) {
  if (reply->type != REDIS_REPLY_INTEGER || reply->integer != number) {
    Fail("not the number", std::to_string(number));
  }
}

void Ordinary(const Context& context) {
  const std::string binary("\0\r\n\xff binary", 11);
  ExpectText(Ask(context, "PING").get(), REDIS_REPLY_STATUS, "PONG");
  ExpectText(
      Ask(context, "SET %b %b", binary.data(), binary.size(), binary.data(), binary.size()).get(),
      REDIS_REPLY_STATUS, "OK");
  ExpectText(Ask(context, "GET %b", binary.data(), binary.size()).get(), REDIS_REPLY_STRING,
             binary);
  if (Ask(context, "GET nothing")->type != REDIS_REPLY_NIL) Fail("a value of nothing");
  ExpectNumber(Ask(context, "HSET h a 1 b 2").get(), 2);
  Reply fields = Ask(context, "HMGET h a none b");
  if (fields->type != REDIS_REPLY_ARRAY || fields->elements != 3) Fail("HMGET: not three");
  ExpectText(fields->element[0], REDIS_REPLY_STRING, "1");
  if (fields->element[1]->type != REDIS_REPLY_NIL) Fail("a value of no field");
  Reply error = Ask(context, "GET h");
  if (error->type != REDIS_REPLY_ERROR || Text(error.get()).substr(0, 10) != "WRONGTYPE ") {
    Fail("GET of a hash is not refused");
  }
}

void Pipelined(const Context& context) {
  ExpectText(Ask(context, "SET n 0").get(), REDIS_REPLY_STATUS, "OK");
  for (int i = 0; i < kPipelined; ++i) redisAppendCommand(context.get(), "INCR n");
  for (int i = 1; i <= kPipelined; ++i) {
    void* reply = nullptr;
    if (redisGetReply(context.get(), &reply) != REDIS_OK) Fail("a pipelined reply is missing");
    ExpectNumber(Reply(static_cast<redisReply*>(reply)).get(), i);
  }
}

void Transaction(const Context& context) {
  for (const char* command : {"MULTI", "SET t 5", "INCRBY t 10", "EXEC"}) {
    redisAppendCommand(context.get(), command);
  }
  Reply reply;
  for (int i = 0; i < 4; ++i) {
    void* next = nullptr;
    if (redisGetReply(context.get(), &next) != REDIS_OK) Fail("a reply of MULTI is missing");
    reply.reset(static_cast<redisReply*>(next));
  }
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) Fail("EXEC: not two");
  ExpectNumber(reply->element[1], 15);
}

// The events of one asynchronous connection, and what came of its commands.
struct Loop {
  bool reads = false;
  bool writes = false;
  bool connected = false;
  bool ended = false;
  int replies = 0;
};

Loop& LoopOf(const redisAsyncContext* context) { return *static_cast<Loop*>(context->data); }

void UseLoop(redisAsyncContext* context, Loop* loop) {
  context->data = loop;
  context->ev.data = loop;
  context->ev.addRead = [](void* data) { static_cast<Loop*>(data)->reads = true; };
  context->ev.delRead = [](void* data) { static_cast<Loop*>(data)->reads = false; };
  context->ev.addWrite = [](void* data) { static_cast<Loop*>(data)->writes = true; };
  context->ev.delWrite = [](void* data) { static_cast<Loop*>(data)->writes = false; };
  context->ev.cleanup = [](void* data) {
    static_cast<Loop*>(data)->reads = static_cast<Loop*>(data)->writes = false;
  };
}

void OnConnect(const redisAsyncContext* context, int status) {
  if (status != REDIS_OK) Fail("asynchronous: cannot connect:", context->errstr);
  LoopOf(context).connected = true;
}

void OnDisconnect(const redisAsyncContext* context, int status) {
  if (status != REDIS_OK) Fail("asynchronous: disconnected:", context->errstr);
  LoopOf(context).ended = true;
}

void OnIncrement(redisAsyncContext* context, void* data, void* /*unused*/) {
  if (data == nullptr) Fail("asynchronous: a command without a reply");
  Loop& loop = LoopOf(context);
  ExpectNumber(static_cast<redisReply*>(data), ++loop.replies);
  if (loop.replies == kAsynchronous) redisAsyncDisconnect(context);
}

// Serves the connection until it has ended. It frees itself then, so its descriptor is kept here.
void Run(redisAsyncContext* context, const Loop& loop) {
  const int descriptor = context->c.fd;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!loop.ended) {
    if (std::chrono::steady_clock::now() > deadline) Fail("asynchronous: not done in time");
    const int wanted = (loop.reads ? POLLIN : 0) | (loop.writes ? POLLOUT : 0);
    pollfd event{.fd = descriptor, .events = static_cast<short>(wanted), .revents = 0};
    poll(&event, 1, 1000);
    if ((event.revents & (POLLIN | POLLHUP | POLLERR)) != 0 && loop.reads) {
      redisAsyncHandleRead(context);
    }
    if (!loop.ended && (event.revents & POLLOUT) != 0 && loop.writes) {
      redisAsyncHandleWrite(context);
    }
  }
}

void Asynchronous(int port) {
  Loop loop;
  redisAsyncContext* context = redisAsyncConnect("127.0.0.1", port);
  if (context == nullptr || context->err != 0) Fail("asynchronous: no connection");
  UseLoop(context, &loop);
  redisAsyncSetConnectCallback(context, OnConnect);
  redisAsyncSetDisconnectCallback(context, OnDisconnect);
  for (int i = 0; i < kAsynchronous; ++i) {
    if (redisAsyncCommand(context, OnIncrement, nullptr, "INCR asynchronous") != REDIS_OK) {
      Fail("asynchronous: a command is refused");
    }
  }
  Run(context, loop);
  if (!loop.connected || loop.replies != kAsynchronous) Fail("asynchronous: replies are missing");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) Fail("usage: hiredis_client PORT SOCKET_PATH");
  const int port = std::atoi(arguments[1]);
  for (const Context& context :
       {Checked(redisConnect("127.0.0.1", port)), Checked(redisConnectUnix(arguments[2]))}) {
    Ordinary(context);
    Pipelined(context);
    Transaction(context);
    ExpectText(Ask(context, "FLUSHALL").get(), REDIS_REPLY_STATUS, "OK");
  }
  Asynchronous(port);
  return 0;
}
