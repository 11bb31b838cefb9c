// SPDX-License-Identifier: Apache-2.0

// Memory that is lent over shared memory: what is mapped and what not, and how it is taken back.

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "fabric/conformance.h"
#include "fabric/shm/borrower.h"
#include "fabric/shm/lender.h"
#include "fabric/shm/loan.h"
#include "fabric/shm/shm_transport.h"
#include "fabric/shm_fabric.h"
#include "region/directory_space.h"
#include "region/memory_region.h"
#include "runtime/reactor.h"
#include "runtime/temporary_directory.h"
#include "runtime/virtual_clock.h"

namespace cirein::fabric {
namespace {

using namespace std::chrono_literals;

constexpr const char* kMemory = "cirein-memory";

/// An owner and a holder, whose homes the test runs one by one: whose does not run does nothing.
class ShmLoanTest : public testing::Test {
 protected:
  struct Peer {
    Recorder service;
    std::unique_ptr<Reactor> home;
    std::unique_ptr<ShmTransport> transport;
  };

  void Begin(Mappings owner, Mappings holder) {
    for (Peer* peer : {&owner_, &holder_}) {
      ShmOptions options = ShmFabric::SmallOptions();
      options.limits.grants_max = 256;
      options.revoke_max = 20ms;
      options.mappings = peer == &owner_ ? owner : holder;
      peer->home = Reactor::Create(clock_).value();
      peer->transport = ShmTransport::Create(*peer->home, options).value();
    }
    ASSERT_TRUE(owner_.transport->Listen(owner_.service).ok());
    connection_ = Connect(holder_);
  }
  void Begin(Mappings both = Mappings::kFilesToRead) { Begin(both, both); }
  ~ShmLoanTest() override {
    connection_.reset();
    holder_.transport.reset();
    owner_.transport.reset();
  }

  ConnectionPtr Connect(Peer& from) {
    std::optional<Result<ConnectionPtr>> result;
    EXPECT_TRUE(from.transport
                    ->Connect(owner_.transport->address(), from.service, kLong,
                              [&](Result<ConnectionPtr> made) { result = std::move(made); })
                    .ok());
    RunBoth();
    return result && result->ok() ? **result : nullptr;
  }
  void RunBoth() {
    for (int i = 0; i < 50; ++i) {
      owner_.home->RunOnce();
      holder_.home->RunOnce();
    }
  }
  void RunHolder() {
    for (int i = 0; i < 50; ++i) holder_.home->RunOnce();
  }

  std::shared_ptr<Region> MakeRegion(std::uint64_t bytes = 4096) {
    return MakeMemoryRegion("r", bytes).value();
  }
  Grant MakeGrant(const std::shared_ptr<Region>& region, Access access) {
    return MakeGrant(region, {0, region->size()}, access);
  }
  Grant MakeGrant(const std::shared_ptr<Region>& region, ByteRange range, Access access) {
    memory_ = owner_.transport->Register(region).value();
    return owner_.transport->MakeGrant(memory_, range, access).value();
  }
  /// The first use, whose answer has come.
  void Warm(const Grant& grant) {
    static_cast<void>(connection_->Read(grant, 0, {}, kLong, [](const auto&) {}).ok());
    RunBoth();
  }
  /// Does it go without the owner? If so it has been done.
  bool GoesAlone(const std::function<Status(DoneCallback)>& begin) {
    auto outcome = std::make_shared<Outcome>();
    EXPECT_TRUE(begin(Into(outcome)).ok());
    EXPECT_FALSE(outcome->done()) << "a callback inside the call";
    RunHolder();
    const bool alone = outcome->done();
    RunBoth();
    EXPECT_TRUE(outcome->done());
    last_ = outcome->status;
    return alone;
  }
  bool ReadGoesAlone(const Grant& grant) {
    std::vector<std::byte> into(8);
    return GoesAlone([&](DoneCallback done) {
      return connection_->Read(grant, 0, into, kLong, std::move(done));
    });
  }
  bool WriteGoesAlone(const Grant& grant, std::uint64_t offset = 0) {
    return GoesAlone([&](DoneCallback done) {
      return connection_->Write(grant, offset, Bytes("written!"), kLong, std::move(done));
    });
  }
  bool AddGoesAlone(const Grant& grant) {
    return GoesAlone([&](DoneCallback done) {
      return connection_->FetchAdd(grant, 8, 1, kLong,
                                   [done](const auto& word) { done(word.status()); });
    });
  }

