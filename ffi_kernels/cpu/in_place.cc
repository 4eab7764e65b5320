// SPDX-License-Identifier: Apache-2.0
// Implementation of in_place.h.
#include "ffi_kernels/cpu/in_place.h"

#include <algorithm>
#include <cstring>

#include "row_program/ops.h"

namespace jax_oneshot {
namespace {

int64_t WholeBytes(Kind kind, DType dtype, int64_t rows, int64_t width) {
  return (Widens(Kind::kRowScalar, kind) ? rows : 1) * (Widens(Kind::kVec, kind) ? width : 1) * DTypeBytes(dtype);
}

}  // namespace

InPlace::InPlace(const RowProgram& program, const Plan& plan, int64_t rows, int64_t width) {
  for (const Input& input : program.inputs) {
    inputs_.push_back({WholeBytes(input.kind, input.dtype, rows, width), input.role == Role::kGather,
                       Widens(Kind::kRowScalar, input.kind), DTypeBytes(input.dtype), -1});
  }
  for (const Output& output : program.outputs) {
    const DType dtype = program.statements[output.value].dtype;
    outputs_.push_back({WholeBytes(output.kind, dtype, rows, width), output.shard,
                        Widens(Kind::kRowScalar, output.kind), DTypeBytes(dtype), -1});
  }
  int64_t at = 0;
  for (const Phase& phase : plan.phases) {
    for (const std::vector<Step>* steps : {&phase.row_begin, &phase.chunk, &phase.row_end}) {
      for (const Step& step : *steps) {
        ++at;
        const bool loads =
            step.what == Step::Do::kLoad || step.what == Step::Do::kCombine || step.what == Step::Do::kGather;
        if (loads) inputs_[step.index].at = at;
        if (step.what == Step::Do::kStore) outputs_[step.index].at = at;
      }
    }
  }
}

bool InPlace::Clash(const Buffer& input, const void* in, const Buffer& output, const void* out, int64_t ranks) const {
  const auto* a = static_cast<const char*>(in);
  const auto* b = static_cast<const char*>(out);
  const int64_t a_bytes = input.shard ? input.bytes / ranks : input.bytes;
  const int64_t b_bytes = output.shard ? output.bytes / ranks : output.bytes;
  const auto address = [](const char* p) { return reinterpret_cast<uintptr_t>(p); };
  if (address(a) >= address(b) + b_bytes || address(b) >= address(a) + a_bytes) return false;
  const bool same_elements = a == b && a_bytes == b_bytes && input.element_bytes == output.element_bytes &&
                             input.shard == output.shard && input.row_by_row && output.row_by_row;
  return !same_elements || input.at > output.at;
}

void InPlace::Protect(std::vector<RankBuffers>* ranks, Copies* copies) const {
  copies->used = 0;
  copies->inputs.resize(ranks->size());
  const auto count = static_cast<int64_t>(ranks->size());
  for (size_t r = 0; r < ranks->size(); ++r) {
    RankBuffers& rank = (*ranks)[r];
    const void* const* given = rank.inputs;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const bool clash = [&] {
        for (size_t o = 0; o < outputs_.size(); ++o) {
          if (Clash(inputs_[i], given[i], outputs_[o], rank.outputs[o], count)) return true;
        }
        return false;
      }();
      if (!clash) continue;
      if (rank.inputs == given) {
        copies->inputs[r].assign(given, given + inputs_.size());
        rank.inputs = copies->inputs[r].data();
      }
      if (copies->used == copies->bytes.size()) copies->bytes.emplace_back();
      std::vector<char>& copy = copies->bytes[copies->used++];
      const auto* bytes = static_cast<const char*>(given[i]);
      copy.assign(bytes, bytes + (inputs_[i].shard ? inputs_[i].bytes / count : inputs_[i].bytes));
      copies->inputs[r][i] = copy.data();
    }
  }
}

}  // namespace jax_oneshot
