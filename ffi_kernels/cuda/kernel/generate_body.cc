// SPDX-License-Identifier: Apache-2.0
// Implementation of generate_body.h.
#include "ffi_kernels/cuda/kernel/generate_body.h"

#include <algorithm>
#include <array>
#include <vector>

#include "ffi_kernels/cuda/kernel/op_code.h"
#include "row_program/ops.h"

namespace jax_oneshot::cuda {
namespace {

bool VariesOverWidth(Kind kind) { return Widens(Kind::kVec, kind); }
bool VariesOverRows(Kind kind) { return Widens(Kind::kRowScalar, kind); }

std::string Number(int64_t n) { return std::to_string(n); }
std::string ValueName(int id) { return "x" + Number(id); }

const char* RoleType(Role role) { return role == Role::kSum ? "Sum" : role == Role::kMax ? "Max" : "Min"; }

const char* ReductionType(Op op) {
  return op == Op::kReduceSum ? "RowSum" : op == Op::kReduceMax ? "RowMax" : "RowMin";
}

class Writer {
 public:
  Writer(const RowProgram& program, const LaunchPlan& plan)
      : program_(program),
        plan_(plan),
        place_(program.statements.size(), Where::kNowhere),
        stored_(program.outputs.size(), false) {}

  Body Run() {
    MarkOpenEnds();
    Line(
        "__device__ inline void RunProgram(const Parameters& p, const Place& place, const Slot& slot, RowReducer& "
        "reducer) {");
    indent_ = "  ";
    DeclareExchanges();
    PushRows();
    Line("CountEpoch(p, slot);");
    Line("RestoreSentinels(p, slot);");
    CombinePieces();
    Section(/*rows=*/false);
    Line("for (int step = 0; step < kRowSteps; ++step) {");
    indent_ = "    ";
    Line("const int row = place.Row(step);");
    Section(/*rows=*/true);
    indent_ = "  ";
    Line("}");
    text_ += "}\n";
    return {text_, most_reductions_};
  }

 private:
  // Where a value can be read while text is generated.
  enum class Where : uint8_t {
    kNowhere,
    kScalar,  // a variable
    kLocal,   // a variable of the loop being generated
    kArray,   // x3[e]
    kPacked,  // x3.At(e)
  };

  const Statement& At(int id) const { return program_.statements[id]; }
  void Line(const std::string& line) { text_ += indent_ + line + "\n"; }

  // The text of value `id`, of its element e if it varies over the width.
  std::string Value(int id) const {
    if (At(id).op == Op::kConstant) return Literal(At(id).dtype, At(id).constant);
    switch (place_[id]) {
      case Where::kArray:
        return ValueName(id) + "[e]";
      case Where::kPacked:
        return ValueName(id) + ".At(e)";
      default:
        return ValueName(id);
    }
  }

  std::string Expression(int id) const {
    std::array<std::string, 3> operands;
    const Statement& s = At(id);
    for (int k = 0; k < OperandCount(s.op); ++k) operands[k] = Value(s.operands[k]);
    return OpCode(s, At(s.operands[0]).dtype, operands);
  }

  // --- exchanges and loads ---

  std::string Access(DType dtype, Kind kind, bool shard) const { return Number(plan_.AccessBytes(dtype, kind, shard)); }

  void DeclareExchanges() {
    for (size_t i = 0; i < program_.inputs.size(); ++i) {
      const Input& input = program_.inputs[i];
      if (input.role == Role::kLocal) continue;
      const bool gathers = input.role == Role::kGather;
      if (IsInTwoHops(input)) {
        Line(TwoShotType(i) + " a" + Number(static_cast<int64_t>(i)) + ";");
        continue;
      }
      std::string type = gathers ? "Gathered<" : "Combined<";
      type += ElementType(input.dtype);
      if (!gathers) type += std::string(", ") + RoleType(input.role);
      type += ", " + Number(static_cast<int64_t>(i)) + ", " + Access(input.dtype, input.kind, gathers) + ", " +
              Number(plan_.message_offsets[i]) + ", " + Number(plan_.RowBytes(input));
      Line(type + "> a" + Number(static_cast<int64_t>(i)) + ";");
    }
  }

