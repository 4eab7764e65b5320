// What the pass made of one region, by the names of its instructions: what decides whether a rotation gains.
#ifndef XLA_PASS_ROTATE_MADE_REGION_H_
#define XLA_PASS_ROTATE_MADE_REGION_H_

#include <string>
#include <unordered_set>
#include <vector>

namespace jax_oneshot {

struct MadeRegion {
  std::string computation;
  std::vector<std::string> all_reduces;  // that its call sums, the first one first
  std::unordered_set<std::string> members;
  std::vector<std::string> outputs;
  std::vector<int> output_indices;  // by outputs; equal values share one
  std::unordered_set<std::string> reads;
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROTATE_MADE_REGION_H_
