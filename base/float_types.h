// SPDX-License-Identifier: Apache-2.0
// Conversions between narrow float types (bf16, f16, f8) and f32, rounding to nearest even. Scalar and portable: the
// reference that the SIMD and CUDA conversions are tested against.
#ifndef BASE_FLOAT_TYPES_H_
#define BASE_FLOAT_TYPES_H_

#include <cstdint>

namespace jax_oneshot {

float BF16ToF32(uint16_t bits);
uint16_t F32ToBF16(float value);  // NaN becomes a quiet NaN
float F16ToF32(uint16_t bits);
uint16_t F32ToF16(float value);
float F8E4M3FNToF32(uint8_t bits);   // no infinities; 0x7f and 0xff are NaN
uint8_t F32ToF8E4M3FN(float value);  // larger magnitudes become NaN, as in XLA
float F8E5M2ToF32(uint8_t bits);
uint8_t F32ToF8E5M2(float value);

}  // namespace jax_oneshot

#endif  // BASE_FLOAT_TYPES_H_
