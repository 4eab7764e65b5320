// SPDX-License-Identifier: Apache-2.0
// Tests what reasons print, and that the table holds together.
#include "xla_pass/verdict/reason.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace jax_oneshot {
namespace {

TEST(Reason, FillsItsFormatWithNamesAndNumbers) {
  const Reason reason = MakeReason<ReasonId::kGroupSize>(32, int64_t{2}, 16);
  EXPECT_EQ(reason.id, ReasonId::kGroupSize);
  EXPECT_EQ(reason.text, "the group has 32 ranks; supported: 2 to 16");
  EXPECT_FALSE(reason.stop.has_value());
}

TEST(Reason, KeepsBracesInWhatItIsFilledWith) {
  EXPECT_EQ(MakeReason<ReasonId::kUnknownGroups>("{} {}").text, "the replica groups cannot be read: {} {}");
}

TEST(Reason, OfARegionsEndHoldsWhyItEndsThere) {
  const Reason ends = RegionEnds("dot.1", MakeReason<ReasonId::kNoRowForm>("dot"));
  EXPECT_EQ(ends.id, ReasonId::kRegionEnds);
  EXPECT_EQ(ends.stop, ReasonId::kNoRowForm);
  EXPECT_EQ(ends.text, "the region ends before %dot.1: dot has no row form");
}

TEST(Reason, IsFoundByItsNameInReports) {
  EXPECT_EQ(NameOf(ReasonId::kGroupSize), "group_size");
  EXPECT_EQ(FindReason("group_size"), ReasonId::kGroupSize);
  EXPECT_EQ(FindReason("GroupSize"), std::nullopt);
}

TEST(ReasonTable, GivesEveryReasonANameOfItsOwnAndAdvice) {
  std::set<std::string> names;
  for (const ReasonEntry& entry : kReasonTable) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_EQ(entry.kind == ReasonKind::kInternal, entry.meaning.empty()) << entry.name;
    EXPECT_EQ(entry.kind == ReasonKind::kInternal, entry.advice.empty()) << entry.name;
  }
}

}  // namespace
}  // namespace jax_oneshot
