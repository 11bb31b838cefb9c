// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"
#include "simulation/world.h"

namespace cirein::simulation {

namespace {

using namespace std::chrono_literals;

/// Clocks of machines differ by less than this, and run faster or slower by less.
constexpr std::uint64_t kClockAheadMaxMs = 1000;
constexpr double kDriftMaxPpm = 200;
/// What a persist is taken to bring to the medium, for the time it takes.
constexpr std::uint64_t kPersistBytes = 512;

/// The disk as a program has it: the machine looks at it when the program is dead and gone.
class SharedDisk final : public RegionSpace {
 public:
  explicit SharedDisk(std::shared_ptr<ShadowSpace> disk) : disk_(std::move(disk)) {}
  const std::string& path() const override { return disk_->path(); }
  const MediumTraits& traits() const override { return disk_->traits(); }
  const std::string& boot_id() const override { return disk_->boot_id(); }
  Status Lock() override { return disk_->Lock(); }
  void Unlock() override { disk_->Unlock(); }
  Result<std::unique_ptr<Region>> Create(const std::string& name, std::uint64_t bytes,
                                         RegionUse use) override {
    return disk_->Create(name, bytes, use);
  }
  Result<std::unique_ptr<Region>> Open(const std::string& name, RegionUse use,
                                       Access access) override {
    return disk_->Open(name, use, access);
  }
  Status Remove(const std::string& name) override { return disk_->Remove(name); }
  Status PersistNames(PersistSite site) override { return disk_->PersistNames(site); }
  Result<std::vector<Entry>> List() const override { return disk_->List(); }

 private:
  const std::shared_ptr<ShadowSpace> disk_;
};

}  // namespace

// One process, from its start to its end. Destroyed from the end: the program first.
struct Machine::Life {
  std::unique_ptr<VirtualHost> host;
  std::unique_ptr<fabric::Transport> transport;
  std::shared_ptr<ShadowSpace> shadow;
  std::uint64_t persists_charged = 0;
  bool dying = false;  // It is to be killed in the middle of something.
  std::optional<Process> process;
  std::unique_ptr<Program> program;
};

Machine::Machine(World& world, Options options)
    : world_(world), options_(std::move(options)), random_(world.scheduler().ForkRandom()) {}

Machine::~Machine() { Stop(); }

VirtualHost* Machine::host() noexcept { return life_ == nullptr ? nullptr : life_->host.get(); }
Program* Machine::program() noexcept { return life_ == nullptr ? nullptr : life_->program.get(); }

std::uint64_t Machine::Persists() const {
  std::uint64_t persists = 0;
  for (std::size_t site = 0; site < kPersistSites; ++site) {
    persists += life_->shadow->persists(static_cast<PersistSite>(site));
  }
  return persists;
}

std::unique_ptr<RegionSpace> Machine::OpenDisk() {
  return std::make_unique<SharedDisk>(life_->shadow);
}

void Machine::Start() {
  if (life_ != nullptr) return;
  ++starts_;
  life_ = std::make_unique<Life>();
  VirtualHost::Options host;
  host.name = options_.name;
  if (!clock_ || !options_.clock_runs_on) {
    const double drift_ppm = (random_.Double() * 2 - 1) * kDriftMaxPpm;
    clock_ = {drift_ppm, std::chrono::milliseconds(random_.Below(kClockAheadMaxMs))};
  }
  host.drift_ppm = clock_->drift_ppm;
  host.clock_ahead = clock_->ahead;
  life_->host = std::make_unique<VirtualHost>(world_.scheduler(), std::move(host));
  life_->transport = world_.network().Join(*life_->host);
  life_->shadow = std::make_shared<ShadowSpace>(options_.medium, fmt::format("boot-{}", boots_),
                                                std::exchange(options_.disk, {}));
  SetDiskFull(disk_full_);
  life_->host->SetMedium({[this] { return life_->shadow->events(); },
                          [this] {
                            const std::uint64_t persists = Persists();
                            return world_.costs().PersistTime(kPersistBytes) *
                                   static_cast<std::int64_t>(
                                       persists - std::exchange(life_->persists_charged, persists));
                          }});
  life_->host->Post(world_.now(), "start", [this] {
    life_->process.emplace(Process{world_, *this, *life_->host, *life_->transport, random_.Fork()});
    auto program = options_.start(*life_->process);
    if (program.ok()) {
      life_->program = *std::move(program);
    } else {
      world_.Violate(fmt::format("{} does not start: {}", name(), program.status().ToString()));
    }
  });
}

void Machine::Crash(End end, std::chrono::nanoseconds down) {
  if (life_ == nullptr || !life_->host->alive() || std::exchange(life_->dying, true)) return;
  if (random_.OneIn(3)) {
    life_->host->Kill();
    return Die(end, life_->shadow->events(), down);
  }
  // In the middle of one of the next pieces, before, after or between what it stores.
  life_->host->KillInside(
      random_.Below(16),
      [this](std::uint64_t begin, std::uint64_t last) {
        return begin + random_.Below(last - begin + 1);
      },
      [this, end, down](std::uint64_t point) { Die(end, point, down); });
}

void Machine::Die(End end, std::uint64_t point, std::chrono::nanoseconds down) {
  constexpr std::uint64_t kTornBytesMax = 64;
  if (end == End::kPower) {
    ++boots_;
    options_.disk =
        life_->shadow->PowerCut(point, random_, static_cast<std::uint32_t>(random_.Below(4)));
    world_.network().HostLost(name());
  } else {
    options_.disk = life_->shadow->ProcessCrash(point, random_.Below(kTornBytesMax));
    world_.network().HostKilled(name());
  }
  Checksummer contents;
  for (const auto& [file, bytes] : options_.disk) {
    contents.Update(std::as_bytes(std::span(file)));
    contents.Update(bytes);
  }
  world_.scheduler().Tell(name(), "died at", point, contents.Digest());
  Bury();
  world_.scheduler().RunAfter(down, [this] { Start(); });
}

void Machine::Bury() {
  const std::unique_ptr<Life> life = std::move(life_);
  life->host->Bury();
  life->program.reset();
  life->transport.reset();
  // What it left in the time line may still refer to it.
  dead_hosts_.push_back(std::move(life->host));
}

void Machine::Stop() {
  if (life_ == nullptr) return;
  life_->host->Kill();
  options_.disk = life_->shadow->ProcessCrash(life_->shadow->events());
  Bury();
}

void Machine::SetDiskFull(bool full) {
  disk_full_ = full;
  if (life_ != nullptr) life_->shadow->LimitBytes(full ? 1 : UINT64_MAX);
}

void Machine::Heal() {
  SetDiskFull(false);
  if (life_ == nullptr) return Start();
  if (!life_->host->alive()) return;
  life_->dying = false;
  life_->host->CancelKill();
  life_->host->SetSlowness(1);
  life_->host->Resume();
}

}  // namespace cirein::simulation
