// SPDX-License-Identifier: Apache-2.0
// Implementation of validate.h.
//
// Rules in the order checked: limits of the program, inputs, statements (operands first; the dtype and kind rules of a
// statement are checked only if its operands exist), outputs, uses of inputs.
#include "row_program/validate.h"

#include <string>
#include <vector>

#include "row_program/ops.h"

namespace jax_oneshot {
namespace {

std::string Count(size_t n, const char* noun) { return std::to_string(n) + " " + noun + (n == 1 ? "" : "s"); }

std::string TypeText(DType dtype, Kind kind) { return std::string(DTypeName(dtype)) + " " + KindName(kind); }

class Validator {
 public:
  explicit Validator(const RowProgram& program) : program_(program), readers_(program.inputs.size(), 0) {}

  Result<void> Run() {
    CheckLimits();
    for (size_t i = 0; i < program_.inputs.size(); ++i) CheckInput(static_cast<int>(i));
    for (size_t i = 0; i < program_.statements.size(); ++i) CheckStatement(static_cast<int>(i));
    for (size_t i = 0; i < program_.outputs.size(); ++i) CheckOutput(static_cast<int>(i));
    CheckInputsAreReadOnce();
    if (problems_.empty()) return {};
    return Err("row program is not valid:" + problems_);
  }

 private:
  void Problem(const std::string& where, const std::string& what) { problems_ += "\n  " + where + ": " + what; }

  // "x4 (reduce_sum)": how messages refer to a statement.
  std::string Name(int id) const { return "x" + std::to_string(id) + " (" + OpName(program_.statements[id].op) + ")"; }

  void StatementProblem(int id, const std::string& what) { Problem(Name(id), what); }

  std::string OperandText(int id, int k) const {
    const int value = program_.statements[id].operands[k];
    const Statement& s = program_.statements[value];
    return "operand " + std::to_string(k) + ", x" + std::to_string(value) + ", is " + TypeText(s.dtype, s.kind);
  }

  void CheckLimit(size_t count, int limit, const char* noun) {
    if (count <= static_cast<size_t>(limit)) return;
    Problem("program", "has " + Count(count, noun) + ", expected at most " + std::to_string(limit));
  }

  void CheckLimits() {
    CheckLimit(program_.inputs.size(), kMaxInputs, "input");
    CheckLimit(program_.statements.size(), kMaxStatements, "statement");
    CheckLimit(program_.outputs.size(), kMaxOutputs, "output");
    if (program_.outputs.empty()) Problem("program", "has no output, expected at least one");
    for (const Input& input : program_.inputs) {
      if (input.role != Role::kLocal) return;
    }
    Problem("program", "exchanges nothing, expected at least one input of role sum, max, min or gather");
  }

  void CheckInput(int i) {
    const Input& input = program_.inputs[i];
    if (input.role == Role::kLocal) return;
    const std::string where = "a" + std::to_string(i) + " (" + RoleName(input.role) + ")";
    const bool gathers = input.role == Role::kGather;
    if (input.kind != Kind::kRow && !(gathers && input.kind == Kind::kVec)) {
      Problem(where, std::string("kind is ") + KindName(input.kind) + ", expected " + (gathers ? "row or vec" : "row"));
    }
    if (gathers && DTypeBytes(input.dtype) < 2) {
      Problem(where, std::string("dtype is ") + DTypeName(input.dtype) + ", expected bf16, f16 or f32");
    } else if (input.dtype == DType::kPred) {
      Problem(where, "dtype is pred, expected a float type");
    }
  }

  // RolesReadBy: the roles that a source reads. ReaderOf: the source that reads a role.
  static const char* RolesReadBy(Op op) {
    if (op == Op::kAllReduce) return "role sum, max or min";
    return op == Op::kAllGather ? "role gather" : "role local";
  }

  static Op ReaderOf(Role role) {
    if (IsCombined(role)) return Op::kAllReduce;
    return role == Role::kGather ? Op::kAllGather : Op::kLoad;
  }

