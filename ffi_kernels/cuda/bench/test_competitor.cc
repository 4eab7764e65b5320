// SPDX-License-Identifier: Apache-2.0
// A competitor library for tests: one kernel that supports 2 ranks only and whose launch fails on rank 1.
#include <cstdio>

#include "ffi_kernels/cuda/bench/competitor.h"

namespace {
int state;
}  // namespace

extern "C" {

int jax_oneshot_competitor_count() { return 1; }

const char* jax_oneshot_competitor_name(int) { return "somebody's kernel 1.0"; }

void* jax_oneshot_competitor_open(int, const JaxOneshotCompetitorShape* shape, char* why, size_t why_size) {
  if (shape->ranks == 2) return &state;
  std::snprintf(why, why_size, "takes 2 ranks, not %d", shape->ranks);
  return nullptr;
}

#ifndef WITHOUT_LAUNCH
int jax_oneshot_competitor_launch(void*, int rank, void*, const JaxOneshotCompetitorBuffers*) {
  return rank == 1 ? 719 : 0;
}
#endif

void jax_oneshot_competitor_close(void*) {}

}  // extern "C"
