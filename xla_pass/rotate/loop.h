// SPDX-License-Identifier: Apache-2.0
// The parts of a while loop with a tuple state that rotation needs.
//
//   %w = while(%init), condition=%c, body=%b;  %init = tuple(%i0, %x0, %g)
//   %b { %p = parameter(0); %x = get-tuple-element(%p), index=1; ...; ROOT %next = tuple(%i1, %x1, %g1) }
//
//   Next(%x) = %x1      what the next iteration reads in its place
//   First(%x) = %x0     what the first iteration reads in its place
//
// Loops of any other form are refused with a reason.
#ifndef XLA_PASS_ROTATE_LOOP_H_
#define XLA_PASS_ROTATE_LOOP_H_

#include "xla_pass/graph/graph.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

struct Loop {
  Node loop = kNoNode;  // the while
  Node init = kNoNode;  // the initial state, a tuple
  int body = -1;        // computations
  int condition = -1;
  Node state = kNoNode;            // the body's parameter
  Node next = kNoNode;             // the body's root
  Node condition_state = kNoNode;  // the condition's parameter
};

// Fails with a sentence about the loop.
Decision<Loop> ReadLoop(const Graph& graph, Node loop);

// The index of the state element that `node` reads; -1 if it reads none.
int ElementOf(const Graph& graph, const Loop& loop, Node node);
// Of the element with this index.
Node Next(const Graph& graph, const Loop& loop, int element);
Node First(const Graph& graph, const Loop& loop, int element);
// True if the body passes the element through unchanged.
bool IsInvariant(const Graph& graph, const Loop& loop, int element);

}  // namespace jax_oneshot

#endif  // XLA_PASS_ROTATE_LOOP_H_
