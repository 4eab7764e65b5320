// SPDX-License-Identifier: Apache-2.0
#include "row_program/returned_values.h"

#include <algorithm>

namespace jax_oneshot {

RowProgram ReturningValues(RowProgram program, int first) {
  constexpr int kMostOutputs = 32;
  program.outputs.clear();
  const int end = std::min(static_cast<int>(program.statements.size()), first + kMostOutputs);
  for (int value = first; value < end; ++value) program.outputs.push_back({value, program.statements[value].kind});
  return program;
}

RowProgram ReadingValue(RowProgram program, int value) {
  const Statement replaced = program.statements[value];
  program.inputs.push_back({Role::kLocal, replaced.dtype, replaced.kind});
  Statement load;
  load.op = Op::kLoad;
  load.dtype = replaced.dtype;
  load.kind = replaced.kind;
  load.index = static_cast<int>(program.inputs.size()) - 1;
  program.statements[value] = load;
  if (ReadsInput(replaced.op)) program.statements.push_back(replaced);  // every input must be read by one statement
  return program;
}

}  // namespace jax_oneshot
