// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rotate/rotate_where_it_gains.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "xla_pass/graph/graph.h"
#include "xla_pass/hlo_view/reachable.h"
#include "xla_pass/rotate/loop.h"
#include "xla_pass/rotate/moved_part.h"
#include "xla_pass/rotate/readers_in_time.h"
#include "xla_pass/rotate/rotate_loop.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;
using Names = std::unordered_set<std::string>;

// Each loop costs parsing the module once more; models have one loop over layers, or a few.
constexpr int kMaxLoops = 16;

bool HasAllReduce(const hlo::Computation& computation) {
  return std::any_of(computation.instructions.begin(), computation.instructions.end(),
                     [](const hlo::Instruction& instruction) { return instruction.opcode == Opcode::kAllReduce; });
}

bool IsLoopOfSums(const hlo::Module& module, const hlo::Instruction& instruction) {
  const Span<int> called = instruction.called_computations;
  return instruction.opcode == Opcode::kWhile && std::any_of(called.begin(), called.end(), [&](int callee) {
           return HasAllReduce(module.computations[callee]);
         });
}

// The reachable while loops with all-reduces, as (computation, instruction).
std::vector<std::pair<int, int>> FindLoops(const hlo::Module& module) {
  std::vector<std::pair<int, int>> loops;
  for (const ReachableComputation& reachable : FindReachable(module)) {
    const auto& instructions = module.computations[reachable.computation].instructions;
    for (int i = 0; i < static_cast<int>(instructions.size()); ++i) {
      if (IsLoopOfSums(module, instructions[i])) loops.emplace_back(reachable.computation, i);
    }
  }
  return loops;
}

// A loop under trial. It is identified by its body's name, which does not change when other loops are rotated.
struct Candidate {
  Rotation rotation;
  std::optional<Names> may_move;  // what a region took in at the first try; before that, anything may move
  RotatedLoop rotated;
  std::string read_late;  // a value that rules this rotation out; see FirstReadLate
  bool is_dropped = false;
};

class Trial {
 public:
  Trial(const hlo::Module& module, bool after_copy_insertion, const RunPassOn& run_pass)
      : module_(module), after_copy_insertion_(after_copy_insertion), run_pass_(run_pass) {}

  Rotations Run(const std::vector<std::pair<int, int>>& loops) {
    const Graph graph(module_);
    for (const auto& [computation, instruction] : loops) FindCandidate(graph, graph.node(computation, instruction));
    // Every iteration narrows or drops a candidate, or is the last.
    for (bool settled = false; !settled && AnyLeft();) {
      const std::string rotated = RotateAll(graph);
      if (!AnyLeft()) break;
      const Result<std::vector<MadeRegion>> regions = run_pass_(rotated);
      if (!regions) {
        DropAll(MakeReason<ReasonId::kRotatedModuleFails>(regions.error()));
        break;
      }
      settled = true;
      for (Candidate& candidate : candidates_) settled &= candidate.is_dropped || Judge(*regions, &candidate);
    }
    Rotations out;
    out.any_made = AnyLeft();
    for (Candidate& candidate : candidates_) out.loops.push_back(std::move(candidate.rotation));
    return out;
  }

 private:
  bool AnyLeft() const {
    return std::any_of(candidates_.begin(), candidates_.end(), [](const Candidate& c) { return !c.is_dropped; });
  }

  static void Drop(Candidate* candidate, Reason why) {
    candidate->is_dropped = true;
    candidate->rotation.reason = std::move(why);
    candidate->rotation.moved.clear();
    candidate->rotation.carried.clear();
  }

  void DropAll(const Reason& why) {
    for (Candidate& candidate : candidates_) {
      if (!candidate.is_dropped) Drop(&candidate, why);
    }
  }

  void FindCandidate(const Graph& graph, Node node) {
    Candidate candidate;
    candidate.rotation.loop = std::string(graph.at(node).name);
    const int body = graph.at(node).called_computations[0];
    candidate.rotation.computation = std::string(graph.module().computations[body].name);
    const Decision<Loop> loop = ReadLoop(graph, node);
    if (!loop) {
      Drop(&candidate, loop.error());
    } else if (FindMovedPart(graph, *loop, [](Node) { return true; }).values.empty()) {
      return;  // nothing that looks like a norm starts its iteration
    } else if (++found_ > kMaxLoops) {
      Drop(&candidate, MakeReason<ReasonId::kTooManyLoops>(kMaxLoops));
    }
    candidates_.push_back(std::move(candidate));
  }

  // Rotates one loop after another, each in the result of the previous rotation.
  std::string RotateAll(const Graph& graph) {
    std::string bytes;
    for (Candidate& candidate : candidates_) {
      if (candidate.is_dropped) continue;
      if (bytes.empty()) {
        Rotate(graph, &candidate, &bytes);
        continue;
      }
      const Result<hlo::Module> module = hlo::ParseModule(bytes);
      if (module) {
        Rotate(Graph(*module), &candidate, &bytes);
      } else {
        DropAll(MakeReason<ReasonId::kRotatedModuleFails>(module.error()));
      }
    }
    return bytes;
  }

