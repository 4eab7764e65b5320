// SPDX-License-Identifier: Apache-2.0
// Implementation of obstacles.h.
#include "ffi_kernels/cuda/handler/obstacles.h"

#include "row_program/text.h"

namespace jax_oneshot::cuda {
namespace {

// Checks every pair, because the GPUs of each group are not known yet.
std::string FindMissingAccess(const CudaDriver& driver) {
  int count = 0;
  if (driver.cuDeviceGetCount(&count) != kSuccess) return "";
  for (int from = 0; from < count; ++from) {
    for (int to = 0; to < count; ++to) {
      Device own = 0, peer = 0;
      int can = 1;
      if (from == to || driver.cuDeviceGet(&own, from) != kSuccess || driver.cuDeviceGet(&peer, to) != kSuccess)
        continue;
      if (driver.cuDeviceCanAccessPeer(&can, own, peer) == kSuccess && can == 0) {
        return "GPU " + std::to_string(from) + " cannot write to the memory of GPU " + std::to_string(to) +
               ", which the kernels do; `nvidia-smi topo -p2p w` shows why";
      }
    }
  }
  return "";
}

std::string FindCompileError(const PlannedCall& call, const DeviceFacts& facts, Runtime* runtime) {
  Result<RowProgram> program = ParseRowProgram(call.program);
  if (!program) return "the row program cannot be read: " + program.error();
  const auto compiled =
      runtime->Compile(*program, call.rows, call.width, static_cast<int>(call.group_size), facts, 1, call.algorithm);
  return compiled ? "" : "the kernel cannot be made: " + compiled.error();
}

}  // namespace

std::string FindObstacle(const std::vector<PlannedCall>& calls, Runtime* runtime) {
  if (!runtime->HasGpu()) return "";
  const Result<DeviceFacts> facts = runtime->FirstGpuFacts();
  if (!facts) return facts.error();
  std::string obstacle = FindMissingAccess(runtime->driver());
  for (size_t i = 0; obstacle.empty() && i < calls.size(); ++i) obstacle = FindCompileError(calls[i], *facts, runtime);
  return obstacle;
}

}  // namespace jax_oneshot::cuda
