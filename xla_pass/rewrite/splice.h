// SPDX-License-Identifier: Apache-2.0
// Writes a module with the instruction lists of some computations replaced; everything else is copied byte for byte.
#ifndef XLA_PASS_REWRITE_SPLICE_H_
#define XLA_PASS_REWRITE_SPLICE_H_

#include <string>
#include <string_view>
#include <vector>

#include "xla_pass/hlo_view/hlo_view.h"

namespace jax_oneshot {

struct ComputationEdit {
  int computation = 0;                         // index into Module::computations
  std::vector<std::string_view> instructions;  // serialized HloInstructionProtos, operands before users
  std::string_view program_shape;              // serialized ProgramShapeProto; empty: unchanged
};

// `removed`: indices of computations that are no longer called. `added`: serialized computations that call none of the
// module's; they are placed first.
std::string SpliceModule(const hlo::Module& module, const std::vector<ComputationEdit>& edits,
                         const std::vector<int>& removed, const std::vector<std::string_view>& added = {});

}  // namespace jax_oneshot

#endif  // XLA_PASS_REWRITE_SPLICE_H_
