// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rewrite/rewrite_computation.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "ffi_kernels/call_attributes.h"
#include "xla_pass/rewrite/call_text.h"
#include "xla_pass/rewrite/equal_gathers.h"
#include "xla_pass/rewrite/in_place_results.h"
#include "xla_pass/rewrite/instruction_bytes.h"
#include "xla_pass/rewrite/liveness.h"
#include "xla_pass/rewrite/new_names.h"
#include "xla_pass/rewrite/slices_apart.h"

namespace jax_oneshot {
namespace {

class Rewriter {
 public:
  Rewriter(const Graph& graph, int computation, const SiteTable& sites, const std::vector<Region>& regions,
           RewriteContext* context, RewriteProblem* problem)
      : graph_(graph),
        computation_(computation),
        instructions_(graph.module().computations[computation].instructions),
        first_(graph.node(computation, 0)),
        count_(static_cast<int>(instructions_.size())),
        sites_(sites),
        regions_(regions),
        context_(context),
        problem_(problem) {}

  Result<RewrittenComputation> Run() {
    out_.edit.computation = computation_;
    if (context_->update_in_place) donated_ = hlo::FindDonatedParameters(graph_.module().bytes);
    next_local_id_ = graph_.module().computations[computation_].max_instruction_id + 1;
    for (const Region& region : regions_) leaves_.push_back(region.InputLeaves());
    out_.edit.instructions.reserve(instructions_.size());
    out_.call_names.resize(regions_.size());
    removed_ = FindRemoved(graph_, computation_, sites_, regions_);
    for (int r = 0; r < static_cast<int>(regions_.size()); ++r) {
      for (Node output : regions_[r].outputs) producer_[output] = r;
    }
    equal_gathers_ = FindEqualGathers(graph_, computation_, removed_);
    for (const auto& [gather, first] : equal_gathers_) out_.replaced.push_back(gather);
    state_.assign(count_ + regions_.size(), State::kNew);
    for (int i = 0; i < count_; ++i) {
      const Node node = graph_.node(computation_, i);
      if (removed_[i]) {
        out_.removed.push_back(node);
      } else if (Result<void> ok = Emit(i); !ok) {
        return Err(ok.error());
      }
    }
    // A call whose results are unused must still run: its peers wait for it.
    for (int r = 0; r < static_cast<int>(regions_.size()); ++r) {
      if (Result<void> ok = Emit(count_ + r); !ok) return Err(ok.error());
    }
    return std::move(out_);
  }

 private:
  // Vertices of the new graph: i for old instruction i, count_ + r for region r.
  enum class State : uint8_t { kNew, kOpen, kDone };

  // The vertex that computes a value of the old graph; -1 if none does.
  int VertexOf(Node node) const {
    const int local = node - first_;
    if (!removed_[local]) return local;
    auto producer = producer_.find(node);
    return producer == producer_.end() ? -1 : count_ + producer->second;
  }

  template <typename Visit>
  void ForEachOperand(int vertex, Visit visit) const {
    if (vertex >= count_) {
      for (Node leaf : leaves_[vertex - count_]) visit(leaf);
      return;
    }
    const hlo::Instruction& instruction = instructions_[vertex];
    if (const auto equal = equal_gathers_.find(first_ + vertex); equal != equal_gathers_.end()) {
      return visit(equal->second);
    }
    for (int operand : instruction.operands) visit(first_ + operand);
    for (int predecessor : instruction.control_predecessors) visit(first_ + predecessor);
  }

  // The region that absorbs a node; -1: none.
  int RegionOf(Node node) const {
    for (int r = 0; r < static_cast<int>(regions_.size()); ++r) {
      const Region& region = regions_[r];
      if (std::find(region.members.begin(), region.members.end(), node) != region.members.end()) return r;
      for (const SiteRef& seed : region.seeds) {
        if (sites_.site(seed.site).all_reduce == node) return r;
      }
    }
    return -1;
  }

  // Appends `vertex` after everything that it depends on: an iterative depth-first search.
  Result<void> Emit(int vertex) {
    std::vector<int>& stack = stack_;
    stack.push_back(vertex);
    while (!stack.empty()) {
      const int top = stack.back();
      if (state_[top] == State::kDone) {
        stack.pop_back();
        continue;
      }
      const bool reopened = state_[top] == State::kOpen;
      state_[top] = State::kOpen;
      bool ready = true;
      Node missing = kNoNode;
      bool cycle = false;
      ForEachOperand(top, [&](Node operand) {
        const int dependency = VertexOf(operand);
        if (dependency < 0) {
          missing = operand;
        } else if (state_[dependency] != State::kDone) {
          cycle |= reopened || state_[dependency] == State::kOpen;
          stack.push_back(dependency);
          ready = false;
        }
      });
      if (missing != kNoNode) {
        problem_->region = RegionOf(missing);
        return Err("%" + std::string(graph_.at(missing).name) + " was removed but is still read");
      }
      if (cycle) {
        problem_->region = top >= count_ ? top - count_ : -1;
        return Err("the rewrite would make a cycle");
      }
      if (!ready) continue;
      stack.pop_back();
      state_[top] = State::kDone;
      Append(top);
    }
    return {};
  }

