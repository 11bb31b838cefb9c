// SPDX-License-Identifier: Apache-2.0
// A pool whose one member is another process on this machine, beside redis-server and memcpy:
//   members_bench [--seconds=S] [--rounds=N] [--only=small|shm|ofi|register]
// S is how long each figure is taken in each of the N turns.

#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "cirein/cirein.h"

#include "bench/turns.h"
#include "object/object_transfers.h"
#include "pool/process.h"

namespace cirein::bench {
namespace {

constexpr std::size_t kSmallBytes = 64;
constexpr std::size_t kKeys = 4096;
constexpr std::size_t kBatch = 64;

struct Arguments {
  Seconds each{0.3};
  std::size_t rounds = 5;
  std::string only;
  std::string given;
};

[[noreturn]] void Give(const std::string& why) {
  fmt::print(stderr, "members_bench: {}\n", why);
  std::_Exit(1);
}

template <typename T>
T Must(Result<T> result) {
  if (!result.ok()) Give(result.status().ToString());
  return std::move(*result);
}
void Must(const Status& status) {
  if (!status.ok()) Give(status.ToString());
}

Arguments Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view text = argv[i];
    arguments.given += " " + std::string(text);
    double number = 0;
    const auto read = [&](std::string_view digits) {
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), number);
      return error == std::errc() && end == digits.data() + digits.size() && number > 0;
    };
    if (text.starts_with("--seconds=") && read(text.substr(10))) {
      arguments.each = Seconds(number);
    } else if (text.starts_with("--rounds=") && read(text.substr(9)) && number >= 1) {
      arguments.rounds = static_cast<std::size_t>(number);
    } else if (text == "--only=small" || text == "--only=shm" || text == "--only=ofi" ||
               text == "--only=register") {
      arguments.only = text.substr(7);
    } else {
      Give(
          fmt::format("'{}' means nothing; next: --seconds=S, --rounds=N, "
                      "--only=small|shm|ofi|register",
                      text));
    }
  }
  return arguments;
}

/// A process of its own that ends when this one lets it go.
class Child {
 public:
  /// `run` says one line over the first descriptor, and returns when the second one ends.
  explicit Child(const std::function<void(int say, int until)>& run) {
    std::array<int, 2> said{};
    std::array<int, 2> until{};
    if (pipe(said.data()) != 0 || pipe(until.data()) != 0) Give("there is no pipe");
    std::fflush(stdout);  // Else the child has it, too.
    pid_ = fork();
    if (pid_ < 0) Give("there is no process");
    if (pid_ == 0) {
      close(said[0]);
      close(until[1]);
      run(said[1], until[0]);
      std::_Exit(0);
    }
    close(said[1]);
    close(until[0]);
    hold_ = until[1];
    for (char byte = 0; read(said[0], &byte, 1) == 1 && byte != '\n';) line_ += byte;
    close(said[0]);
  }
  ~Child() {
    close(hold_);
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  const std::string& line() const { return line_; }

 private:
  pid_t pid_ = -1;
  int hold_ = -1;
  std::string line_;
};

Config ConfigFor(std::string_view fabric) {
  Config config;
  Must(config.Set("fabric.use", fabric));
  Must(config.Set("default.deadline", "5m"));
  return config;
}

void ServeMember(std::string_view fabric, int say, int until) {
  Must(Start(ConfigFor(fabric)));
  const std::string line = Must(Process::Current()->network())->address() + "\n";
  if (write(say, line.data(), line.size()) < 0) return;
  char byte = 0;
  while (read(until, &byte, 1) > 0) {
  }
}

/// Requests over a Unix socket, and their replies counted by what each begins with.
class RedisClient {
 public:
  explicit RedisClient(const std::string& path) : socket_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    const auto* const name = reinterpret_cast<const sockaddr*>(&address);  // NOLINT
    for (int i = 0; connect(socket_, name, sizeof address) != 0; ++i) {
      if (i == 500) Give("redis-server does not answer");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  ~RedisClient() { close(socket_); }
  RedisClient(const RedisClient&) = delete;
  RedisClient& operator=(const RedisClient&) = delete;

  /// All at once, and then so many bytes of replies, which are all of one length.
  void Ask(std::string_view requests, std::size_t reply_bytes) {
    while (!requests.empty()) {
      const ssize_t sent = send(socket_, requests.data(), requests.size(), 0);
      if (sent <= 0) Give("redis-server takes no request");
      requests.remove_prefix(static_cast<std::size_t>(sent));
    }
    for (std::size_t got = 0; got < reply_bytes;) {
      const ssize_t more = recv(socket_, buffer_.data(), buffer_.size(), 0);
      if (more <= 0 || buffer_[0] == '-') Give("redis-server refuses");
      got += static_cast<std::size_t>(more);
    }
  }

 private:
  int socket_;
  std::array<char, 65536> buffer_{};
};

/// Calls `step`, which does `each` operations, for about so long: operations a second.
double Rate(Seconds length, std::size_t each, const std::function<void(std::size_t)>& step) {
  std::size_t steps = 0;
  const auto start = std::chrono::steady_clock::now();
  Seconds took{0};
  do {
    for (int i = 0; i < 16; ++i) step(steps++);
    took = std::chrono::steady_clock::now() - start;
  } while (took < length);
  return static_cast<double>(steps * each) / took.count();
}

struct Row {
  std::string name;
  std::function<double()> ours;
  std::function<double()> theirs;
  std::vector<double> our_rates;
  std::vector<double> their_rates;

