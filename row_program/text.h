// SPDX-License-Identifier: Apache-2.0
// Parser and printer of the canonical one-line text of a row program. The text is the `program` attribute of the
// custom-call, the key of the kernel cache and what the report prints, so Parse(Print(p)) == p and Print(Parse(t)) is
// canonical.
//
//   v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0; x1: f32 row = convert x0 } -> (x1: row)
//
// A statement's attributes follow its operands: `compare x1, x2, direction=LT`, `constant 1e-05` (the shortest decimal
// that reads back as the same float, or `nan`, `inf`, `-inf`), `load a3`. A sharded output is written `x1: row shard`.
#ifndef ROW_PROGRAM_TEXT_H_
#define ROW_PROGRAM_TEXT_H_

#include <string>
#include <string_view>

#include "base/result.h"
#include "row_program/row_program.h"

namespace jax_oneshot {

std::string PrintRowProgram(const RowProgram& program);
// The attribute of a statement: `a3`, `1e-05`, `LT`; "" if it has none.
std::string PrintAttribute(const Statement& statement);

// Parses and validates (see validate.h). An error names the statement, what was expected and what was found. Any white
// space is accepted, including newlines.
Result<RowProgram> ParseRowProgram(std::string_view text);

}  // namespace jax_oneshot

#endif  // ROW_PROGRAM_TEXT_H_