  bool IsInTwoHops(const Input& input) const {
    return plan_.algorithm == Algorithm::kTwoShot && IsCombined(input.role);
  }

  std::string TwoShotType(size_t i) const {
    const Input& input = program_.inputs[i];
    const auto sum = std::find_if(program_.statements.begin(), program_.statements.end(), [&](const Statement& s) {
      return s.op == Op::kAllReduce && static_cast<size_t>(s.index) == i;
    });
    return std::string("TwoShot<") + ElementType(input.dtype) + ", " + RoleType(input.role) + ", " +
           ElementType(sum->dtype) + ", " + Number(static_cast<int64_t>(i)) + ", " +
           Access(input.dtype, input.kind, false) + ", " + Number(plan_.message_offsets[i]) + ", " +
           Number(plan_.sum_offsets[i]) + ">";
  }

  // Two-shot only: combines the pieces that this rank owns in all rows, before anything waits for the sums of other
  // owners.
  void CombinePieces() {
    std::string rows;
    for (size_t i = 0; i < program_.inputs.size(); ++i) {
      if (!IsInTwoHops(program_.inputs[i])) continue;
      rows += indent_ + "  a" + Number(static_cast<int64_t>(i)) + ".Combine(p, place, row, slot);\n";
    }
    if (rows.empty()) return;
    Line("for (int step = 0; step < kRowSteps; ++step) {");
    Line("  const int row = place.Row(step);");
    text_ += rows;
    Line("}");
  }

  void PushRows() {
    std::string vectors;
    std::string rows;
    for (size_t i = 0; i < program_.inputs.size(); ++i) {
      const Input& input = program_.inputs[i];
      if (input.role == Role::kLocal) continue;
      const std::string name = "a" + Number(static_cast<int64_t>(i));
      if (input.kind == Kind::kVec) {
        vectors += indent_ + "if (place.FirstRow()) " + name + ".Push(p, place, 0, slot);\n";
      } else {
        rows += indent_ + "  " + name + ".Push(p, place, row, slot);\n";
      }
    }
    text_ += vectors;
    if (rows.empty()) return;
    Line("for (int step = 0; step < kRowSteps; ++step) {");
    Line("  const int row = place.Row(step);");
    text_ += rows;
    Line("}");
  }

  void Load(int id, bool rows) {
    const Statement& s = At(id);
    const std::string row = VariesOverRows(s.kind) ? "row" : "0";
    const std::string from = "(p.inputs[" + Number(s.index) + "], ";
    const std::string type = ElementType(s.dtype);
    if (VariesOverWidth(s.kind)) {
      place_[id] = Where::kPacked;
      Line("const Packed<" + type + "> " + ValueName(id) + " = LoadRow<" + type + ", " +
           Access(s.dtype, s.kind, false) + ">" + from + "place, " + row + ");");
      return;
    }
    place_[id] = Where::kScalar;
    const std::string one = "LoadOne<" + type + ">" + from + row + ")";
    const std::string none = s.dtype == DType::kPred ? "false" : "0.0f";
    Line(std::string("const ") + ValueType(s.dtype) + " " + ValueName(id) + " = " +
         (rows ? "HasRow(row) ? " + one + " : " + none : one) + ";");
  }

  void Receive(int id) {
    const Statement& s = At(id);
    const std::string name = "a" + Number(s.index);
    const std::string type = ElementType(s.dtype);
    const std::string row = VariesOverRows(s.kind) ? "row" : "0";
    if (s.op == Op::kAllGather) {
      place_[id] = Where::kPacked;
      Line("const Packed<" + type + "> " + ValueName(id) + " = " + name + ".Receive(p, place, " + row + ", slot);");
      return;
    }
    place_[id] = Where::kArray;
    Line("float " + ValueName(id) + "[kElements];");
    const bool in_two_hops = plan_.algorithm == Algorithm::kTwoShot;
    Line(name + (in_two_hops ? ".Receive" : ".Receive<" + type + ">") + "(p, place, row, slot, " + ValueName(id) +
         ");");
  }

  // --- sections: first values that do not vary over rows, then those that do ---

