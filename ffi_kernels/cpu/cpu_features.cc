// SPDX-License-Identifier: Apache-2.0
// CPUID and XGETBV, as in chapter 15.3 of Intel's manual, volume 1 (detecting AVX, AVX2 and AVX-512).
#include "ffi_kernels/cpu/cpu_features.h"

#ifdef __x86_64__
#include <cpuid.h>

#include <cstdint>
#endif

namespace jax_oneshot {

#ifdef __x86_64__
namespace {

constexpr uint32_t kXmmAndYmm = 0x06;  // XCR0: the operating system saves XMM and the upper halves of YMM
constexpr uint32_t kZmm = 0xe0;        // XCR0: ... the opmasks and all of ZMM

bool Has(uint32_t word, int bit) { return ((word >> bit) & 1) != 0; }

// Register XCR0's low half. Only where CPUID says OSXSAVE.
uint32_t SavedRegisters() {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

}  // namespace

CpuFeatures DetectCpuFeatures() {
  CpuFeatures features;
  uint32_t a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return features;
  if (!Has(c, 27) || (SavedRegisters() & kXmmAndYmm) != kXmmAndYmm) return features;  // 27: OSXSAVE
  features.fma = Has(c, 12);
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return features;
  features.avx2 = Has(b, 5);
  if ((SavedRegisters() & kZmm) != kZmm) return features;
  features.avx512f = Has(b, 16);
  features.avx512dq = Has(b, 17);
  features.avx512bw = Has(b, 30);
  features.avx512vl = Has(b, 31);
  return features;
}

#else

CpuFeatures DetectCpuFeatures() { return {}; }

#endif

}  // namespace jax_oneshot
