// SPDX-License-Identifier: Apache-2.0
// Kernels that the benchmark runs around and next to ours: a clock, the floor, and residual and norm as separate
// kernels. Compiled by NVRTC, without CUDA's headers.
//
// Everything here is as fast as a few lines allow: the baselines of the fused kernel must not be slow through neglect.

namespace {

using U32 = unsigned;
using U64 = unsigned long long;

constexpr int kMaxRanks = 16;
constexpr int kLane = 8;  // bf16 values in 16 bytes

__device__ U64 Nanoseconds() {
  U64 now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  return now;
}

// Both bf16 values of a word as f32, and back, rounding to nearest even.
__device__ void Widen(U32 word, float* out) {
  out[0] = __uint_as_float(word << 16);
  out[1] = __uint_as_float(word & 0xffff0000u);
}
__device__ U32 Narrow(const float* in) {
  U32 word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(in[1]), "f"(in[0]));
  return word;
}

__device__ void Load(const uint4* from, float* out) {
  const uint4 v = *from;
  Widen(v.x, out);
  Widen(v.y, out + 2);
  Widen(v.z, out + 4);
  Widen(v.w, out + 6);
}
__device__ void Store(const float* in, uint4* to) {
  *to = make_uint4(Narrow(in), Narrow(in + 2), Narrow(in + 4), Narrow(in + 6));
}

// Rounds to bf16, as the HLO does between two operations.
__device__ void Round(float* v) {
#pragma unroll
  for (int i = 0; i < kLane; i += 2) Widen(Narrow(v + i), v + i);
}

// A kernel that was launched early waits here until the previous one has ended and its stores are performed. Other
// kernels have nothing to wait for. No kernel here lets its successor launch early.
__device__ void WaitForTheKernelBefore() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Sum over the block, in every thread. One barrier: each warp stores its sum, then every warp adds up all of them.
__device__ float BlockSum(float value) {
  __shared__ float sums[32];
  const int lane = threadIdx.x % 32, warps = (blockDim.x + 31) / 32;
#pragma unroll
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(~0u, value, step);
  if (lane == 0) sums[threadIdx.x / 32] = value;
  __syncthreads();
  value = lane < warps ? sums[lane] : 0.0f;
#pragma unroll
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(~0u, value, step);
  return value;
}

// `v` in: eight columns of the residual. Out: the same columns of the norm.
__device__ void Normalize(float* v, const float* scale, int width, float epsilon) {
  float square = 0;
#pragma unroll
  for (int i = 0; i < kLane; ++i) square += v[i] * v[i];
  const float factor = rsqrtf(BlockSum(square) / width + epsilon);
#pragma unroll
  for (int i = 0; i < kLane; ++i) v[i] *= factor;
  Round(v);
#pragma unroll
  for (int i = 0; i < kLane; ++i) v[i] *= scale[i];
}

__device__ void AddInto(float* v, const uint4* other) {
  float addend[kLane];
  Load(other, addend);
#pragma unroll
  for (int i = 0; i < kLane; ++i) v[i] += addend[i];
  Round(v);
}

}  // namespace

// --- the clock -------------------------------------------------------------------------------------------------------

// First in every rank's chain: no rank starts before all have arrived. The counter only grows, so it needs no reset. A
// barrier that counts arrivals, at system scope, because the ranks may be on several devices. Relaxed is enough: the
// gate only orders starts in time, and no data passes through it.
extern "C" __global__ void OneshotBenchGate(U64* arrived, int ranks, U64 deadline_ns, U64* started) {
  const U64 begin = Nanoseconds();
  U64 old, seen;
  asm volatile("atom.relaxed.sys.global.add.u64 %0, [%1], 1;" : "=l"(old) : "l"(arrived) : "memory");
  const U64 all = (old / ranks + 1) * ranks;
  do {
    asm volatile("ld.relaxed.sys.global.u64 %0, [%1];" : "=l"(seen) : "l"(arrived) : "memory");
  } while (seen < all && Nanoseconds() - begin < deadline_ns);
  *started = Nanoseconds();
}

// Last in every rank's chain.
extern "C" __global__ void OneshotBenchStamp(U64* ended) { *ended = Nanoseconds(); }

// --- the floor -------------------------------------------------------------------------------------------------------

extern "C" __global__ void OneshotBenchEmpty() { WaitForTheKernelBefore(); }

struct Mailboxes {
  uint4* of[kMaxRanks];  // per rank: two turns of kMaxRanks slots of 16 bytes
};

