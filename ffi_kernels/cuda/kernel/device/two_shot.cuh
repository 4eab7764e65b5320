// SPDX-License-Identifier: Apache-2.0
// TwoShot: an input that is combined over the ranks in two hops: parts to the owner of each word, sums back from it.
//
//   rank 0        rank 1 (owner of a piece)           rank 2
//   part  ------> Wait, combine in rank order <------ part      first hop: parts, only to the owner
//   sum   <------ round to R, once            ------> sum       second hop: the sum, to all other ranks
//
// Pieces, not rows, have owners: a piece is one warp's share of one chunk of one row, so even a single row is divided
// evenly, and all threads of a warp have the same owner. Every rank computes the epilogue on the sums. That moves one
// rounded sum per element over the links, whatever the number of outputs, and it is correct even if local inputs differ
// between ranks (docs/performance.md counts the bytes of both variants).
//
// Memory order, first hop: as in protocol.cuh. The words of a part are their own flags, relaxed at system scope, and no
// other read depends on their order.
//
// Second hop: the same. A sum depends on the parts by data, not by the order of accesses: the words that the owner
// sends are computed from those it read, so no fence is needed between the hops.
//
// Reusing a slot (workspace_layout.h) requires that no rank ends call e before all ranks have begun it. Here a rank may
// receive nothing from some peer, if the message is too small for every rank to own a piece. But it ends only after
// receiving every sum, each sum needs a part from every rank, and a rank sends its parts only after its previous kernel
// has ended.

constexpr int kPieceColumns = 32 * kVector;
constexpr int kPiecesOfRow = (kWidth + kPieceColumns - 1) / kPieceColumns;
constexpr int kPiecesOfStep = kPiecesOfRow * kRowsPerBlock * kRowGroups;  // processed by the grid at a time

// A piece of the message. Pieces are numbered row by row; each run of kRanks consecutive pieces has one of every owner.
// Owners shift by one from step to step: otherwise, if kRanks divides a step, a thread that takes several steps would
// own all its pieces or none.
struct Piece {
  int owner;
  int index;  // among its owner's pieces

  __device__ static Piece At(const Place& place, int row, int chunk) {
    const int number = row * kPiecesOfRow + place.Column(chunk) / kPieceColumns;
    const int index = number / kRanks;
    return {(number + index * kRanks / kPiecesOfStep) % kRanks, index};
  }
};

// A lane's words of a piece, in accesses of at most 16 bytes; the lanes of one access are adjacent.
template <int kWords>
struct LaneWords {
  static constexpr int kAccessWords = Least(kWords, 4);
  static constexpr int kAccesses = kWords / kAccessWords;

  __device__ static long long At(int index, int access) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    return (static_cast<long long>(index) * kAccesses + access) * (32 * 4 * kAccessWords) + lane * 4 * kAccessWords;
  }
  __device__ static void Store(char* to, int index, const Word* words) {
    ONESHOT_UNROLL for (int a = 0; a < kAccesses; ++a) {
      StoreToPeer<kAccessWords>(to + At(index, a), words + a * kAccessWords);
    }
  }
  __device__ static void Load(Word* words, const char* from, int index) {
    ONESHOT_UNROLL for (int a = 0; a < kAccesses; ++a) {
      LoadArrived<kAccessWords>(words + a * kAccessWords, from + At(index, a));
    }
  }
};

