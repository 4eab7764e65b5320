// The input-output aliases of a module: which parameters of the entry (donated arguments) may hold parts of its result.
//
//   input_output_alias={ {1}: (0, {}, may-alias) }    -> element 1 of the result, parameter 0
#ifndef XLA_PASS_HLO_VIEW_DONATED_PARAMETERS_H_
#define XLA_PASS_HLO_VIEW_DONATED_PARAMETERS_H_

#include <cstdint>
#include <vector>

#include "xla_pass/hlo_view/hlo_view.h"

namespace jax_oneshot::hlo {

// A whole parameter; parts of one are left out.
struct DonatedParameter {
  std::vector<int64_t> output;  // where in the result, as a shape index
  int64_t parameter = 0;
};

// Nothing of what is malformed.
std::vector<DonatedParameter> FindDonatedParameters(const Module& module);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_DONATED_PARAMETERS_H_
