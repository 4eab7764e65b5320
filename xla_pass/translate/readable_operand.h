// SPDX-License-Identifier: Apache-2.0
// The instruction whose value the call reads in place of an all-reduce's operand.
//
//   %w = f32[..] convert(%b), %b bf16;  all-reduce(%w)             -> %b
//   %c = copy(%r) to another layout, in a fusion;  all-reduce(%c)  -> %r
//
// XLA:CPU promotes bf16 all-reduces to f32 this way (a call sums in f32 anyway), and gives some all-reduces a layout of
// their own.
#ifndef XLA_PASS_TRANSLATE_READABLE_OPERAND_H_
#define XLA_PASS_TRANSLATE_READABLE_OPERAND_H_

#include "xla_pass/graph/dependency_order.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/graph/overwritten_values.h"

namespace jax_oneshot {

// The operand itself if there is nothing to skip. `overwritten`: not null after copy insertion; what others read too is
// then only skipped if the buffer before it is never overwritten.
Node ReadableOperand(const Graph& graph, const DependencyOrder& order, const OverwrittenValues* overwritten,
                     Node operand);

}  // namespace jax_oneshot

#endif  // XLA_PASS_TRANSLATE_READABLE_OPERAND_H_
