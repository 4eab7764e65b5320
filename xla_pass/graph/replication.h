// Which instructions are known to have the same value on every rank of a group.
//
//   %ar = all-reduce(..)  over the group          the same          %p = partition-id()                 not
//   %y = add(%ar, constant)                       the same          %x = parameter(0), of the entry     only where its
//   %g = get-tuple-element(loop state)            where it starts so and stays so      sharding says so
//
// "Not" means "not known": the pass then leaves alone what would need it.
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
  // Looks at the module from the entry inwards, at a loop's body until nothing changes: a few times.
  Replication(const Graph& graph, const hlo::ReplicaGroups& groups);

  bool IsSame(Node node) const { return !gave_up_ && same_[node].whole; }

 private:
  // Of a tuple, also each element by itself.
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
  std::vector<int> callers_;   // by computation: instructions that call it
  int64_t instructions_left_;  // to look at, before it gives up: loops within loops cost rounds times rounds
  bool gave_up_ = false;
};

// One Replication per group, made when first asked for.
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
