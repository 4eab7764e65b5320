// SPDX-License-Identifier: Apache-2.0
// Copies computations, including everything that they call, under new names and ids: XLA requires a computation of its
// own for every fusion, and the pass for every reduction that it moves.
//
//   %fused { %p = f32[8] parameter(0); ROOT %n = negate(%p) }
//   ->
//   %fused.jax_oneshot.4 { %jax_oneshot_copy.5 = f32[8] parameter(0); ROOT %jax_oneshot_copy.6 = negate(..) }
#ifndef XLA_PASS_ROTATE_COMPUTATION_COPIES_H_
#define XLA_PASS_ROTATE_COMPUTATION_COPIES_H_

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "xla_pass/hlo_view/hlo_view.h"
#include "xla_pass/rewrite/new_ids.h"

namespace jax_oneshot {

class ComputationCopies {
 public:
  ComputationCopies(const hlo::Module& module, NewIds* ids) : module_(module), ids_(*ids) {}

  // Copies the callees of `caller` and returns the ids of the copies.
  std::vector<int64_t> CopyCalled(const hlo::Instruction& caller);
  // Serialized, callees before callers.
  const std::deque<std::string>& copies() const { return copies_; }

 private:
  int64_t Copy(const hlo::Computation& computation);

  const hlo::Module& module_;
  NewIds& ids_;
  std::deque<std::string> copies_;
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROTATE_COMPUTATION_COPIES_H_
