// A while loop whose state is a tuple, as far as rotating it needs to know it.
//
//   %w = while(%init), condition=%c, body=%b;  %init = tuple(%i0, %x0, %g)
//   %b { %p = parameter(0); %x = get-tuple-element(%p), index=1; ...; ROOT %next = tuple(%i1, %x1, %g1) }
//
//   Next(%x) = %x1      what the next round reads in its place
//   First(%x) = %x0     what the first round reads in its place
//
// A loop that is written in another way is refused with a reason.
#ifndef XLA_PASS_ROTATE_LOOP_H_
#define XLA_PASS_ROTATE_LOOP_H_

#include "base/result.h"
#include "xla_pass/graph/graph.h"

namespace jax_oneshot {

struct Loop {
  Node loop = kNoNode;  // the while
  Node init = kNoNode;  // the tuple that it starts from
  int body = -1;        // computations
  int condition = -1;
  Node state = kNoNode;            // the body's parameter
  Node next = kNoNode;             // the body's root
  Node condition_state = kNoNode;  // the condition's parameter
};

// Fails with a sentence about the loop.
Result<Loop> ReadLoop(const Graph& graph, Node loop);

// The number of the element that `node` reads from the loop's state; -1: it is something else.
int ElementOf(const Graph& graph, const Loop& loop, Node node);
// Of an element's number.
Node Next(const Graph& graph, const Loop& loop, int element);
Node First(const Graph& graph, const Loop& loop, int element);
// The body hands the element on as it is.
bool IsInvariant(const Graph& graph, const Loop& loop, int element);

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROTATE_LOOP_H_
