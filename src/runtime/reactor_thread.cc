// SPDX-License-Identifier: Apache-2.0
#include "runtime/reactor_thread.h"

#include <utility>

#include "runtime/thread.h"

namespace cirein {

Result<std::unique_ptr<ReactorThread>> ReactorThread::Start(Clock& clock, ReactorOptions options) {
  CIREIN_ASSIGN_OR_RETURN(auto reactor, Reactor::Create(clock, std::move(options)));
  std::unique_ptr<ReactorThread> result(new ReactorThread(std::move(reactor)));
  Reactor* const loop = result->reactor_.get();
  CIREIN_ASSIGN_OR_RETURN(result->thread_, StartThread(loop->name(), [loop] { loop->Run(); }));
  return result;
}

ReactorThread::~ReactorThread() { Stop(); }

void ReactorThread::Stop() {
  if (thread_.joinable()) {
    reactor_->Stop();
    thread_.join();
  }
  reactor_->Close();
}

}  // namespace cirein
