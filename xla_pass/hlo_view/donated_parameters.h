// The input-output aliases of a module: which entry parameters (donated arguments) may share a buffer with an output.
//
//   input_output_alias={ {1}: (0, {}, may-alias) }    -> element 1 of the result, parameter 0
#ifndef XLA_PASS_HLO_VIEW_DONATED_PARAMETERS_H_
#define XLA_PASS_HLO_VIEW_DONATED_PARAMETERS_H_

#include <cstdint>
#include <vector>

#include "xla_pass/hlo_view/hlo_view.h"

namespace jax_oneshot::hlo {

// A parameter that is donated as a whole; aliases of tuple elements of a parameter are skipped.
struct DonatedParameter {
  std::vector<int64_t> output;  // shape index in the entry's result
  int64_t parameter = 0;
};

// Malformed entries are skipped.
std::vector<DonatedParameter> FindDonatedParameters(const Module& module);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_DONATED_PARAMETERS_H_
