// Counts the outputs of a module that are written into donated arguments.
//
//   HloModule jit_step, input_output_alias={ {1}: (5, {}, may-alias), {2}: (6, {}, may-alias) }   ->   2
//   HloModule jit_step, buffer_donor={ (5, {}), (6, {}) }                                         ->   2
//
// JAX writes the second form when it does not know the output shardings yet; XLA pairs donors with outputs of the same
// size after the pass. All other outputs get newly allocated memory on each execution.
#ifndef XLA_PASS_HLO_VIEW_DONATED_OUTPUTS_H_
#define XLA_PASS_HLO_VIEW_DONATED_OUTPUTS_H_

#include <cstdint>
#include <string_view>

namespace jax_oneshot::hlo {

// `module_bytes` has been parsed before; unreadable fields count as absent.
int64_t CountDonatedOutputs(std::string_view module_bytes);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_DONATED_OUTPUTS_H_
