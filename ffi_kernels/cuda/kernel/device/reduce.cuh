// SPDX-License-Identifier: Apache-2.0
// Row reductions (sum, maximum, minimum) over one partial value per chunk.
//
// The threads of a warp reduce the values of one chunk each by shuffles, which gives the result of 32 adjacent chunks
// of the row. The warp sends it to every block of the row (one block, or all of a cluster through distributed shared
// memory); all wait once, and combine the received results in an order given by their columns (Collect). So the order
// depends on kWidth and kVector alone, not on how the row is divided among threads and blocks, nor on the rank, and a
// row has the same bits in every batch.
//
// Within one block the wait is __syncthreads (pattern: write, barrier, read). Within a cluster it is an mbarrier per
// block that counts the bytes received: pattern "st.async ... complete_tx, try_wait.acquire.cluster": a thread that
// sees the phase complete sees every value whose bytes completed it. That orders only those few bytes; a cluster
// barrier orders everything, and costs 0.3 us more (H100, 24 November 2026).
//
// The buffers alternate, so one wait per reduction is enough: a warp that writes a buffer again has passed the
// reduction in between, to which every warp of the row contributed only after reading the buffer.

constexpr int kWarpsPerRow = kThreadsPerRow / 32;
constexpr int kPartials = kWarpsPerRow * kBlocksPerRow * kChunks;  // of one row
constexpr int kPaddedPartials = (kPartials + 3) / 4 * 4;

struct RowSum {
  __device__ static float Identity() { return 0.0f; }
  __device__ static float Combine(float a, float b) { return a + b; }
};
struct RowMax {
  __device__ static float Identity() { return __uint_as_float(0xff800000); }
  __device__ static float Combine(float a, float b) { return Maximum(a, b); }
};
struct RowMin {
  __device__ static float Identity() { return __uint_as_float(0x7f800000); }
  __device__ static float Combine(float a, float b) { return Minimum(a, b); }
};

// Every lane ends with the same bits: at each step both lanes of a pair combine the same two values.
template <typename Op>
__device__ inline float ReduceWarp(float x) {
  ONESHOT_UNROLL for (int distance = 16; distance > 0; distance /= 2) {
    x = Op::Combine(x, __shfl_xor_sync(0xffffffff, x, distance));
  }
  return x;
}

#if ONESHOT_CLUSTER
static_assert(kRowsPerBlock == 1, "a cluster has one row");

__device__ inline unsigned SharedAddress(const void* at) { return static_cast<unsigned>(__cvta_generic_to_shared(at)); }

// The same address in the shared memory of another block of the cluster.
__device__ inline unsigned InBlock(unsigned address, int block_in_row) {
  unsigned remote;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"(address), "r"(block_in_row));
  return remote;
}

// One per buffer: complete once this block has announced how many bytes it expects and all have arrived.
__device__ inline unsigned Arrivals(int turn) {
  __shared__ unsigned long long arrivals[2];
  return SharedAddress(&arrivals[turn]);
}
#endif

class RowReducer {
 public:
  // Call first: other blocks of the cluster may write here only once they know that this block runs. Each block arrives
  // as early and waits as late as possible. The fence makes the mbarriers that thread 0 initialised visible to the
  // cluster; the arrival after it may be relaxed, because it orders nothing else.
  __device__ void Start() const {
#if ONESHOT_CLUSTER
    if (threadIdx.x == 0) {
      for (int turn = 0; turn < 2; ++turn) {
        asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(Arrivals(turn)) : "memory");
      }
      asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
#endif
  }
  __device__ void WaitUntilClusterRuns() const {
#if ONESHOT_CLUSTER
    asm volatile("barrier.cluster.wait.aligned;" ::: "memory");
#endif
  }

  // Runs one reduction per Op with a single wait. `values[i]` holds a value per chunk for reduction i; the result is in
  // values[i][0].
  template <typename... Ops>
  __device__ void Reduce(const Place& place, float (&values)[sizeof...(Ops)][kChunks]) {
    constexpr int kCount = sizeof...(Ops);
    static_assert(kCount <= kMostReductions, "the largest batch has room");
    int next = 0;
    (ReduceChunks<Ops>(values[next++]), ...);
    if constexpr (kPartials > 1) {
      ONESHOT_UNROLL for (int i = 0; i < kCount; ++i) {
        ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) Send(place, i, c, values[i][c]);
      }
      Wait(kCount);
      next = 0;
      ((values[next][0] = Collect<Ops>(Partials(place, next)), ++next), ...);
      ++reductions_;
    }
  }

 private:
  template <typename Op>
  __device__ static void ReduceChunks(float (&values)[kChunks]) {
    ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) values[c] = ReduceWarp<Op>(values[c]);
  }

  __device__ int Turn() const { return reductions_ % 2; }

  __device__ float* Partials(const Place& place, int reduction) const {
    __shared__ __align__(16) float partials[2][kRowsPerBlock][kMostReductions][kPaddedPartials];
    return partials[Turn()][place.row_in_block][reduction];
  }

  // Sends this warp's value to all blocks of the row, one lane per block. Values lie in the order of their columns
  // (Place::Column).
  __device__ void Send(const Place& place, int reduction, int chunk, float x) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    if (lane >= kBlocksPerRow) return;
    float* at = Partials(place, reduction) + (chunk * kBlocksPerRow + place.block_in_row) * kWarpsPerRow +
                place.thread_in_row / 32;
#if ONESHOT_CLUSTER
    asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.b32 [%0], %1, [%2];" ::"r"(
                     InBlock(SharedAddress(at), lane)),
                 "r"(__float_as_uint(x)), "r"(InBlock(Arrivals(Turn()), lane))
                 : "memory");
#else
    *at = x;
#endif
  }

  // No deadline: the other warps of the row are running and will send.
  __device__ void Wait(int count) const {
#if ONESHOT_CLUSTER
    const unsigned arrivals = Arrivals(Turn());
    if (threadIdx.x == 0) {
      asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(arrivals), "r"(4 * kPartials * count)
                   : "memory");
    }
    unsigned complete = 0;
    while (complete == 0) {
      asm volatile(
          "{\n.reg .pred done;\n"
          "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 done, [%1], %2;\n"
          "selp.u32 %0, 1, 0, done;\n}"
          : "=r"(complete)
          : "r"(arrivals), "r"(reductions_ / 2 % 2)
          : "memory");
    }
#else
    __syncthreads();
#endif
  }

  // Four interleaved chains, then their results, to shorten the dependent sequence. Partials past the last column are
  // identities and change nothing.
  template <typename Op>
  __device__ static float Collect(const float* partials) {
    float total[4] = {Op::Identity(), Op::Identity(), Op::Identity(), Op::Identity()};
    ONESHOT_UNROLL for (int i = 0; i < kPartials; i += 4) {
      const float4 four = *reinterpret_cast<const float4*>(partials + i);
      const float x[] = {four.x, four.y, four.z, four.w};
      ONESHOT_UNROLL for (int k = 0; k < 4 && i + k < kPartials; ++k) total[k] = Op::Combine(total[k], x[k]);
    }
    return Op::Combine(Op::Combine(total[0], total[1]), Op::Combine(total[2], total[3]));
  }

  unsigned reductions_ = 0;
};
