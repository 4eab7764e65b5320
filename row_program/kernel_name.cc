// SPDX-License-Identifier: Apache-2.0
#include "row_program/kernel_name.h"

#include <algorithm>
#include <vector>

#include "row_program/ops.h"

namespace jax_oneshot {
namespace {

constexpr size_t kMostOperations = 6;

std::string NameOf(Op op) { return OpTable()[static_cast<size_t>(op)].name; }

// "all_reduce", "all_reduce_max", "all_gather".
std::string Exchange(const RowProgram& program, const Statement& statement) {
  const Role role = program.inputs[static_cast<size_t>(statement.index)].role;
  return NameOf(statement.op) + (role == Role::kMax ? "_max" : role == Role::kMin ? "_min" : "");
}

bool SaysNothing(Op op) { return op == Op::kLoad || op == Op::kConstant || op == Op::kBroadcast || op == Op::kConvert; }

void AddOnce(const std::string& name, std::vector<std::string>* names) {
  if (std::find(names->begin(), names->end(), name) == names->end()) names->push_back(name);
}

// The type of the data exchanged between ranks.
std::string ExchangedType(const RowProgram& program) {
  for (const Input& input : program.inputs) {
    if (input.role != Role::kLocal) return DTypeName(input.dtype);
  }
  return "none";
}

}  // namespace

std::string KernelName(const RowProgram& program, int64_t rows, int64_t width, int group_size) {
  std::vector<std::string> exchanges;
  std::vector<std::string> operations;
  for (const Statement& statement : program.statements) {
    if (statement.op == Op::kAllReduce || statement.op == Op::kAllGather) {
      AddOnce(Exchange(program, statement), &exchanges);
    } else if (!SaysNothing(statement.op)) {
      AddOnce(NameOf(statement.op), &operations);
    }
  }
  const bool is_fusion = !operations.empty();
  operations.resize(std::min(operations.size(), kMostOperations));
  std::string name = kKernelNamePrefix;
  for (const std::string& part : exchanges) name += part + "_";
  for (const std::string& part : operations) name += part + "_";
  if (is_fusion) name += "fusion_";
  return name + ExchangedType(program) + "_" + std::to_string(rows) + "x" + std::to_string(width) + "_tp" +
         std::to_string(group_size);
}

}  // namespace jax_oneshot
