// SPDX-License-Identifier: Apache-2.0
// The groups of one sum that replaces two nested sums.
//
//   inner {{0,1,2,3},{4,5,6,7}}, outer {{0,4},{1,5},{2,6},{3,7}}   ->  {{0,1,2,3,4,5,6,7}}
//   inner {{0,1},{2,3}},         outer {{0,1},{2,3}}               ->  none: each value would be added twice
//
// Ids are ascending within a group, and groups are ordered by their first ids.
#ifndef XLA_PASS_SUMS_PRODUCT_GROUPS_H_
#define XLA_PASS_SUMS_PRODUCT_GROUPS_H_

#include <cstdint>
#include <optional>
#include <vector>

namespace jax_oneshot {

using Groups = std::vector<std::vector<int64_t>>;

std::optional<Groups> ProductGroups(const Groups& inner, const Groups& outer);

}  // namespace jax_oneshot

#endif  // XLA_PASS_SUMS_PRODUCT_GROUPS_H_
