// SPDX-License-Identifier: Apache-2.0
#include "bench/fabric_ucx.h"

#ifdef CIREIN_BENCH_UCX
#include <algorithm>

#include <ucp/api/ucp.h>
#endif

namespace cirein::bench {

#ifndef CIREIN_BENCH_UCX

std::unique_ptr<Carrier> MakeUcx() { return nullptr; }

#else
namespace {

constexpr unsigned kEcho = 1;
// Of messages on their way, whose bytes UCX may still want.
constexpr std::size_t kBuffers = 4 * kOutstanding;

void Must(ucs_status_t status, const char* what) {
  if (status != UCS_OK) Fail(std::string("UCX: ") + what + ": " + ucs_status_string(status));
}

/// What one side tells the other: numbers, then the worker's address, then the key to its memory.
struct Introduction {
  std::uint64_t memory = 0;
  std::uint64_t address_bytes = 0;
  std::uint64_t key_bytes = 0;
};

/// A context, a worker and an endpoint to the other side.
class UcxEnd {
 public:
  using Arrived = void (*)(UcxEnd& end, const Message& message);

  explicit UcxEnd(Arrived arrived) : arrived_(arrived) {
    ucp_config_t* config = nullptr;
    Must(ucp_config_read(nullptr, nullptr, &config), "configuration");
    Must(ucp_config_modify(config, "TLS", "posix"), "the transport posix");
    ucp_params_t params{};
    params.field_mask = UCP_PARAM_FIELD_FEATURES;
    params.features = UCP_FEATURE_AM | UCP_FEATURE_RMA | UCP_FEATURE_AMO64;
    Must(ucp_init(&params, config, &context_), "context");
    ucp_config_release(config);
    ucp_worker_params_t worker_params{};
    worker_params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
    worker_params.thread_mode = UCS_THREAD_MODE_SINGLE;
    Must(ucp_worker_create(context_, &worker_params, &worker_), "worker");
    ucp_am_handler_param_t handler{};
    handler.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB |
                         UCP_AM_HANDLER_PARAM_FIELD_ARG;
    handler.id = kEcho;
    handler.cb = &OnMessage;
    handler.arg = this;
    Must(ucp_worker_set_am_recv_handler(worker_, &handler), "handler");
    AllocateMemory();
  }
  ~UcxEnd() {
    if (key_ != nullptr) ucp_rkey_destroy(key_);
    if (endpoint_ != nullptr) {
      ucp_request_param_t param{};
      param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
      param.flags = UCP_EP_CLOSE_FLAG_FORCE;
      void* const closing = ucp_ep_close_nbx(endpoint_, &param);
      if (UCS_PTR_IS_PTR(closing)) {
        while (ucp_request_check_status(closing) == UCS_INPROGRESS) ucp_worker_progress(worker_);
        ucp_request_free(closing);
      }
    }
    ucp_mem_unmap(context_, memory_handle_);
    ucp_worker_destroy(worker_);
    ucp_cleanup(context_);
  }
  UcxEnd(const UcxEnd&) = delete;
  UcxEnd& operator=(const UcxEnd&) = delete;

  void Introduce(Meeting::Note& note) {
    ucp_address_t* address = nullptr;
    std::size_t address_bytes = 0;
    Must(ucp_worker_get_address(worker_, &address, &address_bytes), "address");
    void* key = nullptr;
    std::size_t key_bytes = 0;
    Must(ucp_rkey_pack(context_, memory_handle_, &key, &key_bytes), "key");
    Introduction introduction;
    introduction.memory = reinterpret_cast<std::uint64_t>(memory_.data());  // NOLINT
    introduction.address_bytes = address_bytes;
    introduction.key_bytes = key_bytes;
    std::vector<std::byte> text(sizeof introduction + address_bytes + key_bytes);
    std::memcpy(text.data(), &introduction, sizeof introduction);
    std::memcpy(text.data() + sizeof introduction, address, address_bytes);
    std::memcpy(text.data() + sizeof introduction + address_bytes, key, key_bytes);
    ucp_rkey_buffer_release(key);
    ucp_worker_release_address(worker_, address);
    Tell(note, text);
  }

  void Meet(Meeting::Note& note) {
    const std::vector<std::byte> text = Hear(note);
    Introduction introduction;
    std::memcpy(&introduction, text.data(), sizeof introduction);
    const std::byte* const address = text.data() + sizeof introduction;
    ucp_ep_params_t params{};
    params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS;
    params.address = reinterpret_cast<const ucp_address_t*>(address);  // NOLINT: as UCX wants it
    Must(ucp_ep_create(worker_, &params, &endpoint_), "endpoint");
    Must(ucp_ep_rkey_unpack(endpoint_, address + introduction.address_bytes, &key_), "key");
    their_memory_ = introduction.memory;
  }

  void Progress() { ucp_worker_progress(worker_); }

  void Send(const Message& message) {
    Message& buffer = buffers_[next_buffer_++ % kBuffers];
    buffer = message;
    ucp_request_param_t param{};
    void* const sent =
        ucp_am_send_nbx(endpoint_, kEcho, nullptr, 0, buffer.data(), buffer.size(), &param);
    if (UCS_PTR_IS_ERR(sent)) Must(UCS_PTR_STATUS(sent), "send");
    // No more are on their way than there are buffers: the request's own end need not be awaited.
    if (UCS_PTR_IS_PTR(sent)) ucp_request_free(sent);
  }

