// SPDX-License-Identifier: Apache-2.0
// A region that the pass turned into a call, by instruction names: used to decide whether a rotation pays off.
#ifndef XLA_PASS_ROTATE_MADE_REGION_H_
#define XLA_PASS_ROTATE_MADE_REGION_H_

#include <string>
#include <unordered_set>
#include <vector>

namespace jax_oneshot {

struct MadeRegion {
  std::string computation;
  std::vector<std::string> all_reduces;  // summed by its call, in order
  std::unordered_set<std::string> members;
  std::vector<std::string> outputs;
  std::vector<int> output_indices;  // parallel to outputs; equal values share an index
  std::unordered_set<std::string> reads;
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROTATE_MADE_REGION_H_
