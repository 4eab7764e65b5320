// SPDX-License-Identifier: Apache-2.0
// CheckedProduct and Rearrange.
#include "xla_pass/hlo_view/device_order.h"

#include <gtest/gtest.h>

namespace jax_oneshot::hlo {
namespace {

using Ids = std::vector<int64_t>;

std::string RearrangeError(const Ids& ids, const Ids& dims, const Ids& permutation) {
  const Result<Ids> order = Rearrange(ids, dims, permutation);
  return order ? "rearranged" : order.error();
}

TEST(Rearrange, TransposesAndFlattens) {
  EXPECT_EQ(Rearrange(Iota(8), {4, 2}, {1, 0}).value(), (Ids{0, 2, 4, 6, 1, 3, 5, 7}));
  EXPECT_EQ(Rearrange(Iota(8), {2, 2, 2}, {2, 0, 1}).value(), (Ids{0, 2, 4, 6, 1, 3, 5, 7}));
  EXPECT_EQ(Rearrange({7, 5, 6, 4}, {2, 2}, {1, 0}).value(), (Ids{7, 6, 5, 4}));
}

TEST(Rearrange, LeavesTheOrderWithoutAPermutation) {
  EXPECT_EQ(Rearrange({3, 1, 2, 0}, {2, 2}, {}).value(), (Ids{3, 1, 2, 0}));
}

TEST(Rearrange, RefusesWhatIsNoPermutation) {
  const std::string error = "a transpose does not permute its dimensions";
  EXPECT_EQ(RearrangeError(Iota(4), {2, 2}, {0, 0}), error);
  EXPECT_EQ(RearrangeError(Iota(4), {2, 2}, {1, 2}), error);
  EXPECT_EQ(RearrangeError(Iota(4), {2, 2}, {0}), error);
  EXPECT_EQ(RearrangeError(Iota(4), {2, 2}, {-1, 0}), error);
}

TEST(Rearrange, RefusesDimensionsThatDoNotMatchTheDevices) {
  EXPECT_EQ(RearrangeError(Iota(8), {2, 3}, {}), "dimensions multiply to 6, but there are 8 devices");
  EXPECT_EQ(RearrangeError(Iota(1), Ids(65, 1), {}), "65 dimensions, expected at most 64");
  EXPECT_EQ(RearrangeError(Iota(1), Ids(64, 1), {}), "rearranged");
}

TEST(CheckedProduct, RefusesFactorsBelowOneAndTooManyDevices) {
  const std::string error = "dimensions multiply to fewer than 1 or more than 1048576 devices";
  EXPECT_EQ(CheckedProduct({2, 0}).error(), error);
  EXPECT_EQ(CheckedProduct({-2, -2}).error(), error);
  EXPECT_EQ(CheckedProduct({1 << 20, 2}).error(), error);
  EXPECT_EQ(CheckedProduct({int64_t{1} << 62, 4}).error(), error);
  EXPECT_EQ(CheckedProduct({1 << 10, 1 << 10}).value(), 1 << 20);
}

}  // namespace
}  // namespace jax_oneshot::hlo
