// SPDX-License-Identifier: Apache-2.0
// Finds the norm at the start of an iteration: the part of the body that may move to the end of the previous iteration.
//
//   %x = get-tuple-element(%state), index=1          changed by a sum over ranks in the previous iteration
//   %n = norm(%x, dynamic-slice(%stack, %i)); %d = dot(%n, ..); %y = add(%x, ..)
//   -> values {%n}, members {the instructions of %n, the slice}
//
// The part begins at state elements that an all-reduce of the previous iteration changed, and extends over movable
// instructions (movable.h) whose other operands are small and computed from the state and constants. Its values are
// results of a reduction or a collective, or computed from one. Results that are cheap to recompute from the state (a
// convert) or from another value (a reshape) stay where they are.
#ifndef XLA_PASS_ROTATE_MOVED_PART_H_
#define XLA_PASS_ROTATE_MOVED_PART_H_

#include <functional>
#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/rotate/loop.h"

namespace jax_oneshot {

struct MovedPart {
  std::vector<Node> values;   // new elements of the state, ascending
  std::vector<Node> members;  // everything that computes the values, themselves included, operands first
  std::vector<Node> begins;   // the state elements at which the part begins
};

// `may_take`: whether an instruction computed from `begins` may be a member. No values means that nothing moves.
MovedPart FindMovedPart(const Graph& graph, const Loop& loop, const std::function<bool(Node)>& may_take);

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROTATE_MOVED_PART_H_
