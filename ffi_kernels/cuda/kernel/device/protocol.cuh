// SPDX-License-Identifier: Apache-2.0
// How words travel between workspaces: stores to peers, polling loads, slots and epochs, the deadline.
//
// The data is the flag: a word that has not arrived holds kSentinel, and no word that is sent ever does. So there is no
// order to enforce between data and flag, and every access is relaxed at system scope: relaxed, not weak, because other
// ranks access the same words concurrently; system scope, because those ranks are on other devices. A vector access
// counts as one access per word (PTX ISA, "Vector data types" in the memory consistency model), so every word is
// checked.
//
// Reusing a slot needs an order, which the ends of kernels provide. This rank restores a slot's sentinels in call e. A
// peer writes there next in call e + 2, which starts on that peer after its call e + 1 ended; that call read data that
// this rank pushed in its call e + 1, which started here after call e ended; and a kernel's stores are performed, for
// every device, before the next kernel in its stream starts. See workspace_layout.h.

constexpr Word kStandIn = 0xffffffff;  // sent in place of kSentinel if the sign of zero matters

struct Parameters {
  char* workspaces[kRanks];
  unsigned long long capacity_bytes;
  unsigned long long timeout_ns;
  unsigned long long* error_record;
  unsigned rank;
  unsigned call;
  const void* inputs[kInputs];
  void* outputs[kOutputs];
};

__device__ inline unsigned long long NowNs() {
  unsigned long long now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  return now;
}

template <int kWords>
__device__ inline void StoreToPeer(char* to, const Word* words) {
  if constexpr (kWords == 4) {
    asm volatile("st.relaxed.sys.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(words[0]), "r"(words[1]),
                 "r"(words[2]), "r"(words[3])
                 : "memory");
  } else if constexpr (kWords == 2) {
    asm volatile("st.relaxed.sys.global.v2.b32 [%0], {%1, %2};" ::"l"(to), "r"(words[0]), "r"(words[1]) : "memory");
  } else {
    asm volatile("st.relaxed.sys.global.b32 [%0], %1;" ::"l"(to), "r"(words[0]) : "memory");
  }
}

template <int kWords>
__device__ inline void LoadArrived(Word* words, const char* from) {
  if constexpr (kWords == 4) {
    asm volatile("ld.relaxed.sys.global.v4.b32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "l"(from)
                 : "memory");
  } else if constexpr (kWords == 2) {
    asm volatile("ld.relaxed.sys.global.v2.b32 {%0, %1}, [%2];"
                 : "=r"(words[0]), "=r"(words[1])
                 : "l"(from)
                 : "memory");
  } else {
    asm volatile("ld.relaxed.sys.global.b32 %0, [%1];" : "=r"(words[0]) : "l"(from) : "memory");
  }
}

template <int kWords>
__device__ inline bool HasArrived(const Word* words) {
  bool arrived = true;
  ONESHOT_UNROLL for (int w = 0; w < kWords; ++w) arrived &= words[w] != kSentinel;
  return arrived;
}

// The slot of this call, and the state that the previous call left.
struct Slot {
  unsigned epoch;
  unsigned used_bytes;  // of the previous call's slot, per rank

  // Every entry holds the same value; each block reads its own, so that no block waits for another one to count up.
  __device__ static Slot Current(const Parameters& p) {
    const uint2 entry = reinterpret_cast<const uint2*>(p.workspaces[p.rank])[blockIdx.x];
    return {entry.x, entry.y};
  }
  // The address at which rank `to` receives data from rank `from`, `turn` calls from now.
  __device__ char* Region(const Parameters& p, int to, int from, unsigned turn = 0) const {
    const unsigned slot = (epoch + turn) % kSlots;
    return p.workspaces[to] + kSlotsOffset + (slot * kRanks + from) * p.capacity_bytes;
  }
};

