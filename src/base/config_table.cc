// SPDX-License-Identifier: Apache-2.0
#include "base/config_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <vector>

#include <fmt/format.h>

#include "cirein/key.h"

#include "base/suggest.h"
#include "base/text.h"
#include "base/units.h"

namespace cirein {
namespace {

using Check = Setting::Check;
using Type = ConfigKey::Type;

constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kNsPerSecond = 1000 * kNsPerMs;
constexpr std::int64_t kNsPerHour = 3'600'000'000'000;
constexpr std::int64_t kBytesPerPib = std::int64_t{1} << 50;
constexpr std::int64_t kBytesPerTib = std::int64_t{1} << 40;
constexpr std::int64_t kMaxThreads = 1024;
constexpr std::int64_t kMaxOperations = 1'000'000'000;
constexpr std::int64_t kMaxQueue = 1'000'000;
constexpr std::int64_t kMaxClients = 1'000'000;

constexpr auto kSettings = std::to_array<Setting>({
    {{"backing.stores", Type::kString, "", "NAME=TYPE:PATH, several parted by ';'",
      "Stores that the URLs of pools name, by &store=NAME: what such a name means in this "
      "process."},
     Check::kText},
    {{"compute.libraries", Type::kString, "", "paths parted by :; empty: none",
      "Shared libraries whose compute functions are made known at the start."},
     Check::kText},
    {{"compute.queue_max", Type::kInteger, "1024", "1 to 1000000",
      "How many compute calls may wait for a thread before more are refused."},
     Check::kRange,
     1,
     kMaxQueue},
    {{"compute.threads", Type::kInteger, "1", "1 to 1024",
      "Threads that run compute functions when none is stuck."},
     Check::kRange,
     1,
     kMaxThreads},
    {{"compute.threads_max", Type::kInteger, "8", "1 to 1024",
      "Threads that run compute functions at most, those which replace stuck ones included."},
     Check::kRange,
     1,
     kMaxThreads},
    {{"default.bucket", Type::kString, "default", "a label, or 0x and one to eight hex digits",
      "The bucket of pools and keys that name none."},
     Check::kBucket},
    {{"default.deadline", Type::kDuration, "60s", "1ms to 8760h",
      "How long a call may wait that gives no deadline."},
     Check::kRange,
     kNsPerMs,
     8760 * kNsPerHour},
    {{"directory.address", Type::kString, "", "HOST:PORT, or what a process says of itself",
      "The process that hosts the directory, in which pools are found by name."},
     Check::kText},
    {{"directory.file", Type::kString, "", "a path; empty: no file",
      "A file whose first line is the directory's address, where directory.address does not say "
      "it."},
     Check::kText},
    {{"fabric.connections_max", Type::kInteger, "1024", "1 to 65536",
      "How many connections between processes may be open at once, over each fabric."},
     Check::kRange,
     1,
     65536},
    {{"fabric.inline_max", Type::kBytes, "256KiB", "0 to 2MiB",
      "Objects with more data than this do not travel in messages between processes: the other "
      "side "
      "reads them where they are."},
     Check::kRange,
     0,
     2 << 20},
    {{"fabric.keepalive", Type::kDuration, "15s", "1s to 1h",
      "After how long a process on another host that cannot be reached counts as gone. Rounded up "
      "to seconds."},
     Check::kRange,
     kNsPerSecond,
     kNsPerHour},
    {{"fabric.listen", Type::kString, "127.0.0.1",
      "an IP address, and a port if it is not to be any",
      "Where processes of other hosts connect. Beyond this machine fabric.secret_file is needed."},
     Check::kText},
    {{"fabric.provider", Type::kString, "", "a name that cirein doctor lists; empty: the best",
      "By which of libfabric's providers processes of other hosts are reached."},
     Check::kText},
    {{"fabric.registered_at_start", Type::kBytes, "0", "0 to 1TiB, not above fabric.registered_max",
      "How much of the memory for long messages between hosts is registered at once; the rest when "
      "it is needed first."},
     Check::kRange,
     0,
     kBytesPerTib},
    {{"fabric.registered_max", Type::kBytes, "256MiB", "8MiB to 1TiB",
      "How much memory may be registered for long messages between hosts."},
     Check::kRange,
     8 << 20,
     kBytesPerTib},
    {{"fabric.secret_file", Type::kString, "", "a path; empty: no secret",
      "A file whose first line all processes of a cluster know. Without it only this machine's "
      "processes can connect, by shared memory only those of the same user."},
     Check::kText},
    {{"fabric.shm_ring", Type::kBytes, "256KiB", "4KiB to 64MiB, a power of two",
      "The memory through which two processes of one host exchange messages, for each direction."},
     Check::kPowerOfTwo,
     4 << 10,
     64 << 20},
    {{"fabric.use", Type::kString, "auto", "auto, shm, ofi",
      "How processes reach each other: shared memory on one host and libfabric between hosts, or "
      "one of them alone."},
     Check::kChoice},
    {{"group.folder", Type::kString, "", "a path; empty: no folder",
      "A folder that all processes of a group share, in which they say where they are."},
     Check::kText},
    {{"group.form", Type::kString, "auto", "auto, list, file, directory, mpi, slurm",
      "How this process finds the others of its group, and the members of pools whose URL does not "
      "say them."},
     Check::kChoice},
    {{"group.members", Type::kString, "", "HOST:PORT ..., parted by blanks; empty: no list",
      "The group's processes in the order of their ranks, for those that are not started by one "
      "launcher."},
     Check::kText},
    {{"group.rank", Type::kString, "", "0 to 4095; empty: as the launcher says",
      "Which of the group's processes this one is."},
     Check::kText},
    {{"group.run", Type::kString, "", "letters, digits, ., _, @, : and -; empty: the launcher's",
      "What this run of the group is called. No other run that uses the same folder or directory "
      "is called so."},
     Check::kText},
    {{"group.size", Type::kString, "", "1 to 4096; empty: as the launcher says",
      "How many processes the group has."},
     Check::kText},
    {{"log.format", Type::kString, "text", "text, json",
      "How log lines look: for people, or one JSON object a line."},
     Check::kChoice},
    {{"log.level", Type::kString, "warn", "trace, debug, info, warn, error, off",
      "The least severe log lines that are written."},
     Check::kChoice},
    {{"memory.limit", Type::kBytes, "0", "0 to 1024PiB",
      "How many bytes the objects of this process may take together; 0 for no limit."},
     Check::kRange,
     0,
     1024 * kBytesPerPib},
    {{"memory.object_limit", Type::kBytes, "64GiB", "1B to 64TiB",
      "How many bytes of data one object may have."},
     Check::kRange,
     1,
     64 * kBytesPerTib},
    {{"memory.stripes", Type::kInteger, "64", "1 to 1024, a power of two",
      "Into how many partitions, each with a lock, the local store is cut."},
     Check::kPowerOfTwo,
     1,
     1024},
    {{"network", Type::kString, "standard", "standard, nonet",
      "May this process have a network? With nonet it opens no socket to others, and pools of "
      "other "
      "processes cannot be connected to."},
     Check::kChoice},
    {{"pool.copies", Type::kBytes, "64MiB", "0 to 1024PiB",
      "How many bytes copies of objects of other processes may take here, in pools with "
      "ReadToLocal; 0: none are kept."},
     Check::kRange,
     0,
     1024 * kBytesPerPib},
    {{"pool.lease", Type::kDuration, "500ms", "0ns to 1m",
      "For how long others may keep copies of objects of this process; 0: not at all. What is "
      "overwritten or dropped while a process that holds a copy is silent waits that long."},
     Check::kRange,
     0,
     60 * kNsPerSecond},
    {{"redis.clients_max", Type::kInteger, "10000", "1 to 1000000",
      "How many Redis clients cirein up serves at once; CONFIG SET maxclients changes it."},
     Check::kRange,
     1,
     kMaxClients},
    {{"redis.idle_timeout", Type::kDuration, "0ns", "0ns to 8760h",
      "After how long without a command cirein up ends a connection; 0 for "
      "never. Rounded up to seconds."},
     Check::kRange,
     0,
     8760 * kNsPerHour},
    {{"redis.output_limit", Type::kBytes, "0", "0 to 1PiB",
      "A Redis client that lets more bytes of replies wait than this is ended; 0 for no limit."},
     Check::kRange,
     0,
     kBytesPerPib},
    {{"redis.request_limit", Type::kBytes, "1GiB", "1MiB to 1PiB",
      "A Redis client that sends a larger command than this is ended."},
     Check::kRange,
     1 << 20,
     kBytesPerPib},
    {{"redis.value_limit", Type::kBytes, "512MiB", "1MiB to 1PiB",
      "How large one argument of a Redis command may be."},
     Check::kRange,
     1 << 20,
     kBytesPerPib},
    {{"runtime.callback_threads", Type::kInteger, "1", "1 to 1024",
      "Threads that run user callbacks when none is stuck."},
     Check::kRange,
     1,
     kMaxThreads},
    {{"runtime.callback_threads_max", Type::kInteger, "16", "1 to 1024",
      "Threads that run user callbacks at most, those which replace stuck ones included."},
     Check::kRange,
     1,
     kMaxThreads},
    {{"runtime.operations_max", Type::kInteger, "1000000", "1 to 1000000000",
      "How many operations may be unanswered at once: waits, and callbacks to be run."},
     Check::kRange,
     1,
     kMaxOperations},
    {{"runtime.stuck_after", Type::kDuration, "100ms", "1ms to 1h",
      "How long a callback may run before another thread takes over what waits behind it."},
     Check::kRange,
     kNsPerMs,
     kNsPerHour},
    {{"simulation.cxl.bandwidth", Type::kBytes, "26GiB", "1KiB to 1PiB",
      "Simulated CXL memory: bytes a second on each connection; eight lanes of PCIe 5, assumed."},
     Check::kRange,
     1024,
     kBytesPerPib},
    {{"simulation.cxl.kib_cpu", Type::kDuration, "37ns", "0ns to 1s",
      "Simulated CXL memory: of each side's processor for each KiB of a message; a copy at 28 "
      "GB/s, as measured of memcpy."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.cxl.latency", Type::kDuration, "150ns", "0ns to 1s",
      "Simulated CXL memory: one way, without the processors; half of a load that takes 200 to "
      "400ns, assumed."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.cxl.message_cpu", Type::kDuration, "75ns", "0ns to 1s",
      "Simulated CXL memory: of each side's processor for each message; what is left of a measured "
      "ring's round trip of 570ns."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.cxl.one_sided_cpu", Type::kDuration, "0ns", "0ns to 1s",
      "Simulated CXL memory: of the target's processor for each one-sided operation, 0 for none; "
      "the caller loads and stores by itself."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.cxl.persist_base", Type::kDuration, "160ns", "0ns to 1s",
      "Simulated CXL memory: of each persist; 64 bytes flushed, as measured on tmpfs."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.cxl.persist_line", Type::kDuration, "6ns", "0ns to 1s",
      "Simulated CXL memory: of each cache line that is persisted; 4 KiB flushed in 360ns, as "
      "measured on tmpfs."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.rdma.bandwidth", Type::kBytes, "11GiB", "1KiB to 1PiB",
      "Simulated RDMA: bytes a second on each connection; 100 Gbit/s less its headers, assumed."},
     Check::kRange,
     1024,
     kBytesPerPib},
    {{"simulation.rdma.kib_cpu", Type::kDuration, "37ns", "0ns to 1s",
      "Simulated RDMA: of each side's processor for each KiB of a message; a copy at 28 GB/s, as "
      "measured of memcpy."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.rdma.latency", Type::kDuration, "900ns", "0ns to 1s",
      "Simulated RDMA: one way, without the processors; half of a small read's 2us over one "
      "switch, assumed."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.rdma.message_cpu", Type::kDuration, "150ns", "0ns to 1s",
      "Simulated RDMA: of each side's processor for each message; posting and polling, assumed."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.rdma.one_sided_cpu", Type::kDuration, "0ns", "0ns to 1s",
      "Simulated RDMA: of the target's processor for each one-sided operation, 0 for none; the "
      "adapter does them."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.rdma.persist_base", Type::kDuration, "300ns", "0ns to 1s",
      "Simulated RDMA: of each persist; the small read that makes a flush, assumed."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.rdma.persist_line", Type::kDuration, "6ns", "0ns to 1s",
      "Simulated RDMA: of each cache line that is persisted; 4 KiB flushed in 360ns, as measured "
      "on tmpfs."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.shm.bandwidth", Type::kBytes, "12100MiB", "1KiB to 1PiB",
      "Simulated shared memory: bytes a second on each connection; a ring with pieces of 1 MiB, as "
      "measured."},
     Check::kRange,
     1024,
     kBytesPerPib},
    {{"simulation.shm.kib_cpu", Type::kDuration, "37ns", "0ns to 1s",
      "Simulated shared memory: of each side's processor for each KiB of a message; a copy at 28 "
      "GB/s, as measured of memcpy."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.shm.latency", Type::kDuration, "140ns", "0ns to 1s",
      "Simulated shared memory: one way, without the processors; half of a cache line's measured "
      "275ns there and back."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.shm.message_cpu", Type::kDuration, "75ns", "0ns to 1s",
      "Simulated shared memory: of each side's processor for each message; what is left of a "
      "measured ring's round trip of 570ns."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.shm.one_sided_cpu", Type::kDuration, "0ns", "0ns to 1s",
      "Simulated shared memory: of the target's processor for each one-sided operation, 0 for "
      "none; the caller loads and stores by itself."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.shm.persist_base", Type::kDuration, "160ns", "0ns to 1s",
      "Simulated shared memory: of each persist; 64 bytes flushed, as measured on tmpfs."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.shm.persist_line", Type::kDuration, "6ns", "0ns to 1s",
      "Simulated shared memory: of each cache line that is persisted; 4 KiB flushed in 360ns, as "
      "measured on tmpfs."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.tcp.bandwidth", Type::kBytes, "2900MiB", "1KiB to 1PiB",
      "Simulated TCP: bytes a second on each connection; 25 Gbit/s, assumed; loopback was measured "
      "at 4 GB/s."},
     Check::kRange,
     1024,
     kBytesPerPib},
    {{"simulation.tcp.kib_cpu", Type::kDuration, "128ns", "0ns to 1s",
      "Simulated TCP: of each side's processor for each KiB of a message; half of loopback's "
      "measured 4 GB/s for each side."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.tcp.latency", Type::kDuration, "8us", "0ns to 1s",
      "Simulated TCP: one way, without the processors; one rack, without the processors, assumed."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.tcp.message_cpu", Type::kDuration, "1700ns", "0ns to 1s",
      "Simulated TCP: of each side's processor for each message; a quarter of a measured loopback "
      "round trip of 6.8us."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.tcp.one_sided_cpu", Type::kDuration, "1200ns", "0ns to 1s",
      "Simulated TCP: of the target's processor for each one-sided operation, 0 for none; what a "
      "measured read over libfabric's tcp takes longer than a message."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.tcp.persist_base", Type::kDuration, "150us", "0ns to 1s",
      "Simulated TCP: of each persist; pwrite and fdatasync on ext4, as measured."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
    {{"simulation.tcp.persist_line", Type::kDuration, "30ns", "0ns to 1s",
      "Simulated TCP: of each cache line that is persisted; 64 KiB against 512 bytes on ext4, as "
      "measured."},
     Check::kRange,
     0,
     1000 * kNsPerMs},
});

constexpr bool NamesAreSorted() {
  for (std::size_t i = 1; i < kSettings.size(); ++i) {
    if (kSettings[i - 1].key.name >= kSettings[i].key.name) return false;
  }
  return true;
}
static_assert(NamesAreSorted());

constexpr auto kKeys = [] {
  std::array<ConfigKey, kSettings.size()> keys{};
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = kSettings[i].key;
  return keys;
}();

Status RefuseValue(const Setting& setting, std::string_view text) {
  return InvalidArgument(
      fmt::format("setting {} cannot be {}", setting.key.name, QuoteForPeople(text)),
      fmt::format("it takes {}", setting.key.constraint));
}

// The checked value of a setting that is a number, in bytes or nanoseconds where it has a unit.
Result<std::int64_t> CheckedNumber(const Setting& setting, std::string_view text,
                                   std::uint64_t number) {
  const bool fits = number >= static_cast<std::uint64_t>(setting.least) &&
                    number <= static_cast<std::uint64_t>(setting.most) &&
                    (setting.check != Check::kPowerOfTwo || std::has_single_bit(number));
  if (!fits) return RefuseValue(setting, text);
  return static_cast<std::int64_t>(number);
}

std::vector<std::string_view> Choices(const Setting& setting) {
  constexpr std::string_view kBetween = ", ";
  std::vector<std::string_view> choices;
  std::string_view rest = setting.key.constraint;
  for (std::size_t end = rest.find(kBetween); end != std::string_view::npos;
       end = rest.find(kBetween)) {
    choices.push_back(rest.substr(0, end));
    rest.remove_prefix(end + kBetween.size());
  }
  choices.push_back(rest);
  return choices;
}

Result<std::string> CanonicalString(const Setting& setting, std::string_view text) {
  if (setting.check == Check::kChoice) {
    const std::vector<std::string_view> choices = Choices(setting);
    if (std::find(choices.begin(), choices.end(), text) != choices.end()) return std::string(text);
    return InvalidArgument(
        fmt::format("setting {} cannot be {}", setting.key.name, QuoteForPeople(text)),
        DidYouMean(text, choices, fmt::format("it takes one of {}", setting.key.constraint)));
  }
  // Other bytes could not be written to a TOML file.
  if (!IsUtf8(text) || std::any_of(text.begin(), text.end(), IsControlByte)) {
    return InvalidArgument(
        fmt::format("setting {} cannot be {}", setting.key.name, QuoteForPeople(text)),
        "write UTF-8 text without control characters");
  }
  if (setting.check == Check::kText) return std::string(text);
  const Result<Bucket> bucket = Bucket::Parse(text);
  if (!bucket.ok()) {
    return bucket.status().WithContext(fmt::format("setting {}", setting.key.name));
  }
  return std::string(text);
}

}  // namespace

std::span<const Setting> Settings() { return kSettings; }

std::span<const ConfigKey> SettingKeys() { return kKeys; }

const Setting* FindSetting(std::string_view name) {
  const auto* const found = std::lower_bound(
      kSettings.begin(), kSettings.end(), name,
      [](const Setting& setting, std::string_view wanted) { return setting.key.name < wanted; });
  return found != kSettings.end() && found->key.name == name ? found : nullptr;
}

std::string EnvironmentName(std::string_view setting_name) {
  std::string name = "CIREIN_";
  for (const char c : setting_name) {
    const bool small = c >= 'a' && c <= 'z';
    name.push_back(c == '.' ? '_' : small ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return name;
}

Result<std::string> CanonicalValue(const Setting& setting, std::string_view text) {
  const std::string context = fmt::format("setting {}", setting.key.name);
  switch (setting.key.type) {
    case Type::kString:
      return CanonicalString(setting, text);
    case Type::kBool:
      if (text != "true" && text != "false") return RefuseValue(setting, text);
      return std::string(text);
    case Type::kInteger: {
      const Result<std::uint64_t> number = ParseUint64(text);
      if (!number.ok()) return RefuseValue(setting, text);
      CIREIN_ASSIGN_OR_RETURN(const std::int64_t value, CheckedNumber(setting, text, *number));
      return fmt::format("{}", value);
    }
    case Type::kBytes: {
      const Result<std::uint64_t> bytes = ParseBytes(text);
      if (!bytes.ok()) return bytes.status().WithContext(context);
      CIREIN_ASSIGN_OR_RETURN(const std::int64_t value, CheckedNumber(setting, text, *bytes));
      return FormatBytes(static_cast<std::uint64_t>(value));
    }
    case Type::kDuration: {
      const Result<std::chrono::nanoseconds> duration = ParseDuration(text);
      if (!duration.ok()) return duration.status().WithContext(context);
      const auto ns = static_cast<std::uint64_t>(duration->count());
      CIREIN_ASSIGN_OR_RETURN(const std::int64_t value, CheckedNumber(setting, text, ns));
      return FormatDuration(std::chrono::nanoseconds(value));
    }
  }
  return RefuseValue(setting, text);
}

}  // namespace cirein
