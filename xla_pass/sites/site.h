// SPDX-License-Identifier: Apache-2.0
// Site: the properties of an all-reduce that a region can be grown from, or the reason why the all-reduce is kept.
//
//   %ar = bf16[2,4,512] all-reduce(%x)          one element, rows 8, width 512
//   %ar = bf16[64,8,1] all-reduce(%x)           rows 64, width 8: trailing dimensions of size one are ignored
//   %ar = (f32[8,64], f32[8,8]) all-reduce(..)  two elements, each with the get-tuple-elements that read it
#ifndef XLA_PASS_SITES_SITE_H_
#define XLA_PASS_SITES_SITE_H_

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "row_program/row_program.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/graph/reducer.h"
#include "xla_pass/hlo_view/replica_groups.h"
#include "xla_pass/sites/message_limits.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

struct SiteElement {
  int operand = 0;            // index into the operands of the all-reduce
  std::vector<Node> results;  // the all-reduce itself, or the get-tuple-elements of this element
  int64_t rows = 1;
  int64_t width = 1;
  DType dtype = DType::kF32;
};

struct Site {
  Node all_reduce = kNoNode;
  Reducer reducer = Reducer::kSum;
  hlo::ReplicaGroups groups;
  int64_t group_size = 0;
  std::vector<SiteElement> elements;
  // The slice that is the all-reduce's only user, or kNoNode. XLA turns the pair into a reduce-scatter, so it is left
  // alone unless more collectives can be absorbed.
  Node only_slice = kNoNode;
};

struct SiteLimits {
  MessageLimits max_bytes = {};
};

// The row is the last dimension of a size other than one; a scalar is one row of width one. Any layout is accepted
// here: what counts is the layout of the call's operands and results (grow_region.h).
Decision<Site> CheckSite(const Graph& graph, Node all_reduce, const Result<hlo::ReplicaGroups>& groups,
                         const SiteLimits& limits);

// The message size of an all-reduce, for the report too, whether or not it is a site.
int64_t MessageBytes(const hlo::Shape& shape);

// The row program type of an HLO element type, if there is one.
Decision<DType> ToDType(hlo::PrimitiveType type);

}  // namespace jax_oneshot

#endif  // XLA_PASS_SITES_SITE_H_
