// SPDX-License-Identifier: Apache-2.0
// C interface of a library of public fused kernels, which the benchmark loads with `--competitor` and measures beside
// ours.
//
// Such a library is built from the sources of those kernels; nothing of it is part of this project. It exports the five
// functions below (extern "C"). Each of its kernels computes, on every rank and for bf16 [rows, width]:
//
//   residual_out = residual + sum over ranks of partial
//   norm_out     = RMSNorm(residual_out) * gamma
//
// All ranks are on the current device, in its primary context; with `--gpus each`, rank r is on device r in its primary
// context, and the library must find out by its own means which of the two applies. A launch is made with the rank's
// device current, goes to the given stream and may be captured into a graph, so it neither synchronises nor allocates.
#ifndef FFI_KERNELS_CUDA_BENCH_COMPETITOR_H_
#define FFI_KERNELS_CUDA_BENCH_COMPETITOR_H_

#include <cstddef>
#include <cstdint>

extern "C" {

// Device addresses, each of bf16.
struct JaxOneshotCompetitorBuffers {
  uint64_t partial;       // [rows, width], this rank's addend
  uint64_t residual;      // [rows, width]
  uint64_t gamma;         // [width]
  uint64_t norm_out;      // [rows, width]
  uint64_t residual_out;  // [rows, width]
};

struct JaxOneshotCompetitorShape {
  int32_t ranks;
  int32_t rows;
  int32_t width;
  float epsilon;
};

// The number of kernels in the library, and the name of each: package, version, kernel, variant.
using JaxOneshotCompetitorCount = int (*)();
using JaxOneshotCompetitorName = const char* (*)(int which);

// Allocates workspaces for all ranks. Null, with a sentence in `why`, if the kernel does not support this shape.
using JaxOneshotCompetitorOpen = void* (*)(int which, const JaxOneshotCompetitorShape* shape, char* why,
                                           size_t why_size);

// 0 if launched, otherwise an error code of the CUDA runtime.
using JaxOneshotCompetitorLaunch = int (*)(void* opened, int rank, void* stream,
                                           const JaxOneshotCompetitorBuffers* buffers);

using JaxOneshotCompetitorClose = void (*)(void* opened);

}  // extern "C"

namespace jax_oneshot {

inline constexpr char kCompetitorCount[] = "jax_oneshot_competitor_count";
inline constexpr char kCompetitorName[] = "jax_oneshot_competitor_name";
inline constexpr char kCompetitorOpen[] = "jax_oneshot_competitor_open";
inline constexpr char kCompetitorLaunch[] = "jax_oneshot_competitor_launch";
inline constexpr char kCompetitorClose[] = "jax_oneshot_competitor_close";

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CUDA_BENCH_COMPETITOR_H_
