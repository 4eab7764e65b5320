// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rotate/rotate_loop.h"

#include <algorithm>
#include <deque>
#include <string_view>
#include <utility>

#include "xla_pass/rewrite/changed_bytes.h"
#include "xla_pass/rewrite/instruction_bytes.h"
#include "xla_pass/rewrite/new_ids.h"
#include "xla_pass/rewrite/splice.h"
#include "xla_pass/rotate/computation_copies.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

class Rotator {
 public:
  Rotator(const Graph& graph, const Loop& loop, const MovedPart& part)
      : graph_(graph), loop_(loop), part_(part), ids_(graph.module()), copies_(graph.module(), &ids_) {}

  RotatedLoop Run() {
    std::vector<const hlo::Shape*> gained;
    for (const Node value : part_.values) gained.push_back(graph_.at(value).shape);
    state_shape_ = LongerTuple(*graph_.at(loop_.state).shape, gained);
    for (const Node member : part_.members) Classify(member);
    ForgetUnread();
    EditBody();
    EditCondition();
    EditCaller();
    const std::vector<std::string_view> added(copies_.copies().begin(), copies_.copies().end());
    out_.module = SpliceModule(graph_.module(), edits_, {}, added);
    return std::move(out_);
  }

 private:
  // How a member is rewritten in the body.
  struct Member {
    bool varies = false;    // differs between iterations, so its next value must be computed
    bool is_value = false;  // replaced by an element of the state
    bool is_read = false;   // still read at its old place, and kept there
    int64_t next_id = 0;    // id of the instruction that computes its next value
  };

  int64_t IdOf(Node node) const { return graph_.at(node).id; }
  const hlo::Computation& body() const { return graph_.module().computations[loop_.body]; }

  // The state element that `node` reads, directly or through a copy, as XLA:CPU reads its counters; -1: none.
  int ElementBehind(Node node) const {
    if (const int element = ElementOf(graph_, loop_, node); element >= 0) return element;
    const hlo::Instruction& copy = graph_.at(node);
    if (copy.opcode != Opcode::kCopy || graph_.operand_count(node) != 1) return -1;
    if (copy.shape->bytes != graph_.at(graph_.operand(node, 0)).shape->bytes) return -1;
    return ElementOf(graph_, loop_, graph_.operand(node, 0));
  }

  void Classify(Node node) {
    Member& member = members_[node];
    member.is_value = std::binary_search(part_.values.begin(), part_.values.end(), node);
    for (int i = 0; i < graph_.operand_count(node); ++i) {
      const Node operand = graph_.operand(node, i);
      const int element = ElementOf(graph_, loop_, operand);
      member.varies |= element >= 0 ? !IsInvariant(graph_, loop_, element) : members_.at(operand).varies;
    }
  }

  // In reverse order, so that users come first.
  void ForgetUnread() {
    for (auto node = part_.members.rbegin(); node != part_.members.rend(); ++node) {
      Member& member = members_.at(*node);
      const Span<Node> users = graph_.users(*node);
      member.is_read = !member.varies || std::any_of(users.begin(), users.end(), [&](Node user) {
        const auto known = members_.find(user);
        return known == members_.end() || (!known->second.is_value && known->second.is_read);
      });
    }
  }

  // The id of what the next iteration reads in place of `operand`.
  int64_t NextOf(Node operand) const {
    if (const int element = ElementBehind(operand); element >= 0) return IdOf(Next(graph_, loop_, element));
    const Member& member = members_.at(operand);
    return member.varies ? member.next_id : IdOf(operand);
  }

  void EditBody() {
    ComputationEdit edit;
    edit.computation = loop_.body;
    const Node first = graph_.node(loop_.body, 0);
    int64_t next_element = static_cast<int64_t>(graph_.at(loop_.state).shape->tuple_shapes.size());
    for (int i = 0; i < static_cast<int>(body().instructions.size()); ++i) {
      const Node node = first + i;
      const auto member = members_.find(node);
      if (node == loop_.next) continue;
      if (node == loop_.state) {
        Append(&edit, ChangedBytes(graph_.at(node), StateShape()));
      } else if (member == members_.end() || (member->second.is_read && !member->second.is_value)) {
        edit.instructions.push_back(graph_.at(node).bytes);
      } else if (member->second.is_value) {
        AppendElement(&edit, node, next_element++);
      }
    }
    std::vector<int64_t> next = OperandIds(loop_.next);
    for (const Node node : part_.members) {
      if (members_.at(node).varies && ElementBehind(node) < 0) AppendMoved(&edit, node);
    }
    for (const Node value : part_.values) next.push_back(members_.at(value).next_id);
    InstructionChanges changes = StateShape();
    changes.operand_ids = std::move(next);
    Append(&edit, ChangedBytes(graph_.at(loop_.next), changes));
    edit.program_shape = Keep(ChangedProgramShape(body(), state_shape_, state_shape_));
    edits_.push_back(std::move(edit));
  }

  // Reads the value from the state, under the value's old name and id.
  void AppendElement(ComputationEdit* edit, Node value, int64_t element) {
    const hlo::Instruction& instruction = graph_.at(value);
    const InstructionIdentity identity = {std::string(instruction.name), instruction.id, instruction.metadata()};
    out_.elements.emplace(instruction.name);
    Append(edit, GetTupleElementBytes(identity, std::string(instruction.shape->bytes), IdOf(loop_.state), element));
  }

