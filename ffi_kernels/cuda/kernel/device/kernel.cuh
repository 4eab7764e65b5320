// In:  all the above, and RunProgram, the generated part. Out: the kernel.
//
//   read the epoch -> RunProgram: push own rows to all peers, restore the sentinels of the slot before, wait, combine,
//   epilogue, store -> count the epoch

#if ONESHOT_CLUSTER
#define ONESHOT_CLUSTER_DIMS __cluster_dims__(kBlocksPerRow, 1, 1)
#else
#define ONESHOT_CLUSTER_DIMS
#endif

extern "C" __global__ void ONESHOT_CLUSTER_DIMS __launch_bounds__(kThreadsPerRow* kRowsPerBlock,
                                                                  kBlocksPerMultiprocessor)
    oneshot_kernel(const __grid_constant__ Parameters p) {
  // The launch may overtake the end of the kernel before it in the stream. Nothing is read or written before that one
  // has ended and its stores are performed; and nothing tells a kernel after this one to start earlier than it would.
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
  const Slot slot = Slot::Current(p);
  RunProgram(p, Place::Here(), slot);
  CountEpoch(p, slot);
}
