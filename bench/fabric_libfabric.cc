// SPDX-License-Identifier: Apache-2.0
#include "bench/fabric_libfabric.h"

#ifdef CIREIN_BENCH_LIBFABRIC
#include <cerrno>
#include <deque>
#include <utility>

#include <rdma/fabric.h>
#include <rdma/fi_atomic.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>
#endif

namespace cirein::bench {

#ifndef CIREIN_BENCH_LIBFABRIC

std::unique_ptr<Carrier> MakeLibfabric(const std::string&) { return nullptr; }

#else
namespace {

constexpr std::size_t kBuffers = 4 * kOutstanding;

template <typename Number>
void Must(Number result, const char* what) {
  if (result >= 0) return;
  Fail(std::string("libfabric: ") + what + ": " + fi_strerror(static_cast<int>(-result)));
}

/// Closes what libfabric has opened.
template <typename T>
class Opened {
 public:
  Opened() = default;
  ~Opened() {
    if (object_ != nullptr) fi_close(&object_->fid);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  T** place() { return &object_; }
  T* get() const { return object_; }

 private:
  T* object_ = nullptr;
};

struct InfoDeleter {
  void operator()(fi_info* info) const { fi_freeinfo(info); }
};
using Info = std::unique_ptr<fi_info, InfoDeleter>;

// The provider as it is on the loopback; null when there is none.
Info FindProvider(const std::string& provider, std::uint64_t capabilities) {
  const Info hints(fi_allocinfo());
  hints->caps = capabilities;
  hints->mode = FI_CONTEXT;
  hints->ep_attr->type = FI_EP_RDM;
  hints->domain_attr->mr_mode = FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
  hints->fabric_attr->prov_name = strdup(provider.c_str());
  fi_info* found = nullptr;
  const bool is_local = provider == "shm";
  const int result = fi_getinfo(FI_VERSION(1, 17), is_local ? nullptr : "127.0.0.1", nullptr,
                                is_local ? 0 : FI_SOURCE, hints.get(), &found);
  return Info(result == 0 ? found : nullptr);
}

constexpr std::uint64_t kBasic = FI_MSG | FI_RMA;

// With atomics where the provider has them.
Info FindBest(const std::string& provider) {
  Info with_atomics = FindProvider(provider, kBasic | FI_ATOMIC);
  return with_atomics != nullptr ? std::move(with_atomics) : FindProvider(provider, kBasic);
}

struct Introduction {
  std::uint64_t memory = 0;
  std::uint64_t key = 0;
  std::uint64_t address_bytes = 0;
  std::array<std::byte, 256> address{};
};

/// An endpoint, with the other side's address, and memory that it may use.
class LibfabricEnd {
 public:
  explicit LibfabricEnd(const std::string& provider) : info_(FindBest(provider)) {
    if (info_ == nullptr) Fail("libfabric: there is no provider " + provider);
    Must(fi_fabric(info_->fabric_attr, fabric_.place(), nullptr), "fabric");
    Must(fi_domain(fabric_.get(), info_.get(), domain_.place(), nullptr), "domain");
    fi_cq_attr cq{};
    cq.format = FI_CQ_FORMAT_MSG;
    cq.size = 4 * kBuffers;
    cq.wait_obj = FI_WAIT_NONE;
    Must(fi_cq_open(domain_.get(), &cq, queue_.place(), nullptr), "completion queue");
    fi_av_attr av{};
    av.type = FI_AV_TABLE;
    av.count = 4;
    Must(fi_av_open(domain_.get(), &av, addresses_.place(), nullptr), "addresses");
    Must(fi_endpoint(domain_.get(), info_.get(), endpoint_.place(), nullptr), "endpoint");
    Must(fi_ep_bind(endpoint_.get(), &addresses_.get()->fid, 0), "bind");
    Must(fi_ep_bind(endpoint_.get(), &queue_.get()->fid, FI_TRANSMIT | FI_RECV), "bind");
    Must(fi_enable(endpoint_.get()), "enable");
    RegisterAll();
    for (std::size_t i = 0; i < kBuffers; ++i) PostReceive(i);
  }

  void Introduce(Meeting::Note& note) {
    Introduction introduction;
    std::size_t bytes = introduction.address.size();
    Must(fi_getname(&endpoint_.get()->fid, introduction.address.data(), &bytes), "own address");
    introduction.address_bytes = bytes;
    const bool by_address = (info_->domain_attr->mr_mode & FI_MR_VIRT_ADDR) != 0;
    introduction.memory =
        by_address ? reinterpret_cast<std::uint64_t>(memory_.data()) : 0;  // NOLINT
    introduction.key = fi_mr_key(memory_key_.get());
    TellValue(note, introduction);
  }
  void Meet(Meeting::Note& note) {
    const auto introduction = HearValue<Introduction>(note);
    their_memory_ = introduction.memory;
    their_key_ = introduction.key;
    const int inserted =
        fi_av_insert(addresses_.get(), introduction.address.data(), 1, &them_, 0, nullptr);
    if (inserted != 1) Fail("libfabric: the other side's address is none");
  }

