// SPDX-License-Identifier: Apache-2.0
// Checks a row program from any source; the error lists every violated rule.
#ifndef ROW_PROGRAM_VALIDATE_H_
#define ROW_PROGRAM_VALIDATE_H_

#include "base/result.h"
#include "row_program/row_program.h"

namespace jax_oneshot {

// Checks the preconditions of every backend: at least one input is exchanged, combined inputs (sum/max/min) are rows,
// gathered inputs and shards vary over the width, ids are in range and defined before use, operand counts, the dtype
// and kind rules of row_program.h, each input is read by exactly one statement, there is at least one output, and the
// limits below.
inline constexpr int kMaxInputs = 64;
inline constexpr int kMaxOutputs = 32;
inline constexpr int kMaxStatements = 1024;

Result<void> ValidateRowProgram(const RowProgram& program);

}  // namespace jax_oneshot

#endif  // ROW_PROGRAM_VALIDATE_H_
