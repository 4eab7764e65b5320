// SPDX-License-Identifier: Apache-2.0
// Gathered: an input of which every rank holds kShard of the kWidth columns and all ranks read all. Also stores sharded
// outputs, of which every rank keeps its own columns.
//
// The thread that owns a column of the full row fetches it: if the column is this rank's, from its own buffer, and
// pushes it to the peers too; otherwise from the region that the column's rank pushes to.

constexpr int kShard = kWidth / kRanks;
// Whether every chunk belongs to one rank. Otherwise each element travels in its own word.
constexpr bool kShardsOfChunks = kShard % kVector == 0;

// Input kIndex: elements of T; this rank's shard of a row takes kRowBytes, from kOffset of the message on.
template <typename T, int kIndex, int kAccess, long long kOffset, int kRowBytes>
class Gathered {
 public:
  __device__ void Push(const Parameters& p, const Place& place, int row, const Slot& slot) const {
    if (!HasRow(row)) return;
    ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) {
      if (!place.HasChunk(c)) continue;
      const int column = place.Column(c);
      if constexpr (kShardsOfChunks) {
        if (column / kShard != p.rank) continue;
        const Chunk<T> own = OwnChunk(p, row, column % kShard);
        PushWords<Chunk<T>::kWords, true>(p, slot, At(row, column % kShard * T::kBytes), own.words);
      } else {
        ONESHOT_UNROLL for (int i = 0; i < kVector; ++i) {
          if (column + i >= kWidth || (column + i) / kShard != p.rank) continue;
          const Word own = OwnElement(p, row, (column + i) % kShard);
          PushWords<1, true>(p, slot, At(row, (column + i) % kShard * 4), &own);
        }
      }
    }
  }

  __device__ Packed<T> Receive(const Parameters& p, const Place& place, int row, const Slot& slot) const {
    Packed<T> whole;
    ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) {
      whole.chunks[c].Clear();
      if (!HasRow(row) || !place.HasChunk(c)) continue;
      const int column = place.Column(c);
      if constexpr (kShardsOfChunks) {
        if (column / kShard == p.rank) {
          whole.chunks[c] = OwnChunk(p, row, column % kShard);
        } else {
          Wait<Chunk<T>::kWords>(p, slot, column / kShard, At(row, column % kShard * T::kBytes), whole.chunks[c].words);
        }
      } else {
        ONESHOT_UNROLL for (int i = 0; i < kVector; ++i) {
          if (column + i >= kWidth) continue;
          const Word element = FetchElement(p, slot, row, column + i);
          whole.chunks[c].words[i * T::kBytes / 4] |= element << (8 * (i * T::kBytes % 4));
        }
      }
    }
    return whole;
  }

 private:
  __device__ static long long At(int row, int byte) { return kOffset + static_cast<long long>(row) * kRowBytes + byte; }

  __device__ static const char* OwnRow(const Parameters& p, int row) {
    return static_cast<const char*>(p.inputs[kIndex]) + static_cast<long long>(row) * kShard * T::kBytes;
  }
  __device__ static Chunk<T> OwnChunk(const Parameters& p, int row, int column) {
    return LoadChunk<T, kAccess>(OwnRow(p, row), column);
  }
  __device__ static Word OwnElement(const Parameters& p, int row, int column) {
    const char* from = OwnRow(p, row) + static_cast<long long>(column) * T::kBytes;
    if constexpr (T::kBytes == 4) return *reinterpret_cast<const Word*>(from);
    if constexpr (T::kBytes < 4) return LoadPart<T::kBytes>(from);
  }
  __device__ static Word FetchElement(const Parameters& p, const Slot& slot, int row, int column) {
    if (column / kShard == p.rank) return OwnElement(p, row, column % kShard);
    Word word;
    Wait<1>(p, slot, column / kShard, At(row, column % kShard * 4), &word);
    return word;
  }

  template <int kWords>
  __device__ static void Wait(const Parameters& p, const Slot& slot, int rank, long long at, Word* words) {
    const char* from = slot.Region(p, p.rank, rank) + at;
    Patience patience;
    while (true) {
      LoadArrived<kWords>(words, from);
      if (HasArrived<kWords>(words)) break;
      if (patience.IsOver(p)) GiveUp(p, 1u << rank);
    }
    ONESHOT_UNROLL for (int w = 0; w < kWords; ++w) words[w] = Decode<true>(words[w]);
  }
};

// Stores this rank's columns of a row. `value` is a function of e.
template <typename T, int kAccess, typename Value>
__device__ inline void StoreShard(const Parameters& p, void* buffer, const Place& place, int row, Value value) {
  char* start = static_cast<char*>(buffer) + static_cast<long long>(row) * kShard * T::kBytes;
  ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) {
    if (!HasRow(row) || !place.HasChunk(c)) continue;
    const int column = place.Column(c) - p.rank * kShard;
    if constexpr (kShardsOfChunks) {
      if (column < 0 || column >= kShard) continue;
      StoreChunk<T, kAccess>(start, column, PackChunk<T>([&](int i) { return value(c * kVector + i); }));
    } else {
      ONESHOT_UNROLL for (int i = 0; i < kVector; ++i) {
        if (column + i < 0 || column + i >= kShard) continue;
        StoreOne<T>(start, column + i, value(c * kVector + i));
      }
    }
  }
}
