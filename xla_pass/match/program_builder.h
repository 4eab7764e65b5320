// In:  operations, one by one. Out: a RowProgram. Equal statements are made once; what was added since a checkpoint
// can be taken back; Finish drops what no output needs.
#ifndef XLA_PASS_MATCH_PROGRAM_BUILDER_H_
#define XLA_PASS_MATCH_PROGRAM_BUILDER_H_

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "ffi_kernels/row_program/row_program.h"

namespace jax_oneshot {

class ProgramBuilder {
 public:
  struct Checkpoint {
    size_t inputs, statements;
  };

  // Adds an input and the statement that reads it; returns the value's id.
  int AddInput(Role role, DType input_dtype, Kind kind, DType value_dtype);
  int Constant(DType dtype, float value);
  // Kind of the result: the join of the operands' kinds.
  int Elementwise(Op op, DType dtype, const std::vector<int>& operands, Direction direction = Direction::kEq);
  int Broadcast(int value, Kind kind);  // the value itself when it already is as wide
  int RowReduction(Op op, int value, DType dtype);

  Kind kind(int value) const { return program_.statements[value].kind; }
  DType dtype(int value) const { return program_.statements[value].dtype; }
  const RowProgram& program() const { return program_; }

  Checkpoint Mark() const { return {program_.inputs.size(), program_.statements.size()}; }
  void Rollback(const Checkpoint& mark);

  // The program with these outputs, without the statements and inputs that none of them needs.
  // kept_inputs[i]: which of the added inputs became input i.
  struct Finished {
    RowProgram program;
    std::vector<int> kept_inputs;
  };
  Finished Finish(const std::vector<Output>& outputs) const;

 private:
  using Key = std::tuple<Op, DType, Kind, int, int, int, std::string, Direction>;
  int Add(const Statement& statement);

  RowProgram program_;
  std::map<Key, int> known_;
};

// Rounds to what a value of this dtype can hold.
float RoundTo(DType dtype, float value);

}  // namespace jax_oneshot

#endif  // XLA_PASS_MATCH_PROGRAM_BUILDER_H_
