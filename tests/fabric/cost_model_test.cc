// SPDX-License-Identifier: Apache-2.0
#include "fabric/sim/cost_model.h"

#include <chrono>
#include <set>

#include <gtest/gtest.h>

namespace cirein::fabric {
namespace {

using namespace std::chrono_literals;

TEST(CostModelTest, FiguresAreSettings) {
  Config config;
  ASSERT_TRUE(config.Set("simulation.tcp.latency", "5us").ok());
  ASSERT_TRUE(config.Set("simulation.tcp.bandwidth", "1GiB").ok());
  ASSERT_TRUE(config.Set("simulation.tcp.message_cpu", "1us").ok());
  ASSERT_TRUE(config.Set("simulation.tcp.kib_cpu", "10ns").ok());
  ASSERT_TRUE(config.Set("simulation.tcp.one_sided_cpu", "0ns").ok());
  ASSERT_TRUE(config.Set("simulation.tcp.persist_base", "2us").ok());
  ASSERT_TRUE(config.Set("simulation.tcp.persist_line", "3ns").ok());
  const CostModel tcp = CostModel::FromConfig("tcp", config).value();
  EXPECT_EQ(tcp.name, "tcp");
  EXPECT_EQ(tcp.latency, 5us);
  EXPECT_EQ(tcp.WireTime(std::uint64_t{1} << 30), 1s);
  EXPECT_EQ(tcp.MessageCpu(0), 1us);
  EXPECT_EQ(tcp.MessageCpu(1025), 1020ns);
  EXPECT_EQ(tcp.PersistTime(0), 2us);
  EXPECT_EQ(tcp.PersistTime(65), 2006ns);
  EXPECT_TRUE(tcp.one_sided_by_hardware());
  EXPECT_EQ(CostModel::FromConfig("rdma", config)->latency, CostModel::Rdma().latency);
}

TEST(CostModelTest, DefaultsStandInTheirRelation) {
  std::set<std::string> names;
  for (const CostModel& model :
       {CostModel::Rdma(), CostModel::Tcp(), CostModel::Cxl(), CostModel::Shm()}) {
    names.insert(model.name);
    EXPECT_GT(model.latency, 0ns);
    EXPECT_GT(model.bandwidth_bytes_per_s, 0U);
    EXPECT_GT(model.MessageCpu(1), 0ns);
    EXPECT_EQ(model.one_sided_by_hardware(), model.name != "tcp");
  }
  EXPECT_EQ(names.size(), 4U);
  EXPECT_LT(CostModel::Shm().latency, CostModel::Rdma().latency);
  EXPECT_LT(CostModel::Rdma().latency, CostModel::Tcp().latency);
  EXPECT_LT(CostModel::Cxl().PersistTime(64), CostModel::Tcp().PersistTime(64));
}

TEST(CostModelTest, OtherNamesAreRefused) {
  const auto model = CostModel::FromConfig("rmda", Config());
  EXPECT_EQ(model.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(model.status().hint().find("rdma"), std::string_view::npos);
  EXPECT_EQ(CostModel::FromConfig("", Config()).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cirein::fabric
