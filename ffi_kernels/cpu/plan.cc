// SPDX-License-Identifier: Apache-2.0
// Implementation of plan.h.
#include "ffi_kernels/cpu/plan.h"

#include <algorithm>
#include <utility>

namespace jax_oneshot {
namespace {

using Where = Place::Where;

// True if every value of `from` is a value of `to`, so that the conversion changes nothing.
bool ConvertsExactly(DType from, DType to) {
  if (from == to || to == DType::kF32 || from == DType::kPred) return true;
  const bool narrow = from == DType::kF8E4M3FN || from == DType::kF8E5M2;
  return narrow && (to == DType::kBF16 || to == DType::kF16);
}

bool IsWide(Kind kind) { return (static_cast<uint8_t>(kind) & static_cast<uint8_t>(Kind::kVec)) != 0; }

// True if the result is a value of the statement's dtype without rounding: predicates, selections, sign changes.
bool KeepsDType(const Statement& s) {
  switch (s.op) {
    case Op::kSelect:
    case Op::kClamp:
    case Op::kMaximum:
    case Op::kMinimum:
    case Op::kAbs:
    case Op::kNegate:
    case Op::kSign:
      return true;
    default:
      return s.dtype == DType::kPred && s.op != Op::kConvert;
  }
}

class Planner {
 public:
  Planner(const RowProgram& program, const Loops& loops) : program_(program), loops_(loops) {}

  Plan Make() {
    const int n = static_cast<int>(program_.statements.size());
    place_.resize(n);
    dying_.resize(n);
    FindRoundings();
    FindPhases();
    FindLastUses();
    for (int id = 0; id < n; ++id) Emit(id);
    return std::move(plan_);
  }

 private:
  const Statement& at(int id) const { return program_.statements[id]; }
  bool InSlot(int id) const { return place_[id].where == Where::kSlot; }
  Phase& phase(int id) { return plan_.phases[phase_[id]]; }

  // An f32 result whose only reader is a conversion to bf16 is rounded where it is computed.
  void FindRoundings() {
    const int n = static_cast<int>(program_.statements.size());
    std::vector<int> reads(n, 0);
    for (const Statement& s : program_.statements) {
      for (int operand : s.operands) reads[std::max(operand, 0)] += operand >= 0;
    }
    for (const Output& output : program_.outputs) ++reads[output.value];
    rounded_.assign(n, false);
    for (const Statement& s : program_.statements) {
      if (s.op != Op::kConvert || s.dtype != DType::kBF16) continue;
      const Statement& x = at(s.operands[0]);
      const bool fused = x.op != Op::kConvert && loops_.map_bf16[static_cast<int>(x.op)] != nullptr;
      rounded_[s.operands[0]] = fused && x.dtype == DType::kF32 && reads[s.operands[0]] == 1;
    }
  }

  void FindPhases() {
    int last = 0;
    for (const Statement& s : program_.statements) {
      int phase = 0;
      for (int operand : s.operands) {
        if (operand >= 0) phase = std::max(phase, phase_[operand] + (IsRowReduction(at(operand).op) ? 1 : 0));
      }
      phase_.push_back(phase);
      last = std::max(last, phase);
    }
    for (const Output& output : program_.outputs) {
      if (IsRowReduction(at(output.value).op)) last = std::max(last, phase_[output.value] + 1);
    }
    plan_.phases.resize(last + 1);
    free_chunks_.resize(last + 1);
    chunks_in_.resize(last + 1, 0);
  }

  // The last use of each value: the latest phase, and within the chunk loop the latest statement. A conversion that
  // changes nothing shares its operand's place, so its readers are the operand's readers.
  void FindLastUses() {
    const int n = static_cast<int>(program_.statements.size());
    last_phase_.assign(n, 0);
    last_use_.assign(n, -1);
    for (int id = n - 1; id >= 0; --id) {
      last_phase_[id] = std::max(last_phase_[id], phase_[id]);
      last_use_[id] = std::max(last_use_[id], id);
      for (int operand : at(id).operands) {
        if (operand < 0) continue;
        last_phase_[operand] = std::max(last_phase_[operand], IsAlias(id) ? last_phase_[id] : phase_[id]);
        last_use_[operand] = std::max(last_use_[operand], IsAlias(id) ? last_use_[id] : id);
      }
    }
  }

  bool IsAlias(int id) const {
    const Statement& s = at(id);
    if (s.op == Op::kBroadcast) return true;
    if (s.op != Op::kConvert) return false;
    return rounded_[s.operands[0]] || ConvertsExactly(at(s.operands[0]).dtype, s.dtype);
  }

  void Emit(int id) {
    const Statement& s = at(id);
    if (IsAlias(id)) {
      place_[id] = place_[s.operands[0]];
    } else if (s.op == Op::kConstant) {
      EmitConstant(id);
    } else if (ReadsInput(s.op)) {
      EmitSource(id);
    } else if (IsRowReduction(s.op)) {
      EmitReduction(id);
    } else {
      EmitMap(id);
    }
    EmitStores(id);
    for (const auto& [phase, chunk] : dying_[id]) free_chunks_[phase].push_back(chunk);
  }

  void EmitConstant(int id) {
    Step step{Step::Do::kConstant, NewSlot(phase_[id]), {}};
    step.constant = at(id).constant;
    plan_.phases[phase_[id]].row_begin.push_back(step);
    place_[id] = step.out;
  }