  /// Takes what has ended; messages that came go to `arrived`.
  template <typename Arrived>
  void Progress(const Arrived& arrived) {
    Collect();
    while (!received_.empty()) {
      const std::size_t buffer = received_.front();
      received_.pop_front();
      const Message message = receive_[buffer];
      PostReceive(buffer);
      arrived(message);
    }
  }

  void Send(const Message& message) {
    Message& buffer = send_[next_send_++ % kBuffers];
    buffer = message;
    if (info_->tx_attr->inject_size >= kMessageBytes) {
      Post([&] { return fi_inject(endpoint_.get(), buffer.data(), buffer.size(), them_); }, "send");
    } else {
      fi_context2& context = send_contexts_[(next_send_ - 1) % kBuffers];
      Post(
          [&] {
            return fi_send(endpoint_.get(), buffer.data(), buffer.size(),
                           fi_mr_desc(send_key_.get()), them_, &context);
          },
          "send");
    }
  }

  // `memory` is in own_memory().
  void Read(std::span<std::byte> memory) {
    Operate([&] {
      return fi_read(endpoint_.get(), memory.data(), memory.size(), fi_mr_desc(own_key_.get()),
                     them_, their_memory_, their_key_, &operation_);
    });
  }
  void Write(std::span<const std::byte> memory) {
    iovec part{const_cast<std::byte*>(memory.data()), memory.size()};  // NOLINT: it is only read
    fi_rma_iov target{their_memory_, memory.size(), their_key_};
    void* description = fi_mr_desc(own_key_.get());
    fi_msg_rma message{};
    message.msg_iov = &part;
    message.desc = &description;
    message.iov_count = 1;
    message.addr = them_;
    message.rma_iov = &target;
    message.rma_iov_count = 1;
    message.context = &operation_;
    Operate([&] {
      return fi_writemsg(endpoint_.get(), &message, FI_DELIVERY_COMPLETE | FI_COMPLETION);
    });
  }
  std::uint64_t Swap(std::uint64_t expected, std::uint64_t desired) {
    words_ = {expected, desired, desired};
    void* const description = fi_mr_desc(words_key_.get());
    Operate([&] {
      return fi_compare_atomic(endpoint_.get(), &words_[1], 1, description, words_.data(),
                               description, &words_[2], description, them_, their_memory_,
                               their_key_, FI_UINT64, FI_CSWAP, &operation_);
    });
    return words_[2];
  }

  std::span<std::byte> own_memory() { return own_; }

 private:
  void Register(std::span<std::byte> memory, std::uint64_t wanted_key, Opened<fid_mr>& key) {
    std::uint64_t access =
        FI_SEND | FI_RECV | FI_READ | FI_WRITE | FI_REMOTE_READ | FI_REMOTE_WRITE;
    Must(fi_mr_reg(domain_.get(), memory.data(), memory.size(), access, 0, wanted_key, 0,
                   key.place(), nullptr),
         "registration");
  }
  void RegisterAll() {
    Register(memory_, 1, memory_key_);
    Register(own_, 2, own_key_);
    Register(std::as_writable_bytes(std::span(send_)), 3, send_key_);
    Register(std::as_writable_bytes(std::span(receive_)), 4, receive_key_);
    Register(std::as_writable_bytes(std::span(words_)), 5, words_key_);
  }

  void PostReceive(std::size_t buffer) {
    Post(
        [&] {
          return fi_recv(endpoint_.get(), receive_[buffer].data(), kMessageBytes,
                         fi_mr_desc(receive_key_.get()), FI_ADDR_UNSPEC,
                         &receive_contexts_[buffer]);
        },
        "receive");
  }

  // Posted again as long as there is no room; what ends meanwhile is collected.
  template <typename Call>
  void Post(const Call& call, const char* what) {
    for (;;) {
      const ssize_t result = call();
      if (result == 0) return;
      if (result != -FI_EAGAIN) Must(result, what);
      Collect();
    }
  }
  template <typename Call>
  void Operate(const Call& call) {
    operation_ended_ = false;
    Post(call, "operation");
    while (!operation_ended_) Collect();
  }

