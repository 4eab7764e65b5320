// SPDX-License-Identifier: Apache-2.0
// MessageLimits: bounds on the message size, by group size.
//
//   bytes:   0 ............ two_shot_from ............ max_bytes ............
//             one-shot              two-shot                   left to XLA
#ifndef XLA_PASS_SITES_MESSAGE_LIMITS_H_
#define XLA_PASS_SITES_MESSAGE_LIMITS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "ffi_kernels/algorithm.h"

namespace jax_oneshot {

inline constexpr int64_t kMinGroupSize = 2;
inline constexpr int64_t kMaxGroupSize = 16;

// Bytes of one rank's message; the index is the number of ranks.
using MessageLimits = std::array<int64_t, kMaxGroupSize + 1>;

// As two_shot_from: two-shot is never used.
inline MessageLimits NoMessage() {
  MessageLimits limits;
  limits.fill(std::numeric_limits<int64_t>::max());
  return limits;
}

// How the sums of a call are exchanged; `bytes` is the size of its combined inputs. Two-shot is faster from
// `two_shot_from` bytes on.
inline Algorithm ChooseAlgorithm(int64_t bytes, int64_t group_size, const MessageLimits& two_shot_from) {
  return bytes >= two_shot_from.at(static_cast<size_t>(group_size)) ? Algorithm::kTwoShot : Algorithm::kOneShot;
}

}  // namespace jax_oneshot

#endif  // XLA_PASS_SITES_MESSAGE_LIMITS_H_