  void Turn() {
    our_rates.push_back(ours());
    their_rates.push_back(theirs());
  }
  double Ratio() const {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < our_rates.size(); ++i) {
      ratios.push_back(our_rates[i] / their_rates[i]);
    }
    return Median(std::move(ratios));
  }
};

std::string SetText(std::size_t key) {
  const std::string name = fmt::format("key:{:08}", key);
  return fmt::format("*3\r\n$3\r\nSET\r\n${}\r\n{}\r\n${}\r\n{}\r\n", name.size(), name,
                     kSmallBytes, std::string(kSmallBytes, 'x'));
}
std::string GetText(std::size_t key) {
  const std::string name = fmt::format("key:{:08}", key);
  return fmt::format("*2\r\n$3\r\nGET\r\n${}\r\n{}\r\n", name.size(), name);
}

void MeasureSmall(const Arguments& arguments) {
  const Child member([](int say, int until) { ServeMember("auto", say, until); });
  const std::string path = fmt::format("/tmp/members_bench_{}.sock", getpid());
  const Child redis([&](int say, int /*until*/) {
    if (write(say, "\n", 1) < 0) return;
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path.c_str(), "--save",
           "", "--appendonly", "no", "--logfile", "/dev/null", nullptr);
  });
  RedisClient client(path);
  Must(Start(ConfigFor("auto")));
  {
    Pool pool = Must(Connect("dht:/bench&num=1&ag0=" + member.line()));
    const DataObject object = Must(DataObject::FromString(std::string(kSmallBytes, 'x')));
    const PublishOptions over{.overwrite = Overwrite::kYes};
    std::vector<Key> keys;
    std::vector<std::string> sets;
    std::vector<std::string> gets;
    for (std::size_t i = 0; i < kKeys; ++i) {
      keys.emplace_back(fmt::format("key:{:08}", i));
      sets.push_back(SetText(i));
      gets.push_back(GetText(i));
    }
    std::vector<std::vector<PublishItem>> items(kKeys / kBatch);
    std::vector<std::string> set_batches(kKeys / kBatch);
    std::vector<std::string> get_batches(kKeys / kBatch);
    for (std::size_t i = 0; i < kKeys; ++i) {
      items[i / kBatch].push_back({keys[i], object});
      set_batches[i / kBatch] += sets[i];
      get_batches[i / kBatch] += gets[i];
    }
    constexpr std::size_t kSetReply = 5;
    // What is not there is waited for.
    for (std::size_t i = 0; i < items.size(); ++i) {
      for (const auto& one : pool.PublishAll(items[i], over)) Must(one.status());
      client.Ask(set_batches[i], kBatch * kSetReply);
    }
    constexpr std::size_t kGetReply = 5 + kSmallBytes + 2;
    const Seconds each = arguments.each;
    std::vector<Row> rows;
    rows.push_back({"publish / SET, one at a time",
                    [&] {
                      return Rate(each, 1, [&](std::size_t i) {
                        Must(pool.Publish(keys[i % kKeys], object, over).status());
                      });
                    },
                    [&] {
                      return Rate(each, 1,
                                  [&](std::size_t i) { client.Ask(sets[i % kKeys], kSetReply); });
                    },
                    {},
                    {}});
    rows.push_back(
        {"need / GET, one at a time",
         [&] {
           return Rate(each, 1, [&](std::size_t i) { Must(pool.Need(keys[i % kKeys]).status()); });
         },
         [&] {
           return Rate(each, 1, [&](std::size_t i) { client.Ask(gets[i % kKeys], kGetReply); });
         },
         {},
         {}});
    rows.push_back({"publish / SET, 64 at a time",
                    [&] {
                      return Rate(each, kBatch, [&](std::size_t i) {
                        for (const auto& one : pool.PublishAll(items[i % items.size()], over)) {
                          Must(one.status());
                        }
                      });
                    },
                    [&] {
                      return Rate(each, kBatch, [&](std::size_t i) {
                        client.Ask(set_batches[i % items.size()], kBatch * kSetReply);
                      });
                    },
                    {},
                    {}});
    rows.push_back({"need / GET, 64 at a time",
                    [&] {
                      return Rate(each, kBatch, [&](std::size_t i) {
                        const std::span<const Key> some(&keys[i % items.size() * kBatch], kBatch);
                        for (const auto& one : pool.NeedAll(some)) Must(one.status());
                      });
                    },
                    [&] {
                      return Rate(each, kBatch, [&](std::size_t i) {
                        client.Ask(get_batches[i % items.size()], kBatch * kGetReply);
                      });
                    },
                    {},
                    {}});
    for (std::size_t round = 0; round < arguments.rounds; ++round) {
      for (Row& row : rows) {
        row.Turn();
        fmt::print(stderr, "members_bench: {}: {:.0f} and {:.0f} a second\n", row.name,
                   row.our_rates.back(), row.their_rates.back());
      }
    }
    fmt::print(
        "\nThousand operations a second with 64 bytes of data, one client:\n\n"
        "| | `dht:` | redis-server, Unix socket | ratio |\n|---|---|---|---|\n");
    for (const Row& row : rows) {
      fmt::print("| {} | {:.1f} | {:.1f} | **{:.2f}** |\n", row.name, Median(row.our_rates) / 1000,
                 Median(row.their_rates) / 1000, row.Ratio());
    }
    Must(pool.Drop(Pattern::RowPrefix("")).status());
  }
  Finish();
}

