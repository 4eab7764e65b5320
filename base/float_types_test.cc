// SPDX-License-Identifier: Apache-2.0
// Tests the conversions for every code of every narrow type, and at the midpoints between neighbouring codes.
#include "base/float_types.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

namespace jax_oneshot {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Type {
  const char* name;
  uint32_t codes;
  uint32_t max_finite;
  float (*widen)(uint32_t);
  uint32_t (*narrow)(float);
};

const Type kTypes[] = {
    {"bf16", 0x10000, 0x7f7f, [](uint32_t c) { return BF16ToF32(static_cast<uint16_t>(c)); },
     [](float v) { return uint32_t{F32ToBF16(v)}; }},
    {"f16", 0x10000, 0x7bff, [](uint32_t c) { return F16ToF32(static_cast<uint16_t>(c)); },
     [](float v) { return uint32_t{F32ToF16(v)}; }},
    {"f8e4m3fn", 0x100, 0x7e, [](uint32_t c) { return F8E4M3FNToF32(static_cast<uint8_t>(c)); },
     [](float v) { return uint32_t{F32ToF8E4M3FN(v)}; }},
    {"f8e5m2", 0x100, 0x7b, [](uint32_t c) { return F8E5M2ToF32(static_cast<uint8_t>(c)); },
     [](float v) { return uint32_t{F32ToF8E5M2(v)}; }},
};

TEST(FloatTypes, ReadsTheNumbersItsFormatsAreKnownBy) {
  EXPECT_EQ(BF16ToF32(0x3f80), 1.0f);
  EXPECT_EQ(F16ToF32(0x3c00), 1.0f);
  EXPECT_EQ(F16ToF32(0x7bff), 65504.0f);
  EXPECT_EQ(F16ToF32(0x0001), 0x1p-24f);
  EXPECT_EQ(F8E4M3FNToF32(0x38), 1.0f);
  EXPECT_EQ(F8E4M3FNToF32(0x7e), 448.0f);
  EXPECT_EQ(F8E4M3FNToF32(0x01), 0x1p-9f);
  EXPECT_EQ(F8E5M2ToF32(0x3c), 1.0f);
  EXPECT_EQ(F8E5M2ToF32(0x7b), 57344.0f);
  EXPECT_EQ(F8E5M2ToF32(0xfc), -kInf);
}

TEST(FloatTypes, GivesEveryNumberItsOwnCodeBack) {
  for (const Type& type : kTypes) {
    for (uint32_t code = 0; code < type.codes; ++code) {
      const float value = type.widen(code);
      if (std::isnan(value)) {
        EXPECT_TRUE(std::isnan(type.widen(type.narrow(value)))) << type.name << " code " << code;
      } else {
        EXPECT_EQ(type.narrow(value), code) << type.name;
      }
    }
  }
}

TEST(FloatTypes, RoundsMidpointsToTheEvenCodeAndTheirNeighboursToTheNearest) {
  for (const Type& type : kTypes) {
    for (uint32_t code = 0; code < type.max_finite; ++code) {
      const float low = type.widen(code);
      const float high = type.widen(code + 1);
      const float middle = low + (high - low) / 2;  // exact: needs at most one more bit than the type has
      EXPECT_EQ(type.narrow(middle), code % 2 == 0 ? code : code + 1) << type.name;
      EXPECT_EQ(type.narrow(std::nextafter(middle, -kInf)), code) << type.name;
      EXPECT_EQ(type.narrow(std::nextafter(middle, kInf)), code + 1) << type.name;
      EXPECT_EQ(type.narrow(-middle), type.narrow(middle) | (type.codes / 2)) << type.name;
    }
  }
}

TEST(FloatTypes, OverflowsToInfinityWhereTheFormatHasOne) {
  EXPECT_EQ(F32ToF16(65519.99f), 0x7bff);
  EXPECT_EQ(F32ToF16(65520.0f), 0x7c00);
  EXPECT_EQ(F32ToF8E5M2(61439.99f), 0x7b);
  EXPECT_EQ(F32ToF8E5M2(61440.0f), 0x7c);
  EXPECT_EQ(F32ToF8E5M2(-kInf), 0xfc);
  EXPECT_EQ(F32ToBF16(std::numeric_limits<float>::max()), 0x7f80);
}

TEST(FloatTypes, OverflowsToNaNWhereTheFormatHasNoInfinity) {
  EXPECT_EQ(F32ToF8E4M3FN(464.0f), 0x7e);
  EXPECT_EQ(F32ToF8E4M3FN(464.01f), 0x7f);
  EXPECT_EQ(F32ToF8E4M3FN(kInf), 0x7f);
  EXPECT_EQ(F32ToF8E4M3FN(-kInf), 0xff);
}

TEST(FloatTypes, KeepsNaNANaNAndTheSignOfZero) {
  const uint32_t signalling_bits = 0x7f800001;
  float signalling;
  static_assert(sizeof signalling == sizeof signalling_bits, "f32 is 32 bits");
  __builtin_memcpy(&signalling, &signalling_bits, sizeof signalling);
  for (const Type& type : kTypes) {
    EXPECT_TRUE(std::isnan(type.widen(type.narrow(kNaN)))) << type.name;
    EXPECT_TRUE(std::isnan(type.widen(type.narrow(signalling)))) << type.name;
    EXPECT_EQ(type.narrow(-0.0f), type.codes / 2) << type.name;
  }
}

TEST(FloatTypes, RoundsF32SubnormalsToZeroInTypesOfLessRange) {
  const float tiny = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(F32ToF16(tiny), 0);
  EXPECT_EQ(F32ToF8E4M3FN(-tiny), 0x80);
  EXPECT_EQ(F32ToBF16(0x1p-133f), 1) << "bf16 has f32's range: its smallest subnormal is 2^-133";
}

}  // namespace
}  // namespace jax_oneshot
