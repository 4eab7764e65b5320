// SPDX-License-Identifier: Apache-2.0
// Builds a row program statement by statement. Equal statements are emitted once; statements since a checkpoint can be
// rolled back; Finish drops dead statements and inputs.
#ifndef XLA_PASS_TRANSLATE_PROGRAM_BUILDER_H_
#define XLA_PASS_TRANSLATE_PROGRAM_BUILDER_H_

#include <array>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "row_program/row_program.h"
#include "xla_pass/graph/ordered_set.h"

namespace jax_oneshot {

// Operands of one operation, at most three.
class OperandIds {
 public:
  OperandIds() = default;
  OperandIds(std::initializer_list<int> ids) {
    for (int id : ids) Add(id);
  }
  void Add(int id) {
    if (size_ < ids_.size()) ids_[size_++] = id;
  }
  const int* begin() const { return ids_.data(); }
  const int* end() const { return ids_.data() + size_; }
  const std::array<int, 3>& padded() const { return ids_; }  // padded with -1

 private:
  std::array<int, 3> ids_ = {-1, -1, -1};
  size_t size_ = 0;
};

class ProgramBuilder {
 public:
  ProgramBuilder() {
    constexpr size_t kUsual = 32;  // a norm's statements
    program_.statements.reserve(kUsual);
    known_ids_.reserve(kUsual);
  }

  struct Checkpoint {
    size_t inputs, statements;
  };

  // Adds an input and the statement that reads it; returns the value's id.
  int AddInput(Role role, DType input_dtype, Kind kind, DType value_dtype);
  int Constant(DType dtype, float value);
  // Kind of the result: the join of the operands' kinds.
  int Elementwise(Op op, DType dtype, const OperandIds& operands, Direction direction = Direction::kEq);
  int Broadcast(int value, Kind kind);  // the value itself if it is already as wide
  int RowReduction(Op op, int value, DType dtype);

  Kind kind(int value) const { return program_.statements[value].kind; }
  DType dtype(int value) const { return program_.statements[value].dtype; }
  const RowProgram& program() const { return program_; }
  // The inputs loaded (not summed or gathered) to compute a value, the last one first.
  std::vector<int> LoadsBehind(int value) const;

  Checkpoint Mark() const { return {program_.inputs.size(), program_.statements.size()}; }
  void Rollback(const Checkpoint& mark);

  // The program with these outputs, without dead statements and inputs. kept_inputs[i] is the added input that became
  // input i.
  struct Finished {
    RowProgram program;
    std::vector<int> kept_inputs;
  };
  Finished Finish(const std::vector<Output>& outputs) const;

 private:
  // Identifies a statement that reads no input.
  struct Key {
    uint64_t operation;
    std::array<int, 3> operands;
    bool operator==(const Key& other) const { return operation == other.operation && operands == other.operands; }
  };
  struct KeyHash {
    uint64_t operator()(const Key& key) const;
  };
  static Key KeyOf(const Statement& statement);
  int Add(const Statement& statement);

  RowProgram program_;
  OrderedSet<Key, KeyHash> known_;
  std::vector<int> known_ids_;  // by number in known_, ascending
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_TRANSLATE_PROGRAM_BUILDER_H_
