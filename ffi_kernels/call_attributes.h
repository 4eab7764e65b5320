// SPDX-License-Identifier: Apache-2.0
// Names of the custom-call targets and of their attributes: the contract between the pass, which writes them into
// backend_config, and the FFI handlers, which read them.
#ifndef FFI_KERNELS_CALL_ATTRIBUTES_H_
#define FFI_KERNELS_CALL_ATTRIBUTES_H_

#include <string_view>

namespace jax_oneshot {

inline constexpr char kCallTarget[] = "jax_oneshot.all_reduce";
// The same call; XLA:GPU does not record it into a command buffer (xla_pass/regions/graph_segments.h).
inline constexpr char kGraphEndTarget[] = "jax_oneshot.all_reduce.graph_end";

inline bool IsCallTarget(std::string_view target) { return target == kCallTarget || target == kGraphEndTarget; }

// Operands: the program's inputs in order; on CPU two u32[] scalars follow, replica-id and partition-id.
// Results: the program's outputs in order.
inline constexpr char kAttrProgram[] = "program";       // string: canonical row program
inline constexpr char kAttrRows[] = "rows";             // i64
inline constexpr char kAttrWidth[] = "width";           // i64
inline constexpr char kAttrGroupMode[] = "group_mode";  // string: "flattened_id", "cross_replica",
                                                        // "cross_partition", "cross_replica_and_partition"
inline constexpr char kAttrGroups[] = "groups";         // array<i64>: ids, group after group; empty: all ids
inline constexpr char kAttrGroupSize[] = "group_size";  // i64: ids per group
inline constexpr char kAttrChannelId[] = "channel_id";  // i64; 0: none
inline constexpr char kAttrCall[] = "call";             // i64: index of this call within the module
inline constexpr char kAttrTimeoutMs[] = "timeout_ms";  // i64
inline constexpr char kAttrAlgorithm[] = "algorithm";   // string: "one_shot", "two_shot" (algorithm.h)

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CALL_ATTRIBUTES_H_
