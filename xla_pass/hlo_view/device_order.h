// SPDX-License-Identifier: Apache-2.0
// Device orders (an iota reshaped and transposed, or an explicit list) expanded to ids.
#ifndef XLA_PASS_HLO_VIEW_DEVICE_ORDER_H_
#define XLA_PASS_HLO_VIEW_DEVICE_ORDER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"

namespace jax_oneshot::hlo {

inline constexpr int64_t kMaxDevices = int64_t{1} << 20;
inline constexpr size_t kMaxDeviceDims = 64;  // axes of a mesh, dimensions of an iota: bounds the work below

// Product of positive factors; fails for factors below one and products over kMaxDevices.
Result<int64_t> CheckedProduct(const std::vector<int64_t>& factors);

// transpose(reshape(ids, dims), permutation), flattened. An empty permutation is the identity. Fails if the product of
// the dimensions differs from the number of ids, or there are more than kMaxDeviceDims of them.
Result<std::vector<int64_t>> Rearrange(const std::vector<int64_t>& ids, const std::vector<int64_t>& dims,
                                       const std::vector<int64_t>& permutation);

std::vector<int64_t> Iota(int64_t count);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_DEVICE_ORDER_H_
