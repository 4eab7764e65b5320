// SPDX-License-Identifier: Apache-2.0
// Implementation of loops.h.
#include "ffi_kernels/cpu/loops.h"

#include <limits>

#include "ffi_kernels/cpu/cpu_features.h"

namespace jax_oneshot {

#ifdef JAX_ONESHOT_X86_LOOPS  // set by the build, which then also links these
const Loops& Avx2Loops();
const Loops& Avx512Loops();
#endif

std::vector<const Loops*> UsableLoops() {
  std::vector<const Loops*> usable = {&BaselineLoops()};
#ifdef JAX_ONESHOT_X86_LOOPS
  const CpuFeatures cpu = DetectCpuFeatures();
  if (!cpu.fma) return usable;
  if (cpu.avx2) usable.push_back(&Avx2Loops());
  if (cpu.avx512f && cpu.avx512bw && cpu.avx512dq && cpu.avx512vl) usable.push_back(&Avx512Loops());
#endif
  return usable;
}

const Loops& BestLoops() { return *UsableLoops().back(); }

double ReduceIdentity(int which) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return which == 0 ? 0.0 : which == 1 ? -kInfinity : kInfinity;
}

}  // namespace jax_oneshot