std::string SizeText(std::size_t bytes) {
  return bytes >= (1U << 30) ? fmt::format("{} GiB", bytes >> 30)
                             : fmt::format("{} MiB", bytes >> 20);
}

/// Publish and need of large objects, beside a copy of as many bytes within this process.
void MeasureLarge(const Arguments& arguments, std::string_view fabric) {
  const Child member([&](int say, int until) { ServeMember(fabric, say, until); });
  Must(Start(ConfigFor(fabric)));
  {
    Pool pool = Must(Connect("dht:/bench&num=1&ag0=" + member.line()));
    const PublishOptions over{.overwrite = Overwrite::kYes};
    fmt::print(
        "\nGB a second, `{}`:\n\n| | publish | need | memcpy | publish / memcpy "
        "| need / memcpy |\n|---|---|---|---|---|---|\n",
        fabric);
    for (const std::size_t bytes :
         {std::size_t{1} << 20, std::size_t{16} << 20, std::size_t{1} << 30}) {
      DataObject object = Must(DataObject::Allocate({.meta_bytes = 0, .data_bytes = bytes}));
      std::memset(object.mutable_data().data(), 'x', bytes);
      const Key key("large");
      std::vector<double> publish;
      std::vector<double> need;
      std::vector<double> copy;
      const double bytes_per_time = static_cast<double>(bytes) * 1e-9;
      const auto times = std::max<std::size_t>(1, (std::size_t{64} << 20) / bytes);
      for (std::size_t round = 0; round < arguments.rounds + 1; ++round) {
        const double published = Time([&] {
          for (std::size_t i = 0; i < times; ++i) Must(pool.Publish(key, object, over).status());
        });
        const double needed = Time([&] {
          for (std::size_t i = 0; i < times; ++i) Must(pool.Need(key).status());
        });
        DataObject to = Must(DataObject::Allocate({.meta_bytes = 0, .data_bytes = bytes}));
        const auto put = [&] {
          std::memcpy(to.mutable_data().data(), object.data().data(), bytes);
        };
        put();
        const double copied = Time([&] {
          for (std::size_t i = 0; i < times; ++i) put();
        });
        if (round == 0) continue;  // The memory is fresh.
        const double all = bytes_per_time * static_cast<double>(times);
        publish.push_back(all / published);
        need.push_back(all / needed);
        copy.push_back(all / copied);
      }
      const double copied = Median(copy);
      fmt::print("| {} | {:.2f} | {:.2f} | {:.2f} | **{:.2f}** | **{:.2f}** |\n", SizeText(bytes),
                 Median(publish), Median(need), copied, Median(publish) / copied,
                 Median(need) / copied);
      Must(pool.Drop(key).status());
    }
  }
  Finish();
}

/// What it costs to lend an object and to take it back.
void MeasureRegistration(const Arguments& arguments) {
  Must(Start(ConfigFor("auto")));
  fmt::print(
      "\nTo register an object's memory, grant it and take both back, nanoseconds:\n\n"
      "| 1 MiB | 1 GiB |\n|---|---|\n");
  std::vector<double> took;
  for (const std::size_t bytes : {std::size_t{1} << 20, std::size_t{1} << 30}) {
    const DataObject object = Must(DataObject::Allocate({.meta_bytes = 0, .data_bytes = bytes}));
    const auto& transfers = Must(Process::Current()->network())->transfers();
    took.push_back(1e9 / Rate(arguments.each, 1, [&](std::size_t /*i*/) {
                     ObjectTransfers::Room room;
                     Must(transfers->LendIfLarge(object, room).status());
                   }));
  }
  fmt::print("| {:.0f} | {:.0f} |\n", took[0], took[1]);
  Finish();
}

void Run(const Arguments& arguments) {
  const auto wanted = [&](std::string_view part) {
    const bool is = arguments.only.empty() || arguments.only == part;
    if (is) fmt::print(stderr, "members_bench: {}\n", part);
    return is;
  };
  fmt::print("`build/bench/bench/members_bench{}`\n", arguments.given);
  if (wanted("small")) MeasureSmall(arguments);
  if (wanted("shm")) MeasureLarge(arguments, "shm");
  if (wanted("ofi")) MeasureLarge(arguments, "ofi");
  if (wanted("register")) MeasureRegistration(arguments);
}

}  // namespace
}  // namespace cirein::bench

int main(int argc, char** argv) {
  cirein::bench::Run(cirein::bench::Parse(argc, argv));
  return 0;
}