  void Rotate(const Graph& graph, Candidate* candidate, std::string* bytes) const {
    const Decision<Loop> loop = FindAgain(graph, candidate->rotation.computation);
    if (!loop) return Drop(candidate, loop.error());
    const MovedPart part = FindMovedPart(graph, *loop, [&](Node node) {
      return !candidate->may_move || candidate->may_move->count(std::string(graph.at(node).name)) != 0;
    });
    if (part.values.empty()) return Drop(candidate, MakeReason<ReasonId::kNoRegionTakesItIn>());
    const Node late = FirstReadLate(graph, *loop, part);
    candidate->read_late = late == kNoNode ? "" : graph.at(late).name;
    candidate->rotated = RotateLoop(graph, *loop, part);
    Rotation& rotation = candidate->rotation;
    rotation.carried.clear();
    rotation.moved = candidate->rotated.moved;
    for (const Node value : part.values) rotation.carried.push_back(graph.at(value).shape->ToString());
    *bytes = std::move(candidate->rotated.module);
  }

  // Where XLA inserts no more copies: a value that may be read after the next one has been written; kNoNode: none.
  Node FirstReadLate(const Graph& graph, const Loop& loop, const MovedPart& part) const {
    if (!after_copy_insertion_) return kNoNode;
    const auto late = std::find_if(part.values.begin(), part.values.end(),
                                   [&](Node value) { return !ReadersAreInTime(graph, loop, part, value); });
    return late == part.values.end() ? kNoNode : *late;
  }

  static Decision<Loop> FindAgain(const Graph& graph, const std::string& body) {
    for (const hlo::Computation& computation : graph.module().computations) {
      if (computation.name != body) continue;
      const Node caller = graph.caller(computation.index);
      if (caller != kNoNode) return ReadLoop(graph, caller);
    }
    return Refuse<ReasonId::kLoopStateIsNoTuple>();
  }

  // True if the rotation is kept.
  bool Judge(const std::vector<MadeRegion>& regions, Candidate* candidate) const {
    const RotatedLoop& rotated = candidate->rotated;
    std::vector<const MadeRegion*> behind_sums;
    for (const MadeRegion& region : regions) {
      if (region.computation == candidate->rotation.computation && SumsWhatStayed(region, rotated)) {
        behind_sums.push_back(&region);
      }
    }
    const auto is_returned = [&](const std::string& value) {
      return std::any_of(behind_sums.begin(), behind_sums.end(), [&](const MadeRegion* region) {
        if (!Returns(*region, value, rotated)) return false;
        candidate->rotation.all_reduce = region->all_reduces[0];
        return true;
      });
    };
    if (std::all_of(rotated.values.begin(), rotated.values.end(), is_returned)) {
      if (!candidate->read_late.empty()) {
        Drop(candidate, MakeReason<ReasonId::kReadTooLate>(candidate->read_late));
        return false;
      }
      candidate->rotation.old_names = rotated.old_names;
      candidate->rotation.first_round = rotated.first_round;
      return true;
    }
    Shrink(behind_sums, candidate);
    return false;
  }

  static bool SumsWhatStayed(const MadeRegion& region, const RotatedLoop& rotated) {
    return std::any_of(region.all_reduces.begin(), region.all_reduces.end(),
                       [&](const std::string& all_reduce) { return rotated.old_names.count(all_reduce) == 0; });
  }

  // If XLA inserts no more copies, no two state elements may share a buffer, and the call must not read the buffer that
  // it writes.
  bool Returns(const MadeRegion& region, const std::string& value, const RotatedLoop& rotated) const {
    const auto found = std::find(region.outputs.begin(), region.outputs.end(), value);
    if (found == region.outputs.end()) return false;
    if (!after_copy_insertion_) return true;
    const int index = region.output_indices[found - region.outputs.begin()];
    return std::count(region.output_indices.begin(), region.output_indices.end(), index) == 1 &&
           std::none_of(rotated.elements.begin(), rotated.elements.end(),
                        [&](const std::string& element) { return region.reads.count(element) != 0; });
  }

  // Keeps only the part that regions took in, for one more try.
  static void Shrink(const std::vector<const MadeRegion*>& regions, Candidate* candidate) {
    if (candidate->may_move) return Drop(candidate, MakeReason<ReasonId::kNoRegionTakesItIn>());
    candidate->may_move.emplace();
    for (const auto& [name, before] : candidate->rotated.old_names) {
      for (const MadeRegion* region : regions) {
        if (region->members.count(name) != 0) candidate->may_move->insert(before);
      }
    }
    if (candidate->may_move->empty()) Drop(candidate, MakeReason<ReasonId::kNoRegionTakesItIn>());
  }

  const hlo::Module& module_;
  bool after_copy_insertion_;
  const RunPassOn& run_pass_;
  std::vector<Candidate> candidates_;
  int found_ = 0;  // candidates with something to move
};

}  // namespace

Rotations RotateWhereItGains(const hlo::Module& module, bool after_copy_insertion, const RunPassOn& run_pass) {
  const std::vector<std::pair<int, int>> loops = FindLoops(module);
  return loops.empty() ? Rotations() : Trial(module, after_copy_insertion, run_pass).Run(loops);
}

}  // namespace jax_oneshot