  void EmitSource(int id) {
    const Statement& s = at(id);
    const Input& input = program_.inputs[s.index];
    const bool combine = s.op == Op::kAllReduce;
    const Place out = IsWide(s.kind) ? NewBuffer(id) : NewSlot(phase_[id]);
    const auto read = s.op == Op::kAllGather ? Step::Do::kGather : Step::Do::kLoad;
    Step step{combine ? Step::Do::kCombine : read, out, {}};
    step.index = s.index;
    step.dtype = input.dtype;
    step.kind = input.kind;
    if (combine) step.combine = loops_.combine[static_cast<int>(input.role)][static_cast<int>(input.dtype)];
    place_[id] = step.out;
    Steps(id).push_back(step);
    const bool exact =
        !combine || s.dtype == DType::kF32 || (input.role != Role::kSum && ConvertsExactly(input.dtype, s.dtype));
    if (!exact) EmitRound(&Steps(id), step.out, s.dtype);
  }

  void EmitReduction(int id) {
    const Statement& s = at(id);
    const int which = s.op == Op::kReduceSum ? 0 : s.op == Op::kReduceMax ? 1 : 2;
    plan_.has_reduction = true;
    const Place total = {Where::kTotal, plan_.totals++};
    Step begin{Step::Do::kBegin, total, {}};
    begin.constant = ReduceIdentity(which);
    phase(id).row_begin.push_back(begin);
    Step step{Step::Do::kReduce, total, {Read(id, 0)}};
    step.reduce = loops_.reduce[which];
    phase(id).chunk.push_back(step);
    place_[id] = NewSlot(phase_[id] + 1);
    phase(id).row_end.push_back(Step{Step::Do::kFinish, place_[id], {total}});
    EmitRound(&phase(id).row_end, place_[id], s.dtype);
  }

  void EmitMap(int id) {
    const Statement& s = at(id);
    const int op = static_cast<int>(s.op);
    const int operands = OperandCount(s.op);
    bool slot = true;
    for (int k = 0; k < operands; ++k) slot = slot && InSlot(s.operands[k]);
    Step step{Step::Do::kMap, {}, {}};
    for (int k = 0; k < operands; ++k) step.in[k] = slot ? place_[s.operands[k]] : Read(id, k);
    step.out = place_[id] = slot ? NewSlot(phase_[id]) : NewBuffer(id);
    const bool fused = (s.dtype == DType::kBF16 || rounded_[id]) && loops_.map_bf16[op] != nullptr;
    step.map = s.op == Op::kCompare ? loops_.compare[static_cast<int>(s.direction)]
               : fused              ? loops_.map_bf16[op]
                                    : loops_.map[op];
    Steps(id).push_back(step);
    if (!fused && !KeepsDType(s)) EmitRound(&Steps(id), step.out, s.dtype);
  }

  void EmitRound(std::vector<Step>* steps, Place place, DType dtype) {
    if (dtype == DType::kF32) return;
    Step step{Step::Do::kRound, place, {}};
    step.dtype = dtype;
    steps->push_back(step);
  }

  void EmitStores(int id) {
    // A reduction's value is complete when the next phase begins.
    const int phase = phase_[id] + (IsRowReduction(at(id).op) ? 1 : 0);
    for (size_t i = 0; i < program_.outputs.size(); ++i) {
      const Output& output = program_.outputs[i];
      if (output.value != id) continue;
      const bool wide = IsWide(output.kind);
      Step step{Step::Do::kStore, {}, {wide && InSlot(id) ? Splat(place_[id]) : place_[id]}};
      step.index = static_cast<int>(i);
      step.dtype = at(id).dtype;
      step.kind = output.kind;
      step.shard = output.shard;
      (wide ? plan_.phases[phase].chunk : plan_.phases[phase].row_begin).push_back(step);
    }
  }

  std::vector<Step>& Steps(int id) { return InSlot(id) ? phase(id).row_begin : phase(id).chunk; }

  // The buffer that statement `id` reads as its operand k.
  Place Read(int id, int k) {
    const int operand = at(id).operands[k];
    return InSlot(operand) ? Splat(place_[operand]) : place_[operand];
  }

  // Filled in the phase in which the slot gets its value.
  Place Splat(Place slot) {
    int& splat = splat_of_slot_[slot.index];
    if (splat < 0) {
      splat = plan_.splats++;
      plan_.phases[slot_phase_[slot.index]].row_begin.push_back(Step{Step::Do::kSplat, {Where::kSplat, splat}, {slot}});
    }
    return {Where::kSplat, splat};
  }

  // `phase`: the first whose row_begin steps can read the slot.
  Place NewSlot(int phase) {
    slot_phase_.push_back(phase);
    splat_of_slot_.push_back(-1);
    return {Where::kSlot, plan_.slots++};
  }

  Place NewBuffer(int id) {
    const int phase = phase_[id];
    if (last_phase_[id] > phase) return {Where::kRow, plan_.rows++};
    std::vector<int>& free = free_chunks_[phase];
    if (free.empty()) {
      free.push_back(chunks_in_[phase]++);
      plan_.chunks = std::max(plan_.chunks, chunks_in_[phase]);
    }
    const int chunk = free.back();
    free.pop_back();
    dying_[last_use_[id]].push_back({phase, chunk});
    return {Where::kChunk, chunk};
  }

  const RowProgram& program_;
  const Loops& loops_;
  Plan plan_;
  std::vector<bool> rounded_;                            // by statement: to bf16, for its only reader
  std::vector<int> phase_, last_phase_, last_use_;       // by statement
  std::vector<Place> place_;                             // by statement
  std::vector<std::vector<std::pair<int, int>>> dying_;  // by statement: (phase, chunk) to free after it is emitted
  std::vector<int> splat_of_slot_, slot_phase_;          // by slot
  std::vector<std::vector<int>> free_chunks_;            // by phase
  std::vector<int> chunks_in_;                           // by phase
};

}  // namespace

Plan MakePlan(const RowProgram& program, const Loops& loops) { return Planner(program, loops).Make(); }

}  // namespace jax_oneshot
