// SPDX-License-Identifier: Apache-2.0
// Slice offsets for every rank, in the forms that XLA emits and in unusual ones.
#include "xla_pass/graph/rank_expression.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "xla_pass/graph/test_graph.h"
#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot {
namespace {

using hlo::GroupMode;
using hlo::PrimitiveType;
using hlo::TestComputation;
using hlo::TestInstruction;
using hlo::TestParameter;
using hlo::TestShape;

// Instructions of the entry computation, numbered from 1 in the order they are added.
class Body {
 public:
  int64_t Add(const std::string& opcode, std::vector<int64_t> operands,
              const std::string& shape = TestShape(PrimitiveType::kS32, {})) {
    main_.instructions.push_back(TestOp(Next(), "i" + std::to_string(Next()), opcode, std::move(operands)));
    main_.instructions.back().shape = shape;
    return main_.root_id = Next() - 1;
  }

  int64_t Constant(const std::vector<int64_t>& values, const std::vector<int64_t>& dimensions = {}) {
    namespace literal = hlo::fields::literal;
    const std::string shape = TestShape(PrimitiveType::kS32, dimensions);
    const int64_t id = Add("constant", {}, shape);
    const std::string bytes = wire::Writer().Bytes(literal::kShape, shape).Packed(literal::kS32s, values).Take();
    main_.instructions.back().more = wire::Writer().Bytes(hlo::fields::hlo_instruction::kLiteral, bytes).Take();
    return id;
  }

  void Direction(const std::string& direction) {
    main_.instructions.back().more =
        wire::Writer().Bytes(hlo::fields::hlo_instruction::kComparisonDirection, direction).Take();
  }

  int64_t Parameter() {
    main_.instructions.push_back(TestParameter(Next(), 0));
    main_.instructions.back().shape = TestShape(PrimitiveType::kS32, {});
    return Next() - 1;
  }

  // The last instruction's value for each id, or the error.
  std::string Values(const std::vector<int64_t>& ids, GroupMode mode = GroupMode::kFlattenedId) const {
    const TestGraph test({main_}, 1);
    std::string text;
    for (int64_t id : ids) {
      const Result<int64_t> value = RankExpression(test.graph(), mode, id).Evaluate(test.graph().root(0));
      if (!value) return value.error();
      text += (text.empty() ? "" : " ") + std::to_string(*value);
    }
    return text;
  }

 private:
  int64_t Next() const { return static_cast<int64_t>(main_.instructions.size()) + 1; }

