// SPDX-License-Identifier: Apache-2.0
// Element types, and Packed<T>: one thread's elements of a row, in their memory representation.
//
// Arithmetic is in f32. A type converts to f32 exactly (Widen) and from f32 rounding to nearest even (Narrow), as in
// base/float_types.cc, on every architecture and without a CUDA header.

using Word = unsigned;

#define ONESHOT_EACH(e) _Pragma("unroll") for (int e = 0; e < kElements; ++e)
#define ONESHOT_UNROLL _Pragma("unroll")

constexpr int kElements = kVector * kChunks;  // of one value, per thread

__device__ constexpr int Least(int a, int b) { return a < b ? a : b; }
__device__ constexpr int Most(int a, int b) { return a > b ? a : b; }

struct F32 {
  static constexpr int kBytes = 4;
  using Value = float;
  __device__ static float Widen(Word bits) { return __uint_as_float(bits); }
  __device__ static Word Narrow(float x) { return __float_as_uint(x); }
};

struct BF16 {
  static constexpr int kBytes = 2;
  using Value = float;
  __device__ static float Widen(Word bits) { return __uint_as_float(bits << 16); }
  // Always converts a pair: the scalar conversion runs on the slower special-function unit (sm_90).
  __device__ static Word Narrow(float x) { return NarrowPair(x, 0.0f); }
  __device__ static Word NarrowPair(float low, float high) {
    Word bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
  }
};

struct F16 {
  static constexpr int kBytes = 2;
  using Value = float;
  __device__ static float Widen(Word bits) {
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(static_cast<unsigned short>(bits)));
    return x;
  }
  __device__ static Word Narrow(float x) { return NarrowPair(x, 0.0f); }
  __device__ static Word NarrowPair(float low, float high) {
    Word bits;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
  }
};

// The magnitude of x, rounded to a float with `mantissa` mantissa bits and this exponent bias; `overflow` if it exceeds
// `max_finite`. Adding to the exponent field propagates a carry out of the mantissa correctly.
__device__ inline Word NarrowMagnitude(float x, int mantissa, int bias, Word max_finite, Word overflow) {
  const Word code = __float_as_uint(x) & 0x7fffffff;
  const int exponent = static_cast<int>(code >> 23) - 127 + bias;
  const int below = exponent <= 0 ? 1 - exponent : 0;
  const int shift = Least(23 - mantissa + below, 26);
  const Word digits = (code & 0x7fffff) | 0x800000;
  const Word rounded = (digits + (1u << (shift - 1)) - 1 + (digits >> shift & 1)) >> shift;
  const Word result = (static_cast<Word>(Most(exponent - 1, 0)) << mantissa) + rounded;
  return result > max_finite ? overflow : result;
}

struct F8E5M2 {
  static constexpr int kBytes = 1;
  using Value = float;
  // An f16 without its lower byte.
  __device__ static float Widen(Word bits) { return F16::Widen(bits << 8); }
  __device__ static Word Narrow(float x) {
    const Word sign = __float_as_uint(x) >> 31 << 7;
    return sign | (x != x ? 0x7e : NarrowMagnitude(x, 2, 15, 0x7b, 0x7c));
  }
};

struct F8E4M3FN {
  static constexpr int kBytes = 1;
  using Value = float;
  // Read as an f16 the exponent is 8 too small, for subnormals too; there are no infinities, and all ones is NaN.
  __device__ static float Widen(Word bits) {
    const float scaled = F16::Widen((bits & 0x80) << 8 | (bits & 0x7f) << 7) * 256.0f;
    return (bits & 0x7f) == 0x7f ? __uint_as_float(0x7fc00000) : scaled;
  }
  __device__ static Word Narrow(float x) {
    const Word sign = __float_as_uint(x) >> 31 << 7;
    return sign | (x != x ? 0x7f : NarrowMagnitude(x, 3, 7, 0x7e, 0x7f));
  }
};

struct Pred {
  static constexpr int kBytes = 1;
  using Value = bool;
  __device__ static bool Widen(Word bits) { return bits != 0; }
  __device__ static Word Narrow(bool x) { return x ? 1 : 0; }
};

// x rounded to the nearest value of T.
template <typename T>
__device__ inline float Round(float x) {
  return T::Widen(T::Narrow(x));
}
template <>
__device__ inline float Round<F32>(float x) {
  return x;
}
// An f32's bf16 is the upper half of its word.
template <>
__device__ inline float Round<BF16>(float x) {
  return __uint_as_float(BF16::NarrowPair(0.0f, x));
}

// One chunk: kVector adjacent elements.
template <typename T>
struct Chunk {
  static constexpr int kBytes = kVector * T::kBytes;
  static constexpr int kWords = kBytes / 4;
  Word words[kWords];

  __device__ typename T::Value At(int i) const {
    const Word word = words[i * T::kBytes / 4];
    if (T::kBytes == 4) return T::Widen(word);
    return T::Widen(word >> (8 * (i * T::kBytes % 4)) & ((1u << (8 * T::kBytes % 32)) - 1));
  }
  __device__ void Clear() { ONESHOT_UNROLL for (int w = 0; w < kWords; ++w) words[w] = 0; }
};

// `value` is a function of an element's index within the chunk.
template <typename T, typename Value>
__device__ inline Chunk<T> PackChunk(Value value) {
  Chunk<T> chunk;
  ONESHOT_UNROLL for (int w = 0; w < Chunk<T>::kWords; ++w) {
    if constexpr (T::kBytes == 4) {
      chunk.words[w] = T::Narrow(value(w));
    } else if constexpr (T::kBytes == 2) {
      chunk.words[w] = T::NarrowPair(value(2 * w), value(2 * w + 1));
    } else {
      const Word low = T::Narrow(value(4 * w)) | T::Narrow(value(4 * w + 1)) << 8;
      chunk.words[w] = low | T::Narrow(value(4 * w + 2)) << 16 | T::Narrow(value(4 * w + 3)) << 24;
    }
  }
  return chunk;
}

template <typename T>
struct Packed {
  Chunk<T> chunks[kChunks];
  __device__ typename T::Value At(int e) const { return chunks[e / kVector].At(e % kVector); }
};
