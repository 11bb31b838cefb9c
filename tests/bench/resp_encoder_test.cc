// SPDX-License-Identifier: Apache-2.0
#include "bench/resp_encoder.h"

#include <algorithm>
#include <map>
#include <string>

#include <gtest/gtest.h>

namespace cirein::bench::resp {
namespace {

Workload Of(Operation operation, Protocol protocol = Protocol::kResp2) {
  Workload workload;
  workload.operation = operation;
  workload.protocol = protocol;
  workload.order = KeyOrder::kInTurn;
  workload.value_bytes = 20;
  return workload;
}

std::string FirstOf(const Workload& workload) {
  return std::string(RequestEncoder(workload, 1).Next());
}

// What follows the key in a value of 20 bytes is nobody's business.
std::string WithoutFiller(std::string text) {
  const std::size_t key = text.rfind("00000000");
  return text.replace(key + 8, 4, "----");
}

TEST(RequestEncoderTest, WritesRequestsOfResp) {
  EXPECT_EQ(FirstOf(Of(Operation::kGet)), "*2\r\n$3\r\nGET\r\n$16\r\ns000001400000000\r\n");
  EXPECT_EQ(FirstOf(Of(Operation::kIncr)), "*2\r\n$4\r\nINCR\r\n$16\r\nc000001400000000\r\n");
  EXPECT_EQ(FirstOf(Of(Operation::kHget)),
            "*3\r\n$4\r\nHGET\r\n$16\r\nh000001400000000\r\n$5\r\nfield\r\n");
  EXPECT_EQ(WithoutFiller(FirstOf(Of(Operation::kSet))),
            "*3\r\n$3\r\nSET\r\n$16\r\ns000001400000000\r\n$20\r\ns000001400000000----\r\n");
  EXPECT_EQ(WithoutFiller(FirstOf(Of(Operation::kHset))),
            "*4\r\n$4\r\nHSET\r\n$16\r\nh000001400000000\r\n$5\r\nfield\r\n"
            "$20\r\nh000001400000000----\r\n");
}

TEST(RequestEncoderTest, WritesRequestsOfMemcached) {
  EXPECT_EQ(FirstOf(Of(Operation::kGet, Protocol::kMemcached)), "get s000001400000000\r\n");
  EXPECT_EQ(WithoutFiller(FirstOf(Of(Operation::kSet, Protocol::kMemcached))),
            "set s000001400000000 0 0 20\r\ns000001400000000----\r\n");
}

TEST(RequestEncoderTest, NamesTenKeysInOneRequest) {
  std::string expected = "*11\r\n$4\r\nMGET\r\n";
  for (char digit = '0'; digit <= '9'; ++digit) {
    expected += "$16\r\ns00000140000000" + std::string(1, digit) + "\r\n";
  }
  EXPECT_EQ(FirstOf(Of(Operation::kMget10)), expected);
}

TEST(RequestEncoderTest, PutsEachNumberIntoKeyAndValue) {
  Workload workload = Of(Operation::kSet);
  workload.pipeline = 2;
  RequestEncoder encoder(workload, 1);
  encoder.keys().StartAt(0x89abcdef);
  const std::string batch(encoder.Next());
  EXPECT_EQ(encoder.first_key(), "s000001489abcdef");
  const std::size_t half = batch.size() / 2;
  EXPECT_EQ(half, encoder.request_bytes());
  EXPECT_NE(batch.find("s000001489abcdef\r\n$20\r\ns000001489abcdef"), std::string::npos);
  EXPECT_NE(batch.find("s000001489abcdf0\r\n$20\r\ns000001489abcdf0", half), std::string::npos);
  EXPECT_EQ(batch.find("cdef", half), std::string::npos);
}

TEST(RequestEncoderTest, GivesFewerThanABatchWhenAsked) {
  Workload workload = Of(Operation::kGet);
  workload.pipeline = 16;
  RequestEncoder encoder(workload, 1);
  EXPECT_EQ(encoder.Next(3).size(), 3 * encoder.request_bytes());
  EXPECT_EQ(encoder.Next().size(), 16 * encoder.request_bytes());
}

TEST(RequestEncoderTest, AValueTooShortForItsKeyHasNone) {
  Workload workload = Of(Operation::kSet);
  workload.value_bytes = 3;
  const std::string request = FirstOf(workload);
  EXPECT_TRUE(request.starts_with("*3\r\n$3\r\nSET\r\n$16\r\ns000000300000000\r\n$3\r\n"));
  EXPECT_EQ(request.find("s0000003", 30), std::string::npos);
}

TEST(RequestEncoderTest, TheSeedAloneDecides) {
  for (const Operation operation : {Operation::kGet, Operation::kMixed}) {
    Workload workload = Of(operation);
    workload.order = KeyOrder::kUniform;
    workload.pipeline = 50;
    EXPECT_EQ(RequestEncoder(workload, 7).Next(), RequestEncoder(workload, 7).Next());
    EXPECT_NE(RequestEncoder(workload, 7).Next(), RequestEncoder(workload, 8).Next());
  }
}

TEST(RequestEncoderTest, MixesByPercent) {
  Workload workload = Of(Operation::kMixed);
  workload.get_percent = 75;
  workload.pipeline = 10'000;
  RequestEncoder encoder(workload, 3);
  const std::string batch(encoder.Next());
  std::size_t gets = 0;
  for (std::size_t at = batch.find("GET"); at != std::string::npos;
       at = batch.find("GET", at + 1)) {
    ++gets;
  }
  EXPECT_GT(gets, 7'200U);
  EXPECT_LT(gets, 7'800U);
}

TEST(KeySourceTest, DrawsOnlyKeysThatAreThere) {
  Workload workload;
  workload.keys = 10;
  for (const KeyOrder order : {KeyOrder::kUniform, KeyOrder::kZipf}) {
    workload.order = order;
    KeySource source(workload, 1);
    std::map<std::uint64_t, int> drawn;
    for (int i = 0; i < 10'000; ++i) ++drawn[source.Next()];
    EXPECT_EQ(drawn.size(), 10U);
    EXPECT_LT(drawn.rbegin()->first, 10U);
    int most = 0;
    for (const auto& [key, count] : drawn) most = std::max(most, count);
    EXPECT_EQ(most > 2'000, order == KeyOrder::kZipf) << most;
  }
}

TEST(LoadingTest, WritesWhatTheOperationReads) {
  EXPECT_EQ(LoadingOf(Of(Operation::kMget10)).operation, Operation::kSet);
  EXPECT_EQ(LoadingOf(Of(Operation::kHget)).operation, Operation::kHset);
  Workload large = Of(Operation::kGet);
  EXPECT_GT(LoadingOf(large).pipeline, 16U);
  large.value_bytes = std::size_t{64} << 20;
  EXPECT_EQ(LoadingOf(large).pipeline, 1U);
}

}  // namespace
}  // namespace cirein::bench::resp
