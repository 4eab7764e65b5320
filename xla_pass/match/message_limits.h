// In:  nothing. Out: MessageLimits: how large a message may be to be rewritten, by the size of its group.
#ifndef XLA_PASS_MATCH_MESSAGE_LIMITS_H_
#define XLA_PASS_MATCH_MESSAGE_LIMITS_H_

#include <array>
#include <cstdint>

namespace jax_oneshot {

inline constexpr int64_t kMinGroupSize = 2;
inline constexpr int64_t kMaxGroupSize = 16;

// Bytes of one rank's message; the index is the number of ranks.
using MessageLimits = std::array<int64_t, kMaxGroupSize + 1>;

}  // namespace jax_oneshot

#endif  // XLA_PASS_MATCH_MESSAGE_LIMITS_H_
