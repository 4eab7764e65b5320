// SPDX-License-Identifier: Apache-2.0
// Binds the row program parser and the scalar evaluator.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "python/native/bindings.h"
#include "row_program/evaluate.h"
#include "row_program/ops.h"
#include "row_program/row_program.h"
#include "row_program/text.h"

namespace jax_oneshot {
namespace {

namespace nb = nanobind;

// A contiguous view of a Python object's buffer, released by the destructor.
class Buffer {
 public:
  explicit Buffer(nb::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_C_CONTIGUOUS) != 0) throw nb::python_error();
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { PyBuffer_Release(&view_); }

  const void* data() const { return view_.buf; }
  int64_t size() const { return view_.len; }

 private:
  Py_buffer view_;
};

using Buffers = std::vector<std::unique_ptr<Buffer>>;

RowProgram Parse(std::string_view text) {
  Result<RowProgram> program = ParseRowProgram(text);
  if (!program) throw ToValueError(program.error());
  return *std::move(program);
}

void CheckExtent(int64_t rows, int64_t width, int64_t rank, size_t ranks) {
  constexpr int64_t kMax = int64_t{1} << 31;
  if (rows < 0 || width < 0 || rows > kMax || width > kMax || (width > 0 && rows > kMax / width)) {
    throw ToValueError("evaluate_row_program: rows is " + std::to_string(rows) + " and width " + std::to_string(width) +
                       "; expected neither to be negative and at most 2^31 elements");
  }
  if (rank < 0 || rank >= static_cast<int64_t>(ranks)) {
    throw ToValueError("evaluate_row_program: rank is " + std::to_string(rank) + "; expected 0 to " +
                       std::to_string(static_cast<int64_t>(ranks) - 1) + ", for inputs holds " + std::to_string(ranks) +
                       " ranks");
  }
}

void CheckShards(const RowProgram& program, int64_t width, size_t ranks) {
  if (!HasShards(program) || width % static_cast<int64_t>(ranks) == 0) return;
  throw ToValueError("evaluate_row_program: width is " + std::to_string(width) + ", which " + std::to_string(ranks) +
                     " ranks do not divide, but the program has shards; expected a multiple");
}

// One rank's input buffers, checked against the program's inputs.
std::vector<const void*> HoldInputs(const RowProgram& program, const nb::list& given, const std::string& rank,
                                    const EvaluateRequest& request, int64_t ranks, Buffers* held) {
  if (given.size() != program.inputs.size()) {
    throw ToValueError("evaluate_row_program: rank " + rank + " has " + std::to_string(given.size()) +
                       " inputs; the program has " + std::to_string(program.inputs.size()));
  }
  std::vector<const void*> pointers;
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    held->push_back(std::make_unique<Buffer>(given[i]));
    const Input& input = program.inputs[i];
    const int64_t expected = ElementCount(input, request.rows, request.width, ranks) * DTypeBytes(input.dtype);
    if (held->back()->size() != expected) {
      throw ToValueError("evaluate_row_program: rank " + rank + ", input a" + std::to_string(i) + " has " +
                         std::to_string(held->back()->size()) + " bytes; expected " + std::to_string(expected) +
                         " for a " + DTypeName(input.dtype) + " " + KindName(input.kind) +
                         (input.role == Role::kGather ? " shard" : ""));
    }
    pointers.push_back(held->back()->data());
  }
  return pointers;
}

nb::list Evaluate(std::string_view text, int64_t rows, int64_t width, int64_t rank, const nb::list& inputs) {
  const RowProgram program = Parse(text);
  CheckExtent(rows, width, rank, inputs.size());
  CheckShards(program, width, inputs.size());
  const auto ranks = static_cast<int64_t>(inputs.size());
  EvaluateRequest request;
  request.rows = rows;
  request.width = width;
  request.rank = static_cast<int>(rank);
  Buffers held;
  for (size_t r = 0; r < inputs.size(); ++r) {
    const nb::list of_rank = nb::cast<nb::list>(inputs[r]);
    request.inputs.push_back(HoldInputs(program, of_rank, std::to_string(r), request, ranks, &held));
  }
  std::vector<std::string> outputs;
  for (const Output& output : program.outputs) {
    const DType dtype = program.statements[output.value].dtype;
    outputs.emplace_back(ElementCount(output, rows, width, ranks) * DTypeBytes(dtype), '\0');
  }
  for (std::string& output : outputs) request.outputs.push_back(output.data());
  EvaluateRowProgram(program, request);

  nb::list results;
  for (const std::string& output : outputs) results.append(nb::bytes(output.data(), output.size()));
  return results;
}

nb::str Name(char prefix, size_t i) { return nb::str((prefix + std::to_string(i)).c_str()); }

nb::list InputsOf(const RowProgram& program) {
  nb::list out;
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    const Input& input = program.inputs[i];
    nb::dict one;
    one["name"] = Name('a', i);
    one["role"] = RoleName(input.role);
    one["dtype"] = DTypeName(input.dtype);
    one["kind"] = KindName(input.kind);
    out.append(one);
  }
  return out;
}

nb::list StatementsOf(const RowProgram& program) {
  nb::list out;
  for (size_t i = 0; i < program.statements.size(); ++i) {
    const Statement& statement = program.statements[i];
    nb::list operands;
    for (int k = 0; k < OperandCount(statement.op); ++k) operands.append(Name('x', statement.operands[k]));
    nb::dict one;
    one["name"] = Name('x', i);
    one["dtype"] = DTypeName(statement.dtype);
    one["kind"] = KindName(statement.kind);
    one["op"] = OpName(statement.op);
    one["operands"] = operands;
    one["attribute"] = PrintAttribute(statement);
    out.append(one);
  }
  return out;
}

nb::list OutputsOf(const RowProgram& program) {
  nb::list out;
  for (const Output& output : program.outputs) {
    nb::dict one;
    one["name"] = Name('x', static_cast<size_t>(output.value));
    one["kind"] = KindName(output.kind);
    one["is_shard"] = output.shard;
    out.append(one);
  }
  return out;
}

nb::dict Structure(std::string_view text) {
  const RowProgram program = Parse(text);
  nb::dict out;
  out["inputs"] = InputsOf(program);
  out["statements"] = StatementsOf(program);
  out["outputs"] = OutputsOf(program);
  return out;
}

}  // namespace

void BindRowProgram(nb::module_& module) {
  module.def(
      "canonical_row_program", [](std::string_view text) { return PrintRowProgram(Parse(text)); }, nb::arg("text"),
      "The canonical text of a row program. ValueError: what is wrong with it and where.");
  module.def("row_program_structure", &Structure, nb::arg("text"),
             "The inputs, statements and outputs of a row program. ValueError: what is wrong with it and where.");
  module.def("evaluate_row_program", &Evaluate, nb::arg("text"), nb::arg("rows"), nb::arg("width"), nb::arg("rank"),
             nb::arg("inputs"), "One rank's outputs, by the scalar evaluator that defines what a row program means.");
}

}  // namespace jax_oneshot
