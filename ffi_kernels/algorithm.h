// How what is combined over the ranks travels between them. The sums have the same bits either way. The pass chooses,
// once per call, by the bytes of the message and the size of the group (xla_pass/sites/message_limits.h); on CPU, where
// ranks share memory, the choice means nothing.
#ifndef FFI_KERNELS_ALGORITHM_H_
#define FFI_KERNELS_ALGORITHM_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace jax_oneshot {

enum class Algorithm : uint8_t {
  kOneShot,  // every rank sends its whole message to every other rank
  kTwoShot,  // every word goes to its owner, and its sum from there to the others: cuda/kernel/device/two_shot.cuh
};

// As the attribute of a call spells it.
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
