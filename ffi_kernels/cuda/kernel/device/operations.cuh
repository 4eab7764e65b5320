// SPDX-License-Identifier: Apache-2.0
// Row program operations on f32 that CUDA C++ has no operator or function for, as defined by row_program/scalar_ops.cc.

// NaN if either operand is NaN.
__device__ inline float Maximum(float x, float y) {
  float result;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(x), "f"(y));
  return result;
}
__device__ inline float Minimum(float x, float y) {
  float result;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(x), "f"(y));
  return result;
}

// If low > high, high wins.
__device__ inline float Clamp(float low, float x, float high) { return Minimum(Maximum(low, x), high); }

__device__ inline float Sign(float x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : x; }
__device__ inline float Logistic(float x) { return 1.0f / (1.0f + expf(-x)); }
__device__ inline bool IsFinite(float x) { return fabsf(x) < __uint_as_float(0x7f800000); }
__device__ inline float FloatOfBits(unsigned bits) { return __uint_as_float(bits); }
