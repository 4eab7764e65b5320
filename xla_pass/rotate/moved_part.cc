// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rotate/moved_part.h"

#include <algorithm>
#include <cstdint>

#include "xla_pass/graph/op_table.h"
#include "xla_pass/rotate/movable.h"

namespace jax_oneshot {
namespace {

using hlo::Opcode;

// Bounds the number of elements added to a loop's state.
constexpr size_t kMaxValues = 4;
// Bounds how far operands are followed; real chains (a slice of a stack, reshaped and converted) are much shorter.
constexpr int kMaxDepth = 32;
// Bounds the search for an all-reduce back from an element's next value.
constexpr size_t kMaxSteps = 256;
// Largest operand, as a multiple of the element at which the part begins: columns may be gathered from up to 16 ranks.
constexpr int64_t kMaxOperandSizes = 16;

class Finder {
 public:
  Finder(const Graph& graph, const Loop& loop, const std::function<bool(Node)>& may_take)
      : graph_(graph),
        loop_(loop),
        may_take_(may_take),
        movable_(graph),
        first_(graph.node(loop.body, 0)),
        places_(graph.module().computations[loop.body].instructions.size()) {}

  MovedPart Run() {
    FindBegins();
    if (out_.begins.empty()) return {};
    GrowForward();
    ChooseValues();
    const bool is_too_much = out_.values.size() > kMaxValues;
    if (is_too_much || std::any_of(out_.values.begin(), out_.values.end(), [&](Node v) { return IsTuple(v); })) {
      return {};
    }
    for (const Node value : out_.values) CollectMembers(value);
    std::sort(out_.members.begin(), out_.members.end());
    const bool doubles = std::any_of(out_.members.begin(), out_.members.end(), [&](Node m) { return IsDoubled(m); });
    return doubles ? MovedPart() : std::move(out_);
  }

 private:
  enum class Known : uint8_t { kNo, kYes, kUnknown };

  // State of one instruction of the body.
  struct Place {
    bool begins = false;                 // a state element at which the part begins
    bool is_grown = false;               // movable and computed from such an element
    bool is_costly = false;              // too expensive to compute twice
    bool stays = false;                  // grown, but also still computed at its old place
    bool is_value = false;               // becomes an element of the state
    bool is_member = false;              // needed to compute a value
    Known is_operand = Known::kUnknown;  // may be read by grown instructions
  };

  Place& At(Node node) { return places_[node - first_]; }
  bool IsTuple(Node node) const { return graph_.at(node).shape->IsTuple(); }
  int64_t Size(Node node) const { return graph_.at(node).shape->ElementCount(); }
  Node End() const { return first_ + static_cast<Node>(places_.size()); }

  // Array elements of the state that a sum over ranks changes.
  void FindBegins() {
    for (const Node read : graph_.users(loop_.state)) {
      const int element = ElementOf(graph_, loop_, read);
      if (graph_.at(read).shape->dimensions.empty() || IsTuple(read) || IsInvariant(graph_, loop_, element)) continue;
      if (graph_.has_control_edges(read) || !ComesFromSum(Next(graph_, loop_, element))) continue;
      At(read).begins = true;
      out_.begins.push_back(read);
      largest_operand_ = std::max(largest_operand_, Size(read) * kMaxOperandSizes);
    }
  }

  bool ComesFromSum(Node value) {
    std::vector<Node> work = {value};
    for (size_t i = 0; i < work.size() && i < kMaxSteps; ++i) {
      if (graph_.at(work[i]).opcode == Opcode::kAllReduce) return true;
      if (!movable_(work[i])) continue;
      for (int o = 0; o < graph_.operand_count(work[i]); ++o) {
        const Node operand = graph_.operand(work[i], o);
        if (std::find(work.begin(), work.end(), operand) == work.end()) work.push_back(operand);
      }
    }
    return false;
  }

  // Operands come before their users, so one pass is enough.
  void GrowForward() {
    for (Node node = first_; node < End(); ++node) {
      if (graph_.is_root(node) || !ReadsGrown(node) || !movable_(node) || !may_take_(node)) continue;
      bool fits = true, is_costly = movable_.IsCostly(node);
      for (int i = 0; i < graph_.operand_count(node); ++i) {
        const Node operand = graph_.operand(node, i);
        const Place& place = At(operand);
        is_costly |= place.is_costly;
        fits &= place.begins || place.is_grown || IsOperand(operand, 0);
      }
      At(node).is_grown = fits;
      At(node).is_costly = fits && is_costly;
    }
  }

  bool ReadsGrown(Node node) {
    for (int i = 0; i < graph_.operand_count(node); ++i) {
      const Place& place = At(graph_.operand(node, i));
      if (place.begins || place.is_grown) return true;
    }
    return false;
  }

  // Small, movable, and computed only from state elements and constants. State elements themselves may have any size.
  bool IsOperand(Node node, int depth) {
    if (ElementOf(graph_, loop_, node) >= 0) return !IsTuple(node) && !graph_.has_control_edges(node);
    Place& place = At(node);
    if (place.is_operand != Known::kUnknown) return place.is_operand == Known::kYes;
    bool fits = depth < kMaxDepth && !IsTuple(node) && Size(node) <= largest_operand_ && movable_(node);
    for (int i = 0; fits && i < graph_.operand_count(node); ++i) fits = IsOperand(graph_.operand(node, i), depth + 1);
    place.is_operand = fits ? Known::kYes : Known::kNo;
    return fits;
  }

  // In reverse order: the users of a result are decided before it.
  void ChooseValues() {
    for (Node node = End() - 1; node >= first_; --node) {
      Place& place = At(node);
      if (!place.is_grown || !IsReadWhereItIs(node)) continue;
      const Opcode opcode = graph_.at(node).opcode;
      place.stays = !place.is_costly || IsMove(opcode) || opcode == Opcode::kBroadcast;
      place.is_value = !place.stays;
      if (place.is_value) out_.values.push_back(node);
    }
    std::sort(out_.values.begin(), out_.values.end());
  }

  bool IsReadWhereItIs(Node node) {
    const Span<Node> users = graph_.users(node);
    return std::any_of(users.begin(), users.end(), [&](Node user) { return !At(user).is_grown || At(user).stays; });
  }

  void CollectMembers(Node value) {
    std::vector<Node> work = {value};
    while (!work.empty()) {
      const Node node = work.back();
      work.pop_back();
      if (At(node).is_member || ElementOf(graph_, loop_, node) >= 0) continue;
      At(node).is_member = true;
      out_.members.push_back(node);
      for (int i = 0; i < graph_.operand_count(node); ++i) work.push_back(graph_.operand(node, i));
    }
  }

  // An expensive operand that other instructions read too would be computed twice.
  bool IsDoubled(Node member) {
    if (At(member).is_grown || !movable_.IsCostly(member)) return false;
    const Span<Node> users = graph_.users(member);
    return std::any_of(users.begin(), users.end(), [&](Node user) { return !At(user).is_member || At(user).stays; });
  }

  const Graph& graph_;
  const Loop& loop_;
  const std::function<bool(Node)>& may_take_;
  Movable movable_;
  Node first_;
  std::vector<Place> places_;
  int64_t largest_operand_ = 0;
  MovedPart out_;
};

}  // namespace

MovedPart FindMovedPart(const Graph& graph, const Loop& loop, const std::function<bool(Node)>& may_take) {
  return Finder(graph, loop, may_take).Run();
}

}  // namespace jax_oneshot
