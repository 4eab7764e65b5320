// SPDX-License-Identifier: Apache-2.0
// OrderedSet: membership, order, and truncation.
#include "xla_pass/graph/ordered_set.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace jax_oneshot {
namespace {

TEST(OrderedSet, NumbersKeysInTheOrderTheyCame) {
  OrderedSet<int> set = {7, 3, 7};
  EXPECT_TRUE(set.Insert(-1));
  EXPECT_FALSE(set.Insert(3));
  EXPECT_EQ(set.keys(), (std::vector<int>{7, 3, -1}));
  EXPECT_EQ(set.Find(3), 1);
  EXPECT_EQ(set.Find(-1), 2);
  EXPECT_EQ(set.Find(4), -1);
  EXPECT_FALSE(set.Contains(4));
}

TEST(OrderedSet, IsEmptyAtFirst) {
  OrderedSet<int> set;
  EXPECT_EQ(set.size(), 0u);
  EXPECT_FALSE(set.Contains(0));
  set.Truncate(0);
  EXPECT_TRUE(set.Insert(0));
}

// Maps all keys to the same slot.
struct SameHash {
  uint64_t operator()(int) const { return 0; }
};

TEST(OrderedSet, TellsKeysOfOneHashApart) {
  OrderedSet<int, SameHash> set = {5, 6, 7};
  set.Truncate(2);
  EXPECT_FALSE(set.Contains(7));
  EXPECT_TRUE(set.Insert(8));
  EXPECT_TRUE(set.Insert(7));
  EXPECT_EQ(set.keys(), (std::vector<int>{5, 6, 8, 7}));
  EXPECT_EQ(set.Find(7), 3);
}

TEST(OrderedSet, DoesAsAMapDoes) {
  std::mt19937 random(1);
  OrderedSet<int> set;
  std::map<int, int> number_of;
  for (int step = 0; step < 20000; ++step) {
    const int key = static_cast<int>(random() % 2000) - 1000;
    if (random() % 100 == 0) {
      const size_t size = random() % (set.size() + 1);
      for (size_t i = size; i < set.size(); ++i) number_of.erase(set.keys()[i]);
      set.Truncate(size);
    } else {
      const int number = static_cast<int>(set.size());
      EXPECT_EQ(set.Insert(key), number_of.emplace(key, number).second);
    }
    const auto found = number_of.find(-key);
    ASSERT_EQ(set.Find(-key), found == number_of.end() ? -1 : found->second);
  }
}

}  // namespace
}  // namespace jax_oneshot
