// SPDX-License-Identifier: Apache-2.0
// Implementation of float_types.h.
#include "base/float_types.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace jax_oneshot {
namespace {

// Layout of a float type, from high to low bits: sign (one bit), exponent, mantissa.
struct Format {
  int exponent_bits;
  int mantissa_bits;
  uint32_t max_finite;  // encoding of the largest finite value
  uint32_t overflow;    // encoding for larger magnitudes: infinity, or NaN if the type has no infinity
  uint32_t nan;         // encoding of the quiet NaN
};

constexpr Format kF16Format = {5, 10, 0x7bff, 0x7c00, 0x7e00};
constexpr Format kE4M3FNFormat = {4, 3, 0x7e, 0x7f, 0x7f};
constexpr Format kE5M2Format = {5, 2, 0x7b, 0x7c, 0x7e};

constexpr int Bias(const Format& format) { return (1 << (format.exponent_bits - 1)) - 1; }

uint32_t ToBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

float FromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// `value` / 2^shift, rounded to the nearest integer, ties to even. `value` has at most 24 bits.
uint32_t ShiftRightToEven(uint32_t value, int shift) {
  if (shift > 25) return 0;  // below half an ulp for any value
  const uint32_t half = uint32_t{1} << (shift - 1);
  const uint32_t odd = (value >> shift) & 1;
  return (value + half - 1 + odd) >> shift;
}

float Widen(uint32_t bits, const Format& format) {
  const uint32_t sign = bits >> (format.exponent_bits + format.mantissa_bits);
  const uint32_t code = bits & ((uint32_t{1} << (format.exponent_bits + format.mantissa_bits)) - 1);
  const uint32_t mantissa = code & ((uint32_t{1} << format.mantissa_bits) - 1);
  const int exponent = static_cast<int>(code >> format.mantissa_bits);
  const uint32_t hidden = exponent == 0 ? 0 : uint32_t{1} << format.mantissa_bits;
  const int scale = (exponent == 0 ? 1 : exponent) - Bias(format) - format.mantissa_bits;
  float magnitude = std::ldexp(static_cast<float>(mantissa | hidden), scale);
  if (code > format.max_finite) {
    const bool infinite = code == format.overflow && format.overflow != format.nan;
    magnitude = infinite ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  }
  return sign ? -magnitude : magnitude;
}

uint32_t NarrowMagnitude(uint32_t f32_code, const Format& format) {
  if (f32_code > 0x7f800000) return format.nan;
  if (f32_code == 0x7f800000) return format.overflow;
  // An f32 subnormal is far below half of the smallest value of any narrow type; treated as a normal number with the
  // same exponent field, it still rounds to zero.
  const int exponent = static_cast<int>(f32_code >> 23) - 127 + Bias(format);
  const uint32_t mantissa = (f32_code & 0x7fffff) | 0x800000;
  const int shift = 23 - format.mantissa_bits;
  if (exponent <= 0) return ShiftRightToEven(mantissa, shift + 1 - exponent);
  // Adding the hidden bit to exponent - 1 lets a carry out of the mantissa increment the exponent.
  const uint32_t code =
      (static_cast<uint32_t>(exponent - 1) << format.mantissa_bits) + ShiftRightToEven(mantissa, shift);
  return code > format.max_finite ? format.overflow : code;
}

uint32_t Narrow(float value, const Format& format) {
  const uint32_t bits = ToBits(value);
  const uint32_t sign = (bits >> 31) << (format.exponent_bits + format.mantissa_bits);
  return sign | NarrowMagnitude(bits & 0x7fffffff, format);
}

}  // namespace

float BF16ToF32(uint16_t bits) { return FromBits(static_cast<uint32_t>(bits) << 16); }

uint16_t F32ToBF16(float value) {
  const uint32_t bits = ToBits(value);
  // Rounding could carry a NaN into infinity: truncate instead, and set the quiet bit.
  if (std::isnan(value)) return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float F16ToF32(uint16_t bits) { return Widen(bits, kF16Format); }
uint16_t F32ToF16(float value) { return static_cast<uint16_t>(Narrow(value, kF16Format)); }
float F8E4M3FNToF32(uint8_t bits) { return Widen(bits, kE4M3FNFormat); }
uint8_t F32ToF8E4M3FN(float value) { return static_cast<uint8_t>(Narrow(value, kE4M3FNFormat)); }
float F8E5M2ToF32(uint8_t bits) { return Widen(bits, kE5M2Format); }
uint8_t F32ToF8E5M2(float value) { return static_cast<uint8_t>(Narrow(value, kE5M2Format)); }

}  // namespace jax_oneshot
