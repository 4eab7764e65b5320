// SPDX-License-Identifier: Apache-2.0
// Generates RunProgram, the part of the kernel that depends on the row program: the exchanges and the math per row.
//
//   v1 (a0: sum bf16 row, a1: local bf16 row) { x0: bf16 row = all_reduce a0; x1: bf16 row = load a1;
//       x2: bf16 row = add x1, x0 } -> (x2: row)
//     ->
//   __device__ inline void RunProgram(const Parameters& p, const Place& place, const Slot& slot, RowReducer& reducer) {
//     Combined<BF16, Sum, 0, 16, 0, 8192> a0;
//     for (int step = 0; step < kRowSteps; ++step) {
//       const int row = place.Row(step);
//       a0.Push(p, place, row, slot);
//     }
//     CountEpoch(p, slot);
//     RestoreSentinels(p, slot);
//     for (int step = 0; step < kRowSteps; ++step) {
//       const int row = place.Row(step);
//       const Packed<BF16> x1 = LoadRow<BF16, 16>(p.inputs[1], place, row);
//       float x0[kElements];
//       a0.Receive<BF16>(p, place, row, slot, x0);
//       float x2[kElements];
//       ONESHOT_EACH(e) {
//         x2[e] = Round<BF16>(x1.At(e) + x0[e]);
//       }
//       StoreRow<BF16, 16>(p.outputs[0], place, row, [&](int e) { return x2[e]; });
//     }
//   }
//
// Values that vary over the width are computed in loops over a thread's elements, one loop from one row reduction to
// the next; a value is an array only if it is read outside its loop. Values that do not vary over rows are computed
// once, before the row loop.
#ifndef FFI_KERNELS_CUDA_KERNEL_GENERATE_BODY_H_
#define FFI_KERNELS_CUDA_KERNEL_GENERATE_BODY_H_

#include <string>

#include "ffi_kernels/cuda/kernel/launch_plan.h"
#include "row_program/row_program.h"

namespace jax_oneshot::cuda {

struct Body {
  std::string text;
  int most_reductions = 0;  // in one batch; 0: the program has no row reductions
};

// `program` is valid and `plan` was made for it.
Body GenerateBody(const RowProgram& program, const LaunchPlan& plan);

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_KERNEL_GENERATE_BODY_H_
