// SPDX-License-Identifier: Apache-2.0
// The loops of loops.h. The build compiles this file once per instruction set; JAX_ONESHOT_LOOPS is the name of the
// table to define.
// Nothing here may instantiate an inline function of the standard library: the linker keeps one copy of it, possibly
// the one compiled for an instruction set that the machine lacks. Hence the builtins, and internal linkage for
// everything except the table itself.
#include "ffi_kernels/cpu/loops.h"
#include "ffi_kernels/cpu/loops_convert.inc"
#include "ffi_kernels/cpu/loops_map.inc"

namespace jax_oneshot {
namespace {

struct Sum {
  using Wide = double;  // accumulator of a row sum
  template <typename T>
  static T First(T a) {
    return T(0) + a;  // a sum is never -0
  }
  template <typename T>
  static T Apply(T a, T b) {
    return a + b;
  }
};
// Over a row: a NaN on either side gives a NaN, as in HLO.
struct Max {
  using Wide = float;
  template <typename T>
  static T Apply(T a, T b) {
    return (a > b || a != a) ? a : b;
  }
};
struct Min {
  using Wide = float;
  template <typename T>
  static T Apply(T a, T b) {
    return (a < b || a != a) ? a : b;
  }
};
// Over ranks: NaNs are skipped, as in XLA:CPU's all-reduce.
struct RankMax {
  static float First(float a) { return Apply(-__builtin_inff(), a); }
  static float Apply(float a, float b) { return a < b ? b : a; }
};
struct RankMin {
  static float First(float a) { return Apply(__builtin_inff(), a); }
  static float Apply(float a, float b) { return b < a ? b : a; }
};

// out[i] = first ? x0 . x1 . ... : out[i] . x0 . x1 ..., left to right.
template <typename Type, typename Fold, int kRanks, bool kFirst>
void FoldRanks(const void* const* ranks, int64_t first, float* __restrict out, int64_t n) {
  const typename Type::Bits* in[kRanks];
  for (int r = 0; r < kRanks; ++r) in[r] = static_cast<const typename Type::Bits*>(ranks[r]) + first;
  for (int64_t i = 0; i < n; ++i) {
    float x = Type::Widen(in[0][i]);
    x = kFirst ? Fold::First(x) : Fold::Apply(out[i], x);
#pragma GCC unroll 8
    for (int r = 1; r < kRanks; ++r) x = Fold::Apply(x, Type::Widen(in[r][i]));
    out[i] = x;
  }
}

template <typename Type, typename Fold, bool kFirst>
void FoldSome(const void* const* ranks, int count, int64_t first, float* out, int64_t n) {
  switch (count) {
    case 8:
      return FoldRanks<Type, Fold, 8, kFirst>(ranks, first, out, n);
    case 4:
      return FoldRanks<Type, Fold, 4, kFirst>(ranks, first, out, n);
    case 2:
      return FoldRanks<Type, Fold, 2, kFirst>(ranks, first, out, n);
    default:
      return FoldRanks<Type, Fold, 1, kFirst>(ranks, first, out, n);
  }
}

template <typename Type, typename Fold>
void Combine(const void* const* ranks, int count, int64_t first, float* out, int64_t n) {
  const auto step = [](int left) { return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1; };
  int done = step(count);
  FoldSome<Type, Fold, true>(ranks, done, first, out, n);
  while (done < count) {
    const int now = step(count - done);
    FoldSome<Type, Fold, false>(ranks + done, now, first, out, n);
    done += now;
  }
}

// 32 partial results side by side, then a tree: the same order for every instruction set.
template <typename Fold>
double Reduce(double so_far, const float* in, int64_t n) {
  using Wide = typename Fold::Wide;
  constexpr int kLanes = 32;
  if (n < kLanes) {
    for (int64_t i = 0; i < n; ++i) so_far = Fold::template Apply<double>(so_far, in[i]);
    return so_far;
  }
  Wide lanes[kLanes];
  for (int j = 0; j < kLanes; ++j) lanes[j] = in[j];
  int64_t i = kLanes;
  for (; i + kLanes <= n; i += kLanes) {
    for (int j = 0; j < kLanes; ++j) lanes[j] = Fold::template Apply<Wide>(lanes[j], in[i + j]);
  }
  for (int j = 0; i + j < n; ++j) lanes[j] = Fold::template Apply<Wide>(lanes[j], in[i + j]);
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int j = 0; j < half; ++j) lanes[j] = Fold::template Apply<Wide>(lanes[j], lanes[j + half]);
  }
  return Fold::template Apply<double>(so_far, lanes[0]);
}

template <typename Type>
void WidenLoop(const void* in, int64_t first, float* __restrict out, int64_t n) {
  const auto* from = static_cast<const typename Type::Bits*>(in) + first;
  for (int64_t i = 0; i < n; ++i) out[i] = Type::Widen(from[i]);
}

template <typename Type>
void NarrowLoop(const float* __restrict in, void* out, int64_t first, int64_t n) {
  auto* to = static_cast<typename Type::Bits*>(out) + first;
  for (int64_t i = 0; i < n; ++i) to[i] = Type::Narrow(in[i]);
}

template <typename Type>
void RoundLoop(float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = Type::Round(x[i]);
}

void FillLoop(float* out, float x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = x;
}

template <typename Type>
constexpr void FillType(Loops* loops, DType dtype) {
  const int d = static_cast<int>(dtype);
  loops->widen[d] = WidenLoop<Type>;
  loops->narrow[d] = NarrowLoop<Type>;
  loops->round[d] = RoundLoop<Type>;
}

template <typename Type>
constexpr void FillFloatType(Loops* loops, DType dtype) {
  FillType<Type>(loops, dtype);
  const int d = static_cast<int>(dtype);
  loops->combine[0][d] = Combine<Type, Sum>;
  loops->combine[1][d] = Combine<Type, RankMax>;
  loops->combine[2][d] = Combine<Type, RankMin>;
}

constexpr Loops MakeLoops(const char* name) {
  Loops loops = {};
  loops.name = name;
  FillType<Pred>(&loops, DType::kPred);
  FillFloatType<BF16>(&loops, DType::kBF16);
  FillFloatType<F16>(&loops, DType::kF16);
  FillFloatType<F32>(&loops, DType::kF32);
  FillFloatType<F8E4M3FN>(&loops, DType::kF8E4M3FN);
  FillFloatType<F8E5M2>(&loops, DType::kF8E5M2);
  loops.round[static_cast<int>(DType::kF32)] = nullptr;
  loops.reduce[0] = Reduce<Sum>;
  loops.reduce[1] = Reduce<Max>;
  loops.reduce[2] = Reduce<Min>;
  loops.fill = FillLoop;
  FillMaps(&loops);
  return loops;
}

}  // namespace

#define JAX_ONESHOT_TEXT_(x) #x
#define JAX_ONESHOT_TEXT(x) JAX_ONESHOT_TEXT_(x)

const Loops& JAX_ONESHOT_LOOPS();
const Loops& JAX_ONESHOT_LOOPS() {
  static constexpr Loops kLoops = MakeLoops(JAX_ONESHOT_TEXT(JAX_ONESHOT_LOOPS));
  return kLoops;
}

}  // namespace jax_oneshot
