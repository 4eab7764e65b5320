// SPDX-License-Identifier: Apache-2.0
// Implementation of problem.h.
#include "ffi_kernels/cuda/bench/problem.h"

#include <cmath>
#include <cstdio>
#include <random>
#include <string>
#include <utility>

#include "base/float_types.h"
#include "row_program/evaluate.h"
#include "row_program/text.h"

namespace jax_oneshot::cuda::bench {
namespace {

constexpr char kNorm[] =
    "v1 (a0: sum bf16 row, a1: local bf16 row, a2: %s bf16 vec) {"
    " x0: bf16 row = all_reduce a0; x1: bf16 row = load a1; x2: bf16 row = add x1, x0; x3: f32 row = convert x2;"
    " x4: f32 row = multiply x3, x3; x5: f32 rowscalar = reduce_sum x4; x6: f32 scalar = constant %.9g;"
    " x7: f32 rowscalar = multiply x5, x6; x8: f32 scalar = constant %.9g; x9: f32 rowscalar = add x7, x8;"
    " x10: f32 rowscalar = rsqrt x9; x11: f32 row = multiply x3, x10; x12: bf16 row = convert x11;"
    " x13: bf16 vec = %s a2; x14: bf16 row = multiply x12, x13 } -> (x14: row, x2: row)";
constexpr char kPlain[] = "v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0 } -> (x0: row)";
constexpr char kStatistic[] = "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0 } -> (x0: row)";
constexpr char kGather[] = "v1 (a0: gather bf16 row) { x0: bf16 row = all_gather a0 } -> (x0: row)";

// Uniform in [low, low + 2): the speed does not depend on values, and zeros and sentinels have tests of their own.
BF16s RandomBF16s(size_t count, float low, uint32_t seed) {
  std::mt19937 random(seed);
  BF16s values(count);
  for (uint16_t& value : values) value = F32ToBF16(low + static_cast<float>(random()) * 0x1p-31f);
  return values;
}

void Append(const BF16s& from, BF16s* to) { to->insert(to->end(), from.begin(), from.end()); }

// Built from the constants above, so it parses.
RowProgram Parsed(const char* text) { return *ParseRowProgram(text); }

RowProgram NormProgram(int width, const char* role, const char* load) {
  std::array<char, sizeof(kNorm) + 64> text;
  std::snprintf(text.data(), text.size(), kNorm, role, static_cast<double>(1.0f / static_cast<float>(width)),
                static_cast<double>(kEpsilon), load);
  return Parsed(text.data());
}

}  // namespace

RowProgram FusedProgram(int width) { return NormProgram(width, "local", "load"); }
RowProgram ShardedProgram(int width) { return NormProgram(width, "gather", "all_gather"); }
RowProgram PlainProgram() { return Parsed(kPlain); }
RowProgram StatisticProgram() { return Parsed(kStatistic); }
RowProgram GatherProgram() { return Parsed(kGather); }

Result<Problem> Problem::Make(const RankGpus& gpus, const Shape& shape) {
  Problem problem(gpus, shape);
  std::vector<BF16s> partials;
  for (int rank = 0; rank < shape.ranks; ++rank) {
    partials.push_back(RandomBF16s(shape.elements(), -1, static_cast<uint32_t>(rank + 1)));
  }
  const BF16s residual = RandomBF16s(shape.elements(), -1, 101);
  const BF16s gamma = RandomBF16s(static_cast<size_t>(shape.width), 0, 102);
  for (int rank = 0; rank < shape.ranks; ++rank) {
    Result<void> made = problem.MakeRank(gpus.of(rank), partials[static_cast<size_t>(rank)], residual, gamma);
    if (!made) return Err(made.error());
  }
  problem.Evaluate(partials, residual, gamma);
  return problem;
}

Result<void> Problem::MakeRank(const Gpu& gpu, const BF16s& partial, const BF16s& residual, const BF16s& gamma) {
  RankMemory memory;
  const std::pair<Memory*, const BF16s*> inputs[] = {
      {&memory.partial, &partial}, {&memory.residual, &residual}, {&memory.gamma, &gamma}};
  for (const auto& [to, from] : inputs) {
    Result<Memory> made = gpu.Upload(from->data(), from->size() * sizeof(uint16_t));
    if (!made) return Err(made.error());
    *to = *std::move(made);
  }
  for (std::array<Memory, 2>* pair : {&memory.norm, &memory.residual_out, &memory.sum}) {
    for (Memory& to : *pair) {
      Result<Memory> made = gpu.Allocate(shape_.elements() * sizeof(uint16_t));
      if (!made) return Err(made.error());
      to = *std::move(made);
    }
  }
  ranks_.push_back(std::move(memory));
  return {};
}

void Problem::Evaluate(const std::vector<BF16s>& partials, const BF16s& residual, const BF16s& gamma) {
  for (BF16s* out : {&norm_, &residual_, &sum_}) out->resize(shape_.elements());
  EvaluateRequest request;
  request.rows = shape_.rows;
  request.width = shape_.width;
  for (const BF16s& partial : partials) request.inputs.push_back({partial.data(), residual.data(), gamma.data()});
  request.outputs = {norm_.data(), residual_.data()};
  EvaluateRowProgram(FusedProgram(shape_.width), request);
  for (std::vector<const void*>& inputs : request.inputs) inputs.resize(1);
  request.outputs = {sum_.data()};
  EvaluateRowProgram(PlainProgram(), request);
}

CallBuffers Problem::Call(int rank, int link, Leaves leaves) const {
  const RankMemory& memory = ranks_[static_cast<size_t>(rank)];
  const size_t now = static_cast<size_t>(link) % 2, before = 1 - now;
  const std::array<Memory, 2>& feeds = leaves == Leaves::kSum ? memory.sum : memory.norm;
  return {link == 0 ? memory.partial.at() : feeds[before].at(),
          link == 0 ? memory.residual.at() : memory.residual_out[before].at(),
          memory.gamma.at(),
          memory.norm[now].at(),
          memory.residual_out[now].at(),
          memory.sum[now].at()};
}

Result<void> Problem::ForgetResults() const {
  Result<void> forgotten = {};
  for (int rank = 0; forgotten && rank < shape_.ranks; ++rank) forgotten = ForgetResultsOf(rank);
  return forgotten;
}

Result<void> Problem::ForgetResultsOf(int rank) const {
  constexpr unsigned char kNan = 0xff;
  const CudaDriver& driver = gpus_->driver();
  const RankMemory& memory = ranks_[static_cast<size_t>(rank)];
  if (Result<void> current = gpus_->of(rank).MakeCurrent(); !current) return current;
  for (const std::array<Memory, 2>* pair : {&memory.norm, &memory.residual_out, &memory.sum}) {
    for (const Memory& of : *pair) {
      ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuMemsetD8_v2(of.at(), kNan, shape_.elements() * sizeof(uint16_t)));
    }
  }
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuCtxSynchronize());  // the chains' streams do not wait for this stream
  return {};
}

