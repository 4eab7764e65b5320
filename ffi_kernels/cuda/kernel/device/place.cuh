// SPDX-License-Identifier: Apache-2.0
// Which rows and columns a thread owns, and loads and stores of them.
//
// Rows past the last and columns past the width read as zeros and are not written. kAccess is the bytes of one load or
// store: the alignment of the buffer's rows, at most 16.

// Whether columns and rows divide evenly, so that nothing is tested at run time.
constexpr bool kAllColumnsInside = kWidth == kVector * kChunks * kThreadsPerRow * kBlocksPerRow;
constexpr bool kAllRowsInside = kRows == kRowsPerBlock * kRowGroups * kRowSteps;
constexpr bool kWholeChunks = kWidth % kVector == 0;

struct Place {
  int thread_in_row;  // of this block's threads for the row
  int row_in_block;
  int block_in_row;
  int row_group;

  __device__ static Place Here() {
    const int thread = static_cast<int>(threadIdx.x);
    const int block = static_cast<int>(blockIdx.x);
    return {thread % kThreadsPerRow, thread / kThreadsPerRow, block % kBlocksPerRow, block / kBlocksPerRow};
  }
  __device__ int Row(int step) const { return (step * kRowGroups + row_group) * kRowsPerBlock + row_in_block; }
  __device__ int Column(int chunk) const {
    return ((chunk * kBlocksPerRow + block_in_row) * kThreadsPerRow + thread_in_row) * kVector;
  }
  // Whether any column of the chunk is within the row; whether element e is.
  __device__ bool HasChunk(int chunk) const { return kAllColumnsInside || Column(chunk) < kWidth; }
  __device__ bool Has(int e) const { return kAllColumnsInside || Column(e / kVector) + e % kVector < kWidth; }
  // One thread per row; the threads of one row, for values that do not vary over rows.
  __device__ bool FirstOfRow() const { return thread_in_row == 0 && block_in_row == 0; }
  __device__ bool FirstRow() const { return row_group == 0 && row_in_block == 0; }
};

__device__ inline bool HasRow(int row) { return kAllRowsInside || row < kRows; }

template <int kBytes>
__device__ inline void LoadPiece(Word* to, const char* from) {
  if constexpr (kBytes == 16) {
    asm volatile("ld.global.v4.b32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "l"(from));
  } else if constexpr (kBytes == 8) {
    asm volatile("ld.global.v2.b32 {%0, %1}, [%2];" : "=r"(to[0]), "=r"(to[1]) : "l"(from));
  } else {
    *to = *reinterpret_cast<const Word*>(from);
  }
}

template <int kBytes>
__device__ inline void StorePiece(char* to, const Word* from) {
  if constexpr (kBytes == 16) {
    *reinterpret_cast<uint4*>(to) = make_uint4(from[0], from[1], from[2], from[3]);
  } else if constexpr (kBytes == 8) {
    *reinterpret_cast<uint2*>(to) = make_uint2(from[0], from[1]);
  } else {
    *reinterpret_cast<Word*>(to) = *from;
  }
}

// Accesses of fewer than 4 bytes: part of a word.
template <int kBytes>
__device__ inline Word LoadPart(const char* from) {
  if constexpr (kBytes == 2) return *reinterpret_cast<const unsigned short*>(from);
  return *reinterpret_cast<const unsigned char*>(from);
}

template <int kBytes>
__device__ inline void StorePart(char* to, Word bits) {
  if constexpr (kBytes == 2) {
    *reinterpret_cast<unsigned short*>(to) = static_cast<unsigned short>(bits);
  } else {
    *to = static_cast<char>(bits);
  }
}

// The chunk that starts at `column` of the row at `row`.
template <typename T, int kAccess>
__device__ inline Chunk<T> LoadChunk(const char* row, int column) {
  constexpr int kColumns = kAccess / T::kBytes;
  const char* from = row + static_cast<long long>(column) * T::kBytes;
  Chunk<T> chunk;
  if constexpr (kAccess < 4) chunk.Clear();
  ONESHOT_UNROLL for (int byte = 0; byte < Chunk<T>::kBytes; byte += kAccess) {
    const bool inside = kWholeChunks || column + byte / kAccess * kColumns < kWidth;
    if constexpr (kAccess >= 4) {
      ONESHOT_UNROLL for (int w = 0; w < kAccess / 4; ++w) chunk.words[byte / 4 + w] = 0;
      if (inside) LoadPiece<kAccess>(&chunk.words[byte / 4], from + byte);
    } else {
      if (inside) chunk.words[byte / 4] |= LoadPart<kAccess>(from + byte) << (8 * (byte % 4));
    }
  }
  return chunk;
}

template <typename T, int kAccess>
__device__ inline void StoreChunk(char* row, int column, const Chunk<T>& chunk) {
  constexpr int kColumns = kAccess / T::kBytes;
  char* to = row + static_cast<long long>(column) * T::kBytes;
  ONESHOT_UNROLL for (int byte = 0; byte < Chunk<T>::kBytes; byte += kAccess) {
    if (!kWholeChunks && column + byte / kAccess * kColumns >= kWidth) continue;
    if constexpr (kAccess >= 4) {
      StorePiece<kAccess>(to + byte, &chunk.words[byte / 4]);
    } else {
      StorePart<kAccess>(to + byte, chunk.words[byte / 4] >> (8 * (byte % 4)));
    }
  }
}

// This thread's elements of row `row` of a [rows, width] buffer (row 0 of a [width] buffer).
template <typename T, int kAccess>
__device__ inline Packed<T> LoadRow(const void* buffer, const Place& place, int row) {
  const char* start = static_cast<const char*>(buffer) + static_cast<long long>(row) * kWidth * T::kBytes;
  Packed<T> packed;
  ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) {
    if (HasRow(row) && place.HasChunk(c)) {
      packed.chunks[c] = LoadChunk<T, kAccess>(start, place.Column(c));
    } else {
      packed.chunks[c].Clear();
    }
  }
  return packed;
}

// `value` is a function of e: the value to store for element e.
template <typename T, int kAccess, typename Value>
__device__ inline void StoreRow(void* buffer, const Place& place, int row, Value value) {
  char* start = static_cast<char*>(buffer) + static_cast<long long>(row) * kWidth * T::kBytes;
  ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) {
    if (!HasRow(row) || !place.HasChunk(c)) continue;
    StoreChunk<T, kAccess>(start, place.Column(c), PackChunk<T>([&](int i) { return value(c * kVector + i); }));
  }
}

// Element `i` of a buffer that does not vary over the width.
template <typename T>
__device__ inline typename T::Value LoadOne(const void* buffer, int i) {
  const char* from = static_cast<const char*>(buffer) + static_cast<long long>(i) * T::kBytes;
  if constexpr (T::kBytes == 4) return T::Widen(*reinterpret_cast<const Word*>(from));
  if constexpr (T::kBytes < 4) return T::Widen(LoadPart<T::kBytes>(from));
}

template <typename T>
__device__ inline void StoreOne(void* buffer, int i, typename T::Value x) {
  char* to = static_cast<char*>(buffer) + static_cast<long long>(i) * T::kBytes;
  if constexpr (T::kBytes == 4) *reinterpret_cast<Word*>(to) = T::Narrow(x);
  if constexpr (T::kBytes < 4) StorePart<T::kBytes>(to, T::Narrow(x));
}
