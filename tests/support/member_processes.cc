// SPDX-License-Identifier: Apache-2.0
#include "support/member_processes.h"

#include <gtest/gtest.h>

#include "runtime/stream_listener.h"
#include "support/library_test.h"
#include "support/status_matchers.h"

namespace cirein::test {

MemberProcesses::MemberProcesses(std::size_t count, Settings settings)
    : settings_(std::move(settings)) {
  for (std::size_t i = 0; i < count; ++i) {
    members_.push_back(Make());
    addresses_.push_back(members_.back()->network().value()->address());
  }
}

std::shared_ptr<Process> MemberProcesses::Make() const {
  return Process::Start(TestConfig(settings_)).value();
}

std::uint64_t MemberProcesses::ObjectsAt(std::size_t i) {
  return at(i).store()->GetStats().engine.objects;
}

std::uint64_t MemberProcesses::WaitingAt(std::size_t i) {
  return at(i).store()->GetStats().waiting;
}

std::string MemberProcesses::UrlOptions(const std::vector<std::string>& more) const {
  std::vector<std::string> all = addresses_;
  all.insert(all.end(), more.begin(), more.end());
  std::string options = "&num=" + std::to_string(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    options += "&ag" + std::to_string(i) + "=" + all[i];
  }
  return options;
}

void MemberProcesses::Stop(std::size_t i) { members_.at(i)->Stop(); }

void MemberProcesses::StartAgain(std::size_t i) {
  members_.at(i).reset();
  members_.at(i) = Make();
  EXPECT_OK(members_.at(i)->network());
}

std::uint16_t FreePort() {
  return StreamListener::Listen({.host = "127.0.0.1", .port = 0, .path = {}}).value()->address().port;
}

}  // namespace cirein::test
