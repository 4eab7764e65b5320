// SPDX-License-Identifier: Apache-2.0
// Arena of short integer lists: one allocation for thousands of lists, all freed with the arena.
#ifndef XLA_PASS_HLO_VIEW_ARENA_H_
#define XLA_PASS_HLO_VIEW_ARENA_H_

#include <algorithm>
#include <memory>
#include <vector>

#include "base/span.h"

namespace jax_oneshot::hlo {

template <typename T>
class Arena {
 public:
  // Room for `size` integers, to be written by the caller.
  T* Make(size_t size) {
    if (size > left_) Grow(size);
    T* const begin = next_;
    next_ += size;
    left_ -= size;
    return begin;
  }

  Span<T> Copy(Span<T> list) {
    if (list.empty()) return {};
    T* const begin = Make(list.size());
    std::copy(list.begin(), list.end(), begin);
    return {begin, list.size()};
  }

 private:
  void Grow(size_t at_least) {
    constexpr size_t kBlock = 16384;
    left_ = std::max(at_least, kBlock);
    blocks_.emplace_back(new T[left_]);
    next_ = blocks_.back().get();
  }

  std::vector<std::unique_ptr<T[]>> blocks_;
  T* next_ = nullptr;
  size_t left_ = 0;
};

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_ARENA_H_
