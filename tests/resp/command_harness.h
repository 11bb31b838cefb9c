// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/text.h"
#include "node/node.h"
#include "object/striped_store.h"
#include "region/shadow_space.h"
#include "resp/command.h"
#include "runtime/virtual_environment.h"
#include "support/objects.h"
#include "support/status_matchers.h"

namespace cirein::resp {

inline const Bucket kBucket{7};

/// A store in virtual time, and what it stands on.
class StoreHost {
 public:
  virtual ~StoreHost() = default;
  virtual StripedStore& store() = 0;
  VirtualEnvironment& world() { return world_; }

 protected:
  VirtualEnvironment world_;
};

class MemoryStoreHost final : public StoreHost {
 public:
  MemoryStoreHost()
      : store_(
            StripedStore::Create(world_.environment(), {.stripes = 8, .memory_limit_bytes = 0})) {}
  ~MemoryStoreHost() override { store_->Close(); }
  StripedStore& store() override { return *store_; }

 private:
  std::shared_ptr<StripedStore> store_;
};

class NodeStoreHost final : public StoreHost {
 public:
  /// An entry of the longest key fits.
  static constexpr std::uint64_t kSegmentBytes = 256 * 1024;
  explicit NodeStoreHost(std::uint64_t segment_bytes = kSegmentBytes) {
    dpm::CreateOptions options;
    options.segment_bytes = segment_bytes;
    options.log_bytes = 32 * options.segment_bytes;
    options.index_bytes = 4 << 20;
    options.extent_limit_bytes = 64 << 20;
    options.large_bytes = 4096;
    options.pool_id = 1;
    options.created_ms = 1;
    auto space = std::make_unique<ShadowSpace>(ShadowSpace::Medium::kFlushable);
    EXPECT_OK(dpm::Dpm::Create(*space, options));
    auto node = node::Node::Open(std::move(space), world_.environment(), executor_,
                                 {.shards = 2, .cache_bytes = 1 << 20, .shared_log = true});
    EXPECT_OK(node);
    node_ = std::move(*node);
  }
  ~NodeStoreHost() override { EXPECT_OK(node_->Close()); }
  StripedStore& store() override { return *node_->store(); }

 private:
  ManualExecutor executor_{"pool"};
  std::shared_ptr<node::Node> node_;
};

struct StoreKind {
  const char* name;
  std::unique_ptr<StoreHost> (*make)();
  /// Expiries after the year 2262 are kept, not taken for never.
  bool far_expiries = true;

  friend void PrintTo(const StoreKind& kind, std::ostream* out) { *out << kind.name; }
};
inline const StoreKind kStores[] = {
    {"Memory", []() -> std::unique_ptr<StoreHost> { return std::make_unique<MemoryStoreHost>(); },
     false},
    {"Node", []() -> std::unique_ptr<StoreHost> { return std::make_unique<NodeStoreHost>(); }},
};
inline std::string StoreKindName(const testing::TestParamInfo<StoreKind>& info) {
  return info.param.name;
}

/// Runs commands against a store, each in a transaction of its own, as a server would; gives back
/// the bytes of their replies.
class CommandHarness {
 public:
  using Tables = std::vector<std::span<const CommandSpec>>;

  CommandHarness(const StoreKind& kind, Tables tables)
      : tables_(std::move(tables)), host_(kind.make()) {}

  StripedStore& store() { return host_->store(); }
  VirtualEnvironment& world() { return host_->world(); }
  std::uint64_t now_ms() {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(world().clock().WallNow()).count());
  }
  void Pass(std::chrono::nanoseconds time) { world().RunFor(time); }

  void set_protocol(Protocol protocol) { protocol_ = protocol; }
  /// Arguments of more bytes than this come as bodies of their own.
  void set_body_bytes(std::size_t bytes) { body_bytes_ = bytes; }

