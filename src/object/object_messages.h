// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "cirein/operations.h"

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

struct PublishRequest {
  Key key;
  PutMode mode = PutMode::kWriteOnce;
  Version if_version = {};  ///< Of kIfVersion.
  std::optional<std::chrono::nanoseconds> ttl = std::nullopt;
  std::uint32_t keep = 0;  ///< Columns that stay in the row; 0: all.
  bool store = true;       ///< False: answers those who wait, and leaves nothing.
  DataObject object;
};

/// All or none, as one: objects of one row, no column twice, 1 to kMaxGroupItems; not kIfVersion.
struct GroupRequest {
  struct Item {
    std::optional<std::string> column;
    DataObject object;
  };
  Bucket bucket;
  std::string row;
  PutMode mode = PutMode::kWriteOnce;
  std::optional<std::chrono::nanoseconds> ttl = std::nullopt;
  std::uint32_t keep = 0;
  bool store = true;
  std::vector<Item> items;
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

/// From a node to its client: it must not keep its copy of this any longer. Answered with how many
/// it had.
struct RecallRequest {
  Key key;
};

/// The order is the format's: a verb's byte is its place here, from 1.
using Request =
    std::variant<PublishRequest, GroupRequest, GetRequest, WantRequest, DropRequest, InfoRequest,
                 RowInfoRequest, ListRequest, CancelRequest, ComputeRequest, RecallRequest>;

/// What a function made, which has no name.
struct ComputedObject {
  DataObject object;
};

/// An object that may be kept for so long, counted from when it was asked for, and until it is
/// called back.
struct LeasedObject {
  NamedObject named;
  std::chrono::nanoseconds lease{0};  ///< More than nothing.
};

/// The order is the format's: a kind's byte is its place here, from 1. A Status is an error.
using Reply = std::variant<Status, ObjectInfo, std::vector<ObjectInfo>, NamedObject, std::uint64_t,
                           RowInfo, ListPage, ComputedObject, LeasedObject>;

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