Result<BF16s> Problem::Results(int links, Leaves leaves) const {
  BF16s all;
  for (int rank = 0; leaves != Leaves::kNothing && rank < shape_.ranks; ++rank) {
    const CallBuffers last = Call(rank, links - 1, leaves);
    const std::vector<DevicePointer> of = leaves == Leaves::kSum
                                              ? std::vector<DevicePointer>{last.sum_out}
                                              : std::vector<DevicePointer>{last.norm_out, last.residual_out};
    for (DevicePointer from : of) {
      Result<BF16s> one = gpus_->of(rank).Download(from, shape_.elements());
      if (!one) return one;
      Append(*one, &all);
    }
  }
  return all;
}

Result<void> Problem::CheckOneCall(Leaves leaves, const Exactness& exactness) const {
  const Result<BF16s> got = Results(1, leaves);
  if (!got) return Err(got.error());
  BF16s want;
  for (int rank = 0; leaves != Leaves::kNothing && rank < shape_.ranks; ++rank) {
    Append(leaves == Leaves::kSum ? sum_ : norm_, &want);
    if (leaves == Leaves::kNormAndResidual) Append(residual_, &want);
  }
  if (Result<void> close = CompareBF16(*got, want, "one call", exactness.roundings); !close) return close;
  const size_t of_rank = got->size() / static_cast<size_t>(shape_.ranks);
  for (size_t i = of_rank; exactness.equal_bits && i < got->size(); ++i) {
    if ((*got)[i] != (*got)[i % of_rank]) {
      return Err("rank " + std::to_string(i / of_rank) + " and rank 0 do not hold the same bits");
    }
  }
  return {};
}

Result<void> CompareBF16(const BF16s& got, const BF16s& want, const char* what, int roundings) {
  for (size_t i = 0; i < want.size(); ++i) {
    const float g = BF16ToF32(got[i]), w = BF16ToF32(want[i]);
    // Each rounding's relative error of 2^-8, and as much of a sum over ranks that the residual then cancels; times
    // two.
    if (std::abs(g - w) <= static_cast<float>(roundings) * (0x1p-7f * std::abs(w) + 0x1p-6f)) continue;
    return Err(std::string(what) + ": element " + std::to_string(i) + " is " + std::to_string(g) + "; expected about " +
               std::to_string(w));
  }
  return {};
}

}  // namespace jax_oneshot::cuda::bench
