// SPDX-License-Identifier: Apache-2.0
// Maps elementwise HLO opcodes to row program operations.
#ifndef XLA_PASS_GRAPH_OP_TABLE_H_
#define XLA_PASS_GRAPH_OP_TABLE_H_

#include <optional>

#include "row_program/row_program.h"
#include "xla_pass/hlo_view/opcode.h"

namespace jax_oneshot {

std::optional<Op> ElementwiseOp(hlo::Opcode opcode);

// Reshape, bitcast, copy, transpose: possibly a no-op on rows.
bool IsMove(hlo::Opcode opcode);

}  // namespace jax_oneshot

#endif  // XLA_PASS_GRAPH_OP_TABLE_H_
