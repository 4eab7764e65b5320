// SPDX-License-Identifier: Apache-2.0
// Region: the decision about one custom-call: what it replaces, reads and returns.
#ifndef XLA_PASS_REGIONS_REGION_H_
#define XLA_PASS_REGIONS_REGION_H_

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "row_program/row_program.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/rows/row_shape.h"
#include "xla_pass/sites/site.h"
#include "xla_pass/translate/external_values.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {

// An element of a site: Site index in SiteTable, element index in Site::elements.
struct SiteRef {
  int site = -1;
  int element = -1;
  bool operator==(const SiteRef& other) const { return site == other.site && element == other.element; }
};

struct Region {
  // The all-reduces that it sums, in input order; if it sums none (a norm of shards), the one it was grown from.
  std::vector<SiteRef> seeds;
  RowExtent extent;
  RowProgram program;
  std::string program_text;             // canonical
  std::vector<CallOperand> operands;    // by program input
  std::vector<Node> outputs;            // the instructions whose values the call returns
  std::vector<int> output_indices;      // parallel to outputs: index into the program's outputs; equal values share one
  std::vector<Node> members;            // everything absorbed, including the all-reduces' results, in dependency order
  std::vector<Node> inner_all_reduces;  // members that are not seeds
  std::vector<Node> all_gathers;        // members, and those that operands were read through
  int64_t absorbed_instructions = 0;
  bool ends_graph = false;  // GPU: its call is not recorded into a command buffer (graph_segments.h)
  Reason ends;              // where and why it ends; the verdict's reason
  // If set: why the all-reduce cannot be rewritten after all. The other fields are then invalid.
  std::optional<Reason> kept_because;

  std::vector<Node> InputLeaves() const;  // every instruction it reads
};

// The number of elementary instructions in a unit, which is an instruction or a fusion.
int64_t InstructionCount(const Graph& graph, Node unit);

// The sites of one computation, indexed by their results.
class SiteTable {
 public:
  int Add(Site site);
  const Site& site(int index) const { return sites_[index]; }
  const SiteElement& element(SiteRef ref) const { return sites_[ref.site].elements[ref.element]; }
  int size() const { return static_cast<int>(sites_.size()); }
  // The element that `node` is a result of; site -1 if none.
  SiteRef Find(Node node) const;
  // Keeps the site: Find no longer returns its elements.
  void Hide(int site);

 private:
  std::vector<Site> sites_;
  std::unordered_map<Node, SiteRef> by_result_;
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_REGIONS_REGION_H_
