// SPDX-License-Identifier: Apache-2.0
// Names round-trip, the table agrees with docs/row_program.md, and constants are rounded to their dtype.
#include "row_program/ops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <string>

namespace jax_oneshot {
namespace {

std::string FamilyName(OpFamily family) {
  constexpr const char* kNames[] = {"source",     "broadcast", "reduction", "convert",
                                    "arithmetic", "test",      "logic",     "select"};
  return kNames[static_cast<int>(family)];
}

// The table rows "| `name` | operands | family |" of the document, without the column for the meaning.
std::vector<std::string> DocumentedOps() {
  std::ifstream file("docs/row_program.md");
  std::vector<std::string> rows;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    inside = inside || line == "## Operations";
    if (!inside || line.rfind("| `", 0) != 0) continue;
    size_t end = 0;
    for (int bar = 0; bar < 3; ++bar) end = line.find('|', end + 1);
    rows.push_back(line.substr(0, end + 1));
  }
  return rows;
}

TEST(RowProgramOps, ReadsEveryNameBack) {
  for (const OpFact& fact : OpTable()) {
    EXPECT_EQ(OpFromName(fact.name), fact.op);
    EXPECT_STREQ(OpName(fact.op), fact.name);
  }
  for (int i = 0; i < kDTypeCount; ++i)
    EXPECT_EQ(DTypeFromName(DTypeName(static_cast<DType>(i))), static_cast<DType>(i));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(KindFromName(KindName(static_cast<Kind>(i))), static_cast<Kind>(i));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(RoleFromName(RoleName(static_cast<Role>(i))), static_cast<Role>(i));
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(DirectionFromName(DirectionName(static_cast<Direction>(i))), static_cast<Direction>(i));
  }
}

TEST(RowProgramOps, KnowsNoOtherNames) {
  EXPECT_FALSE(OpFromName("Add"));
  EXPECT_FALSE(OpFromName("reduce-sum"));
  EXPECT_FALSE(DTypeFromName("f64"));
  EXPECT_FALSE(KindFromName(""));
  EXPECT_FALSE(RoleFromName("mean"));
  EXPECT_FALSE(DirectionFromName("eq"));
}

TEST(RowProgramOps, AnswersForValuesOutsideTheEnumerations) {
  EXPECT_STREQ(OpName(static_cast<Op>(250)), "unknown");
  EXPECT_EQ(OperandCount(static_cast<Op>(250)), 0);
  EXPECT_STREQ(DTypeName(static_cast<DType>(250)), "unknown");
  EXPECT_EQ(DTypeBytes(static_cast<DType>(250)), 0);
  EXPECT_STREQ(KindName(static_cast<Kind>(250)), "unknown");
}

TEST(RowProgramOps, HasTheTableThatTheDocumentShows) {
  const std::vector<std::string> documented = DocumentedOps();
  ASSERT_EQ(documented.size(), OpTable().size()) << "docs/row_program.md must list every operation once, in Op's order";
  for (int i = 0; i < kOpCount; ++i) {
    const OpFact& fact = OpTable()[i];
    std::ostringstream expected;
    expected << "| `" << fact.name << "` | " << fact.operands << " | " << FamilyName(fact.family) << " |";
    EXPECT_EQ(documented[i], expected.str());
  }
}

TEST(RowProgramOps, KnowsTheReductionsAndTheSizes) {
  EXPECT_TRUE(IsRowReduction(Op::kReduceSum));
  EXPECT_TRUE(IsRowReduction(Op::kReduceMax));
  EXPECT_TRUE(IsRowReduction(Op::kReduceMin));
  EXPECT_FALSE(IsRowReduction(Op::kAllReduce));
  EXPECT_EQ(DTypeBytes(DType::kPred), 1);
  EXPECT_EQ(DTypeBytes(DType::kBF16), 2);
  EXPECT_EQ(DTypeBytes(DType::kF32), 4);
  EXPECT_EQ(DTypeBytes(DType::kF8E4M3FN), 1);
}

TEST(RowProgramOps, WidensKindsOnlyUpwards) {
  EXPECT_TRUE(Widens(Kind::kScalar, Kind::kVec));
  EXPECT_TRUE(Widens(Kind::kVec, Kind::kRow));
  EXPECT_FALSE(Widens(Kind::kVec, Kind::kRowScalar));
  EXPECT_FALSE(Widens(Kind::kRow, Kind::kVec));
  EXPECT_EQ(Join(Kind::kVec, Kind::kRowScalar), Kind::kRow);
}

TEST(RowProgramOps, RoundsToEachDType) {
  EXPECT_EQ(RoundToDType(DType::kF32, 0.1f), 0.1f);
  EXPECT_EQ(RoundToDType(DType::kBF16, 0.1f), 0.10009765625f);
  EXPECT_EQ(RoundToDType(DType::kF16, 70000), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(RoundToDType(DType::kF8E4M3FN, 70000)));
  EXPECT_EQ(RoundToDType(DType::kF8E5M2, 1.3f), 1.25f);
  EXPECT_EQ(RoundToDType(DType::kPred, -3), 1);
}

TEST(RowProgramOps, ComparesConstantsByBitsButTakesEveryNaNForTheSame) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(SameConstant(nan, -nan));
  EXPECT_FALSE(SameConstant(nan, 1));
  EXPECT_FALSE(SameConstant(0.0f, -0.0f));
  EXPECT_TRUE(SameConstant(1, 1));
}

TEST(RowProgramOps, TellsProgramsApartByEveryField) {
  RowProgram p;
  p.inputs = {{Role::kSum, DType::kF32, Kind::kRow}};
  Statement s{};
  s.op = Op::kConstant;
  s.constant = 1;
  p.statements = {s};
  p.outputs = {{0, Kind::kRow}};
  EXPECT_TRUE(p == RowProgram(p));
  RowProgram q = p;
  q.inputs[0].role = Role::kMax;
  EXPECT_FALSE(p == q);
  q = p;
  q.statements[0].constant = 2;
  EXPECT_FALSE(p == q);
  q = p;
  q.outputs.push_back(q.outputs[0]);
  EXPECT_FALSE(p == q);
}

}  // namespace
}  // namespace jax_oneshot
