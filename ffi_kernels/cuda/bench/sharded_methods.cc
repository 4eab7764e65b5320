// SPDX-License-Identifier: Apache-2.0
// Implementation of sharded_methods.h.
#include "ffi_kernels/cuda/bench/sharded_methods.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace jax_oneshot::cuda::bench {
namespace {

// The intermediate values on each rank: squares, their total, this rank's columns of the norm.
using Scratch = std::vector<std::array<Memory, 3>>;

Result<std::shared_ptr<const Scratch>> MakeScratch(const RankGpus& gpus, const Shape& shape) {
  auto scratch = std::make_shared<Scratch>(static_cast<size_t>(shape.ranks));
  const size_t rows = static_cast<size_t>(shape.rows);
  const std::array<size_t, 3> bytes = {rows * sizeof(float), rows * sizeof(float), shape.elements() * sizeof(uint16_t)};
  for (int rank = 0; rank < shape.ranks; ++rank) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      Result<Memory> memory = gpus.of(rank).Allocate(bytes[i]);
      if (!memory) return Err(memory.error());
      (*scratch)[static_cast<size_t>(rank)][i] = *std::move(memory);
    }
  }
  return scratch;
}

int Columns(const Shape& shape) { return shape.width / shape.ranks; }

DevicePointer GammaShard(const CallBuffers& call, const Shape& shape, int rank) {
  return call.gamma + static_cast<DevicePointer>(rank) * static_cast<DevicePointer>(Columns(shape)) * sizeof(uint16_t);
}

Result<void> CheckShards(const Shape& shape) {
  if (Result<void> width = CheckWidth(shape.width); !width) return width;
  if (shape.width % (shape.ranks * kColumnsPerThread) == 0) return {};
  return Err("the benchmark's kernels take shards of a multiple of " + std::to_string(kColumnsPerThread) +
             " columns; width " + std::to_string(shape.width) + " over " + std::to_string(shape.ranks) +
             " ranks is none");
}

}  // namespace

Result<LaunchOnRank> Sharded(std::shared_ptr<const OneShotRanks> ranks, const Problem& problem) {
  if (Result<void> shards = CheckShards(problem.shape()); !shards) return Err(shards.error());
  return [ranks = std::move(ranks), &problem](int rank, int link, Stream) {
    const CallBuffers call = problem.Call(rank, link, Leaves::kNormAndResidual);
    return ranks->Launch(OneShot::kSharded, rank,
                         {call.partial, call.residual, GammaShard(call, problem.shape(), rank)},
                         {call.norm_out, call.residual_out});
  };
}

Result<LaunchOnRank> ShardedCollectives(const RankGpus& gpus, const RankKernels& kernels,
                                        std::shared_ptr<const OneShotRanks> ranks, const Problem& problem) {
  const Shape& shape = problem.shape();
  if (Result<void> shards = CheckShards(shape); !shards) return Err(shards.error());
  Result<std::shared_ptr<const Scratch>> scratch = MakeScratch(gpus, shape);
  if (!scratch) return Err(scratch.error());
  return [ranks = std::move(ranks), held = *std::move(scratch), &kernels, &problem](int rank, int link,
                                                                                    Stream stream) -> Result<void> {
    const Shape& of = problem.shape();
    const CallBuffers call = problem.Call(rank, link, Leaves::kNormAndResidual);
    const auto& [statistic, total, norm] = (*held)[static_cast<size_t>(rank)];
    const ShardBuffers shard = {call.sum_out,   call.residual,      call.residual_out,
                                statistic.at(), total.at(),         GammaShard(call, of, rank),
                                norm.at(),      rank * Columns(of), Columns(of)};
    Result<void> done = ranks->Launch(OneShot::kPlain, rank, {call.partial}, {call.sum_out});
    if (done) done = kernels.of(rank).LaunchShardStatistic(stream, shard, of.rows, of.width);
    if (done) done = ranks->Launch(OneShot::kStatistic, rank, {shard.statistic}, {shard.total});
    if (done) done = kernels.of(rank).LaunchShardScale(stream, shard, of.rows, of.width, kEpsilon);
    if (done) done = ranks->Launch(OneShot::kGather, rank, {shard.norm_shard}, {call.norm_out});
    return done;
  };
}

}  // namespace jax_oneshot::cuda::bench