// Restores the sentinels that the previous call overwrote. Weak stores: no other rank accesses that slot now.
__device__ inline void RestoreSentinels(const Parameters& p, const Slot& slot) {
  const unsigned step = gridDim.x * blockDim.x * 16;
  const unsigned start = (blockIdx.x * blockDim.x + threadIdx.x) * 16;
  for (unsigned at = start; at < slot.used_bytes; at += step) {
    for (int from = 0; from < kRanks; ++from) {
      if (from == p.rank) continue;
      char* to = slot.Region(p, p.rank, from, kSlots - 1) + at;
      *reinterpret_cast<uint4*>(to) = make_uint4(kSentinel, kSentinel, kSentinel, kSentinel);
    }
  }
}

// Block b owns the entries b, b + grid, b + 2 grid, ...; together the blocks cover all entries, so that the next kernel
// may have any grid. All threads of the block read the entry before any of them writes it (the barrier is needed only
// for execution order: otherwise the entry's readers and its writer are in different launches). After the block has
// pushed its data this is free, because it would only wait for its peers.
__device__ inline void CountEpoch(const Parameters& p, const Slot& slot) {
  __syncthreads();
  uint2* entries = reinterpret_cast<uint2*>(p.workspaces[p.rank]);
  const unsigned next = slot.epoch + 1 == kEpochPeriod ? 0 : slot.epoch + 1;
  const unsigned step = gridDim.x * blockDim.x;
  for (unsigned i = blockIdx.x + threadIdx.x * gridDim.x; i < kEpochEntries; i += step) {
    entries[i] = make_uint2(next, kMessageBytes);
  }
}

// A deadline that costs nothing while data arrives: the clock is first read after many unsuccessful polls.
class Patience {
 public:
  // True once timeout_ns + `more_ns` have passed since the first clock read.
  __device__ bool IsOver(const Parameters& p, unsigned long long more_ns = 0) {
    if (++looks_ % kLooks != 0) return false;
    const unsigned long long now = NowNs();
    if (deadline_ == 0) deadline_ = now + p.timeout_ns + more_ns;
    return now >= deadline_;
  }

 private:
  static constexpr unsigned kLooks = 256;
  unsigned looks_ = 0;
  unsigned long long deadline_ = 0;
};

// Records the missing ranks for the host, and ends the kernel with an error. The fence makes the record visible to the
// host (system scope) before the trap can be: release pattern "fence; trap", read by the host after it has seen the
// error. A single 64-bit store: records of several threads do not mix.
__device__ inline void GiveUp(const Parameters& p, unsigned missing) {
  const unsigned long long record = static_cast<unsigned long long>(p.call) << 32 | missing;
  asm volatile("st.relaxed.sys.global.u64 [%0], %1;" ::"l"(p.error_record), "l"(record) : "memory");
  __threadfence_system();
  __trap();
}

// The encoding of words in messages. A word with kSentinel's bits is one, two or four zeros, the last of them negative.
// If the sign of zero does not matter, +0 is sent for it; otherwise kStandIn is, and a genuine kStandIn (a NaN) becomes
// another NaN of its type.
template <bool kKeepsZeroSign>
__device__ inline Word Encode(Word word) {
  if (!kKeepsZeroSign) return word == kSentinel ? 0 : word;
  return word == kSentinel ? kStandIn : word == kStandIn ? 0x7fffffff : word;
}
template <bool kKeepsZeroSign>
__device__ inline Word Decode(Word word) {
  return kKeepsZeroSign && word == kStandIn ? kSentinel : word;
}

// Sends words to every peer, starting with the next rank, so that not all ranks write to the same one at once. `at`:
// offset in the message.
template <int kWords, bool kKeepsZeroSign>
__device__ inline void PushWords(const Parameters& p, const Slot& slot, long long at, const Word* words) {
  Word sent[kWords];
  ONESHOT_UNROLL for (int w = 0; w < kWords; ++w) sent[w] = Encode<kKeepsZeroSign>(words[w]);
  ONESHOT_UNROLL for (int i = 1; i < kRanks; ++i) {
    const int to = p.rank + i < kRanks ? p.rank + i : p.rank + i - kRanks;
    StoreToPeer<kWords>(slot.Region(p, to, p.rank) + at, sent);
  }
}
