// SPDX-License-Identifier: Apache-2.0
// Span<T>: a read-only view of consecutive elements, like C++20's std::span<const T>.
#ifndef BASE_SPAN_H_
#define BASE_SPAN_H_

#include <cstddef>
#include <vector>

namespace jax_oneshot {

template <typename T>
class Span {
 public:
  Span() = default;
  Span(const T* data, size_t size) : data_(data), size_(static_cast<unsigned>(size)) {}
  Span(const std::vector<T>& v) : Span(v.data(), v.size()) {}  // NOLINT: implicit, as std::span's is

  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const T& operator[](size_t i) const { return data_[i]; }
  const T& back() const { return data_[size_ - 1]; }

 private:
  const T* data_ = nullptr;
  unsigned size_ = 0;
};

}  // namespace jax_oneshot

#endif  // BASE_SPAN_H_
