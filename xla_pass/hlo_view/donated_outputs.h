// Counts the results of a module that are written into donated arguments.
//
//   HloModule jit_step, input_output_alias={ {1}: (5, {}, may-alias), {2}: (6, {}, may-alias) }   ->   2
//   HloModule jit_step, buffer_donor={ (5, {}), (6, {}) }                                         ->   2
//
// JAX writes the second form where it does not know the results' shardings yet; XLA pairs donors with results of their
// size after the pass has run.
// The other results lie in memory that is new in every run.
#ifndef XLA_PASS_HLO_VIEW_DONATED_OUTPUTS_H_
#define XLA_PASS_HLO_VIEW_DONATED_OUTPUTS_H_

#include <cstdint>
#include <string_view>

namespace jax_oneshot::hlo {

// `module_bytes` were parsed before; what cannot be read counts as not there.
int64_t CountDonatedOutputs(std::string_view module_bytes);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_DONATED_OUTPUTS_H_
