// SPDX-License-Identifier: Apache-2.0
// Rotates those loops of a module whose last region takes in the part that moves.
//
//   rotate every loop that has something to move -> run the pass -> if calls that sum an all-reduce of the body return
//   all values that moved, keep the rotation; if the regions took in only a part of what moved, try with that part;
//   else leave the loop as it was
//
// A module without loops that contain all-reduces costs one scan of its instructions.
#ifndef XLA_PASS_ROTATE_ROTATE_WHERE_IT_GAINS_H_
#define XLA_PASS_ROTATE_ROTATE_WHERE_IT_GAINS_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "xla_pass/hlo_view/hlo_view.h"
#include "xla_pass/rotate/made_region.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

// A loop that was rotated, or that had something to move but was not rotated.
struct Rotation {
  std::string loop, computation;     // names of the while and its body
  std::optional<Reason> reason;      // why it was not rotated
  std::string all_reduce;            // the all-reduce whose call took in the moved part
  std::vector<std::string> moved;    // instructions in order
  std::vector<std::string> carried;  // shapes of the new state elements
  // Maps names of moved instructions in the rotated module to their names in the original one.
  std::unordered_map<std::string, std::string> old_names;
  std::unordered_set<std::string> first_round;  // instructions added before the loop
};

struct Rotations {
  std::vector<Rotation> loops;
  bool any_made = false;  // if so, the module of the last call of `run_pass` is the result
};

// Runs the pass on a module and returns the regions that it turned into calls.
using RunPassOn = std::function<Result<std::vector<MadeRegion>>(std::string module)>;

// No loop is rotated if `run_pass` fails.
Rotations RotateWhereItGains(const hlo::Module& module, bool after_copy_insertion, const RunPassOn& run_pass);

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROTATE_ROTATE_WHERE_IT_GAINS_H_
