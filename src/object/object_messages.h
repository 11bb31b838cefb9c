// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cirein/operations.h"

#include "fabric/transport.h"
#include "object/engine.h"

/// What a client and a node say to each other about objects. A request is a byte of version, a byte
/// that names the verb and the verb's fields; an answer the same with the kind of the answer.
/// Numbers are little-endian, texts and bodies stand behind their lengths, and there is one text
/// for each message: what decodes encodes to the very same bytes.
///
/// Keys and patterns of requests carry their bucket, those of answers have none. Pure functions,
/// safe from any thread.
namespace cirein::wire {

inline constexpr std::uint8_t kVersion = 1;
/// Of a listing's cursor: two of the longest names, each byte of them as three.
inline constexpr std::size_t kMaxCursorBytes = 400'000;
/// Of an error's message and of its hint; what is longer is cut off by Encode.
inline constexpr std::size_t kMaxErrorTextBytes = 4096;
/// Of a message to a handler and of its answer.
inline constexpr std::size_t kMaxHandledBytes = std::size_t{1} << 20;

/// Where the data of an object are that are not in its message: in the memory of who sends it. The
/// object then says type and meta; its own data, if it has any, are not sent.
using Lent = std::optional<fabric::Grant>;

struct PublishRequest {
  Key key;
  PutMode mode = PutMode::kWriteOnce;
  Version if_version = {};  ///< Of kIfVersion.
  std::optional<std::chrono::nanoseconds> ttl = std::nullopt;
  std::uint32_t keep = 0;   ///< Columns that stay in the row; 0: all.
  bool store = true;        ///< False: answers those who wait, and leaves nothing in memory.
  bool to_backing = false;  ///< To be in the store behind its bucket before it counts.
  DataObject object;
  Lent lent = std::nullopt;
};

/// All or none, as one: objects of one row, no column twice, 1 to kMaxGroupItems; not kIfVersion.
struct GroupRequest {
  struct Item {
    std::optional<std::string> column;
    DataObject object;
    Lent lent = std::nullopt;
  };
  Bucket bucket;
  std::string row;
  PutMode mode = PutMode::kWriteOnce;
  std::optional<std::chrono::nanoseconds> ttl = std::nullopt;
  std::uint32_t keep = 0;
  bool store = true;
  std::vector<Item> items;
  bool to_backing = false;
};

struct GetRequest {
  Key key;
};

/// Deadlines count from when the request arrives; nullopt: there is none.
struct WantRequest {
  /// What the client calls it, to give it up; no other of the connection's parked wants has it.
  std::uint64_t number = 0;
  Pattern pattern;
  std::optional<std::chrono::nanoseconds> deadline = std::nullopt;
  /// Would the client keep a copy? Of one key only.
  bool lease = false;
};

struct DropRequest {
  Pattern pattern;
  std::optional<std::chrono::nanoseconds> deadline = std::nullopt;
};

struct InfoRequest {
  Key key;
};

struct RowInfoRequest {
  Bucket bucket;
  std::string row;
};

struct ListRequest {
  Pattern pattern;
  std::uint32_t page_size = ListOptions::kDefaultPageSize;
  std::string cursor;
};

/// Gives a parked want up, which is then answered with Cancelled. Answered with how many that were.
struct CancelRequest {
  std::uint64_t number = 0;
};

/// Of a row; runs where it is.
struct ComputeRequest {
  Pattern pattern;
  std::string function;
  std::string args;
};

/// For code of the user's, which answers to the name.
struct MessageRequest {
  std::string handler;
  std::string message;
};

/// What an answer lent was read, or is not wanted. Answered with how many loans that were.
struct ReleaseRequest {
  std::uint64_t grant = 0;
  std::uint64_t key = 0;
};

/// From a node to its client: it must not keep its copy of this any longer. Answered with how many
/// it had.
struct RecallRequest {
  Key key;
};

/// The order is the format's: a verb's byte is its place here, from 1.
using Request = std::variant<PublishRequest, GroupRequest, GetRequest, WantRequest, DropRequest,
                             InfoRequest, RowInfoRequest, ListRequest, CancelRequest,
                             ComputeRequest, MessageRequest, ReleaseRequest, RecallRequest>;

/// What there is under a name.
struct FoundObject : NamedObject {
  FoundObject() = default;
  FoundObject(NamedObject named, Lent lent_in = std::nullopt)  // NOLINT: the same, when it came
      : NamedObject(std::move(named)), lent(lent_in) {}
  Lent lent;
};

/// What a function made, which has no name.
struct ComputedObject {
  DataObject object;
  Lent lent = std::nullopt;
};

/// What the handler of a message says.
struct MessageAnswer {
  std::string message;
};

/// An object that may be kept for so long, counted from when it was asked for, and until it is
/// called back.
struct LeasedObject : FoundObject {
  LeasedObject() = default;
  LeasedObject(FoundObject found, std::chrono::nanoseconds lease_in)
      : FoundObject(std::move(found)), lease(lease_in) {}
  std::chrono::nanoseconds lease{0};  ///< More than nothing.
};

/// The order is the format's: a kind's byte is its place here, from 1. A Status is an error.
using Reply = std::variant<Status, ObjectInfo, std::vector<ObjectInfo>, FoundObject, std::uint64_t,
                           RowInfo, ListPage, ComputedObject, MessageAnswer, LeasedObject>;

/// InvalidArgument for what no message can say: a name or cursor that is too long, no object. The
/// other limits are looked at by Decode.
Result<std::vector<std::byte>> Encode(const Request& request);
/// What cannot be said becomes an error, Internal.
std::vector<std::byte> Encode(const Reply& reply);

/// Believe nothing. InvalidArgument says what is wrong with the bytes; ResourceExhausted: there is
/// no memory for the object in them.
Result<Request> DecodeRequest(std::span<const std::byte> bytes);
Result<Reply> DecodeReply(std::span<const std::byte> bytes);

}  // namespace cirein::wire