  void CheckStatement(int id) {
    const Statement& s = program_.statements[id];
    if (static_cast<int>(s.op) >= kOpCount || static_cast<int>(s.dtype) >= kDTypeCount) {
      StatementProblem(id, "op or dtype is outside its enumeration; build statements from the named values only");
      return;
    }
    if (!CheckOperands(id)) return;
    switch (FamilyOf(s.op)) {
      case OpFamily::kSource:
        return s.op == Op::kConstant ? CheckConstant(id) : CheckInputReader(id);
      case OpFamily::kBroadcast:
        return CheckBroadcast(id);
      case OpFamily::kReduction:
        return CheckReduction(id);
      default:
        return CheckElementwise(id);
    }
  }

  bool CheckOperands(int id) {
    const Statement& s = program_.statements[id];
    const int expected = OperandCount(s.op);
    bool usable = true;
    for (int k = 0; k < 3; ++k) {
      const int value = s.operands[k];
      if (k >= expected) {
        if (value == -1) continue;
        StatementProblem(id, "takes " + Count(expected, "operand") + ", came operand " + std::to_string(k) + " (x" +
                                 std::to_string(value) + ") too");
      } else if (value == -1) {
        StatementProblem(id, "takes " + Count(expected, "operand") + ", operand " + std::to_string(k) + " is missing");
      } else if (value < 0 || value >= id) {
        StatementProblem(id, "operand " + std::to_string(k) + " is x" + std::to_string(value) +
                                 ", expected a value defined before it" +
                                 (id == 0 ? " (there is none)" : " (x0 to x" + std::to_string(id - 1) + ")"));
      } else {
        continue;
      }
      usable = false;
    }
    return usable;
  }

  void CheckConstant(int id) {
    const Statement& s = program_.statements[id];
    if (s.kind != Kind::kScalar) ExpectKind(id, Kind::kScalar);
    if (!SameConstant(RoundToDType(s.dtype, s.constant), s.constant)) {
      StatementProblem(id, std::string("its number is not one of dtype ") + DTypeName(s.dtype) +
                               ", expected it rounded to that dtype already");
    }
  }

  void CheckInputReader(int id) {
    const Statement& s = program_.statements[id];
    if (s.index < 0 || s.index >= static_cast<int>(program_.inputs.size())) {
      StatementProblem(
          id, "reads a" + std::to_string(s.index) + ", but the program has " + Count(program_.inputs.size(), "input"));
      return;
    }
    ++readers_[s.index];
    const Input& input = program_.inputs[s.index];
    const std::string source =
        "a" + std::to_string(s.index) + " is " + RoleName(input.role) + " " + TypeText(input.dtype, input.kind);
    if (s.op != ReaderOf(input.role)) {
      StatementProblem(id, source + ", expected " + RolesReadBy(s.op) + " (" + OpName(ReaderOf(input.role)) +
                               " reads inputs of role " + RoleName(input.role) + ")");
    } else if (s.op != Op::kAllReduce && (s.dtype != input.dtype || s.kind != input.kind)) {
      StatementProblem(id, "result is " + TypeText(s.dtype, s.kind) + ", but " + source + ", expected the same");
    } else if (s.op == Op::kAllReduce && (s.dtype == DType::kPred || s.kind != Kind::kRow)) {
      StatementProblem(id, "result is " + TypeText(s.dtype, s.kind) + ", expected a float row");
    }
  }

  void CheckBroadcast(int id) {
    const Statement& s = program_.statements[id];
    const Statement& x = program_.statements[s.operands[0]];
    ExpectDType(id, x.dtype);
    if (x.kind != s.kind && Widens(x.kind, s.kind)) return;
    StatementProblem(id, std::string("result kind is ") + KindName(s.kind) + ", expected one wider than " +
                             KindName(x.kind) + " (" + OperandText(id, 0) + ")");
  }

  void CheckReduction(int id) {
    const Statement& s = program_.statements[id];
    const Statement& x = program_.statements[s.operands[0]];
    if (x.dtype == DType::kPred) StatementProblem(id, OperandText(id, 0) + ", expected a float type");
    ExpectDType(id, x.dtype);
    if (x.kind == Kind::kScalar || x.kind == Kind::kRowScalar) {
      StatementProblem(id, OperandText(id, 0) + ", expected kind row or vec (broadcast it to what it stands for)");
      return;
    }
    ExpectKind(id, x.kind == Kind::kRow ? Kind::kRowScalar : Kind::kScalar);
  }

