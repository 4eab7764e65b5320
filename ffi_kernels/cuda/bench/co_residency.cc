// SPDX-License-Identifier: Apache-2.0
// Implementation of co_residency.h.
#include "ffi_kernels/cuda/bench/co_residency.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace jax_oneshot::cuda::bench {
namespace {

int64_t Volume(const unsigned extent[3]) { return static_cast<int64_t>(extent[0]) * extent[1] * extent[2]; }

// A cluster shape given at compile time is not among a launch's attributes.
Result<void> ReadCluster(const CudaDriver& driver, GraphNode node, KernelLaunch* launch) {
  LaunchAttribute attribute = {};
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuGraphKernelNodeGetAttribute(node, kLaunchClusterDimension, &attribute.value));
  for (int i = 0; i < 3; ++i) {
    int required = 0;
    ONESHOT_CUDA_RETURN_IF_ERROR(driver,
                                 cuFuncGetAttribute(&required, kFunctionRequiredClusterWidth + i, launch->function));
    launch->cluster[i] = std::max({1u, attribute.value.cluster[i], static_cast<unsigned>(required)});
  }
  return {};
}

Result<KernelLaunch> ReadLaunch(const CudaDriver& driver, GraphNode node) {
  KernelNodeParameters read = {};
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuGraphKernelNodeGetParams_v2(node, &read));
  KernelLaunch launch;
  launch.function = read.function;
  if (launch.function == nullptr) {  // launched as a context-independent kernel, as the CUDA runtime does
    ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuKernelGetFunction(&launch.function, read.kernel));
  }
  std::copy(read.grid, read.grid + 3, launch.grid);
  std::copy(read.block, read.block + 3, launch.block);
  launch.shared_bytes = read.shared_bytes;
  if (Result<void> cluster = ReadCluster(driver, node, &launch); !cluster) return Err(cluster.error());
  return launch;
}

}  // namespace

Result<std::vector<KernelLaunch>> LaunchesOf(const CudaDriver& driver, Graph graph) {
  size_t count = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuGraphGetNodes(graph, nullptr, &count));
  std::vector<GraphNode> nodes(count);
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuGraphGetNodes(graph, nodes.data(), &count));
  std::vector<KernelLaunch> launches;
  for (GraphNode node : nodes) {
    int type = 0;
    ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuGraphNodeGetType(node, &type));
    if (type != kGraphNodeKernel) continue;
    Result<KernelLaunch> launch = ReadLaunch(driver, node);
    if (!launch) return Err(launch.error());
    launches.push_back(*launch);
  }
  return launches;
}

Result<int64_t> BlocksThatFit(const CudaDriver& driver, const KernelLaunch& launch, int multiprocessors) {
  const int64_t cluster = Volume(launch.cluster);
  if (cluster == 1) {
    int per_multiprocessor = 0;
    ONESHOT_CUDA_RETURN_IF_ERROR(
        driver, cuOccupancyMaxActiveBlocksPerMultiprocessor(
                    &per_multiprocessor, launch.function, static_cast<int>(Volume(launch.block)), launch.shared_bytes));
    return static_cast<int64_t>(per_multiprocessor) * multiprocessors;
  }
  LaunchAttribute attribute = {};
  attribute.id = kLaunchClusterDimension;
  std::copy(launch.cluster, launch.cluster + 3, attribute.value.cluster);
  LaunchConfig config = {};
  std::copy(launch.grid, launch.grid + 3, config.grid);
  std::copy(launch.block, launch.block + 3, config.block);
  config.shared_bytes = launch.shared_bytes;
  config.attributes = &attribute;
  config.attribute_count = 1;
  int clusters = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuOccupancyMaxActiveClusters(&clusters, launch.function, &config));
  return clusters * cluster;
}

int64_t Blocks(const KernelLaunch& launch) { return Volume(launch.grid); }

Result<void> CheckCoResidency(const std::vector<Demand>& demands) {
  double share = 0;
  for (const Demand& demand : demands) {
    share += demand.fit == 0 ? 2.0 : static_cast<double>(demand.blocks) / static_cast<double>(demand.fit);
  }
  if (share <= 1) return {};
  const std::string whose = demands.size() == 1 ? "one rank" : std::to_string(demands.size()) + " ranks";
  return Err("the blocks of " + whose + " need " + std::to_string(static_cast<int>(std::ceil(share * 100))) +
             " % of this one device, so ranks would wait for blocks that cannot start");
}

}  // namespace jax_oneshot::cuda::bench
