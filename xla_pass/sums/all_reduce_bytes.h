// SPDX-License-Identifier: Apache-2.0
// Serializes an all-reduce with other groups and operands.
//
//   %a = f32[8] all-reduce(%x), replica_groups=[2,2]<=[4]  ->  %a = f32[8] all-reduce(%y), replica_groups={{0,1,2,3}}
#ifndef XLA_PASS_SUMS_ALL_REDUCE_BYTES_H_
#define XLA_PASS_SUMS_ALL_REDUCE_BYTES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "xla_pass/hlo_view/hlo_view.h"
#include "xla_pass/sums/product_groups.h"

namespace jax_oneshot {

// The groups are written as explicit lists, whatever the original notation.
std::string AllReduceAmong(const hlo::Instruction& all_reduce, const Groups& groups,
                           const std::vector<int64_t>& operand_ids);

}  // namespace jax_oneshot

#endif  // XLA_PASS_SUMS_ALL_REDUCE_BYTES_H_