  void Section(bool rows) {
    section_rows_ = rows;
    const auto here = [&](int id) { return VariesOverRows(At(id).kind) == rows; };
    const int count = static_cast<int>(program_.statements.size());
    // Loads first: they are in flight while the peers' data arrives.
    for (int id = 0; id < count; ++id) {
      if (here(id) && At(id).op == Op::kLoad) Load(id, rows);
    }
    const bool loads_again = rows && plan_.row_steps > 1 && plan_.algorithm == Algorithm::kOneShot;
    for (int id = 0; id < count; ++id) {
      if (At(id).op == Op::kAllReduce && loads_again) {
        Line("a" + Number(At(id).index) + ".Load(p, place, row);");
      }
    }
    for (int id = 0; id < count; ++id) {
      if (here(id) && (At(id).op == Op::kAllReduce || At(id).op == Op::kAllGather)) Receive(id);
    }
    for (int id = 0; id < count; ++id) {
      if (here(id) && FamilyOf(At(id).op) != OpFamily::kSource) Add(id);
    }
    Flush();
    StoreOutputs(rows);
  }

  bool IsKnown(int id) const { return At(id).op == Op::kConstant || place_[id] != Where::kNowhere; }

  void Add(int id) {
    const Statement& s = At(id);
    if (IsRowReduction(s.op)) {
      pending_.push_back(id);
      return;
    }
    for (int k = 0; k < OperandCount(s.op); ++k) {
      if (std::count(pending_.begin(), pending_.end(), s.operands[k]) > 0) Flush();
    }
    if (VariesOverWidth(s.kind)) {
      open_.push_back(id);
      return;
    }
    place_[id] = Where::kScalar;
    Line(std::string("const ") + ValueType(s.dtype) + " " + ValueName(id) + " = " + Expression(id) + ";");
  }

  // The same traversal as the generating one, to find the values that are read outside their loop.
  void MarkOpenEnds() {
    const size_t count = program_.statements.size();
    escapes_.assign(count, false);
    loop_.assign(count, 0);
    for (const bool rows : {false, true}) {
      NumberLoops(rows);
      ++loops_;
    }
    for (size_t id = 0; id < count; ++id) {
      const Statement& s = At(static_cast<int>(id));
      for (int k = 0; k < OperandCount(s.op); ++k) {
        if (loop_[s.operands[k]] != loop_[id]) escapes_[s.operands[k]] = true;
      }
    }
    for (const Output& output : program_.outputs) escapes_[output.value] = true;
  }

  void NumberLoops(bool rows) {
    std::vector<int> pending;
    const auto end_loop = [&] {
      most_reductions_ = std::max(most_reductions_, static_cast<int>(pending.size()));
      pending.clear();
      ++loops_;
    };
    for (size_t i = 0; i < program_.statements.size(); ++i) {
      const int id = static_cast<int>(i);
      const Statement& s = At(id);
      if (VariesOverRows(s.kind) != rows) continue;
      for (int k = 0; !IsRowReduction(s.op) && k < OperandCount(s.op); ++k) {
        if (std::count(pending.begin(), pending.end(), s.operands[k]) > 0) end_loop();
      }
      loop_[i] = loops_;
      if (IsRowReduction(s.op)) pending.push_back(id);
    }
    end_loop();
  }

  // --- loops ---