  void AppendMoved(ComputationEdit* edit, Node node) {
    Member& member = members_.at(node);
    const hlo::Instruction& instruction = graph_.at(node);
    InstructionChanges changes;
    changes.operand_ids.emplace();
    for (int i = 0; i < graph_.operand_count(node); ++i)
      changes.operand_ids->push_back(NextOf(graph_.operand(node, i)));
    member.next_id = instruction.id;
    std::string name(instruction.name);
    if (member.is_value || member.is_read) {
      changes.id = member.next_id = ids_.InstructionIn(body());
      changes.name = name = ids_.Name("next");
      if (member.is_read && !instruction.called_computations.empty())
        changes.called_ids = copies_.CopyCalled(instruction);
    }
    if (member.is_value) out_.values.push_back(name);
    out_.moved.emplace_back(instruction.name);
    out_.old_names.emplace(std::move(name), instruction.name);
    Append(edit, ChangedBytes(instruction, changes));
  }

  void EditCondition() {
    ComputationEdit edit;
    edit.computation = loop_.condition;
    const hlo::Computation& condition = graph_.module().computations[loop_.condition];
    for (int i = 0; i < static_cast<int>(condition.instructions.size()); ++i) {
      if (graph_.node(loop_.condition, i) == loop_.condition_state) {
        Append(&edit, ChangedBytes(condition.instructions[i], StateShape()));
      } else {
        edit.instructions.push_back(condition.instructions[i].bytes);
      }
    }
    edit.program_shape = Keep(ChangedProgramShape(condition, state_shape_, ""));
    edits_.push_back(std::move(edit));
  }

  void EditCaller() {
    ComputationEdit edit;
    edit.computation = graph_.computation_index(loop_.loop);
    const hlo::Computation& caller = graph_.module().computations[edit.computation];
    const bool init_is_read =
        graph_.users(loop_.init).size() > 1 || graph_.is_root(loop_.init) || graph_.has_control_edges(loop_.init);
    for (int i = 0; i < static_cast<int>(caller.instructions.size()); ++i) {
      const Node node = graph_.node(edit.computation, i);
      if (node == loop_.init && !init_is_read) continue;
      if (node == loop_.loop) {
        AppendLoop(&edit, caller);
      } else {
        edit.instructions.push_back(caller.instructions[i].bytes);
      }
    }
    edits_.push_back(std::move(edit));
  }

  void AppendLoop(ComputationEdit* edit, const hlo::Computation& caller) {
    std::unordered_map<Node, int64_t> first_ids;
    for (const Node node : part_.members) {
      if (ElementBehind(node) < 0) first_ids[node] = AppendFirst(edit, node, first_ids, caller);
    }
    InstructionChanges init = StateShape();
    init.name = ids_.Name("first");
    init.id = ids_.InstructionIn(caller);
    init.operand_ids = OperandIds(loop_.init);
    for (const Node value : part_.values) init.operand_ids->push_back(first_ids.at(value));
    Append(edit, ChangedBytes(graph_.at(loop_.init), init));
    InstructionChanges changes = StateShape();
    changes.operand_ids = {*init.id};
    Append(edit, ChangedBytes(graph_.at(loop_.loop), changes));
  }

  int64_t AppendFirst(ComputationEdit* edit, Node node, const std::unordered_map<Node, int64_t>& first_ids,
                      const hlo::Computation& caller) {
    const hlo::Instruction& instruction = graph_.at(node);
    InstructionChanges changes;
    changes.name = ids_.Name("first");
    changes.id = ids_.InstructionIn(caller);
    changes.operand_ids.emplace();
    for (int i = 0; i < graph_.operand_count(node); ++i) {
      const Node operand = graph_.operand(node, i);
      const int element = ElementBehind(operand);
      changes.operand_ids->push_back(element >= 0 ? IdOf(First(graph_, loop_, element)) : first_ids.at(operand));
    }
    if (!instruction.called_computations.empty()) changes.called_ids = copies_.CopyCalled(instruction);
    if (instruction.channel_id > 0) changes.channel_id = ids_.Channel();
    out_.first_round.insert(*changes.name);
    Append(edit, ChangedBytes(instruction, changes));
    return *changes.id;
  }

  InstructionChanges StateShape() const {
    InstructionChanges changes;
    changes.shape = state_shape_;
    return changes;
  }

  std::vector<int64_t> OperandIds(Node node) const {
    std::vector<int64_t> ids;
    for (int i = 0; i < graph_.operand_count(node); ++i) ids.push_back(IdOf(graph_.operand(node, i)));
    return ids;
  }

  std::string_view Keep(std::string bytes) { return storage_.emplace_back(std::move(bytes)); }
  void Append(ComputationEdit* edit, std::string bytes) { edit->instructions.push_back(Keep(std::move(bytes))); }

  const Graph& graph_;
  const Loop& loop_;
  const MovedPart& part_;
  NewIds ids_;
  ComputationCopies copies_;
  std::string state_shape_;
  std::unordered_map<Node, Member> members_;
  std::deque<std::string> storage_;  // bytes that the edits point to
  std::vector<ComputationEdit> edits_;
  RotatedLoop out_;
};

}  // namespace

RotatedLoop RotateLoop(const Graph& graph, const Loop& loop, const MovedPart& part) {
  return Rotator(graph, loop, part).Run();
}

}  // namespace jax_oneshot
