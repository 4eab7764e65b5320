// SPDX-License-Identifier: Apache-2.0
// Implementation of rank_data.h.
#include "ffi_kernels/cpu/rank_data.h"

#include <random>

#include "row_program/evaluate.h"

namespace jax_oneshot {
namespace {

std::vector<uint8_t> RandomBytes(const Input& input, int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, 1.5f);
  std::vector<uint8_t> bytes(static_cast<size_t>(count * DTypeBytes(input.dtype)));
  for (int64_t i = 0; i < count; ++i) {
    const float x = input.dtype == DType::kPred ? static_cast<float>(random() & 1) : normal(random);
    BaselineLoops().narrow[static_cast<int>(input.dtype)](&x, bytes.data(), i, 1);
    float rounded = x;
    if (auto round = BaselineLoops().round[static_cast<int>(input.dtype)]) round(&rounded, 1);
    BaselineLoops().narrow[static_cast<int>(input.dtype)](&rounded, bytes.data(), i, 1);
  }
  return bytes;
}

template <typename To, typename From>
std::vector<To> Pointers(std::vector<std::vector<From>>& buffers) {
  std::vector<To> pointers;
  for (auto& buffer : buffers) pointers.push_back(buffer.data());
  return pointers;
}

}  // namespace

RankData::RankData(const RowProgram& program, const RankDataOptions& options) : program_(program), options_(options) {
  for (int rank = 0; rank < options.ranks; ++rank) {
    std::vector<std::vector<uint8_t>> in, out;
    for (const Input& input : program.inputs) {
      const bool shared = input.role == Role::kLocal && options.same_locals;
      const auto seed = static_cast<uint32_t>(options.seed * 1000003 + in.size() * 101 + (shared ? 0 : rank));
      in.push_back(RandomBytes(input, ElementCount(input, options.rows, options.width, options.ranks), seed));
    }
    for (const Output& output : program.outputs) {
      const int bytes = DTypeBytes(program.statements[output.value].dtype);
      out.emplace_back(ElementCount(output, options.rows, options.width, options.ranks) * bytes, 0xa5);
    }
    input_bytes_.push_back(std::move(in));
    output_bytes_.push_back(std::move(out));
  }
  for (auto& in : input_bytes_) inputs_.push_back(Pointers<const void*>(in));
  for (auto& out : output_bytes_) outputs_.push_back(Pointers<void*>(out));
  for (int rank = 0; rank < options.ranks; ++rank) buffers_.push_back({inputs_[rank].data(), outputs_[rank].data()});
}

std::vector<std::vector<uint8_t>> RankData::Expected(int rank) const {
  std::vector<std::vector<uint8_t>> expected = output_bytes_[rank];
  EvaluateRequest request;
  request.rows = options_.rows;
  request.width = options_.width;
  request.inputs = inputs_;
  request.rank = rank;
  request.outputs = Pointers<void*>(expected);
  EvaluateRowProgram(program_, request);
  return expected;
}

float ElementOf(DType dtype, const std::vector<uint8_t>& bytes, int64_t i) {
  float x = 0;
  BaselineLoops().widen[static_cast<int>(dtype)](bytes.data(), i, &x, 1);
  return x;
}

}  // namespace jax_oneshot
