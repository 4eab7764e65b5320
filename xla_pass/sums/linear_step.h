// SPDX-License-Identifier: Apache-2.0
// Whether an instruction is linear in one of its operands, so that a sum over ranks may also be taken after it:
//
//   sum over ranks of f(x)  =  f(sum over ranks of x)
//
//   reshape, transpose, broadcast, slice, gather, ... of x     moves elements, no rounding
//   negate                                                     no rounding
//   multiply(x, w), divide(x, w), reduce by sum, dot(x, w)     arithmetic
//   convert between floats
//
// Its other operands (weights, indices) must be the same on all ranks of the sum, which the caller proves.
#ifndef XLA_PASS_SUMS_LINEAR_STEP_H_
#define XLA_PASS_SUMS_LINEAR_STEP_H_

#include <functional>
#include <optional>

#include "xla_pass/graph/graph.h"

namespace jax_oneshot {

enum class StepKind : uint8_t { kMove, kArithmetic, kReduction, kProduct, kConvert };

// How `node` depends on `value`, if linearly. `is_same` is called for every other operand.
std::optional<StepKind> LinearStep(const Graph& graph, Node node, Node value, const std::function<bool(Node)>& is_same);

}  // namespace jax_oneshot

#endif  // XLA_PASS_SUMS_LINEAR_STEP_H_