  TestComputation main_{1, "main", {}, 0};
};

std::string U32(const std::vector<int64_t>& dimensions = {}) { return TestShape(PrimitiveType::kU32, dimensions); }
std::string Pred() { return TestShape(PrimitiveType::kPred, {}); }

TEST(RankExpression, MultipliesTheConvertedId) {
  Body body;
  const int64_t id = body.Add("partition-id", {}, U32());
  body.Add("multiply", {body.Add("convert", {id}), body.Constant({64})});
  EXPECT_EQ(body.Values({0, 1, 7}), "0 64 448");
}

TEST(RankExpression, LooksUpAConstantAndClampsTheIndexAsADynamicSliceDoes) {
  Body body;
  const int64_t table = body.Constant({0, 8, 0, 8}, {4});
  const int64_t id = body.Add("partition-id", {}, U32());
  const int64_t one = body.Add("dynamic-slice", {table, id}, TestShape(PrimitiveType::kS32, {1}));
  body.Add("reshape", {one});
  EXPECT_EQ(body.Values({0, 1, 2, 3, 9}), "0 8 0 8 8");
}

TEST(RankExpression, LooksUpATableOfTwoDimensions) {
  Body body;
  const int64_t table = body.Constant({1, 2, 3, 4, 5, 6}, {2, 3});
  const int64_t id = body.Add("partition-id", {}, U32());
  const int64_t row = body.Add("divide", {id, body.Constant({3})}, U32());
  const int64_t column = body.Add("remainder", {id, body.Constant({3})}, U32());
  body.Add("dynamic-slice", {table, row, column}, TestShape(PrimitiveType::kS32, {1, 1}));
  EXPECT_EQ(body.Values({0, 1, 2, 3, 4, 5}), "1 2 3 4 5 6");
}

TEST(RankExpression, DoesArithmeticOfIntegers) {
  const auto binary = [](const char* opcode, int64_t a, int64_t b) {
    Body body;
    const int64_t x = body.Constant({a});
    body.Add(opcode, {x, body.Constant({b})});
    return body.Values({0});
  };
  EXPECT_EQ(binary("add", 5, -7), "-2");
  EXPECT_EQ(binary("subtract", 5, 7), "-2");
  EXPECT_EQ(binary("divide", -7, 2), "-3") << "towards zero";
  EXPECT_EQ(binary("remainder", -7, 2), "-1") << "with the dividend's sign";
  EXPECT_EQ(binary("maximum", 5, 7), "7");
  EXPECT_EQ(binary("minimum", 5, 7), "5");
  EXPECT_EQ(binary("and", 6, 3), "2");
  EXPECT_EQ(binary("or", 6, 3), "7");
  EXPECT_EQ(binary("xor", 6, 3), "5");
  EXPECT_EQ(binary("divide", 1, 0), "%i3 (divide) divides by zero");
  EXPECT_EQ(binary("power", 2, 3), "%i3 (power) is not understood");
}

TEST(RankExpression, ComparesSelectsAndClamps) {
  Body body;
  const int64_t id = body.Add("partition-id", {}, U32());
  const int64_t is_late = body.Add("compare", {id, body.Constant({2})}, Pred());
  Body directed = body;
  directed.Direction("GE");
  directed.Add("select", {is_late, directed.Constant({-1}), id});
  EXPECT_EQ(directed.Values({0, 1, 2, 3}), "0 1 -1 -1");
  Body clamped;
  const int64_t rank = clamped.Add("partition-id", {}, U32());
  clamped.Add("clamp", {clamped.Constant({1}), rank, clamped.Constant({2})});
  EXPECT_EQ(clamped.Values({0, 1, 2, 3}), "1 1 2 2");
}

TEST(RankExpression, WrapsAsTheTypeDoes) {
  Body body;
  const int64_t zero = body.Constant({0});
  const int64_t one = body.Constant({1});
  body.Add("subtract", {zero, one}, U32());
  EXPECT_EQ(body.Values({0}), "4294967295");
  body.Add("convert", {body.Constant({300})}, TestShape(PrimitiveType::kU8, {}));
  EXPECT_EQ(body.Values({0}), "44");
}

TEST(RankExpression, KnowsWhichIdTheGroupsCount) {
  Body partition;
  partition.Add("partition-id", {}, U32());
  EXPECT_EQ(partition.Values({3}, GroupMode::kCrossPartition), "3");
  EXPECT_EQ(partition.Values({3}, GroupMode::kCrossReplica), "%i1 (partition-id) is not what the groups count");
  Body replica;
  replica.Add("replica-id", {}, U32());
  EXPECT_EQ(replica.Values({3}, GroupMode::kFlattenedId), "3");
  EXPECT_EQ(replica.Values({3}, GroupMode::kCrossPartition), "%i1 (replica-id) is not what the groups count");
  Body both;
  const int64_t a = both.Add("partition-id", {}, U32());
  both.Add("add", {a, both.Add("replica-id", {}, U32())}, U32());
  EXPECT_EQ(both.Values({3}), "%i2 (replica-id) is not what the groups count");
}

TEST(RankExpression, RefusesWhatTheRankAloneDoesNotDecide) {
  Body body;
  body.Add("negate", {body.Parameter()});
  EXPECT_EQ(body.Values({0}), "%p0 (parameter) is not a number that the rank alone decides");
  Body floating;
  floating.Add("convert", {floating.Constant({1})}, TestShape(PrimitiveType::kF32, {}));
  EXPECT_EQ(floating.Values({0}), "%i2 (convert) is no integer of at most 63 bits");
  Body wide;
  wide.Add("broadcast", {wide.Constant({1})}, TestShape(PrimitiveType::kS32, {4}));
  EXPECT_EQ(wide.Values({0}), "%i2 (broadcast) is no scalar");
}

TEST(RankExpression, GivesUpOnLongExpressions) {
  Body body;
  int64_t last = body.Constant({1});
  for (int i = 0; i < 60; ++i) last = body.Add("negate", {last});
  EXPECT_EQ(body.Values({0}), "1");
  for (int i = 0; i < 10; ++i) last = body.Add("negate", {last});
  EXPECT_NE(body.Values({0}).find("is too long an expression"), std::string::npos);
}

}  // namespace
}  // namespace jax_oneshot