// Input kIndex: elements of T, combined by Op and rounded to R. This rank's region at each peer holds its parts of the
// pieces that the peer owns, from kPartsAt on, and the sums of the pieces that this rank owns, from kSumsAt on.
template <typename T, typename Op, typename R, int kIndex, int kAccess, long long kPartsAt, long long kSumsAt>
class TwoShot {
 public:
  // First hop: loads this rank's part of a row and sends each piece to its owner.
  __device__ void Push(const Parameters& p, const Place& place, int row, const Slot& slot) {
    own_ = LoadRow<T, kAccess>(p.inputs[kIndex], place, row);
    ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) {
      if (!HasRow(row) || !place.HasChunk(c)) continue;
      const Piece piece = Piece::At(place, row, c);
      if (piece.owner == p.rank) continue;
      Word sent[kWords];
      ONESHOT_UNROLL for (int w = 0; w < kWords; ++w) sent[w] = Encode<Op::kKeepsZeroSign>(own_.chunks[c].words[w]);
      LaneWords<kWords>::Store(slot.Region(p, piece.owner, p.rank) + kPartsAt, piece.index, sent);
    }
  }

  // Second hop: combines the pieces of a row that this rank owns and sends the sums to all other ranks. A block does so
  // for all its rows before it waits for any sum of another owner, which may be waiting for this block's.
  __device__ void Combine(const Parameters& p, const Place& place, int row, const Slot& slot) {
    const char* start = static_cast<const char*>(p.inputs[kIndex]) + static_cast<long long>(row) * kWidth * T::kBytes;
    ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) {
      if constexpr (kInRegisters) sums_.chunks[c].Clear();
      if (!HasRow(row) || !place.HasChunk(c)) continue;
      const Piece piece = Piece::At(place, row, c);
      if (piece.owner != p.rank) continue;
      const Chunk<T> own = kInRegisters ? own_.chunks[c] : LoadChunk<T, kAccess>(start, place.Column(c));
      Chunk<R> sum = CombineParts(p, slot, piece.index, own);
      // Rounding can turn a sum into -0, so the sign of zero matters here whatever Op is.
      ONESHOT_UNROLL for (int w = 0; w < kSumWords; ++w) sum.words[w] = Encode<true>(sum.words[w]);
      ONESHOT_UNROLL for (int i = kInRegisters ? 1 : 0; i < kRanks; ++i) {
        const int to = p.rank + i < kRanks ? p.rank + i : p.rank + i - kRanks;
        LaneWords<kSumWords>::Store(slot.Region(p, to, p.rank) + kSumsAt, piece.index, sum.words);
      }
      if constexpr (kInRegisters) sums_.chunks[c] = sum;
    }
  }

  // All of a row's sums: those of this rank's pieces, and those received from other owners.
  __device__ void Receive(const Parameters& p, const Place& place, int row, const Slot& slot,
                          float (&result)[kElements]) {
    Word missing = 0;  // chunks
    ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) {
      if constexpr (!kInRegisters) sums_.chunks[c].Clear();
      if (!HasRow(row) || !place.HasChunk(c)) continue;
      if (!kInRegisters || Piece::At(place, row, c).owner != p.rank) missing |= 1u << c;
    }
    WaitForSums(p, place, row, slot, missing);
    ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) {
      // Decoded on the owner too, so that all ranks use the value that was sent.
      ONESHOT_UNROLL for (int w = 0; w < kSumWords; ++w) {
        sums_.chunks[c].words[w] = Decode<true>(sums_.chunks[c].words[w]);
      }
      ONESHOT_UNROLL for (int i = 0; i < kVector; ++i) result[c * kVector + i] = sums_.chunks[c].At(i);
    }
  }

 private:
  static constexpr int kWords = Chunk<T>::kWords;
  static constexpr int kSumWords = Chunk<R>::kWords;
  // If a block takes one step, its own parts and sums stay in registers. Otherwise own parts are loaded again, and own
  // sums go through this rank's own region: the thread that stores a word there also loads it, so program order is
  // enough, and no sentinel needs to be restored.
  static constexpr bool kInRegisters = kRowSteps == 1;

  // Polls all peers at once, then again only those whose part had not arrived.
  __device__ static Chunk<R> CombineParts(const Parameters& p, const Slot& slot, int index, const Chunk<T>& own) {
    Chunk<T> parts[kRanks];
    ONESHOT_UNROLL for (int r = 0; r < kRanks; ++r) parts[r] = own;
    Word missing = ((1u << kRanks) - 1) & ~(1u << p.rank);
    Patience patience;
    const char* from = slot.Region(p, p.rank, 0) + kPartsAt;
    while (missing != 0) {
      ONESHOT_UNROLL for (int r = 0; r < kRanks; ++r) {
        if (missing >> r & 1) LaneWords<kWords>::Load(parts[r].words, from + r * p.capacity_bytes, index);
      }
      ONESHOT_UNROLL for (int r = 0; r < kRanks; ++r) {
        if ((missing >> r & 1) && HasArrived<kWords>(parts[r].words)) missing &= ~(1u << r);
      }
      if (missing != 0 && patience.IsOver(p)) GiveUp(p, missing);
    }
    ONESHOT_UNROLL for (int r = 0; r < kRanks; ++r) {
      ONESHOT_UNROLL for (int w = 0; w < kWords; ++w) {
        const Word arrived = Decode<Op::kKeepsZeroSign>(parts[r].words[w]);
        parts[r].words[w] = r == p.rank ? own.words[w] : arrived;
      }
    }
    return PackChunk<R>([&](int i) { return CombineElement<Op>(parts, i); });
  }

  __device__ void WaitForSums(const Parameters& p, const Place& place, int row, const Slot& slot, Word missing) {
    Patience patience;
    while (missing != 0) {
      Word owners = 0;
      ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) {
        if ((missing >> c & 1) == 0) continue;
        const Piece piece = Piece::At(place, row, c);
        LaneWords<kSumWords>::Load(sums_.chunks[c].words, slot.Region(p, p.rank, piece.owner) + kSumsAt, piece.index);
        owners |= 1u << piece.owner;
      }
      ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) {
        if ((missing >> c & 1) && HasArrived<kSumWords>(sums_.chunks[c].words)) missing &= ~(1u << c);
      }
      // An owner that waits for another rank's part is not the culprit: it gives up first, and names the missing rank.
      if (missing != 0 && patience.IsOver(p, p.timeout_ns / 8)) GiveUp(p, owners);
    }
  }

  Packed<T> own_;
  Packed<R> sums_;
};
