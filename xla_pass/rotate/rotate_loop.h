// A loop and the part of its body that moves: the module with the loop rotated.
//
//   %w = while(tuple(%i0, %x0, %g)), body=%b
//   %b { %n = norm(%x, slice(%g, %i)); %d = dot(%n, ..); ...; ROOT %next = tuple(%i1, %x1, %g) }
//   ->
//   %first = norm(%x0, slice(%g, %i0)); %w = while(tuple(%i0, %x0, %g, %first)), body=%b
//   %b { %n = get-tuple-element(%state), index=3; %d = dot(%n, ..); ...
//        %moved = norm(%x1, slice(%g, %i1)); ROOT %next = tuple(%i1, %x1, %g, %moved) }
//
// The state gains each value of the part. What computes it in the body reads what the next round's state will be; the
// same in front of the loop reads what the first round's is. The last round computes one more, which nobody reads, from
// a slice behind the end of the stack, which HLO clamps. So it holds whatever the trip count is, and whatever the index
// is computed from: nothing is assumed about either.
#ifndef XLA_PASS_ROTATE_ROTATE_LOOP_H_
#define XLA_PASS_ROTATE_ROTATE_LOOP_H_

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/rotate/loop.h"
#include "xla_pass/rotate/moved_part.h"

namespace jax_oneshot {

struct RotatedLoop {
  std::string module;
  std::vector<std::string> moved;  // instructions of the old body, in order
  // By name of an instruction of the new body that computes the values: the one it was before.
  std::unordered_map<std::string, std::string> old_names;
  std::vector<std::string> values;              // what the state gains, by their new names
  std::unordered_set<std::string> in_place;     // elements whose next value is written while they could be read
  std::unordered_set<std::string> first_round;  // names of what was added in front of the loop
};

// `after_copy_insertion`: XLA adds no copies any more (CPU), so where a value's readers may run later than the next one
// is computed, copies are added here.
RotatedLoop RotateLoop(const Graph& graph, const Loop& loop, const MovedPart& part, bool after_copy_insertion);

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROTATE_ROTATE_LOOP_H_
