// SPDX-License-Identifier: Apache-2.0
// Which additions XLA's fused loops contract with a preceding multiplication, rounding once. XLA:CPU lets LLVM contract
// a*b+c, and recomputes cheap expressions in every fusion that reads them. A call must round in the same places, or
// later comparisons may find nothing equal (`y == max(y)` with y = x * g + b).
//
//   fused { m = multiply(x, g)
//           y = add(m, b) }                       -> x3: f32 row = multiply_add x0, x1, x2
//   fused { m = multiply(x, g)                    -> x3: f32 row = multiply x0, x1
//           y = add(m, b)                            x4: f32 row = add x3, x2
//           z = divide(y, m) }
//
// LLVM's behaviour, derived from results on jax 0.12.0.1, x86-64 with FMA (27 November 2026): f32 only; within one loop
// fusion; only if the sum is the product's only reader (through moves and negations); not if the product is computed
// before the innermost loop; the first operand takes precedence. tests/numerics/test_values.py compares calls with
// XLA:CPU's own results.
#ifndef XLA_PASS_TRANSLATE_CONTRACTION_H_
#define XLA_PASS_TRANSLATE_CONTRACTION_H_

#include "xla_pass/graph/graph.h"
#include "xla_pass/translate/program_builder.h"

namespace jax_oneshot {

// True if operand `i` of the addition or subtraction `sum` is a product that is not rounded before it is added.
bool IsContracted(const Graph& graph, Node sum, int i);

// x + y or x - y in f32, where `contracted` marks operands that are products. Emits a multiply_add for the first such
// operand that is computed in the same loop, else the plain operation. Returns the value's id.
int AddSum(ProgramBuilder* builder, Op op, const OperandIds& operands, bool first_contracted, bool second_contracted);

// Emits the statement of an elementwise instruction, given its operands' values, and returns the value's id. All
// elementwise statements go through this function, so that values are rounded where XLA rounds them.
struct Elementwise {
  Op op;
  DType dtype;
  OperandIds operands;
  Direction direction = Direction::kEq;
};
int AddElementwise(const Graph& graph, Node node, const Elementwise& elementwise, ProgramBuilder* builder);

}  // namespace jax_oneshot

#endif  // XLA_PASS_TRANSLATE_CONTRACTION_H_
