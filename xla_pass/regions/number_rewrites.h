// SPDX-License-Identifier: Apache-2.0
// Numbers the rewrites of a computation, by region.
//
//   regions of all-reduces {a}, {b, c}, {d, first element}, {d, second element}; first number 1  ->  1, 2, 3, 3
//
// An all-reduce is rewritten completely or not at all, so regions that share one are one rewrite: the unit that
// JAX_ONESHOT_LIMIT counts and that a bisection switches.
#ifndef XLA_PASS_REGIONS_NUMBER_REWRITES_H_
#define XLA_PASS_REGIONS_NUMBER_REWRITES_H_

#include <cstdint>
#include <vector>

#include "xla_pass/regions/region.h"

namespace jax_oneshot {

// Indexed like the regions; rewrites are numbered in the order of their first regions.
std::vector<int64_t> NumberRewrites(const std::vector<Region>& regions, int64_t first_number);

}  // namespace jax_oneshot

#endif  // XLA_PASS_REGIONS_NUMBER_REWRITES_H_
