// Tunes glibc's allocator so that memory XLA:CPU frees after a step is reused by the next step.
//
// XLA:CPU allocates every device's temporary buffer anew for each execution. With blocking collectives each device
// frees it on a thread, and so in an arena, of its own; with one-shot calls all devices advance together and free
// theirs one after the other, which makes glibc hand the pages back to the kernel and fault them in again in the next
// step. Measured on 2026-11-23 (2 cores, AMD EPYC, glibc 2.36; 12-layer decoder, batch 1, 8 devices, 3.2 MB of
// temporaries each): 6,300 page faults a step, 26 ms; with the thresholds below none, 10 ms; without one-shot calls
// 13.6 ms.
#ifndef FFI_KERNELS_CPU_KEEP_FREED_MEMORY_H_
#define FFI_KERNELS_CPU_KEEP_FREED_MEMORY_H_

#include <cstddef>

namespace jax_oneshot {

// Blocks up to this size come from the heap, which can keep them; glibc takes no larger value.
inline constexpr size_t kLargestKeptBlock = size_t{32} << 20;
// Free memory at a heap's end that is kept before any goes back to the kernel.
inline constexpr size_t kKeptBytes = size_t{256} << 20;

// False where the allocator is not glibc's or the user tuned it (MALLOC_*_ or GLIBC_TUNABLES in the environment): then
// nothing is changed.
bool KeepFreedMemory();

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CPU_KEEP_FREED_MEMORY_H_
