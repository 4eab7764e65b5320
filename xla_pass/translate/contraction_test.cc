// SPDX-License-Identifier: Apache-2.0
// What is contracted and what is not; tests/numerics/test_values.py compares with XLA's own results.
#include "xla_pass/translate/contraction.h"

#include <gtest/gtest.h>

#include <string>

#include "row_program/text.h"
#include "xla_pass/graph/test_graph.h"

namespace jax_oneshot {
namespace {

// One digit per operand of %y: "10" means only the first. `body` defines %m, %y and other users.
std::string Contracted(const std::string& body, const std::string& kind = "kLoop", const std::string& type = "f32") {
  std::string text = R"(
    fused { x = T[8,64] parameter(0)
            g = T[8,64] parameter(1)
            s = T[8] parameter(2)
            )" + body +
                     R"( }
    main { a = T[8,64] parameter(0)
           b = T[8] parameter(1)
           r = T[8,64] fusion(a, a, b), calls=fused, kind=)" +
                     kind + " }";
  for (size_t at = text.find("T["); at != std::string::npos; at = text.find("T[")) text.replace(at, 1, type);
  const TestGraph test(text);
  std::string found;
  for (const int i : {0, 1}) found += IsContracted(test.graph(), test["y"], i) ? "1" : "0";
  return found;
}

TEST(Contraction, TakesAProductThatTheSumAloneReads) {
  const std::string m = "m = T[8,64] multiply(x, g) ";
  EXPECT_EQ(Contracted(m + "y = T[8,64] add(m, x)"), "10");
  EXPECT_EQ(Contracted(m + "y = T[8,64] subtract(x, m)"), "01");
  EXPECT_EQ(Contracted(m + "n = T[8,64] multiply(x, x) y = T[8,64] add(m, n)"), "11");
}

TEST(Contraction, LooksThroughMovesAndChangesOfSign) {
  EXPECT_EQ(Contracted("m = T[8] multiply(s, s) n = T[8] negate(m) w = T[8,64] broadcast(n), dimensions={0} "
                       "y = T[8,64] add(x, w)"),
            "01");
}

TEST(Contraction, LeavesAProductThatSomethingElseReads) {
  const std::string m = "m = T[8,64] multiply(x, g) ";
  EXPECT_EQ(Contracted(m + "y = T[8,64] add(m, x) z = T[8,64] divide(y, m)"), "00");
  EXPECT_EQ(Contracted(m + "y = T[8,64] add(m, m)"), "00");
  EXPECT_EQ(Contracted(m + "a = T[8,64] abs(m) y = T[8,64] add(a, x)"), "00");
}

TEST(Contraction, IsOfF32InLoopFusionsOnly) {
  const std::string body = "m = T[8,64] multiply(x, g) y = T[8,64] add(m, x)";
  EXPECT_EQ(Contracted(body, "kLoop", "bf16"), "00");
  EXPECT_EQ(Contracted(body, "kCustom"), "00");
}

class Sum : public ::testing::Test {
 protected:
  Sum() {
    x_ = builder_.AddInput(Role::kSum, DType::kF32, Kind::kRow, DType::kF32);
    g_ = builder_.AddInput(Role::kLocal, DType::kF32, Kind::kVec, DType::kF32);
    s_ = builder_.AddInput(Role::kLocal, DType::kF32, Kind::kRowScalar, DType::kF32);
    product_ = builder_.Elementwise(Op::kMultiply, DType::kF32, {x_, g_});
  }

  // The statements after the three inputs, without unused ones.
  std::string Statements(int value) const {
    const Kind kind = builder_.kind(value);
    const std::string text = PrintRowProgram(builder_.Finish({{value, kind}}).program);
    const size_t begin = text.find("load a2; ") + 9;
    return text.substr(begin, text.find(" }") - begin);
  }

  ProgramBuilder builder_;
  int x_, g_, s_, product_;
};

TEST_F(Sum, OfAProductIsOneMultiplyAdd) {
  EXPECT_EQ(Statements(AddSum(&builder_, Op::kAdd, {s_, product_}, false, true)),
            "x3: f32 row = multiply_add x0, x1, x2");
  EXPECT_EQ(Statements(AddSum(&builder_, Op::kAdd, {product_, s_}, true, false)),
            "x3: f32 row = multiply_add x0, x1, x2");
}

TEST_F(Sum, ThatSubtractsChangesTheSignOfTheNarrowerFactor) {
  EXPECT_EQ(Statements(AddSum(&builder_, Op::kSubtract, {s_, product_}, false, true)),
            "x3: f32 vec = negate x1; x4: f32 row = multiply_add x0, x3, x2");
  EXPECT_EQ(Statements(AddSum(&builder_, Op::kSubtract, {product_, s_}, true, false)),
            "x3: f32 rowscalar = negate x2; x4: f32 row = multiply_add x0, x1, x3");
  const int negated = builder_.Elementwise(Op::kNegate, DType::kF32, {product_});
  EXPECT_EQ(Statements(AddSum(&builder_, Op::kSubtract, {s_, negated}, false, true)),
            "x3: f32 row = multiply_add x0, x1, x2");
}

TEST_F(Sum, StaysOneWhereNothingIsContracted) {
  const std::string plain = "x3: f32 row = multiply x0, x1; x4: f32 row = add x3, x2";
  EXPECT_EQ(Statements(AddSum(&builder_, Op::kAdd, {product_, s_}, false, false)), plain);
  // Constant over the width: computed before XLA's loop, and rounded there.
  const int square = builder_.Elementwise(Op::kMultiply, DType::kF32, {s_, s_});
  const int sum = AddSum(&builder_, Op::kAdd, {square, product_}, true, false);
  EXPECT_EQ(builder_.program().statements[sum].op, Op::kAdd);
}

}  // namespace
}  // namespace jax_oneshot
