// SPDX-License-Identifier: Apache-2.0
#include "bench/fabric_transport_side.h"

#include <array>
#include <chrono>
#include <optional>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "fabric/ofi/ofi_transport.h"
#include "fabric/shm/shm_transport.h"
#include "region/memory_region.h"
#include "runtime/real_clock.h"

namespace cirein::bench {
namespace {

void Must(const Status& status) {
  if (!status.ok()) Fail(status.ToString());
}
template <typename T>
T Must(Result<T> result) {
  Must(result.status());
  return std::move(*result);
}

struct Welcome {
  std::array<char, 256> address;
  fabric::Grant grant;
};

void TellWelcome(Meeting& meeting, const fabric::Address& address, const fabric::Grant& grant) {
  Welcome welcome{};
  if (address.size() >= welcome.address.size()) Fail("the address is too long: " + address);
  address.copy(welcome.address.data(), address.size());
  welcome.grant = grant;
  TellValue(meeting.from_server, welcome);
}

class TransportClient final : public Client {
 public:
  TransportClient(const FabricChoice& choice, Meeting& meeting)
      : end_(choice),
        service_(end_.home()),
        memory_(kMemoryBytes, std::byte{1}),
        connection_(end_.Connect(meeting, service_)),
        grant_(HearValue<Welcome>(meeting.from_server).grant) {}
  // Said before the home is gone, so that the server knows of it.
  ~TransportClient() override {
    connection_->Close();
    end_.home().RunUntilIdle();
  }

  void Exchange(std::size_t outstanding, Laps& laps) override {
    Begin(laps);
    for (std::size_t i = 0; i < outstanding; ++i) Ask();
    end_.home().Run();
  }

  void Operate(Cell operation, std::span<std::byte> memory, Laps& laps) override {
    Begin(laps);
    operation_ = operation;
    operated_ = memory;
    BeginOperation();
    end_.home().Run();
  }
  std::span<std::byte> memory() override { return memory_; }

 private:
  void Begin(Laps& laps) {
    laps_ = &laps;
    goes_on_ = true;
  }

  void Ask() {
    std::memcpy(message_.data(), &++asked_, sizeof asked_);
    ++on_the_way_;
    const std::span<const std::byte> part = message_;
    Must(connection_->Request({&part, 1}, {}, [this](const auto& reply) { TakeReply(reply); }));
  }
  void TakeReply(const Result<std::span<const std::byte>>& reply) {
    Must(reply.status());
    ++answered_;
    if (reply->size() != kMessageBytes ||
        std::memcmp(reply->data(), &answered_, sizeof answered_) != 0) {
      Fail("the transport mixes up its messages");
    }
    End();
    if (goes_on_) Ask();
  }

  void BeginOperation() {
    ++on_the_way_;
    const auto done = [this](const Status& status) { TakeDone(status); };
    switch (operation_) {
      case Cell::kRead:
        return Must(connection_->Read(grant_, 0, operated_, {}, done));
      case Cell::kWrite:
        return Must(connection_->Write(grant_, 0, operated_, {}, done));
      default:
        return Must(connection_->CompareAndSwap(grant_, 0, {word_, word_ + 1}, {},
                                                [this](const Result<std::uint64_t>& before) {
                                                  Must(before.status());
                                                  // The first one may find another word, and learns
                                                  // it.
                                                  word_ = *before == word_ ? word_ + 1 : *before;
                                                  TakeDone(OkStatus());
                                                }));
    }
  }
  void TakeDone(const Status& status) {
    Must(status);
    End();
    if (goes_on_) BeginOperation();
  }

  void End() {
    --on_the_way_;
    goes_on_ = laps_->Count() && goes_on_;
    if (!goes_on_ && on_the_way_ == 0) end_.home().Stop();
  }

  TransportEnd end_;
  EchoService service_;
  std::vector<std::byte> memory_;
  const std::shared_ptr<fabric::Connection> connection_;
  const fabric::Grant grant_;

