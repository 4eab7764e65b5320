// SPDX-License-Identifier: Apache-2.0
// Determines which instructions are known to have the same value on every rank of a group.
//
//   %ar = all-reduce(..) over the group         same
//   %y = add(%ar, constant)                     same
//   %x = parameter(0) of the entry              same if its sharding says so
//   %g = get-tuple-element(loop state)          same if its initial and its next value are
//   %p = partition-id()                         unknown
//
// The pass does not rewrite where it would need an unknown value to be replicated.
#ifndef XLA_PASS_GRAPH_REPLICATION_H_
#define XLA_PASS_GRAPH_REPLICATION_H_

#include <cstdint>
#include <deque>
#include <vector>

#include "xla_pass/graph/graph.h"
#include "xla_pass/hlo_view/replica_groups.h"

namespace jax_oneshot {

class Replication {
 public:
  // Walks the module from the entry into called computations, and a loop's body until a fixed point is reached.
  Replication(const Graph& graph, const hlo::ReplicaGroups& groups);

  bool IsSame(Node node) const { return !gave_up_ && same_[node].whole; }

 private:
  // For a tuple, also a flag for each element.
  struct Fact {
    bool whole = false;
    std::vector<bool> elements;
  };

  static Fact Meet(const Fact& a, const Fact& b);
  void Visit(int computation, const std::vector<Fact>& parameters);
  Fact Of(Node node, const std::vector<Fact>& parameters);
  Fact OfParameter(Node node, const std::vector<Fact>& parameters) const;
  Fact OfTuple(Node node) const;
  Fact OfWhile(Node node);
  Fact OfCall(Node node);
  bool IsFunction(Node node) const;
  bool OperandsAreSame(Node node) const;
  bool SpansTheGroups(Node collective) const;
  bool LieWithin(const std::vector<std::vector<int64_t>>& groups) const;
  std::vector<Fact> EntryParameters() const;

  const Graph& graph_;
  const hlo::ReplicaGroups groups_;
  std::vector<Fact> same_;     // by node
  std::vector<int> callers_;   // by computation: number of instructions that call it
  int64_t instructions_left_;  // to visit before giving up: the iterations of nested loops multiply
  bool gave_up_ = false;
};

// One Replication per replica group, computed on first use.
class ReplicationCache {
 public:
  explicit ReplicationCache(const Graph& graph) : graph_(graph) {}
  const Replication& For(const hlo::ReplicaGroups& groups);

 private:
  const Graph& graph_;
  struct Known {
    hlo::ReplicaGroups groups;
    Replication replication;
  };
  std::deque<Known> known_;
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_GRAPH_REPLICATION_H_
