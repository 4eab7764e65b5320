// Site: the facts about one all-reduce that a region can be grown from; or the reason it is kept.
//
//   %ar = bf16[2,4,512] all-reduce(%x)          one element, rows 8, width 512
//   %ar = bf16[64,8,1] all-reduce(%x)           rows 64, width 8: dimensions of one behind it do not count
//   %ar = (f32[8,64], f32[8,8]) all-reduce(..)  two elements, each the get-tuple-elements that read it
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

namespace jax_oneshot {

struct SiteElement {
  int operand = 0;            // which operand of the all-reduce
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
  // The slice that is the all-reduce's only reader, or kNoNode: XLA turns the pair into a reduce-scatter, so it is left
  // alone unless more collectives go with it.
  Node only_slice = kNoNode;
};

struct SiteLimits {
  MessageLimits max_bytes = {};
};

// The row is the last dimension that is not one; a scalar is one row of width one. Layouts other than row-major pass
// here: what matters is what the call reads and returns in the end (grow_region.h).
Result<Site> CheckSite(const Graph& graph, Node all_reduce, const Result<hlo::ReplicaGroups>& groups,
                       const SiteLimits& limits);

// What an all-reduce moves: facts for the report, whether or not it is a site.
int64_t MessageBytes(const hlo::Shape& shape);

// The row program's type for an HLO element type, if it has one.
Result<DType> ToDType(hlo::PrimitiveType type);

}  // namespace jax_oneshot

#endif  // XLA_PASS_SITES_SITE_H_