  /// One command, by its arguments.
  std::string Run(const std::vector<std::string>& words) {
    const CommandSpec* const spec = Find(words.at(0));
    if (spec == nullptr) return "no such command: " + words[0];
    std::vector<Arg> args;
    for (const std::string& word : words) args.push_back(MakeArg(word));
    if (!HasArity(*spec, args.size())) {
      return "-ERR wrong number of arguments for '" + std::string(spec->name) + "' command\r\n";
    }
    OutputBuffer output;
    ReplyWriter reply(output, protocol_);
    Call(*spec, args, reply);
    return TakeAll(output);
  }
  /// The same, its arguments between single blanks; '' is an empty one.
  std::string Do(std::string_view line) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at <= line.size();) {
      const std::size_t end = std::min(line.find(' ', at), line.size());
      const std::string_view word = line.substr(at, end - at);
      words.emplace_back(word == "''" ? std::string_view() : word);
      at = end + 1;
    }
    return Run(words);
  }
  /// Looks at the store and changes it as only the native API can. Keys it names outlive the call.
  void InTransaction(std::string_view row, const std::function<void(Transaction&)>& work) {
    const KeyView view(kBucket, row);
    Transaction transaction = store().Begin(std::span(&view, 1));
    work(transaction);
    EXPECT_OK(Commit(std::move(transaction)));
  }

  /// All bytes that wait, by the same way that a connection takes them.
  static std::string TakeAll(OutputBuffer& output) {
    std::string bytes;
    while (!output.empty()) {
      std::span<const std::byte> parts[2];
      const std::size_t count = output.Parts(parts, 1 << 20);
      std::size_t sent = 0;
      for (std::size_t i = 0; i < count; ++i) {
        bytes.append(reinterpret_cast<const char*>(parts[i].data()), parts[i].size());
        sent += parts[i].size();
      }
      if (sent == 0) {
        ADD_FAILURE() << "an output buffer that is not empty gave nothing";
        break;
      }
      output.Consume(sent);
    }
    return bytes;
  }

 private:
  const CommandSpec* Find(std::string_view name) const {
    const std::string lower = AsciiLower(name);
    for (const auto& table : tables_) {
      for (const CommandSpec& spec : table) {
        if (spec.name == lower) return &spec;
      }
    }
    return nullptr;
  }
  Arg MakeArg(const std::string& word) const {
    Arg arg{.bytes = word, .body = {}};
    if (word.size() > body_bytes_) {
      arg.body = test::MakeObject(word);
      arg.bytes = arg.body.text();
    }
    return arg;
  }
  static bool HasArity(const CommandSpec& spec, std::size_t args) {
    const auto count = static_cast<std::int64_t>(args);
    return spec.arity >= 0 ? count == spec.arity : count >= -spec.arity;
  }
  static std::vector<KeyView> RowsOf(const CommandSpec& spec, std::span<const Arg> args) {
    std::vector<KeyView> rows;
    if (spec.keys.first == 0) return rows;
    const auto count = static_cast<int>(args.size());
    const int last = spec.keys.last < 0 ? count + spec.keys.last : spec.keys.last;
    for (int i = spec.keys.first; i <= last && i < count; i += spec.keys.step) {
      rows.emplace_back(kBucket, args[static_cast<std::size_t>(i)].text());
    }
    return rows;
  }
  void Call(const CommandSpec& spec, std::span<const Arg> args, ReplyWriter& reply) {
    const std::vector<KeyView> rows = RowsOf(spec, args);
    Transaction transaction =
        (spec.flags & kAllRows) != 0 ? store().BeginAll() : store().Begin(rows);
    DataCall call{.args = args, .reply = reply, .transaction = transaction, .bucket = kBucket};
    Status status = spec.data(call);
    if (!status.ok()) transaction.RollBack(0);
    if ((spec.flags & kWrite) == 0) {
      EXPECT_FALSE(transaction.has_changes()) << spec.name << " is no write";
    }
    const Status committed = Commit(std::move(transaction));
    if (status.ok()) status = committed;
    if (status.ok()) return;
    reply.output().Truncate(0);
    reply.Error("ERR " + status.ToString());
  }
  Status Commit(Transaction transaction) {
    StripedStore::Committed committed = store().Commit(std::move(transaction));
    if (!committed.status.ok()) return committed.status;
    Status kept;
    if (committed.ticket != 0) kept = committed.keeper->Await(committed.ticket);
    StripedStore::Tell(committed, kept);
    world().RunReady();
    return kept;
  }

  Tables tables_;
  std::unique_ptr<StoreHost> host_;
  Protocol protocol_ = Protocol::kResp2;
  std::size_t body_bytes_ = 16 << 10;
};

// Replies, as bytes.
inline const std::string kOkReply = "+OK\r\n";
inline const std::string kNil = "$-1\r\n";  ///< Of RESP2.
inline const std::string kNil3 = "_\r\n";   ///< Of RESP3.
inline const std::string kWrongTypeReply = "-" + std::string(kWrongType) + "\r\n";
inline std::string Number(std::int64_t value) { return ":" + std::to_string(value) + "\r\n"; }
inline std::string BulkOf(std::string_view bytes) {
  return "$" + std::to_string(bytes.size()) + "\r\n" + std::string(bytes) + "\r\n";
}
inline std::string ErrorOf(std::string_view text) { return "-" + std::string(text) + "\r\n"; }
/// Of replies.
inline std::string ArrayOf(const std::vector<std::string>& elements) {
  std::string bytes = "*" + std::to_string(elements.size()) + "\r\n";
  for (const std::string& element : elements) bytes += element;
  return bytes;
}
/// Of bulks.
inline std::string BulksOf(const std::vector<std::string>& elements) {
  std::string bytes = "*" + std::to_string(elements.size()) + "\r\n";
  for (const std::string& element : elements) bytes += BulkOf(element);
  return bytes;
}

/// A test of commands that runs over every kind of store.
class CommandTest : public testing::TestWithParam<StoreKind> {
 protected:
  explicit CommandTest(CommandHarness::Tables tables) : redis_(GetParam(), std::move(tables)) {}

  std::string Do(std::string_view line) { return redis_.Do(line); }
  std::string Run(const std::vector<std::string>& words) { return redis_.Run(words); }

  CommandHarness redis_;
};

}  // namespace cirein::resp
