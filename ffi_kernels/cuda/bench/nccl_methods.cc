// SPDX-License-Identifier: Apache-2.0
// Implementation of nccl_methods.h.
#include "ffi_kernels/cuda/bench/nccl_methods.h"

#include <utility>
#include <vector>

namespace jax_oneshot::cuda::bench {
namespace {

Result<void> AllReduce(const NcclRanks& nccl, const Problem& problem, int link, Leaves leaves) {
  std::vector<NcclBuffers> buffers;
  for (int rank = 0; rank < nccl.ranks(); ++rank) {
    const CallBuffers call = problem.Call(rank, link, leaves);
    buffers.push_back({call.partial, call.sum_out});
  }
  return nccl.AllReduce(buffers, problem.shape().elements());
}

}  // namespace

Result<void> WarmUp(const NcclRanks& nccl, const RankGpus& gpus, const Problem& problem) {
  if (Result<void> reduced = AllReduce(nccl, problem, 0, Leaves::kSum); !reduced) return reduced;
  return gpus.Wait(kHostDeadlineS);
}

Result<LaunchLink> Nccl(const MaybeNccl& nccl, const Problem& problem) {
  if (!nccl) return Err(nccl.error());
  return [ranks = *nccl, &problem](int link) { return AllReduce(*ranks, problem, link, Leaves::kSum); };
}

Result<LaunchLink> NcclAndNorm(const MaybeNccl& nccl, const RankGpus& gpus, const RankKernels& kernels,
                               const Problem& problem, NormLaunch norm) {
  if (!nccl) return Err(nccl.error());
  if (Result<void> width = CheckWidth(problem.shape().width); !width) return Err(width.error());
  LaunchLink norms = OnEveryRank(gpus, problem.shape().ranks,
                                 [&kernels, &problem, norm](int rank, int link, Stream stream) -> Result<void> {
                                   return norm(kernels.of(rank), stream, NormOf(problem, rank, link));
                                 });
  return [ranks = *nccl, &problem, norms = std::move(norms)](int link) -> Result<void> {
    Result<void> reduced = AllReduce(*ranks, problem, link, Leaves::kNormAndResidual);
    return reduced ? norms(link) : reduced;
  };
}

}  // namespace jax_oneshot::cuda::bench
