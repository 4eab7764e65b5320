// SPDX-License-Identifier: Apache-2.0
// IsFloat: the element types that sums are taken of here.
#ifndef XLA_PASS_SUMS_FLOAT_TYPES_H_
#define XLA_PASS_SUMS_FLOAT_TYPES_H_

#include "xla_pass/hlo_view/shape.h"

namespace jax_oneshot {

// bf16, f16 or f32: f32 holds every value of all three.
inline bool IsFloat(hlo::PrimitiveType type) {
  return type == hlo::PrimitiveType::kBF16 || type == hlo::PrimitiveType::kF16 || type == hlo::PrimitiveType::kF32;
}

}  // namespace jax_oneshot

#endif  // XLA_PASS_SUMS_FLOAT_TYPES_H_
