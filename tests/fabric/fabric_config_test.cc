// SPDX-License-Identifier: Apache-2.0
#include "fabric/auto/fabric_config.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fabric/auto/fabric_probe.h"
#include "runtime/file.h"
#include "runtime/temporary_directory.h"
#include "support/status_matchers.h"

namespace cirein::fabric {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Use = AutoOptions::Use;

class FabricConfigTest : public testing::Test {
 protected:
  void Set(const std::string& name, const std::string& value) {
    ASSERT_OK(config_.Set(name, value, "--set"));
  }
  std::string Write(const std::string& text) {
    const std::string path = directory_.File("secret");
    EXPECT_OK(WriteFileAtomically(path, text));
    return path;
  }

  const TemporaryDirectory directory_ = TemporaryDirectory::Create().value();
  Config config_;
};

TEST_F(FabricConfigTest, DefaultsAreThoseOfTheFabrics) {
  const auto options = FabricOptions(config_);
  ASSERT_OK(options);
  const AutoOptions usual;
  EXPECT_EQ(options->use, Use::kAuto);
  EXPECT_EQ(options->secret, "");
  EXPECT_EQ(options->limits.connections_max, usual.limits.connections_max);
  EXPECT_EQ(options->default_deadline, usual.default_deadline);
  EXPECT_EQ(options->shm.ring_bytes, usual.shm.ring_bytes);
  EXPECT_EQ(options->ofi.listen.ToString(), usual.ofi.listen.ToString());
  EXPECT_EQ(options->ofi.provider, usual.ofi.provider);
  EXPECT_EQ(options->ofi.keepalive, usual.ofi.keepalive);
  EXPECT_EQ(options->ofi.registered_bytes_max, usual.ofi.registered_bytes_max);
  EXPECT_EQ(options->ofi.registered_bytes_at_start, usual.ofi.registered_bytes_at_start);
  EXPECT_THAT(UnusedFabricSettings(config_), IsEmpty());
}

TEST_F(FabricConfigTest, TakesWhatIsSet) {
  Set("fabric.use", "ofi");
  Set("fabric.listen", "[::1]:7000");
  Set("fabric.provider", "tcp");
  Set("fabric.keepalive", "1500ms");
  Set("fabric.connections_max", "7");
  Set("fabric.registered_max", "16MiB");
  Set("fabric.registered_at_start", "8MiB");
  Set("fabric.secret_file", Write("of many bytes\nand more\n"));
  Set("default.deadline", "3s");
  const auto options = FabricOptions(config_);
  ASSERT_OK(options);
  EXPECT_EQ(options->use, Use::kOfi);
  EXPECT_EQ(options->ofi.listen.ToString(), "[::1]:7000");
  EXPECT_EQ(options->ofi.provider, "tcp");
  EXPECT_EQ(options->ofi.keepalive, std::chrono::seconds(2));
  EXPECT_EQ(options->limits.connections_max, 7U);
  EXPECT_EQ(options->ofi.registered_bytes_max, 16U << 20);
  EXPECT_EQ(options->ofi.registered_bytes_at_start, 8U << 20);
  EXPECT_EQ(options->secret, "of many bytes");
  EXPECT_EQ(options->default_deadline, std::chrono::seconds(3));
}

TEST_F(FabricConfigTest, RefusesWhatCannotBe) {
  EXPECT_EQ(config_.Set("fabric.use", "smh").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(config_.Set("fabric.usee", "shm").code(), StatusCode::kInvalidArgument);
  const auto refused = [&](const std::string& name, const std::string& value) {
    Config config = config_;
    EXPECT_OK(config.Set(name, value, "--set"));
    const Status status = FabricOptions(config).status();
    EXPECT_THAT(status.ToString(), HasSubstr(name + " (--set)"));
    return status.code();
  };
  for (const char* listen : {"nowhere:x", "127.0.0.1:70000", "", "127.0.0.1:0"}) {
    EXPECT_EQ(refused("fabric.listen", listen), StatusCode::kInvalidArgument) << listen;
  }
  EXPECT_EQ(refused("fabric.secret_file", directory_.File("missing")), StatusCode::kNotFound);
  EXPECT_EQ(refused("fabric.secret_file", Write("\nsecret")), StatusCode::kInvalidArgument);
  EXPECT_EQ(refused("fabric.secret_file", Write("short\n")), StatusCode::kInvalidArgument);
  EXPECT_EQ(refused("fabric.registered_at_start", "1GiB"), StatusCode::kInvalidArgument);
}

TEST_F(FabricConfigTest, SaysWhatIsNotUsed) {
  Set("fabric.use", "shm");
  Set("fabric.keepalive", "5s");
  ASSERT_EQ(UnusedFabricSettings(config_).size(), 1U);
  EXPECT_THAT(UnusedFabricSettings(config_).front(),
              HasSubstr("fabric.keepalive (--set) is not used: fabric.use is shm (--set)"));
  Set("fabric.use", "ofi");
  EXPECT_THAT(UnusedFabricSettings(config_), IsEmpty());
  Set("fabric.shm_ring", "1MiB");
  ASSERT_EQ(UnusedFabricSettings(config_).size(), 1U);
}

TEST_F(FabricConfigTest, WhatItSaysCanBeTried) {
  Set("fabric.secret_file", Write("of many bytes"));
  for (const char* use : {"auto", "shm", "ofi"}) {
    SCOPED_TRACE(use);
    Set("fabric.use", use);
    const auto options = FabricOptions(config_);
    ASSERT_OK(options);
    const auto probe = ProbeFabric(*options);
    ASSERT_OK(probe);
    EXPECT_THAT(probe->reason, HasSubstr(*use == 'a' ? "chosen" : "as was asked for"));
    EXPECT_GT(probe->round_trip.count(), 0);
  }
  Set("fabric.registered_at_start", "256MiB");
  Set("fabric.listen", "[::1]");
  EXPECT_THAT(ProbeFabric(*FabricOptions(config_))->reason, HasSubstr("[::1]:"));
  Set("fabric.listen", "0.0.0.0");
  EXPECT_FALSE(ProbeFabric(*FabricOptions(config_)).ok()) << "not where others can reach it";
}

}  // namespace
}  // namespace cirein::fabric