  VirtualClock clock_;
  Peer owner_;
  Peer holder_;
  ConnectionPtr connection_;
  Transport::MemoryId memory_ = 0;
  Status last_;  // How the last operation ended.
};

TEST_F(ShmLoanTest, WhatIsMappedNeedsNoOwner) {
  Begin();
  const auto region = MakeRegion();
  const Grant grant = MakeGrant(region, kAll);
  EXPECT_FALSE(WriteGoesAlone(grant)) << "it has to be asked for first";
  EXPECT_TRUE(WriteGoesAlone(grant));
  EXPECT_EQ(Text({region->data(), 8}), "written!");
  EXPECT_TRUE(ReadGoesAlone(grant));
  EXPECT_TRUE(AddGoesAlone(grant));
  EXPECT_EQ(region->LoadWord(8), 1U);
  EXPECT_EQ(CountMappings(kMemory), 2U);
  // A persist is the owner's, and holds up what is behind it.
  auto persisted = std::make_shared<Outcome>();
  ASSERT_TRUE(connection_->Persist(grant, {0, 8}, kLong, Into(persisted)).ok());
  EXPECT_FALSE(WriteGoesAlone(grant));
  EXPECT_TRUE(persisted->status.ok());
  EXPECT_TRUE(WriteGoesAlone(grant));
}

TEST_F(ShmLoanTest, OnlyWholeRegionsWithADescriptorAreLent) {
  Begin();
  const auto region = MakeRegion(8192);
  for (const ByteRange& range :
       std::vector<ByteRange>{{0, 4096}, {4096, 4096}, {8, 8184}, {0, 8191}}) {
    const Grant part = MakeGrant(region, range, Access::kRead | Access::kWrite);
    Warm(part);
    EXPECT_FALSE(WriteGoesAlone(part));
    EXPECT_TRUE(last_.ok());
  }
  std::vector<std::uint64_t> plain(512);
  const auto id = owner_.transport->Register(std::as_writable_bytes(std::span(plain)), nullptr);
  const Grant grant = owner_.transport->MakeGrant(*id, {0, 4096}, kAll).value();
  Warm(grant);
  EXPECT_FALSE(WriteGoesAlone(grant));
  EXPECT_EQ(Text({std::as_bytes(std::span(plain)).data(), 8}), "written!");
  EXPECT_EQ(CountMappings(kMemory), 1U) << "its owner's";
}

TEST_F(ShmLoanTest, NothingIsMappedWhereThatIsForbidden) {
  for (const auto& [owner, holder] : std::vector<std::pair<Mappings, Mappings>>{
           {Mappings::kNone, Mappings::kFiles}, {Mappings::kFiles, Mappings::kNone}}) {
    Begin(owner, holder);
    const auto region = MakeRegion();
    const Grant grant = MakeGrant(region, kAll);
    Warm(grant);
    EXPECT_FALSE(WriteGoesAlone(grant));
    EXPECT_TRUE(last_.ok());
    EXPECT_EQ(CountMappings(kMemory), 1U);
    connection_.reset();
    holder_.transport.reset();
    owner_.transport.reset();
  }
}

TEST_F(ShmLoanTest, AMappingAllowsNoMoreThanItsGrant) {
  Begin();
  const auto region = MakeRegion();
  struct Case {
    Access access;
    bool reads;
    bool writes;
    bool adds;
  };
  for (const Case& one : std::vector<Case>{
           {Access::kRead, true, false, false},
           {Access::kWrite, false, false, false},   // What can be written can be read.
           {Access::kAtomic, false, false, false},  // So it can.
           {Access::kRead | Access::kAtomic, true, false, false},
           {Access::kRead | Access::kWrite, true, true, false},
           {kAll, true, true, true},
       }) {
    SCOPED_TRACE(static_cast<int>(one.access));
    const Grant grant = MakeGrant(region, one.access);
    Warm(grant);
    const auto expected = [&](Access needed) {
      return Allows(one.access, needed) ? StatusCode::kOk : StatusCode::kPermissionDenied;
    };
    EXPECT_EQ(ReadGoesAlone(grant), one.reads);
    EXPECT_EQ(last_.code(), expected(Access::kRead));
    EXPECT_EQ(WriteGoesAlone(grant), one.writes);
    EXPECT_EQ(last_.code(), expected(Access::kWrite));
    EXPECT_EQ(AddGoesAlone(grant), one.adds);
    EXPECT_EQ(last_.code(), expected(Access::kAtomic));
  }
}

TEST_F(ShmLoanTest, ADescriptorForReadingCannotBeWritten) {
  const auto directory = TemporaryDirectory::Create().value();
  const auto space = OpenDirectorySpace(directory.path()).value();
  const std::shared_ptr<Region> words = space->Create("w", 4096, RegionUse::kWords).value();
  const std::shared_ptr<Region> memory = MakeRegion();
  struct Case {
    std::shared_ptr<Region> region;
    Access access;
    Mappings mappings;
    bool writable;
  };
  for (const Case& one : std::vector<Case>{{memory, Access::kRead, Mappings::kFiles, false},
                                           {memory, kAll, Mappings::kMemory, true},
                                           {words, kAll, Mappings::kFilesToRead, false},
                                           {words, Access::kRead, Mappings::kFiles, false},
                                           {words, kAll, Mappings::kFiles, true}}) {
    const auto offer = MakeOffer({one.region, one.access}, one.mappings);
    ASSERT_TRUE(offer.has_value());
    EXPECT_EQ(offer->access, one.writable ? one.access : Access::kRead);
    const int file = offer->file.get();
    void* const to_write = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    EXPECT_EQ(to_write != MAP_FAILED, one.writable);
    if (to_write != MAP_FAILED) munmap(to_write, 4096);
    EXPECT_EQ(pwrite(file, "x", 1, 0) == 1, one.writable);
    // Nothing that is shared with the owner's own descriptor can be changed.
    EXPECT_EQ(fcntl(file, F_SETFL, O_APPEND), 0);
    EXPECT_EQ(fcntl(one.region->descriptor(), F_GETFL) & O_APPEND, 0);
    if (one.region == memory) {
      EXPECT_NE(ftruncate(file, 0), 0);
    }
  }
  EXPECT_FALSE(MakeOffer({words, kAll}, Mappings::kMemory).has_value());
  EXPECT_FALSE(MakeOffer({memory, kAll}, Mappings::kNone).has_value());
}

TEST_F(ShmLoanTest, FilesAreReadAndWrittenIfTheirOwnerSaysSo) {
  const auto directory = TemporaryDirectory::Create().value();
  for (const FlushMode mode : {FlushMode::kAuto, FlushMode::kFile}) {
    for (const Mappings mappings : {Mappings::kFilesToRead, Mappings::kFiles}) {
      SCOPED_TRACE(static_cast<int>(mappings));
      Begin(mappings);
      const auto space = OpenDirectorySpace(directory.path(), {.flush = mode}).value();
      const std::shared_ptr<Region> words = space->Create("w", 8192, RegionUse::kWords).value();
      const std::shared_ptr<Region> log = space->Create("l", 8192, RegionUse::kLog).value();
      const Grant to_words = MakeGrant(words, kAll);
      const Grant to_log = MakeGrant(log, Access::kRead | Access::kWrite);
      Warm(to_words);
      Warm(to_log);
      EXPECT_TRUE(ReadGoesAlone(to_words));
      EXPECT_EQ(WriteGoesAlone(to_words), mappings == Mappings::kFiles);
      EXPECT_EQ(AddGoesAlone(to_words), mappings == Mappings::kFiles);
      EXPECT_EQ(words->LoadWord(8), 1U);
      EXPECT_EQ(Text({words->data(), 8}), "written!");
      // What has no stores is written by its owner.
      EXPECT_TRUE(ReadGoesAlone(to_log));
      EXPECT_EQ(WriteGoesAlone(to_log, 4096), mappings == Mappings::kFiles && log->has_stores());
      EXPECT_EQ(Text({log->data() + 4096, 8}), "written!");
      auto persisted = std::make_shared<Outcome>();
      ASSERT_TRUE(connection_->Persist(to_words, {0, 16}, kLong, Into(persisted)).ok());
      RunBoth();
      EXPECT_TRUE(persisted->status.ok()) << persisted->status.ToString();
      // One that is open for reading only has no descriptor.
      const std::shared_ptr<Region> reader =
          space->Open("w", RegionUse::kWords, RegionSpace::Access::kReadOnly).value();
      const Grant to_reader = MakeGrant(reader, Access::kRead);
      Warm(to_reader);
      EXPECT_FALSE(ReadGoesAlone(to_reader));
      EXPECT_TRUE(last_.ok());
      ASSERT_TRUE(space->Remove("w").ok());
      ASSERT_TRUE(space->Remove("l").ok());
      connection_.reset();
      holder_.transport.reset();
      owner_.transport.reset();
    }
  }
}

TEST_F(ShmLoanTest, WhatIsRevokedIsUnmappedAndDenied) {
  Begin();
  const auto region = MakeRegion();
  const std::size_t descriptors = CountDescriptors();
  // More often than there are lines, so they are used again.
  for (unsigned i = 0; i < 2 * kLoansMax + 10; ++i) {
    const Grant grant = MakeGrant(region, kAll);
    Warm(grant);
    ASSERT_TRUE(WriteGoesAlone(grant)) << i;
    ASSERT_EQ(CountMappings(kMemory), 2U);
    const bool all = i % 2 == 0;
    ASSERT_TRUE(
        (all ? owner_.transport->Unregister(memory_) : owner_.transport->Revoke(grant)).ok());
    const std::uint64_t before = region->LoadWord(8);
    // The holder has not been told yet.
    EXPECT_FALSE(AddGoesAlone(grant));
    EXPECT_EQ(last_.code(), StatusCode::kPermissionDenied);
    EXPECT_EQ(region->LoadWord(8), before);
    EXPECT_EQ(CountMappings(kMemory), 1U);
    EXPECT_FALSE(AddGoesAlone(grant));
    EXPECT_EQ(last_.code(), StatusCode::kPermissionDenied);
    ASSERT_EQ(CountDescriptors(), descriptors);
    if (!all) {
      ASSERT_TRUE(owner_.transport->Unregister(memory_).ok());
    }
  }
}

TEST_F(ShmLoanTest, NoMoreAreLentThanThereAreLines) {
  Begin();
  const auto region = MakeRegion();
  std::vector<Grant> grants;
  for (unsigned i = 0; i < kLoansMax + 5; ++i) {
    grants.push_back(MakeGrant(region, kAll));
    Warm(grants.back());
    EXPECT_EQ(WriteGoesAlone(grants.back()), i < kLoansMax) << i;
    EXPECT_TRUE(last_.ok());
  }
  EXPECT_EQ(CountMappings(kMemory), 1 + kLoansMax);
  // Another connection has its own.
  const ConnectionPtr first = std::exchange(connection_, Connect(holder_));
  Warm(grants.back());
  EXPECT_TRUE(WriteGoesAlone(grants.back()));
  // One revoked: both are told.
  EXPECT_TRUE(owner_.transport->Revoke(grants.back()).ok());
  EXPECT_TRUE(owner_.transport->Revoke(grants.front()).ok());
  RunBoth();
  EXPECT_EQ(CountMappings(kMemory), kLoansMax);
  // With its connection all that was lent goes.
  first->Close();
  RunBoth();
  EXPECT_EQ(CountMappings(kMemory), 1U);
}

TEST_F(ShmLoanTest, TheEndTakesAllWithIt) {
  Begin();
  const auto region = MakeRegion();
  const std::size_t segments = CountMappings("cirein-shm");
  std::size_t descriptors = 0;
  for (int i = 0; i < 6; ++i) {
    SCOPED_TRACE(i);
    const Grant grant = MakeGrant(region, kAll);
    Warm(grant);
    ASSERT_TRUE(WriteGoesAlone(grant));
    if (i == 0) descriptors = CountDescriptors();
    ASSERT_EQ(CountDescriptors(), descriptors);
    ASSERT_EQ(CountMappings("cirein-shm"), segments);
    const ConnectionPtr ended = connection_;
    if (i % 2 == 0) {
      ended->Close();
    } else {
      owner_.service.connections.back()->Close();
      owner_.home->RunOnce();
      owner_.home->RunOnce();
      // It has ended for the owner, and the holder does not know yet.
      const std::uint64_t before = region->LoadWord(8);
      auto outcome = std::make_shared<Outcome>();
      static_cast<void>(ended->FetchAdd(grant, 8, 1, kLong, WordInto(outcome)).ok());
      EXPECT_EQ(region->LoadWord(8), before) << "it took effect after the end";
      RunBoth();
      EXPECT_EQ(outcome->status.code(), StatusCode::kUnavailable);
    }
    RunBoth();
    EXPECT_EQ(CountMappings(kMemory), 1U);
    EXPECT_EQ(ended->FetchAdd(grant, 8, 1, kLong, [](const auto&) {}).code(),
              StatusCode::kUnavailable);
    // Of somebody who has nothing lent any more.
    EXPECT_TRUE(owner_.transport->Revoke(grant).ok());
    connection_ = Connect(holder_);
    ASSERT_NE(connection_, nullptr);
    owner_.service.connections.erase(owner_.service.connections.begin());
  }
}

TEST_F(ShmLoanTest, WhoDiesLeavesNothing) {
  Begin();
  const auto region = MakeRegion();
  const Grant grant = MakeGrant(region, kAll);
  Warm(grant);
  ASSERT_TRUE(WriteGoesAlone(grant));
  owner_.transport->Die();
  // Until it notices it may reach memory that is nobody's; then it is told.
  RunHolder();
  ASSERT_EQ(holder_.service.closed.size(), 1U);
  EXPECT_EQ(connection_->Write(grant, 0, Bytes("x"), kLong, [](const auto&) {}).code(),
            StatusCode::kUnavailable);
  EXPECT_EQ(CountMappings(kMemory), 1U);
}

TEST_F(ShmLoanTest, CallbacksThatWaitAreCalledAtTheEnd) {
  Begin();
  const auto region = MakeRegion();
  const Grant grant = MakeGrant(region, kAll);
  Warm(grant);
  auto outcome = std::make_shared<Outcome>();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(connection_->FetchAdd(grant, 8, 1, kLong, WordInto(outcome)).ok());
  }
  EXPECT_EQ(region->LoadWord(8), 5U);
  EXPECT_EQ(outcome->calls, 0);
  holder_.transport.reset();
  EXPECT_EQ(outcome->calls, 5);
}

TEST_F(ShmLoanTest, WhatHasNotComeOrIsNotWholeIsNotMapped) {
  // The owner says that a grant is lent, and sends what is no such memory.
  const auto connected = MakeRegion();
  const FileDescriptor empty(memfd_create("empty", MFD_CLOEXEC));
  const FileDescriptor holes(memfd_create("holes", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(holes.get(), 1 << 20), 0);
  const FileDescriptor unsealed(memfd_create("unsealed", MFD_CLOEXEC));
  ASSERT_EQ(fallocate(unsealed.get(), 0, 0, 8192), 0);
  const FileDescriptor device(open("/dev/zero", O_RDWR | O_CLOEXEC));
  struct Case {
    int file;
    std::uint64_t bytes;
    Mappings mappings;
    bool maps;
  };
  const std::vector<Case> cases = {
      {connected->descriptor(), 4096, Mappings::kMemory, true},
      {connected->descriptor(), 4097, Mappings::kMemory, false},
      {connected->descriptor(), 0, Mappings::kMemory, false},
      {connected->descriptor(), ~std::uint64_t{0}, Mappings::kFiles, false},
      {empty.get(), 4096, Mappings::kFiles, false},
      {holes.get(), 1 << 20, Mappings::kFiles, false},
      {unsealed.get(), 8192, Mappings::kMemory, false},
      {unsealed.get(), 8192, Mappings::kFilesToRead, true},
      {device.get(), 4096, Mappings::kFiles, false},
      {-1, 4096, Mappings::kFiles, false}};
  const std::shared_ptr<const Segment> segment = Segment::Create(4096).value();
  const OperationHead read{.grant = 5, .key = 6, .offset = 0, .bytes = 8};
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    Borrower borrower(segment, 0, cases[i].mappings);
    EXPECT_FALSE(borrower.Begin(PacketCode::kRead, read).has_value());
    ASSERT_EQ(borrower.TakeMessages().size(), 1U);
    std::optional<LoanMessage> answer;
    const FileDescriptor file(cases[i].file < 0 ? -1 : dup(cases[i].file));
    const LoanMessage lend{
        .kind = LoanKind::kLend, .line = 3, .grant = 5, .bytes = cases[i].bytes, .access = 1};
    EXPECT_TRUE(borrower.TakeLend(lend, file, answer));
    EXPECT_EQ(answer.has_value(), !cases[i].maps);
    if (answer) {
      EXPECT_EQ(answer->kind, LoanKind::kRelease);
    }
    auto use = borrower.Begin(PacketCode::kRead, read);
    EXPECT_EQ(use.has_value(), cases[i].maps);
    if (use) borrower.End(std::move(*use));
    EXPECT_FALSE(borrower.TakeLend(lend, file, answer)) << "it was lent already";
    EXPECT_TRUE(borrower.TakeMessages().empty()) << "it is not asked for again";
  }
  // What nobody asked for, or makes no sense.
  Borrower borrower(segment, 0, Mappings::kFiles);
  std::optional<LoanMessage> answer;
  const FileDescriptor none;
  EXPECT_FALSE(borrower.TakeLend({.kind = LoanKind::kLend, .grant = 5, .access = 1}, none, answer));
  EXPECT_FALSE(borrower.TakeRefuse({.kind = LoanKind::kRefuse, .grant = 5}));
  EXPECT_FALSE(borrower.Begin(PacketCode::kRead, read).has_value());
  for (const LoanMessage& wrong :
       std::vector<LoanMessage>{{.line = kLoansMax, .grant = 5, .bytes = 4096, .access = 1},
                                {.line = ~std::uint32_t{0}, .grant = 5, .bytes = 4096, .access = 1},
                                {.line = 0, .grant = 5, .bytes = 4096, .access = 0},
                                {.line = 0, .grant = 5, .bytes = 4096, .access = 6},
                                {.line = 0, .grant = 5, .bytes = 4096, .access = 9},
                                {.line = 0, .grant = 4, .bytes = 4096, .access = 1}}) {
    EXPECT_FALSE(borrower.TakeLend(wrong, none, answer));
  }
  EXPECT_FALSE(borrower.TakeWithdraw({.line = kLoansMax, .grant = 5}, answer));
  EXPECT_TRUE(borrower.TakeWithdraw({.line = 0, .grant = 5}, answer)) << "of an earlier loan";
  EXPECT_FALSE(answer.has_value());
}

// --- Copies that take long ---

/// Bytes of which one page cannot be read yet: who copies them waits there.
class SlowBytes {
 public:
  static constexpr std::size_t kPage = 4096;

