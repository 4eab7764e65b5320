// SPDX-License-Identifier: Apache-2.0
// Combined: an input that is reduced over the ranks: sum, maximum or minimum.

struct Sum {
  static constexpr bool kKeepsZeroSign = false;  // a sum starts from +0, so +0 and -0 add alike
  static constexpr bool kStartsFromZero = true;
  __device__ static float Combine(float a, float b) { return a + b; }
};
// As NCCL does, and Extremes::kLikeNccl of row_program/evaluate.h: NaN is ignored, and the result is NaN only if
// every rank has one; +0 is larger than -0.
struct Max {
  static constexpr bool kKeepsZeroSign = true;
  static constexpr bool kStartsFromZero = false;
  __device__ static float Combine(float a, float b) { return fmaxf(a, b); }
};
struct Min {
  static constexpr bool kKeepsZeroSign = true;
  static constexpr bool kStartsFromZero = false;
  __device__ static float Combine(float a, float b) { return fminf(a, b); }
};

// Element i combined over the ranks, in rank order.
template <typename Op, typename T>
__device__ inline float CombineElement(const Chunk<T>* parts, int i) {
  float total = Op::kStartsFromZero ? 0.0f + parts[0].At(i) : parts[0].At(i);
  ONESHOT_UNROLL for (int r = 1; r < kRanks; ++r) total = Op::Combine(total, parts[r].At(i));
  return total;
}

// Input kIndex: elements of T, combined by Op; its rows of kRowBytes start at kOffset of the message.
template <typename T, typename Op, int kIndex, int kAccess, long long kOffset, int kRowBytes>
class Combined {
 public:
  // Loads this rank's part of a row and sends it to every peer.
  __device__ void Push(const Parameters& p, const Place& place, int row, const Slot& slot) {
    Load(p, place, row);
    if (!HasRow(row)) return;
    ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) {
      if (!place.HasChunk(c)) continue;
      PushWords<kWords, Op::kKeepsZeroSign>(p, slot, At(place, row, c), own_.chunks[c].words);
    }
  }

  // If a block has several rows, it sends them all before it waits for the first; then it loads its own part of each
  // row again.
  __device__ void Load(const Parameters& p, const Place& place, int row) {
    own_ = LoadRow<T, kAccess>(p.inputs[kIndex], place, row);
  }

  // Waits for every peer's part and combines all in rank order, rounded once to R at the end.
  template <typename R>
  __device__ void Receive(const Parameters& p, const Place& place, int row, const Slot& slot,
                          float (&result)[kElements]) {
    ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) {
      Chunk<T> parts[kRanks];
      ONESHOT_UNROLL for (int r = 0; r < kRanks; ++r) parts[r].Clear();
      if (HasRow(row) && place.HasChunk(c)) Wait(p, slot, At(place, row, c), parts);
      ONESHOT_UNROLL for (int r = 0; r < kRanks; ++r) {
        ONESHOT_UNROLL for (int w = 0; w < kWords; ++w) {
          const Word arrived = Decode<Op::kKeepsZeroSign>(parts[r].words[w]);
          parts[r].words[w] = r == p.rank ? own_.chunks[c].words[w] : arrived;
        }
      }
      ONESHOT_UNROLL for (int i = 0; i < kVector; ++i) result[c * kVector + i] = Round<R>(CombineElement<Op>(parts, i));
    }
  }

 private:
  static constexpr int kWords = Chunk<T>::kWords;

  __device__ static long long At(const Place& place, int row, int chunk) {
    return kOffset + static_cast<long long>(row) * kRowBytes + place.Column(chunk) * T::kBytes;
  }

  // Polls all peers at once, then again only those whose data had not arrived.
  __device__ static void Wait(const Parameters& p, const Slot& slot, long long at, Chunk<T>* parts) {
    Word missing = ((1u << kRanks) - 1) & ~(1u << p.rank);
    Patience patience;
    const char* from = slot.Region(p, p.rank, 0) + at;
    while (true) {
      ONESHOT_UNROLL for (int r = 0; r < kRanks; ++r) {
        if (missing >> r & 1) LoadArrived<kWords>(parts[r].words, from + r * p.capacity_bytes);
      }
      ONESHOT_UNROLL for (int r = 0; r < kRanks; ++r) {
        if ((missing >> r & 1) && HasArrived<kWords>(parts[r].words)) missing &= ~(1u << r);
      }
      if (missing == 0) return;
      if (patience.IsOver(p)) GiveUp(p, missing);
    }
  }

  Packed<T> own_;
};