  void CheckElementwise(int id) {
    const Statement& s = program_.statements[id];
    Kind kind = Kind::kScalar;
    for (int k = 0; k < OperandCount(s.op); ++k) kind = Join(kind, program_.statements[s.operands[k]].kind);
    ExpectKind(id, kind);
    switch (FamilyOf(s.op)) {
      case OpFamily::kArithmetic:
        ExpectFloatOperands(id);
        return ExpectOperandsOf(id, 0, s.dtype, "the result's dtype");
      case OpFamily::kTest:
        ExpectDType(id, DType::kPred);
        if (s.op == Op::kIsFinite) return ExpectFloatOperands(id);
        return ExpectOperandsOf(id, 1, program_.statements[s.operands[0]].dtype, "operand 0's dtype");
      case OpFamily::kLogic:
        ExpectDType(id, DType::kPred);
        return ExpectOperandsOf(id, 0, DType::kPred, "for it takes truth values only");
      case OpFamily::kSelect:
        if (program_.statements[s.operands[0]].dtype != DType::kPred) {
          StatementProblem(id, OperandText(id, 0) + ", expected pred");
        }
        return ExpectOperandsOf(id, 1, s.dtype, "the result's dtype");
      default:
        return;  // convert: any dtype to any other
    }
  }

  void ExpectFloatOperands(int id) {
    for (int k = 0; k < OperandCount(program_.statements[id].op); ++k) {
      if (program_.statements[program_.statements[id].operands[k]].dtype != DType::kPred) continue;
      StatementProblem(id, OperandText(id, k) + ", expected a float type");
    }
  }

  void ExpectOperandsOf(int id, int first, DType dtype, const char* why) {
    for (int k = first; k < OperandCount(program_.statements[id].op); ++k) {
      if (program_.statements[program_.statements[id].operands[k]].dtype == dtype) continue;
      StatementProblem(id, OperandText(id, k) + ", expected " + DTypeName(dtype) + ", " + why);
    }
  }

  void ExpectDType(int id, DType expected) {
    const DType came = program_.statements[id].dtype;
    if (came == expected) return;
    StatementProblem(id, std::string("result dtype is ") + DTypeName(came) + ", expected " + DTypeName(expected));
  }

  void ExpectKind(int id, Kind expected) {
    const Kind came = program_.statements[id].kind;
    if (came == expected) return;
    StatementProblem(id, std::string("result kind is ") + KindName(came) + ", expected " + KindName(expected));
  }

  void CheckOutput(int i) {
    const Output& output = program_.outputs[i];
    const std::string where = "output " + std::to_string(i);
    if (output.value < 0 || output.value >= static_cast<int>(program_.statements.size())) {
      Problem(where, "is x" + std::to_string(output.value) + ", but the program has " +
                         Count(program_.statements.size(), "statement"));
      return;
    }
    if (output.shard && !Widens(Kind::kVec, output.kind)) {
      Problem(where, "is a shard of kind " + std::string(KindName(output.kind)) +
                         ", expected kind row or vec: only what varies over the width has columns to share out");
    }
    const Kind kind = program_.statements[output.value].kind;
    if (Widens(kind, output.kind)) return;
    Problem(where, "kind is " + std::string(KindName(output.kind)) + ", but x" + std::to_string(output.value) +
                       " is of kind " + KindName(kind) + ", expected the same or a wider one");
  }

  void CheckInputsAreReadOnce() {
    for (size_t i = 0; i < readers_.size(); ++i) {
      if (readers_[i] == 1) continue;
      Problem("a" + std::to_string(i), "is read by " + Count(readers_[i], "statement") + ", expected exactly one");
    }
  }

  const RowProgram& program_;
  std::vector<int> readers_;  // per input: the number of statements that read it
  std::string problems_;
};

}  // namespace

Result<void> ValidateRowProgram(const RowProgram& program) { return Validator(program).Run(); }

}  // namespace jax_oneshot