  explicit SlowBytes(std::size_t pages) : bytes_(pages * kPage) {
    void* const memory =
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    begin_ = static_cast<std::byte*>(memory);
    std::memset(begin_, 1, bytes_);
    page_ = begin_ + pages / 2 * kPage;
    reached_ = false;
    goes_on_ = false;
    struct sigaction action {};
    action.sa_handler = OnPage;
    sigaction(SIGSEGV, &action, &before_);
    mprotect(page_, kPage, PROT_NONE);
  }
  ~SlowBytes() {
    sigaction(SIGSEGV, &before_, nullptr);
    munmap(begin_, bytes_);
  }
  SlowBytes(const SlowBytes&) = delete;
  SlowBytes& operator=(const SlowBytes&) = delete;

  std::span<const std::byte> get() const { return {begin_, bytes_}; }
  void AwaitCopier() const {
    while (!reached_) std::this_thread::yield();
  }
  void GoOn() { goes_on_ = true; }

 private:
  static void OnPage(int /*signal*/) {
    reached_ = true;
    while (!goes_on_) std::this_thread::yield();
    mprotect(page_, kPage, PROT_READ);
  }

  const std::size_t bytes_;
  std::byte* begin_ = nullptr;
  struct sigaction before_ {};
  static inline std::byte* page_ = nullptr;
  static inline std::atomic<bool> reached_{false};
  static inline std::atomic<bool> goes_on_{false};
};

class ShmLoanCopyTest : public ShmLoanTest {
 protected:
  static constexpr std::size_t kPages = 16;

