// In:  JAX_ONESHOT_LOOPS, the name of the table to define (the build compiles this file once per instruction set).
// Out: that table. See loops.h.
//
// Nothing here may instantiate an inline function of the standard library: its one copy in the final binary could
// then be the one compiled for an instruction set that the machine lacks. Hence the builtins, and hence only
// internal linkage beside the table itself.
#include "ffi_kernels/cpu/loops.h"
#include "ffi_kernels/cpu/loops_convert.inc"
#include "ffi_kernels/cpu/loops_map.inc"

namespace jax_oneshot {
namespace {

struct Sum {
  template <typename Real>
  using Wide = double;  // what a row is added up in
  template <typename T>
  static T First(T a) {
    return T(0) + a;  // a sum is never -0
  }
  template <typename T>
  static T Apply(T a, T b) {
    return a + b;
  }
};
// A NaN on either side stays a NaN, as in HLO.
struct Max {
  template <typename Real>
  using Wide = Real;
  template <typename T>
  static T First(T a) {
    return a;
  }
  template <typename T>
  static T Apply(T a, T b) {
    return (a > b || a != a) ? a : b;
  }
};
struct Min {
  template <typename Real>
  using Wide = Real;
  template <typename T>
  static T First(T a) {
    return a;
  }
  template <typename T>
  static T Apply(T a, T b) {
    return (a < b || a != a) ? a : b;
  }
};

// out[i] = first ? x0 . x1 . ... : out[i] . x0 . x1 ..., left to right.
template <typename Real, typename Type, typename Fold, int kRanks, bool kFirst>
void FoldRanks(const void* const* ranks, int64_t first, Real* __restrict out, int64_t n) {
  const typename Type::Bits* in[kRanks];
  for (int r = 0; r < kRanks; ++r) in[r] = static_cast<const typename Type::Bits*>(ranks[r]) + first;
  for (int64_t i = 0; i < n; ++i) {
    Real x = Type::Widen(in[0][i]);
    x = kFirst ? Fold::First(x) : Fold::Apply(out[i], x);
#pragma GCC unroll 8
    for (int r = 1; r < kRanks; ++r) x = Fold::Apply(x, static_cast<Real>(Type::Widen(in[r][i])));
    out[i] = x;
  }
}

template <typename Real, typename Type, typename Fold, bool kFirst>
void FoldSome(const void* const* ranks, int count, int64_t first, Real* out, int64_t n) {
  switch (count) {
    case 8:
      return FoldRanks<Real, Type, Fold, 8, kFirst>(ranks, first, out, n);
    case 4:
      return FoldRanks<Real, Type, Fold, 4, kFirst>(ranks, first, out, n);
    case 2:
      return FoldRanks<Real, Type, Fold, 2, kFirst>(ranks, first, out, n);
    default:
      return FoldRanks<Real, Type, Fold, 1, kFirst>(ranks, first, out, n);
  }
}

template <typename Real, typename Type, typename Fold>
void Combine(const void* const* ranks, int count, int64_t first, void* real, int64_t n) {
  auto* out = static_cast<Real*>(real);
  const auto step = [](int left) { return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1; };
  int done = step(count);
  FoldSome<Real, Type, Fold, true>(ranks, done, first, out, n);
  while (done < count) {
    const int now = step(count - done);
    FoldSome<Real, Type, Fold, false>(ranks + done, now, first, out, n);
    done += now;
  }
}

// 32 partial results side by side, then a tree: one fixed order for every instruction set.
template <typename Real, typename Fold>
double Reduce(double so_far, const void* real, int64_t n) {
  using Wide = typename Fold::template Wide<Real>;
  const auto* in = static_cast<const Real*>(real);
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

template <typename Real, typename Type>
void WidenLoop(const void* in, int64_t first, void* real, int64_t n) {
  const auto* from = static_cast<const typename Type::Bits*>(in) + first;
  Real* __restrict out = static_cast<Real*>(real);
  for (int64_t i = 0; i < n; ++i) out[i] = Type::Widen(from[i]);
}

template <typename Real, typename Type>
void NarrowLoop(const void* real, void* out, int64_t first, int64_t n) {
  const Real* __restrict in = static_cast<const Real*>(real);
  auto* to = static_cast<typename Type::Bits*>(out) + first;
  for (int64_t i = 0; i < n; ++i) to[i] = Type::Narrow(static_cast<float>(in[i]));
}

template <typename Real, typename Type>
void RoundLoop(void* real, int64_t n) {
  auto* x = static_cast<Real*>(real);
  for (int64_t i = 0; i < n; ++i) x[i] = Type::Round(static_cast<float>(x[i]));
}

template <typename Real>
void FillLoop(void* real, double x, int64_t n) {
  auto* out = static_cast<Real*>(real);
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<Real>(x);
}

template <typename Real>
void SplatLoop(void* real, const void* one, int64_t n) {
  auto* out = static_cast<Real*>(real);
  const Real x = *static_cast<const Real*>(one);
  for (int64_t i = 0; i < n; ++i) out[i] = x;
}

template <typename Real, typename Type>
constexpr void FillType(Loops* loops, DType dtype) {
  const int d = static_cast<int>(dtype);
  loops->widen[d] = WidenLoop<Real, Type>;
  loops->narrow[d] = NarrowLoop<Real, Type>;
  loops->round[d] = RoundLoop<Real, Type>;
}

template <typename Real, typename Type>
constexpr void FillFloatType(Loops* loops, DType dtype) {
  FillType<Real, Type>(loops, dtype);
  const int d = static_cast<int>(dtype);
  loops->combine[0][d] = Combine<Real, Type, Sum>;
  loops->combine[1][d] = Combine<Real, Type, Max>;
  loops->combine[2][d] = Combine<Real, Type, Min>;
}

template <typename Real>
constexpr Loops MakeLoops(const char* name, const Loops* in_double) {
  Loops loops = {};
  loops.name = name;
  loops.real_bytes = sizeof(Real);
  loops.in_double = in_double;
  FillType<Real, Pred>(&loops, DType::kPred);
  FillFloatType<Real, BF16>(&loops, DType::kBF16);
  FillFloatType<Real, F16>(&loops, DType::kF16);
  FillFloatType<Real, F32>(&loops, DType::kF32);
  FillFloatType<Real, F8E4M3FN>(&loops, DType::kF8E4M3FN);
  FillFloatType<Real, F8E5M2>(&loops, DType::kF8E5M2);
  loops.round[static_cast<int>(DType::kF32)] = nullptr;
  loops.reduce[0] = Reduce<Real, Sum>;
  loops.reduce[1] = Reduce<Real, Max>;
  loops.reduce[2] = Reduce<Real, Min>;
  loops.fill = FillLoop<Real>;
  loops.splat = SplatLoop<Real>;
  FillMaps<Real>(&loops);
  return loops;
}

}  // namespace

#define JAX_ONESHOT_TEXT_(x) #x
#define JAX_ONESHOT_TEXT(x) JAX_ONESHOT_TEXT_(x)

const Loops& JAX_ONESHOT_LOOPS();
const Loops& JAX_ONESHOT_LOOPS() {
  static constexpr Loops kInDouble = MakeLoops<double>(JAX_ONESHOT_TEXT(JAX_ONESHOT_LOOPS) " in double", nullptr);
  static constexpr Loops kLoops = MakeLoops<float>(JAX_ONESHOT_TEXT(JAX_ONESHOT_LOOPS), &kInDouble);
  return kLoops;
}

}  // namespace jax_oneshot