  // Generates the open loop and the reductions that end it.
  void Flush() {
    if (open_.empty() && pending_.empty()) return;
    const std::string partials = pending_.empty() ? "" : "partials" + Number(pending_[0]);
    for (const int id : open_) {
      if (escapes_[id]) Line(std::string(ValueType(At(id).dtype)) + " " + ValueName(id) + "[kElements];");
    }
    std::string types;
    for (const int id : pending_) types += (types.empty() ? "" : ", ") + std::string(ReductionType(At(id).op));
    if (!pending_.empty()) {
      Line("float " + partials + "[" + Number(static_cast<int64_t>(pending_.size())) + "][kChunks];");
      Line("ONESHOT_UNROLL for (int c = 0; c < kChunks; ++c) {");
      for (size_t i = 0; i < pending_.size(); ++i) {
        Line("  " + partials + "[" + Number(static_cast<int64_t>(i)) + "][c] = " + ReductionType(At(pending_[i]).op) +
             "::Identity();");
      }
      Line("}");
    }
    WriteLoop(partials);
    StoreOutputs(section_rows_);  // before the barrier: the stores are in flight during the wait
    if (!pending_.empty() && !cluster_runs_) {
      Line(section_rows_ ? "if (step == 0) reducer.WaitUntilClusterRuns();" : "reducer.WaitUntilClusterRuns();");
      cluster_runs_ = true;
    }
    if (!pending_.empty()) Line("reducer.Reduce<" + types + ">(place, " + partials + ");");
    for (size_t i = 0; i < pending_.size(); ++i) {
      const int id = pending_[i];
      place_[id] = Where::kScalar;
      Line("const float " + ValueName(id) + " = " +
           Rounded(At(id).dtype, partials + "[" + Number(static_cast<int64_t>(i)) + "][0]") + ";");
    }
    open_.clear();
    pending_.clear();
  }

  void WriteLoop(const std::string& partials) {
    Line("ONESHOT_EACH(e) {");
    for (const int id : open_) {
      place_[id] = Where::kLocal;
      const std::string expression = Expression(id);
      place_[id] = escapes_[id] ? Where::kArray : Where::kLocal;
      const std::string declared = escapes_[id] ? "" : std::string("const ") + ValueType(At(id).dtype) + " ";
      std::string line = "  ";
      line.append(declared).append(Value(id)).append(" = ").append(expression).append(";");
      Line(line);
    }
    for (size_t i = 0; i < pending_.size(); ++i) {
      const int id = pending_[i];
      const std::string partial = partials + "[" + Number(static_cast<int64_t>(i)) + "][e / kVector]";
      std::string line = "  if (place.Has(e)) ";
      line.append(partial).append(" = ").append(ReductionType(At(id).op)).append("::Combine(").append(partial);
      line.append(", ").append(Value(At(id).operands[0])).append(");");
      Line(line);
    }
    Line("}");
  }

  // --- outputs ---

  void StoreOutputs(bool rows) {
    for (size_t i = 0; i < program_.outputs.size(); ++i) {
      const Output& output = program_.outputs[i];
      if (stored_[i] || VariesOverRows(output.kind) != rows || !IsKnown(output.value)) continue;
      stored_[i] = true;
      Store(static_cast<int64_t>(i), output);
    }
  }

  void Store(int64_t i, const Output& output) {
    const DType dtype = At(output.value).dtype;
    const bool rows = VariesOverRows(output.kind);
    const std::string row = rows ? "row" : "0";
    const std::string to = "p.outputs[" + Number(i) + "], ";
    const std::string type = ElementType(dtype);
    if (!VariesOverWidth(output.kind)) {
      Line(std::string("if (place.FirstOfRow() && ") + (rows ? "HasRow(row)" : "place.FirstRow()") + ") StoreOne<" +
           type + ">(" + to + row + ", " + Value(output.value) + ");");
      return;
    }
    Line((rows ? "" : "if (place.FirstRow()) ") + std::string(output.shard ? "StoreShard<" : "StoreRow<") + type +
         ", " + Access(dtype, output.kind, output.shard) + ">(" + (output.shard ? "p, " : "") + to + "place, " + row +
         ", [&](int e) { return " + Value(output.value) + "; });");
  }

  const RowProgram& program_;
  const LaunchPlan& plan_;
  std::string text_, indent_;
  std::vector<Where> place_;
  std::vector<bool> stored_;   // by output
  std::vector<bool> escapes_;  // read outside the loop that computes it
  std::vector<int> loop_;      // by value: the number of its loop
  int loops_ = 1;
  int most_reductions_ = 0;
  bool cluster_runs_ = false;        // whether WaitUntilClusterRuns was generated
  bool section_rows_ = false;        // whether the current section varies over rows
  std::vector<int> open_, pending_;  // of the loop being collected
};

}  // namespace

Body GenerateBody(const RowProgram& program, const LaunchPlan& plan) { return Writer(program, plan).Run(); }

}  // namespace jax_oneshot::cuda
