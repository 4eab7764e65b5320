// What a round computes from its state before anything else, as far as it looks like a norm: what may move to the end
// of the round before.
//
//   %x = get-tuple-element(%state), index=1          changed by a sum over ranks in the round before
//   %n = norm(%x, dynamic-slice(%stack, %i)); %d = dot(%n, ..); %y = add(%x, ..)
//   -> values {%n}, members {%n's parts, the slice}
//
// It begins at elements of the state that an all-reduce of the round before changed, and goes on as long as
// instructions are movable (movable.h) and their other operands are small and come from the state and constants.
// What it hands on are results of a reduction or a collective, or computed from one: what is cheap to compute again
// from the state itself (a convert), or from another such result (a reshape), stays where it is.
#ifndef XLA_PASS_ROTATE_MOVED_PART_H_
#define XLA_PASS_ROTATE_MOVED_PART_H_

#include <functional>
#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/rotate/loop.h"

namespace jax_oneshot {

struct MovedPart {
  std::vector<Node> values;   // what the state gains, ascending
  std::vector<Node> members;  // all that computes them, the values included, operands first
  std::vector<Node> begins;   // the elements of the state that it begins at
};

// `may_take`: of what is computed from the elements it begins at, whether it may be a member. No values: nothing moves.
MovedPart FindMovedPart(const Graph& graph, const Loop& loop, const std::function<bool(Node)>& may_take);

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROTATE_MOVED_PART_H_
