// SPDX-License-Identifier: Apache-2.0
// The kernel's entry point.
//
//   read the epoch -> RunProgram: push own rows to all peers, count the epoch, restore the previous slot's sentinels,
//   wait, combine, epilogue, store

#if ONESHOT_CLUSTER
#define ONESHOT_CLUSTER_DIMS __cluster_dims__(kBlocksPerRow, 1, 1)
#else
#define ONESHOT_CLUSTER_DIMS
#endif

extern "C" __global__ void ONESHOT_CLUSTER_DIMS __launch_bounds__(kThreadsPerRow* kRowsPerBlock,
                                                                  kBlocksPerMultiprocessor)
    oneshot_kernel(const __grid_constant__ Parameters p) {
  // Touches only this block's shared memory, so it need not wait.
  RowReducer reducer;
  reducer.Start();
  // The launch may overlap the end of the previous kernel in the stream. No buffer is read or written before that
  // kernel has ended and its stores are performed. This kernel never lets its successor launch early
  // (griddepcontrol.launch_dependents): one that does not wait would read results that are not stored yet. (H100, 25
  // November 2026, chains of calls of 2 ranks: triggering at the start would save up to 9 %, after the stores 0 to 5 %,
  // after the stores and a fence costs 14 %.)
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
  const Slot slot = Slot::Current(p);
  RunProgram(p, Place::Here(), slot, reducer);
}
