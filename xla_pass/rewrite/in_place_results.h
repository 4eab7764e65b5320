// SPDX-License-Identifier: Apache-2.0
// Decides which results of a call on XLA:GPU may alias an operand, so that a donated buffer or an element of a loop's
// state is updated in place.
//
//   entry: %m parameter(1), donated for element 1 of the result; call(%d, %m) -> %new, read by ROOT tuple(.., %new)
//     -> result 0 aliases operand 1
//   body:  %m = get-tuple-element(state), index=2; call(%d, %m) -> %new, element 2 of the next state    -> the same
//
// Otherwise XLA copies, because the results of a call get buffers of their own. Aliasing is safe for the kernels: a
// thread loads its elements of a row's local operands before it stores its elements of that row's results, no other
// thread accesses them, and peers only read messages. The operand must therefore be local, a whole row with the type
// and shape of the result, and the only operand in its buffer.
#ifndef XLA_PASS_REWRITE_IN_PLACE_RESULTS_H_
#define XLA_PASS_REWRITE_IN_PLACE_RESULTS_H_

#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/hlo_view/donation.h"
#include "xla_pass/regions/region.h"

namespace jax_oneshot {

struct InPlaceResult {
  int output = 0;   // index into the program's outputs
  int operand = 0;  // index into the call's operands
};

// `donated` comes from FindDonatedParameters.
std::vector<InPlaceResult> FindInPlaceResults(const Graph& graph, const std::vector<hlo::DonatedParameter>& donated,
                                              const Region& region);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REWRITE_IN_PLACE_RESULTS_H_
