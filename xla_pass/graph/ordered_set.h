// SPDX-License-Identifier: Apache-2.0
// A set that numbers its keys in insertion order and can remove the latest ones. Together with a vector indexed by
// these numbers it serves as a map.
//
// Used for tables that are built for every region and hold a few dozen keys: it allocates two blocks of memory, where
// standard containers allocate per key.
#ifndef XLA_PASS_GRAPH_ORDERED_SET_H_
#define XLA_PASS_GRAPH_ORDERED_SET_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace jax_oneshot {

struct IntegerHash {
  uint64_t operator()(uint64_t key) const { return key * 0x9e3779b97f4a7c15u; }
};

// Uses the upper bits of Hash's result.
template <typename Key, typename Hash = IntegerHash>
class OrderedSet {
 public:
  OrderedSet() = default;
  OrderedSet(std::initializer_list<Key> keys) {
    for (const Key& key : keys) Insert(key);
  }

  // Returns false and changes nothing if the key is already present.
  bool Insert(const Key& key) {
    if (2 * (keys_.size() + 1) > slots_.size()) Grow();
    int& slot = slots_[SlotOf(key)];
    if (slot != kFree) return false;
    slot = static_cast<int>(keys_.size());
    keys_.push_back(key);
    return true;
  }

  // The key's number, or -1.
  int Find(const Key& key) const { return keys_.empty() ? -1 : slots_[SlotOf(key)]; }
  bool Contains(const Key& key) const { return Find(key) >= 0; }

  // Removes all but the first `size` keys.
  void Truncate(size_t size) {
    // Latest first: no remaining key can have probed past a removed one.
    for (; keys_.size() > size; keys_.pop_back()) slots_[SlotOf(keys_.back())] = kFree;
  }

  const std::vector<Key>& keys() const { return keys_; }
  size_t size() const { return keys_.size(); }

 private:
  static constexpr int kFree = -1;

  // The slot that holds the key, or the free slot for it.
  size_t SlotOf(const Key& key) const {
    const size_t mask = slots_.size() - 1;
    size_t slot = Hash()(key) >> shift_;
    while (slots_[slot] != kFree && !(keys_[slots_[slot]] == key)) slot = (slot + 1) & mask;
    return slot;
  }

  void Grow() {
    constexpr int kFirstBits = 6;
    shift_ = slots_.empty() ? 64 - kFirstBits : shift_ - 1;
    slots_.assign(size_t{1} << (64 - shift_), kFree);
    keys_.reserve(slots_.size() / 2);
    for (size_t i = 0; i < keys_.size(); ++i) slots_[SlotOf(keys_[i])] = static_cast<int>(i);
  }

  std::vector<Key> keys_;
  std::vector<int> slots_;  // power-of-two size, at most half full: key numbers, or kFree
  int shift_ = 64;          // shifts a hash down to a slot index
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_GRAPH_ORDERED_SET_H_
