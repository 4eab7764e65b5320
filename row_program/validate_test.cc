// SPDX-License-Identifier: Apache-2.0
// Every rule and its message, on a valid program with one change.
#include "row_program/validate.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <utility>

#include "row_program/ops.h"

namespace jax_oneshot {
namespace {

Statement Make(Op op, DType dtype, Kind kind, std::array<int, 3> operands = {-1, -1, -1}) {
  Statement s{};
  s.op = op;
  s.dtype = dtype;
  s.kind = kind;
  s.operands = operands;
  return s;
}

// x0 = all_reduce a0 (bf16 row), x1 = load a1 (f32 vec), x2 = convert x0, x3 = multiply x2, x1 (f32 row),
// x4 = reduce_sum x3 (f32 rowscalar), x5 = compare x4, x4 (pred rowscalar), x6 = select x5, x2, x3 (f32 row).
RowProgram Valid() {
  RowProgram p;
  p.inputs = {{Role::kSum, DType::kBF16, Kind::kRow}, {Role::kLocal, DType::kF32, Kind::kVec}};
  p.statements = {Make(Op::kAllReduce, DType::kBF16, Kind::kRow),
                  Make(Op::kLoad, DType::kF32, Kind::kVec),
                  Make(Op::kConvert, DType::kF32, Kind::kRow, {0, -1, -1}),
                  Make(Op::kMultiply, DType::kF32, Kind::kRow, {2, 1, -1}),
                  Make(Op::kReduceSum, DType::kF32, Kind::kRowScalar, {3, -1, -1}),
                  Make(Op::kCompare, DType::kPred, Kind::kRowScalar, {4, 4, -1}),
                  Make(Op::kSelect, DType::kF32, Kind::kRow, {5, 2, 3})};
  p.statements[0].index = 0;
  p.statements[1].index = 1;
  p.outputs = {{6, Kind::kRow}, {4, Kind::kRow}};
  return p;
}

// The validator's message for Valid() after `change`, or "".
std::string Problems(const std::function<void(RowProgram&)>& change) {
  RowProgram p = Valid();
  change(p);
  const auto result = ValidateRowProgram(p);
  if (result) return "";
  const std::string head = "row program is not valid:\n  ";
  EXPECT_EQ(result.error().substr(0, head.size()), head);
  return result.error().substr(head.size());
}

std::string WithStatement(const Statement& s) {
  return Problems([&](RowProgram& p) { p.statements.push_back(s); });
}

TEST(RowProgramValidate, AcceptsTheProgramTheOtherTestsChange) {
  EXPECT_EQ(Problems([](RowProgram&) {}), "");
}

TEST(RowProgramValidate, WantsAnOutput) {
  EXPECT_EQ(Problems([](RowProgram& p) { p.outputs.clear(); }), "program: has no output, expected at least one");
}

TEST(RowProgramValidate, WantsAnInputThatIsExchanged) {
  EXPECT_EQ(Problems([](RowProgram& p) {
              p.inputs[0].role = Role::kLocal;
              p.statements[0].op = Op::kLoad;
            }),
            "program: exchanges nothing, expected at least one input of role sum, max, min or gather");
  EXPECT_EQ(Problems([](RowProgram& p) { p.inputs[0].role = Role::kMax; }), "");
}

TEST(RowProgramValidate, HoldsTheLimits) {
  const auto inputs = [](int n) {
    return Problems([n](RowProgram& p) {
      while (static_cast<int>(p.inputs.size()) < n) {
        p.inputs.push_back({Role::kLocal, DType::kF32, Kind::kVec});
        p.statements.push_back(Make(Op::kLoad, DType::kF32, Kind::kVec));
        p.statements.back().index = static_cast<int>(p.inputs.size()) - 1;
      }
    });
  };
  const auto statements = [](int n) {
    return Problems([n](RowProgram& p) { p.statements.resize(n, p.statements[3]); });
  };
  const auto outputs = [](int n) { return Problems([n](RowProgram& p) { p.outputs.resize(n, p.outputs[0]); }); };
  EXPECT_EQ(inputs(kMaxInputs), "");
  EXPECT_EQ(inputs(kMaxInputs + 1), "program: has 65 inputs, expected at most 64");
  EXPECT_EQ(statements(kMaxStatements), "");
  EXPECT_EQ(statements(kMaxStatements + 1), "program: has 1025 statements, expected at most 1024");
  EXPECT_EQ(outputs(kMaxOutputs), "");
  EXPECT_EQ(outputs(kMaxOutputs + 1), "program: has 33 outputs, expected at most 32");
}

TEST(RowProgramValidate, WantsCombinedInputsToBeFloatRows) {
  EXPECT_EQ(Problems([](RowProgram& p) { p.inputs[0].kind = Kind::kVec; }), "a0 (sum): kind is vec, expected row");
  EXPECT_EQ(Problems([](RowProgram& p) { p.inputs[0].dtype = DType::kPred; }),
            "a0 (sum): dtype is pred, expected a float type");
  EXPECT_EQ(Problems([](RowProgram& p) { p.inputs[0].dtype = DType::kF32; }), "") << "all_reduce may change the dtype";
}

// Adds `input` and a statement x7 that reads it with `op`.
std::string WithInput(const Input& input, Op op) {
  return Problems([&](RowProgram& p) {
    p.inputs.push_back(input);
    p.statements.push_back(Make(op, input.dtype, input.kind));
    p.statements.back().index = 2;
  });
}

TEST(RowProgramValidate, GathersRowsAndVectorsOfTheWideFloats) {
  for (const DType dtype : {DType::kBF16, DType::kF16, DType::kF32}) {
    EXPECT_EQ(WithInput({Role::kGather, dtype, Kind::kRow}, Op::kAllGather), "");
    EXPECT_EQ(WithInput({Role::kGather, dtype, Kind::kVec}, Op::kAllGather), "");
  }
  EXPECT_EQ(WithInput({Role::kGather, DType::kF32, Kind::kRowScalar}, Op::kAllGather),
            "a2 (gather): kind is rowscalar, expected row or vec");
  EXPECT_EQ(WithInput({Role::kGather, DType::kF32, Kind::kScalar}, Op::kAllGather),
            "a2 (gather): kind is scalar, expected row or vec");
  for (const auto& [dtype, name] : {std::pair{DType::kPred, "pred"}, std::pair{DType::kF8E4M3FN, "f8e4m3fn"},
                                    std::pair{DType::kF8E5M2, "f8e5m2"}}) {
    EXPECT_EQ(WithInput({Role::kGather, dtype, Kind::kVec}, Op::kAllGather),
              "a2 (gather): dtype is " + std::string(name) + ", expected bf16, f16 or f32");
  }
}

TEST(RowProgramValidate, NeedsNoSumWhereSomethingIsGathered) {
  EXPECT_EQ(Problems([](RowProgram& p) {
              p.inputs[0].role = Role::kGather;
              p.statements[0].op = Op::kAllGather;
            }),
            "");
}

TEST(RowProgramValidate, MatchesAllGatherToAGatheredInputOfItsType) {
  EXPECT_EQ(WithInput({Role::kGather, DType::kF32, Kind::kVec}, Op::kLoad),
            "x7 (load): a2 is gather f32 vec, expected role local (all_gather reads inputs of role gather)");
  EXPECT_EQ(WithInput({Role::kLocal, DType::kF32, Kind::kVec}, Op::kAllGather),
            "x7 (all_gather): a2 is local f32 vec, expected role gather (load reads inputs of role local)");
  EXPECT_EQ(WithInput({Role::kSum, DType::kF32, Kind::kRow}, Op::kAllGather),
            "x7 (all_gather): a2 is sum f32 row, expected role gather (all_reduce reads inputs of role sum)");
  EXPECT_EQ(Problems([](RowProgram& p) {
              p.inputs.push_back({Role::kGather, DType::kBF16, Kind::kVec});
              p.statements.push_back(Make(Op::kAllGather, DType::kF32, Kind::kVec));
              p.statements.back().index = 2;
            }),
            "x7 (all_gather): result is f32 vec, but a2 is gather bf16 vec, expected the same");
}

TEST(RowProgramValidate, WantsEveryInputReadOnce) {
  EXPECT_EQ(Problems([](RowProgram& p) { p.inputs.push_back(p.inputs[1]); }),
            "a2: is read by 0 statements, expected exactly one");
  EXPECT_EQ(Problems([](RowProgram& p) { p.statements.push_back(p.statements[1]); }),
            "a1: is read by 2 statements, expected exactly one");
}

TEST(RowProgramValidate, MatchesTheReaderToItsInput) {
  EXPECT_EQ(Problems([](RowProgram& p) { p.statements[1].index = 5; }),
            "x1 (load): reads a5, but the program has 2 inputs\n  a1: is read by 0 statements, expected exactly one");
  EXPECT_EQ(Problems([](RowProgram& p) { p.statements[1].dtype = DType::kF16; }).substr(0, 73),
            "x1 (load): result is f16 vec, but a1 is local f32 vec, expected the same\n");
  EXPECT_EQ(Problems([](RowProgram& p) { p.statements[0].op = Op::kLoad; }),
            "x0 (load): a0 is sum bf16 row, expected role local (all_reduce reads inputs of role sum)");
  EXPECT_EQ(Problems([](RowProgram& p) {
              p.inputs[0] = {Role::kLocal, DType::kBF16, Kind::kRow};
            }),
            "program: exchanges nothing, expected at least one input of role sum, max, min or gather\n"
            "  x0 (all_reduce): a0 is local bf16 row, expected role sum, max or min (load reads inputs of role local)");
  EXPECT_EQ(Problems([](RowProgram& p) { p.statements[0].dtype = DType::kPred; }),
            "x0 (all_reduce): result is pred row, expected a float row");
}

TEST(RowProgramValidate, WantsOperandsDefinedBeforeTheirUse) {
  EXPECT_EQ(Problems([](RowProgram& p) { p.statements[3].operands[1] = 3; }),
            "x3 (multiply): operand 1 is x3, expected a value defined before it (x0 to x2)");
  EXPECT_EQ(Problems([](RowProgram& p) { p.statements[3].operands[1] = -7; }),
            "x3 (multiply): operand 1 is x-7, expected a value defined before it (x0 to x2)");
  EXPECT_EQ(Problems([](RowProgram& p) { p.statements[3].operands[1] = 2; }), "");
}

TEST(RowProgramValidate, CountsOperands) {
  EXPECT_EQ(Problems([](RowProgram& p) { p.statements[3].operands[1] = -1; }),
            "x3 (multiply): takes 2 operands, operand 1 is missing");
  EXPECT_EQ(Problems([](RowProgram& p) { p.statements[2].operands[1] = 0; }),
            "x2 (convert): takes 1 operand, came operand 1 (x0) too");
}

TEST(RowProgramValidate, WantsConstantsToBeScalarsRoundedToTheirDType) {
  const auto constant = [](DType dtype, Kind kind, float number) {
    Statement s = Make(Op::kConstant, dtype, kind);
    s.constant = number;
    return WithStatement(s);
  };
  EXPECT_EQ(constant(DType::kBF16, Kind::kScalar, 0.1f),
            "x7 (constant): its number is not one of dtype bf16, expected it rounded to that dtype already");
  EXPECT_EQ(constant(DType::kBF16, Kind::kScalar, RoundToDType(DType::kBF16, 0.1f)), "");
  EXPECT_EQ(constant(DType::kPred, Kind::kScalar, 2),
            "x7 (constant): its number is not one of dtype pred, expected it rounded to that dtype already");
  EXPECT_EQ(constant(DType::kPred, Kind::kScalar, 1), "");
  EXPECT_EQ(constant(DType::kF32, Kind::kScalar, std::numeric_limits<float>::quiet_NaN()), "");
  EXPECT_EQ(constant(DType::kF32, Kind::kVec, 1), "x7 (constant): result kind is vec, expected scalar");
}

TEST(RowProgramValidate, LetsBroadcastOnlyWiden) {
  EXPECT_EQ(WithStatement(Make(Op::kBroadcast, DType::kF32, Kind::kRow, {4, -1, -1})), "");
  EXPECT_EQ(WithStatement(Make(Op::kBroadcast, DType::kF32, Kind::kRowScalar, {4, -1, -1})),
            "x7 (broadcast): result kind is rowscalar, expected one wider than rowscalar (operand 0, x4, is f32 "
            "rowscalar)");
  EXPECT_EQ(WithStatement(Make(Op::kBroadcast, DType::kF32, Kind::kVec, {4, -1, -1})),
            "x7 (broadcast): result kind is vec, expected one wider than rowscalar (operand 0, x4, is f32 rowscalar)");
  EXPECT_EQ(WithStatement(Make(Op::kBroadcast, DType::kBF16, Kind::kRow, {4, -1, -1})),
            "x7 (broadcast): result dtype is bf16, expected f32");
}

TEST(RowProgramValidate, ReducesOnlyWhatVariesOverTheWidth) {
  EXPECT_EQ(WithStatement(Make(Op::kReduceMax, DType::kF32, Kind::kScalar, {1, -1, -1})), "");
  EXPECT_EQ(WithStatement(Make(Op::kReduceMax, DType::kF32, Kind::kRowScalar, {1, -1, -1})),
            "x7 (reduce_max): result kind is rowscalar, expected scalar");
  EXPECT_EQ(WithStatement(Make(Op::kReduceMax, DType::kF32, Kind::kRowScalar, {4, -1, -1})),
            "x7 (reduce_max): operand 0, x4, is f32 rowscalar, expected kind row or vec (broadcast it to what it "
            "stands for)");
  EXPECT_EQ(WithStatement(Make(Op::kReduceSum, DType::kF32, Kind::kRowScalar, {0, -1, -1})),
            "x7 (reduce_sum): result dtype is f32, expected bf16");
  EXPECT_EQ(Problems([](RowProgram& p) {
              p.statements.push_back(Make(Op::kBroadcast, DType::kPred, Kind::kRow, {5, -1, -1}));
              p.statements.push_back(Make(Op::kReduceSum, DType::kPred, Kind::kRowScalar, {7, -1, -1}));
            }),
            "x8 (reduce_sum): operand 0, x7, is pred row, expected a float type");
}

TEST(RowProgramValidate, WantsArithmeticInOneFloatType) {
  EXPECT_EQ(Problems([](RowProgram& p) { p.statements[3].operands[0] = 0; }),
            "x3 (multiply): operand 0, x0, is bf16 row, expected f32, the result's dtype");
  EXPECT_EQ(WithStatement(Make(Op::kAbs, DType::kPred, Kind::kRowScalar, {5, -1, -1})),
            "x7 (abs): operand 0, x5, is pred rowscalar, expected a float type");
  EXPECT_EQ(WithStatement(Make(Op::kClamp, DType::kF32, Kind::kRow, {4, 2, 1})), "");
}

TEST(RowProgramValidate, WantsTheResultKindToBeTheJoinOfTheOperands) {
  EXPECT_EQ(WithStatement(Make(Op::kAdd, DType::kF32, Kind::kRow, {4, 1, -1})), "") << "rowscalar and vec join to row";
  EXPECT_EQ(WithStatement(Make(Op::kAdd, DType::kF32, Kind::kRow, {4, 4, -1})),
            "x7 (add): result kind is row, expected rowscalar");
  EXPECT_EQ(WithStatement(Make(Op::kConvert, DType::kBF16, Kind::kRow, {1, -1, -1})),
            "x7 (convert): result kind is row, expected vec");
}

TEST(RowProgramValidate, ConvertsAnyDTypeToAny) {
  EXPECT_EQ(WithStatement(Make(Op::kConvert, DType::kF8E4M3FN, Kind::kRowScalar, {5, -1, -1})), "");
  EXPECT_EQ(WithStatement(Make(Op::kConvert, DType::kPred, Kind::kVec, {1, -1, -1})), "");
}

TEST(RowProgramValidate, WantsTestsToGivePred) {
  EXPECT_EQ(WithStatement(Make(Op::kIsFinite, DType::kF32, Kind::kVec, {1, -1, -1})),
            "x7 (is_finite): result dtype is f32, expected pred");
  EXPECT_EQ(WithStatement(Make(Op::kIsFinite, DType::kPred, Kind::kRowScalar, {5, -1, -1})),
            "x7 (is_finite): operand 0, x5, is pred rowscalar, expected a float type");
  EXPECT_EQ(WithStatement(Make(Op::kCompare, DType::kPred, Kind::kRow, {2, 0, -1})),
            "x7 (compare): operand 1, x0, is bf16 row, expected f32, operand 0's dtype");
  EXPECT_EQ(WithStatement(Make(Op::kCompare, DType::kPred, Kind::kRowScalar, {5, 5, -1})), "");
}

TEST(RowProgramValidate, WantsLogicOnPredOnly) {
  EXPECT_EQ(WithStatement(Make(Op::kAnd, DType::kPred, Kind::kRowScalar, {5, 4, -1})),
            "x7 (and): operand 1, x4, is f32 rowscalar, expected pred, for it takes truth values only");
  EXPECT_EQ(WithStatement(Make(Op::kNot, DType::kPred, Kind::kRowScalar, {5, -1, -1})), "");
}

TEST(RowProgramValidate, WantsSelectToChooseByPredBetweenEqualDTypes) {
  EXPECT_EQ(WithStatement(Make(Op::kSelect, DType::kF32, Kind::kRow, {2, 2, 3})),
            "x7 (select): operand 0, x2, is f32 row, expected pred");
  EXPECT_EQ(WithStatement(Make(Op::kSelect, DType::kF32, Kind::kRow, {5, 0, 3})),
            "x7 (select): operand 1, x0, is bf16 row, expected f32, the result's dtype");
}

TEST(RowProgramValidate, LetsOutputsOnlyWiden) {
  EXPECT_EQ(Problems([](RowProgram& p) { p.outputs[0].kind = Kind::kVec; }),
            "output 0: kind is vec, but x6 is of kind row, expected the same or a wider one");
  EXPECT_EQ(Problems([](RowProgram& p) { p.outputs[1].value = 7; }),
            "output 1: is x7, but the program has 7 statements");
}

TEST(RowProgramValidate, StoresShardsOnlyOfWhatVariesOverTheWidth) {
  EXPECT_EQ(Problems([](RowProgram& p) { p.outputs[0].shard = true; }), "");
  EXPECT_EQ(Problems([](RowProgram& p) { p.outputs[1].shard = true; }), "") << "a row scalar stored as a row";
  EXPECT_EQ(Problems([](RowProgram& p) {
              p.outputs[1] = {4, Kind::kRowScalar, true};
            }),
            "output 1: is a shard of kind rowscalar, expected kind row or vec: only what varies over the width has "
            "columns to share out");
}

TEST(RowProgramValidate, RefusesAnOperationOutsideTheEnumeration) {
  EXPECT_EQ(WithStatement(Make(static_cast<Op>(200), DType::kF32, Kind::kRow)),
            "x7 (unknown): op or dtype is outside its enumeration; build statements from the named values only");
}

TEST(RowProgramValidate, ReportsEveryBrokenRuleAtOnce) {
  EXPECT_EQ(Problems([](RowProgram& p) {
              p.statements[4].kind = Kind::kRow;
              p.statements[2].operands[0] = 9;
              p.outputs.push_back({-1, Kind::kRow});
            }),
            "x2 (convert): operand 0 is x9, expected a value defined before it (x0 to x1)\n"
            "  x4 (reduce_sum): result kind is row, expected rowscalar\n"
            "  x5 (compare): result kind is rowscalar, expected row\n"
            "  output 2: is x-1, but the program has 7 statements");
}

}  // namespace
}  // namespace jax_oneshot
