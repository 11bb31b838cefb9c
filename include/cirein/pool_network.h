// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cirein/data_object.h"
#include "cirein/deadline.h"
#include "cirein/operations.h"
#include "cirein/status.h"

namespace cirein {

/// What a process may do with another's memory.
enum class MemoryAccess : std::uint8_t { kRead, kReadWrite };

/// The right to memory of another process: plain numbers, which cannot be guessed, and which that
/// process sends in a message to whom it gives them.
struct RemoteMemory {
  std::uint64_t id = 0;
  std::uint64_t key = 0;
  std::uint64_t bytes = 0;
  MemoryAccess access = MemoryAccess::kRead;

  /// As text, for messages; InvalidArgument for text that is none.
  std::string ToString() const;
  static Result<RemoteMemory> Parse(std::string_view text);
  friend bool operator==(const RemoteMemory&, const RemoteMemory&) = default;
};

/// Bytes of such memory.
struct MemoryRange {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// An object of this process that others may reach. Move-only; the object is held and reached until
/// it goes, or the library finishes. Going blocks for as long as others are in the middle of it.
class ExposedMemory {
 public:
  class State;
  explicit ExposedMemory(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ExposedMemory(ExposedMemory&&) noexcept = default;
  ExposedMemory& operator=(ExposedMemory&&) noexcept = default;
  ~ExposedMemory() = default;

  const RemoteMemory& memory() const noexcept;

 private:
  std::shared_ptr<State> state_;
};

/// That this process answers messages of one name. Move-only. Going blocks until nobody runs the
/// handler any more, so it must not go inside of it.
class MessageHandler {
 public:
  class State;
  explicit MessageHandler(std::shared_ptr<State> state) : state_(std::move(state)) {}
  MessageHandler(MessageHandler&&) noexcept = default;
  MessageHandler& operator=(MessageHandler&&) noexcept = default;
  ~MessageHandler() = default;

 private:
  std::shared_ptr<State> state_;
};

/// What a pool type of the program's own needs to have members in other processes: messages to a
/// member's handler with its answer, and reads and writes of memory that it has exposed. Members
/// are named as in pool URLs (ag0=...): HOST:PORT, or what a process says of itself. Group says who
/// they are.
///
/// Each operation is answered once, by its deadline (default: default.deadline). Errors of all:
/// InvalidArgument, before anything is sent; Unavailable, which names the member: it cannot be
/// reached, or went away, and then whether the operation took effect is unknown, as it is with
/// DeadlineExceeded; ResourceExhausted (too much is under way). Nothing is repeated. Operations of
/// one member need no order. A cancelled one may still take effect.
///
/// The forms without callback block; the others run it on a callback thread, and never block.
/// Thread-safe; copies share the connections.
class PoolNetwork {
 public:
  /// Of a message, and of an answer. More goes through exposed memory.
  static constexpr std::size_t kMaxMessageBytes = std::size_t{1} << 20;
  /// Of one Read or Write.
  static constexpr std::uint64_t kMaxTransferBytes = std::uint64_t{16} << 20;
  static constexpr std::size_t kMaxHandlerNameBytes = 255;

  /// This process's network, which the first who asks begins. FailedPrecondition when the library
  /// is not started, or the setting network is nonet; the errors of beginning it. Blocks.
  static Result<PoolNetwork> Open();

  /// Where others reach this process.
  const std::string& address() const noexcept;

  /// Called with a message on a callback thread, several at once; may block, and use the library.
  /// Its error reaches who asked as it is, an exception as Aborted.
  using Handler = std::function<Result<std::string>(std::string_view message)>;
  /// AlreadyExists when this process has a handler of that name.
  Result<MessageHandler> Handle(std::string name, Handler handler) const;

  struct Message {
    std::string handler;  ///< Whose name it has at the member.
    std::string text;     ///< Any bytes.
  };
  using AnswerCallback = std::function<void(Result<std::string>)>;
  /// Further errors: NotFound (the member has no such handler), the handler's own.
  Operation Ask(const std::string& member, Message message, AnswerCallback done,
                Deadline deadline = {}) const;
  Result<std::string> Ask(const std::string& member, Message message, Deadline deadline = {}) const;

  /// The object's data; InvalidArgument when it is empty, a view, or does not begin at a multiple
  /// of 8 bytes. What others write is seen by who looks after their message that says so.
  Result<ExposedMemory> Expose(DataObject object, MemoryAccess access) const;

  using ReadCallback = std::function<void(Result<DataObject>)>;
  using WriteCallback = std::function<void(Status)>;
  /// Further errors: InvalidArgument (a range that is not in the memory), PermissionDenied (it is
  /// not exposed any more, or never was).
  Operation Read(const std::string& member, const RemoteMemory& memory, MemoryRange range,
                 ReadCallback done, Deadline deadline = {}) const;
  Result<DataObject> Read(const std::string& member, const RemoteMemory& memory, MemoryRange range,
                          Deadline deadline = {}) const;
  /// Puts the object's data there. OK: whoever looks sees it. The same errors.
  Operation Write(const std::string& member, const RemoteMemory& memory, std::uint64_t offset,
                  DataObject object, WriteCallback done, Deadline deadline = {}) const;
  Status Write(const std::string& member, const RemoteMemory& memory, std::uint64_t offset,
               DataObject object, Deadline deadline = {}) const;

 private:
  class State;
  explicit PoolNetwork(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace cirein
