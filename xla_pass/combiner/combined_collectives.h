// SPDX-License-Identifier: Apache-2.0
// Predicts which collectives of a computation XLA's combiner will merge.
//
//   %a = all-reduce(%x); %b = all-reduce(%y), independent of each other; %c = all-reduce(f(%a))
//     -> %a 0, %b 0, %c 1: two collectives run
//
// XLA's combiner runs after the pass. It takes the collectives with equal keys (opcode, reduction, type, groups) in the
// order of the module, up to the first one that depends on one already taken or that exceeds a limit, and then starts
// again. This is a model, validated against compiled programs (tests/models/test_counts_of_compiled_programs.py) and
// not against XLA's sources. The limits are in XLA's debug options.
#ifndef XLA_PASS_COMBINER_COMBINED_COLLECTIVES_H_
#define XLA_PASS_COMBINER_COMBINED_COLLECTIVES_H_

#include <cstdint>
#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/graph/step_budget.h"

namespace jax_oneshot {

// Limits of one combined collective; zero: nothing is combined.
struct CombineLimits {
  int64_t bytes = 0;
  int64_t count = 0;
};

// By instruction of the computation: the index of the combined collective that it will be part of; -1 if it is neither
// an all-reduce nor an all-gather. Once the budget is spent, nothing more counts as combined.
std::vector<int> CombinedCollectives(const Graph& graph, int computation, const CombineLimits& limits,
                                     StepBudget* steps);

}  // namespace jax_oneshot

#endif  // XLA_PASS_COMBINER_COMBINED_COLLECTIVES_H_
