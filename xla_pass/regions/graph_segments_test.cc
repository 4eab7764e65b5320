// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/regions/graph_segments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <vector>

namespace jax_oneshot {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The calls that end a graph, counted from 1.
std::vector<int64_t> Ends(int64_t calls, int64_t requested, const StepFacts& step = {}) {
  std::vector<Region> regions(calls);
  MarkGraphEnds(DecideGraphCut(requested, step, calls), &regions);
  std::vector<int64_t> ends;
  for (int64_t i = 0; i < calls; ++i) {
    if (regions[i].ends_graph) ends.push_back(i + 1);
  }
  return ends;
}

TEST(GraphSegments, EndAtEverySoManiethCallWhereThatIsAskedFor) {
  EXPECT_THAT(Ends(18, 4), ElementsAre(4, 8, 12, 16));
  EXPECT_THAT(Ends(8, 2), ElementsAre(2, 4, 6, 8));
  EXPECT_THAT(Ends(4, 1), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(DecideGraphCut(4, {}, 18).why, "JAX_ONESHOT_GRAPH_CALLS");
}

TEST(GraphSegments, CutAStepWhoseResultsGetNewMemory) {
  EXPECT_THAT(Ends(16, kGraphCallsByRule, {66, 0}), ElementsAre(4, 8, 12, 16));
  EXPECT_THAT(Ends(16, kGraphCallsByRule, {66, 61}), ElementsAre(4, 8, 12, 16));
  EXPECT_EQ(DecideGraphCut(kGraphCallsByRule, {66, 61}, 16).why, "5 of 66 results get new memory in every run");
}

TEST(GraphSegments, LeaveAStepWholeThatWritesIntoDonatedMemory) {
  EXPECT_THAT(Ends(64, kGraphCallsByRule, {66, 66}), IsEmpty());
  EXPECT_THAT(Ends(64, kGraphCallsByRule, {66, 62}), IsEmpty());
  EXPECT_THAT(Ends(64, kGraphCallsByRule, {1, 2}), IsEmpty());
  EXPECT_EQ(DecideGraphCut(kGraphCallsByRule, {66, 64}, 64).why, "2 of 66 results get new memory in every run");
}

TEST(GraphSegments, LeaveASmallStepWhole) {
  EXPECT_THAT(Ends(15, 4), IsEmpty());
  EXPECT_THAT(Ends(3, 1), IsEmpty());
  EXPECT_THAT(Ends(0, 4), IsEmpty());
  EXPECT_THAT(Ends(15, kGraphCallsByRule, {66, 0}), IsEmpty());
  EXPECT_EQ(DecideGraphCut(kGraphCallsByRule, {66, 0}, 15).why, "too few calls to cut: 15");
}

TEST(GraphSegments, CutNothingWhenSwitchedOff) {
  EXPECT_THAT(Ends(64, 0, {66, 0}), IsEmpty());
  EXPECT_THAT(Ends(64, std::numeric_limits<int64_t>::max()), IsEmpty());
}

}  // namespace
}  // namespace jax_oneshot
