// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "fabric/conformance.h"
#include "fabric/sim_fabric.h"
#include "support/seed.h"

namespace cirein::fabric {

/// Every fabric that there is, for INSTANTIATE_TEST_SUITE_P.
inline auto AllFabrics() {
  return testing::Values(
      NamedFabric{"sim_rdma",
                  [] { return std::make_unique<SimFabric>(CostModel::Rdma(), test::Seed()); }},
      NamedFabric{"sim_tcp",
                  [] { return std::make_unique<SimFabric>(CostModel::Tcp(), test::Seed()); }});
}
inline std::string FabricName(const testing::TestParamInfo<NamedFabric>& fabric) {
  return fabric.param.name;
}

}  // namespace cirein::fabric