  /// A thread that is in the middle of a copy.
  void BeginCopy() {
    Begin();
    region_ = MakeRegion(kPages * SlowBytes::kPage);
    grant_ = MakeGrant(region_, kAll);
    Warm(grant_);
    ASSERT_TRUE(WriteGoesAlone(grant_));
    copier_ = std::thread([this] {
      EXPECT_TRUE(connection_->Write(grant_, 0, slow_.get(), kLong, Into(written_)).ok());
    });
    slow_.AwaitCopier();
  }
  void EndCopy() {
    slow_.GoOn();
    if (copier_.joinable()) copier_.join();
  }
  /// Is it done while the copy is under way? If not it is done thereafter.
  bool IsDoneMeanwhile(const std::function<void()>& work) {
    auto done = std::async(std::launch::async, work);
    const bool meanwhile = done.wait_for(10s) == std::future_status::ready;
    if (!meanwhile) EndCopy();
    done.wait();
    return meanwhile;
  }
  bool IsWritten() const {
    return std::memcmp(region_->data(), slow_.get().data(), slow_.get().size()) == 0;
  }
  ~ShmLoanCopyTest() override { EndCopy(); }

  SlowBytes slow_{kPages};
  std::shared_ptr<Region> region_;
  Grant grant_;
  std::shared_ptr<Outcome> written_ = std::make_shared<Outcome>();
  std::thread copier_;
};

TEST_F(ShmLoanCopyTest, OthersDoNotWaitForIt) {
  BeginCopy();
  auto added = std::make_shared<Outcome>();
  ASSERT_TRUE(IsDoneMeanwhile([&] {
    EXPECT_TRUE(connection_->Send(OnePart("x")).ok());
    EXPECT_TRUE(connection_->FetchAdd(grant_, 8, 0, kLong, WordInto(added)).ok());
    RunBoth();
  }));
  EXPECT_EQ(owner_.service.messages.size(), 1U);
  EXPECT_TRUE(added->status.ok());
  EXPECT_FALSE(written_->done());
  EndCopy();
  RunBoth();
  EXPECT_TRUE(written_->status.ok());
  EXPECT_TRUE(IsWritten());
}

TEST_F(ShmLoanCopyTest, WhatIsWithdrawnIsGivenBackAfterIt) {
  BeginCopy();
  ASSERT_TRUE(IsDoneMeanwhile([&] {
    EXPECT_EQ(owner_.transport->Revoke(grant_).code(), StatusCode::kUnavailable);
    RunBoth();
    // Nothing begins any more, and nobody asks for what is not given back yet.
    EXPECT_FALSE(AddGoesAlone(grant_));
    EXPECT_EQ(last_.code(), StatusCode::kPermissionDenied);
  }));
  EXPECT_EQ(owner_.transport->quarantined(), 1U);
  EXPECT_EQ(CountMappings(kMemory), 2U);
  EXPECT_FALSE(IsWritten());
  EndCopy();
  RunBoth();
  EXPECT_TRUE(written_->status.ok());
  EXPECT_TRUE(IsWritten());
  EXPECT_EQ(owner_.transport->quarantined(), 0U);
  EXPECT_EQ(CountMappings(kMemory), 1U);
  EXPECT_TRUE(owner_.service.closed.empty());
}

TEST_F(ShmLoanCopyTest, TheEndWaitsForIt) {
  BeginCopy();
  ASSERT_TRUE(IsDoneMeanwhile([&] { connection_->Close(); }));
  auto ended = std::async(std::launch::async, [&] { RunHolder(); });
  for (int i = 0; i < 50; ++i) owner_.home->RunOnce();
  EXPECT_TRUE(owner_.service.closed.empty()) << "what it writes comes after the end";
  EXPECT_FALSE(written_->done());
  EndCopy();
  ended.wait();
  EXPECT_TRUE(IsWritten());
  EXPECT_EQ(written_->calls, 1);
  RunBoth();
  EXPECT_EQ(owner_.service.closed.size(), 1U);
  EXPECT_EQ(owner_.transport->quarantined(), 0U);
}

TEST_F(ShmLoanTest, WhatIsRememberedIsBounded) {
  Begin();
  std::vector<std::uint64_t> plain(1);
  // Nothing is granted: each is asked for, and refused.
  for (std::uint64_t i = 1; i < 3000; ++i) {
    auto outcome = std::make_shared<Outcome>();
    ASSERT_TRUE(
        connection_->Read({.id = 1000 + i, .key = i, .bytes = 8}, 0, {}, kLong, Into(outcome))
            .ok());
    for (int rounds = 0; rounds < 10 && !outcome->done(); ++rounds) {
      owner_.home->RunOnce();
      holder_.home->RunOnce();
    }
    ASSERT_EQ(outcome->status.code(), StatusCode::kPermissionDenied);
  }
  // Those that were asked for last are answered.
  RunBoth();
  const auto region = MakeRegion();
  const Grant grant = MakeGrant(region, kAll);
  Warm(grant);
  EXPECT_TRUE(WriteGoesAlone(grant));
}

}  // namespace
}  // namespace cirein::fabric
