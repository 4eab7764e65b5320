// In:  constants of the plan, one partial value per thread. Out: their sum, maximum or minimum over a row, the same bits
// in every thread of the row (and, for equal inputs, on every rank: the order is fixed).
//
// Threads of a warp by shuffles; then each warp's result goes to every block of the row (a block of its own, or all of a
// cluster by distributed shared memory), one barrier, and every thread combines the results it finds there in one order.
// One barrier per reduction is enough because the buffers alternate: who writes a buffer again has passed the barrier of
// the reduction in between, which its last readers reach only when they have read.

constexpr int kWarpsPerRow = kThreadsPerRow / 32;
constexpr int kPartials = kWarpsPerRow * kBlocksPerRow;  // of one row
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

// Pattern: write, barrier, read, among the threads of the block (__syncthreads) or of the cluster (arrive.release at
// cluster scope makes this thread's writes to other blocks' shared memory visible to whoever waits with acquire).
__device__ inline void RowBarrier() {
  if constexpr (kCluster) {
    asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
  } else {
    __syncthreads();
  }
}

// Before the first write to another block's shared memory that block must run: each says so as early as it can, and
// asks as late as it can. No data is ordered by it, so the arrival is relaxed.
__device__ inline void SayThatBlockRuns() {
  if constexpr (kCluster) asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
}
__device__ inline void WaitUntilClusterRuns() {
  if constexpr (kCluster) asm volatile("barrier.cluster.wait.aligned;" ::: "memory");
}

__device__ inline void StoreShared(float* at, int block_in_row, float x) {
  if constexpr (kCluster) {
    const unsigned local = static_cast<unsigned>(__cvta_generic_to_shared(at));
    unsigned remote;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"(local), "r"(block_in_row));
    asm volatile("st.shared::cluster.f32 [%0], %1;" ::"r"(remote), "f"(x) : "memory");
  } else {
    *at = x;
  }
}

class RowReducer {
 public:
  // kCount reductions at the price of one barrier.
  template <typename... Ops>
  __device__ void Reduce(const Place& place, float (&values)[sizeof...(Ops)]) {
    constexpr int kCount = sizeof...(Ops);
    static_assert(kCount <= kMostReductions, "the plan reserves room for the largest batch");
    int next = 0;
    ((values[next] = ReduceWarp<Ops>(values[next]), ++next), ...);
    if constexpr (kPartials > 1) {
      const int lane = static_cast<int>(threadIdx.x) % 32;
      const int mine = place.block_in_row * kWarpsPerRow + place.thread_in_row / 32;
      if (lane < kBlocksPerRow) {
        ONESHOT_UNROLL for (int i = 0; i < kCount; ++i) {
          StoreShared(Partials(place, i) + mine, lane, values[i]);
        }
      }
      RowBarrier();
      next = 0;
      ((values[next] = Collect<Ops>(Partials(place, next)), ++next), ...);
      turn_ ^= 1;
    }
  }

 private:
  __device__ float* Partials(const Place& place, int reduction) const {
    __shared__ __align__(16) float partials[2][kRowsPerBlock][kMostReductions][kPaddedPartials];
    return partials[turn_][place.row_in_block][reduction];
  }

  // Every fourth in order, then the four: short chains, and one order everywhere.
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

  int turn_ = 0;
};