  void Read(std::span<std::byte> into) {
    ucp_request_param_t param{};
    Await(ucp_get_nbx(endpoint_, into.data(), into.size(), their_memory_, key_, &param));
  }
  // Over this transport the bytes are in the other's memory when it has ended.
  void Write(std::span<const std::byte> bytes) {
    ucp_request_param_t param{};
    Await(ucp_put_nbx(endpoint_, bytes.data(), bytes.size(), their_memory_, key_, &param));
  }
  std::uint64_t Swap(std::uint64_t expected, std::uint64_t desired) {
    std::uint64_t before = desired;
    ucp_request_param_t param{};
    param.op_attr_mask = UCP_OP_ATTR_FIELD_DATATYPE | UCP_OP_ATTR_FIELD_REPLY_BUFFER;
    param.datatype = ucp_dt_make_contig(sizeof before);
    param.reply_buffer = &before;
    Await(ucp_atomic_op_nbx(endpoint_, UCP_ATOMIC_OP_CSWAP, &expected, 1, their_memory_, key_,
                            &param));
    return before;
  }

 private:
  static ucs_status_t OnMessage(void* argument, const void*, std::size_t, void* data,
                                std::size_t bytes, const ucp_am_recv_param_t* param) {
    auto* const self = static_cast<UcxEnd*>(argument);
    if (bytes != kMessageBytes || (param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0) {
      Fail("UCX: a message of another length");
    }
    Message message;
    std::memcpy(message.data(), data, message.size());
    self->arrived_(*self, message);
    return UCS_OK;
  }

  void AllocateMemory() {
    ucp_mem_map_params_t params{};
    params.field_mask = UCP_MEM_MAP_PARAM_FIELD_LENGTH | UCP_MEM_MAP_PARAM_FIELD_FLAGS;
    params.length = kMemoryBytes;
    params.flags = UCP_MEM_MAP_ALLOCATE;
    Must(ucp_mem_map(context_, &params, &memory_handle_), "memory");
    ucp_mem_attr_t attributes{};
    attributes.field_mask = UCP_MEM_ATTR_FIELD_ADDRESS;
    Must(ucp_mem_query(memory_handle_, &attributes), "memory");
    memory_ = {static_cast<std::byte*>(attributes.address), kMemoryBytes};
    std::fill(memory_.begin(), memory_.end(), std::byte{1});
  }

  void Await(void* request) {
    if (request == nullptr) return;
    if (UCS_PTR_IS_ERR(request)) Must(UCS_PTR_STATUS(request), "operation");
    ucs_status_t status = UCS_INPROGRESS;
    while ((status = ucp_request_check_status(request)) == UCS_INPROGRESS) Progress();
    ucp_request_free(request);
    Must(status, "operation");
  }

  const Arrived arrived_;
  ucp_context_h context_ = nullptr;
  ucp_worker_h worker_ = nullptr;
  ucp_ep_h endpoint_ = nullptr;
  ucp_mem_h memory_handle_ = nullptr;
  std::span<std::byte> memory_;
  ucp_rkey_h key_ = nullptr;
  std::uint64_t their_memory_ = 0;
  std::array<Message, kBuffers> buffers_;
  std::size_t next_buffer_ = 0;

 public:
  std::uint64_t arrived_count = 0;
};

class UcxClient final : public Client {
 public:
  explicit UcxClient(Meeting& meeting) : end_(&TakeReply) {
    end_.Introduce(meeting.from_client);
    end_.Meet(meeting.from_server);
  }

  void Exchange(std::size_t outstanding, Laps& laps) override {
    std::size_t on_the_way = 0;
    bool goes_on = true;
    while (goes_on || on_the_way > 0) {
      for (; goes_on && on_the_way < outstanding; ++on_the_way) Ask();
      end_.Progress();
      for (; answered_ < end_.arrived_count; ++answered_) {
        --on_the_way;
        goes_on = laps.Count() && goes_on;
      }
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
  std::span<std::byte> memory() override { return memory_; }

 private:
  static void TakeReply(UcxEnd& end, const Message& message) {
    ++end.arrived_count;
    if (std::memcmp(message.data(), &end.arrived_count, sizeof end.arrived_count) != 0) {
      Fail("UCX mixes up its messages");
    }
  }
  void Ask() {
    std::memcpy(message_.data(), &++asked_, sizeof asked_);
    end_.Send(message_);
  }

  UcxEnd end_;
  std::vector<std::byte> memory_ = std::vector<std::byte>(kMemoryBytes, std::byte{1});
  Message message_{};
  std::uint64_t asked_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t word_ = 0;
};

class Ucx final : public Carrier {
 public:
  Ucx() : Carrier("UCX `posix`") {}
  bool Offers(Cell, Patience patience) const override { return patience == Patience::kPolls; }
  void Serve(Meeting& meeting, Patience) override {
    UcxEnd end([](UcxEnd& self, const Message& message) { self.Send(message); });
    end.Introduce(meeting.from_server);
    end.Meet(meeting.from_client);
    while (!meeting.over.load(std::memory_order_relaxed)) end.Progress();
  }
  std::unique_ptr<Client> Connect(Meeting& meeting, Patience) override {
    return std::make_unique<UcxClient>(meeting);
  }
};

}  // namespace

std::unique_ptr<Carrier> MakeUcx() { return std::make_unique<Ucx>(); }
#endif

}  // namespace cirein::bench