  void Collect() {
    std::array<fi_cq_msg_entry, 16> entries;
    const ssize_t count = fi_cq_read(queue_.get(), entries.data(), entries.size());
    if (count == -FI_EAGAIN) return;
    if (count == -FI_EAVAIL) {
      fi_cq_err_entry error{};
      fi_cq_readerr(queue_.get(), &error, 0);
      // A client that has gone.
      if (error.err == FI_ECANCELED) return;
      Must(-error.err, "completion");
    }
    Must(count, "completions");
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const fi_cq_msg_entry& entry = entries[i];
      if (entry.op_context == &operation_) {
        operation_ended_ = true;
      } else if ((entry.flags & FI_RECV) != 0) {
        if (entry.len != kMessageBytes) Fail("libfabric: a message of another length");
        const auto* const context = static_cast<const fi_context2*>(entry.op_context);
        received_.push_back(static_cast<std::size_t>(context - receive_contexts_.data()));
      }
    }
  }

  const Info info_;
  std::vector<std::byte> memory_ = std::vector<std::byte>(kMemoryBytes, std::byte{1});
  std::vector<std::byte> own_ = std::vector<std::byte>(kMemoryBytes, std::byte{1});
  std::vector<Message> send_ = std::vector<Message>(kBuffers);
  std::vector<Message> receive_ = std::vector<Message>(kBuffers);
  std::array<std::uint64_t, 3> words_{};
  std::vector<fi_context2> send_contexts_ = std::vector<fi_context2>(kBuffers);
  std::vector<fi_context2> receive_contexts_ = std::vector<fi_context2>(kBuffers);
  fi_context2 operation_{};
  bool operation_ended_ = false;
  std::deque<std::size_t> received_;
  std::size_t next_send_ = 0;
  fi_addr_t them_ = FI_ADDR_UNSPEC;
  std::uint64_t their_memory_ = 0;
  std::uint64_t their_key_ = 0;

  // Closed in the opposite order.
  Opened<fid_fabric> fabric_;
  Opened<fid_domain> domain_;
  Opened<fid_cq> queue_;
  Opened<fid_av> addresses_;
  Opened<fid_mr> memory_key_;
  Opened<fid_mr> own_key_;
  Opened<fid_mr> send_key_;
  Opened<fid_mr> receive_key_;
  Opened<fid_mr> words_key_;
  Opened<fid_ep> endpoint_;
};

class LibfabricClient final : public Client {
 public:
  LibfabricClient(const std::string& provider, Meeting& meeting) : end_(provider) {
    end_.Introduce(meeting.from_client);
    end_.Meet(meeting.from_server);
  }

  void Exchange(std::size_t outstanding, Laps& laps) override {
    std::size_t on_the_way = 0;
    bool goes_on = true;
    while (goes_on || on_the_way > 0) {
      for (; goes_on && on_the_way < outstanding; ++on_the_way) Ask();
      end_.Progress([&](const Message& reply) {
        if (std::memcmp(reply.data(), &++answered_, sizeof answered_) != 0) {
          Fail("libfabric mixes up its messages");
        }
        --on_the_way;
        goes_on = laps.Count() && goes_on;
      });
    }
  }

  void Operate(Cell operation, std::span<std::byte> memory, Laps& laps) override {
    do {
      if (operation == Cell::kRead) {
        end_.Read(memory);
      } else if (operation == Cell::kWrite) {
        end_.Write(memory);
      } else {
        const std::uint64_t before = end_.Swap(word_, word_ + 1);
        word_ = before == word_ ? word_ + 1 : before;
      }
    } while (laps.Count());
  }
  std::span<std::byte> memory() override { return end_.own_memory(); }

 private:
  void Ask() {
    std::memcpy(message_.data(), &++asked_, sizeof asked_);
    end_.Send(message_);
  }

  LibfabricEnd end_;
  Message message_{};
  std::uint64_t asked_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t word_ = 0;
};

class Libfabric final : public Carrier {
 public:
  Libfabric(const std::string& provider, const fi_info& info)
      : Carrier("libfabric `" + provider + "`"),
        provider_(provider),
        // This one says so too, and then answers that it has none.
        has_atomics_((info.caps & FI_ATOMIC) != 0 && provider != "net") {}

  bool Offers(Cell cell, Patience patience) const override {
    return patience == Patience::kPolls && (cell != Cell::kSwap || has_atomics_);
  }
  void Serve(Meeting& meeting, Patience) override {
    LibfabricEnd end(provider_);
    end.Introduce(meeting.from_server);
    end.Meet(meeting.from_client);
    while (!meeting.over.load(std::memory_order_relaxed)) {
      end.Progress([&end](const Message& message) { end.Send(message); });
    }
  }
  std::unique_ptr<Client> Connect(Meeting& meeting, Patience) override {
    return std::make_unique<LibfabricClient>(provider_, meeting);
  }

 private:
  const std::string provider_;
  const bool has_atomics_;
};

}  // namespace

std::unique_ptr<Carrier> MakeLibfabric(const std::string& provider) {
  const Info info = FindBest(provider);
  return info == nullptr ? nullptr : std::make_unique<Libfabric>(provider, *info);
}
#endif

}  // namespace cirein::bench
