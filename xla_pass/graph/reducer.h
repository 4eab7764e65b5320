// SPDX-License-Identifier: Apache-2.0
// Classifies a reduction computation (to_apply) by what it computes, whatever its name.
//
//   %region_1 (a, b) { ROOT add(a, b) }                            -> kSum
//   %x.promoted (a, b) { ROOT convert(maximum(convert(a), ...)) }  -> kMax
#ifndef XLA_PASS_GRAPH_REDUCER_H_
#define XLA_PASS_GRAPH_REDUCER_H_

#include <cstdint>

#include "xla_pass/hlo_view/hlo_view.h"

namespace jax_oneshot {

enum class Reducer : uint8_t { kSum, kMax, kMin, kOther };

Reducer ClassifyReducer(const hlo::Computation& computation);

}  // namespace jax_oneshot

#endif  // XLA_PASS_GRAPH_REDUCER_H_
