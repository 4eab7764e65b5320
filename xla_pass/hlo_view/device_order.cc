// SPDX-License-Identifier: Apache-2.0
// Implementation of device_order.h.
#include "xla_pass/hlo_view/device_order.h"

#include <numeric>
#include <string>

namespace jax_oneshot::hlo {
namespace {

bool IsPermutation(const std::vector<int64_t>& permutation, size_t size) {
  std::vector<bool> seen(size, false);
  for (int64_t p : permutation) {
    if (p < 0 || p >= static_cast<int64_t>(size) || seen[p]) return false;
    seen[p] = true;
  }
  return permutation.size() == size;
}

std::vector<int64_t> Transpose(const std::vector<int64_t>& ids, const std::vector<int64_t>& dims,
                               const std::vector<int64_t>& permutation) {
  std::vector<int64_t> strides(dims.size(), 1);
  for (size_t d = dims.size(); d-- > 1;) strides[d - 1] = strides[d] * dims[d];
  std::vector<int64_t> index(dims.size(), 0);  // in transposed order
  std::vector<int64_t> out;
  out.reserve(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    int64_t offset = 0;
    for (size_t d = 0; d < dims.size(); ++d) offset += index[d] * strides[permutation[d]];
    out.push_back(ids[offset]);
    for (size_t d = dims.size(); d-- > 0;) {
      if (++index[d] < dims[permutation[d]]) break;
      index[d] = 0;
    }
  }
  return out;
}

}  // namespace

Result<int64_t> CheckedProduct(const std::vector<int64_t>& factors) {
  int64_t product = 1;
  for (int64_t factor : factors) {
    if (factor < 1 || factor > kMaxDevices || product > kMaxDevices / factor) {
      return Err("dimensions multiply to fewer than 1 or more than " + std::to_string(kMaxDevices) + " devices");
    }
    product *= factor;
  }
  return product;
}

std::vector<int64_t> Iota(int64_t count) {
  std::vector<int64_t> ids(count);
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

Result<std::vector<int64_t>> Rearrange(const std::vector<int64_t>& ids, const std::vector<int64_t>& dims,
                                       const std::vector<int64_t>& permutation) {
  if (dims.size() > kMaxDeviceDims) {
    return Err(std::to_string(dims.size()) + " dimensions, expected at most " + std::to_string(kMaxDeviceDims));
  }
  const Result<int64_t> count = CheckedProduct(dims);
  if (!count) return Err(count.error());
  if (*count != static_cast<int64_t>(ids.size())) {
    return Err("dimensions multiply to " + std::to_string(*count) + ", but there are " + std::to_string(ids.size()) +
               " devices");
  }
  if (permutation.empty()) return ids;
  if (!IsPermutation(permutation, dims.size())) return Err("a transpose does not permute its dimensions");
  return Transpose(ids, dims, permutation);
}

}  // namespace jax_oneshot::hlo
