// SPDX-License-Identifier: Apache-2.0
// IdIndex with dense ids (a table) and with scattered ones (sorted).
#include "xla_pass/hlo_view/id_index.h"

#include <gtest/gtest.h>

#include <limits>

namespace jax_oneshot::hlo {
namespace {

constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();

TEST(IdIndex, FindsDenseIdsWhereverTheyStart) {
  IdIndex index;
  const int64_t base = int64_t{7} << 32;
  ASSERT_TRUE(index.Build({base + 2, base, base + 5}));
  EXPECT_EQ(index.Find(base + 2), 0);
  EXPECT_EQ(index.Find(base), 1);
  EXPECT_EQ(index.Find(base + 5), 2);
}

TEST(IdIndex, FindsScatteredIdsToo) {
  IdIndex index;
  ASSERT_TRUE(index.Build({kHighest, 0, kLowest, -5}));
  EXPECT_EQ(index.Find(kHighest), 0);
  EXPECT_EQ(index.Find(0), 1);
  EXPECT_EQ(index.Find(kLowest), 2);
  EXPECT_EQ(index.Find(-5), 3);
}

TEST(IdIndex, DoesNotFindIdsBesideThoseItHolds) {
  IdIndex index;
  ASSERT_TRUE(index.Build({10, 12}));
  for (int64_t id : {int64_t{9}, int64_t{11}, int64_t{13}, kLowest, kHighest}) EXPECT_EQ(index.Find(id), -1) << id;
  ASSERT_TRUE(index.Build({kLowest, kHighest}));
  for (int64_t id : {kLowest + 1, int64_t{0}, kHighest - 1}) EXPECT_EQ(index.Find(id), -1) << id;
}

TEST(IdIndex, RefusesAnIdThatOccursTwice) {
  IdIndex index;
  EXPECT_FALSE(index.Build({3, 4, 3}));
  EXPECT_FALSE(index.Build({kLowest, kHighest, kLowest}));
}

TEST(IdIndex, ForgetsWhatItHeldBefore) {
  IdIndex index;
  ASSERT_TRUE(index.Build({kLowest, kHighest}));
  ASSERT_TRUE(index.Build({}));
  EXPECT_EQ(index.Find(kLowest), -1);
  EXPECT_EQ(index.Find(0), -1);
}

}  // namespace
}  // namespace jax_oneshot::hlo
