// SPDX-License-Identifier: Apache-2.0
// ElementwiseOp maps every HLO opcode to the operation with its name and number of operands.
#include "xla_pass/graph/op_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace jax_oneshot {
namespace {

using hlo::Opcode;

TEST(ElementwiseOp, MapsEachNameToItself) {
  for (const char* name :
       {"convert",     "abs", "negate",   "sign",     "floor",   "ceil",    "sqrt",    "rsqrt", "cbrt",
        "exponential", "log", "logistic", "tanh",     "tan",     "sine",    "cosine",  "erf",   "is-finite",
        "not",         "add", "subtract", "multiply", "divide",  "maximum", "minimum", "power", "remainder",
        "atan2",       "and", "or",       "xor",      "compare", "select",  "clamp"}) {
    const auto op = ElementwiseOp(hlo::ParseOpcode(name));
    ASSERT_TRUE(op.has_value()) << name;
    std::string expected = name;
    std::replace(expected.begin(), expected.end(), '-', '_');
    EXPECT_EQ(OpName(*op), expected);
  }
}

TEST(ElementwiseOp, HasNoneForWhatMovesOrReduces) {
  for (Opcode opcode : {Opcode::kReshape, Opcode::kReduce, Opcode::kBroadcast, Opcode::kDot, Opcode::kOther,
                        Opcode::kAllReduce, Opcode::kBitcastConvert}) {
    EXPECT_FALSE(ElementwiseOp(opcode).has_value());
  }
  EXPECT_TRUE(IsMove(Opcode::kReshape));
  EXPECT_FALSE(IsMove(Opcode::kBroadcast));
}

}  // namespace
}  // namespace jax_oneshot