  void Append(int vertex) {
    if (vertex >= count_) {
      AppendCall(vertex - count_);
    } else if (const auto equal = equal_gathers_.find(first_ + vertex); equal != equal_gathers_.end()) {
      // XLA removes this copy; it keeps the id and name that the users refer to.
      const hlo::Instruction& gather = instructions_[vertex];
      const InstructionIdentity identity = {std::string(gather.name), gather.id, gather.metadata()};
      AppendNew(CopyBytes(identity, ShapeWithLayout(*gather.shape), graph_.at(equal->second).id));
    } else {
      out_.edit.instructions.push_back(instructions_[vertex].bytes);
    }
  }

  void AppendNew(std::string bytes) {
    out_.storage.push_back(std::move(bytes));
    out_.edit.instructions.push_back(out_.storage.back());
  }

  // `what` is appended to our name prefix; "" for a call.
  InstructionIdentity NewIdentity(std::string_view what, std::string_view metadata) {
    const int64_t id = graph_.module().HasIdsPerComputation() ? next_local_id_++ : context_->next_instruction_id++;
    std::string name(kNewName);
    name.append(what).append(".").append(std::to_string(context_->next_name++));
    return {std::move(name), id, metadata};
  }

  void AppendCall(int r) {
    const Region& region = regions_[r];
    CustomCall call;
    call.target = region.ends_graph ? kGraphEndTarget : kCallTarget;
    for (const CallOperand& operand : region.operands) {
      call.operand_ids.push_back(AppendOperand(operand));
      call.operand_shapes.push_back(RowMajorShape(*graph_.at(operand.node).shape));
    }
    if (context_->pass_logical_ids) {
      AppendLogicalIdsOnce();
      for (int64_t id : logical_ids_) {
        call.operand_ids.push_back(id);
        call.operand_shapes.push_back(U32ScalarShape());
      }
    }
    const Site& site = sites_.site(region.seeds[0].site);
    const int64_t channel_id = graph_.at(site.all_reduce).channel_id;
    const CallNumbers numbers = {context_->next_call++, channel_id > 0 ? channel_id : 0, context_->timeout_ms,
                                 AlgorithmOf(region, sites_, context_->two_shot_from)};
    call.backend_config = CallBackendConfig(region, site, numbers);
    if (context_->update_in_place) call.in_place = FindInPlaceResults(graph_, donated_, region);
    out_.call_names[r] = AppendResults(region, std::move(call));
  }

  // The id of the operand's value in row-major layout.
  int64_t AppendOperand(const CallOperand& operand) {
    int64_t id = operand.hoisted ? AppendClone(operand.node) : graph_.at(operand.node).id;
    const hlo::Shape& shape = *graph_.at(operand.node).shape;
    if (!shape.IsRowMajor()) {
      const InstructionIdentity identity = NewIdentity("_operand", "");
      AppendNew(CopyBytes(identity, RowMajorShape(shape), id));
      id = identity.id;
    }
    if (context_->keep_slices_apart && ReadsSlice(graph_, operand.node)) {
      const InstructionIdentity identity = NewIdentity("_operand", "");
      AppendNew(BarrierBytes(identity, RowMajorShape(shape), id));
      id = identity.id;
    }
    return id;
  }

  // Returns the call's name.
  std::string AppendResults(const Region& region, CustomCall call) {
    std::vector<std::string> shapes(region.program.outputs.size());
    for (size_t i = 0; i < region.outputs.size(); ++i) {
      shapes[region.output_indices[i]] = RowMajorShape(*graph_.at(region.outputs[i]).shape);
    }
    const hlo::Instruction& first = graph_.at(region.outputs[0]);
    if (region.outputs.size() == 1 && first.shape->IsRowMajor() && !IsApart(region.outputs[0])) {
      call.identity = {std::string(first.name), first.id, first.metadata()};
      call.shape = shapes[0];
      AppendNew(CustomCallBytes(call));
      return call.identity.name;
    }
    call.identity = NewIdentity("", graph_.at(region.members.back()).metadata());
    call.shape = TupleShape(shapes);
    call.returns_tuple = true;
    const int64_t tuple_id = call.identity.id;
    AppendNew(CustomCallBytes(call));
    for (size_t i = 0; i < region.outputs.size(); ++i) {
      AppendResult(region.outputs[i], shapes[region.output_indices[i]], tuple_id, region.output_indices[i]);
    }
    return call.identity.name;
  }

