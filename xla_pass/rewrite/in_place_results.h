// Decides which results of a call on XLA:GPU may be written where an operand lies, so that a donated buffer or an
// element of a loop's state is updated in place.
//
//   entry: %m parameter(1), donated for element 1 of the result; call(%d, %m) -> %new, read by ROOT tuple(.., %new)
//     -> result 0 where operand 1 lies
//   body:  %m = get-tuple-element(state), index=2; call(%d, %m) -> %new, element 2 of the next state    -> the same
//
// Without it XLA copies: a call's results have memory of their own. The kernels allow it: a thread loads its elements
// of a row's local operands before it stores its elements of that row's results, and no other thread touches them; the
// peers read messages only. So the operand is local, a whole row of the result's type and shape, and no other operand
// comes from the same buffer.
#ifndef XLA_PASS_REWRITE_IN_PLACE_RESULTS_H_
#define XLA_PASS_REWRITE_IN_PLACE_RESULTS_H_

#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/hlo_view/donated_parameters.h"
#include "xla_pass/regions/region.h"

namespace jax_oneshot {

struct InPlaceResult {
  int output = 0;   // of the program's outputs
  int operand = 0;  // of the call's operands
};

// `donated`: as FindDonatedParameters gives it.
std::vector<InPlaceResult> FindInPlaceResults(const Graph& graph, const std::vector<hlo::DonatedParameter>& donated,
                                              const Region& region);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REWRITE_IN_PLACE_RESULTS_H_
