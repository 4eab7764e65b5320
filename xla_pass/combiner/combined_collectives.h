// Predicts which collectives of a computation XLA's combiner will merge into one.
//
//   %a = all-reduce(%x); %b = all-reduce(%y), neither waits for the other; %c = all-reduce(f(%a))
//     -> %a 0, %b 0, %c 1: two collectives run
//
// XLA does so after the pass: it takes what has one key (kind, reduction, type, groups) in the order of the module, up
// to the first that waits for one it has taken or is one too many, and starts again. That is a model: it was held
// against compiled programs (tests/test_counts_of_compiled_programs.py), not against XLA's sources. What the combiner
// may take at most stands in its debug options.
#ifndef XLA_PASS_COMBINER_COMBINED_COLLECTIVES_H_
#define XLA_PASS_COMBINER_COMBINED_COLLECTIVES_H_

#include <cstdint>
#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/graph/step_budget.h"

namespace jax_oneshot {

// Of one combined collective; zero: nothing is combined.
struct CombineLimits {
  int64_t bytes = 0;
  int64_t count = 0;
};

// By instruction of the computation: the number, from 0 on, of the collective it will be part of; -1: it is no
// all-reduce and no all-gather. Once the budget is spent, nothing more counts as combined.
std::vector<int> CombinedCollectives(const Graph& graph, int computation, const CombineLimits& limits,
                                     StepBudget* steps);

}  // namespace jax_oneshot

#endif  // XLA_PASS_COMBINER_COMBINED_COLLECTIVES_H_
