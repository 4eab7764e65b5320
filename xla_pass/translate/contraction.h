// Which sums XLA's fused loops round together with a multiplication in front of them. XLA:CPU lets LLVM contract
// a*b+c, and computes cheap expressions again in every fusion that reads them: a call must round where they do, or a
// comparison behind it finds no equal (`y == max(y)` with y = x * g + b).
//
//   fused { m = multiply(x, g)
//           y = add(m, b) }                       -> x3: f32 row = multiply_add x0, x1, x2
//   fused { m = multiply(x, g)                    -> x3: f32 row = multiply x0, x1
//           y = add(m, b)                            x4: f32 row = add x3, x2
//           z = divide(y, m) }
//
// What LLVM does was read from results on jax 0.12.0.1, x86-64 with FMA (27 November 2026): f32 only, within one loop
// fusion, only where the sum alone reads the product (moves and changes of sign between them are looked through), not
// where the product is computed in front of the innermost loop, the first operand before the second.
// tests/test_values.py holds calls against XLA:CPU's own results.
#ifndef XLA_PASS_TRANSLATE_CONTRACTION_H_
#define XLA_PASS_TRANSLATE_CONTRACTION_H_

#include "xla_pass/graph/graph.h"
#include "xla_pass/translate/program_builder.h"

namespace jax_oneshot {

// True if operand `i` of the addition or subtraction `sum` is a product that is not rounded before it is added.
bool IsContracted(const Graph& graph, Node sum, int i);

// x + y or x - y in f32, where the operands for which `contracted` says so are products: a multiply_add for the first
// of them that is computed in the same loop, or the plain operation. Returns the value's id.
int AddSum(ProgramBuilder* builder, Op op, const OperandIds& operands, bool first_contracted, bool second_contracted);

// The statement of an elementwise instruction whose operands have these values. Every one is written by this function,
// so that none is rounded elsewhere than XLA rounds it. Returns the value's id.
struct Elementwise {
  Op op;
  DType dtype;
  OperandIds operands;
  Direction direction = Direction::kEq;
};
int AddElementwise(const Graph& graph, Node node, const Elementwise& elementwise, ProgramBuilder* builder);

}  // namespace jax_oneshot

#endif  // XLA_PASS_TRANSLATE_CONTRACTION_H_