// One warp: lane i sends 16 bytes to rank i and waits for those of rank i. The word sent is the number of the call, so
// nothing is ever cleared; two turns are enough, because no rank can be two calls ahead of a rank that it waits for.
// Relaxed is enough: each of the four words is its own flag, and carries nothing else.
extern "C" __global__ void OneshotBenchPushPoll(const __grid_constant__ Mailboxes mailboxes, int rank, int ranks,
                                                U32* calls, U64 deadline_ns) {
  WaitForTheKernelBefore();
  const U32 call = *calls + 1;
  const int peer = threadIdx.x, turn = call % 2 * kMaxRanks;
  if (peer < ranks && peer != rank) {
    asm volatile("st.relaxed.sys.global.v4.u32 [%0], {%1, %1, %1, %1};"
                 :
                 : "l"(mailboxes.of[peer] + turn + rank), "r"(call)
                 : "memory");
    const U64 begin = Nanoseconds();
    uint4 got;
    do {
      asm volatile("ld.relaxed.sys.global.v4.u32 {%0, %1, %2, %3}, [%4];"
                   : "=r"(got.x), "=r"(got.y), "=r"(got.z), "=r"(got.w)
                   : "l"(mailboxes.of[rank] + turn + peer)
                   : "memory");
    } while ((got.x != call || got.y != call || got.z != call || got.w != call) && Nanoseconds() - begin < deadline_ns);
  }
  __syncwarp();
  if (peer == 0) *calls = call;
}

// --- the work of the fused kernel, as separate kernels
// ----------------------------------------------------------------

// One block per row, one thread per 16 bytes.
extern "C" __global__ void __launch_bounds__(1024)
    OneshotBenchAddNorm(const uint4* sum, const uint4* residual, const uint4* gamma, uint4* norm_out,
                        uint4* residual_out, int width, float epsilon) {
  const int at = blockIdx.x * blockDim.x + threadIdx.x;
  float v[kLane], scale[kLane];
  Load(gamma + threadIdx.x, scale);  // no kernel of a chain writes it, so no need to wait
  WaitForTheKernelBefore();
  Load(sum + at, v);
  AddInto(v, residual + at);
  Store(v, residual_out + at);
  Normalize(v, scale, width, epsilon);
  Store(v, norm_out + at);
}

extern "C" __global__ void OneshotBenchAdd(const uint4* sum, const uint4* residual, uint4* out, int count) {
  const int at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= count) return;
  float v[kLane];
  Load(sum + at, v);
  AddInto(v, residual + at);
  Store(v, out + at);
}

extern "C" __global__ void __launch_bounds__(1024)
    OneshotBenchNorm(const uint4* in, const uint4* gamma, uint4* out, int width, float epsilon) {
  const int at = blockIdx.x * blockDim.x + threadIdx.x;
  float v[kLane], scale[kLane];
  Load(in + at, v);
  Load(gamma + threadIdx.x, scale);  // before the barrier: in flight during the reduction
  Normalize(v, scale, width, epsilon);
  Store(v, out + at);
}

// --- the work of the sharded form: each rank norms its own columns of a row that all ranks hold
// -----------------------

// One block per row, one thread per 16 bytes of it; `statistic` receives the sum of squares of this rank's columns.
extern "C" __global__ void __launch_bounds__(1024)
    OneshotBenchShardStatistic(const uint4* sum, const uint4* residual, uint4* residual_out, float* statistic,
                               int first, int columns) {
  const int at = blockIdx.x * blockDim.x + threadIdx.x, column = static_cast<int>(threadIdx.x) * kLane - first;
  float v[kLane], square = 0;
  Load(sum + at, v);
  AddInto(v, residual + at);
  Store(v, residual_out + at);
#pragma unroll
  for (int i = 0; i < kLane; ++i) {
    if (column + i >= 0 && column + i < columns) square += v[i] * v[i];
  }
  square = BlockSum(square);
  if (threadIdx.x == 0) statistic[blockIdx.x] = square;
}

// One block per row, one thread per 16 bytes of this rank's columns.
extern "C" __global__ void OneshotBenchShardScale(const uint4* residual, const float* total, const uint4* gamma,
                                                  uint4* out, int width, int first, float epsilon) {
  float v[kLane], scale[kLane];
  Load(residual + (blockIdx.x * width + first) / kLane + threadIdx.x, v);
  Load(gamma + threadIdx.x, scale);
  const float factor = rsqrtf(total[blockIdx.x] / width + epsilon);
#pragma unroll
  for (int i = 0; i < kLane; ++i) v[i] *= factor;
  Round(v);
#pragma unroll
  for (int i = 0; i < kLane; ++i) v[i] *= scale[i];
  Store(v, out + blockIdx.x * blockDim.x + threadIdx.x);
}
