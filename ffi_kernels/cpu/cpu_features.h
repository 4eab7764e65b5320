// SPDX-License-Identifier: Apache-2.0
// What the CPU and the operating system let the loops use. __builtin_cpu_supports is not an option: with zig's run-time
// library, which the wheel is linked with, it denies every feature, and the loops would silently run at baseline speed.
#ifndef FFI_KERNELS_CPU_CPU_FEATURES_H_
#define FFI_KERNELS_CPU_CPU_FEATURES_H_

namespace jax_oneshot {

// True: instructions exist, and the operating system saves the registers they use.
struct CpuFeatures {
  bool fma = false;
  bool avx2 = false;
  bool avx512f = false;
  bool avx512bw = false;
  bool avx512dq = false;
  bool avx512vl = false;
};

// Asks the CPU this runs on. All false where it is not x86-64.
CpuFeatures DetectCpuFeatures();

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CPU_CPU_FEATURES_H_
