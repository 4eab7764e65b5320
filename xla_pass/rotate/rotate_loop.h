// SPDX-License-Identifier: Apache-2.0
// Rotates a loop: moves a part of its body from the start of an iteration to the end of the previous one.
//
//   %w = while(tuple(%i0, %x0, %g)), body=%b
//   %b { %n = norm(%x, slice(%g, %i)); %d = dot(%n, ..); ...; ROOT %next = tuple(%i1, %x1, %g) }
//   ->
//   %first = norm(%x0, slice(%g, %i0)); %w = while(tuple(%i0, %x0, %g, %first)), body=%b
//   %b { %n = get-tuple-element(%state), index=3; %d = dot(%n, ..); ...
//        %moved = norm(%x1, slice(%g, %i1)); ROOT %next = tuple(%i1, %x1, %g, %moved) }
//
// The state gains every value of the part. The copy at the end of the body reads the next state, and the copy before
// the loop reads the initial state. The last iteration computes an unused value, from a slice past the end of the
// stack, which HLO clamps. The rewrite is therefore correct for any trip count and any index.
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
  // Maps names of new body instructions that compute the values to their old names.
  std::unordered_map<std::string, std::string> old_names;
  std::vector<std::string> values;              // new state elements, by their new names
  std::unordered_set<std::string> elements;     // the values as the body now reads them from its state
  std::unordered_set<std::string> first_round;  // names of the instructions added before the loop
};

// Where XLA inserts no more copies (CPU), every value of `part` must have its readers in time (readers_in_time.h): the
// call writes the next value into the state's buffer.
RotatedLoop RotateLoop(const Graph& graph, const Loop& loop, const MovedPart& part);

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROTATE_ROTATE_LOOP_H_
