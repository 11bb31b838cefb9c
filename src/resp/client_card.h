// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace cirein::resp {

class Session;
struct CommandEntry;

/// What others may know of a session, and how they reach it. The session writes it; any thread
/// reads it, also after the session has ended.
class ClientCard {
 public:
  /// Where a session lives: runs work on its thread.
  class Home {
   public:
    virtual ~Home() = default;
    /// Runs `work` there later, unless the session has ended by then. Thread-safe; false when the
    /// home is closed or has no room.
    virtual bool Post(std::uint64_t session, std::function<void(Session&)> work) = 0;
  };

  ClientCard(std::uint64_t id, std::string address, std::string local_address,
             std::shared_ptr<Home> home)
      : id_(id),
        address_(std::move(address)),
        local_address_(std::move(local_address)),
        home_(std::move(home)) {}

  std::uint64_t id() const noexcept { return id_; }
  const std::string& address() const noexcept { return address_; }
  const std::string& local_address() const noexcept { return local_address_; }

  /// Runs `work` on the session's thread, unless it has ended by then. Thread-safe; false: never.
  bool Post(std::function<void(Session&)> work) const {
    return home_ != nullptr && home_->Post(id_, std::move(work));
  }

  struct Names {
    std::string name;
    std::string library;
    std::string library_version;
  };
  Names names() const {
    const std::lock_guard lock(mutex_);
    return names_;
  }
  void set_name(std::string_view name) {
    const std::lock_guard lock(mutex_);
    names_.name = name;
  }
  void set_library(std::string_view library) {
    const std::lock_guard lock(mutex_);
    names_.library = library;
  }
  void set_library_version(std::string_view version) {
    const std::lock_guard lock(mutex_);
    names_.library_version = version;
  }

  // Told by the session after each batch of commands.
  std::atomic<std::int64_t> created_ms{0};  ///< On the server's clock.
  std::atomic<std::int64_t> active_ms{0};
  std::atomic<std::int32_t> descriptor{-1};
  std::atomic<std::int32_t> queued{-1};  ///< Commands of MULTI; negative without.
  std::atomic<std::uint32_t> watched{0};
  std::atomic<std::uint8_t> protocol{2};
  std::atomic<bool> blocked{false};
  std::atomic<bool> no_evict{false};
  std::atomic<bool> no_touch{false};
  std::atomic<bool> is_path{false};  ///< Came by a Unix socket.
  std::atomic<bool> closing{false};
  std::atomic<std::uint64_t> input_bytes{0};   ///< That wait to be understood.
  std::atomic<std::uint64_t> output_bytes{0};  ///< That wait to be sent.
  std::atomic<std::uint64_t> total_commands{0};
  std::atomic<const CommandEntry*> last_command{nullptr};

 private:
  const std::uint64_t id_;
  const std::string address_;
  const std::string local_address_;
  const std::shared_ptr<Home> home_;
  mutable std::mutex mutex_;
  Names names_;
};

/// The cards of all sessions there are, by id. Thread-safe.
class ClientRegistry {
 public:
  std::uint64_t NextId() noexcept { return next_id_.fetch_add(1, std::memory_order_relaxed); }
  void Add(std::shared_ptr<ClientCard> card) {
    const std::lock_guard lock(mutex_);
    cards_.emplace(card->id(), std::move(card));
  }
  void Remove(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    cards_.erase(id);
  }
  /// By id, ascending.
  std::vector<std::shared_ptr<ClientCard>> All() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<ClientCard>> cards;
    cards.reserve(cards_.size());
    for (const auto& [id, card] : cards_) cards.push_back(card);
    return cards;
  }
  std::shared_ptr<ClientCard> Find(std::uint64_t id) const {
    const std::lock_guard lock(mutex_);
    const auto found = cards_.find(id);
    return found == cards_.end() ? nullptr : found->second;
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return cards_.size();
  }

 private:
  std::atomic<std::uint64_t> next_id_{1};
  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<ClientCard>> cards_;
};

}  // namespace cirein::resp
