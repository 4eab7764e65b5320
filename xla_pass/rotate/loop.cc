// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rotate/loop.h"

#include <algorithm>

#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

// The only parameter of a computation that only `loop` calls; else kNoNode.
Node StateOf(const Graph& graph, Node loop, int computation) {
  const hlo::Computation& called = graph.module().computations[computation];
  if (graph.caller(computation) != loop || called.parameters.size() != 1) return kNoNode;
  return graph.node(computation, called.parameters[0]);
}

bool SameShape(const hlo::Shape& a, const hlo::Shape& b) { return a.bytes == b.bytes; }

// True if the state is only read by get-tuple-element.
bool OnlyElementsAreRead(const Graph& graph, Node state) {
  if (graph.is_root(state)) return false;
  const Span<Node> users = graph.users(state);
  const auto elements = static_cast<int64_t>(graph.at(state).shape->tuple_shapes.size());
  return std::all_of(users.begin(), users.end(), [&](Node user) {
    const hlo::Instruction& read = graph.at(user);
    return read.opcode == Opcode::kGetTupleElement && read.number >= 0 && read.number < elements;
  });
}

bool IsTupleLike(const Graph& graph, Node tuple, const hlo::Shape& shape) {
  return graph.at(tuple).opcode == Opcode::kTuple && graph.at(tuple).operands.size() == shape.tuple_shapes.size();
}

}  // namespace

Decision<Loop> ReadLoop(const Graph& graph, Node loop) {
  const hlo::Instruction& instruction = graph.at(loop);
  Decision<Loop> refused = Refuse<ReasonId::kLoopStateIsNoTuple>();
  if (instruction.opcode != Opcode::kWhile || instruction.called_computations.size() != 2 ||
      instruction.operands.size() != 1 || graph.has_control_edges(loop)) {
    return refused;
  }
  Loop out;
  out.loop = loop;
  out.body = instruction.called_computations[0];
  out.condition = instruction.called_computations[1];
  out.init = graph.operand(loop, 0);
  out.state = StateOf(graph, loop, out.body);
  out.condition_state = StateOf(graph, loop, out.condition);
  if (out.state == kNoNode || out.condition_state == kNoNode) return refused;
  out.next = graph.root(out.body);
  const hlo::Shape& shape = *graph.at(out.state).shape;
  if (!shape.IsTuple() || !SameShape(shape, *graph.at(out.condition_state).shape) ||
      !SameShape(shape, *instruction.shape)) {
    return refused;
  }
  if (!IsTupleLike(graph, out.init, shape) || !IsTupleLike(graph, out.next, shape)) return refused;
  if (graph.has_control_edges(out.next) || !graph.users(out.next).empty()) return refused;
  if (graph.has_control_edges(out.state) || graph.has_control_edges(out.condition_state)) return refused;
  for (const Node state : {out.state, out.condition_state, loop}) {
    if (!OnlyElementsAreRead(graph, state)) return refused;
  }
  return out;
}

int ElementOf(const Graph& graph, const Loop& loop, Node node) {
  const hlo::Instruction& read = graph.at(node);
  if (read.opcode != Opcode::kGetTupleElement || graph.operand_count(node) != 1) return -1;
  return graph.operand(node, 0) == loop.state ? static_cast<int>(read.number) : -1;
}

Node Next(const Graph& graph, const Loop& loop, int element) { return graph.operand(loop.next, element); }

Node First(const Graph& graph, const Loop& loop, int element) { return graph.operand(loop.init, element); }

bool IsInvariant(const Graph& graph, const Loop& loop, int element) {
  return ElementOf(graph, loop, Next(graph, loop, element)) == element;
}

}  // namespace jax_oneshot
