// SPDX-License-Identifier: Apache-2.0
// How the ranks exchange the data that a call combines. Both algorithms give the same bits. The pass chooses, once per
// call, by message size and group size (xla_pass/sites/message_limits.h); on CPU, where ranks share memory, the choice
// has no effect.
#ifndef FFI_KERNELS_ALGORITHM_H_
#define FFI_KERNELS_ALGORITHM_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace jax_oneshot {

enum class Algorithm : uint8_t {
  kOneShot,  // every rank sends its whole message to every other rank
  kTwoShot,  // the owner of each word sums it and sends the sum to the others: cuda/kernel/device/two_shot.cuh
};

// The value of a call's "algorithm" attribute.
constexpr std::string_view AlgorithmName(Algorithm algorithm) {
  return algorithm == Algorithm::kOneShot ? "one_shot" : "two_shot";
}

constexpr std::optional<Algorithm> ParseAlgorithm(std::string_view name) {
  for (const Algorithm algorithm : {Algorithm::kOneShot, Algorithm::kTwoShot}) {
    if (name == AlgorithmName(algorithm)) return algorithm;
  }
  return std::nullopt;
}

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_ALGORITHM_H_
