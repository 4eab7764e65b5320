// SPDX-License-Identifier: Apache-2.0
// Implementation of keep_freed_memory.h.
#include "ffi_kernels/cpu/keep_freed_memory.h"

#include <cstdlib>
#include <initializer_list>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace jax_oneshot {

bool KeepFreedMemory() {
#if defined(__GLIBC__)
  for (const char* variable : {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"}) {
    if (std::getenv(variable) != nullptr) return false;
  }
  return mallopt(M_MMAP_THRESHOLD, static_cast<int>(kLargestKeptBlock)) == 1 &&
         mallopt(M_TRIM_THRESHOLD, static_cast<int>(kKeptBytes)) == 1;
#else
  return false;
#endif
}

}  // namespace jax_oneshot
