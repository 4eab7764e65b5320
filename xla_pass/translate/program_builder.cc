// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/translate/program_builder.h"

#include <cstring>

#include "row_program/ops.h"

namespace jax_oneshot {

ProgramBuilder::Key ProgramBuilder::KeyOf(const Statement& statement) {
  // By bits, so that -0.0 differs from 0.0 and equal NaNs match.
  uint32_t bits = 0;
  std::memcpy(&bits, &statement.constant, sizeof(bits));
  uint64_t operation = bits;
  for (const int part : {static_cast<int>(statement.op), static_cast<int>(statement.dtype),
                         static_cast<int>(statement.kind), static_cast<int>(statement.direction)}) {
    operation = operation << 8 | static_cast<uint64_t>(part);
  }
  return {operation, statement.operands};
}

uint64_t ProgramBuilder::KeyHash::operator()(const Key& key) const {
  uint64_t hash = key.operation;
  for (int operand : key.operands) hash = (hash ^ static_cast<uint32_t>(operand)) * 0x9e3779b97f4a7c15u;
  return hash;
}

int ProgramBuilder::Add(const Statement& statement) {
  const int id = static_cast<int>(program_.statements.size());
  if (statement.index < 0) {
    const Key key = KeyOf(statement);
    if (!known_.Insert(key)) return known_ids_[known_.Find(key)];
    known_ids_.push_back(id);
  }
  program_.statements.push_back(statement);
  return id;
}

int ProgramBuilder::AddInput(Role role, DType input_dtype, Kind kind, DType value_dtype) {
  program_.inputs.push_back({role, input_dtype, kind});
  Statement statement;
  statement.op = IsCombined(role) ? Op::kAllReduce : role == Role::kGather ? Op::kAllGather : Op::kLoad;
  statement.dtype = value_dtype;
  statement.kind = kind;
  statement.index = static_cast<int>(program_.inputs.size()) - 1;
  return Add(statement);
}

int ProgramBuilder::Constant(DType dtype, float value) {
  Statement statement;
  statement.op = Op::kConstant;
  statement.dtype = dtype;
  statement.kind = Kind::kScalar;
  statement.constant = RoundToDType(dtype, value);
  return Add(statement);
}

int ProgramBuilder::Elementwise(Op op, DType dtype, const OperandIds& operands, Direction direction) {
  Statement statement;
  statement.op = op;
  statement.dtype = dtype;
  statement.kind = Kind::kScalar;
  statement.direction = direction;
  statement.operands = operands.padded();
  for (int operand : operands) statement.kind = Join(statement.kind, kind(operand));
  return Add(statement);
}

int ProgramBuilder::Broadcast(int value, Kind kind) {
  if (Join(this->kind(value), kind) == this->kind(value)) return value;
  Statement statement;
  statement.op = Op::kBroadcast;
  statement.dtype = dtype(value);
  statement.kind = Join(this->kind(value), kind);
  statement.operands[0] = value;
  return Add(statement);
}

int ProgramBuilder::RowReduction(Op op, int value, DType dtype) {
  const int wide = Broadcast(value, Join(kind(value), Kind::kVec));
  Statement statement;
  statement.op = op;
  statement.dtype = dtype;
  statement.kind = static_cast<Kind>(static_cast<int>(kind(wide)) & ~static_cast<int>(Kind::kVec));
  statement.operands[0] = wide;
  return Add(statement);
}

void ProgramBuilder::Rollback(const Checkpoint& mark) {
  program_.inputs.resize(mark.inputs, Input{});
  program_.statements.resize(mark.statements, Statement{});
  while (!known_ids_.empty() && known_ids_.back() >= static_cast<int>(mark.statements)) known_ids_.pop_back();
  known_.Truncate(known_ids_.size());
}

std::vector<int> ProgramBuilder::LoadsBehind(int value) const {
  std::vector<bool> needed(static_cast<size_t>(value) + 1, false);
  needed[value] = true;
  std::vector<int> loads;
  for (int id = value; id >= 0; --id) {
    if (!needed[id]) continue;
    const Statement& statement = program_.statements[id];
    for (int operand : statement.operands) {
      if (operand >= 0) needed[operand] = true;
    }
    if (statement.op == Op::kLoad) loads.push_back(statement.index);
  }
  return loads;
}

ProgramBuilder::Finished ProgramBuilder::Finish(const std::vector<Output>& outputs) const {
  std::vector<bool> needed(program_.statements.size(), false);
  for (const Output& output : outputs) needed[output.value] = true;
  for (int id = static_cast<int>(needed.size()) - 1; id >= 0; --id) {
    if (!needed[id]) continue;
    for (int operand : program_.statements[id].operands) {
      if (operand >= 0) needed[operand] = true;
    }
  }
  Finished finished;
  finished.program.inputs.reserve(program_.inputs.size());
  finished.program.statements.reserve(program_.statements.size());
  finished.kept_inputs.reserve(program_.inputs.size());
  std::vector<int> new_id(needed.size(), -1);
  for (size_t id = 0; id < needed.size(); ++id) {
    if (!needed[id]) continue;
    Statement statement = program_.statements[id];
    for (int& operand : statement.operands) {
      if (operand >= 0) operand = new_id[operand];
    }
    if (statement.index >= 0) {
      finished.kept_inputs.push_back(statement.index);
      finished.program.inputs.push_back(program_.inputs[statement.index]);
      statement.index = static_cast<int>(finished.program.inputs.size()) - 1;
    }
    new_id[id] = static_cast<int>(finished.program.statements.size());
    finished.program.statements.push_back(statement);
  }
  finished.program.outputs.reserve(outputs.size());
  for (const Output& output : outputs) {
    finished.program.outputs.push_back({new_id[output.value], output.kind, output.shard});
  }
  return finished;
}

}  // namespace jax_oneshot
