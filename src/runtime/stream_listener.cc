// SPDX-License-Identifier: Apache-2.0
#include "runtime/stream_listener.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/logging.h"
#include "runtime/socket_address.h"
#include "runtime/system_error.h"

namespace cirein {
namespace {

constexpr int kBacklog = 4096;
// More than this in one round would keep those who are there waiting.
constexpr int kAcceptBatch = 64;
constexpr std::chrono::milliseconds kPause{100};

FileDescriptor OpenSpare() { return FileDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

Status ListenError(const StreamAddress& address, int error) {
  const std::string message =
      fmt::format("cannot listen at {}: {}", address.ToString(), SystemErrorText(error));
  if (error == EADDRINUSE) {
    return AlreadyExists(message, "another server has it: stop it, or choose another one");
  }
  if (error == EACCES) {
    return PermissionDenied(message, address.is_path() ? "check the directory's owner and mode"
                                                       : "choose a port of 1024 or more");
  }
  return IoError(message, "choose an address that this machine has");
}

bool SomebodyListens(const internal::SystemAddress& address) {
  const FileDescriptor probe(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(probe.get(), address.get(), address.size) == 0 || errno == EAGAIN;
}

// A path that an ended process has left.
void RemoveStale(const std::string& path, const internal::SystemAddress& address) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  if (!SomebodyListens(address)) unlink(path.c_str());
}

// The mode must be right from the first moment, and only a process has a mask.
int BindLocked(int fd, const internal::SystemAddress& address) {
  const mode_t before = umask(S_IXUSR | S_IRWXG | S_IRWXO);
  const int result = bind(fd, address.get(), address.size);
  const int error = errno;
  umask(before);
  errno = error;
  return result;
}

}  // namespace

Result<bool> IsLocalAddress(const StreamAddress& address) {
  CIREIN_ASSIGN_OR_RETURN(const internal::SystemAddress at, internal::ToSystem(address));
  return internal::IsLoopback(at);
}

Result<std::unique_ptr<StreamListener>> StreamListener::Listen(const StreamAddress& address) {
  CIREIN_ASSIGN_OR_RETURN(auto reserved, Reserve(address));
  CIREIN_RETURN_IF_ERROR(reserved->Open());
  return reserved;
}

Result<std::unique_ptr<StreamListener>> StreamListener::Reserve(const StreamAddress& address) {
  CIREIN_ASSIGN_OR_RETURN(internal::SystemAddress at, internal::ToSystem(address));
  FileDescriptor fd(socket(at.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return ListenError(address, errno);
  const int yes = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (at.storage.ss_family == AF_INET6) {
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
  }
  if (address.is_path()) RemoveStale(address.path, at);
  const int bound =
      address.is_path() ? BindLocked(fd.get(), at) : bind(fd.get(), at.get(), at.size);
  if (bound != 0) return ListenError(address, errno);
  StreamAddress real = address;
  if (!address.is_path()) {
    at.size = sizeof at.storage;
    getsockname(fd.get(), at.get(), &at.size);
    real = internal::FromSystem(at);
  }
  return std::unique_ptr<StreamListener>(
      new StreamListener(std::move(fd), std::move(real), internal::IsLoopback(at)));
}

StreamListener::StreamListener(FileDescriptor fd, StreamAddress address, bool is_local)
    : fd_(std::move(fd)), spare_(OpenSpare()), address_(std::move(address)), is_local_(is_local) {}

StreamListener::~StreamListener() { Stop(); }

Status StreamListener::Open() {
  if (listen(fd_.get(), kBacklog) != 0) return ListenError(address_, errno);
  return OkStatus();
}

Status StreamListener::Start(Reactor& reactor, std::function<void(StreamSocket)> accepted,
                             std::function<bool()> has_room) {
  accepted_ = std::move(accepted);
  has_room_ = std::move(has_room);
  CIREIN_RETURN_IF_ERROR(reactor.Watch(fd_.get(), FdInterest::kReadable, *this));
  reactor_ = &reactor;
  return OkStatus();
}

void StreamListener::Stop() {
  if (!fd_.is_open()) return;
  if (reactor_ != nullptr) {
    if (pause_ != 0) reactor_->CancelTimer(pause_);
    static_cast<void>(reactor_->Unwatch(fd_.get()).ok());
  }
  // First the path, so that it never names a socket where nobody listens.
  if (address_.is_path()) unlink(address_.path.c_str());
  fd_.Close();
}

void StreamListener::OnReady(FdReadiness /*readiness*/) {
  for (int i = 0; i < kAcceptBatch && AcceptOne(); ++i) {
  }
}

bool StreamListener::AcceptOne() {
  if (has_room_ && !has_room_()) {
    Pause();
    return false;
  }
  FileDescriptor fd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd.is_open()) {
    accepted_(StreamSocket(std::move(fd)));
    return fd_.is_open();
  }
  switch (errno) {
    case EMFILE:
    case ENFILE:
      return TurnAway();
    case ENOBUFS:
    case ENOMEM:
      Pause();
      return false;
    case ECONNABORTED:
    case EINTR:
      return true;
    default:
      return false;
  }
}

bool StreamListener::TurnAway() {
  spare_.Close();
  FileDescriptor fd(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const bool turned_away = fd.is_open();
  const bool nobody_waits = !turned_away && (errno == EAGAIN || errno == EWOULDBLOCK);
  if (turned_away && refused_++ == 0) {
    LogWarn("runtime", "{}: no descriptor is left; connections are closed as they come",
            address_.ToString());
  }
  fd.Close();
  spare_ = OpenSpare();
  if (!turned_away && !nobody_waits) Pause();
  return turned_away;
}

void StreamListener::Pause() {
  if (pause_ != 0 || reactor_ == nullptr) return;
  static_cast<void>(reactor_->SetInterest(fd_.get(), FdInterest::kNothing).ok());
  pause_ = reactor_->RunAt(reactor_->clock().Now() + kPause, [this] {
    pause_ = 0;
    if (!spare_.is_open()) spare_ = OpenSpare();
    static_cast<void>(reactor_->SetInterest(fd_.get(), FdInterest::kReadable).ok());
  });
}

}  // namespace cirein
