// SPDX-License-Identifier: Apache-2.0
// What the caller of a module donates: arguments whose memory outputs may take.
//
//   HloModule jit_step, input_output_alias={ {1}: (5, {}, may-alias), {2}: (6, {}, may-alias) }
//       CountDonatedOutputs   2
//       FindDonatedParameters element 1 of the result: parameter 5; element 2: parameter 6
//   HloModule jit_step, buffer_donor={ (5, {}), (6, {}) }
//       CountDonatedOutputs   2
//
// JAX writes the second form when it does not know the output shardings yet; XLA pairs donors with outputs of the same
// size after the pass. All other outputs get newly allocated memory on each execution.
#ifndef XLA_PASS_HLO_VIEW_DONATION_H_
#define XLA_PASS_HLO_VIEW_DONATION_H_

#include <cstdint>
#include <string_view>
#include <vector>

namespace jax_oneshot::hlo {

// Outputs that are written into donated arguments. `module_bytes` has been parsed before; unreadable fields count as
// absent.
int64_t CountDonatedOutputs(std::string_view module_bytes);

// A parameter that is donated as a whole; aliases of tuple elements of a parameter are skipped.
struct DonatedParameter {
  std::vector<int64_t> output;  // shape index in the entry's result
  int64_t parameter = 0;
};

// By the input-output aliases; malformed ones are skipped.
std::vector<DonatedParameter> FindDonatedParameters(std::string_view module_bytes);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_DONATION_H_
