// SPDX-License-Identifier: Apache-2.0
// Counts the collectives that a module runs: on GPU, in its form before XLA's combiner; on CPU, in any form.
//
//   three all-reduces that are combined into one, an all-gather, one of our calls    -> 3
#ifndef XLA_PASS_COMBINER_COUNT_COLLECTIVES_H_
#define XLA_PASS_COMBINER_COUNT_COLLECTIVES_H_

#include <cstdint>

#include "xla_pass/combiner/combined_collectives.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/hlo_view/hlo_view.h"

namespace jax_oneshot {

// Collective instructions; asynchronous pairs count at their start.
bool IsCollective(hlo::Opcode opcode);

// Collectives and our calls, before combining.
int64_t CountCollectives(const hlo::Computation& computation);
int64_t CountCollectives(const hlo::Module& module);

// The same after XLA's combiner.
int64_t CountCombined(const Graph& graph, int computation, const CombineLimits& limits);
int64_t CountCombined(const hlo::Module& module, const CombineLimits& limits);

}  // namespace jax_oneshot

#endif  // XLA_PASS_COMBINER_COUNT_COLLECTIVES_H_
