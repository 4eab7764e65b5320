// SPDX-License-Identifier: Apache-2.0
// The branch-free conversions against base/float_types.h, and the loop tables against each other.
#include "ffi_kernels/cpu/loops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "base/float_types.h"

namespace jax_oneshot {
namespace {

constexpr DType kAll[] = {DType::kPred, DType::kBF16, DType::kF16, DType::kF32, DType::kF8E4M3FN, DType::kF8E5M2};

bool Same(float a, float b) { return (std::isnan(a) && std::isnan(b)) || std::memcmp(&a, &b, sizeof a) == 0; }

float Reference(DType dtype, uint32_t bits) {
  switch (dtype) {
    case DType::kBF16:
      return BF16ToF32(static_cast<uint16_t>(bits));
    case DType::kF16:
      return F16ToF32(static_cast<uint16_t>(bits));
    case DType::kF8E4M3FN:
      return F8E4M3FNToF32(static_cast<uint8_t>(bits));
    case DType::kF8E5M2:
      return F8E5M2ToF32(static_cast<uint8_t>(bits));
    default:
      return bits != 0;
  }
}

TEST(Loops, WidenAndNarrowEveryCodeOfEveryNarrowType) {
  for (const Loops* loops : UsableLoops()) {
    for (const DType dtype : {DType::kBF16, DType::kF16, DType::kF8E4M3FN, DType::kF8E5M2}) {
      const uint32_t codes = DTypeBytes(dtype) == 1 ? 0x100 : 0x10000;
      for (uint32_t code = 0; code < codes; ++code) {
        float wide;
        loops->widen[static_cast<int>(dtype)](&code, 0, &wide, 1);
        ASSERT_TRUE(Same(wide, Reference(dtype, code))) << loops->name << " " << DTypeName(dtype) << " " << code;
        if (std::isnan(wide)) continue;
        uint32_t back = 0;
        loops->narrow[static_cast<int>(dtype)](&wide, &back, 0, 1);
        ASSERT_EQ(back, code) << loops->name << " " << DTypeName(dtype);
      }
    }
  }
}

// Values at and around the limits of every type, and random bits.
std::vector<float> Samples() {
  std::vector<float> samples = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-40f, 3.4e38f};
  for (int exponent = -30; exponent < 20; ++exponent) {
    for (int eighths = 128; eighths < 257; ++eighths) {
      for (const float sign : {1.0f, -1.0f}) {
        const float x = sign * std::ldexp(static_cast<float>(eighths), exponent - 7);
        samples.insert(samples.end(), {x, std::nextafter(x, 0.0f), std::nextafter(x, 1e30f)});
      }
    }
  }
  std::mt19937 random(1);
  for (int i = 0; i < 200000; ++i) {
    const auto bits = static_cast<uint32_t>(random());
    float x;
    std::memcpy(&x, &bits, sizeof x);
    samples.push_back(x);
  }
  return samples;
}

TEST(Loops, RoundToTheNearestNumberOfEveryType) {
  const std::vector<float> samples = Samples();
  for (const Loops* loops : UsableLoops()) {
    for (const DType dtype : kAll) {
      if (dtype == DType::kF32) continue;
      std::vector<float> rounded = samples;
      loops->round[static_cast<int>(dtype)](rounded.data(), static_cast<int64_t>(rounded.size()));
      for (size_t i = 0; i < samples.size(); ++i) {
        ASSERT_TRUE(Same(rounded[i], RoundToDType(dtype, samples[i])))
            << loops->name << " " << DTypeName(dtype) << " " << samples[i] << " -> " << rounded[i];
      }
    }
  }
}

TEST(Loops, ReduceInTheSameOrderWhateverTheTable) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  std::vector<float> x(1031);
  for (float& v : x) v = normal(random);
  for (int64_t n = 1; n < static_cast<int64_t>(x.size()); n = n * 3 / 2 + 1) {
    for (int which = 0; which < 3; ++which) {
      const double first = BaselineLoops().reduce[which](ReduceIdentity(which), x.data(), n);
      for (const Loops* loops : UsableLoops()) {
        EXPECT_EQ(loops->reduce[which](ReduceIdentity(which), x.data(), n), first) << loops->name << " " << n;
      }
    }
  }
}

TEST(Loops, AddUpARowInDouble) {
  std::vector<float> x(1000, 1.0f);
  x[0] = 33554432.0f;  // 2^25: adding 1 to it in f32 changes nothing
  for (const Loops* loops : UsableLoops()) {
    EXPECT_EQ(loops->reduce[0](ReduceIdentity(0), x.data(), 1000), 33554432.0 + 999) << loops->name;
    EXPECT_EQ(loops->reduce[0](33554432.0, x.data() + 1, 7), 33554432.0 + 7) << loops->name;
  }
}

TEST(Loops, CarryANaNThroughMaximaWhereverItStands) {
  for (const Loops* loops : UsableLoops()) {
    for (const size_t at : {0u, 5u, 64u, 100u, 129u}) {
      std::vector<float> x(130, 1.0f);
      x[at] = NAN;
      EXPECT_TRUE(std::isnan(loops->reduce[1](ReduceIdentity(1), x.data(), 130))) << loops->name << " " << at;
      EXPECT_TRUE(std::isnan(loops->reduce[2](ReduceIdentity(2), x.data(), 130))) << loops->name << " " << at;
    }
  }
}

TEST(Loops, HaveAnEntryForEveryElementwiseOperation) {
  for (const OpFact& fact : OpTable()) {
    const bool elementwise = fact.family != OpFamily::kSource && fact.family != OpFamily::kBroadcast &&
                             fact.family != OpFamily::kReduction && fact.op != Op::kCompare;
    for (const Loops* loops : UsableLoops()) {
      EXPECT_EQ(loops->map[static_cast<int>(fact.op)] != nullptr, elementwise) << fact.name;
    }
  }
}

}  // namespace
}  // namespace jax_oneshot