  bool IsApart(Node output) const { return context_->keep_slices_apart && IsWrittenIntoSlice(graph_, output); }

  // An element of the call's tuple, with the identity and layout of the instruction that it replaces.
  void AppendResult(Node node, const std::string& row_major, int64_t tuple_id, int index) {
    const hlo::Instruction& output = graph_.at(node);
    const InstructionIdentity identity = {std::string(output.name), output.id, output.metadata()};
    if (output.shape->IsRowMajor() && !IsApart(node)) {
      return AppendNew(GetTupleElementBytes(identity, row_major, tuple_id, index));
    }
    const InstructionIdentity element = NewIdentity("_result", "");
    AppendNew(GetTupleElementBytes(element, row_major, tuple_id, index));
    if (output.shape->IsRowMajor()) return AppendNew(BarrierBytes(identity, row_major, element.id));
    AppendNew(CopyBytes(identity, std::string(output.shape->bytes), element.id));
  }

  void AppendLogicalIdsOnce() {
    if (!logical_ids_.empty()) return;
    for (const char* opcode : {"replica-id", "partition-id"}) {
      const InstructionIdentity identity = NewIdentity("_" + std::string(opcode), "");
      logical_ids_.push_back(identity.id);
      AppendNew(LogicalIdBytes(identity, opcode));
    }
  }

  // Clones an expression from a fused computation into this one and returns the id of its value. The depth was bounded
  // when the operand was accepted (ExternalValues). Equal expressions of several fusions are cloned once.
  int64_t AppendClone(Node node) {
    if (graph_.computation_index(node) == computation_) return graph_.at(node).id;
    if (const Node outer = graph_.Outer(node); outer != kNoNode) return AppendClone(outer);
    if (auto known = clones_.find(node); known != clones_.end()) return known->second;
    std::vector<int64_t> operand_ids;
    for (int i = 0; i < graph_.operand_count(node); ++i) operand_ids.push_back(AppendClone(graph_.operand(node, i)));
    const std::string meaning = CloneBytes(graph_.at(node), {}, operand_ids);
    auto equal = clones_by_meaning_.find(meaning);
    if (equal == clones_by_meaning_.end()) {
      const InstructionIdentity identity = NewIdentity("_operand", "");
      AppendNew(CloneBytes(graph_.at(node), identity, operand_ids));
      equal = clones_by_meaning_.emplace(meaning, identity.id).first;
    }
    return clones_[node] = equal->second;
  }

  const Graph& graph_;
  int computation_;
  const std::vector<hlo::Instruction>& instructions_;
  Node first_;
  int count_;
  const SiteTable& sites_;
  const std::vector<Region>& regions_;
  RewriteContext* context_;
  RewriteProblem* problem_;
  std::vector<hlo::DonatedParameter> donated_;
  int64_t next_local_id_ = 0;
  std::vector<bool> removed_;
  std::unordered_map<Node, Node> equal_gathers_;
  std::unordered_map<Node, int> producer_;  // output -> region
  std::vector<State> state_;
  std::vector<int> stack_;                 // of Emit; a member to avoid reallocation
  std::vector<std::vector<Node>> leaves_;  // by region: the operands of its call
  std::vector<int64_t> logical_ids_;
  std::unordered_map<Node, int64_t> clones_;                    // an instruction of a fusion -> the id of its clone
  std::unordered_map<std::string, int64_t> clones_by_meaning_;  // its bytes without name and id -> the same
  RewrittenComputation out_;
};

}  // namespace

Algorithm AlgorithmOf(const Region& region, const SiteTable& sites, const MessageLimits& two_shot_from) {
  int64_t bytes = 0;
  for (const Input& input : region.program.inputs) {
    if (IsCombined(input.role)) bytes += region.extent.rows * region.extent.width * DTypeBytes(input.dtype);
  }
  return ChooseAlgorithm(bytes, sites.site(region.seeds[0].site).group_size, two_shot_from);
}

Result<RewrittenComputation> RewriteComputation(const Graph& graph, int computation, const SiteTable& sites,
                                                const std::vector<Region>& regions, RewriteContext* context,
                                                RewriteProblem* problem) {
  return Rewriter(graph, computation, sites, regions, context, problem).Run();
}

}  // namespace jax_oneshot