  Laps* laps_ = nullptr;
  bool goes_on_ = false;
  std::size_t on_the_way_ = 0;
  Message message_{};
  std::uint64_t asked_ = 0;
  std::uint64_t answered_ = 0;
  Cell operation_ = Cell::kRead;
  std::span<std::byte> operated_;
  std::uint64_t word_ = 0;
};

class TransportCarrier final : public Carrier {
 public:
  explicit TransportCarrier(FabricChoice choice)
      : Carrier("Cirein `" + choice.fabric + "`"), choice_(std::move(choice)) {}

  bool Offers(Cell cell, Patience patience) const override {
    const bool is_message = cell == Cell::kRoundTrip || cell == Cell::kRate;
    return HasFabric(choice_) && (is_message || patience == Patience::kPolls);
  }
  // How it waits is its own affair: the same whatever the patience of its peers.
  void Serve(Meeting& meeting, Patience) override {
    TransportEnd end(choice_);
    EchoService service(end.home());
    end.Listen(meeting, service);
    end.home().Run();
  }
  std::unique_ptr<Client> Connect(Meeting& meeting, Patience) override {
    return std::make_unique<TransportClient>(choice_, meeting);
  }

 private:
  const FabricChoice choice_;
};

}  // namespace

bool HasFabric(const FabricChoice& choice) {
  return choice.fabric == "shm" || choice.fabric == "ofi";
}

Result<std::unique_ptr<fabric::Transport>> MakeTransport(const FabricChoice& choice,
                                                         Reactor& home) {
  if (choice.fabric == "shm") {
    fabric::ShmOptions options;
    options.name = fmt::format("@cirein-fabric-bench-{}", getpid());
    CIREIN_ASSIGN_OR_RETURN(auto transport, fabric::ShmTransport::Create(home, options));
    return std::unique_ptr<fabric::Transport>(std::move(transport));
  }
  if (choice.fabric == "ofi") {
    fabric::OfiOptions options;
    options.provider = choice.provider;
    CIREIN_ASSIGN_OR_RETURN(auto transport, fabric::OfiTransport::Create(home, options));
    return std::unique_ptr<fabric::Transport>(std::move(transport));
  }
  return Unimplemented(fmt::format("there is no fabric '{}'", choice.fabric));
}

std::unique_ptr<Carrier> MakeTransportCarrier(FabricChoice choice) {
  return std::make_unique<TransportCarrier>(std::move(choice));
}

TransportEnd::TransportEnd(const FabricChoice& choice)
    : home_(Must(Reactor::Create(RealClock::Instance()))),
      transport_(Must(MakeTransport(choice, *home_))) {}

void TransportEnd::Listen(Meeting& meeting, fabric::Service& service) {
  // As the memory of a store is: one that may be lent, with pages that are there.
  const std::shared_ptr<Region> memory = Must(MakeMemoryRegion("bench", kMemoryBytes));
  for (std::uint64_t at = 0; at < kMemoryBytes; at += sizeof at) memory->StoreWord(at, 1);
  const auto id = Must(transport_->Register(memory));
  using fabric::Access;
  const fabric::Grant grant = Must(transport_->MakeGrant(
      id, {0, kMemoryBytes}, Access::kRead | Access::kWrite | Access::kAtomic));
  Must(transport_->Listen(service));
  home_->RunUntilIdle();
  TellWelcome(meeting, transport_->address(), grant);
}

std::shared_ptr<fabric::Connection> TransportEnd::Connect(Meeting& meeting,
                                                          fabric::Service& service) {
  const auto welcome = HearValue<Welcome>(meeting.from_server);
  std::optional<Result<std::shared_ptr<fabric::Connection>>> made;
  Must(transport_->Connect(welcome.address.data(), service, {}, [&](auto result) {
    made = std::move(result);
    home_->Stop();
  }));
  home_->Run();
  return Must(std::move(*made));
}

void EchoService::Connected(const std::shared_ptr<fabric::Connection>& connection) {
  connection_ = connection;
}
void EchoService::Message(const std::shared_ptr<fabric::Connection>&, std::span<const std::byte>) {}
void EchoService::Request(const std::shared_ptr<fabric::Connection>& connection,
                          fabric::RequestId request, std::span<const std::byte> message) {
  Must(connection->Reply(request, {&message, 1}));
}
void EchoService::Closed(const std::shared_ptr<fabric::Connection>&, const Status&) {
  connection_.reset();
  home_.Stop();
}

}  // namespace cirein::bench
