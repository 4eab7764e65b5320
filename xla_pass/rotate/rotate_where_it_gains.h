// Rotates the loops of a module whose last region takes in what moves, and no others.
//
//   rotate every loop that has something to move -> let the pass decide -> where a value that moved is returned by a
//   call that sums an all-reduce of the body, the rotation stays; where the region took in only a part of what moved,
//   try with that part; else leave the loop as it was
//
// A module without loops that hold all-reduces costs one look at each instruction.
#ifndef XLA_PASS_ROTATE_ROTATE_WHERE_IT_GAINS_H_
#define XLA_PASS_ROTATE_ROTATE_WHERE_IT_GAINS_H_

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "xla_pass/hlo_view/hlo_view.h"
#include "xla_pass/rotate/made_region.h"

namespace jax_oneshot {

// One loop that was rotated, or had something to move and was not.
struct Rotation {
  std::string loop, computation;     // names of the while and of its body
  std::string reason;                // why it was not rotated; empty: it was
  std::string all_reduce;            // the one whose call took in what moved
  std::vector<std::string> moved;    // instructions, in order
  std::vector<std::string> carried;  // shapes of what the state gained
  // By name of what moved in the rotated module: its name in the module as it came.
  std::unordered_map<std::string, std::string> old_names;
  std::unordered_set<std::string> first_round;  // what stands in front of the loop now
};

struct Rotations {
  std::vector<Rotation> loops;
  bool any_made = false;  // then the module of the last call of `run_pass` is the one that stays
};

// Runs the pass on a module; says which regions it made calls of.
using RunPassOn = std::function<Result<std::vector<MadeRegion>>(std::string module)>;

// Where `run_pass` fails, no loop is rotated.
Rotations RotateWhereItGains(const hlo::Module& module, bool after_copy_insertion, const RunPassOn& run_pass);

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROTATE_ROTATE_WHERE_IT_GAINS_H_
