// SPDX-License-Identifier: Apache-2.0
#include "bench/fabric_bare_ring.h"

#include <new>
#include <sched.h>

#include <sys/mman.h>

namespace cirein::bench {
namespace {

constexpr std::uint64_t kSlots = 128;
static_assert(kSlots > kOutstanding);

void Wait(Patience patience) {
  if (patience == Patience::kYields) {
    sched_yield();
    return;
  }
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

struct Ring {
  struct alignas(64) Slot {
    std::atomic<std::uint64_t> turn{0};  ///< One more than the place of the message that is in it.
    Message message;
  };
  std::array<Slot, kSlots> slots;
  alignas(64) std::atomic<std::uint64_t> read{0};
};

class Writer {
 public:
  explicit Writer(Ring& ring) : ring_(ring) {}
  void Write(const Message& message, Patience patience) {
    while (place_ - read_ >= kSlots) {
      read_ = ring_.read.load(std::memory_order_acquire);
      if (place_ - read_ >= kSlots) Wait(patience);
    }
    Ring::Slot& slot = ring_.slots[place_ % kSlots];
    slot.message = message;
    slot.turn.store(++place_, std::memory_order_release);
  }

 private:
  Ring& ring_;
  std::uint64_t place_ = 0;
  std::uint64_t read_ = 0;
};

class Reader {
 public:
  explicit Reader(Ring& ring) : ring_(ring) {}
  bool TryRead(Message& message) {
    Ring::Slot& slot = ring_.slots[place_ % kSlots];
    if (slot.turn.load(std::memory_order_acquire) != place_ + 1) return false;
    message = slot.message;
    ring_.read.store(++place_, std::memory_order_release);
    return true;
  }

 private:
  Ring& ring_;
  std::uint64_t place_ = 0;
};

struct Rings {
  Ring to_server;
  Ring to_client;
};

class RingClient final : public Client {
 public:
  RingClient(Rings& rings, Patience patience)
      : writer_(rings.to_server), reader_(rings.to_client), patience_(patience) {}

  void Exchange(std::size_t outstanding, Laps& laps) override {
    std::size_t on_the_way = 0;
    bool goes_on = true;
    Message reply;
    while (goes_on || on_the_way > 0) {
      for (; goes_on && on_the_way < outstanding; ++on_the_way) Ask();
      if (!reader_.TryRead(reply)) {
        Wait(patience_);
        continue;
      }
      --on_the_way;
      if (std::memcmp(reply.data(), &++answered_, sizeof answered_) != 0) {
        Fail("the ring mixes up its messages");
      }
      goes_on = laps.Count();
    }
  }
  void Operate(Cell, std::span<std::byte>, Laps&) override {}
  std::span<std::byte> memory() override { return {}; }

 private:
  void Ask() {
    std::memcpy(message_.data(), &++asked_, sizeof asked_);
    writer_.Write(message_, patience_);
  }

  Writer writer_;
  Reader reader_;
  const Patience patience_;
  Message message_{};
  std::uint64_t asked_ = 0;
  std::uint64_t answered_ = 0;
};

class BareRing final : public Carrier {
 public:
  BareRing() : Carrier("bare ring") {
    memory_ =
        mmap(nullptr, sizeof(Rings), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) Fail("there is no memory for a ring");
  }
  ~BareRing() override { munmap(memory_, sizeof(Rings)); }

  bool Offers(Cell cell, Patience) const override {
    return cell == Cell::kRoundTrip || cell == Cell::kRate;
  }
  void Serve(Meeting& meeting, Patience patience) override {
    auto* const rings = new (memory_) Rings;
    TellValue(meeting.from_server, 1);
    Reader reader(rings->to_server);
    Writer writer(rings->to_client);
    Message message;
    while (!meeting.over.load(std::memory_order_relaxed)) {
      if (reader.TryRead(message)) {
        writer.Write(message, patience);
      } else {
        Wait(patience);
      }
    }
  }
  std::unique_ptr<Client> Connect(Meeting& meeting, Patience patience) override {
    Hear(meeting.from_server);
    return std::make_unique<RingClient>(*std::launder(static_cast<Rings*>(memory_)), patience);
  }

 private:
  void* memory_;
};

class CopyingClient final : public Client {
 public:
  void Exchange(std::size_t, Laps&) override {}
  void Operate(Cell operation, std::span<std::byte> memory, Laps& laps) override {
    do {
      if (operation == Cell::kRead) {
        std::memcpy(memory.data(), other_.data(), memory.size());
      } else {
        std::memcpy(other_.data(), memory.data(), memory.size());
      }
      // So that none of the copies may be left out.
      asm volatile("" ::: "memory");
    } while (laps.Count());
  }
  std::span<std::byte> memory() override { return own_; }

 private:
  std::vector<std::byte> own_ = std::vector<std::byte>(kMemoryBytes, std::byte{1});
  std::vector<std::byte> other_ = std::vector<std::byte>(kMemoryBytes, std::byte{2});
};

class MemoryCopy final : public Carrier {
 public:
  MemoryCopy() : Carrier("memcpy") {}
  bool Offers(Cell cell, Patience) const override {
    return cell == Cell::kRead || cell == Cell::kWrite;
  }
  void Serve(Meeting&, Patience) override {}
  std::unique_ptr<Client> Connect(Meeting&, Patience) override {
    return std::make_unique<CopyingClient>();
  }
};

}  // namespace

std::unique_ptr<Carrier> MakeBareRing() { return std::make_unique<BareRing>(); }
std::unique_ptr<Carrier> MakeMemoryCopy() { return std::make_unique<MemoryCopy>(); }

}  // namespace cirein::bench
